"""Sequences: consecutive exposures of one face as a stream shows them, the last of which is to be restored.

The camera's path goes on from exposure to exposure, between which the shutter is closed; the face moves on its own; the window
of a tracker follows it, and leaves a small difference of place, angle and scale. Exposures never overlap: from averages of
frames that do, a network would learn to undo the sliding sum, which no camera makes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.kernels.sensor import brighten
from streamdeblur.training.blur.compression import h264_stream
from streamdeblur.training.blur.convolution import convolve
from streamdeblur.training.blur.face_motion import MESH, FaceMotion, Field, translation
from streamdeblur.training.blur.response import Response
from streamdeblur.training.blur.sensor import CLEAN, HIGHLIGHT, Degradations, degrade, with_defocus
from streamdeblur.training.blur.shake import Shake, kernel_at
from streamdeblur.training.blur.trajectories import SIZE, resampled, trimmed
from streamdeblur.training.blur.view import Image, Intensity, View

STEPS = 8
"""Most moments of an exposure at which the moving face is drawn."""
STEP_PIXELS = 0.5
"""Change of the face in pixels from one of these moments to the next, below which fewer do."""
STILL_PIXELS = 0.05
"""Displacement in pixels that is not worth a resampling."""
ONE_KERNEL_PIXELS = 1.5
"""Largest difference in pixels from a shift of the whole face at which an exposure still counts as blurred by one kernel."""


@dataclass(frozen=True, eq=False)
class ExposureSequence:
    """Consecutive exposures of one face; the last one is the present."""

    blurry: NDArray[np.uint8]
    """uint8 RGB [exposures, S, S, 3]."""
    sharp: Image
    """The sharp counterpart of the present one, uint8 RGB [S, S, 3]."""
    kernels: NDArray[np.float32]
    """float32 [exposures, 41, 41]: what turns the sharp picture into each exposure, shifts included; zero where none does."""
    validity: NDArray[np.bool_]
    """bool [exposures]: False where the track had no such frame (its beginning, a cut, a lost face); the last is True."""
    record: dict[str, Any]
    """How it was made, for JSON."""

    def __repr__(self) -> str:
        return f"ExposureSequence({self.record})"

    def mirrored(self) -> ExposureSequence:
        """Return the sequence with left and right exchanged."""
        return replace(
            self,
            blurry=np.ascontiguousarray(self.blurry[:, :, ::-1]),
            sharp=np.ascontiguousarray(self.sharp[:, ::-1]),
            kernels=np.ascontiguousarray(self.kernels[:, :, ::-1]),
        )


@dataclass(frozen=True, eq=False)
class Course:
    """What happens between a still face and the exposures of it."""

    shake: Shake
    motion: FaceMotion
    """One moment at each beginning of an exposure, and one at the end of the last frame interval."""
    duty: float
    """Fraction of a frame interval during which the shutter is open."""
    drift: NDArray[np.float64]
    """What the tracker leaves of each exposure, float64 [exposures, 4]: x and y in pixels, angle in radians, logarithm of the
    scale; zero for the last one."""

    @property
    def exposures(self) -> int:
        """Number of exposures."""
        return len(self.shake.positions)

    def middle(self, exposure: int) -> float:
        """Return the moment in the middle of an exposure."""
        return exposure + self.duty / 2


def expose_still(
    image: Image, crop: View, view: View, course: Course, response: Response, degradations: Degradations = CLEAN
) -> ExposureSequence:
    """Make a sequence of a still.

    Args:
        image: The sharp face, uint8 RGB [H, W, 3].
        crop: The window of the face in it, on which the mesh of the motion lies.
        view: Part of the crop that the sequence shows, at its own scale.
        course: Motion of camera, face and tracker.
        response: Response of the camera.
        degradations: What sensor and stream do to the exposures.
    """
    painter = _Painter(image, crop, view, course, response, degradations.highlights)
    pictures, kernels = [], []
    for number in range(course.exposures):
        intensity, kernel = painter.expose(number)
        own = replace(degradations.of_exposure(number), h264=None)
        pictures.append(degrade(intensity, own, response))
        kernels.append(with_defocus(kernel, degradations) if kernel.any() else kernel)
    if degradations.h264 is not None:
        pictures = h264_stream(pictures, degradations.h264)
    valid = np.ones(course.exposures, np.bool_)
    return ExposureSequence(np.stack(pictures), view.pixels(image, response), np.stack(kernels), valid, {})


def still_margin(course: Course, crop: View) -> int:
    """Return how many pixels around a view its exposures are drawn from: what a kernel reaches, and the face's own motion."""
    return SIZE // 2 + 1 + math.ceil(float(np.abs(course.motion.fields).max()) * crop.width)


