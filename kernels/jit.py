"""How kernels are compiled: without the GIL, cached on disk wherever a folder can be written."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import numba
from numpy.typing import NDArray

from streamdeblur.kernels.interrupts import interrupts_held

Array = NDArray[Any]
"""An array as a kernel takes it: its docstring says of what, Numba compiles for the type that comes."""

Function = TypeVar("Function", bound=Callable[..., Any])

# Reordering and fused multiply-add let LLVM vectorise the sums; NaN and infinity keep their meaning.
FASTMATH = {"reassoc", "contract", "nsz", "arcp"}


def kernel(function: Function) -> Function:
    """Compile `function` with Numba on its first call, and keep the machine code for the next process.

    The cache lies beside the source where that is writable, else in the user's cache folder; where neither can be
    written (a read-only container without a home), the kernel is compiled anew in each process.
    """
    dispatcher: Any = numba.njit(nogil=True, fastmath=FASTMATH, error_model="numpy")(function)
    # (most are compiled ahead of the first frame, but what depends on the frame when it comes)
    dispatcher.compile = interrupts_held()(dispatcher.compile)
    # (RuntimeError: Numba found no folder that it may write to)
    with suppress(RuntimeError):
        dispatcher.enable_caching()
        _tolerate_failures(dispatcher._cache)
    return cast(Function, dispatcher)


def _tolerate_failures(cache: Any) -> None:
    """Make a cache that cannot be written (full disk), or read (cut off, of another LLVM), one that is done without."""
    load, save = cache.load_overload, cache.save_overload

    def load_or_compile(*arguments: Any) -> Any:
        try:
            return load(*arguments)
        except Exception:
            # whatever a damaged file makes of pickle and LLVM, compiling anew is the answer
            return None

    def save_if_possible(*arguments: Any) -> None:
        with suppress(OSError):
            save(*arguments)

    cache.load_overload, cache.save_overload = load_or_compile, save_if_possible
