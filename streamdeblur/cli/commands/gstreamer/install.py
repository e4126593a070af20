"""streamdeblur gstreamer install: the file of the element facedeblur, installed."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from streamdeblur.cli.exit_codes import handle_errors

logger = logging.getLogger(__name__)

Folder = Annotated[Path | None, typer.Option(help="Folder of plug-ins; by default the user's own.")]


def command(folder: Folder = None) -> None:
    with handle_errors():
        from streamdeblur.plugins import gstreamer_install as plugin

        if not plugin.check_loading():
            logger.warning("The element was not tested: %s is not installed here.", plugin.INSPECT)
        target = plugin.install(folder or plugin.default_folder())
        typer.echo(f"Wrote {target}. Now, in a shell without a virtual environment (deactivate):")
        typer.echo(f'  export GST_PLUGIN_PATH="{target.parent.parent}${{GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}}"')
        typer.echo("  gst-inspect-1.0 facedeblur")
