"""Worker: does one task after the other with an engine of its own, wherever it runs."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from streamdeblur.archive.manifest import working
from streamdeblur.archive.segments import NotJoinedError, join_segments, restore_segment
from streamdeblur.archive.shards import Shard
from streamdeblur.archive.tasks import Fault, Report, Task, TaskProgress, version
from streamdeblur.cores import plan_threads
from streamdeblur.deblurrer import FaceDeblurrer
from streamdeblur.errors import (
    BusyOutputError,
    DetectorError,
    EngineError,
    InputError,
    NetworkError,
    OptionError,
    OutputError,
    StreamDeblurError,
)
from streamdeblur.files import make_folder, refuse_pipes
from streamdeblur.jobs.video import Progress, VideoSummary, deblur_video
from streamdeblur.options import VideoOptions
from streamdeblur.partial_file import NO_SPACE
from streamdeblur.weights import network_path

logger = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.5
"""Time between two reports of progress."""
OF_WORKERS = (NetworkError, EngineError, DetectorError, MemoryError)
"""Errors that every task of a worker would end with."""


@dataclass(frozen=True)
class Assignment:
    """What a worker is told before its first task."""

    out: Path
    """The output folder, by a path that all workers share."""
    folder: Path
    """The plan folder, in which segments are kept."""
    options: VideoOptions
    network: str
    """SHA-256 of the network that all workers must have, in hexadecimal digits."""
    shard: Shard | None = None


def leave_warnings_to_reports() -> None:
    """Log nothing in this process: who gets the reports shows the warnings that are in them."""
    ours = logging.getLogger("streamdeblur")
    ours.addHandler(logging.NullHandler())
    ours.propagate = False


class Worker:
    """Does tasks. Its engine is opened with the first one that needs it."""

    def __init__(self, assignment: Assignment, name: str = "") -> None:
        """`name`: as reports name it; by default the machine and the process."""
        self.assignment = assignment
        self.name = name or f"{socket.gethostname()}:{os.getpid()}"
        self._deblurrer: FaceDeblurrer | None = None
        self._there = working(assignment.folder, assignment.shard)
        self._there.__enter__()

    def close(self) -> None:
        """Free the engine."""
        if self._deblurrer is not None:
            self._deblurrer.close()
            self._deblurrer = None
        self._there.__exit__(None, None, None)

    def run(self, task: Task, on_progress: Callable[[TaskProgress], object] | None = None) -> Report:
        """Do a task; whatever goes wrong with it is in the report.

        Args:
            task: The task.
            on_progress: Called now and then.
        """
        began = time.monotonic()
        try:
            report = self._done(task, on_progress)
        except StreamDeblurError as error:
            report = Report(task.name, self.name, "failed", error=str(error), fault=fault_of(error))
        # A decoder, a network or an encoder may raise what nobody foresaw. It costs this task, and no other one.
        except Exception as error:
            logger.debug("Working on %s", task.file, exc_info=True)
            text = f"{task.file} failed with an unexpected {type(error).__name__}: {error}"
            report = Report(task.name, self.name, "failed", error=text, fault=fault_of(error))
        values = {**vars(report), "seconds": time.monotonic() - began, "memory": memory_of_process()}
        return Report(**values)

    def _done(self, task: Task, on_progress: Callable[[TaskProgress], object] | None) -> Report:
        out, options = self.assignment.out, self.assignment.options
        source, target = Path(task.file), out / task.output
        refuse_pipes(source)
        make_folder(target.parent)
        began_with = version(source)
        if task.kind != "video":
            refuse_changed(task)
        if task.kind == "join":
            paths = [segment_path(self.assignment.folder, task.output, number) for number in range(task.segments)]
            threads = plan_threads("file", options.restoration.cores).encoder
            return self._complete(task, join_segments(source, target, paths, options, threads=threads), began_with)
        progress = _throttled(task, on_progress)
        if task.segment is None:
            summary = deblur_video(source, target, options, deblurrer=self._open(), on_progress=progress)
            return self._complete(task, summary, began_with)
        path = segment_path(self.assignment.folder, task.output, task.segment.number)
        make_folder(path.parent)
        frames = restore_segment(source, target, path, task.segment, options, self._open(), progress)
        try:
            refuse_changed(task)
        except InputError:
            path.unlink(missing_ok=True)
            raise
        return Report(task.name, self.name, "done", frames=frames)

    def _complete(self, task: Task, summary: VideoSummary, began_with: tuple[int, int]) -> Report:
        remove_segments(self.assignment.folder, task.output)
        if version(task.file) != began_with:
            text = f"the source has changed while it was restored; delete {summary.output} to restore it anew"
            summary.warnings.append(text)
            logger.warning("%s: %s.", Path(task.file).name, text)
        values = asdict(summary)
        return Report(
            task.name, self.name, "done", frames=summary.frames, warnings=values["warnings"], summary=values
        )  # fmt: skip

    def _open(self) -> FaceDeblurrer:
        if self._deblurrer is None:
            restoration = self.assignment.options.restoration
            check_network(restoration.network, self.assignment.network)
            self._deblurrer = FaceDeblurrer(restoration, throughput=True)
        return self._deblurrer


def refuse_changed(task: Task) -> None:
    """Refuse a source that is not what it was when it was planned: its segments would not be of one video.

    Raises:
        InputError: Its size or time of change differ.
    """
    if os.path.exists(task.file) and version(task.file) != task.source:
        raise InputError(f"{task.file} has changed since it was planned. The same command restores it anew.")


def check_network(network: str | Path, checksum: str) -> None:
    """Refuse a network file that is another one than that of the batch.

    Raises:
        NetworkError: There is no such file, or it is another one.
    """
    path = network_path(network)
    if network_checksum(path) != checksum:
        raise NetworkError(f"{path} on {socket.gethostname()} is another network than that of the batch. Copy the file there.")


def network_checksum(path: Path) -> str:
    """Return the SHA-256 of a network file.

    Raises:
        NetworkError: It cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise NetworkError(f"Cannot read {path}: {error.strerror}.") from None


