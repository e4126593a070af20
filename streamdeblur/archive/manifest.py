"""Manifest: all tasks of a batch and what became of each, as lines of JSON that outlast every kill.

A line is the whole record of a task, and the last one counts, so that nothing is ever rewritten while the work goes on. What is
complete is told by the outputs themselves, which get their names when they are on the disk; the lines tell the rest.
"""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

import streamdeblur
from streamdeblur.archive.shards import Shard
from streamdeblur.archive.tasks import Report, Task
from streamdeblur.errors import OutputError
from streamdeblur.files import make_folder
from streamdeblur.partial_file import BINARY, lock, write_file, writing

logger = logging.getLogger(__name__)

FOLDER = ".streamdeblur"
"""Folder in the output folder for the manifest, locks and segments: the plan folder."""
MANIFEST = "manifest.jsonl"
VERSION = 1
"""Of the lines; other versions are refused."""


@dataclass(frozen=True)
class Header:
    """First line of a manifest: what holds for all its tasks."""

    settings: dict[str, Any]
    network: str
    """SHA-256 of the network, in hexadecimal digits."""
    streamdeblur: str = streamdeblur.__version__
    manifest: int = VERSION


@dataclass(frozen=True)
class Record:
    """A task, and what became of it."""

    task: Task
    state: Literal["planned", "running", "done", "failed", "dropped"] = "planned"
    attempts: int = 0
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)
    error: str = ""
    """Of the last attempt that failed."""
    worker: str = ""
    summary: dict[str, Any] | None = None

    def begun(self) -> Record:
        """Return the record of another attempt."""
        return replace(self, state="running", attempts=self.attempts + 1)

    def after(self, report: Report) -> Record:
        """Return the record with the result of the attempt."""
        return replace(
            self,
            state=report.state,
            seconds=round(report.seconds, 3),
            warnings=report.warnings,
            error=report.error or self.error,
            worker=report.worker,
            summary=report.summary,
        )

    def line(self) -> str:
        """Return the record as a line of JSON, the fields of the task among its own."""
        values = asdict(self)
        task = {name: value for name, value in values.pop("task").items() if value not in (None, "") or name == "frames"}
        return json.dumps({**task, **values}, default=str)


_Records = TypeAdapter(Record)


def _parsed(line: bytes) -> Record | None:
    """The record of a line; None for one that was not written to its end, or is damaged."""
    try:
        # not by the parser of pydantic, which refuses the surrogates that stand for bytes of names that are no UTF-8
        values = json.loads(line)
        task = {name: values.pop(name) for name in Task.__dataclass_fields__ if name in values}
        return _Records.validate_python({**values, "task": task})
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


class Manifest:
    """The records of the batch in an output folder."""

    def __init__(self, out: Path, folder: Path, header: Header, shard: Shard | None = None) -> None:
        """Read what is there.

        Args:
            out: The output folder.
            folder: The plan folder, which exists.
            header: What holds for this batch.
            shard: The part of the batch that this process works on; it keeps its own lines.

        Raises:
            OutputError: The manifest that is there is of another version, or of a batch with other settings.
        """
        self.out, self.folder, self.header = out, folder, header
        self._shard = shard
        self.records: dict[str, Record] = {}
        self._log = self.folder / (MANIFEST if shard is None else f"manifest-{shard.name}.jsonl")
        self._file: int | None = None
        self._read()

    @property
    def path(self) -> Path:
        """The file of the plan."""
        return self.folder / MANIFEST

    def _read(self) -> None:
        if self.path.exists():
            first, *lines = self.path.read_bytes().splitlines() or [b""]
            self._check(first)
            for record in filter(None, map(_parsed, lines)):
                self.records[record.task.name] = record
            self._read_logs()

    def _read_logs(self) -> None:
        """Read what shards have written; what they say of tasks that have been planned anew since counts no more."""
        planned = {record.task.output: (record.task.file, record.task.source) for record in self.records.values()}
        for log in sorted(self.folder.glob("manifest-*.jsonl")):
            for record in filter(None, map(_parsed, log.read_bytes().splitlines())):
                task = record.task
                if planned.get(task.output) == (task.file, task.source):
                    known = self.records.get(task.name, record).task
                    self.records[task.name] = replace(record, task=known)

    def _check(self, first: bytes) -> None:
        """Refuse the manifest of another version or of another batch, whose outputs would be mixed with those of this one."""
        try:
            found = json.loads(first)
            version = found["manifest"]
        except (ValueError, TypeError, KeyError):
            raise OutputError(f"{self.path} is no manifest of streamdeblur. Delete {self.folder} to begin anew.") from None
        if version != VERSION:
            raise OutputError(
                f"{self.path} was written by streamdeblur {found.get('streamdeblur', '?')} (manifest version {version}, not "
                f"{VERSION}). Go on with that version, or delete {self.folder} to begin anew."
            )
        own = json.loads(json.dumps(asdict(self.header), default=str))
        differing = [n for n in own["settings"] if own["settings"][n] != found.get("settings", {}).get(n)]
        if found.get("network") != own["network"]:
            differing.append("network (another file)" if "network" not in differing else "")
        if differing := [name for name in differing if name]:
            raise OutputError(
                f"{self.out} holds a batch with other settings ({', '.join(differing)}). Give the same ones to go on with it, "
                f"choose another folder, or delete {self.folder} to begin anew."
            )

    def plan(self, records: list[Record]) -> None:
        """Write the whole manifest anew: the records so far, and further ones. Without any, what shards have written is taken in.

        Raises:
            OutputError: It cannot be written.
        """
        if not records and self.path.exists() and not any(self.folder.glob("manifest-*.jsonl")):
            return
        self.records |= {record.task.name: record for record in records}
        lines = [json.dumps(asdict(self.header), default=str), *(record.line() for record in self.records.values())]
        with _keeping(self.path):
            write_file(self.path, "\n".join(lines) + "\n")
        if self._shard is None:
            self.close()
            for log in self.folder.glob("manifest-*.jsonl"):
                log.unlink(missing_ok=True)

    def put(self, record: Record) -> None:
        """Keep a record that has changed.

        Raises:
            OutputError: It cannot be written.
        """
        self.records[record.task.name] = record
        with _keeping(self._log), writing(self._log):
            if self._file is None:
                # a kill may have left half a line
                is_half = self._log.exists() and not self._log.read_bytes().endswith(b"\n")
                self._file = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | BINARY, 0o666)
                if is_half:
                    os.write(self._file, b"\n")
            line = (record.line() + "\n").encode()
            while line:
                # the last bytes of a disk take a part of a line, and its rest is the error
                line = line[os.write(self._file, line) :]

    def close(self) -> None:
        """Write what was kept through to the disk."""
        if self._file is not None:
            with suppress(OSError):
                os.fsync(self._file)
            os.close(self._file)
            self._file = None


