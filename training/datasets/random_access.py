"""Random access to data sets: stills, clips and pairs by index, without decoding."""

from __future__ import annotations

import csv
import hashlib
import io
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, Self, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import InputError
from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.training.datasets.pictures import PICTURES, decode_picture
from streamdeblur.training.datasets.pixel_cache import CacheEntry, PixelCache, SampleKind, digest_of, open_pixel_cache
from streamdeblur.training.datasets.shards import Sample, find_shards, json_bytes, read_samples

Item = TypeVar("Item")


class Store(Sequence[Item], Generic[Item]):
    """Items of several decoded shards, in the order of the shards."""

    def __init__(self, shards: Sequence[PixelCache]) -> None:
        self._shards = list(shards)
        self._entries = [(shard, entry) for shard in shards for entry in shard.entries]

    def __reduce__(self) -> tuple[type[Self], tuple[list[PixelCache]]]:
        return type(self), (self._shards,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} entries)"

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        """Return the item at an index (negative ones count from the end); a slice gives a list."""
        if isinstance(index, slice):
            return [self._item(shard, entry) for shard, entry in self._entries[index]]
        return self._item(*self._entries[index])

    @abstractmethod
    def _item(self, shard: PixelCache, entry: CacheEntry) -> Item: ...

    @property
    def keys(self) -> list[str]:
        """Key of each entry's sample."""
        return [entry.key for _, entry in self._entries]

    @property
    def records(self) -> list[dict[str, Any]]:
        """Record of each entry (the JSON of its sample)."""
        return [entry.record for _, entry in self._entries]

    @property
    def identities(self) -> list[str]:
        """Identity of each entry; '' where it is not known."""
        return [str(record.get("identity") or "") for record in self.records]

    @property
    def digest(self) -> str:
        """Tells what it holds: a digest of the content of its files, in their order, wherever they lie."""
        return hashlib.sha256("".join(shard.digest for shard in self._shards).encode()).hexdigest()


class Stills(Store[NDArray[np.uint8]]):
    """``stills[i]``: a sharp face, a read-only view uint8 RGB [256, 256, 3]."""

    def _item(self, shard: PixelCache, entry: CacheEntry) -> NDArray[np.uint8]:
        return shard.pixels(entry)

    @property
    def sharpness(self) -> NDArray[np.float32]:
        """Variance of the Laplacian of each face, float32 [N]; NaN where it was not measured."""
        return np.array([record.get("sharpness", np.nan) for record in self.records], np.float32)


@dataclass(frozen=True, eq=False)
class StoredClip:
    """A face over time, in a window that stands still in the source."""

    frames: NDArray[np.uint8] = field(repr=False)
    """uint8 RGB [T, S, S, 3], a read-only view."""
    boxes: NDArray[np.float32] = field(repr=False)
    """float32 [T, 4]: x0, y0, x1, y1 in pixels of the frames."""
    landmarks: NDArray[np.float32] | None = field(repr=False)
    """float32 [T, 5, 2]: eyes, nose, corners of the mouth, in pixels of the frames; None where there are none."""
    sharpness: NDArray[np.float32] = field(repr=False)
    """float32 [T]: variance of the Laplacian of the face in each frame."""
    fps: float
    identity: str
    record: dict[str, Any] = field(repr=False)


class Clips(Store[StoredClip]):
    """``clips[i]``: a `StoredClip`."""

    def __init__(self, shards: Sequence[PixelCache]) -> None:
        super().__init__(shards)
        self._made: dict[int, StoredClip] = {}

    def _item(self, shard: PixelCache, entry: CacheEntry) -> StoredClip:
        # kept: converting the lists of a record may take longer than making a pair
        if id(entry) not in self._made:
            self._made[id(entry)] = self._make(shard, entry)
        return self._made[id(entry)]

    def _make(self, shard: PixelCache, entry: CacheEntry) -> StoredClip:
        record = entry.record
        frames = shard.pixels(entry)
        landmarks = record.get("landmarks")
        return StoredClip(
            frames,
            np.array(record["boxes"], np.float32).reshape(-1, 4),
            None if landmarks is None else np.array(landmarks, np.float32).reshape(-1, 5, 2),
            np.array(record.get("sharpness_of_frames", [np.nan] * len(frames)), np.float32),
            float(record["fps"]),
            str(record.get("identity") or ""),
            record,
        )


class Pairs(Store[tuple[NDArray[np.uint8], NDArray[np.uint8], dict[str, Any]]]):
    """``pairs[i]``: (blurry, sharp, record), the pictures read-only views uint8 RGB [S, S, 3]."""

    def _item(self, shard: PixelCache, entry: CacheEntry) -> tuple[NDArray[np.uint8], NDArray[np.uint8], dict[str, Any]]:
        blurry, sharp = shard.pixels(entry)
        return blurry, sharp, entry.record


