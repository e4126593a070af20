"""streamdeblur dataset: face clips, stills and pairs, made from videos and pictures."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import BaseModel

from streamdeblur.cli.commands.video import Json, Quiet
from streamdeblur.cli.report import exits, print_json, tell
from streamdeblur.cli.steps import StepLine
from streamdeblur.errors import OptionError
from streamdeblur.options import read_config
from streamdeblur.training.datasets.options import BuildOptions, FaceOptions, StillsOptions

if TYPE_CHECKING:
    from streamdeblur.training.datasets.recipe import Recipe

app = typer.Typer()


def _option(model: type[BaseModel], name: str, *flags: str) -> Any:
    """A command-line option from a field of the settings; not given, it is None and the field's default holds."""
    field = model.model_fields[name]
    return typer.Option(
        *flags,
        help=field.description,
        show_default=f"{field.default:g}" if isinstance(field.default, float) else str(field.default),
    )


Out = Annotated[Path, typer.Argument(help="Folder of the data set.")]
MinFace = Annotated[float | None, _option(FaceOptions, "min_face")]
HeldOut = Annotated[float | None, _option(FaceOptions, "held_out")]
Detector = Annotated[str | None, _option(FaceOptions, "detector")]
Table = Annotated[
    Path | None,
    typer.Option("--identities", help="CSV with columns file and identity; without, subfolders tell who is seen."),
]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes.", show_default="one for each core")]
ShardMegabytes = Annotated[int, typer.Option("--shard-mb", min=1, help="Largest size of a shard in MB.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a data set made of other files or settings.")]


