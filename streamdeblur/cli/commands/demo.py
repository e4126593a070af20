"""streamdeblur demo: a blurry clip, made and deblurred."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.output import print_json
from streamdeblur.cli.parameters import Json, seconds_option
from streamdeblur.cli.progress import ProgressLine

logger = logging.getLogger(__name__)

Folder = Annotated[Path, typer.Option("--out", help="Folder for the clips and the picture.")]
Seconds = Annotated[float, seconds_option("Length of the clip.", 0.2, 60.0)]
Overwrite = Annotated[bool, typer.Option("--overwrite", "-y", help="Replace the files of an earlier demonstration.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only the result.")]


def command(
    out: Folder = Path("streamdeblur-demo"),
    seconds: Seconds = 2.0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    with handle_errors(quiet=quiet, json=json):
        from streamdeblur.demo.run import run_demo

        logger.info("Moving a virtual camera over a group photo, and deblurring its frames ...")
        with ProgressLine("demo", quiet=quiet) as line:
            result = run_demo(out, line.show_frames, seconds, overwrite=overwrite)
        if json:
            print_json(asdict(result))
            return
        typer.echo(
            f"{result.faces} face windows in {result.summary.frames} frames, compared with the sharp frames:\n"
            f"  SSIM {result.ssim[0]:.3f} blurry -> {result.ssim[1]:.3f} restored\n"
            f"  PSNR {result.psnr[0]:.2f} dB blurry -> {result.psnr[1]:.2f} dB restored\n"
            f"  {result.improved:.0%} of them came closer to the sharp frame\n"
            f"Written: {result.blurry}, {result.restored},\n  {result.picture}\n  (top: blurry, middle: restored, bottom: sharp)"
        )
