"""Painter: draws exposures that were planned, many at a time."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamdeblur.training.blur.camera import CameraPath
from streamdeblur.training.blur.response import Response
from streamdeblur.training.blur.sensor import Degradations
from streamdeblur.training.blur.trajectories import SIZE
from streamdeblur.training.datasets.pair_maker import Averaged, Cutout, ExposurePlan, PairMaker, Source, Still
from streamdeblur.training.on_device.arrays import chosen, floats
from streamdeblur.training.on_device.averages import Average, add_up, sharp_frames, size_of
from streamdeblur.training.on_device.light import Responses, brightened, convolved
from streamdeblur.training.on_device.pixel_pool import PixelPool, Place
from streamdeblur.training.on_device.sensor import degraded
from streamdeblur.training.on_device.stills import StillView, read_stills

MARGIN = SIZE // 2
"""Pixels around a still that the largest kernel reaches."""


class Exposure(NamedTuple):
    """An exposure that was planned, and the response of its camera."""

    plan: ExposurePlan
    response: Response


def drawable(source: Source, degradations: Degradations) -> bool:
    """Return whether a device can draw what is planned: all but H.264, and stills that are cut out of clips."""
    return degradations.h264 is None and not isinstance(source, Cutout)


class Painter:
    """Draws the exposures that a maker planned. Not safe for several threads."""

    def __init__(self, maker: PairMaker, memory: int, device: torch.device) -> None:
        """
        Args:
            maker: It has the stills and clips.
            memory: Most bytes of the device that their pixels take.
            device: What draws.
        """
        self._maker, self.device = maker, device
        self.pool = PixelPool(min(memory, _size(maker)), device)
        self.responses = Responses(maker.responses, device)

    def hold(self, sources: Sequence[Source]) -> dict[Source, Place]:
        """Upload the stills and clips that are not on the device yet.

        Returns:
            The place of each; of a clip, that of its first frame.
        """
        places = self.pool.hold({_name(source): self._pixels(source) for source in sources})
        return {source: places[_name(source)] for source in sources}

    def _pixels(self, source: Source) -> NDArray[np.uint8]:
        return self._maker.stills[source.number] if isinstance(source, Still) else self._maker.clips[source.clip].frames

    def draw(self, exposures: Sequence[Exposure], crop: int) -> tuple[Tensor, Tensor]:
        """Draw exposures, and what they show when they are sharp.

        Args:
            exposures: All of one size.
            crop: Side in pixels of the crop of a whole face.

        Returns:
            Blurry and sharp pictures, float32 [N, 3, S, S] with whole code values.
        """
        places = self.hold([exposure.plan.source for exposure in exposures])
        size = size_of(exposures[0].plan.view)
        intensity, sharp = torch.empty((2, len(exposures), 3, size, size), device=self.device)
        for draw, kind in ((self._stills, Still), (self._averages, Averaged)):
            for numbers, at in chosen([isinstance(exposure.plan.source, kind) for exposure in exposures], self.device):
                intensity[at], sharp[at] = draw([exposures[n] for n in numbers], places, crop)
        blurry = degraded(intensity, [e.plan.degradations for e in exposures], self.responses, self._responses(exposures))
        untouched = [e.plan.motion is None and e.plan.window is None and e.plan.degradations.none for e in exposures]
        for _, at in chosen(untouched, self.device):
            blurry[at] = sharp[at]
        return blurry, sharp

    def _responses(self, exposures: Sequence[Exposure]) -> Tensor:
        return self.responses.number([exposure.response for exposure in exposures])

    def _stills(self, exposures: Sequence[Exposure], places: dict[Source, Place], crop: int) -> tuple[Tensor, Tensor]:
        plans = [exposure.plan for exposure in exposures]
        stills = [StillView(places[p.source], p.source.scale, p.view) for p in plans if isinstance(p.source, Still)]
        pixels = read_stills(self.pool, stills, crop, MARGIN, self.device)
        gains = floats([plan.degradations.highlights or 1.0 for plan in plans], self.device)
        intensity = brightened(self.responses.intensity(pixels, self._responses(exposures)), gains)
        kernels = torch.from_numpy(np.stack([_whole(plan.motion) for plan in plans])).to(self.device)
        sharp = pixels[:, MARGIN:-MARGIN, MARGIN:-MARGIN].permute(0, 3, 1, 2).float()
        return convolved(intensity, kernels), sharp

    def _averages(self, exposures: Sequence[Exposure], places: dict[Source, Place], crop: int) -> tuple[Tensor, Tensor]:
        numbers = [self.responses.numbers[exposure.response.name] for exposure in exposures]
        averages = [_average(e.plan, places[e.plan.source], number) for e, number in zip(exposures, numbers, strict=True)]
        intensity = add_up(self.pool, averages, self.responses, self.device)
        # clips are resampled in the light of the first response, whatever the exposure's
        return intensity, sharp_frames(self.pool, averages, self.responses, 0)


def _size(maker: PairMaker) -> int:
    """Bytes of all pixels of a maker."""
    return sum(still.nbytes for still in maker.stills) + sum(clip.frames.nbytes for clip in maker.clips)


def _average(plan: ExposurePlan, clip: Place, response: int) -> Average:
    assert plan.window is not None
    path = plan.motion if isinstance(plan.motion, CameraPath) else None
    frames = tuple(clip.frame(number) for number in plan.window.frames)
    return Average(frames, plan.view, path, response, plan.degradations.highlights or 1.0)


def _name(source: Source) -> Hashable:
    """What a still or a clip is called in the pool."""
    return ("still", source.number) if isinstance(source, Still) else ("clip", source.clip)


def _whole(motion: CameraPath | NDArray[np.float32] | None) -> NDArray[np.float32]:
    """A trimmed kernel in the middle of a whole one; no motion is a kernel of one tap."""
    kernel = np.ones((1, 1), np.float32) if motion is None else motion
    assert isinstance(kernel, np.ndarray)
    return np.pad(kernel, (SIZE - len(kernel)) // 2)
