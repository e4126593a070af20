"""streamdeblur demo: a blurry clip, made and deblurred."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamdeblur.cli.report import ProgressLine, exits, print_json, tell

Folder = Annotated[Path, typer.Option("--out", help="Folder for the clips and the picture.")]
Seconds = Annotated[float, typer.Option(min=0.2, max=60.0, help="Length of the clip.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only the result.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line of stdout.")]


def command(out: Folder = Path("streamdeblur-demo"), seconds: Seconds = 2.0, quiet: Quiet = False, json: Json = False) -> None:
    with exits(quiet=quiet, json=json):
        from streamdeblur.demo.run import run_demo

        tell("Moving a virtual camera over a group photo, and deblurring what it sees ...", quiet=quiet)
        with ProgressLine("demo", quiet=quiet) as progress:
            result = run_demo(out, progress, seconds)
        if json:
            values = {k: str(v) if isinstance(v, Path) else v for k, v in vars(result).items() if k != "summary"}
            print_json(values | {"summary": result.summary.as_dict()})
            return
        typer.echo(
            f"{result.faces} face windows in {result.summary.frames} frames, compared with the sharp frames:\n"
            f"  SSIM {result.ssim[0]:.3f} blurry -> {result.ssim[1]:.3f} restored\n"
            f"  PSNR {result.psnr[0]:.2f} dB blurry -> {result.psnr[1]:.2f} dB restored\n"
            f"  {result.improved:.0%} of them came closer to the sharp frame\n"
            f"Written: {result.blurry}, {result.restored},\n  {result.picture} (top: blurry, middle: restored, bottom: sharp)"
        )
