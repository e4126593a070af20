"""Second pass over compared videos: the windows of detected faces are cropped from all of them and measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from streamdeblur.errors import OptionError
from streamdeblur.evaluation.cases import Case, Image, Neighbours, Run
from streamdeblur.evaluation.comparison.faces import SEQUENCE_LENGTH, DetectedFace, DetectedFaces
from streamdeblur.evaluation.comparison.synchronised import SynchronisedFrames, synchronised_frames
from streamdeblur.evaluation.evaluate import ProtocolResults
from streamdeblur.evaluation.evaluator import Evaluator, Metrics
from streamdeblur.evaluation.metrics.fidelity import psnr
from streamdeblur.evaluation.metrics.flicker import Flicker, FlickerMeter
from streamdeblur.evaluation.metrics.temporal import TemporalStability, temporal_stability
from streamdeblur.evaluation.results import FaceResult, ResultFolder
from streamdeblur.faces.window import CROP_SIZE, crop_region, whole_picture
from streamdeblur.video.planes import Planes

SHARP = "sharp"
"""Name of the sharp video's pictures."""


def video_names(videos: Sequence[Path]) -> list[str]:
    """Name the videos of a report: their file names, or their paths if two have the same one.

    Raises:
        OptionError: A video is given twice, or has the name of the sharp one's pictures.
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


def check_videos(videos: Sequence[Path], reference: Path | None) -> None:
    """Refuse a single video without anything to compare it with.

    Raises:
        OptionError: There is one video, and no sharp one.
    """
    if len(videos) == 1 and reference is None:
        blurred = videos[0]
        raise OptionError(
            f"{blurred} alone can be compared with nothing. Give a restored video, too: streamdeblur compare {blurred} "
            f"restored{blurred.suffix}; or the sharp one of the same scene: --reference sharp{blurred.suffix}."
        )


def compare(
    faces: DetectedFaces,
    evaluator: Evaluator,
    limit: int | None = 100,
    pictures: ResultFolder | None = None,
    on_progress: Callable[[int, int], object] | None = None,
) -> ProtocolResults:
    """Read the videos again and measure some of the faces: the same windows, scaled to 256 px, of each video and the sharp one.

    Three metrics are added to those of a face: the PSNR of whole frames, and temporal stability and flicker, measured in windows
    that do not move for half a second. (A window that followed the face would add the jitter of the tracker, and in a whole frame
    the background, which is not restored, would hide the face.) Flicker is also given relative to that of the first video.

    Without a sharp video, the faces are those of the first one, and only what needs no reference is measured: flicker against a
    smoothed track, and how sharp faces look.

    Neighbouring frames are not independent of each other, so the faces of one second form a group. The others are tested
    against the first video.

    Args:
        faces: The detected faces (`find_faces`).
        evaluator: Measures the faces.
        limit: Number of faces at most, spread evenly over the video; None measures all.
        pictures: Stores the pictures of these faces, as a report shows them.
        on_progress: Called with the number of frames read and their total.

    Raises:
        InputError: A video cannot be read.
        OutputError: The pictures cannot be written.
    """
    run = _ComparisonRun(faces, evaluator, pictures)
    measured, sequence_starts = _by_frame(faces.spread(limit)), _by_frame(faces.sequence_starts())
    for done, frames in enumerate(synchronised_frames(faces.sharp, faces.others), 1):
        run.measure(frames, measured.get(frames.number, []))
        run.extend_sequences(frames, sequence_starts.get(frames.number, []))
        if on_progress is not None:
            on_progress(done, faces.matched)
    return ProtocolResults(
        run.title,
        annotated=False,
        comparisons=[],
        results=run.results,
        stabilities=run.stabilities,
        flickers=run.flickers,
        baseline=run.names[0],
        grouped_by="seconds of the video",
    )


def _by_frame(detections: Iterable[DetectedFace]) -> dict[int, list[DetectedFace]]:
    found = defaultdict[int, list[DetectedFace]](list)
    for detection in detections:
        found[detection.number].append(detection)
    return found


class _ComparisonRun:
    """The state of one comparison while the videos are read."""

    def __init__(self, faces: DetectedFaces, evaluator: Evaluator, pictures: ResultFolder | None) -> None:
        self._evaluator, self._pictures = evaluator, pictures
        self._sequences: list[_CropSequence] = []
        self._reference = faces.reference
        self.title = f"faces of {faces.sharp.name}{'' if faces.reference else ', without a sharp video'}"
        self.names = video_names(faces.others)
        self.results: dict[str, list[FaceResult]] = {name: [] for name in self.names}
        self.stabilities: dict[str, list[TemporalStability]] = {name: [] for name in self.names}
        self.flickers: dict[str, list[Flicker]] = {name: [] for name in self.names}
        self._meter = FlickerMeter(evaluator.detectors.get("landmarks"))

    def measure(self, frames: SynchronisedFrames, detections: Sequence[DetectedFace]) -> None:
        """Measure the faces that were detected in these frames."""
        if not detections:
            return
        frame_metrics: dict[str, Metrics] = {name: {} for name in self.names}
        if self._reference:
            whole = whole_picture(frames.sharp)
            frame_metrics = {name: {"frame": psnr(whole_picture(planes), whole)} for name, planes in self._named(frames)}
        for detection in detections:
            shown, group = _crop(frames.sharp, detection), f"second {int(detection.seconds)}"
            if self._reference:
                # The videos were restored elsewhere: the blurry face is unknown, and not used.
                case = Case(detection.name, shown, shown, group)
                self._store_picture(case, SHARP, shown)
            else:
                case = Case(detection.name, shown, None, group, neighbours=Neighbours())
            for name, planes in self._named(frames):
                self._measure_face(case, name, _crop(planes, detection), frame_metrics[name])

    def _measure_face(self, case: Case, name: str, face: Image, frame_metrics: Metrics) -> None:
        metrics = self._evaluator(case, face).metrics
        result = FaceResult(
            self.title, case.name, case.group, "", case.digest, name, "", self._evaluator.fingerprint, metrics | frame_metrics
        )
        self.results[name].append(result)
        self._store_picture(case, name, face)

    def _store_picture(self, case: Case, name: str, face: Image) -> None:
        if self._pictures:
            self._pictures.write_picture(self._pictures.picture(self.title, case.name, name), face)

    def extend_sequences(self, frames: SynchronisedFrames, starts: Sequence[DetectedFace]) -> None:
        """Add these frames to the sequences that have begun and to those that begin here."""
        self._sequences += [_CropSequence(start, self.names) for start in starts]
        for sequence in self._sequences:
            sequence.add(frames.sharp, self._named(frames))
        for sequence in [sequence for sequence in self._sequences if len(sequence.sharp) == SEQUENCE_LENGTH]:
            self._sequences.remove(sequence)
            shown = sequence.run(self.names[0], reference=self._reference)
            for name, crops in sequence.others.items():
                if self._reference:
                    self.stabilities[name].append(temporal_stability(crops, sequence.sharp))
                self.flickers[name].append(self._meter(shown, crops))

    def _named(self, frames: SynchronisedFrames) -> list[tuple[str, Planes]]:
        return list(zip(self.names, frames.others, strict=True))


class _CropSequence:
    """The crops of one window that does not move, in consecutive frames of all videos."""

    def __init__(self, window: DetectedFace, names: Sequence[str]) -> None:
        self._window = window
        self.sharp: list[Image] = []
        self.others: dict[str, list[Image]] = {name: [] for name in names}

    def add(self, sharp: Planes, others: Iterable[tuple[str, Planes]]) -> None:
        self.sharp.append(_crop(sharp, self._window))
        for name, planes in others:
            self.others[name].append(_crop(planes, self._window))

    def run(self, blurred: str, *, reference: bool) -> Run:
        """The crops as a run, whose blurry frames are those of this video; its sharp ones are known with a reference."""
        group = f"second {int(self._window.seconds)}"
        pairs = zip(self.others[blurred], self.sharp, strict=True)
        return [
            Case(f"{self._window.name}/{n}", blurry, sharp if reference else None, group)
            for n, (blurry, sharp) in enumerate(pairs)
        ]


def _crop(planes: Planes, window: DetectedFace) -> Image:
    out = np.empty((CROP_SIZE, CROP_SIZE, 3), np.uint8)
    return crop_region(planes, window.left, window.top, window.side, window.side, out)
