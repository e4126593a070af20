"""Inputs of a batch: files, folders, patterns, and lists of them."""

from __future__ import annotations

import codecs
import glob
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import takewhile
from pathlib import Path

from streamdeblur.errors import InputError
from streamdeblur.files import is_same
from streamdeblur.jobs import batch
from streamdeblur.video.stdin import STDIN

LIST = "@"
"""What stands before the name of a list."""


def find_inputs(inputs: Sequence[str], out: Path | None = None) -> list[Path]:
    """Return the files and folders that inputs name, each once.

    Args:
        inputs: Files, folders, patterns such as ``clips/**/*.mp4``, ``@FILE`` for a file with one input a line, or ``-`` for
            such a list on stdin. Where there are zero bytes in a list, they end its inputs, and no line breaks.
        out: The output folder. What patterns find in it are results of an earlier run, and left out.

    Raises:
        InputError: A list cannot be read, or a pattern fits nothing.
    """
    return list(dict.fromkeys(path for text in inputs for path in _named(text, out)))


def _named(text: str, out: Path | None) -> Iterator[Path]:
    if text == STDIN:
        yield from _of_list(sys.stdin.buffer.read(), "stdin", out)
    elif text.startswith(LIST) and not os.path.lexists(text):
        try:
            content = Path(text[1:]).read_bytes()
        except (OSError, ValueError) as error:
            raise InputError(f"Cannot read the list {text[1:]}: {getattr(error, 'strerror', None) or error}.") from None
        yield from _of_list(content, text[1:], out)
    elif glob.has_magic(text) and not os.path.lexists(text):
        found = _fitting(text, out)
        if not found:
            raise InputError(f"Nothing fits the pattern {text}.")
        yield from found
    else:
        yield Path(text)


def _fitting(pattern: str, out: Path | None) -> list[Path]:
    """What fits a pattern, but for what is in the output folder, where that is one of the folders that the pattern finds."""
    found = map(Path, sorted(glob.glob(pattern, recursive=True)))
    if out is None:
        return list(found)
    root = Path(*takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts))

    @cache
    def is_result(path: Path) -> bool:
        return path != root and (is_result(path.parent) or (path.is_dir() and is_same(path, out)))

    return [path for path in found if not is_result(path)]


def _of_list(content: bytes, name: str, out: Path | None) -> Iterator[Path]:
    named = [os.fsdecode(line) for line in _lines(content)]
    if not named:
        raise InputError(f"The list {name} names no files.")
    for line in named:
        # a list does not name further lists
        yield from [Path(line)] if line == STDIN or line.startswith(LIST) else _named(line, out)


def _lines(content: bytes) -> Iterator[bytes]:
    """The inputs of a list. Names are bytes: any but zero may be in them, so zeros end those of `find -print0`."""
    if b"\0" in content:
        yield from filter(None, content.split(b"\0"))
        return
    for line in content.removeprefix(codecs.BOM_UTF8).split(b"\n"):
        line = line.removesuffix(b"\r")
        # spaces around a name belong to it where there is such a file
        name = line if os.path.lexists(line) else line.strip()
        if name and not name.startswith(b"#"):
            yield name


def jobs_of(
    inputs: Sequence[Path], out: Path, *, keep_tree: bool, leave_out: Callable[[str], object] | None = None
) -> list[batch.Job]:
    """Return the videos to restore with their outputs, and make the output folder.

    Args:
        inputs: Files and folders.
        out: The output folder.
        keep_tree: Keep the folders of files that are named, and the names of folders, from their common one on.
        leave_out: As for `batch.plan`.

    Raises:
        InputError: There is nothing to work on.
        OutputError: Two inputs would have the same output, or the output folder is an input or cannot be made.
    """
    from streamdeblur.video.encoders import writable_suffix

    folders = [os.path.abspath(path if os.path.isdir(path) else path.parent) for path in inputs]
    root = Path(os.path.commonpath(folders)) if keep_tree and folders else None
    return batch.plan(inputs, out, batch.VIDEO_SUFFIXES, writable_suffix, root=root, leave_out=leave_out)
