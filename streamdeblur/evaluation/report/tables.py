"""Tables of a report: what is in each cell, for Markdown and HTML alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from streamdeblur.evaluation.statistics import Interval
from streamdeblur.evaluation.summary import COLUMNS, Column, Row, Summary


@dataclass(frozen=True)
class Cell:
    """One cell of a table."""

    text: str
    interval: str = ""
    place: int = 0
    """1, 2 or 3: the first, second or third of its column."""


@dataclass(frozen=True)
class Table:
    """Cells in rows, and what stands above them."""

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def figures_table(summary: Summary) -> Table:
    """Every figure of every method, with its interval; the share of the gap closed is that of the AUC, or else of SSIM."""
    names = list(summary.rows[0].figures)
    gap = next((name for name in ("auc", "ssim") if name in names and any(name in row.gaps for row in summary.rows)), None)
    verified = any(row.verification for row in summary.rows)
    timed = any(row.milliseconds is not None for row in summary.rows)
    head = ["method", *(COLUMNS[name].title for name in names)]
    head += [f"gap closed % ({COLUMNS[gap].title})"] if gap else []
    head += ["verification %"] if verified else []
    head += ["ms"] if timed else []
    return Table([*head, "images"], [_row(row, names, gap, verified=verified, timed=timed) for row in summary.rows])


def _row(row: Row, names: Sequence[str], gap: str | None, *, verified: bool, timed: bool) -> list[Cell]:
    cells = [Cell(row.method)]
    cells += [_cell(row.figures[name], COLUMNS[name], row.places.get(name, 0)) for name in names]
    if gap:
        cells.append(_share(row.gaps[gap]) if gap in row.gaps else Cell(""))
    if verified:
        told = row.verification
        cells.append(Cell(f"{100 * told.mean:.1f}", f"± {100 * told.deviation:.1f}") if told else Cell(""))
    if timed:
        cells.append(Cell("" if row.milliseconds is None else f"{row.milliseconds:.1f}"))
    return [*cells, Cell(str(row.images))]


def _cell(figure: Interval, column: Column, place: int) -> Cell:
    return Cell(_number(figure.value, column.form), _interval(figure, column.form), place)


def _share(share: Interval) -> Cell:
    if not math.isfinite(share.value):
        return Cell("", "no gap")
    hundred = Interval(100 * share.value, 100 * share.low, 100 * share.high)
    return Cell(_number(hundred.value, ".0f"), _interval(hundred, ".0f"))


def _number(value: float, form: str) -> str:
    return f"{value:{form}}" if math.isfinite(value) else "unknown"


def _interval(figure: Interval, form: str) -> str:
    if math.isnan(figure.low):
        return ""
    if math.isinf(figure.low) or math.isinf(figure.high):
        return "unknown"
    return f"{figure.low:{form}} to {figure.high:{form}}"


def tests_table(summary: Summary) -> Table:
    """How likely methods that are equally good would differ as much."""
    title = COLUMNS[summary.tests[0].column].title if summary.tests else ""
    rows = [[Cell(test.first), Cell(test.second), Cell(_p_value(test.p_value))] for test in summary.tests]
    return Table(["method", "against", f"p ({title})"], rows)


def steadiness_table(summary: Summary) -> Table:
    """Whether the frames of a restored video flicker."""
    rows = [
        [
            Cell(one.method),
            Cell(_number(one.change.value, ".2f"), _interval(one.change, ".2f")),
            Cell(_number(one.share.value, ".0f"), _interval(one.share, ".0f")),
            Cell(str(one.clips)),
        ]
        for one in summary.steadiness
    ]
    return Table(["method", "change between frames", "% of the sharp video's", "clips"], rows)


def _p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def notes(summary: Summary) -> list[str]:
    """What a reader must know of the figures."""
    told = [f"{summary.faces} faces; {summary.grouped_by}: {summary.groups}. Intervals: 95 %, by a bootstrap over those."]
    if summary.pseudo and summary.errors:
        told.append(
            "Landmarks are not marked by hand: what the localiser finds in the sharp face stands for them (pseudo ground truth)."
        )
    if summary.ranking_holds is not None:
        holds = "the same order as" if summary.ranking_holds else "ANOTHER order than"
        told.append(f"The second localiser puts the methods in {holds} the first.")
    if summary.steadiness:
        told.append(
            "Change between frames: mean absolute difference, in code values, of frames in a row after alignment by the sharp "
            "video's flow. Above 100 % a video flickers more than the sharp one; below, details are missing that could change."
        )
    told += [f"Left out: {method}: {reason}" for method, reason in summary.failed.items()]
    return told
