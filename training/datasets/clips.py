"""Clips: from any folder of videos to shards of face clips (the paper's 2MF2, Sec. 4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from streamdeblur.jobs.batch import VIDEO_SUFFIXES
from streamdeblur.training.datasets.clip_encoding import FOUND, ClipMaker, ClipPlan, make_clips
from streamdeblur.training.datasets.clip_windows import clip_windows, largest_scale
from streamdeblur.training.datasets.dataset_assembly import BuildArguments, make_data_set
from streamdeblur.training.datasets.face_detection import shared_detector
from streamdeblur.training.datasets.identities import Identities, Identity
from streamdeblur.training.datasets.options import ClipsOptions
from streamdeblur.training.datasets.part_tasks import PartTask, part_name
from streamdeblur.training.datasets.pixel_cache import digest_of
from streamdeblur.training.datasets.shards import Sample, json_bytes
from streamdeblur.training.datasets.source_files import SourceFile, find_files, sources_sample
from streamdeblur.training.datasets.splits import split_of
from streamdeblur.training.datasets.tracks import Survey, survey


def build_clips(
    videos: Path,
    out: Path,
    options: ClipsOptions | None = None,
    *,
    identities: Identities | None = None,
    **build: Unpack[BuildArguments],
) -> dict[str, Any]:
    """Make a data set of face clips from videos.

    A build that was interrupted continues where it stopped; one that is complete is not made again. The same videos and options
    give the same shards, byte by byte, whatever the number of workers. Files that cannot be used are listed in the summary.

    Args:
        videos: A video, or a folder of them with its subfolders.
        out: Folder of the data set.
        options: Which faces are kept; None for the defaults.
        identities: Whom each file shows; None takes the first subfolder, or else the file, for a person.
        build: See `BuildArguments`.

    Returns:
        The summary, which is also in ``out/dataset.json``.

    Raises:
        InputError: There are no videos, or none of them can be used.
        OutputError: `out` holds something else, or cannot be written.
        DetectorError: The detector cannot be opened.
    """
    options = options or ClipsOptions()
    root, files = find_files(videos, VIDEO_SUFFIXES, out)
    shared_detector(options.detector)
    tasks = []
    for file in files:
        name = file.relative_to(root)
        identity = (identities or Identities()).of(name)
        part = part_name([file], root, [options.of_parts, identity.name, identity.source])
        work = partial(clips_of_video, file, name.as_posix(), identity, options)
        tasks.append(PartTask(part, str(name), work, partial(_failed, name.as_posix(), identity)))
    return make_data_set(
        out,
        "clips",
        tasks,
        split=lambda source: split_of(source.person, options.held_out),
        settings={"held_out": options.held_out},
        **build,
    )


def _failed(name: str, identity: Identity, problem: str) -> list[Sample]:
    return [sources_sample([SourceFile(name, person=identity.name, problem=problem)])]


def clips_of_video(path: Path, name: str, identity: Identity, options: ClipsOptions) -> Iterator[Sample]:
    """Make the part of one video: its clips, and what became of it. A video that cannot be used is no error."""
    source = SourceFile(name, person=identity.name)
    with source.noting_problems():
        source.sha256 = digest_of([path])
        yield from _clips(path, source, identity, options)
    yield sources_sample([source])


def _clips(path: Path, source: SourceFile, identity: Identity, options: ClipsOptions) -> Iterator[Sample]:
    detector = shared_detector(options.detector)
    found = survey(path, detector, options.min_face)
    cuts = _cuts(found, options, source)
    people = _people(cuts)
    for number, maker in make_clips(path, found, cuts, detector):
        encoded = maker.encoded()
        reason = _unwanted(maker, options)
        if reason:
            source.drop(reason)
            continue
        person = people[number]
        record = maker.record() | {
            "source": source.file,
            "source_sha256": source.sha256,
            "identity": identity.name if person == 1 else f"{identity.name}#{person}",
            "identity_from": identity.source,
        }
        key = f"{source.sha256[:16]}_{number:03d}"
        source.items.append({"key": key, "hashes": record["hashes"]})
        yield Sample(key, {"json": json_bytes(record), "mp4": encoded})


def _cuts(found: Survey, options: ClipsOptions, source: SourceFile) -> list[ClipPlan]:
    """What to cut from a video: windows that are large and long enough. The others are counted in `source`."""
    cuts = []
    for run in found.runs:
        windows = clip_windows(run.boxes, run.begin, found.picture)
        large = [window for window in windows if window.scale <= largest_scale(options.min_face)]
        if not large:
            source.drop("faces too small" if windows else "faces that fill the frame")
        for window in large:
            if sum(n not in found.repeated for n in range(window.begin, window.end)) < options.min_frames:
                source.drop("runs too short")
            else:
                boxes = np.array(run.boxes[window.begin - run.begin : window.end - run.begin])
                cuts.append(ClipPlan(window, boxes, run.track))
    return cuts


def _unwanted(maker: ClipMaker, options: ClipsOptions) -> str:
    """Return why a clip is not kept; '' where it is."""
    if maker.found < FOUND:
        return "runs without a certain face"
    return "runs not sharp enough" if maker.sharp < options.min_sharpness else ""


def _people(cuts: Sequence[ClipPlan]) -> list[int]:
    """Number the person of each clip: 1 for the largest face at its time, others for those beside it.

    The identity of a file is that of its largest face; who is visible at the same time as a larger face is somebody else.
    """
    numbers = [0] * len(cuts)
    for n in sorted(range(len(cuts)), key=lambda n: (-cuts[n].window.face, n)):
        window = cuts[n].window
        taken = {
            numbers[m]
            for m, other in enumerate(cuts)
            if other.track != cuts[n].track and other.window.begin < window.end and window.begin < other.window.end
        }
        numbers[n] = next(number for number in range(1, len(cuts) + 1) if number not in taken)
    return numbers
