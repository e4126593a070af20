"""expose: makes a pair of a blurry and a sharp picture from frames or from a still, whatever the blur scheme."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.kernels.sensor import brighten
from streamdeblur.training.blur.averaging import FrameSequence, RunningSum, Window, find_windows
from streamdeblur.training.blur.camera import CameraPath, gather
from streamdeblur.training.blur.convolution import convolve
from streamdeblur.training.blur.observation import observe
from streamdeblur.training.blur.response import Response
from streamdeblur.training.blur.scheme import BlurScheme
from streamdeblur.training.blur.sensor import CLEAN, HIGHLIGHT, Degradations, degrade, with_defocus
from streamdeblur.training.blur.stop_rules import StopRules
from streamdeblur.training.blur.view import Image, Intensity, View
from streamdeblur.training.bounded_map import bounded_map

Kernel = NDArray[np.float32]


class Frames(Protocol):
    """Frames by number: a list, an array or a dictionary."""

    def __getitem__(self, number: int, /) -> Image:
        """Return a frame, uint8 RGB [H, W, 3]."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A blurry picture and its sharp counterpart."""

    blurry: Image
    """uint8 RGB [H, W, 3]."""
    sharp: Image
    """uint8 RGB [H, W, 3], without any degradation."""
    kernel: Kernel | None
    """The kernel, float32 [k, k], where the whole blur is one (defocus included); None where frames were averaged."""
    record: dict[str, Any]
    """How it was made, for JSON."""

    def __repr__(self) -> str:
        return f"Pair({self.record})"

    def mirrored(self) -> Pair:
        """Return the pair with left and right exchanged."""
        blurry, sharp = (np.asarray(cv2.flip(image, 1), np.uint8) for image in (self.blurry, self.sharp))
        kernel = None if self.kernel is None else np.ascontiguousarray(self.kernel[:, ::-1])
        return Pair(blurry, sharp, kernel, self.record)


def expose(
    frames: Frames, window: Window | None, response: Response, motion: CameraPath | Kernel | None = None, *,
    view: View | None = None, degradations: Degradations = CLEAN, sharp_response: Response | None = None,
    running_sum: RunningSum | None = None,
) -> Pair:  # fmt: skip
    """Make the pair of one exposure: eq. 9 of the paper, or the convolution with a kernel.

    Whole frames that are averaged under a still camera and without degradations are summed exactly, in integers; everything else
    is computed in float32.

    Args:
        frames: The frames of a clip by their number; for a still, a list of one.
        window: Frames to average, the middle one is the sharp one; None for a still.
        response: Response of the camera, in whose linear intensity frames add up.
        motion: Motion of the camera during the exposure: a path, or for a still a blur kernel, float32 [k, k] with k odd and
            sum 1; None for a still camera.
        view: Part of the frames that the pair shows; None for all of it.
        degradations: What sensor and stream do to the blurry picture.
        sharp_response: Response in whose linear intensity the sharp picture is resampled; None for `response`.
        running_sum: Sum over the window before, of `response`, to start from; None to start anew.

    Returns:
        The pair, uint8 RGB [H, W, 3] or [size, size, 3] of the view; its record describes the window.
    """
    middle = frames[window.middle if window else 0]
    sharp = middle if view is None else view.pixels(middle, sharp_response or response)
    record = {} if window is None else window.record(None if view is None else view.scale)
    if motion is None and degradations.none and (window is None or view is None):
        return Pair(_exact_mean(frames, window, sharp, running_sum or RunningSum(response)), sharp, None, record)
    intensity = _gathered(frames, window, response, motion, view or View.of(middle), degradations.highlights)
    kernel = with_defocus(motion, degradations) if isinstance(motion, np.ndarray) else None
    return Pair(degrade(intensity, degradations, response), sharp, kernel, record)


def _exact_mean(frames: Frames, window: Window | None, sharp: Image, running_sum: RunningSum) -> Image:
    """Return a still as it is, or the exact average of whole frames."""
    return sharp.copy() if window is None else running_sum.average((number, frames[number]) for number in window.frames)


def _gathered(
    frames: Frames, window: Window | None, response: Response, motion: CameraPath | Kernel | None, view: View,
    highlights: float | None,
) -> Intensity:  # fmt: skip
    """Return the linear intensity of an exposure before the sensor: float32 [size, size, 3], 1 for code value 255."""
    numbers = (0,) if window is None else window.frames
    if isinstance(motion, np.ndarray):
        intensity = view.intensity(frames[numbers[0]], response, margin=motion.shape[0] // 2)
        if highlights is not None:
            brighten(intensity, HIGHLIGHT, highlights)
        return view.resampled(convolve(intensity, motion))
    path = motion or CameraPath.still(len(numbers), view.width, view.height)
    return view.resampled(gather([frames[number] for number in numbers], path, view.left, view.top, response, highlights))


def blur_image(image: Image, kernel: Kernel, response: Response) -> Image:
    """Blur a whole image with a kernel; beyond its border the image is mirrored.

    Args:
        image: uint8 [H, W, 3].
        kernel: float32 [k, k] with k odd and sum 1.
        response: Response in whose linear intensity the image is convolved.

    Returns:
        uint8 [H, W, 3].
    """
    return expose([image], None, response, kernel).blurry


def average_clip(
    clip: FrameSequence, scheme: BlurScheme, response: Response, *, rules: StopRules | None = None, every: int = 1
) -> Iterator[tuple[Window, Pair]]:
    """Make the pairs of one clip, in order.

    Args:
        clip: Frames of one face, or of anything without face boxes.
        scheme: VLA, or PrAvg with a length.
        response: Response in whose linear intensity frames are averaged.
        rules: When VLA stops; None for the defaults.
        every: Distinct frames from one middle frame to the next.

    Yields:
        Each window and its pair of whole frames.
    """
    running_sum = RunningSum(response)
    observations = observe(clip.frames, clip.boxes, clip.landmarks)
    for window in find_windows(observations, scheme, response, rules=rules, every=every):
        yield window, expose(clip.frames, window, response, running_sum=running_sum)


def average_clips(
    clips: Iterable[FrameSequence], scheme: BlurScheme, response: Response, *, rules: StopRules | None = None, every: int = 1,
    workers: int = 2,
) -> Iterator[list[tuple[Window, Pair]]]:  # fmt: skip
    """Make the pairs of each clip, several clips at a time in threads; see `average_clip`.

    Args:
        clips: The clips.
        scheme: VLA, or PrAvg with a length.
        response: Camera response.
        rules: When VLA stops; None for the defaults.
        every: Distinct frames from one middle frame to the next.
        workers: Number of threads.

    Yields:
        The windows and pairs of each clip, in the order of the clips; few clips are held at a time.
    """

    def work(clip: FrameSequence) -> list[tuple[Window, Pair]]:
        return list(average_clip(clip, scheme, response, rules=rules, every=every))

    return bounded_map(work, clips, workers)
