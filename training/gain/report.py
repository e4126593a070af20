"""How the estimate of the gain decides on faces of people that it was not fitted to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.training.gain.fitting import CLEAR, KINDS, NOTHING, estimates_of
from streamdeblur.training.gain.measurement import Measurements
from streamdeblur.training.gain.populations import POPULATIONS

ELEVEN = 11
CURVE = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0)
"""Thresholds in dB of the curve."""

Mask = NDArray[np.bool_]


def tables(fitted: dict[str, Any], measured: Measurements) -> Iterator[str]:
    """Yield lines of Markdown: for each network its thresholds by population, and the curve over all thresholds."""
    for kind, estimates, gains in zip(KINDS, estimates_of(fitted, measured), measured.gains, strict=True):
        named = fitted["networks"][kind]["thresholds"]
        title = "Network that restores a crop alone" if kind == "alone" else "Network with a memory"
        yield f"{title}: `normal` from {named['normal']:g} dB, `gentle` from {named['gentle']:g} dB"
        yield ""
        missed, wasted = f"missed of those above {CLEAR:g} dB", f"restored of those below {NOTHING:g} dB"
        yield f"| faces (number) | mean gain in dB | {missed}: normal | gentle | {wasted}: normal | gentle |"
        yield "| -- | -- | -- | -- | -- | -- |"
        for name, mask in _groups(measured):
            yield _row(name, estimates[mask], gains[mask], named)
        yield ""
        yield f"| threshold in dB | {missed} | {wasted} | restored of all |"
        yield "| -- | -- | -- | -- |"
        for threshold in CURVE:
            decided = (*shares(estimates, gains, threshold), float((estimates > threshold).mean()))
            yield f"| {threshold:g} | {' | '.join(map(_percent, decided))} |"
        yield ""


def shares(estimates: NDArray[np.float32], gains: NDArray[np.float32], threshold: float) -> tuple[float | None, float | None]:
    """Return the share missed of the faces that gain clearly, and restored of those that gain nothing; None without any."""
    clear, nothing = gains > CLEAR, gains < NOTHING
    missed = float((estimates[clear] <= threshold).mean()) if clear.any() else None
    wasted = float((estimates[nothing] > threshold).mean()) if nothing.any() else None
    return missed, wasted


def _groups(measured: Measurements) -> Iterator[tuple[str, Mask]]:
    small = measured.sides < CROP_SIZE
    for number, population in enumerate(POPULATIONS):
        members = measured.populations == number
        yield population.name, members & ~small
        yield f"{population.name}; windows below {CROP_SIZE} px", members & small
        if "talking" in population.name:
            yield f"of these, averages of {ELEVEN} frames", members & (measured.lengths == ELEVEN)
    yield "all", np.ones_like(small)


def _row(name: str, estimates: NDArray[np.float32], gains: NDArray[np.float32], named: dict[str, float]) -> str:
    normal, gentle = (shares(estimates, gains, named[which]) for which in ("normal", "gentle"))
    counted = [(gains > CLEAR).sum(), (gains < NOTHING).sum()]
    cells = [
        f"{_percent(one)} of {count}" if one is not None else "none"
        for count, pair in zip(counted, zip(normal, gentle, strict=True), strict=True)
        for one in pair
    ]
    mean = f"{np.clip(gains, -1.0, None).mean():.2f}" if len(gains) else "-"
    return f"| {name} ({len(gains)}) | {mean} | {' | '.join(cells)} |"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"