def segment_path(folder: Path, output: str, number: int) -> Path:
    """Return the file of a segment of an output, in a plan folder."""
    return _segments(folder, output) / f"{number:05d}.segment"


def _segments(folder: Path, output: str) -> Path:
    return folder / "segments" / f"{output}.d"


def remove_segments(folder: Path, output: str) -> None:
    """Remove the segments of an output from a plan folder, and the folders that are empty without them."""
    segments = _segments(folder, output)
    if not segments.is_dir():
        return
    for path in segments.iterdir():
        path.unlink(missing_ok=True)
    while segments != folder:
        try:
            segments.rmdir()
        except OSError:
            return
        segments = segments.parent


def fault_of(error: Exception) -> Fault:
    """Return where an error lies."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OF_WORKERS) or (isinstance(cause, OSError) and cause.errno in (*NO_SPACE, errno.ENOMEM)):
            return "worker"
        cause = cause.__cause__
    if isinstance(error, NotJoinedError):
        return "segments"
    if isinstance(error, BusyOutputError):
        return "busy"
    return "file" if isinstance(error, InputError | OptionError | OutputError) else "unknown"


def _throttled(task: Task, on_progress: Callable[[TaskProgress], object] | None) -> Callable[[Progress], object] | None:
    if on_progress is None:
        return None
    last = 0.0

    def report(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PROGRESS_SECONDS:
            last = now
            on_progress(TaskProgress(task.name, progress.frames, progress.restored))

    return report


def memory_of_process() -> int:
    """Return the bytes that this process has in memory; 0 where that is not known."""
    if sys.platform == "linux":
        try:
            resident = int(Path("/proc/self/statm").read_text().split()[1])
        except (OSError, ValueError, IndexError):
            return 0
        return resident * os.sysconf("SC_PAGE_SIZE")
    return 0
