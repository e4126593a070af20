"""SequenceMaker: sequences of exposures, each made on demand, from nothing but a recipe, a seed and its number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from streamdeblur.training.blur.averaging import FrameSequence, Window, pravg
from streamdeblur.training.blur.camera import CameraPath
from streamdeblur.training.blur.exposures import Pair, expose
from streamdeblur.training.blur.face_motion import FaceMotion
from streamdeblur.training.blur.sequences import Course, ExposureSequence, expose_still
from streamdeblur.training.blur.shake import Shake
from streamdeblur.training.blur.trajectories import SIZE
from streamdeblur.training.blur.view import Image, View
from streamdeblur.training.datasets.pair_maker import Order, PairMaker
from streamdeblur.training.datasets.random_crops import CROP, random_part
from streamdeblur.training.datasets.recipe import Recipe


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
        random = np.random.default_rng((self.seed, index))
        order, flipped = self._order(random, severity, min(size, crop), crop)
        make = self._sequence_of_clip if order.scheme.averages else self._sequence_of_still
        sequence = make(random, order)
        forgotten = self._forgotten(random)
        sequence = replace(
            sequence,
            validity=sequence.validity & ~forgotten,
            kernels=np.where(forgotten[:, None, None], np.float32(0.0), sequence.kernels),
        )
        sequence.record.update(order.record(), flipped=flipped, valid=int(sequence.validity.sum()))
        return sequence.mirrored() if flipped else sequence

    def _forgotten(self, random: np.random.Generator) -> NDArray[np.bool_]:
        """The exposures before a cut, or before the track began: bool [exposures]."""
        lost, place = random.random(2)
        first = int(place * self.exposures) if lost < self.settings.lost else -1
        return np.arange(self.exposures) <= first - 1

    # From stills

    def _sequence_of_still(self, random: np.random.Generator, order: Order) -> ExposureSequence:
        settings, exposures = self.settings, self.exposures
        extent = self._extent(random, order)
        duty = float(random.uniform(*settings.duty))
        shake = Shake.sample(random, exposures, extent, duty, order.scheme.family)
        stopped = random.random(exposures) < settings.stopped
        stopped[-1] = False
        image, crop, record = self._still(random, order.crop)
        view = random_part(random, crop, order.size)
        motion = self._motion(random, exposures) if order.scheme.kind == "synthetic" else FaceMotion.still(exposures + 1)
        course = Course(shake.stopped(stopped), motion, duty, self._drift(random, order.crop))
        sequence = expose_still(image, crop, view, course, order.response, order.degradations)
        sequence.record.update(record, extent=round(extent, 2), duty=round(duty, 2))
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

    # From clips

    def _sequence_of_clip(self, random: np.random.Generator, order: Order) -> ExposureSequence:
        number = int(random.integers(len(self.clips)))
        clip, exposures = self.clips[number], self.exposures
        extent = self._extent(random, order)
        length = int(random.choice(self.recipe.lengths))
        present = self._window(random, number, order.scheme, order.scheme.length or length)
        gap = int(random.integers(0, 1 + round(present.length * (1.0 / self.settings.duty[0] - 1.0) / 2)))
        windows = self._earlier(number, present, present.length + gap)
        views = self._views(random, number, [window or present for window in windows], order)
        paths = self._paths(random, views[-1], present.length, extent) if order.scheme.camera else [None] * exposures
        pictures: dict[int, Pair] = {}
        for k, (window, view, path) in enumerate(zip(windows, views, paths, strict=True)):
            if window is not None:
                degradations = replace(order.degradations, key=(order.degradations.key + k) % (1 << 32))
                pictures[k] = expose(
                    clip.frames, window, order.response, path, view=view, degradations=degradations,
                    sharp_response=self._responses[0],
                )  # fmt: skip
        shown = pictures[exposures - 1]
        # an exposure that the clip does not have holds the present one, and is not valid
        blurry = np.stack([pictures.get(k, shown).blurry for k in range(exposures)])
        kernels = np.zeros((exposures, SIZE, SIZE), np.float32)
        record = {**shown.record, "clip": number, "extent": round(extent, 2), "stride": present.length + gap}
        valid = np.array([window is not None for window in windows])
        return ExposureSequence(blurry, shown.sharp, kernels, valid, record)

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
