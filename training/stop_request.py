"""StopRequest: Ctrl-C, SIGTERM or a closed terminal, noted until the step in progress is done."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class StopRequest:
    """Notes the first signal that ends a program, in place of the interrupt; the next one interrupts at once.

    A step that is interrupted leaves some weights changed and others not, which no checkpoint may hold.

    Attributes:
        received: Whether a signal has come.
    """

    def __init__(self) -> None:
        self.received = False
        self._number: int = signal.SIGINT
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            handlers = {number: signal.getsignal(number) for number in SIGNALS}
            # nohup ignores some of them
            self._before = {number: handler for number, handler in handlers.items() if handler is not signal.SIG_IGN}
        for number in self._before:
            signal.signal(number, self._note)
        return self

    def _note(self, number: int, _: FrameType | None) -> None:
        self.received, self._number = True, number
        self._restore()

    def deliver(self) -> None:
        """Send the signal again, to the handler that it was meant for.

        Raises:
            KeyboardInterrupt: Always, unless the signal ends the process.
        """
        self._restore()
        signal.raise_signal(self._number)
        raise KeyboardInterrupt

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __exit__(self, *_: object) -> None:
        self._restore()
