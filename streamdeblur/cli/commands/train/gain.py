"""streamdeblur train gain: the estimate of the gain to be expected, which decides which faces are restored."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.extras import needs_extra

Folder = Annotated[Path, typer.Option("--out", help="Folder for gain.json and the measurements, which are not made again.")]
TrainingStills = Annotated[list[Path], typer.Option("--stills", help="Sharp faces of people to fit to.")]
TrainingClips = Annotated[list[Path], typer.Option("--clips", help="Face clips of such people: made by 'dataset build'.")]
OtherStills = Annotated[Path, typer.Option("--held-out-stills", help="Stills of other people, to test with.")]
OtherClips = Annotated[Path, typer.Option("--held-out-clips", help="Clips of other people, to test with.")]
Networks = Annotated[list[str], typer.Option("--network", help="One network without a memory, and one with.")]
Faces = Annotated[int, typer.Option(min=100, max=1_000_000, help="Faces to fit to.")]
HeldOutFaces = Annotated[int, typer.Option(min=100, max=1_000_000, help="Faces of other people.")]
Seed = Annotated[int, typer.Option(min=0, max=2**31, help="Seed of all random numbers.")]

logger = logging.getLogger(__name__)


def command(
    out: Folder,
    stills: TrainingStills,
    clips: TrainingClips,
    held_out_stills: OtherStills,
    held_out_clips: OtherClips,
    network: Networks = ["lite", "stream"],  # noqa: B006  # typer copies it
    faces: Faces = 3000,
    held_out_faces: HeldOutFaces = 1000,
    seed: Seed = 0,
) -> None:
    with handle_errors():
        with needs_extra("train", "Fitting"):
            from streamdeblur.training.gain.fitting import fit
            from streamdeblur.training.gain.measurement import FaceMaker, open_networks, read_or_measure
            from streamdeblur.training.gain.report import tables
        from streamdeblur.faces.gain import FITTED
        from streamdeblur.files import make_folder
        from streamdeblur.partial_file import write_file

        # what cannot be opened is said before anything is measured
        networks = open_networks(network)
        memory = networks[-1].network.memory
        known = FaceMaker.open(stills, clips, seed, memory)
        others = FaceMaker.open([held_out_stills], [held_out_clips], seed, memory)
        make_folder(out)
        fitted = fit(read_or_measure(out / "fitted_to.npz", networks, known, faces), seed)
        write_file(out / FITTED, json.dumps(fitted) + "\n")
        for line in tables(fitted, read_or_measure(out / "held_out.npz", networks, others, held_out_faces)):
            typer.echo(line)
        logger.info("%s is what streamdeblur/weights/%s of a release is made of.", out / FITTED, FITTED)
