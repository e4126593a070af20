"""Second look at videos that are compared: the windows of faces are cut out of all of them and examined."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from streamdeblur.errors import OptionError
from streamdeblur.evaluation.cases import Case, Image
from streamdeblur.evaluation.comparing.faces import RUN, Faces, Sighting
from streamdeblur.evaluation.comparing.footage import Moment, in_step
from streamdeblur.evaluation.evaluate import Evaluated
from streamdeblur.evaluation.evaluator import Examiner
from streamdeblur.evaluation.metrics.fidelity import psnr
from streamdeblur.evaluation.metrics.temporal import Stability, stability
from streamdeblur.evaluation.results import Result, Results
from streamdeblur.faces.window import CROP_SIZE, crop_region
from streamdeblur.video.planes import Planes

SHARP = "sharp"
"""Name of the sharp video's pictures."""


def video_names(videos: Sequence[Path]) -> list[str]:
    """What videos are called in a report: their file names, or their paths where two have the same one.

    Raises:
        OptionError: a video is given twice, or is called as the sharp one's pictures are.
    """
    names = [video.name for video in videos]
    if len(set(names)) < len(names):
        names = [str(video) for video in videos]
    for name in names:
        if names.count(name) > 1:
            raise OptionError(f"{name} is given twice.")
        if name == SHARP:
            raise OptionError(f"No video can be called '{SHARP}': rename it, such as to {SHARP}.mp4.")
    return names


def compare(
    faces: Faces,
    examiner: Examiner,
    limit: int | None = 100,
    pictures: Results | None = None,
    on_progress: Callable[[int, int], object] | None = None,
) -> Evaluated:
    """Read the videos again and examine so many of the faces: the same windows of 256 px in each video and in the sharp one.

    What is more than the figures of a face: PSNR of the whole frames; and whether faces flicker (`Stability`), measured in
    windows that stand still for half a second. A window that followed the face would bring the jitter of the tracker into the
    figure, and in a whole frame the background, which nobody restores, would hide the face.

    Neighbouring frames are not independent of each other: the faces of a second are one group. The first video is what the others
    are tested against.

    pictures: keeps the pictures of these faces, as a report shows them.
    `on_progress` is called with the frames read so far and how many there are.

    Raises:
        InputError: a video cannot be read.
        OutputError: the pictures cannot be written.
    """
    look = _Look(faces, examiner, pictures)
    wanted, beginnings = _by_frame(faces.spread(limit)), _by_frame(faces.runs())
    for done, moment in enumerate(in_step(faces.sharp, faces.others), 1):
        look.examine(moment, wanted.get(moment.number, []))
        look.follow(moment, beginnings.get(moment.number, []))
        if on_progress is not None:
            on_progress(done, faces.matched)
    return Evaluated(
        look.title,
        marked=False,
        comparisons=[],
        results=look.results,
        steadiness=look.steadiness,
        baseline=look.names[0],
        grouped_by="seconds of the video",
    )


def _by_frame(sightings: Iterable[Sighting]) -> dict[int, list[Sighting]]:
    found = defaultdict[int, list[Sighting]](list)
    for sighting in sightings:
        found[sighting.number].append(sighting)
    return found


class _Look:
    """What is found while the videos are read."""

    def __init__(self, faces: Faces, examiner: Examiner, pictures: Results | None) -> None:
        self._examiner, self._pictures = examiner, pictures
        self._runs: list[_Run] = []
        self.title = f"faces of {faces.sharp.name}"
        self.names = video_names(faces.others)
        self.results: dict[str, list[Result]] = {name: [] for name in self.names}
        self.steadiness: dict[str, list[Stability]] = {name: [] for name in self.names}

    def examine(self, moment: Moment, sightings: Sequence[Sighting]) -> None:
        """Take the figures of these faces, which are seen now."""
        if not sightings:
            return
        whole = _whole(moment.sharp)
        figures = {name: {"frame": psnr(_whole(planes), whole)} for name, planes in self._others(moment)}
        for sighting in sightings:
            sharp = _cut(moment.sharp, sighting)
            # (nobody restores this case: the videos are what was made of it, elsewhere)
            case = Case(sighting.name, sharp, sharp, f"second {int(sighting.seconds)}")
            self._keep(case, SHARP, sharp)
            for name, planes in self._others(moment):
                self._examine(case, name, _cut(planes, sighting), figures[name])

    def _examine(self, case: Case, name: str, face: Image, more: dict[str, float]) -> None:
        figures, _ = self._examiner(case, face, self._examiner.truth(case))
        fingerprint = self._examiner.fingerprint
        self.results[name].append(
            Result(self.title, case.name, case.group, "", case.digest, name, "", fingerprint, figures | more)
        )
        self._keep(case, name, face)

    def _keep(self, case: Case, name: str, face: Image) -> None:
        if self._pictures:
            self._pictures.write_picture(self._pictures.picture(self.title, case.name, name), face)

    def follow(self, moment: Moment, sightings: Sequence[Sighting]) -> None:
        """Go on with the runs that have begun, and begin those of these faces."""
        self._runs += [_Run(sighting, self.names) for sighting in sightings]
        for run in self._runs:
            run.add(moment.sharp, self._others(moment))
        for run in [run for run in self._runs if len(run.sharp) == RUN]:
            self._runs.remove(run)
            for name, frames in run.others.items():
                self.steadiness[name].append(stability(frames, run.sharp))

    def _others(self, moment: Moment) -> list[tuple[str, Planes]]:
        return list(zip(self.names, moment.others, strict=True))


class _Run:
    """A window that stands still, in frames one after the other."""

    def __init__(self, place: Sighting, names: Sequence[str]) -> None:
        self._place = place
        self.sharp: list[Image] = []
        self.others: dict[str, list[Image]] = {name: [] for name in names}

    def add(self, sharp: Planes, others: Iterable[tuple[str, Planes]]) -> None:
        self.sharp.append(_cut(sharp, self._place))
        for name, planes in others:
            self.others[name].append(_cut(planes, self._place))


def _cut(planes: Planes, place: Sighting) -> Image:
    out = np.empty((CROP_SIZE, CROP_SIZE, 3), np.uint8)
    return crop_region(planes, place.left, place.top, place.side, place.side, out)


def _whole(planes: Planes) -> Image:
    out = np.empty((planes.height, planes.width, 3), np.uint8)
    return crop_region(planes, 0, 0, planes.width, planes.height, out)
