"""What FFmpeg says of an error."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

SILENT = -8
"""FFmpeg's AV_LOG_QUIET."""

_chosen_here = threading.Event()
"""Set once the level of the log was chosen here and not by the program."""


@contextmanager
def ffmpeg_errors() -> Iterator[list[str]]:
    """Collect the lines that FFmpeg logs as errors within the block; on the main thread only, elsewhere none.

    FFmpeg's log belongs to the whole process, and a decoder's thread that logs waits for Python's lock. A program that works on
    several files in threads could then wait for ever; it does without these lines.
    """
    import av

    lines: list[str] = []
    if threading.current_thread() is not threading.main_thread():
        yield lines
        return
    # what other threads log meanwhile is collected as well, so that nothing reaches the user's log by chance
    with _log_of_errors(), av.logging.Capture(local=False), av.logging.Capture() as logged:
        try:
            yield lines
        finally:
            lines.extend(f"[{name}] {message.strip()}" for _, name, message in logged)


@contextmanager
def _log_of_errors() -> Iterator[None]:
    """Let FFmpeg log its errors to PyAV within the block, unless the program has chosen a level itself."""
    import av

    if av.logging.get_level() is not None and not _chosen_here.is_set():
        yield
        return
    _chosen_here.set()
    av.logging.set_level(av.logging.ERROR)
    # the same message as in an earlier block counts
    av.logging.set_skip_repeated(False)
    try:
        yield
    finally:
        av.logging.set_skip_repeated(True)
        # PyAV's own way back to silence would fail in the middle of a message of another thread
        av.logging.set_libav_level(SILENT)
        av.logging.restore_default_callback()


def words(error: Exception) -> str:
    """Describe an error of PyAV or FFmpeg in a few words."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    # some decoders return a number of their own
    return "it is damaged" if text.startswith("Error number") else text
