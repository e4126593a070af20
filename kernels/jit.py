"""Compiles kernels: without the GIL, and cached on disk where a folder can be written."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import IndexDataCacheFile
from numba.core.runtime.nrt import rtsys
from numpy.typing import NDArray

from streamdeblur.kernels.interrupts import interrupts_held

Array = NDArray[Any]
"""An array argument of a kernel, whose docstring states its type; Numba compiles for the type of each call."""

Function = TypeVar("Function", bound=Callable[..., Any])

# reordering and fused multiply-add let LLVM vectorise sums; the flags that would break NaN and infinity are off
FASTMATH = {"reassoc", "contract", "nsz", "arcp"}
DIGEST_SIZE = hashlib.sha256().digest_size

_CacheFiles: Any = IndexDataCacheFile
"""Numba has no type information."""


def kernel(function: Function) -> Function:
    """Compile `function` with Numba on its first call, and cache the machine code for the next process.

    The cache is beside the source where that can be written, else in the user's cache folder. Where neither can be written, as in
    a read-only container without a home, each process compiles the kernel again. With ``NUMBA_DISABLE_JIT`` the function itself
    is the kernel.
    """
    dispatcher: Any = numba.njit(nogil=True, fastmath=FASTMATH, error_model="numpy")(function)
    if not hasattr(dispatcher, "enable_caching"):
        # NUMBA_DISABLE_JIT is set: Numba returns the function itself
        return function
    # warmup.py compiles most kernels before the first frame; those that depend on its format are compiled when it arrives.
    dispatcher.compile = interrupts_held()(dispatcher.compile)
    # Numba raises a RuntimeError if it finds no folder that it may write to.
    with suppress(RuntimeError):
        dispatcher.enable_caching()
        _check_cache(dispatcher._cache)
    return cast(Function, dispatcher)


class _CheckedFiles(_CacheFiles):  # type: ignore[misc]  # a class without type information
    """Numba's cache files, each with a digest at its end: a damaged one is removed, and the kernel is compiled again.

    Numba itself would fail on a damaged index at each start, and run whatever machine code a damaged file holds.
    """

    def _load_index(self) -> Any:
        _remove_damaged(self._index_path)
        return super()._load_index()

    def _load_data(self, name: str) -> Any:
        _remove_damaged(self._data_path(name))
        return super()._load_data(name)

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[io.BytesIO]:
        content = io.BytesIO()
        yield content
        with super()._open_for_write(filepath) as file:
            file.write(content.getvalue() + hashlib.sha256(content.getvalue()).digest())


def _remove_damaged(path: str) -> None:
    """Remove a file that does not end in the digest of what comes before; its pickles end themselves, so Numba ignores that."""
    with suppress(OSError):
        content = Path(path).read_bytes()
        if hashlib.sha256(content[:-DIGEST_SIZE]).digest() != content[-DIGEST_SIZE:]:
            Path(path).unlink()


def _check_cache(cache: Any) -> None:
    """Make a dispatcher's cache check its files, and tolerate those that cannot be written (full disk) or read (another LLVM)."""
    known = cache._cache_file
    cache._cache_file = _CheckedFiles(known._cache_path, cache._impl.filename_base, known._source_stamp)
    save = cache.save_overload

    def load_or_compile(signature: Any, context: Any) -> Any:
        try:
            # Numba's own method imports what only a compilation needs, which does it again where it comes to one
            rtsys.initialize(context)
            return cache._load_overload(signature, context)
        except Exception:
            # pickle and LLVM raise almost any type on a file of another version, and compiling again is right after all of them
            return None

    def save_if_possible(*arguments: Any) -> None:
        with suppress(OSError):
            save(*arguments)

    cache.load_overload, cache.save_overload = load_or_compile, save_if_possible
