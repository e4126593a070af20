"""Tables of a report: the cells that Markdown and HTML have in common."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from streamdeblur.evaluation.columns import COLUMNS, Column
from streamdeblur.evaluation.statistics import Interval
from streamdeblur.evaluation.summary import LOWER, FlickerRow, MethodRow, ProtocolSummary


@dataclass(frozen=True)
class Cell:
    """One cell of a table."""

    text: str
    interval: str = ""
    place: int = 0
    """1, 2 or 3: the first, second or third of its column."""
    worse: bool = False
    """Whether the method is worse than the baseline in this column."""


@dataclass(frozen=True)
class Heading:
    """The title of a column."""

    title: str
    better: Literal["more", "less"] | None = None
    """What is better; None where neither is."""

    def __str__(self) -> str:
        return f"{self.title} {self.arrow}".rstrip()

    @property
    def arrow(self) -> str:
        """Points up where more is better, and down where less is; empty where neither is."""
        return {"more": "↑", "less": "↓", None: ""}[self.better]


@dataclass(frozen=True)
class Table:
    """Rows of cells, and the headings of their columns. The first cell of a row names it."""

    head: Sequence[Heading]
    rows: Sequence[Sequence[Cell]]


def metrics_table(summary: ProtocolSummary) -> Table:
    """Tabulate every metric of every method, with its interval, and the gap closed in AUC, or else in SSIM."""
    names = list(summary.rows[0].metrics)
    gap = next((name for name in ("auc", "ssim") if name in names and any(name in row.gaps_closed for row in summary.rows)), None)
    verified = any(row.verification for row in summary.rows)
    timed = any(row.milliseconds is not None for row in summary.rows)
    head = [Heading("method"), *(Heading(COLUMNS[name].title, _better(COLUMNS[name])) for name in names)]
    head += [Heading(f"gap closed % ({COLUMNS[gap].title})", "more")] if gap else []
    head += [Heading("verification %", "more")] if verified else []
    head += [Heading("ms", "less")] if timed else []
    return Table([*head, Heading("images")], [_row(row, names, gap, verified=verified, timed=timed) for row in summary.rows])


def _better(column: Column) -> Literal["more", "less"]:
    return "more" if column.more_is_better else "less"


def _row(row: MethodRow, names: Sequence[str], gap: str | None, *, verified: bool, timed: bool) -> list[Cell]:
    cells = [Cell(row.method)]
    cells += [_cell(row.metrics[name], COLUMNS[name], row.places.get(name, 0), worse=name in row.worse) for name in names]
    if gap:
        cells.append(_percentage(row.gaps_closed[gap], worse=gap in row.worse) if gap in row.gaps_closed else Cell(""))
    if verified:
        cells.append(_verification(row))
    if timed:
        cells.append(Cell("" if row.milliseconds is None else f"{row.milliseconds:.1f}"))
    return [*cells, Cell(str(row.images))]


def _cell(metric: Interval, column: Column, place: int, *, worse: bool) -> Cell:
    return Cell(_number(metric.value, column.format_spec), _interval(metric, column.format_spec), place, worse)


def _verification(row: MethodRow) -> Cell:
    found = row.verification
    return (
        Cell(f"{100 * found.mean:.1f}", f"± {100 * found.deviation:.1f}", worse="verification" in row.worse)
        if found
        else Cell("")
    )


def _percentage(fraction: Interval, *, worse: bool) -> Cell:
    if not math.isfinite(fraction.value):
        return Cell("", "no gap")
    percent = Interval(100 * fraction.value, 100 * fraction.low, 100 * fraction.high)
    return Cell(_number(percent.value, ".0f"), _interval(percent, ".0f"), worse=worse)


def _number(value: float, format_spec: str) -> str:
    return f"{value:{format_spec}}" if math.isfinite(value) else "unknown"


def _interval(metric: Interval, format_spec: str) -> str:
    if math.isnan(metric.low):
        return ""
    if math.isinf(metric.low) or math.isinf(metric.high):
        return "unknown"
    return f"{metric.low:{format_spec}} to {metric.high:{format_spec}}"


def paired_tests_table(summary: ProtocolSummary) -> Table:
    """Tabulate the p-values of the tests between two methods."""
    title = COLUMNS[summary.tests[0].column].title if summary.tests else ""
    rows = [[Cell(test.first), Cell(test.second), Cell(_p_value(test.p_value))] for test in summary.tests]
    return Table([Heading("method"), Heading("against"), Heading(f"p ({title})")], rows)


def stability_table(summary: ProtocolSummary) -> Table:
    """Tabulate the temporal stability of every method."""
    rows = [
        [
            Cell(row.method),
            Cell(_number(row.change.value, ".2f"), _interval(row.change, ".2f")),
            Cell(_number(row.share.value, ".0f"), _interval(row.share, ".0f")),
            Cell(str(row.clips)),
        ]
        for row in summary.stabilities
    ]
    head = ("method", "change between frames", "% of the sharp video's", "clips")
    return Table([Heading(title) for title in head], rows)


def flicker_table(summary: ProtocolSummary) -> Table:
    """Tabulate the flicker of every method."""
    measured = any(row.velocity for row in summary.flickers)
    titles = ["flicker", "of the blurry video's"]
    titles += ["landmark velocity error, px", "of the blurry video's"] if measured else []
    head = [Heading("method"), *(Heading(title, "less") for title in titles), Heading("runs")]
    return Table(head, [_flicker_cells(row, measured=measured) for row in summary.flickers])


def _flicker_cells(row: FlickerRow, *, measured: bool) -> list[Cell]:
    cells = [Cell(row.method), _plain(row.flicker), _plain(row.flicker_ratio)]
    cells += [Cell("") if one is None else _plain(one) for one in (row.velocity, row.velocity_ratio) if measured]
    return [*cells, Cell(str(row.runs))]


def _plain(value: Interval, format_spec: str = ".2f") -> Cell:
    return Cell(_number(value.value, format_spec), _interval(value, format_spec))


def _p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def notes(summary: ProtocolSummary) -> list[str]:
    """Return the explanations that a reader of the tables needs."""
    found = [f"{summary.faces} faces; {summary.grouped_by}: {summary.groups}. Intervals: 95 %, by a bootstrap over those."]
    found.append(f"Arrows: more (↑) or less (↓) is better. {_note_on_places(summary)}")
    if summary.pseudo_ground_truth and summary.errors:
        found.append(
            "Landmarks are not annotated by hand: those that the landmark detector finds in the sharp face are used instead "
            "(pseudo ground truth)."
        )
    if summary.ranking_holds is not None:
        order = "the same order as" if summary.ranking_holds else "ANOTHER order than"
        found.append(f"The second landmark detector ranks the methods in {order} the first.")
    if summary.stabilities:
        found.append(
            "Change between frames: mean absolute difference, in code values, of consecutive frames after alignment by the sharp "
            "video's flow. Above 100 % a video flickers more than the sharp one; below, it lacks details that could change."
        )
    found += _notes_on_flicker(summary)
    found += [f"Left out: {method}: {reason}" for method, reason in summary.failed.items()]
    return found


def _notes_on_flicker(summary: ProtocolSummary) -> list[str]:
    if not summary.flickers:
        return []
    found = [
        "Flicker: mean |change of the restored - change of the sharp video| from frame to frame, in code values; the landmark "
        "velocity error is the same of the steps of landmarks. Both also relative to the blurry video's own: below 1 is steadier."
        if summary.flicker_reference
        else "The sharp video is unknown: flicker is how far pixels are from the mean of the frames before and after, followed "
        "by the blurry video's flow, and landmarks are compared with the blurry video's smoothed track. Detail that was regained "
        "raises these values, too."
    ]
    if not any(row.velocity for row in summary.flickers):
        found.append("The velocity of landmarks was not measured, because there was no landmark detector.")
    return found


def _note_on_places(summary: ProtocolSummary) -> str:
    if summary.baseline is None:
        return f"Places are among these methods only: without the method '{LOWER}' it is unknown which of them make faces worse."
    return f"Places include '{summary.baseline}'. What is marked as worse is worse than '{summary.baseline}' in that column."
