"""The faces that the estimate of the gain is fitted to, and tested on: blurred, hardly blurred, sharp, poor and small ones."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.training.blur.scheme import BlurScheme
from streamdeblur.training.blur.sensor import Degradation, Sensor
from streamdeblur.training.datasets.recipe import DEFAULT_MIX, Mix, Recipe

SMALL = 0.5
"""Fraction of the faces that are smaller in the frame than a crop."""
SMALLEST_WINDOW = 56
"""Side in pixels of the window of the smallest faces: of one of 33 px."""
FOOTAGE = Sensor(
    scaling=Degradation(probability=0.3, mild=1.1, severe=3.0),
    jpeg=Degradation(probability=0.2, mild=95.0, severe=25.0),
    h264=Degradation(probability=0.2, mild=20.0, severe=38.0),
    tape=Degradation(probability=0.12, mild=0.5, severe=2.0),
    sharpening=Degradation(probability=0.15, mild=0.2, severe=1.2),
    combing=Degradation(probability=0.12, mild=0.5, severe=6.0),
)
"""What the faces of the network that sees the stream were degraded by: noise, highlights, defocus, scaling, compression, and what
old television left."""
TELEVISION = Sensor(
    scaling=Degradation(probability=0.2, mild=1.1, severe=3.0),
    h264=Degradation(probability=0.3, mild=20.0, severe=38.0),
    tape=Degradation(probability=0.6, mild=0.5, severe=2.0),
    sharpening=Degradation(probability=0.6, mild=0.2, severe=1.2),
    combing=Degradation(probability=0.3, mild=0.5, severe=6.0),
)
"""Old recordings. They look soft, and what networks add to them is mostly wrong."""


def _mix(**weights: float) -> Mix:
    chosen = {BlurScheme.parse(name.replace("_", "+")): weight for name, weight in weights.items()}
    return dict.fromkeys(DEFAULT_MIX, 0.0) | chosen


@dataclass(frozen=True)
class Population:
    """A kind of faces."""

    name: str
    share: float
    """Of all faces."""
    recipe: Recipe = field(repr=False)


POPULATIONS = (
    Population("synthetic blur, 3 to 34 px", 0.16, Recipe(mix=_mix(synthetic=1.0), sensor=FOOTAGE, worst=0.12)),
    Population(
        "averages under camera shake, 3 to 24 px", 0.13,
        Recipe(mix=_mix(vla_camera=0.5, pravg_camera=0.5), sensor=FOOTAGE, worst=0.12),
    ),
    Population(
        "slight blur, 1 to 6 px", 0.19,
        Recipe(
            mix=_mix(mild=0.75, vla_camera=0.13, pravg_camera=0.12), mild_extents=(1.0, 6.0), camera_extents=(1.0, 6.0),
            sensor=FOOTAGE, worst=0.1,
        ),
    ),
    Population(
        "averages of talking heads, 7 to 21 frames, and VLA", 0.18, Recipe(mix=_mix(vla=0.3, pravg=0.7), sensor=Sensor.none())
    ),
    Population("sharp", 0.1, Recipe(mix=_mix(sharp=1.0))),
    Population(
        "sharp, but noisy, compressed, scaled or out of focus", 0.16,
        Recipe(mix=_mix(mild=1.0), mild_extents=(1.0, 1.0), sensor=FOOTAGE, worst=0.1),
    ),
    Population(
        "sharp, but on tape, combed or with halos", 0.08,
        Recipe(mix=_mix(mild=1.0), mild_extents=(1.0, 1.0), sensor=TELEVISION, worst=0.3),
    ),
)  # fmt: skip
"""Extents are in pixels of a crop of 256 px; those of smaller faces are smaller in proportion."""


def sample_population(random: np.random.Generator) -> int:
    """Return the number of a population."""
    shares = np.array([population.share for population in POPULATIONS])
    return int(random.choice(len(shares), p=shares / shares.sum()))


def sample_side(random: np.random.Generator) -> int:
    """Return the side in pixels of a face window, even; log-uniform below the size of a crop."""
    small, place = random.random(2)
    if small >= SMALL:
        return CROP_SIZE
    return 2 * round(math.exp(math.log(SMALLEST_WINDOW) + place * math.log(CROP_SIZE / SMALLEST_WINDOW)) / 2)
