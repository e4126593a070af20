"""streamdeblur gstreamer where: the path of the element's file."""

from __future__ import annotations

import typer

from streamdeblur.cli.exit_codes import handle_errors


def command() -> None:
    with handle_errors():
        from streamdeblur.plugins.gstreamer_install import default_folder

        typer.echo(str(default_folder() / "python" / "facedeblur.py"))