@app.command()
def build(
    videos: Annotated[Path, typer.Argument(help="A video, or a folder of them, also in subfolders.")],
    out: Out,
    identities: Table = None,
    min_face: MinFace = None,
    min_frames: Annotated[int | None, _option(BuildOptions, "min_frames")] = None,
    min_sharpness: Annotated[float | None, _option(BuildOptions, "min_sharpness")] = None,
    held_out: HeldOut = None,
    detector: Detector = None,
    workers: Workers = None,
    shard_mb: ShardMegabytes = 500,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Find and follow the faces of videos, and keep clips of sequential sharp frames.

    What was interrupted goes on where it was. The same videos give the same bytes.
    """
    with exits(quiet=quiet, json=json):
        from streamdeblur.training.datasets.build import build_dataset
        from streamdeblur.training.datasets.identities import Identities

        options = BuildOptions.validated(
            _given(
                min_face=min_face,
                min_frames=min_frames,
                min_sharpness=min_sharpness,
                held_out=held_out,
                detector=detector,
            )
        )
        known = Identities.read(identities)

        def work(**settings: Any) -> dict[str, Any]:
            return build_dataset(videos, out, options, identities=known, **settings)

        _run(work, out, _Terms(workers, shard_mb, overwrite, quiet, json))


@app.command()
def stills(
    pictures: Annotated[Path, typer.Argument(help="A folder of pictures (JPEG, PNG, WebP, BMP), also in subfolders.")],
    out: Out,
    cropped: Annotated[bool, typer.Option("--cropped", help=StillsOptions.model_fields["cropped"].description)] = False,
    identities: Table = None,
    min_face: MinFace = None,
    min_sharpness: Annotated[float | None, _option(StillsOptions, "min_sharpness")] = None,
    held_out: HeldOut = None,
    detector: Detector = None,
    workers: Workers = None,
    shard_mb: ShardMegabytes = 500,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Cut the sharp faces out of pictures, as crops of 256 px."""
    with exits(quiet=quiet, json=json):
        from streamdeblur.training.datasets.identities import Identities
        from streamdeblur.training.datasets.stills import build_stills

        options = StillsOptions.validated(
            _given(cropped=cropped, min_face=min_face, min_sharpness=min_sharpness, held_out=held_out, detector=detector)
        )
        known = Identities.read(identities)

        def work(**settings: Any) -> dict[str, Any]:
            return build_stills(pictures, out, options, identities=known, **settings)

        _run(work, out, _Terms(workers, shard_mb, overwrite, quiet, json))


@app.command()
def pairs(
    clips: Annotated[Path, typer.Argument(help="A data set of clips, made by 'dataset build'.")],
    out: Out,
    scheme: Annotated[list[str] | None, typer.Option(help="vla, or pravg:L with an odd L; may be given several times.")] = None,
    every: Annotated[int, typer.Option(min=1, help="Frames from one middle frame to the next.")] = 5,
    reverse: Annotated[bool, typer.Option(help="Parse the clips in reverse order, too.")] = True,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with a recipe: rules of VLA, camera response; with --draw all of it.")
    ] = None,
    draw: Annotated[int | None, typer.Option(min=1, help="Instead, draw this many pairs as a training draws them.")] = None,
    stills: Annotated[Path | None, typer.Option(help="Stills for the synthetic blur of --draw.")] = None,
    seed: Annotated[int, typer.Option(help="Of --draw.")] = 0,
    workers: Workers = None,
    shard_mb: ShardMegabytes = 500,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Make pairs of a blurry and a sharp crop by averaging the frames of clips, forward and in reverse.

    Reverse pairs whose blur is essentially that of a forward one (40 dB and more between the blurry faces) are skipped.
    """
    with exits(quiet=quiet, json=json):
        from streamdeblur.training.datasets.pairs import PairOptions, build_pairs, split_folders
        from streamdeblur.training.datasets.sampled_pairs import build_drawn_pairs

        recipe = _recipe(config)
        options = PairOptions.validated(_given(schemes=scheme, every=every, reverse=reverse, recipe=recipe))

        def work(**settings: Any) -> dict[str, Any]:
            if draw is None:
                return build_pairs(clips, out, options, **settings)
            folders = split_folders(clips)
            if len(folders) > 1:
                raise OptionError(f"{clips} has several splits: name one of {', '.join(map(str, folders.values()))}.")
            (split, folder), *_ = folders.items()
            return build_drawn_pairs(stills, folder, out, draw, recipe, seed=seed, split=split, **settings)

        _run(work, out, _Terms(workers, shard_mb, overwrite, quiet, json))


@app.command()
def stats(
    data_set: Annotated[Path, typer.Argument(help="A data set of clips or stills.")],
    age_model: Annotated[
        Path | None,
        typer.Option(help="InsightFace's genderage.onnx.", show_default="the one in InsightFace's folder, if there is one"),
    ] = None,
    json: Json = False,
) -> None:
    """Count videos, people and frames (the columns of the paper's Table 2), with histograms."""
    with exits(json=json):
        from streamdeblur.cli.histograms import print_statistics
        from streamdeblur.training.datasets.ages import MODEL, USUAL_FOLDER, AgeModel, find_age_model
        from streamdeblur.training.datasets.statistics import measure

        model = find_age_model(age_model)
        found = measure(data_set, AgeModel(model) if model else None)
        if model is None:
            tell(f"No histogram of ages: InsightFace's {MODEL} is not in {USUAL_FOLDER}/*/. Give it with --age-model FILE.")
        if json:
            print_json(found.as_dict() | {"age_model": model})
        else:
            print_statistics(found)


def _given(**settings: Any) -> dict[str, Any]:
    """Those that are not None: the others keep their defaults."""
    return {name: value for name, value in settings.items() if value is not None}


def _recipe(config: Path | None) -> Recipe:
    """The recipe of a configuration: that of a training's, or a file that is nothing but a recipe."""
    from streamdeblur.training.datasets.recipe import Recipe

    content = read_config(config) if config else {}
    return Recipe.validated(content.get("recipe", content), config)


@dataclass(frozen=True)
class _Terms:
    """What all commands that make a data set can be told."""

    workers: int | None
    shard_mb: int
    overwrite: bool
    quiet: bool
    json: bool


def _run(work: Callable[..., dict[str, Any]], out: Path, terms: _Terms) -> None:
    """Do the work with its progress shown, and tell what came of it."""
    began = time.monotonic()
    with StepLine(out.name, quiet=terms.quiet) as on_progress:
        summary = work(
            workers=terms.workers or os.cpu_count() or 1,
            shard_bytes=terms.shard_mb * 1_000_000,
            overwrite=terms.overwrite,
            on_progress=on_progress,
        )
    seconds = round(time.monotonic() - began, 1)
    kind, kept, files, dropped = summary["kind"], summary["kept"], len(summary["sources"]), _dropped(summary)
    bad = [source for source in summary["sources"] if source["problem"]]
    for source in bad:
        tell(f"Warning: {source['file']}: {source['problem']}")
    if terms.json:
        counts = {"kept": kept, "shards": summary["shards"], "files": files, "dropped": dropped}
        print_json({"out": out, "kind": kind, **counts, "bad": bad, "seconds": seconds})
    elif not terms.quiet:
        total = sum(kept.values())
        sources = "clips" if kind == "pairs" else "files"
        sides = f"{kept['train']} train, {kept['test']} test"
        typer.echo(f"{out}: {total} {kind} ({sides}) of {files} {sources} in {seconds:.0f} s")
        if dropped:
            typer.echo("Left out: " + ", ".join(f"{count} {reason}" for reason, count in dropped.items()))


def _dropped(summary: dict[str, Any]) -> dict[str, int]:
    """How much was left out, by reason, most frequent first."""
    counts = Counter[str]()
    for source in summary["sources"]:
        counts.update(source["dropped"])
    return dict(counts.most_common())
