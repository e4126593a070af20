"""Stills: sharp faces from a folder of pictures, one square crop of 256 px per face."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.detect import Detector
from streamdeblur.faces.window import CROP_SIZE, WINDOW_SCALE, crop_region
from streamdeblur.training.datasets.clip_windows import largest_scale, place_square
from streamdeblur.training.datasets.dataset_assembly import BuildArguments, make_data_set
from streamdeblur.training.datasets.duplicates import perceptual_hash
from streamdeblur.training.datasets.face_detection import open_finder, redetect, shared_detector
from streamdeblur.training.datasets.face_quality import sharpness
from streamdeblur.training.datasets.identities import Identities, Identity
from streamdeblur.training.datasets.options import StillsOptions
from streamdeblur.training.datasets.part_tasks import PartTask, part_name
from streamdeblur.training.datasets.pictures import PICTURES, decode_picture, jpeg_bytes
from streamdeblur.training.datasets.shards import Sample, json_bytes
from streamdeblur.training.datasets.source_files import SourceFile, find_files, sources_sample
from streamdeblur.training.datasets.splits import split_of
from streamdeblur.video.planes import array_planes

CHUNK = 64
"""Pictures of one part: what an interruption loses."""

Picture = tuple[Path, str, Identity]
"""File, its path in the folder, and whom it shows."""
Found = tuple[int, NDArray[np.uint8], dict[str, Any]]
"""Rank of a face by its size in the picture, its crop (uint8 RGB [256, 256, 3]), and its record."""


def build_stills(
    pictures: Path,
    out: Path,
    options: StillsOptions | None = None,
    *,
    identities: Identities | None = None,
    **build: Unpack[BuildArguments],
) -> dict[str, Any]:
    """Make a data set of sharp faces from pictures.

    Interruptions, duplicates, bad files and held-out people are treated as by `build_clips`.

    Args:
        pictures: A folder of pictures with its subfolders.
        out: Folder of the data set.
        options: Which faces are kept; None for the defaults.
        identities: Whom each file shows; None takes the first subfolder, or else the file, for a person.
        build: See `BuildArguments`.

    Returns:
        The summary, which is also in ``out/dataset.json``.

    Raises:
        InputError: There are no pictures, or none of them can be used.
        OutputError: `out` holds something else, or cannot be written.
        DetectorError: The detector cannot be opened.
    """
    options = options or StillsOptions()
    root, files = find_files(pictures, PICTURES, out)
    if not options.cropped:
        shared_detector(options.detector)
    known = identities or Identities()
    tasks = []
    for begin in range(0, len(files), CHUNK):
        chunk = files[begin : begin + CHUNK]
        given = [(file, file.relative_to(root).as_posix(), known.of(file.relative_to(root))) for file in chunk]
        names = [[identity.name, identity.source] for _, _, identity in given]
        part = part_name(chunk, root, [options.of_parts, names])
        title = f"{begin + len(chunk)} of {len(files)} pictures"
        tasks.append(PartTask(part, title, partial(stills_of_pictures, given, options), partial(_failed, given)))
    return make_data_set(
        out,
        "stills",
        tasks,
        split=lambda source: split_of(source.person, options.held_out),
        settings={"held_out": options.held_out},
        **build,
    )


def _failed(pictures: Sequence[Picture], problem: str) -> list[Sample]:
    return [sources_sample([SourceFile(name, person=identity.name, problem=problem) for _, name, identity in pictures])]


def stills_of_pictures(pictures: Sequence[Picture], options: StillsOptions) -> Iterator[Sample]:
    """Make the part of some pictures: their faces, and what became of each. A picture that cannot be used is no error."""
    sources: list[SourceFile] = []
    for path, name, identity in pictures:
        source = SourceFile(name, person=identity.name)
        sources.append(source)
        with source.noting_problems():
            content = path.read_bytes()
            source.sha256 = hashlib.sha256(content).hexdigest()
            if any(earlier.sha256 == source.sha256 for earlier in sources[:-1]):
                # a part has each key once; duplicates are counted with those of other parts
                continue
            found = _cropped(content, source, options) if options.cropped else _faces(content, source, options)
            for rank, picture, record in found:
                yield _sample(picture, record, source, identity, rank)
    yield sources_sample(sources)


def _sample(picture: NDArray[np.uint8], record: dict[str, Any], source: SourceFile, identity: Identity, rank: int) -> Sample:
    key = f"{source.sha256[:16]}_{rank:03d}"
    source.items.append({"key": key, **{name: record[name] for name in ("hashes", "loose_hashes") if name in record}})
    about = {
        "source": source.file,
        "source_sha256": source.sha256,
        # the largest face is the named person; the others are somebody else
        "identity": identity.name if rank == 0 else f"{identity.name}#{rank + 1}",
        "identity_from": identity.source,
    }
    return Sample(key, {"jpg": jpeg_bytes(picture), "json": json_bytes(record | about)})


def _cropped(content: bytes, source: SourceFile, options: StillsOptions) -> Iterator[Found]:
    """Take a picture that is a crop already."""
    # the side of the window of the smallest face
    picture = decode_picture(content, CROP_SIZE, smallest=int(min(WINDOW_SCALE * options.min_face, CROP_SIZE)))
    sharp = sharpness(picture)
    if sharp < options.min_sharpness:
        source.drop("faces not sharp enough")
        return
    yield 0, picture, {"sharpness": round(sharp, 1), "hashes": [f"{perceptual_hash(picture):064x}"]}


def _faces(content: bytes, source: SourceFile, options: StillsOptions) -> Iterator[Found]:
    """Crop the faces of a picture, largest first."""
    whole = decode_picture(content)
    height, width = whole.shape[:2]
    planes = array_planes(whole)
    detector = shared_detector(options.detector)
    tracks = open_finder(detector, width, height, options.min_face).update(planes)
    for rank, track in enumerate(sorted(tracks, key=lambda track: -track.size)):
        placed = place_square(track.centre, track.size, WINDOW_SCALE, width, height)
        if placed is None or CROP_SIZE / placed[2] > largest_scale(options.min_face):
            source.drop("faces that fill the picture" if placed is None else "faces too small")
            continue
        left, top, side = placed
        picture = np.empty((CROP_SIZE, CROP_SIZE, 3), np.uint8)
        crop_region(planes, left, top, side, side, picture)
        record = _describe(picture, (track.box - np.tile((left, top), 2)) * CROP_SIZE / side, detector)
        if record is None:
            source.drop("faces that are not certain")
        elif record["sharpness"] < options.min_sharpness:
            source.drop("faces not sharp enough")
        else:
            # two copies of a picture are alike as a whole; their windows are a few pixels apart
            hashes = {"hashes": [f"{perceptual_hash(whole):064x}"], "loose_hashes": [f"{perceptual_hash(picture):064x}"]}
            window = {"face_px": round(track.size, 1), "window": {"left": left, "top": top, "side": side}}
            yield rank, picture, record | hashes | window


def _describe(picture: NDArray[np.uint8], expected: NDArray[np.float64], detector: Detector) -> dict[str, Any] | None:
    """Describe the face of a crop; None where it is not detected in it."""
    face = redetect(picture, expected, detector)
    if face is None:
        return None
    centre = (float(face.box[0] + face.box[2]) / 2, float(face.box[1] + face.box[3]) / 2)
    return {
        "box": np.round(face.box, 1).tolist(),
        "landmarks": None if face.landmarks is None else np.round(face.landmarks, 1).tolist(),
        "sharpness": round(sharpness(picture, centre, WINDOW_SCALE * face.size / CROP_SIZE), 1),
    }
