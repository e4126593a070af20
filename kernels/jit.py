"""How kernels are compiled: without the GIL, cached on disk wherever a folder can be written."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import numba
from numpy.typing import NDArray

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
    dispatcher = numba.njit(nogil=True, fastmath=FASTMATH, error_model="numpy")(function)
    # (RuntimeError: Numba found no folder that it may write to)
    with suppress(RuntimeError):
        dispatcher.enable_caching()
    return cast(Function, dispatcher)
