"""What a worker is asked to do, and what it answers: paths and numbers, never frames."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from streamdeblur.video.cuts import Segment

Identity = tuple[int, int, int]
"""Size, time of the last change in nanoseconds, and inode of a file."""


@dataclass(frozen=True)
class Task:
    """A piece of work."""

    name: str
    """The output, and for a part of its work what comes after a '#': the number of a segment, or 'join'."""
    kind: Literal["video", "segment", "join"]
    """A video in one piece, a segment of one, or the joining of all its segments."""
    file: str
    """The source."""
    output: str
    """The video to write, below the output folder."""
    place: int
    """In the plan; what is planned later comes later."""
    source: tuple[int, int]
    """Size and time of the last change of the source when it was planned."""
    replaces: Identity | None = None
    """What stood in the place of the output then: it is no result."""
    frames: int | None = None
    """Frames to restore, as far as they are known before."""
    segment: Segment | None = None
    segments: int = 0
    """Number of segments to join."""
    reason: str = ""
    """Why a long video is restored in one piece."""


Fault = Literal["", "file", "worker", "segments", "busy", "unknown"]
"""Where an error lies: in the file, so that another try ends like this one; in the worker, which can do nothing else either; in
the segments, which do not make a whole; in nothing, because another process does this very task; or nobody knows."""


@dataclass(frozen=True)
class Report:
    """What became of a task."""

    task: str
    worker: str
    state: Literal["done", "failed"]
    seconds: float = 0.0
    frames: int = 0
    warnings: list[str] = field(default_factory=list)
    summary: dict[str, Any] | None = None
    """Of a video that is complete: the fields of `VideoSummary`."""
    error: str = ""
    fault: Fault = ""
    memory: int = 0
    """Bytes that the worker has in memory."""


@dataclass(frozen=True)
class TaskProgress:
    """How far a task is."""

    task: str
    frames: int
    restored: int
    """Faces restored so far."""


def identity(path: str | Path) -> Identity | None:
    """Return what tells a file from one that takes its place; None where there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino


def version(source: str | Path) -> tuple[int, int]:
    """Return the size and the time of change of a source, in nanoseconds; zeros where there is none."""
    found = identity(source)
    return (found[0], found[1]) if found else (0, 0)
