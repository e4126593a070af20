"""SequenceMaker: sequences of exposures, each made on demand, from nothing but a recipe, a seed and its number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdeblur.training.blur.averaging import FrameSequence, Window, pravg
from streamdeblur.training.blur.camera import CameraPath
from streamdeblur.training.blur.exposures import Pair
from streamdeblur.training.blur.face_motion import FaceMotion
from streamdeblur.training.blur.sequences import Course, ExposureSequence, expose_still
from streamdeblur.training.blur.shake import Shake
from streamdeblur.training.blur.trajectories import SIZE
from streamdeblur.training.blur.view import Image, View
from streamdeblur.training.datasets.pair_maker import Averaged, Cutout, ExposurePlan, Order, PairMaker, Still
from streamdeblur.training.datasets.random_crops import CROP, random_part
from streamdeblur.training.datasets.recipe import Recipe


@dataclass(frozen=True, eq=False)
class MovedStill:
    """The exposures of a still, before any pixel is read."""

    source: Still | Cutout
    crop: View
    view: View
    course: Course
    record: dict[str, Any]


@dataclass(frozen=True, eq=False)
class ConsecutiveAverages:
    """The exposures of a clip, before any pixel is read."""

    exposures: tuple[ExposurePlan | None, ...]
    """The present one last; None where the clip or the shot begins later."""
    record: dict[str, Any]

    @property
    def present(self) -> ExposurePlan:
        """The present exposure."""
        present = self.exposures[-1]
        assert present is not None
        return present

    @property
    def shown(self) -> list[ExposurePlan]:
        """The exposures; one that the clip does not have holds the present one, and is not valid."""
        return [exposure or self.present for exposure in self.exposures]


@dataclass(frozen=True, eq=False)
class SequencePlan:
    """All that is random of a sequence. `SequenceMaker.draw_sequence` makes it on the CPU, `training.on_device` on a GPU."""

    order: Order
    flipped: bool
    content: MovedStill | ConsecutiveAverages
    forgotten: NDArray[np.bool_]
    """bool [exposures]: those before a cut, or before the track began."""

    @property
    def validity(self) -> NDArray[np.bool_]:
        """See `ExposureSequence.validity`."""
        if isinstance(self.content, MovedStill):
            return ~self.forgotten
        return ~self.forgotten & [exposure is not None for exposure in self.content.exposures]


class SequenceMaker(PairMaker):
    """Makes sequence number n of a recipe: the same for the same seed, whatever was made before. Safe for any number of threads.

    Its schemes are those of pairs: the present exposure is blurred by the scheme, those before it by what precedes.
    """

    def __init__(
        self, stills: Sequence[Image], clips: Sequence[FrameSequence], recipe: Recipe | None = None, seed: int = 0, *, memory: int
    ) -> None:
        """
        Args:
            stills: See `PairMaker`.
            clips: See `PairMaker`.
            recipe: See `PairMaker`.
            seed: Of all random numbers.
            memory: Number of exposures before the present one.
        """
        super().__init__(stills, clips, recipe, seed)
        self.settings, self.exposures = self.recipe.sequences, memory + 1

    def sequence(self, index: int, severity: float = 1.0, size: int = CROP, crop: int = CROP) -> ExposureSequence:
        """Make a sequence.

        Args:
            index: Number of the sequence.
            severity: In [0, 1], scales the recipe's; see `PairMaker.pair`.
            size: Side in pixels, even; of one below `crop`, only a random part of the crop is made.
            crop: Side in pixels of the crop of a whole face; see `PairMaker.pair`.
        """
        return self.draw_sequence(self.plan_sequence(index, severity, size, crop))

    def sample(self, index: int, severity: float = 1.0, size: int = CROP, crop: int = CROP) -> Pair | ExposureSequence:
        """Make a sequence; arguments as for `PairMaker.pair`."""
        return self.sequence(index, severity, size, crop)

    def plan_sequence(self, index: int, severity: float = 1.0, size: int = CROP, crop: int = CROP) -> SequencePlan:
        """Sample all that is random of a sequence, without reading a pixel; arguments as for `sequence`."""
        random = np.random.default_rng((self.seed, index))
        order, flipped = self._order(random, severity, min(size, crop), crop)
        sample = self._sequence_of_clip if order.scheme.averages else self._sequence_of_still
        content = sample(random, order)
        return SequencePlan(order, flipped, content, self._forgotten(random))

    def draw_sequence(self, plan: SequencePlan) -> ExposureSequence:
        """Make the sequence that was planned, on the CPU."""
        order, content = plan.order, plan.content
        made = self._draw_still(content, order) if isinstance(content, MovedStill) else self._draw_clip(content, order)
        kernels = np.where(plan.forgotten[:, None, None], np.float32(0.0), made.kernels)
        sequence = replace(made, validity=plan.validity, kernels=kernels)
        sequence.record.update(order.record(), flipped=plan.flipped, valid=int(sequence.validity.sum()))
        return sequence.mirrored() if plan.flipped else sequence

    def _forgotten(self, random: np.random.Generator) -> NDArray[np.bool_]:
        """The exposures before a cut, or before the track began: bool [exposures]."""
        lost, place = random.random(2)
        first = int(place * self.exposures) if lost < self.settings.lost else -1
        return np.arange(self.exposures) <= first - 1

    # Of stills

    def _sequence_of_still(self, random: np.random.Generator, order: Order) -> MovedStill:
        settings, exposures = self.settings, self.exposures
        extent = self._extent(random, order)
        duty = float(random.uniform(*settings.duty))
        shake = Shake.sample(random, exposures, extent, duty, order.scheme.family)
        stopped = random.random(exposures) < settings.stopped
        stopped[-1] = False
        source, crop, record = self._still(random, order.crop)
        view = random_part(random, crop, order.size)
        motion = self._motion(random, exposures) if order.scheme.kind == "synthetic" else FaceMotion.still(exposures + 1)
        course = Course(shake.stopped(stopped), motion, duty, self._drift(random, order.crop))
        return MovedStill(source, crop, view, course, {**record, "extent": round(extent, 2), "duty": round(duty, 2)})

    def _draw_still(self, moved: MovedStill, order: Order) -> ExposureSequence:
        image = self._pictures(moved.source, order.crop)[0]
        sequence = expose_still(image, moved.crop, moved.view, moved.course, order.response, order.degradations)
        sequence.record.update(moved.record)
        return sequence

    def _motion(self, random: np.random.Generator, exposures: int) -> FaceMotion:
        """The motion of a face in a clip, faster or slower."""
        moves, place, speed = random.random(3)
        if not len(self.clips) or moves >= self.settings.moving:
            return FaceMotion.still(exposures + 1)
        number = int(random.integers(len(self.clips)))
        clip, plan = self.clips[number], self._plan(number)
        begin = int(place * max(1, len(plan.flows) - exposures))
        view = self._face_view(random, clip, plan.distinct[begin].number)
        slowest, fastest = self.settings.speeds
        centre = view.left + view.width / 2, view.top + view.height / 2
        flows = plan.flows[begin + 1 : begin + 1 + exposures]
        motion = FaceMotion.of_clip(flows, centre, view.width, clip.frames.shape[2])
        return motion.scaled(slowest * (fastest / slowest) ** float(speed))

    def _drift(self, random: np.random.Generator, crop: int) -> NDArray[np.float64]:
        """What the tracker leaves of each exposure: a little, and now and then as much as a turning head or a wrong box."""
        settings, exposures = self.settings, self.exposures
        strong = random.random(exposures) < settings.strong_drift
        strong[-1] = False
        lowest, highest = settings.spread_factors
        factor = lowest * (highest / lowest) ** random.random()
        steps, jumps = np.clip(random.normal(0.0, 1.0, (2, exposures, 4)), -3.0, 3.0)
        drift = np.cumsum(steps * np.multiply(factor, settings.spread), 0) + jumps * settings.strong_spread * strong[:, None]
        # the present one is what the others differ from; shifts are those of 256 px
        return np.asarray((drift - drift[-1]) * (crop / CROP, crop / CROP, 1.0, 1.0))

    # Of clips

    def _sequence_of_clip(self, random: np.random.Generator, order: Order) -> ConsecutiveAverages:
        number = int(random.integers(len(self.clips)))
        exposures = self.exposures
        extent = self._extent(random, order)
        length = int(random.choice(self.recipe.lengths))
        present = self._window(random, number, order.scheme, order.scheme.length or length)
        gap = int(random.integers(0, 1 + round(present.length * (1.0 / self.settings.duty[0] - 1.0) / 2)))
        windows = self._earlier(number, present, present.length + gap)
        views = self._views(random, number, [window or present for window in windows], order)
        paths = self._paths(random, views[-1], present.length, extent) if order.scheme.camera else [None] * exposures
        planned = tuple(
            None if window is None else ExposurePlan(Averaged(number), view, path, order.degradations.of_exposure(k), window)
            for k, (window, view, path) in enumerate(zip(windows, views, paths, strict=True))
        )
        return ConsecutiveAverages(planned, {"clip": number, "extent": round(extent, 2), "stride": present.length + gap})

    def _draw_clip(self, averages: ConsecutiveAverages, order: Order) -> ExposureSequence:
        present = self.expose(averages.present, order)
        earlier = [present if exposure is None else self.expose(exposure, order) for exposure in averages.exposures[:-1]]
        blurry = np.stack([pair.blurry for pair in (*earlier, present)])
        kernels = np.zeros((len(blurry), SIZE, SIZE), np.float32)
        return ExposureSequence(
            blurry, present.sharp, kernels, np.ones(len(blurry), np.bool_), {**present.record, **averages.record}
        )

    def _earlier(self, number: int, present: Window, stride: int) -> list[Window | None]:
        """The windows of the exposures, the present one last; None where the clip or the shot begins later."""
        plan = self._plan(number)
        middle = next(i for i, o in enumerate(plan.distinct) if o.number == present.middle)
        windows: list[Window | None] = [present]
        for back in range(1, self.exposures):
            begun = middle - back * stride
            whole = begun >= 0 and windows[0] is not None
            uncut = whole and not any(o.cut for o in plan.distinct[begun + 1 : middle + 1])
            length = max(1, present.length)
            windows.insert(0, pravg(plan.distinct, begun, length) if uncut and length >= 3 else None)
        return windows

    def _views(self, random: np.random.Generator, number: int, windows: list[Window], order: Order) -> list[View]:
        """The views of the exposures: that of the present one follows the face, as the window of a tracker does."""
        clip = self.clips[number]
        present = random_part(random, self._face_view(random, clip, windows[-1].middle, order.crop), order.size)
        if clip.boxes is None:
            return [present] * len(windows)
        return present.following(np.stack([clip.boxes[window.middle] for window in windows]), -1)

    def _paths(self, random: np.random.Generator, view: View, length: int, extent: float) -> list[CameraPath]:
        """The parts of one camera path in each exposure; the extent, in pixels of the crop, is that of the present one."""
        return CameraPath.sample_run(random, self.exposures, length, 1.0 + (extent - 1.0) / view.scale, view.width, view.height)
