"""streamdeblur gstreamer where: the path of the element's file."""

from __future__ import annotations

import typer


def command() -> None:
    from streamdeblur.plugins.gstreamer_install import default_folder

    typer.echo(str(default_folder() / "python" / "facedeblur.py"))
