"""Flicker of a restored video: how much its changes from frame to frame differ from those of the sharp video.

The plain change between frames cannot tell flicker from motion that was regained: a sharp video changes more than its blurry one,
because its edges are higher where they move. The *residual* flicker is the change of the restored video minus the change of the
sharp one, pixel by pixel; a perfect restoration has none, however the face moves. The same of landmarks is their velocity error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.evaluation.cases import Image, Points, Run
from streamdeblur.evaluation.metrics.temporal import aligned, flow_targets

FINENESS = 4
"""Factor by which crops are enlarged before their landmarks are detected: dlib rounds points to whole pixels."""
TRACK_FRAMES, TRACK_DEGREE = 7, 2
"""Frames and degree of the polynomials that smooth a track of landmarks (Savitzky and Golay 1964)."""

Track = NDArray[np.float64]
"""float64 [T, 68, 2]: landmarks of consecutive frames, in pixels of the crop."""


@dataclass(frozen=True)
class Flicker:
    """The flicker of one run of restored frames, and that of the blurry ones that it was made from."""

    group: str
    """The clip or picture that the run is of."""
    flicker: float
    """Residual flicker, in code values."""
    blurry_flicker: float
    velocity: float | None
    """Velocity error of the landmarks, in pixels of the crop from one frame to the next; None without a detector."""
    blurry_velocity: float | None
    reference: bool = True
    """Whether the sharp frames are known. Without them, changes are compared with those of a smoothed track."""


def residual_flicker(restored: Sequence[Image], sharp: Sequence[Image]) -> float:
    """Return the mean of ``|change of the restored - change of the sharp|`` over pixels and consecutive frames, in code values.

    Args:
        restored: Frames of the restored video, uint8 RGB [H, W, 3] each.
        sharp: The same frames of the sharp video.

    Raises:
        ValueError: There are fewer than two frames, or the videos differ in length.
    """
    _check(len(restored), len(sharp))
    errors = (one.astype(np.int16) - true for one, true in zip(restored, sharp, strict=True))
    return float(np.mean([np.abs(after - before).mean() for before, after in pairwise(errors)]))


def flicker_along_track(restored: Sequence[Image], blurry: Sequence[Image]) -> float:
    """Return the flicker of a video whose sharp counterpart is unknown, in code values.

    Each pixel is followed to the frames before and after by the optical flow of the blurry video; its flicker is how far it is
    from the mean of the two. Detail that was regained counts as well where the flow is not exact, so that values of videos of
    different sharpness compare only roughly.

    Args:
        restored: Frames of the restored video, uint8 RGB [H, W, 3] each, at least 12 px a side.
        blurry: The same frames of the blurry video.

    Raises:
        ValueError: There are fewer than three frames, or the videos differ in length.
    """
    _check(len(restored), len(blurry), 3)
    forward, backward = list(flow_targets(blurry)), list(flow_targets(blurry[::-1]))[::-1]
    found = []
    for n in range(1, len(restored) - 1):
        before, after = aligned(restored[n - 1], backward[n - 1]), aligned(restored[n + 1], forward[n])
        corner = restored[n].shape[1] - 1, restored[n].shape[0] - 1
        targets = np.concatenate([backward[n - 1], forward[n]], axis=-1)
        inside = ((targets >= 0) & (targets <= 2 * corner)).all(-1)
        found.append(float(np.abs(restored[n] - (before + after) / 2)[inside].mean()))
    return float(np.mean(found))


def velocity_error(track: Track, true: Track) -> float:
    """Return the mean of ``|step of a landmark - its true step|`` from one frame to the next, in pixels.

    Args:
        track: Landmarks of the restored frames.
        true: Those of the sharp frames.

    Raises:
        ValueError: There are fewer than two frames, or the tracks differ in length.
    """
    _check(len(track), len(true))
    return float(np.linalg.norm(np.diff(track, axis=0) - np.diff(true, axis=0), axis=-1).mean())


def smoothed(track: Track) -> Track:
    """Smooth a track by local polynomials: a steady turn stays, jitter goes."""
    frames = min(TRACK_FRAMES, len(track) - 1 + len(track) % 2)
    if frames <= TRACK_DEGREE:
        return track
    # imported here, because it takes most of a second
    from scipy.signal import savgol_filter

    return np.asarray(savgol_filter(track, frames, TRACK_DEGREE, axis=0, mode="interp"), np.float64)


def track_of(frames: Sequence[Image], detector: Callable[[Image], Points]) -> Track:
    """Detect the landmarks of consecutive crops of a face, to a fraction of a pixel."""
    return np.stack([_fine_points(frame, detector) for frame in frames])


def _fine_points(frame: Image, detector: Callable[[Image], Points]) -> Points:
    enlarged = cv2.resize(frame, None, fx=FINENESS, fy=FINENESS, interpolation=cv2.INTER_LINEAR)
    return (detector(np.asarray(enlarged, np.uint8)) + 0.5) / FINENESS - 0.5


def _check(count: int, true_count: int, least: int = 2) -> None:
    if count < least or count != true_count:
        raise ValueError(f"Flicker needs two videos of the same length, of {least} frames or more (got {count}, {true_count}).")


class FlickerMeter:
    """Measures the flicker of restored runs. What does not depend on the method is remembered. Not safe for several threads."""

    def __init__(self, detector: Callable[[Image], Points] | None) -> None:
        """
        Args:
            detector: Landmark detector; without it, velocities are not measured.
        """
        self._detector = detector
        self._known: dict[str, tuple[float, float | None, Track | None]] = {}

    def __call__(self, run: Run, restored: Sequence[Image]) -> Flicker:
        """Measure a run.

        Args:
            run: The exposures that were restored.
            restored: What became of them.
        """
        blurry = [case.blurry for case in run]
        sharp = [case.sharp for case in run if case.sharp is not None]
        digest = run[-1].digest
        if digest not in self._known:
            self._known[digest] = self._of_blurry(blurry, sharp)
        blurry_flicker, blurry_velocity, true = self._known[digest]
        velocity = None
        if self._detector is not None and true is not None:
            velocity = velocity_error(track_of(restored, self._detector), true)
        return Flicker(
            run[-1].group, _flicker(restored, sharp, blurry), blurry_flicker, velocity, blurry_velocity, reference=bool(sharp)
        )

    def _of_blurry(self, blurry: Sequence[Image], sharp: Sequence[Image]) -> tuple[float, float | None, Track | None]:
        """The blurry run's own flicker and velocity error, and the track that others are compared with."""
        flicker = _flicker(blurry, sharp, blurry)
        if self._detector is None:
            return flicker, None, None
        own = track_of(blurry, self._detector)
        true = track_of(sharp, self._detector) if sharp else smoothed(own)
        return flicker, velocity_error(own, true), true


def _flicker(frames: Sequence[Image], sharp: Sequence[Image], blurry: Sequence[Image]) -> float:
    return residual_flicker(frames, sharp) if sharp else flicker_along_track(frames, blurry)
