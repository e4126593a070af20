"""The cache of built engines. Each file is valid for one network, GPU, driver and version of TensorRT."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamdeblur.caches import cache_folder
from streamdeblur.errors import EngineError, OutputError
from streamdeblur.partial_file import write_file

SCHEMA = 1
"""Version of how engines are built; a change invalidates all older ones."""

WAITING_SECONDS = 0.2
"""Time between two checks of whether a build that waits for another process was cancelled."""


class BuildCancelledError(EngineError):
    """The build was cancelled by its caller."""


@dataclass(frozen=True)
class EngineKey:
    """Everything that the validity of an engine file depends on."""

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
    """An engine in the cache, as its side-car file describes it."""

    path: Path
    key: EngineKey
    megabytes: float
    seconds: float
    """How long the build took."""
    built: str
    """When it was built, ISO 8601."""


class EngineCache:
    """Engine files with their side-cars in one folder, readable by the user alone (mode 0700)."""

    def __init__(self, folder: Path | None = None) -> None:
        """
        Args:
            folder: By default ``tensorrt`` in the user's cache folder.

        Raises:
            OutputError: No cache folder can be written.
        """
        chosen = folder or cache_folder("tensorrt")
        if chosen is None:
            raise OutputError("No cache folder can be written for TensorRT engines. Set STREAMDEBLUR_CACHE to one that can.")
        try:
            chosen.mkdir(parents=True, exist_ok=True, mode=0o700)
            # engines are code, so nobody else may put one here
            chosen.chmod(0o700)
        except OSError as error:
            raise OutputError(
                f"{chosen} cannot be a private folder for engines: {error.strerror}. Set STREAMDEBLUR_CACHE to one that can."
            ) from None
        self.folder = chosen

    def path(self, key: EngineKey) -> Path:
        """The file of an engine, whether it exists or not."""
        return self.folder / f"{key.digest}.engine"

    def load(self, key: EngineKey) -> bytes | None:
        """The engine of `key`; None where there is none. A damaged one is deleted."""
        path = self.path(key)
        try:
            record = json.loads(_sidecar(path).read_text(encoding="utf-8"))
            plan = path.read_bytes()
            if record["key"] == asdict(key) and record["sha256"] == hashlib.sha256(plan).hexdigest():
                return plan
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
        self.delete(key)
        return None

    def store(self, key: EngineKey, plan: bytes, seconds: float) -> None:
        """Keep an engine, whose files appear when they are complete.

        Raises:
            OutputError: They cannot be written.
        """
        record = {
            "key": asdict(key),
            "sha256": hashlib.sha256(plan).hexdigest(),
            "seconds": round(seconds, 1),
            "built": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        path = self.path(key)
        write_file(path, plan)
        # an engine without a side-car does not count, so that comes last
        write_file(_sidecar(path), json.dumps(record, indent=1))

    def delete(self, key: EngineKey) -> None:
        """Remove the engine of `key`, if there is one."""
        _remove(self.path(key))

    def entries(self) -> list[CachedEngine]:
        """The engines in the cache, newest first; files that cannot be read are left out."""
        found = []
        for sidecar in self.folder.glob("*.json"):
            path = sidecar.with_suffix(".engine")
            try:
                record: dict[str, Any] = json.loads(sidecar.read_text(encoding="utf-8"))
                size = path.stat().st_size / 1e6
                seconds, built = float(record["seconds"]), str(record["built"])
                found.append(CachedEngine(path, EngineKey(**record["key"]), size, seconds, built))
            except (OSError, ValueError, KeyError, TypeError, RecursionError):
                continue
        return sorted(found, key=lambda entry: entry.built, reverse=True)

    def clear(self) -> int:
        """Delete all engines and timing caches, and return how many engines there were."""
        count = len(list(self.folder.glob("*.engine")))
        for pattern in ("*.engine", "*.json", "*.timing", "*.kernels", ".*.partial-*"):
            for path in self.folder.glob(pattern):
                path.unlink(missing_ok=True)
        return count

    def timing(self, key: EngineKey) -> Path:
        """The file of measured kernel speeds, which all networks on one GPU and version of TensorRT share."""
        shared = hashlib.sha256(f"{key.gpu} {key.capability} {key.driver} {key.tensorrt}".encode()).hexdigest()
        return self.folder / f"{shared[:32]}.timing"

    def kernels(self, key: EngineKey) -> Path:
        """The file of the kernels that TensorRT for RTX compiles for an engine."""
        return self.folder / f"{key.digest}.kernels"

    @contextmanager
    def building(self, key: EngineKey, cancelled: threading.Event | None = None) -> Iterator[None]:
        """Hold the lock of an engine; other processes that build the same one wait, which may take minutes.

        Raises:
            BuildCancelledError: `cancelled` was set while waiting.
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


def _sidecar(path: Path) -> Path:
    return path.with_suffix(".json")


def _remove(path: Path) -> None:
    # the side-car first: an engine without one does not count
    _sidecar(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
