"""Decoded pixels of a shard in one memory-mapped file: decoded once, then read by index, also by the next process."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdeblur.caches import cache_folder
from streamdeblur.cores import usable_cores
from streamdeblur.errors import InputError, OutputError
from streamdeblur.files import fitting_name
from streamdeblur.partial_folder import PartialFolder
from streamdeblur.training.bounded_map import bounded_map
from streamdeblur.training.datasets.shards import Sample

logger = logging.getLogger(__name__)

FORMAT = 1
"""Of the decoded files; a new number makes older ones useless."""
FOLDER = ".decoded"
"""Beside the shards, where that can be written; else in the user's cache folder."""
MOST_NAMED = 10
"""Largest number of bad entries that a warning names; the others are counted."""


@dataclass(frozen=True)
class SampleKind:
    """How one kind of sample is decoded."""

    name: str
    shape: Callable[[Sample, dict[str, Any]], tuple[int, ...]]
    """Shape of its pixels, uint8; raises InputError for a sample that cannot be used."""
    decode: Callable[[Sample, NDArray[np.uint8]], None]
    """Writes its pixels into an array of that shape; raises InputError."""


@dataclass(frozen=True)
class CacheEntry:
    """Where the pixels of a sample are, and the content of its JSON."""

    key: str
    offset: int
    shape: tuple[int, ...]
    record: dict[str, Any]


class PixelCache:
    """The decoded samples of one shard. Cheap to send to another process, which maps the same file."""

    def __init__(self, folder: Path, digest: str) -> None:
        """Map the file.

        Args:
            folder: Folder of the decoded samples.
            digest: Digest of the shard that they were decoded from.

        Raises:
            FileNotFoundError: There is none.
            ValueError: The folder does not hold what `open_pixel_cache` writes.
        """
        self._folder, self.digest = folder, digest
        try:
            listed = json.loads((folder / "index.json").read_text(encoding="utf-8"))
            self.entries = [CacheEntry(e["key"], int(e["offset"]), tuple(e["shape"]), dict(e["record"])) for e in listed]
            self._pixels: NDArray[np.uint8] = np.load(folder / "pixels.npy", mmap_mode="r")
            ends = [entry.offset + math.prod(entry.shape) for entry in self.entries if entry.offset >= 0]
        except (KeyError, TypeError, EOFError, RecursionError) as error:
            raise ValueError(f"{folder} is damaged: {error}") from None
        if self._pixels.dtype != np.uint8 or len(ends) < len(self.entries) or max(ends, default=0) > self._pixels.size:
            raise ValueError(f"{folder} is damaged: its pixels are not those of its index")

    def __reduce__(self) -> tuple[type[PixelCache], tuple[Path, str]]:
        return PixelCache, (self._folder, self.digest)

    def pixels(self, entry: CacheEntry) -> NDArray[np.uint8]:
        """Return a read-only view, uint8 of the entry's shape."""
        size = int(np.prod(entry.shape))
        return self._pixels[entry.offset : entry.offset + size].reshape(entry.shape)


def open_pixel_cache(
    name: str, digest: str, beside: Path | None, samples: Callable[[], Iterator[Sample]], kind: SampleKind
) -> PixelCache:
    """Open the decoded samples of a shard; decode them where that was not done yet.

    Args:
        name: Name of the shard.
        digest: Digest of its content.
        beside: Folder of the shards, to keep the decoded file near them; None keeps it in the user's cache folder.
        samples: Reads the samples.
        kind: How they are decoded.

    Raises:
        OutputError: No folder can be written, or the disk is full.
    """
    title = fitting_name(name, f"-{kind.name}{FORMAT}-{digest[:24]}")
    folders = [beside / FOLDER] if beside else []
    cache = cache_folder("decoded")
    folders += [cache] if cache else []
    for folder in folders:
        try:
            return PixelCache(folder / title, digest)
        except OSError:
            continue
        except ValueError:
            shutil.rmtree(folder / title, ignore_errors=True)
    for folder in folders:
        if _writable(folder):
            _remove_older(folder, name, kind)
            _make(folder, title, samples, kind)
            return PixelCache(folder / title, digest)
    raise OutputError("There is no folder for decoded frames. Set STREAMDEBLUR_CACHE to a folder that can be written.")


