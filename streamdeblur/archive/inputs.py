"""Inputs of a batch: files, folders, patterns, and lists of them."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from streamdeblur.errors import InputError
from streamdeblur.jobs import batch

LIST, STDIN = "@", "-"
"""What stands before the name of a list, and for the list on stdin."""


def find_inputs(inputs: Sequence[str]) -> list[Path]:
    """Return the files and folders that inputs name, each once.

    Args:
        inputs: Files, folders, patterns such as ``clips/**/*.mp4``, ``@FILE`` for a file with one input a line, or ``-`` for
            such a list on stdin.

    Raises:
        InputError: A list cannot be read, or a pattern fits nothing.
    """
    return list(dict.fromkeys(path for text in inputs for path in _named(text)))


def _named(text: str) -> Iterator[Path]:
    if text == STDIN:
        yield from _of_list(sys.stdin.read(), "stdin")
    elif text.startswith(LIST) and not os.path.lexists(text):
        try:
            content = Path(text[1:]).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"Cannot read the list {text[1:]}: {getattr(error, 'strerror', None) or error}.") from None
        yield from _of_list(content, text[1:])
    elif glob.has_magic(text) and not os.path.lexists(text):
        found = sorted(glob.glob(text, recursive=True))
        if not found:
            raise InputError(f"Nothing fits the pattern {text}.")
        yield from map(Path, found)
    else:
        yield Path(text)


def _of_list(content: str, name: str) -> Iterator[Path]:
    lines = [line.strip() for line in content.splitlines()]
    named = [line for line in lines if line and not line.startswith("#")]
    if not named:
        raise InputError(f"The list {name} names no files.")
    for line in named:
        # a list does not name further lists
        yield from [Path(line)] if line == STDIN or line.startswith(LIST) else _named(line)


def jobs_of(inputs: Sequence[Path], out: Path, *, keep_tree: bool) -> list[batch.Job]:
    """Return the videos to restore with their outputs, and make the output folder.

    Args:
        inputs: Files and folders.
        out: The output folder.
        keep_tree: Keep the folders of files that are named, too, from their common one on.

    Raises:
        InputError: There is nothing to work on.
        OutputError: Two inputs would have the same output, or the output folder is an input or cannot be made.
    """
    from streamdeblur.video.encoders import writable_suffix

    files = [path for path in inputs if not os.path.isdir(path)]
    root = Path(os.path.commonpath([os.path.abspath(path.parent) for path in files])) if keep_tree and files else None
    return batch.plan(inputs, out, batch.VIDEO_SUFFIXES, writable_suffix, root=root)
