"""streamdeblur blur: pairs of blurry and sharp frames from sharp video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamdeblur.cli.commands.video import Json, Quiet, report_outcomes
from streamdeblur.cli.report import exits, print_json, tell
from streamdeblur.cli.steps import StepLine
from streamdeblur.errors import OptionError
from streamdeblur.jobs import batch

if TYPE_CHECKING:
    from streamdeblur.training.blur.exposures import BlurOptions
    from streamdeblur.training.blur.video import BlurSummary

Input = Annotated[Path, typer.Argument(help="A video file, or a folder of them.")]
Output = Annotated[
    Path,
    typer.Argument(
        help="A folder for PNG pairs (one folder per video of a folder); or a video file, beside which its twin is written."
    ),
]
Scheme = Annotated[str, typer.Option(help="vla (as many frames as the motion allows), pravg:L (L frames, odd), or synthetic.")]
Response = Annotated[str, typer.Option(help="Where light adds up: identity, srgb, gamma:EXPONENT or fitted:FILE.json.")]
Camera = Annotated[float, typer.Option(help="Extent in px of a camera shake that is added to averages; 1 is none.")]
Extents = Annotated[tuple[float, float], typer.Option(help="Smallest and largest extent in px of synthetic blur.")]
Longest = Annotated[int, typer.Option(help="Frames of a VLA average at most.")]
Every = Annotated[int, typer.Option(help="Make a pair of every so many frames.")]
Seed = Annotated[int, typer.Option(help="Of synthetic blur and camera shake.")]
Detector = Annotated[str, typer.Option(help="Finds the faces for vla: centerface, scrfd:FILE.onnx or scrfd:PACK.")]
MinFace = Annotated[float, typer.Option(help="Size in pixels of the smallest face that is looked for.")]
Start = Annotated[float, typer.Option(help="Seconds of the input to leave out at its beginning.")]
Duration = Annotated[float | None, typer.Option(help="Seconds of the input to use.")]
Codec = Annotated[str | None, typer.Option(help="Of a video output: FFmpeg's name of the encoder.")]
Quality = Annotated[float | None, typer.Option(help="Of a video output: constant quality on the encoder's scale.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]


def command(
    source: Input,
    out: Output,
    scheme: Scheme = "vla",
    response: Response = "srgb",
    camera: Camera = 1.0,
    extents: Extents = (4.0, 34.0),
    longest: Longest = 21,
    every: Every = 1,
    seed: Seed = 0,
    detector: Detector = "centerface",
    min_face: MinFace = 48.0,
    start: Start = 0.0,
    duration: Duration = None,
    codec: Codec = None,
    quality: Quality = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    with exits(quiet=quiet, json=json):
        from streamdeblur.training.blur.exposures import BlurOptions

        options = BlurOptions.validated(
            {
                "scheme": scheme, "response": response, "camera": camera, "extents": extents, "longest": longest,
                "every": every, "seed": seed, "detector": detector, "min_face": min_face, "start": start,
                "duration": duration, "codec": codec, "quality": quality, "overwrite": overwrite,
            }
        )  # fmt: skip
        video = out.suffix.lower() in batch.VIDEO_SUFFIXES
        if source.is_dir():
            if video:
                raise OptionError(
                    f"{source} is a folder: its videos become folders of pairs. Name a folder instead of {out.name}."
                )
            _many(source, out, options, quiet=quiet, json=json)
        else:
            _one(source, out, options, video=video, quiet=quiet, json=json)


def _one(source: Path, out: Path, options: BlurOptions, *, video: bool, quiet: bool, json: bool) -> None:
    summary = _blur(source, out, options, video=video, quiet=quiet)
    if json:
        print_json(summary.as_dict())
    elif not quiet:
        averaged = ""
        if options.scheme == "vla":
            rules = ", ".join(f"{count} {rule}" for rule, count in sorted(summary.stopped_by.items()))
            averaged = f"; {summary.mean_length:g} frames per average (stopped by: {rules})"
        typer.echo(f"{summary.output}: {summary.pairs} pairs of {summary.frames} frames in {summary.seconds:.1f} s{averaged}")


def _many(folder: Path, out: Path, options: BlurOptions, *, quiet: bool, json: bool) -> None:
    jobs = [batch.Job(job.source, job.target.with_suffix("")) for job in batch.plan([folder], out, batch.VIDEO_SUFFIXES)]
    _check_targets(jobs)

    def work(job: batch.Job) -> BlurSummary:
        return _blur(job.source, job.target, options, video=False, quiet=quiet)

    outcomes = list(batch.run(jobs, work, resume=False))
    report_outcomes(outcomes, ("frames", "pairs", "mean_length"), quiet=quiet, json=json)


def _check_targets(jobs: list[batch.Job]) -> None:
    """Refuse files that differ only in their suffix: their pairs would have one folder."""
    sources: dict[Path, Path] = {}
    for job in jobs:
        if job.target in sources:
            raise OptionError(f"{sources[job.target]} and {job.source} would both become {job.target}. Rename one.")
        sources[job.target] = job.source


def _blur(source: Path, out: Path, options: BlurOptions, *, video: bool, quiet: bool) -> BlurSummary:
    from streamdeblur.training.blur.video import blur_video

    with StepLine(source.name, quiet=quiet) as line:
        summary = blur_video(
            source, out, options, video=video, on_progress=lambda frames, total: line.show(frames, total, "frames")
        )
    for warning in summary.warnings:
        tell(f"Warning: {source.name}: {warning}")
    return summary
