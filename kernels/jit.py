"""Compiles kernels: without the GIL, and cached on disk where a folder can be written."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import numba
from numpy.typing import NDArray

from streamdeblur.kernels.interrupts import interrupts_held

Array = NDArray[Any]
"""An array argument of a kernel, whose docstring states its type; Numba compiles for the type of each call."""

Function = TypeVar("Function", bound=Callable[..., Any])

# reordering and fused multiply-add let LLVM vectorise sums; the flags that would break NaN and infinity are off
FASTMATH = {"reassoc", "contract", "nsz", "arcp"}


def kernel(function: Function) -> Function:
    """Compile `function` with Numba on its first call, and cache the machine code for the next process.

    The cache is beside the source where that can be written, else in the user's cache folder. Where neither can be written, as in
    a read-only container without a home, each process compiles the kernel again.
    """
    dispatcher: Any = numba.njit(nogil=True, fastmath=FASTMATH, error_model="numpy")(function)
    # warmup.py compiles most kernels before the first frame; those that depend on its format are compiled when it arrives.
    dispatcher.compile = interrupts_held()(dispatcher.compile)
    # Numba raises a RuntimeError if it finds no folder that it may write to.
    with suppress(RuntimeError):
        dispatcher.enable_caching()
        _tolerate_failures(dispatcher._cache)
    return cast(Function, dispatcher)


def _tolerate_failures(cache: Any) -> None:
    """Ignore a cache that cannot be written (full disk) or read (truncated, or of another LLVM)."""
    load, save = cache.load_overload, cache.save_overload

    def load_or_compile(*arguments: Any) -> Any:
        try:
            return load(*arguments)
        except Exception:
            # pickle and LLVM raise almost any type on a damaged file, and compiling again is right after all of them
            return None

    def save_if_possible(*arguments: Any) -> None:
        with suppress(OSError):
            save(*arguments)

    cache.load_overload, cache.save_overload = load_or_compile, save_if_possible
