"""Batches of pairs and of sequences that a device draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor

from streamdeblur.training.batches import Batch, Sample, sequence_batch
from streamdeblur.training.blur.exposures import Pair
from streamdeblur.training.blur.sequences import ExposureSequence
from streamdeblur.training.blur.trajectories import SIZE
from streamdeblur.training.datasets.pair_maker import PairMaker, PairPlan
from streamdeblur.training.datasets.sequence_maker import ConsecutiveAverages, MovedStill, SequenceMaker, SequencePlan
from streamdeblur.training.on_device.arrays import chosen, floats
from streamdeblur.training.on_device.light import brightened
from streamdeblur.training.on_device.moved_stills import Scene, expose
from streamdeblur.training.on_device.painter import Exposure, Painter, drawable
from streamdeblur.training.on_device.sensor import defocused_kernels, degraded
from streamdeblur.training.on_device.stills import StillView, read_stills

Plan = PairPlan | SequencePlan | Sample
"""What a device draws, or a sample that only the CPU can make."""


class Drawer(Protocol):
    """Plans samples in threads, and draws many of them at a time in one."""

    def plan(self, index: int, severity: float, size: int, crop: int) -> Plan:
        """Plan a sample, see `PairMaker.plan`; where a device cannot draw it, make it."""
        ...

    def draw(self, plans: Sequence[Plan], crop: int) -> Batch:
        """Draw samples of one size, as a batch on the device."""
        ...


def open_drawer(maker: PairMaker, memory: int, device: torch.device) -> Drawer:
    """Open what draws the sequences of a `SequenceMaker`, or the pairs of another maker.

    Args:
        maker: It plans them.
        memory: Most bytes of the device that stills and clips take.
        device: What draws.
    """
    painter = Painter(maker, memory, device)
    return SequenceDrawer(maker, painter) if isinstance(maker, SequenceMaker) else PairDrawer(maker, painter)


class PairDrawer:
    """Draws pairs."""

    def __init__(self, maker: PairMaker, painter: Painter) -> None:
        self._maker, self._painter = maker, painter

    def plan(self, index: int, severity: float, size: int, crop: int) -> Plan:
        """Plan a pair, see `Drawer.plan`."""
        plan = self._maker.plan(index, severity, size, crop)
        return plan if drawable(plan.exposure.source, plan.exposure.degradations) else self._maker.draw(plan)

    def draw(self, plans: Sequence[Plan], crop: int) -> Batch:
        """Draw pairs, see `Drawer.draw`."""
        device = self._painter.device
        size = _size(plans[0])
        blurry, sharp = torch.empty((2, len(plans), 3, size, size), device=device)
        kernels = np.zeros((len(plans), 1, SIZE, SIZE), np.float32)
        for numbers, at in chosen([isinstance(plan, PairPlan) for plan in plans], device):
            planned = [cast(PairPlan, plans[n]) for n in numbers]
            drawn = self._painter.draw([Exposure(plan.exposure, plan.order.response) for plan in planned], crop)
            flipped = _flags([plan.flipped for plan in planned], device)
            blurry[at], sharp[at] = (_mirrored(images, flipped) for images in drawn)
        for number, plan in enumerate(plans):
            if isinstance(plan, Pair):
                blurry[number], sharp[number] = (_uploaded(image, device) for image in (plan.blurry, plan.sharp))
                kernels[number] = 0.0 if plan.kernel is None else plan.kernel
            elif isinstance(plan, PairPlan) and plan.exposure.kernel is not None:
                kernels[number] = plan.exposure.kernel[:, ::-1] if plan.flipped else plan.exposure.kernel
        return Batch(_finished(blurry), _finished(sharp), torch.from_numpy(kernels).to(device))


class SequenceDrawer:
    """Draws sequences."""

    def __init__(self, maker: SequenceMaker, painter: Painter) -> None:
        self._maker, self._painter = maker, painter

    def plan(self, index: int, severity: float, size: int, crop: int) -> Plan:
        """Plan a sequence, see `Drawer.plan`."""
        plan = self._maker.plan_sequence(index, severity, size, crop)
        source = plan.content.source if isinstance(plan.content, MovedStill) else plan.content.present.source
        return plan if drawable(source, plan.order.degradations) else self._maker.draw_sequence(plan)

    def draw(self, plans: Sequence[Plan], crop: int) -> Batch:
        """Draw sequences, see `Drawer.draw`."""
        device, exposures = self._painter.device, self._maker.exposures
        size = _size(plans[0])
        blurry = torch.empty((len(plans), exposures, 3, size, size), device=device)
        sharp = torch.empty((len(plans), 3, size, size), device=device)
        kernels = torch.zeros((len(plans), exposures, SIZE, SIZE), device=device)
        for draw, kind in ((self._draw_stills, MovedStill), (self._draw_clips, ConsecutiveAverages)):
            for numbers, at in chosen([isinstance(p, SequencePlan) and isinstance(p.content, kind) for p in plans], device):
                planned = [cast(SequencePlan, plans[n]) for n in numbers]
                drawn = draw(planned, crop)
                flipped = _flags([plan.flipped for plan in planned], device)
                blurry[at], sharp[at], kernels[at] = (_mirrored(values, flipped) for values in drawn)
        for number, plan in enumerate(plans):
            if isinstance(plan, ExposureSequence):
                blurry[number] = torch.from_numpy(plan.blurry).to(device).permute(0, 3, 1, 2)
                sharp[number], kernels[number] = _uploaded(plan.sharp, device), torch.from_numpy(plan.kernels).to(device)
        valid = torch.from_numpy(np.stack([_validity(plan) for plan in plans])).to(device)
        return sequence_batch(blurry.div_(255), _finished(sharp), kernels * valid[:, :, None, None], valid)

    def _draw_stills(self, plans: Sequence[SequencePlan], crop: int) -> tuple[Tensor, Tensor, Tensor]:
        painter, stills = self._painter, [cast(MovedStill, plan.content) for plan in plans]
        device = painter.device
        places = painter.hold([still.source for still in stills])
        views = [StillView(places[still.source], getattr(still.source, "scale", 1.0), still.view) for still in stills]
        scenes = [Scene(still.course, still.crop, still.view) for still in stills]
        margin = max(scene.margin for scene in scenes)
        pixels = read_stills(painter.pool, views, crop, margin, device)
        numbers = painter.responses.number([plan.order.response for plan in plans])
        gains = floats([plan.order.degradations.highlights or 1.0 for plan in plans], device)
        intensity = brightened(painter.responses.intensity(pixels, numbers), gains)
        exposed, kernels = expose(intensity, margin, scenes)
        exposures = exposed.shape[1]
        own = [plan.order.degradations.of_exposure(k) for plan in plans for k in range(exposures)]
        blurry = degraded(exposed.flatten(0, 1), own, painter.responses, numbers.repeat_interleave(exposures))
        sharp = pixels[:, margin:-margin, margin:-margin].permute(0, 3, 1, 2).float()
        focus = [plan.order.degradations.defocus for plan in plans]
        return torch.unflatten(blurry, 0, (len(plans), exposures)), sharp, defocused_kernels(kernels, focus)

    def _draw_clips(self, plans: Sequence[SequencePlan], crop: int) -> tuple[Tensor, Tensor, Tensor]:
        exposures, device = self._maker.exposures, self._painter.device
        contents = [cast(ConsecutiveAverages, plan.content) for plan in plans]
        responses = [plan.order.response for plan in plans for _ in range(exposures)]
        shown = [exposure for content in contents for exposure in content.shown]
        drawn = self._painter.draw([Exposure(*planned) for planned in zip(shown, responses, strict=True)], crop)
        blurry, sharp = (torch.unflatten(images, 0, (len(plans), exposures)) for images in drawn)
        return blurry, sharp[:, -1], torch.zeros((len(plans), exposures, SIZE, SIZE), device=device)


def _size(plan: Plan) -> int:
    if isinstance(plan, PairPlan | SequencePlan):
        return plan.order.size
    return int(plan.sharp.shape[0])


def _validity(plan: Plan) -> np.ndarray:
    if isinstance(plan, SequencePlan):
        return plan.validity
    assert isinstance(plan, ExposureSequence)
    return plan.validity


def _flags(values: Sequence[bool], device: torch.device) -> Tensor:
    return torch.tensor(values, device=device)


def _mirrored(values: Tensor, flipped: Tensor) -> Tensor:
    """Exchange left and right of those that are flagged."""
    return torch.where(flipped.view(-1, *(1,) * (values.dim() - 1)), values.flip(-1), values)


def _uploaded(image: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image)).to(device).permute(2, 0, 1)


def _finished(images: Tensor) -> Tensor:
    """Code values as a network gets them."""
    return (images / 255).contiguous(memory_format=torch.channels_last)
