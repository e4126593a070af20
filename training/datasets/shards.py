"""Shards: tar files of samples in the layout of WebDataset, the same bytes for the same samples, complete or absent.

A sample is a group of files with one key and different suffixes (``3fa1c2_000.mp4``, ``3fa1c2_000.json``). Any reader of
WebDataset reads them; they are written and read here with the standard library, so that data sets are made without torch.
"""

from __future__ import annotations

import io
import json
import logging
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from streamdeblur.errors import InputError, OutputError
from streamdeblur.files import make_folder
from streamdeblur.partial_file import PartialFile

logger = logging.getLogger(__name__)

SHARD_BYTES = 500_000_000
"""A shard is closed when its samples hold this much; one that is read from a hard disk is then one long read."""

PARTS = ".parts"
"""Folder of the finished parts, in that of a data set that is being made."""
SUMMARY = "dataset.json"
"""File in the folder of a finished data set: its sources and its content."""


@dataclass(frozen=True)
class Sample:
    """Files that belong together."""

    key: str
    """Name without suffix; without dots, as WebDataset takes everything after the first dot for the suffix."""
    files: Mapping[str, bytes]
    """Content by suffix ('mp4', 'json')."""

    def __post_init__(self) -> None:
        if not self.key or "." in self.key or self.key.startswith("__"):
            raise ValueError(f"A sample's key has no dots and does not begin with '__' (got '{self.key}').")

    @property
    def record(self) -> dict[str, Any]:
        """The content of the sample's JSON. Raises InputError where it has none, or none that can be read."""
        try:
            record = json.loads(self.files["json"])
        except (KeyError, ValueError):
            raise InputError(f"Sample {self.key} has no JSON that can be read.") from None
        if not isinstance(record, dict):
            raise InputError(f"The JSON of sample {self.key} is not an object.")
        return record

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(map(len, self.files.values()))