def open_stills(path: str | Path) -> Stills:
    """Open the stills that ``streamdeblur dataset stills`` wrote, or a folder of square face crops (JPEG, PNG, WebP, BMP).

    A CSV beside such a folder, under its name (``faces/`` and ``faces.csv``), may give identity and sharpness: columns
    file, identity, sharpness. Pictures of another size than 256 x 256 are cut to their central square and resized. Hidden files
    are left out.

    Raises:
        InputError: There is nothing to open, no entry can be used, or the CSV cannot be read.
        OutputError: There is no folder for the decoded pictures.
    """
    folder = Path(path)
    kind = SampleKind("stills", lambda sample, record: (CROP_SIZE, CROP_SIZE, 3), _decode_still)
    pictures = _pictures_in(folder) if folder.is_dir() else []
    if pictures:
        digest = digest_of([*pictures, *_table(folder)], root=folder.parent)
        samples, of_folder = partial(_samples_of, folder, pictures), replace(kind, name="pictures")
        return _checked(Stills([open_pixel_cache(folder.name, digest, None, samples, of_folder)]), folder, "stills")
    return _checked(Stills(_open(folder, kind)), folder, "stills")


def open_clips(path: str | Path) -> Clips:
    """Open the clips that ``streamdeblur dataset build`` wrote: a data set with one split, a split of it, or one shard.

    Raises:
        InputError: There is nothing to open, or no entry can be used.
        OutputError: There is no folder for the decoded frames.
    """
    kind = SampleKind("clips", lambda sample, record: (record["frames"], record["size"], record["size"], 3), _decode_clip)
    return _checked(Clips(_open(Path(path), kind)), Path(path), "build")


def open_pairs(path: str | Path) -> Pairs:
    """Open the pairs that ``streamdeblur dataset pairs`` wrote.

    Raises:
        InputError: There is nothing to open, or no entry can be used.
        OutputError: There is no folder for the decoded pictures.
    """
    kind = SampleKind("pairs", lambda sample, record: (2, record["size"], record["size"], 3), _decode_pair)
    return _checked(Pairs(_open(Path(path), kind)), Path(path), "pairs")


Opened = TypeVar("Opened", Stills, Clips, Pairs)


def _checked(store: Opened, path: Path, command: str) -> Opened:
    if not len(store):
        raise InputError(f"{path} holds nothing to train with. Make a data set with: streamdeblur dataset {command} INPUT {path}")
    return store


def _open(path: Path, kind: SampleKind) -> list[PixelCache]:
    shards = find_shards(path)
    return [
        open_pixel_cache(shard.stem, digest_of([shard]), shard.parent, partial(read_samples, shard), kind) for shard in shards
    ]


def _file(sample: Sample, *suffixes: str) -> bytes:
    for suffix in suffixes:
        if suffix in sample.files:
            return sample.files[suffix]
    raise InputError(f"no {' or '.join(suffixes)}")


def _decode_still(sample: Sample, out: NDArray[np.uint8]) -> None:
    out[:] = decode_picture(_file(sample, "jpg", "jpeg", "png", "webp", "bmp"), CROP_SIZE)


def _decode_pair(sample: Sample, out: NDArray[np.uint8]) -> None:
    out[0] = decode_picture(_file(sample, "blurry.png"), out.shape[1])
    out[1] = decode_picture(_file(sample, "sharp.png"), out.shape[1])


def _decode_clip(sample: Sample, out: NDArray[np.uint8]) -> None:
    import av

    count = 0
    try:
        with av.open(io.BytesIO(_file(sample, "mp4")), "r") as container:
            container.streams.video[0].codec_context.thread_count = 1
            for count, frame in enumerate(container.decode(video=0), 1):
                picture = frame.to_ndarray(format="rgb24")
                if count > len(out) or picture.shape != out.shape[1:]:
                    raise InputError("frames do not match the JSON")
                out[count - 1] = picture
    except (av.FFmpegError, OSError, IndexError) as error:
        raise InputError(f"cannot be decoded ({error})") from None
    if count != len(out):
        raise InputError(f"{count} frames instead of {len(out)}")


def _table(folder: Path) -> list[Path]:
    table = folder.parent / f"{folder.name}.csv"
    return [table] if table.is_file() else []


def _pictures_in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in PICTURES and not file.name.startswith("."))


def _samples_of(folder: Path, pictures: Sequence[Path]) -> Iterator[Sample]:
    """Read a folder of pictures as samples. Raises InputError where the table beside it cannot be read."""
    about = {file: row for table in _table(folder) for file, row in _read_table(table).items()}
    for number, picture in enumerate(pictures):
        record = {"source": picture.name, "identity": "", **about.get(picture.name, {})}
        # a number tells names that differ in their dots alone
        key = f"{number:06d}_{picture.name.replace('.', '_')}"
        yield Sample(key, {picture.suffix[1:].lower(): picture.read_bytes(), "json": json_bytes(record)})


def _read_table(table: Path) -> dict[str, dict[str, Any]]:
    """Read what a table tells of pictures, by their names: identity, and sharpness where it is given."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            if "file" not in (reader.fieldnames or ()):
                raise InputError(f"{table} lacks the column file: it needs file, and identity or sharpness.")
            return {row["file"]: _described(row, table) for row in reader}
    except OSError as error:
        raise InputError(f"Cannot read {table}: {error.strerror}.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table} is not a CSV file: {error}.") from None


def _described(row: dict[str, str], table: Path) -> dict[str, Any]:
    record: dict[str, Any] = {"identity": (row.get("identity") or "").strip()}
    if row.get("sharpness"):
        try:
            record["sharpness"] = float(row["sharpness"])
        except ValueError:
            raise InputError(f"{table}: the sharpness of {row['file']} is no number (got '{row['sharpness']}').") from None
    return record
