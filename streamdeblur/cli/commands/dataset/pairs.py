"""streamdeblur dataset pairs: blurry and sharp crops from clips."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamdeblur.cli.clusters import OPTIONAL_VALUES, RayAddress
from streamdeblur.cli.dataset import Out, Overwrite, ShardMegabytes, Workers, run_build
from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.options import with_settings
from streamdeblur.cli.parameters import Json, Quiet
from streamdeblur.errors import OptionError
from streamdeblur.training.datasets.pairs import PairOptions

if TYPE_CHECKING:
    from streamdeblur.training.datasets.recipe import Recipe
    from streamdeblur.training.datasets.splits import Split

__all__ = ["OPTIONAL_VALUES", "command"]

Clips = Annotated[Path, typer.Argument(help="A data set of clips, made by 'dataset build'.")]
RecipeFile = Annotated[
    Path | None,
    typer.Option(
        "--config", help="Configuration of a training, or a recipe: its rules of VLA and camera responses; with --draw all of it."
    ),
]
Count = Annotated[int | None, typer.Option("--draw", min=1, help="Sample this many pairs instead, as a training samples them.")]
Stills = Annotated[Path | None, typer.Option(help="Stills for the synthetic blur of --draw.")]
Seed = Annotated[int, typer.Option(help="Seed of --draw.")]


@with_settings(PairOptions, without=["recipe"], flags={"schemes": "--scheme"})
def command(
    clips: Clips,
    out: Out,
    config: RecipeFile = None,
    draw: Count = None,
    stills: Stills = None,
    seed: Seed = 0,
    workers: Workers = None,
    ray: RayAddress = None,
    shard_mb: ShardMegabytes = 500,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
    **settings: object,
) -> None:
    """Reverse pairs whose blur nearly equals that of a forward pair (40 dB and more between the blurry faces) are skipped."""
    with handle_errors(quiet=quiet, json=json):
        from streamdeblur.training.datasets.pairs import build_pairs
        from streamdeblur.training.datasets.sampled_pairs import build_sampled_pairs

        recipe = recipe_of(config)
        if draw is None:
            work = partial(build_pairs, clips, out, PairOptions.validated({**settings, "recipe": recipe}))
        else:
            split, folder = _only_split(clips)
            work = partial(build_sampled_pairs, stills, folder, out, draw, recipe, seed=seed, split=split)
        run_build(work, out, workers=workers, ray=ray, shard_mb=shard_mb, overwrite=overwrite, quiet=quiet, json=json)


def recipe_of(config: Path | None) -> Recipe:
    """Return the recipe of a configuration: that of step 2, of a compared method, or of a file that is nothing but a recipe.

    Raises:
        OptionError: The file cannot be read, or a setting is not valid.
    """
    from streamdeblur.training.config import TrainingConfig, read_training_config
    from streamdeblur.training.datasets.recipe import Recipe

    if config is None:
        return Recipe()
    content = read_training_config(config)
    if content.keys() & TrainingConfig.model_fields.keys():
        training = TrainingConfig.validated(content, config)
        return training.recipe_of(training.compared or training.cgan)
    return Recipe.validated(content, config)


def _only_split(clips: Path) -> tuple[Split, Path]:
    from streamdeblur.training.datasets.splits import split_folders

    folders = split_folders(clips)
    if len(folders) > 1:
        raise OptionError(f"{clips} has several splits: name one of {', '.join(map(str, folders.values()))}.")
    return next(iter(folders.items()))