@contextmanager
def _keeping(path: Path) -> Iterator[None]:
    """Say of a manifest that cannot be written that nothing is lost."""
    try:
        yield
    except OutputError as error:
        reason = getattr(error.__cause__, "strerror", None) or str(error).rstrip(".")
        raise OutputError(f"Cannot write {path}: {reason}. What is complete is kept, and the same command goes on.") from error


@contextmanager
def locked(folder: Path, shard: Shard | None) -> Iterator[None]:
    """Be the only batch with a plan folder, or the only one on a shard of it, and wait for the workers of one that was killed.

    Raises:
        OutputError: Another batch works there.
    """
    make_folder(folder)
    with _lock(folder / "lock", shared=shard is not None) as whole:
        if not whole:
            raise OutputError(_busy(folder / "lock"))
        if shard is None:
            _wait_for_workers(folder, shard)
            yield
            return
        with _lock(folder / f"{shard.name}.lock") as part:
            if not part:
                raise OutputError(_busy(folder / f"{shard.name}.lock"))
            _wait_for_workers(folder, shard)
            yield


@contextmanager
def planning(folder: Path) -> Iterator[None]:
    """Be the only one that plans, of all shards."""
    with _lock(folder / "plan.lock", wait=True):
        yield


@contextmanager
def working(folder: Path, shard: Shard | None) -> Iterator[None]:
    """Tell the next batch that this worker of a batch is still there."""
    with _lock(_workers(folder, shard), shared=True):
        yield


def _workers(folder: Path, shard: Shard | None) -> Path:
    return folder / f"workers{f'-{shard.name}' if shard else ''}.lock"


def _wait_for_workers(folder: Path, shard: Shard | None) -> None:
    """Wait for the workers of a batch that was killed: they end with it, but not at once."""
    for path in [_workers(folder, shard)] if shard else {_workers(folder, shard), *folder.glob("workers*.lock")}:
        with _lock(path) as alone:
            if alone:
                continue
        logger.info("Waiting for processes of an earlier run to end, which are still working on %s.", _out_of(folder))
        with _lock(path, wait=True):
            pass


@contextmanager
def _lock(path: Path, *, shared: bool = False, wait: bool = False) -> Iterator[bool]:
    """Hold the lock of a file; yields whether that was possible, or there are no locks here."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | BINARY, 0o666)
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror}.") from None
    try:
        held = lock(descriptor, wait=wait, shared=shared) is not False
        if held and not shared and not wait:
            os.ftruncate(descriptor, 0)
            with suppress(OSError):
                os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield held
    finally:
        os.close(descriptor)


def _out_of(path: Path) -> Path:
    """The output folder of a plan folder, or of a file in it."""
    return next(folder.parent for folder in (path, *path.parents) if folder.name == FOLDER)


def _busy(lock_file: Path) -> str:
    holder = "shards of it"
    with suppress(OSError):
        holder = lock_file.read_text("utf-8", "replace")[:200] or holder
    return (
        f"Another batch is working on {_out_of(lock_file)} ({holder}). Wait for its end, or choose another folder; several "
        "machines share one with --shard."
    )