class _Painter:
    """Draws the exposures of one still."""

    def __init__(
        self, image: Image, crop: View, view: View, course: Course, response: Response, highlights: float | None
    ) -> None:
        self._course, self._crop, self._view = course, crop, view
        self._present = course.motion.at(course.middle(course.exposures - 1)) * np.float32(crop.width)
        self._margin = still_margin(course, crop)
        self._intensity = view.intensity(image, response, self._margin)
        if highlights is not None:
            brighten(self._intensity, HIGHLIGHT, highlights)

    def expose(self, number: int) -> tuple[Intensity, NDArray[np.float32]]:
        """Return the linear intensity of an exposure, float32 [S, S, 3], and its kernel, zero where it is not one."""
        course, side = self._course, np.float32(self._crop.width)
        moments = number + course.duty * np.linspace(0.0, 1.0, 2 * STEPS + 1)
        fields = [course.motion.at(moment) * side for moment in moments]
        place = translation(fields[STEPS])
        moved = np.stack([translation(field) - place for field in fields])
        positions = course.shake.positions[number] + resampled(moved, course.shake.positions.shape[1])
        positions = positions + course.drift[number, :2]
        own = [self._own_motion(field) for field in fields]
        total: Intensity | None = None
        for points, field in _steps(positions, own):
            part = kernel_at(points) * np.float32(len(points) / len(positions))
            taps = trimmed(part)
            drawn = convolve(self._warped(field, course.drift[number], taps.shape[0] // 2), taps)
            total = drawn if total is None else total + drawn
        assert total is not None
        rigid = max(float(np.abs(field).max()) for field in own) + abs(course.drift[number, 2:]).max() * self._view.width / 2
        kernel = kernel_at(positions) if rigid <= ONE_KERNEL_PIXELS else np.zeros((SIZE, SIZE), np.float32)
        return total, kernel

    def _own_motion(self, field: Field) -> Field:
        """What the face does, in pixels since the present's middle, besides moving as a whole."""
        difference = field - self._present
        return np.asarray(difference - translation(difference), np.float32)

    def _warped(self, field: Field, drift: NDArray[np.float64], reach: int) -> Intensity:
        """The still with its face moved, turned and scaled, and `reach` pixels around it."""
        size = self._view.width + 2 * reach
        begin = self._margin - reach
        if not drift[2:].any() and float(np.abs(field).max()) < STILL_PIXELS:
            return np.ascontiguousarray(self._intensity[begin : begin + size, begin : begin + size])
        scale = np.exp(-drift[3])
        cosine, sine = scale * math.cos(drift[2]), scale * math.sin(drift[2])
        middle = (self._view.width - 1) / 2
        places = np.arange(size, dtype=np.float32) - np.float32(reach + middle)
        across, down = places[None, :], places[:, None]
        dense = self._dense(field, reach, size)
        columns = cosine * across + sine * down + (middle + self._margin) - dense[..., 0]
        lines = cosine * down - sine * across + (middle + self._margin) - dense[..., 1]
        warped = cv2.remap(
            self._intensity, columns.astype(np.float32), lines.astype(np.float32), cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )  # fmt: skip
        return np.asarray(warped, np.float32)

    def _dense(self, field: Field, reach: int, size: int) -> NDArray[np.float32]:
        """The displacements at each pixel of the view and `reach` pixels around: float32 [size, size, 2]."""
        pitch = (self._crop.width - 1) / (MESH - 1)
        left, top = (self._view.left - self._crop.left - reach) / pitch, (self._view.top - self._crop.top - reach) / pitch
        matrix = np.array([[1 / pitch, 0.0, left], [0.0, 1 / pitch, top]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(field, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _steps(positions: NDArray[np.float64], own: list[Field]) -> Iterator[tuple[NDArray[np.float64], Field]]:
    """Divide an exposure: the positions of each part, and how the face looks in its middle."""
    change = max(float(np.abs(later - earlier).max()) for earlier, later in pairwise(own)) * (len(own) - 1)
    steps = min(STEPS, max(1, math.ceil(change / STEP_PIXELS)))
    # a power of two, whose middles are among the known moments
    steps = 1 << (steps - 1).bit_length()
    borders = np.linspace(0, len(positions), steps + 1).round().astype(int)
    for number in range(steps):
        yield positions[borders[number] : borders[number + 1]], own[(2 * number + 1) * STEPS // steps]
