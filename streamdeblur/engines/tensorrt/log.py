"""What TensorRT says while it works."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorrt

LAST = 20
"""Errors that are remembered."""


@lru_cache(maxsize=1)
def log_class() -> type[Any]:
    """The class `Log`; TensorRT is loaded on the first call."""
    import tensorrt as trt

    class Log(trt.ILogger):  # type: ignore[misc, unused-ignore]
        """TensorRT's messages, passed on to Python's log; its errors are kept for the exceptions that follow them."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: tensorrt.ILogger.Severity, msg: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.errors = [*self.errors, msg][-LAST:]
            logging.getLogger(__name__).debug("%s", msg)

        def take(self) -> str:
            """The errors since the last call, as a sentence."""
            said, self.errors = "; ".join(self.errors), []
            return said or "TensorRT gave no reason"

    return Log


def out_of_memory(said: str) -> bool:
    """Whether TensorRT's errors tell of too little memory."""
    words = said.lower().replace(" ", "").replace("_", "")
    return "outofmemory" in words or "memoryallocation" in words
