"""streamdeblur preview: one frame of a video, before and after."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.options import with_settings
from streamdeblur.cli.output import print_json, print_words
from streamdeblur.cli.parameters import Config, Json, Quiet
from streamdeblur.options import PreviewOptions

Input = Annotated[str, typer.Argument(metavar="INPUT", help="The video.")]
Output = Annotated[
    Path | None,
    typer.Argument(metavar="OUTPUT", help="The picture; by default NAME.preview.png in this folder, which is replaced."),
]


@with_settings(PreviewOptions)
def command(
    source: Input,
    target: Output = None,
    config: Config = None,
    quiet: Quiet = False,
    json: Json = False,
    **settings: object,
) -> None:
    with handle_errors(quiet=quiet, json=json):
        options = PreviewOptions.load(config, **settings)
        path = target or Path(f"{Path(source).stem}.preview.png")

        from streamdeblur.deblurrer import FaceDeblurrer
        from streamdeblur.jobs.preview import preview_video

        with FaceDeblurrer(options.restoration) as deblurrer:
            summary = preview_video(
                source,
                path,
                deblurrer,
                options.at,
                overwrite=options.overwrite or target is None,
                allow_network=options.allow_network,
            )
        if json:
            print_json(asdict(summary))
        elif not quiet:
            print_words(f"{summary.output}: the frame at {summary.time:.2f} s; {summary.faces_in_words}; {summary.network}")
