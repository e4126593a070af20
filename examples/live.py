"""Restore a live stream, and print once a second what was restored in time. Ctrl-C ends it.

pip install .   # in a clone of streamdeblur
python examples/live.py 0 preview          # the first camera, in a window
python examples/live.py talk.mp4 talk.mkv  # a file at its own speed, recorded
python examples/live.py pattern null       # a moving test picture, where there is no camera
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from streamdeblur import StreamDeblurError
from streamdeblur.live.loop import LiveLoop
from streamdeblur.live.options import LiveOptions


def options_of(source: str, target: str) -> LiveOptions:
    if source.isdecimal():
        return LiveOptions.load(camera=source, to=(target,))
    return LiveOptions.load(source=source, realtime=Path(source).is_file(), to=(target,))


def once_a_second() -> Callable[[LiveLoop], None]:
    """Return what `LiveLoop.run` calls about 50 times per second."""
    due = time.monotonic() + 1

    def show(loop: LiveLoop) -> None:
        nonlocal due
        if time.monotonic() > due:
            due += 1
            summary = loop.summary()
            print(f"{summary.fps:.1f} fps, {summary.restored} faces restored, {summary.latency_ms['p50']} ms later")

    return show


def main(source: str, target: str) -> None:
    try:
        loop = LiveLoop(options_of(source, target))
        try:
            loop.run(once_a_second())
        except KeyboardInterrupt:
            print("Stopped.")
    except StreamDeblurError as error:
        sys.exit(str(error))
    summary = loop.summary()
    print(f"{summary.frames} frames: {summary.restored} faces restored, {summary.passed_through} left for lack of time")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
