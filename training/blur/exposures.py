"""expose: the one place where a sharp and a blurry picture are made of frames, or of a still, whatever the blur scheme."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.kernels.sensor import brighten
from streamdeblur.training.blur.averaging import FrameSequence, RunningSum, Window, find_windows
from streamdeblur.training.blur.camera import CameraPath, gather
from streamdeblur.training.blur.observation import observe
from streamdeblur.training.blur.response import Response
from streamdeblur.training.blur.scheme import BlurScheme
from streamdeblur.training.blur.sensor import CLEAN, HIGHLIGHT, Degradations, degrade, with_defocus
from streamdeblur.training.blur.stop_rules import StopRules
from streamdeblur.training.blur.synthetic import convolve
from streamdeblur.training.blur.view import Image, Intensity, View

Kernel = NDArray[np.float32]


class Frames(Protocol):
    """Frames by number: a list, an array or a dictionary."""

    def __getitem__(self, number: int, /) -> Image:
        """uint8 RGB [H, W, 3]."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A blurry picture and what it should have been."""

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
        """The pair with left and right exchanged."""
        blurry, sharp = (np.asarray(cv2.flip(image, 1), np.uint8) for image in (self.blurry, self.sharp))
        kernel = None if self.kernel is None else np.ascontiguousarray(self.kernel[:, ::-1])
        return Pair(blurry, sharp, kernel, self.record)


def expose(
    frames: Frames, window: Window | None, response: Response, motion: CameraPath | Kernel | None = None, *,
    view: View | None = None, degradations: Degradations = CLEAN, sharp_response: Response | None = None,
    running_sum: RunningSum | None = None,
) -> Pair:  # fmt: skip
    """Expose frames, or a still, to one pair.

    Whole frames that are averaged without a moving camera and without degradations are added up exactly, in integers; all else is
    computed in float32.

    Args:
        frames: The frames of a clip by their number; of a still, a list of one.
        window: Which frames are averaged, the middle one is the sharp one; None for a still.
        response: The camera's response, in whose light frames add up.
        motion: How the camera moves over the exposure: along a path, or (of a still) as a blur kernel, float32 [k, k] with k odd
            and sum 1; None where it does not.
        view: What of the frames is made a picture; None is all of it.
        degradations: What the sensor and the stream do to the blurry picture.
        sharp_response: In whose light the sharp picture is resampled; None for `response`.
        running_sum: Sums of light over the window before, to go on from (of `response`).

    Returns:
        The pair; its record is that of the window.
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
    """A still as it is, or the average of whole frames."""
    return sharp.copy() if window is None else running_sum.average((number, frames[number]) for number in window.frames)


def _gathered(
    frames: Frames, window: Window | None, response: Response, motion: CameraPath | Kernel | None, view: View,
    highlights: float | None,
) -> Intensity:  # fmt: skip
    """The light of an exposure, before the sensor: float32 [size, size, 3], 1 is the light of code value 255."""
    numbers = (0,) if window is None else window.frames
    if isinstance(motion, np.ndarray):
        intensity = view.intensity(frames[numbers[0]], response, margin=motion.shape[0] // 2)
        if highlights is not None:
            brighten(intensity, HIGHLIGHT, highlights)
        return view.resampled(convolve(intensity, motion))
    path = motion or CameraPath.still(len(numbers), view.width, view.height)
    return view.resampled(gather([frames[number] for number in numbers], path, view.left, view.top, response, highlights))


def blur_image(image: Image, kernel: Kernel, response: Response) -> Image:
    """Blur a whole image, uint8 [H, W, 3], with a kernel, float32 [k, k], k odd, in the light of `response`: uint8 [H, W, 3].

    Beyond its border the image is mirrored.
    """
    return expose([image], None, response, kernel).blurry


def average_clip(
    clip: FrameSequence, scheme: BlurScheme, response: Response, *, rules: StopRules | None = None, every: int = 1
) -> Iterator[tuple[Window, Pair]]:
    """The pairs of one clip, in order: around every `every`-th frame, by VLA or by PrAvg of a length."""
    running_sum = RunningSum(response)
    observations = observe(clip.frames, clip.boxes, clip.landmarks)
    for window in find_windows(observations, scheme, response, rules=rules, every=every):
        yield window, expose(clip.frames, window, response, running_sum=running_sum)


def average_clips(
    clips: Iterable[FrameSequence], scheme: BlurScheme, response: Response, *, rules: StopRules | None = None, every: int = 1,
    workers: int = 2,
) -> Iterator[list[tuple[Window, Pair]]]:  # fmt: skip
    """The pairs of each clip, several clips at a time in threads, in the order of the clips; see `average_clip`."""

    def work(clip: FrameSequence) -> list[tuple[Window, Pair]]:
        return list(average_clip(clip, scheme, response, rules=rules, every=every))

    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(work, clips)
