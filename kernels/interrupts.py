"""Delays interrupts while kernels are compiled."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Delay Ctrl-C and SIGTERM until the end, because the compiler's callbacks lose the exceptions that they raise."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[tuple[int, FrameType | None]] = []

    def hold(number: int, frame: FrameType | None) -> None:
        held.append((number, frame))

    # None stands for a handler that was not installed from Python; it could not be restored from here.
    numbers = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not None]
    before = {number: signal.signal(number, hold) for number in numbers}
    try:
        yield
    finally:
        for replaced, handler in before.items():
            signal.signal(replaced, handler)
    for number, _ in held:
        signal.raise_signal(number)
