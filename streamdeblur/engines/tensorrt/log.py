"""TensorRT's messages."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from streamdeblur.engines.tensorrt.library import Library

if TYPE_CHECKING:
    import tensorrt as trt

LAST = 20
"""Number of errors that are kept."""


@lru_cache(maxsize=2)
def log_class(library: Library) -> type[Any]:
    """The class `Log`, whose base class is known once the library is loaded."""
    if not TYPE_CHECKING:
        trt = library.module

    class Log(trt.ILogger):  # type: ignore[misc, unused-ignore]
        """Passes TensorRT's messages on to logging, and keeps its errors for the exceptions that follow them."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.errors = [*self.errors, msg][-LAST:]
            logging.getLogger(__name__).debug("%s", msg)

        def take(self) -> str:
            """The errors since the last call."""
            errors, self.errors = "; ".join(self.errors), []
            return errors or "TensorRT gave no reason"

    return Log


def out_of_memory(errors: str) -> bool:
    """Whether TensorRT's errors are about too little memory."""
    words = errors.lower().replace(" ", "").replace("_", "")
    return "outofmemory" in words or "memoryallocation" in words
