"""PairMaker: pairs of a blurry and a sharp crop, each made on demand, from nothing but a recipe, a seed and its number."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdeblur.training.blur.averaging import FrameSequence, Window, distinct_frames, find_windows, pravg
from streamdeblur.training.blur.camera import CameraPath
from streamdeblur.training.blur.exposures import Frames, Kernel, Pair, expose
from streamdeblur.training.blur.observation import Observation, observe
from streamdeblur.training.blur.response import Response, open_response
from streamdeblur.training.blur.reverse import average_backwards
from streamdeblur.training.blur.scheme import BlurScheme, Growth
from streamdeblur.training.blur.sensor import Degradations, with_defocus
from streamdeblur.training.blur.sequences import ExposureSequence
from streamdeblur.training.blur.trajectories import sample_kernel, trimmed
from streamdeblur.training.blur.view import Image, View
from streamdeblur.training.datasets.random_crops import CROP, STILL_JITTER, STILL_SCALES, face_view, random_part, scaled
from streamdeblur.training.datasets.recipe import Recipe, Spread

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Order:
    """What is known of a pair before its picture is chosen."""

    scheme: BlurScheme
    severity: float
    size: int
    """Side in pixels of what is made: of a part of the crop, or of the whole crop."""
    crop: int
    """Side in pixels of the crop of a whole face."""
    degradations: Degradations
    response: Response

    def record(self) -> dict[str, Any]:
        """Describe it for JSON."""
        return {
            "scheme": str(self.scheme),
            "response": self.response.name,
            "severity": self.severity,
            "degradations": self.degradations.record(),
        }


@dataclass(frozen=True)
class Still:
    """A still, resized."""

    number: int
    scale: float


@dataclass(frozen=True)
class Cutout:
    """A face in one frame of a clip, in place of a still."""

    clip: int
    frame: int
    view: View


@dataclass(frozen=True)
class Averaged:
    """Frames of a clip."""

    clip: int


Source = Still | Cutout | Averaged


@dataclass(frozen=True, eq=False)
class ExposurePlan:
    """One exposure before any of its pixels is read."""

    source: Source
    view: View
    """What it shows of the source."""
    motion: CameraPath | Kernel | None
    """As in `expose`."""
    degradations: Degradations
    window: Window | None = None
    """The frames that are averaged."""
    kernel: Kernel | None = None
    """The kernel of the whole blur where it is one, defocus included: float32 [41, 41]."""


@dataclass(frozen=True, eq=False)
class PairPlan:
    """All that is random of a pair. `PairMaker.draw` makes it on the CPU, `training.on_device` many of them on a GPU."""

    order: Order
    flipped: bool
    exposure: ExposurePlan
    record: dict[str, Any]


class _Plan:
    """The windows of one clip, by how they grow, and the motion in it."""

    def __init__(self, distinct: list[Observation], windows: dict[Growth, list[Window]]) -> None:
        self.distinct, self.windows = [o.thinned() for o in distinct], windows
        self.flows = [o.motion.astype(np.float16) for o in distinct]
        """Motion since the frame before in pixels, of each distinct frame, on a coarse grid: float16 [h, w, 2]."""


class PairMaker:
    """Makes pair number n of a recipe: the same for the same seed, whatever was made before. Safe for any number of threads.

    Nearly all of the work is done without the GIL, so that pairs can be made beside a training.
    """

    def __init__(
        self, stills: Sequence[Image], clips: Sequence[FrameSequence], recipe: Recipe | None = None, seed: int = 0
    ) -> None:
        """
        Args:
            stills: Sharp faces, uint8 RGB [S, S, 3], S >= 256.
            clips: Best with about 300 px, where a face's window of 256 px leaves room for the camera's motion.
            recipe: What pairs are made of; None for the default one.
            seed: Of all random numbers.

        Raises:
            ValueError: neither stills nor clips, or weights that are all zero.
            OptionError, InputError: the recipe's response cannot be opened.
        """
        self.stills, self.clips, self.recipe, self.seed = stills, clips, recipe or Recipe(), seed
        self.responses = [open_response(name) for name in self.recipe.responses]
        self._schemes, self._bounds = self._choices()
        mixed = [scheme.growth for scheme in self._schemes if scheme.kind == "vla" and self.recipe.mix[scheme]]
        self._growths: list[Growth] = sorted(set(mixed)) or ["symmetric"]
        self._plans: dict[int, _Plan] = {}
        self._locks = [threading.Lock() for _ in range(len(clips))]

    def __repr__(self) -> str:
        return f"PairMaker({len(self.stills)} stills, {len(self.clips)} clips)"

    def _choices(self) -> tuple[list[BlurScheme], NDArray[np.float64]]:
        """The schemes of the mix, and their cumulative probabilities."""
        if not len(self.stills) and not len(self.clips):
            raise ValueError("Pairs are made of stills or clips; there are neither.")
        weights = dict(self.recipe.mix)
        averaged = [scheme for scheme in weights if scheme.averages]
        if not len(self.clips) and any(weights[scheme] for scheme in averaged):
            logger.warning("There are no clips: synthetic blur takes the weights of %s.", ", ".join(map(str, averaged)))
            weights[BlurScheme("synthetic")] += sum(weights.pop(scheme) for scheme in averaged)
        if not sum(weights.values()):
            raise ValueError("All weights of the recipe's mix are zero.")
        return list(weights), np.cumsum(list(weights.values())) / sum(weights.values())

    def prepare(self, workers: int = 2) -> None:
        """Observe all clips now, instead of each when it is first needed (about a second per 1,000 frames)."""
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(self._plan, range(len(self.clips))))

    def pair(self, index: int, severity: float = 1.0, size: int = CROP, crop: int = CROP) -> Pair:
        """Make a pair.

        Args:
            index: Number of the pair.
            severity: In [0, 1], scales the recipe's: 0 is clean, with extents up to the middle of their ranges.
            size: Side in pixels, even; of one below `crop`, only a random part of the crop is made.
            crop: Side in pixels of the crop of a whole face. Extents of blur, which are those of 256 px, shrink with it.
        """
        return self.draw(self.plan(index, severity, size, crop))

    def sample(self, index: int, severity: float = 1.0, size: int = CROP, crop: int = CROP) -> Pair | ExposureSequence:
        """Make what a training of this maker's recipe needs: a pair; arguments as for `pair`."""
        return self.pair(index, severity, size, crop)

    def plan(self, index: int, severity: float = 1.0, size: int = CROP, crop: int = CROP) -> PairPlan:
        """Sample all that is random of a pair, without reading a pixel; arguments as for `pair`."""
        random = np.random.default_rng((self.seed, index))
        order, flipped = self._order(random, severity, min(size, crop), crop)
        sample = self._of_clip if order.scheme.averages else self._of_still
        exposure, record = sample(random, order)
        return PairPlan(order, flipped, exposure, record)

    def draw(self, plan: PairPlan) -> Pair:
        """Make the pair that was planned, on the CPU."""
        pair = self.expose(plan.exposure, plan.order)
        record = {**pair.record, **plan.record, **plan.order.record(), "flipped": plan.flipped}
        made = replace(pair, kernel=plan.exposure.kernel, record=record)
        return made.mirrored() if plan.flipped else made

    def expose(self, exposure: ExposurePlan, order: Order) -> Pair:
        """Make one exposure, on the CPU."""
        frames, sharp_response = self._pictures(exposure.source, order.crop), None
        if isinstance(exposure.source, Averaged):
            sharp_response = self.responses[0]
        return expose(
            frames, exposure.window, order.response, exposure.motion, view=exposure.view, degradations=exposure.degradations,
            sharp_response=sharp_response,
        )  # fmt: skip

    def _pictures(self, source: Source, crop: int) -> Frames:
        """The pictures that an exposure is made of."""
        if isinstance(source, Averaged):
            return self.clips[source.clip].frames
        if isinstance(source, Cutout):
            return [source.view.pixels(self.clips[source.clip].frames[source.frame], self.responses[0])]
        image = self.stills[source.number]
        return [image if source.scale == 1.0 else scaled(image, source.scale, crop)]

    def _order(self, random: np.random.Generator, severity: float, size: int, crop: int) -> tuple[Order, bool]:
        """Sample what is known before a picture is chosen, and whether left and right are exchanged."""
        scheme = self._schemes[int(np.searchsorted(self._bounds, random.random(), side="right"))]
        sharp = scheme.kind == "sharp"
        worst = self.recipe.worst > 0.0 and random.random() < self.recipe.worst
        degraded = 0.0 if sharp else 1.0 if worst else severity * self.recipe.severity
        degradations = self.recipe.sensor.sample(random, degraded)
        flipped = bool(random.random() < 0.5) and self.recipe.mirrored
        response = self.responses[int(random.integers(len(self.responses)))]
        return Order(scheme, severity, size, crop, degradations, response), flipped

    def _extent(self, random: np.random.Generator, order: Order) -> float:
        """Sample the extent of the blur that a camera causes, in pixels of the crop; 1 where it does not move."""
        scheme, recipe = order.scheme, self.recipe
        if scheme.averages and not scheme.camera:
            return 1.0
        extents = {"synthetic": recipe.extents, "mild": recipe.mild_extents, "sharp": (1.0, 1.0)}
        extent = _sample_extent(random, extents.get(scheme.kind, recipe.camera_extents), recipe.spread, order.severity)
        return 1.0 + (extent - 1.0) * (order.crop / CROP)

    # Of stills

    def _of_still(self, random: np.random.Generator, order: Order) -> tuple[ExposurePlan, dict[str, Any]]:
        extent = self._extent(random, order)
        kernel = sample_kernel(random, extent, order.scheme.family)
        source, crop, record = self._still(random, order.crop)
        view = random_part(random, crop, order.size)
        motion = None if order.scheme.kind == "sharp" else trimmed(kernel)
        record["extent"] = round(extent, 2)
        kernel = with_defocus(kernel, order.degradations)
        return ExposurePlan(source, view, motion, order.degradations, kernel=kernel), record

    def _still(self, random: np.random.Generator, crop: int) -> tuple[Still | Cutout, View, dict[str, Any]]:
        """Choose a picture; return it with the view of the crop in it and where it is from."""
        if not len(self.stills):
            number = int(random.integers(len(self.clips)))
            clip = self.clips[number]
            frame = int(random.integers(len(clip.frames)))
            cutout = Cutout(number, frame, self._face_view(random, clip, frame, crop))
            return cutout, View(0, 0, crop, crop), {"clip": number, "frame": frame}
        number = int(random.integers(len(self.stills)))
        height, width = self.stills[number].shape[:2]
        chance, share, at_x, at_y = random.random(4)
        record: dict[str, Any] = {"still": number}
        scale = crop / CROP
        if self.recipe.jitter and chance < STILL_JITTER:
            scale *= STILL_SCALES[0] * (STILL_SCALES[1] / STILL_SCALES[0]) ** share
        if scale != 1.0:
            record["scale"] = round(float(scale), 3)
            height, width = (max(crop, round(side * scale)) for side in (height, width))
        if not self.recipe.jitter:
            at_x = at_y = 0.5
        view = View.square(int(at_x * (width - crop + 1)), int(at_y * (height - crop + 1)), crop, crop)
        return Still(number, float(scale)), view, record

    def _face_view(self, random: np.random.Generator, clip: FrameSequence, frame: int, crop: int = CROP) -> View:
        return face_view(random, clip, frame, crop, jitter=self.recipe.jitter)

    # Of clips

    def _of_clip(self, random: np.random.Generator, order: Order) -> tuple[ExposurePlan, dict[str, Any]]:
        number = int(random.integers(len(self.clips)))
        extent = self._extent(random, order)
        length = int(random.choice(self.recipe.lengths))
        window = self._window(random, number, order.scheme, order.scheme.length or length)
        clip = self.clips[number]
        view = random_part(random, self._face_view(random, clip, window.middle, order.crop), order.size)
        path = None
        if order.scheme.camera:
            # the extent is one of the crop's pixels
            path = CameraPath.sample(random, window.length, 1.0 + (extent - 1.0) / view.scale, view.width, view.height)
        exposure = ExposurePlan(Averaged(number), view, path, order.degradations, window)
        return exposure, {"clip": number, "extent": round(extent, 2)}

    def _plan(self, number: int) -> _Plan:
        """Return the windows of a clip, found when it is first needed."""
        with self._locks[number]:
            if number not in self._plans:
                clip = self.clips[number]
                distinct = distinct_frames(observe(clip.frames, clip.boxes, clip.landmarks))
                windows = {growth: self._vla_windows(clip, distinct, growth) for growth in self._growths}
                self._plans[number] = _Plan(distinct, windows)
            return self._plans[number]

    def _vla_windows(self, clip: FrameSequence, distinct: list[Observation], growth: Growth) -> list[Window]:
        """The windows of VLA in a clip, with those of its frames in reverse order if the recipe has them."""
        scheme, response, rules = BlurScheme("vla", growth=growth), self.responses[0], self.recipe.rules
        forward = find_windows(distinct, scheme, response, rules=rules)
        if not self.recipe.reverse:
            return forward
        backwards = average_backwards(clip, scheme, response, forward, rules=rules)
        return forward + [averaged[0] for averaged in backwards if averaged is not None]

    def _window(self, random: np.random.Generator, number: int, scheme: BlurScheme, length: int) -> Window:
        """Choose a window of a clip; the shortest clips have none of the length, then VLA's or the middle frame alone."""
        plan = self._plan(number)
        place = random.random()
        if scheme.kind == "pravg" and len(plan.distinct) >= length:
            middle = length // 2 + int(place * (len(plan.distinct) - length + 1))
            window = pravg(plan.distinct, middle, length)
            if window is not None:
                return window
        windows = plan.windows.get(scheme.growth) or next(iter(plan.windows.values()))
        if windows:
            return windows[int(place * len(windows))]
        return Window((plan.distinct[int(place * len(plan.distinct))].number,), "end", 0.0)


def _sample_extent(random: np.random.Generator, extents: tuple[float, float], spread: Spread, severity: float) -> float:
    lowest, highest = extents
    share = random.random() * (1.0 + severity) / 2.0
    return float(lowest + (highest - lowest) * share if spread == "uniform" else lowest * (highest / lowest) ** share)
