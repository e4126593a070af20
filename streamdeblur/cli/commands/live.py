"""streamdeblur live: a camera or another stream that does not wait."""

from __future__ import annotations

import logging
import platform
import time
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamdeblur.cli.exit_codes import REFUSED, handle_errors
from streamdeblur.cli.options import with_settings
from streamdeblur.cli.output import print_json, print_table
from streamdeblur.cli.parameters import Json, Quiet, config_option, seconds_option
from streamdeblur.cli.process import NO_READER
from streamdeblur.configs import LIVE
from streamdeblur.errors import OptionError, OutputError
from streamdeblur.live.options import PREVIEW, LiveOptions
from streamdeblur.statistics import shown_sizes
from streamdeblur.video.source import shown_source
from streamdeblur.video.stdin import STDOUT

if TYPE_CHECKING:
    from streamdeblur.live.loop import LiveLoop
    from streamdeblur.live.summary import LiveSummary
    from streamdeblur.live.view import Preview

logger = logging.getLogger(__name__)

Config = Annotated[Path | None, config_option(LIVE)]
STARTING = "Starting ... (the first start on a machine takes longer)"

ListCameras = Annotated[bool, typer.Option("--list-cameras", help="List the cameras of this machine, and end.")]
Headless = Annotated[bool, typer.Option("--headless", help="No window and no keys; Ctrl-C ends.")]
StopAfter = Annotated[float | None, seconds_option("Stop after this time.")]


@with_settings(LiveOptions)
def command(
    list_cameras: ListCameras = False,
    headless: Headless = False,
    seconds: StopAfter = None,
    config: Config = None,
    quiet: Quiet = False,
    json: Json = False,
    **settings: object,
) -> None:
    to = settings.get("to")
    # the frames may go to stdout
    err = isinstance(to, list) and STDOUT in to
    with handle_errors(quiet=quiet, json=json, err=err):
        if list_cameras:
            _list_cameras(json=json)
            return
        if headless and not to and not (config and "to" in LiveOptions.read(config)):
            settings["to"] = ["null"]
        options = LiveOptions.load(config, **settings)
        if headless and PREVIEW in options.to:
            raise OptionError("--headless opens no window: leave out the output 'preview'.")

        logger.info(STARTING)
        loop = _opened(options)
        targets = ", ".join(map(shown_source, options.to))
        logger.info("%s, to %s; %s", loop.capture.description, targets, loop.restorer.description)
        summary = _run(loop, seconds, keys=not headless)
        _report(summary, json=json, err=err)
        if loop.reader_ended:
            raise typer.Exit(NO_READER)


def _list_cameras(*, json: bool) -> None:
    from streamdeblur.live.cameras import camera_names

    found = camera_names(platform.system())
    if json:
        print_json({"cameras": [{"camera": camera, "name": name} for camera, name in found.items()]})
    elif found:
        print_table(["--camera", "name"], list(found.items()))
    else:
        typer.echo("No camera was found.")


def _opened(options: LiveOptions) -> LiveLoop:
    """Open the stream. What takes long is imported and opened while the window, if there is one, shows that it is on its way."""

    def opened(preview: Preview | None = None) -> LiveLoop:
        from streamdeblur.live.loop import LiveLoop

        return LiveLoop(options, preview=preview)

    if PREVIEW not in options.to:
        return opened()

    from streamdeblur.live.view import Preview

    preview = Preview()
    return preview.wait_for(lambda: opened(preview), STARTING)


def _report(summary: LiveSummary, *, json: bool, err: bool) -> None:
    """Show the summary, and which sinks were lost for good."""
    error = " ".join(summary.lost)
    if json:
        print_json({**asdict(summary), **({"error": error, "exit_code": REFUSED} if error else {})}, err=err)
    else:
        logger.info(_text(summary))
    if error:
        logger.error(error)
        raise typer.Exit(REFUSED)


def _run(loop: LiveLoop, seconds: float | None, *, keys: bool) -> LiveSummary:
    """Run the loop until it ends, a number of seconds has passed, or an interrupt arrives, with or without hot keys."""
    from streamdeblur.live.keys import HELP, terminal_keys

    end = None if seconds is None else time.monotonic() + seconds

    def tick(loop: LiveLoop) -> None:
        if keys:
            _press(key(), loop)
        if end is not None and time.monotonic() >= end:
            loop.stop()

    try:
        # a background job that reads its terminal is stopped, so without keys it is not read
        with terminal_keys() if keys else nullcontext(lambda: "") as key:
            if keys:
                logger.info(HELP)
            return loop.run(tick)
    except KeyboardInterrupt:
        # how a stream without an end is ended
        return loop.summary()
    except OutputError:
        # the other sinks have their frames; an error of the beginning is another one
        if not loop.summary().lost:
            raise
        return loop.summary()


def _press(key: str, loop: LiveLoop) -> None:
    """Do what a key of the terminal, or of the preview window, stands for."""
    from streamdeblur.live.keys import press

    if not key and loop.preview and loop.preview.key >= 0:
        key, loop.preview.key = chr(loop.preview.key & 0xFF), -1
    if key and (answer := press(key, loop)):
        logger.info(answer)


def _text(summary: LiveSummary) -> str:
    latency = ", ".join(f"{name} {value:g}" for name, value in summary.latency_ms.items() if value is not None)
    return (
        f"{summary.frames} frames in {summary.seconds:.1f} s ({summary.fps:.1f} fps), {summary.dropped} dropped; "
        f"{summary.restored} faces restored{shown_sizes(summary.restored_by_size)}, "
        f"{summary.passed_through} passed through, {summary.skipped_sharp + summary.not_chosen} left as they are; "
        f"added latency in ms: {latency or 'none'}; {summary.engine}"
    )
