"""Keyboard control, in the preview window or in the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamdeblur.live.loop import LiveLoop

STEP = 0.1
HELP = "Keys: + and - change the strength, s splits the view, p pauses the restoration, q quits."


def press(key: str, loop: LiveLoop) -> str | None:
    """Perform the action of a key.

    Args:
        key: The character.
        loop: The live loop to control.

    Returns:
        A message for the user, or None for a key without an action.
    """
    restorer = loop.restorer
    if key in ("q", "\x1b", "\x03"):
        loop.stop()
        return "Stopping."
    if key == "s":
        loop.split = not loop.split
        return "Split view: the left half is unrestored." if loop.split else "Split view off."
    if key == "p":
        restorer.paused = not restorer.paused
        return "Restoration paused." if restorer.paused else "Restoration resumed."
    if key in ("+", "=", "-"):
        restorer.strength = min(1.0, max(0.0, round(restorer.strength + (-STEP if key == "-" else STEP), 2)))
        return f"Strength {restorer.strength:.1f}."
    return None


@contextmanager
def terminal_keys() -> Iterator[Callable[[], str]]:
    """Yield a function that returns the key pressed in the terminal, or '' if there is none, without waiting."""
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
    # TCSANOW keeps what has been typed already.
    tty.setcbreak(terminal, termios.TCSANOW)
    try:
        yield lambda: _pressed(terminal) if select.select([terminal], [], [], 0)[0] else ""
    finally:
        # the terminal may have been closed
        with suppress(termios.error):
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _pressed(terminal: int) -> str:
    # os.read, because `select` does not see what Python's own buffer holds.
    try:
        return os.read(terminal, 1).decode("ascii", "ignore")
    except OSError:
        # The terminal has been closed; a signal is on its way.
        return ""


def _windows_key() -> str:
    import msvcrt

    return str(msvcrt.getwch()) if msvcrt.kbhit() else ""  # type: ignore[attr-defined]