def json_bytes(record: Mapping[str, Any]) -> bytes:
    """Encode a record as JSON in UTF-8, the same bytes for the same content."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
    # what stands for the bytes of a file name that is not UTF-8 becomes an escape of JSON
    return text.encode("utf-8", "backslashreplace")


class TarFile:
    """One tar file, written beside its name and renamed when complete; on an error nothing is left."""

    def __init__(self, target: Path) -> None:
        """Open the file. Raises OutputError where it cannot be written."""
        self.target = target
        make_folder(target.parent)
        self._partial = PartialFile(target)
        self._file = self._partial.path.open("wb")
        self._tar = tarfile.TarFile(mode="w", fileobj=self._file, format=tarfile.USTAR_FORMAT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            if kind is None:
                self._tar.close()
                self._file.close()
                self._partial.complete()
        except OSError as failure:
            raise self._failed(failure) from failure
        finally:
            # after a write that failed, closing fails again: the first error is the one to report
            with suppress(OSError):
                self._file.close()
            self._partial.discard()

    def write(self, sample: Sample) -> None:
        """Append the files of a sample. Raises OutputError (a full disk)."""
        for suffix, content in sorted(sample.files.items()):
            # a new TarInfo has no owner and the time 0, so the bytes depend on the samples alone
            entry = tarfile.TarInfo(f"{sample.key}.{suffix}")
            entry.size, entry.mode = len(content), 0o644
            try:
                self._tar.addfile(entry, io.BytesIO(content))
            except OSError as failure:
                raise self._failed(failure) from failure

    def _failed(self, failure: OSError) -> OutputError:
        return OutputError(f"Cannot write {self.target}: {failure.strerror or failure}.")


def write_shards(folder: Path, name: str, samples: Iterable[Sample], shard_bytes: int = SHARD_BYTES) -> list[Path]:
    """Write samples in their order to ``folder/name-00000.tar`` and so on.

    Where shards begin depends on the samples alone. Each appears under its name when it is complete.

    Args:
        folder: Folder of the shards.
        name: Beginning of their names.
        samples: The samples.
        shard_bytes: A shard is closed when its samples hold this much.

    Returns:
        The shards.

    Raises:
        OutputError: The folder cannot be written.
    """
    shards: list[Path] = []
    iterator = iter(samples)
    waiting = next(iterator, None)
    while waiting is not None:
        target = folder / f"{name}-{len(shards):05d}.tar"
        held = 0
        with TarFile(target) as tar:
            while waiting is not None and (held == 0 or held + waiting.size <= shard_bytes):
                tar.write(waiting)
                held += waiting.size
                waiting = next(iterator, None)
        shards.append(target)
    return shards


def read_samples(shard: Path, *suffixes: str) -> Iterator[Sample]:
    """Read the samples of a shard in their order; where it is cut off or damaged, a warning is logged and the rest is left out.

    Args:
        shard: The tar file.
        suffixes: Read only files with these; none reads all.

    Raises:
        InputError: It is not a tar file, or cannot be read.
    """
    key, files = "", dict[str, bytes]()
    for name, content in _members(shard, suffixes):
        stem, _, suffix = name.partition(".")
        if stem != key and files:
            yield Sample(key, files)
            files = {}
        key = stem
        files[suffix.lower()] = content
    if files:
        yield Sample(key, files)


def read_sample(shard: Path, key: str) -> Sample:
    """Read one sample of a shard; of the others only the headers. Raises InputError where it is not in it."""
    try:
        with tarfile.open(shard, "r:") as tar:
            entries = [entry for entry in tar if entry.name.partition(".")[0] == key]
            contents = [(entry.name.partition(".")[2], tar.extractfile(entry)) for entry in entries]
            files = {suffix: content.read() for suffix, content in contents if content is not None}
    except (OSError, tarfile.TarError) as error:
        raise InputError(f"Cannot read {shard}: {error}.") from None
    if not files:
        raise InputError(f"{shard} has no sample {key}.")
    return Sample(key, files)


def _members(shard: Path, suffixes: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    try:
        with shard.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for entry in tar:
                if not entry.isreg() or "." not in entry.name or entry.name.startswith(("__", ".")):
                    continue
                if suffixes and entry.name.partition(".")[2].lower() not in suffixes:
                    continue
                content = tar.extractfile(entry)
                data = content.read() if content is not None else b""
                if len(data) < entry.size:
                    raise tarfile.ReadError("unexpected end of data")
                yield entry.name, data
            # tarfile takes a damaged header for the end
            file.seek(tar.offset)
            if not _is_end(file):
                raise tarfile.ReadError("no end of the archive where one was expected")
    except tarfile.ReadError as error:
        if shard.stat().st_size and not tarfile.is_tarfile(shard):
            raise InputError(f"{shard} is not a tar file.") from None
        logger.warning("%s is cut off or damaged (%s): what follows is left out", shard, error)
    except OSError as error:
        raise InputError(f"Cannot read {shard}: {error.strerror or error}.") from None


def _is_end(file: BinaryIO) -> bool:
    """Whether what follows in a tar file ends it: two blocks of zeros, and nothing else behind them."""
    block = file.read(2 * tarfile.BLOCKSIZE)
    ends = len(block) == 2 * tarfile.BLOCKSIZE
    while ends and block:
        ends, block = not any(block), file.read(1 << 20)
    return ends


def find_shards(path: Path) -> list[Path]:
    """Find the shards of a data set.

    Args:
        path: A tar file, a folder of them, or the folder of a data set with one split.

    Raises:
        InputError: There are none, there are two splits and none was named, or the data set is not complete.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"No such file or folder: {path}.")
    for folder in (path, path.parent):
        if (folder / PARTS).is_dir() and not (folder / SUMMARY).exists():
            raise InputError(f"{folder} is not complete: its making was interrupted. Run the same command again to finish it.")
    own = shards_in(path)
    if own:
        return own
    splits = {folder: shards_in(folder) for folder in sorted(path.iterdir()) if folder.is_dir() and shards_in(folder)}
    if len(splits) > 1:
        raise InputError(f"{path} has several splits: name one of {', '.join(map(str, splits))}.")
    return next(iter(splits.values()), [])


def shards_in(folder: Path) -> list[Path]:
    """Return the shards that lie in a folder itself, in order; [] where there is no such folder."""
    return sorted(shard for shard in folder.glob("*.tar") if not shard.name.startswith("."))
