"""streamdeblur live: a camera or another stream that does not wait."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamdeblur.cli.commands.video import Config, Json, Quiet
from streamdeblur.cli.report import exits, print_json, tell
from streamdeblur.cli.settings import STREAM, accepts
from streamdeblur.live.options import LiveOptions
from streamdeblur.options import read_config

if TYPE_CHECKING:
    from streamdeblur.live.loop import LiveLoop
    from streamdeblur.live.summary import LiveSummary

Headless = Annotated[bool, typer.Option("--headless", help="No window and no keys; Ctrl-C ends.")]
Seconds = Annotated[float | None, typer.Option(min=0.0, help="End after so many seconds.")]
LIVE = ("camera", "source", "realtime", "loop", "size", "fps", "format", "to", "budget", "view", "overlay")
RECORDING = ("codec", "quality", "preset", "overwrite")


@accepts(*LIVE, *STREAM, *RECORDING, model=LiveOptions)
def command(
    headless: Headless = False, seconds: Seconds = None, config: Config = None, quiet: Quiet = False, json: Json = False,
    **settings: Any,
) -> None:  # fmt: skip
    # (stdout may hold the frames)
    err = "-" in (settings.get("to") or [])
    with exits(quiet=quiet, json=json, err=err):
        if headless and not settings.get("to"):
            settings["to"] = [] if config and "to" in read_config(config) else ["null"]
        settings = {name: value for name, value in settings.items() if value not in (None, [])}
        options = LiveOptions.load(config, **settings)

        from streamdeblur.live.loop import LiveLoop

        loop = LiveLoop(options)
        tell(
            f"{loop.capture.name}, {float(loop.capture.rate):g} fps, to {', '.join(options.to)}; {loop.restorer.description}",
            quiet=quiet,
        )
        summary = _run(loop, None if headless else _Keys(quiet=quiet), seconds)
        if json:
            print_json(asdict(summary), err=err)
        else:
            tell(_told(summary), quiet=quiet)


def _run(loop: LiveLoop, keys: _Keys | None, seconds: float | None) -> LiveSummary:
    import time

    from streamdeblur.live.keys import HELP, terminal_keys

    end = None if seconds is None else time.monotonic() + seconds

    def tick(loop: LiveLoop) -> None:
        if keys:
            keys(loop, key())
        if end is not None and time.monotonic() >= end:
            loop.stop()

    try:
        # (a background job that touches its terminal is stopped)
        with terminal_keys() if keys else nullcontext(lambda: "") as key:
            if keys:
                tell(HELP, quiet=keys.quiet)
            return loop.run(tick)
    except KeyboardInterrupt:
        # how a stream without an end is ended
        return loop.summary()


class _Keys:
    """Passes keys of the window and the terminal on."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet

    def __call__(self, loop: LiveLoop, key: str) -> None:
        from streamdeblur.live.keys import press

        if not key and loop.preview and loop.preview.key >= 0:
            key, loop.preview.key = chr(loop.preview.key & 0xFF), -1
        if key and (said := press(key, loop)):
            tell(said, quiet=self.quiet)


def _told(summary: LiveSummary) -> str:
    late = ", ".join(f"{name} {value:g}" for name, value in summary.latency_ms.items() if value is not None)
    return (
        f"{summary.frames} frames in {summary.seconds:.1f} s ({summary.fps:.1f} fps), {summary.dropped} dropped; "
        f"{summary.restored} faces restored, {summary.passed_through} passed through, {summary.skipped_sharp} sharp already; "
        f"added latency in ms: {late or 'none'}; {summary.engine}"
    )
