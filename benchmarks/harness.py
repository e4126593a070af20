"""What the benchmarks share: comparing in turn, and the table."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streamdeblur.diagnosis import diagnose


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    value: str
    against: str = ""
    ratio: float | None = None
    """How many times better than what it is compared with, both measured in turn in one run; medians."""
    target: str = ""


def in_turn(measures: Sequence[Callable[[], float]], rounds: int = 5) -> list[list[float]]:
    """Run the measures one after the other, `rounds` times, after one warm-up; the values of each."""
    values: list[list[float]] = [[] for _ in measures]
    for number in range(rounds + 1):
        for measure, kept in zip(measures, values, strict=True):
            value = measure()
            if number:
                kept.append(value)
    return values


def ratio(values: Sequence[float], others: Sequence[float]) -> float:
    """Median of the ratios pair by pair: what drifts with the machine cancels."""
    return statistics.median(a / b for a, b in zip(values, others, strict=True))


def machine() -> str:
    """The CPU, its cores and the features that matter."""
    cpu = diagnose().cpu
    return f"{cpu.name}, {cpu.cores} cores, {', '.join(cpu.features)}"


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    lines = ["| what | streamdeblur | against | ratio | target |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        times = f"{row.ratio:.2f}" if row.ratio is not None else ""
        lines.append(f"| {row.name} | {row.value} | {row.against} | {times} | {row.target} |")
    return "\n".join(lines)
