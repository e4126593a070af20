"""The cache of built engines: files that are right for one network on one GPU with one driver and one TensorRT, and no other."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamdeblur.caches import cache_folder
from streamdeblur.errors import EngineError, OutputError

SCHEMA = 1
"""Number of the rules by which engines are built; a change makes all older ones stale."""

WAITING_SECONDS = 0.2
"""Between two looks at whether an engine that another process builds is still wanted."""


class BuildCancelledError(EngineError):
    """Nobody wants the engine any more."""


@dataclass(frozen=True)
class EngineKey:
    """Everything that makes an engine file valid."""

    network: str
    """sha256 of the ONNX file."""
    tensorrt: str
    gpu: str
    capability: str
    driver: int
    precision: str
    shapes: str
    """Batch sizes of the optimisation profiles, and the size of images."""
    level: int
    """Builder optimisation level."""
    schema: int = SCHEMA

    @property
    def digest(self) -> str:
        """sha256 of the key, hexadecimal."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class CachedEngine:
    """An engine in the cache, as its side-car file tells of it."""

    path: Path
    key: EngineKey
    megabytes: float
    seconds: float
    """What building it took."""
    built: str
    """When it was built, ISO 8601."""


class EngineCache:
    """Engine files with their side-cars in one folder, readable by the user alone (mode 0700)."""

    def __init__(self, folder: Path | None = None) -> None:
        """folder: by default ``tensorrt`` in the user's cache folder. Raises OutputError where none can be written."""
        chosen = folder or cache_folder("tensorrt")
        if chosen is None:
            raise OutputError("No cache folder can be written for TensorRT engines. Set STREAMDEBLUR_CACHE to one that can.")
        chosen.mkdir(parents=True, exist_ok=True, mode=0o700)
        # a folder that others can write to could hand us their engines, which are code
        chosen.chmod(0o700)
        self.folder = chosen

    def path(self, key: EngineKey) -> Path:
        return self.folder / f"{key.digest}.engine"

    def load(self, key: EngineKey) -> bytes | None:
        """The engine built for `key`; None where there is none, and where it is damaged or cut off: then it is deleted."""
        path = self.path(key)
        try:
            said = json.loads(_sidecar(path).read_text(encoding="utf-8"))
            plan = path.read_bytes()
            if said["key"] == asdict(key) and said["sha256"] == hashlib.sha256(plan).hexdigest():
                return plan
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            pass
        self.delete(key)
        return None

    def store(self, key: EngineKey, plan: bytes, seconds: float) -> None:
        """Keep an engine; both files appear whole or not at all.

        Raises:
            OutputError: They cannot be written.
        """
        told = {
            "key": asdict(key),
            "sha256": hashlib.sha256(plan).hexdigest(),
            "seconds": round(seconds, 1),
            "built": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        path = self.path(key)
        write_whole(path, plan)
        # the engine counts from the moment that its side-car is there
        write_whole(_sidecar(path), json.dumps(told, indent=1).encode())

    def delete(self, key: EngineKey) -> None:
        """Remove the engine of `key`, if there is one."""
        _remove(self.path(key))

    def entries(self) -> list[CachedEngine]:
        """The engines in the cache, newest first; files that tell nothing are left out."""
        found = []
        for sidecar in self.folder.glob("*.json"):
            path = sidecar.with_suffix(".engine")
            try:
                told: dict[str, Any] = json.loads(sidecar.read_text(encoding="utf-8"))
                size = path.stat().st_size / 1e6
                found.append(CachedEngine(path, EngineKey(**told["key"]), size, told["seconds"], told["built"]))
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return sorted(found, key=lambda entry: entry.built, reverse=True)

    def clear(self) -> int:
        """Delete every engine and timing cache; returns how many engines there were."""
        count = len(list(self.folder.glob("*.engine")))
        for pattern in ("*.engine", "*.json", "*.timing", "*.part"):
            for path in self.folder.glob(pattern):
                path.unlink(missing_ok=True)
        return count

    def timing(self, key: EngineKey) -> Path:
        """Where the measured speeds of kernels are kept, which all networks on one GPU and TensorRT share."""
        shared = hashlib.sha256(f"{key.gpu} {key.capability} {key.driver} {key.tensorrt}".encode()).hexdigest()
        return self.folder / f"{shared[:32]}.timing"

    @contextmanager
    def building(self, key: EngineKey, cancelled: threading.Event | None = None) -> Iterator[None]:
        """Alone with an engine: other processes that want to build the same one wait here, for minutes.

        Raises:
            BuildCancelledError: `cancelled` was set meanwhile.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / f"{key.digest}.lock", mode=0o600)
        while not lock.is_locked:
            if cancelled is not None and cancelled.is_set():
                raise BuildCancelledError("The build was cancelled.")
            with suppress(Timeout):
                lock.acquire(timeout=WAITING_SECONDS)
        try:
            yield
        finally:
            lock.release()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it appears under its name when it is complete, and only then.

    Raises:
        OutputError: It cannot be written; nothing is left of it.
    """
    handle, name = tempfile.mkstemp(prefix=f"{path.stem}.", suffix=".part", dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(f"Cannot write {path}: {error.strerror}.") from None


def _sidecar(path: Path) -> Path:
    return path.with_suffix(".json")


def _remove(path: Path) -> None:
    # the side-car first: an engine without one does not count
    _sidecar(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
