"""streamdeblur train: the two steps of the method."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamdeblur.cli.report import exits
from streamdeblur.errors import OptionError

if TYPE_CHECKING:
    from streamdeblur.training.config import StepSettings, TrainingConfig
    from streamdeblur.training.loop import Data

app = typer.Typer()

Config = Annotated[Path, typer.Argument(help="YAML file, or a shipped one: lite, paper, ablations/final ...")]
RunFolder = Annotated[Path, typer.Option("--run", help="Folder of the run; where it holds a checkpoint, the run goes on.")]
Stills = Annotated[list[Path] | None, typer.Option(help="Sharp faces: made by 'dataset stills', or a folder of pictures.")]
Clips = Annotated[list[Path] | None, typer.Option(help="Face clips: made by 'dataset build'.")]
HeldOutStills = Annotated[Path | None, typer.Option(help="Stills of other people, to validate with.")]
HeldOutClips = Annotated[Path | None, typer.Option(help="Clips of other people, to validate with.")]
Init = Annotated[Path | None, typer.Option(help="Begin with these weights: a run, a checkpoint, or an exported ONNX file.")]


@app.command()
def hourglass(
    config: Config,
    run: RunFolder,
    stills: Stills = None,
    clips: Clips = None,
    held_out_stills: HeldOutStills = None,
    held_out_clips: HeldOutClips = None,
    init: Init = None,
) -> None:
    """Step 1: the hourglass, which restores low and middle frequencies."""
    with exits():
        loaded, data = _prepare(config, "hourglass", stills, clips, held_out_stills, held_out_clips)
        from streamdeblur.training.hourglass import train_hourglass

        train_hourglass(loaded, data, run, init)


@app.command()
def cgan(
    config: Config,
    run: RunFolder,
    hourglass: Annotated[Path | None, typer.Option(help="Step 1: its run, a checkpoint, or an exported ONNX file.")] = None,
    stills: Stills = None,
    clips: Clips = None,
    held_out_stills: HeldOutStills = None,
    held_out_clips: HeldOutClips = None,
    init: Init = None,
    identity: Annotated[
        str, typer.Option(help="Network of faces for the identity term: FILE.onnx or vgg16:FILE.safetensors.")
    ] = "",
) -> None:
    """Step 2: the conditional GAN, which restores high frequencies; the hourglass stays as it is."""
    with exits():
        loaded, data = _prepare(config, "cgan", stills, clips, held_out_stills, held_out_clips)
        from streamdeblur.training.cgan import train_cgan

        train_cgan(loaded, data, run, hourglass, init, identity)


def _prepare(
    config: Path,
    step_name: str,
    stills: list[Path] | None,
    clips: list[Path] | None,
    held_out_stills: Path | None,
    held_out_clips: Path | None,
) -> tuple[TrainingConfig, Data]:
    if not stills and not clips:
        raise OptionError("Nothing to train on: give --stills, --clips or both.")
    try:
        from streamdeblur.training.config import TrainingConfig
        from streamdeblur.training.data.sources import open_sources
        from streamdeblur.training.loop import Data
    except ImportError as error:
        raise OptionError(f"Training needs {error.name}. Install it with: pip install 'streamdeblur[train]'") from None
    loaded = TrainingConfig.load(config)
    settings: StepSettings = getattr(loaded, step_name)
    recipe = loaded.recipe_of(settings)
    training = open_sources(stills or [], clips or [], recipe, loaded.seed)
    others = [folder for folder in (held_out_stills, held_out_clips) if folder]
    held_out = (
        training
        if not others
        else open_sources(
            [held_out_stills] if held_out_stills else [], [held_out_clips] if held_out_clips else [], recipe, loaded.seed
        )
    )
    return loaded, Data(training, held_out)
