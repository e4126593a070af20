"""What the benchmarks share: alternating measurements, and the table of results."""

from __future__ import annotations

import math
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streamdeblur.diagnosis import diagnose

if TYPE_CHECKING:
    from streamdeblur.evaluation.statistics import Interval


AVX2 = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,+bmi2,+lzcnt,+f16c,+movbe,+cx16",
    "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX512-ICL,AVX512-CLX",
}
"""Environment of a process that is to compute as on a CPU with AVX2: for OpenVINO, Numba and OpenCV."""


@dataclass(frozen=True)
class Row:
    """One line of the table of results."""

    name: str
    value: str
    against: str = ""
    ratio: float | None = None
    """How many times better it is than what it is compared with: the median of ratios, both sides measured alternately."""
    target: str = ""


def alternate(measures: Sequence[Callable[[], float]], rounds: int = 5, warm_up: int = 1) -> list[list[float]]:
    """Run the measures one after the other, `rounds` times after `warm_up` rounds; returns the values of each."""
    values: list[list[float]] = [[] for _ in measures]
    for number in range(rounds + warm_up):
        for measure, kept in zip(measures, values, strict=True):
            value = measure()
            if number >= warm_up:
                kept.append(value)
    return values


def ratio(values: Sequence[float], others: Sequence[float]) -> float:
    """The median of the ratios of pairs, in which a drift of the machine's speed cancels."""
    return statistics.median(a / b for a, b in zip(values, others, strict=True))


def restrict_to_avx2() -> None:
    """Begin the program anew, as on a CPU with AVX2 and nothing newer; FFmpeg's codecs are not restricted.

    Libraries read the environment when they are loaded. The speeds of networks are kept apart from those of the whole CPU.
    """
    if os.environ.keys() >= AVX2.keys():
        return
    cache = Path(tempfile.gettempdir()) / "streamdeblur-avx2"
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | AVX2 | {"STREAMDEBLUR_CACHE": str(cache)})


def machine() -> str:
    """The CPU, its cores and its vector extensions."""
    cpu = diagnose().cpu
    restricted = "restricted to AVX2" if os.environ.keys() >= AVX2.keys() else ", ".join(cpu.features)
    return f"{cpu.name}, {cpu.cores} cores, {restricted}"


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    times = [f"{row.ratio:.2f}" if row.ratio is not None else "" for row in rows]
    cells = [[row.name, row.value, row.against, ratio, row.target] for row, ratio in zip(rows, times, strict=True)]
    return markdown(("what", "streamdeblur", "against", "ratio", "target"), cells)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join([f"| {' | '.join(head)} |", "|" + " -- |" * len(head), *(f"| {' | '.join(row)} |" for row in rows)])


def shown(interval: Interval | None, form: str) -> str:
    """A mean with its interval; nothing where it is unknown."""
    if interval is None or math.isnan(interval.value):
        return ""
    return f"{interval.value:{form}} [{interval.low:{form}} to {interval.high:{form}}]"
