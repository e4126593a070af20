"""Hot keys, in the preview window or in the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamdeblur.live.loop import LiveLoop

STEP = 0.1
HELP = "Keys: + and - strength, s before/after split, p pause, q quit."


def press(key: str, loop: LiveLoop) -> str | None:
    """Do what a key stands for; returns what is to be said, None for a key that means nothing."""
    restorer = loop.restorer
    if key in ("q", "\x1b", "\x03"):
        loop.stop()
        return "Ending."
    if key == "s":
        loop.split = not loop.split
        return "Left half as it came." if loop.split else "All restored."
    if key == "p":
        restorer.paused = not restorer.paused
        return "Paused: faces pass as they are." if restorer.paused else "Restoring."
    if key in ("+", "=", "-"):
        restorer.strength = min(1.0, max(0.0, round(restorer.strength + (-STEP if key == "-" else STEP), 2)))
        return f"Strength {restorer.strength:.1f}."
    return None


@contextmanager
def terminal_keys() -> Iterator[Callable[[], str]]:
    """Gives a function that returns the key that was pressed in the terminal, '' for none; it never waits."""
    if not sys.stdin.isatty():
        yield lambda: ""
        return
    try:
        import select
        import termios
        import tty
    except ImportError:
        yield _windows_key
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    # (at once: what was typed already is not thrown away)
    tty.setcbreak(terminal, termios.TCSANOW)
    try:
        # (not through Python's buffer: what it holds, `select` does not see)
        yield lambda: os.read(terminal, 1).decode("ascii", "ignore") if select.select([terminal], [], [], 0)[0] else ""
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _windows_key() -> str:
    import msvcrt

    return str(msvcrt.getwch()) if msvcrt.kbhit() else ""  # type: ignore[attr-defined]