def digest_of(files: Sequence[Path], *, root: Path | None = None) -> str:
    """Return the SHA-256 of the contents of files, and of their names below `root` where that is given. Raises InputError."""
    digest = hashlib.sha256()
    for file in files:
        try:
            with file.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").digest()
        except OSError as error:
            raise InputError(f"Cannot read {file}: {error.strerror}.") from None
        digest.update(content + (f"{file.relative_to(root)}\0".encode("utf-8", "surrogatepass") if root else b""))
    return digest.hexdigest()


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _remove_older(folder: Path, name: str, kind: SampleKind) -> None:
    """Remove decoded files of what this shard held before; they live on for processes that still read them."""
    if folder.name == FOLDER:
        for older in folder.glob(f"{name}-{kind.name}*"):
            shutil.rmtree(older, ignore_errors=True)


def _make(folder: Path, title: str, samples: Callable[[], Iterator[Sample]], kind: SampleKind) -> None:
    target = folder / title
    try:
        # what another process made meanwhile is not replaced: its files are the same
        with PartialFolder(target, replace=False) as partial:
            entries = _decode(partial / "pixels.npy", samples, kind)
            listed = [{"key": e.key, "offset": e.offset, "shape": e.shape, "record": e.record} for e in entries]
            (partial / "index.json").write_text(json.dumps(listed), encoding="utf-8")
    except (OSError, OutputError) as error:
        if not (target / "index.json").is_file():
            reason = getattr(error, "strerror", None) or error
            raise OutputError(f"Cannot keep decoded frames in {folder}: {reason} Free some space.") from error


def _decode(target: Path, samples: Callable[[], Iterator[Sample]], kind: SampleKind) -> list[CacheEntry]:
    """Write the pixels of all samples, one after another, to a .npy file; those that cannot be decoded are left out."""
    entries: dict[str, CacheEntry] = {}
    bad: dict[str, str] = {}
    end = 0
    for sample in samples():
        try:
            record = sample.record
            entry = CacheEntry(sample.key, end, kind.shape(sample, record), record)
        except (InputError, KeyError, TypeError, ValueError) as error:
            bad[sample.key] = str(error)
            continue
        entries[sample.key] = entry
        end += int(np.prod(entry.shape))
    logger.info("Decoding %d %s once (%.1f GB) ...", len(entries), kind.name, end / 1e9)
    pixels = np.lib.format.open_memmap(target, "w+", np.uint8, (max(end, 1),))
    _reserve(target)

    def work(sample: Sample) -> None:
        entry = entries.get(sample.key)
        if entry is None:
            return
        try:
            part = pixels[entry.offset : entry.offset + int(np.prod(entry.shape))]
            kind.decode(sample, part.reshape(entry.shape))
        except InputError as error:
            bad[sample.key] = str(error)

    for _ in bounded_map(work, samples(), usable_cores()):
        pass
    pixels.flush()
    _warn(bad, kind)
    return [entry for entry in entries.values() if entry.key not in bad]


def _reserve(file: Path) -> None:
    """Allocate the disk space of a file now: a mapped file that finds none while it is written crashes the process."""
    if hasattr(os, "posix_fallocate"):
        with file.open("r+b") as opened:
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)


def _warn(bad: dict[str, str], kind: SampleKind) -> None:
    if bad:
        named = "; ".join(f"{key}: {problem}" for key, problem in sorted(bad.items())[:MOST_NAMED])
        more = f"; and {len(bad) - MOST_NAMED} more" if len(bad) > MOST_NAMED else ""
        logger.warning("%d %s cannot be used and are left out: %s%s", len(bad), kind.name, named, more)
