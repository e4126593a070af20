"""streamdeblur train: the two steps of the method."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamdeblur.cli.report import exits, needs_extra, tell
from streamdeblur.errors import OptionError

if TYPE_CHECKING:
    from streamdeblur.training.config import StepSettings, TrainingConfig
    from streamdeblur.training.loop import TrainingData

app = typer.Typer()

Config = Annotated[Path, typer.Argument(help="YAML file, or a shipped one: lite, paper, ablations/final ...")]
RunFolder = Annotated[Path, typer.Option("--out", help="Folder of the run; where it holds a checkpoint, the run goes on.")]
Stills = Annotated[list[Path] | None, typer.Option(help="Sharp faces: made by 'dataset stills', or a folder of pictures.")]
Clips = Annotated[list[Path] | None, typer.Option(help="Face clips: made by 'dataset build'.")]
Pairs = Annotated[list[Path] | None, typer.Option(help="Ready-made pairs: made by 'dataset pairs'; instead of the two above.")]
HeldOutStills = Annotated[Path | None, typer.Option(help="Stills of other people, to validate with.")]
HeldOutClips = Annotated[Path | None, typer.Option(help="Clips of other people, to validate with.")]
Init = Annotated[Path | None, typer.Option(help="Begin with these weights: a run, a checkpoint, or an exported ONNX file.")]


def _is_helper() -> bool:
    """Is this one of several processes that torchrun started, and not the first? They say nothing but errors."""
    return os.environ.get("RANK", "0") != "0"


@dataclass(frozen=True)
class _Sources:
    """Where a training finds its faces. Raises OptionError where that is nowhere, or ambiguous."""

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

    def open(self, config: TrainingConfig, settings: StepSettings) -> TrainingData:
        """The pairs of one step."""
        from streamdeblur.training.datasets.sources import StoredPairs, open_maker
        from streamdeblur.training.loop import TrainingData

        recipe, seed = config.recipe_of(settings), config.seed
        training = (
            StoredPairs(self.pairs, settings.pairs, seed)
            if self.pairs
            else open_maker(self.stills or [], self.clips or [], recipe, seed)
        )
        stills, clips = ([folder] if folder else [] for folder in (self.held_out_stills, self.held_out_clips))
        if not stills and not clips:
            tell(
                "No --held-out-stills or --held-out-clips: the figures on the way are of people that are trained on.",
                quiet=_is_helper(),
            )
            return TrainingData(training, training)
        return TrainingData(training, open_maker(stills, clips, recipe, seed))


@app.command()
def hourglass(
    config: Config,
    run: RunFolder,
    stills: Stills = None,
    clips: Clips = None,
    pairs: Pairs = None,
    held_out_stills: HeldOutStills = None,
    held_out_clips: HeldOutClips = None,
    init: Init = None,
) -> None:
    """Step 1: the hourglass, which restores low and middle frequencies."""
    with exits(quiet=_is_helper()):
        sources = _Sources(stills, clips, pairs, held_out_stills, held_out_clips)
        with needs_extra("train", "Training"):
            from streamdeblur.training.config import TrainingConfig
            from streamdeblur.training.hourglass import train_hourglass

        loaded = TrainingConfig.load(config)
        train_hourglass(loaded, sources.open(loaded, loaded.hourglass), run, init)


@app.command()
def cgan(
    config: Config,
    run: RunFolder,
    hourglass: Annotated[Path | None, typer.Option(help="Step 1: its run, a checkpoint, or an exported ONNX file.")] = None,
    stills: Stills = None,
    clips: Clips = None,
    pairs: Pairs = None,
    held_out_stills: HeldOutStills = None,
    held_out_clips: HeldOutClips = None,
    init: Init = None,
    identity: Annotated[
        str, typer.Option(help="Network of faces for the identity term: FILE.onnx or vgg16:FILE.safetensors.")
    ] = "",
) -> None:
    """Step 2: the conditional GAN, which restores high frequencies; the hourglass stays as it is."""
    with exits(quiet=_is_helper()):
        sources = _Sources(stills, clips, pairs, held_out_stills, held_out_clips)
        with needs_extra("train", "Training"):
            from streamdeblur.training.cgan import train_cgan
            from streamdeblur.training.config import TrainingConfig

        loaded = TrainingConfig.load(config)
        train_cgan(loaded, sources.open(loaded, loaded.cgan), run, hourglass, init, identity)


@app.command()
def measure(
    network: Annotated[Path, typer.Argument(help="ONNX file that 'export' wrote.")],
    held_out_stills: HeldOutStills = None,
    held_out_clips: HeldOutClips = None,
    seed: Annotated[int, typer.Option(help="Of the blurry inputs.")] = 0,
) -> None:
    """The figures of a model card, on people that were not trained on, as a table in Markdown."""
    with exits():
        if held_out_stills is None and held_out_clips is None:
            raise OptionError("Nothing to measure on: give --held-out-stills, --held-out-clips or both.")
        with needs_extra("train", "Measuring"):
            from streamdeblur.evaluation import model_card as measuring

        for number, figures in enumerate(measuring.measure(network, held_out_stills, held_out_clips, seed)):
            if number == 0:
                typer.echo(measuring.header(figures))
            typer.echo(str(figures))
