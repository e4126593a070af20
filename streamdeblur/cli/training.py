"""What the commands that train share: options, and the data to train with."""

from __future__ import annotations

import logging
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamdeblur.errors import OptionError

if TYPE_CHECKING:
    from streamdeblur.training.config import StepSettings, TrainingConfig
    from streamdeblur.training.datasets.pair_maker import PairMaker
    from streamdeblur.training.loop import TrainingData

CHECKPOINT = "checkpoint.safetensors"
"""File of the state of a run, as `streamdeblur.training.run` names it; importing that takes seconds."""

logger = logging.getLogger(__name__)

Config = Annotated[Path, typer.Argument(help="YAML file, or a shipped one: lite, paper, ablations/final ...")]
RunFolder = Annotated[Path, typer.Option("--out", help="Folder of the run. A run that has a checkpoint there is continued.")]
Stills = Annotated[list[Path] | None, typer.Option(help="Sharp faces: made by 'dataset stills', or a folder of pictures.")]
Clips = Annotated[list[Path] | None, typer.Option(help="Face clips: made by 'dataset build'.")]
Pairs = Annotated[list[Path] | None, typer.Option(help="Ready-made pairs: made by 'dataset pairs'; instead of the two above.")]
HeldOutStills = Annotated[Path | None, typer.Option(help="Stills of other people, to validate with.")]
HeldOutClips = Annotated[Path | None, typer.Option(help="Clips of other people, to validate with.")]
Device = Annotated[
    str, typer.Option(metavar="auto|cpu|cuda:N", help="Where to train: a card of the driver, or the CPU; auto takes a card.")
]
Compile = Annotated[
    bool, typer.Option("--compile", help="Compile the networks first (torch.compile; on a card with CUDA graphs): takes minutes.")
]
Init = Annotated[Path | None, typer.Option(help="Begin with these weights: a run, a checkpoint, or an exported ONNX file.")]


def is_helper_process() -> bool:
    """Return whether torchrun started this process and it is not the first one; it prints only warnings and errors."""
    return os.environ.get("RANK", "0") != "0"


@dataclass(frozen=True)
class DataFolders:
    """Where a training finds its faces.

    Raises:
        OptionError: There are none, or it is ambiguous which to use.
    """

    stills: list[Path] | None
    clips: list[Path] | None
    pairs: list[Path] | None
    held_out_stills: Path | None
    held_out_clips: Path | None

    def __post_init__(self) -> None:
        if not self.stills and not self.clips and not self.pairs:
            raise OptionError("Nothing to train on: give --stills, --clips or --pairs.")
        if self.pairs and (self.stills or self.clips):
            raise OptionError("Give either --pairs or --stills and --clips.")

    @property
    def arguments(self) -> list[str]:
        """The options that name these folders."""
        return [*_given("--stills", self.stills), *_given("--clips", self.clips), *_given("--pairs", self.pairs), *self.held_out]

    @property
    def held_out(self) -> list[str]:
        """The options that name the folders to validate with."""
        folders = {"--held-out-stills": self.held_out_stills, "--held-out-clips": self.held_out_clips}
        return [word for option, folder in folders.items() if folder for word in (option, str(folder))]

    def open(self, config: TrainingConfig, settings: StepSettings) -> TrainingData:
        """Open the pairs to train one step with, and those to validate it with."""
        from streamdeblur.training.datasets.pair_sources import StoredPairs, open_maker, open_sequence_maker, open_unpaired
        from streamdeblur.training.loop import TrainingData

        recipe, seed = config.recipe_of(settings), config.seed
        memory = config.network.generator.memory if settings is config.cgan else 0
        if settings.pairs == "forward" and not self.pairs:
            raise OptionError(
                "'pairs: forward' chooses among ready-made pairs: give them with --pairs. Of pairs that are made in the training "
                "those of clips in reverse order are left out by 'reverse: false' in the recipe, with 'pairs: all'."
            )
        if self.pairs and memory:
            raise OptionError("A network with a memory is trained on sequences: give --stills and --clips instead of --pairs.")
        unpaired = settings is config.compared and config.compared.unpaired
        if self.pairs and unpaired:
            raise OptionError("This method learns from images that are not paired: give --stills and --clips instead of --pairs.")

        def maker(stills: list[Path], clips: list[Path]) -> PairMaker:
            if memory:
                return open_sequence_maker(stills, clips, recipe, seed, memory)
            return open_maker(stills, clips, recipe, seed)

        trained_on = self.stills or [], self.clips or []
        planned = None if self.pairs or unpaired else maker(*trained_on)
        if planned is not None:
            training = planned.sample
        elif unpaired:
            training = open_unpaired(*trained_on, recipe, seed).pair
        else:
            training = StoredPairs(self.pairs or [], settings.pairs, seed, mirrored=recipe.mirrored).pair
        stills, clips = ([folder] if folder else [] for folder in (self.held_out_stills, self.held_out_clips))
        if not stills and not clips:
            logger.info("No --held-out-stills or --held-out-clips: the run is validated on people that are trained on.")
            return TrainingData(training, maker(*trained_on).sample if unpaired else training, planned)
        return TrainingData(training, maker(stills, clips).sample, planned)


def _given(option: str, folders: list[Path] | None) -> list[str]:
    return [word for folder in folders or [] for word in (option, str(folder))]


def tell_next(
    run: Path, step: str, config: Path, folders: DataFolders, *, identity: bool = False, option: str = "--hourglass"
) -> None:
    """Say where the result of a training is, and what to do with it.

    Args:
        run: Folder of the run.
        step: "hourglass", "cgan" or "compared".
        config: Configuration of the training.
        folders: The data of the training, which the next command uses, too.
        identity: Whether step 2 needs a network for its identity term, whose file only the user knows.
        option: By which step 2 gets what step 1 trained.
    """
    part = {"hourglass": " of step 1", "cgan": " of step 2"}.get(step, "")
    logger.info("Done: the weights%s are in %s.", part, run / CHECKPOINT)
    if step == "hourglass":
        command = ["streamdeblur", "train", "cgan", str(config), option, str(run), *folders.arguments]
        command += ["--identity", "FILE.onnx"] if identity else []
        logger.info("Next, step 2: %s", shlex.join([*command, "--out", f"{run}-cgan"]))
    else:
        logger.info("Next: %s", shlex.join(["streamdeblur", "export", str(run), "network.onnx"]))
        held_out = folders.held_out or ["--held-out-stills", "DIR"]
        logger.info("Then: %s", shlex.join(["streamdeblur", "train", "measure", "network.onnx", *held_out]))
        logger.info("      streamdeblur video INPUT OUTPUT --network network.onnx")
