"""streamdeblur gstreamer: the element facedeblur."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamdeblur.cli.report import exits, tell

app = typer.Typer()

Folder = Annotated[Path | None, typer.Option(help="Folder of plug-ins; by default the user's own.")]


@app.command(help="Put the plug-in's file in place, and say how GStreamer finds it.")
def install(folder: Folder = None) -> None:
    with exits():
        from streamdeblur.plugins import gstreamer_install as plugin

        if not plugin.try_out():
            tell(f"Warning: GStreamer was not tried, for {plugin.INSPECT} is not installed here.")
        target = plugin.install(folder or plugin.default_folder())
        typer.echo(f"Wrote {target}. Now, in a shell without a virtual environment (deactivate):")
        typer.echo(f'  export GST_PLUGIN_PATH="{target.parent.parent}${{GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}}"')
        typer.echo("  gst-inspect-1.0 facedeblur")


@app.command(help="Say where the plug-in's file would be.")
def where() -> None:
    from streamdeblur.plugins.gstreamer_install import default_folder

    typer.echo(str(default_folder() / "python" / "facedeblur.py"))
