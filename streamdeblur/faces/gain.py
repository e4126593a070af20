"""The gain to be expected from restoring a face, estimated from its crop before any network runs."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from streamdeblur.kernels.face_statistics import NAMES, SMALLEST, face_statistics
from streamdeblur.setting_types import Threshold

FACE_BEGIN, FACE_END = 3, 13
"""The part of a crop that the face fills, in sixteenths; around it a blurred background would count as a blurred face."""
FARTHEST = 4.0
"""Deviations from the mean of the faces that the estimate was fitted on: what lies farther is taken for this far."""

Kind = Literal["alone", "memory"]
"""Networks that restore a crop alone, and those that see its neighbours."""
FITTED = "gain.json"
"""The file of the estimate, beside the shipped networks whose gain it is of."""
ALWAYS = -math.inf
"""Threshold below all gains."""

Vector = NDArray[np.float32]


def face_square(size: int, side: float) -> tuple[int, int, int]:
    """Return where the face lies in a crop, and how to measure it at about the resolution of the frame.

    Args:
        size: Side of the crop in pixels.
        side: Side in pixels of the window that the crop was read from.

    Returns:
        The first line and column of the face, those after its last, and the pixels of the crop per pixel that is measured.
    """
    begin, end = FACE_BEGIN * size // 16, FACE_END * size // 16
    return begin, end, min(max(1, round(size / side)), (end - begin) // SMALLEST)


def described(crop: NDArray[np.uint8], side: float) -> Vector:
    """Return what the gain is estimated from, as `described_by` does.

    Args:
        crop: uint8 RGB [S, S, 3].
        side: Side in pixels of the window that the crop was read from.
    """
    size = crop.shape[0]
    return described_by(face_statistics(crop, *face_square(size, side)), size, side)


def described_by(statistics: NDArray[np.float64], size: int, side: float) -> Vector:
    """Return what the gain is estimated from.

    Args:
        statistics: Those of the face, measured as `face_square` says.
        size: Side of the crop in pixels.
        side: Side in pixels of the window that the crop was read from.

    Returns:
        float32 [2 + len(NAMES)]: how finely the face is sampled, the size of its window, and its statistics at about the
        resolution of the frame.
    """
    _, _, factor = face_square(size, side)
    return np.array([math.log2(side * factor / size), math.log2(side / 256), *statistics], np.float32)


@dataclass(frozen=True, eq=False)
class GainEstimator:
    """A small network of dense layers that was fitted to the measured gain (`streamdeblur train gain`)."""

    centre: Vector
    deviation: Vector
    """Of each value over the faces that it was fitted on."""
    layers: tuple[tuple[Vector, Vector], ...]
    """Weights [outputs, inputs] and biases [outputs]; tanh between two layers. The last output is the gain in dB."""
    thresholds: dict[str, float]
    """Gains in dB by name."""

    @classmethod
    def shipped(cls, kind: Kind) -> GainEstimator:
        """Return the estimate for the shipped network of a kind, which is also the best guess for another one."""
        return _shipped(kind)

    @classmethod
    def parse(cls, fitted: dict[str, Any], kind: Kind) -> GainEstimator:
        """Return the estimate for networks of a kind from the content of a file."""
        own = fitted["networks"][kind]
        layers = [(np.array(layer["weights"], np.float32), np.array(layer["bias"], np.float32)) for layer in own["layers"]]
        centre, deviation = (np.array(fitted[name], np.float32) for name in ("centre", "deviation"))
        return cls(centre, deviation, tuple(layers), dict(own["thresholds"]))

    def __call__(self, crop: NDArray[np.uint8], side: float) -> float:
        """Estimate by how many dB of PSNR the face in a crop would gain; see `described`."""
        return self.of(described(crop, side))

    def of(self, values: Vector) -> float:
        """Estimate the gain from values of `described`."""
        passed = np.clip((values - self.centre) / self.deviation, -FARTHEST, FARTHEST)
        for number, (weights, bias) in enumerate(self.layers):
            passed = weights @ (passed if number == 0 else np.tanh(passed)) + bias
        return float(passed[0])

    def threshold(self, setting: Threshold) -> float:
        """Return the gain in dB from which faces are restored under a setting."""
        if not isinstance(setting, str):
            return setting
        return ALWAYS if setting == "always" else self.thresholds[setting]


@lru_cache(maxsize=2)
def _shipped(kind: Kind) -> GainEstimator:
    fitted: dict[str, Any] = json.loads((files("streamdeblur.weights") / FITTED).read_text("utf-8"))
    assert fitted["statistics"] == list(NAMES), f"{FITTED} was fitted to other statistics: run 'streamdeblur train gain'"
    return GainEstimator.parse(fitted, kind)
