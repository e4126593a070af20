"""streamdeblur gstreamer: the element facedeblur."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamdeblur.cli.report import exits

app = typer.Typer()

Folder = Annotated[Path | None, typer.Option(help="Folder of plug-ins; by default the user's own.")]


@app.command(help="Put the plug-in's file in place, and say how GStreamer finds it.")
def install(folder: Folder = None) -> None:
    with exits():
        from streamdeblur.plugins.gstreamer_install import default_folder
        from streamdeblur.plugins.gstreamer_install import install as put

        target = put(folder or default_folder())
        typer.echo(f"Wrote {target}. Now:")
        typer.echo(f'  export GST_PLUGIN_PATH="{target.parent.parent}${{GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}}"')
        typer.echo("  gst-inspect-1.0 facedeblur")


@app.command(help="Say where the plug-in's file would be.")
def where() -> None:
    from streamdeblur.plugins.gstreamer_install import default_folder

    typer.echo(str(default_folder() / "python" / "facedeblur.py"))
