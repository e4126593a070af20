"""Summary: what an evaluation found, as figures with intervals, ranks and tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streamdeblur.evaluation.evaluate import Evaluated
from streamdeblur.evaluation.metrics.landmarks import auc_parts, failures
from streamdeblur.evaluation.metrics.temporal import Stability
from streamdeblur.evaluation.metrics.verification import Verification, verify
from streamdeblur.evaluation.results import Result
from streamdeblur.evaluation.statistics import Interval, gap_closed, mean_interval, paired_p_value

LOWER, UPPER = "blurred", "oracle"
"""The methods between which the gap lies."""
BOUNDS = (LOWER, UPPER, "tv-oracle")
"""The methods that do not compete for places: they do nothing, or know the answer or a part of it."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """A figure of a report."""

    title: str
    figure: str
    """Name of the number of each face that it is made of."""
    form: str
    """How it is written, as in `format`."""
    more_is_better: bool = True
    part: Callable[[ArrayLike], Values] | None = None
    """What is averaged over the faces; the number itself by default."""
    scale: float = 1.0

    def parts(self, results: Sequence[Result]) -> Values:
        """What is averaged, one number for each face."""
        values = np.array([result.figures[self.figure] for result in results], np.float64)
        return (values if self.part is None else self.part(values)) * self.scale


COLUMNS = {
    "psnr": Column("PSNR dB", "psnr", ".2f"),
    "ssim": Column("SSIM", "ssim", ".3f"),
    "gmsd": Column("GMSD", "gmsd", ".3f", more_is_better=False),
    "gradient": Column("gradient error", "gradient", ".2f", more_is_better=False),
    "auc": Column("AUC", "landmarks", ".3f", part=auc_parts),
    "failure": Column("failures %", "landmarks", ".1f", more_is_better=False, part=failures, scale=100.0),
    "error": Column("landmark error %", "landmarks", ".2f", more_is_better=False, scale=100.0),
    "auc_second": Column("AUC, second localiser", "landmarks_second", ".3f", part=auc_parts),
    "cosine": Column("cosine", "cosine", ".3f"),
    "frame": Column("PSNR dB, whole frame", "frame", ".2f"),
}
"""The figures of a table, in their order; of those that the faces have."""


@dataclass(frozen=True)
class Row:
    """What one method reached."""

    method: str
    images: int
    figures: dict[str, Interval]
    """By the name of the column."""
    gaps: dict[str, Interval]
    """The share of the blurred-to-oracle gap that was closed, by the name of the column."""
    places: dict[str, int]
    """1, 2 or 3 where the method has that place in a column; the bounds have none."""
    milliseconds: float | None
    """Median time for one face; None where nobody measured it."""
    verification: Verification | None = None


@dataclass(frozen=True)
class Steadiness:
    """How much a method's video changes from frame to frame besides motion."""

    method: str
    clips: int
    change: Interval
    """Mean absolute difference of frames in a row after alignment, in code values."""
    share: Interval
    """The same in percent of the sharp video's: above 100 it flickers, below 100 details are missing that could."""


@dataclass(frozen=True)
class PairedTest:
    """Two methods on the same faces."""

    first: str
    second: str
    column: str
    p_value: float


@dataclass(frozen=True)
class Summary:
    """One protocol."""

    protocol: str
    faces: int
    groups: int
    grouped_by: str
    """What a group of faces is, for people."""
    rows: list[Row]
    tests: list[PairedTest]
    failed: dict[str, str]
    pseudo: bool
    """Landmarks were not marked by hand: what the localiser finds in the sharp face stands for them."""
    ranking_holds: bool | None
    """Does the second localiser put the methods in the order of the first? None without one."""
    steadiness: list[Steadiness] = field(default_factory=list)
    errors: dict[str, list[float]] = field(repr=False, default_factory=dict)
    """Landmark errors of each method's faces."""
    cosines: dict[str, list[float]] = field(repr=False, default_factory=dict)


def summarise(evaluated: Evaluated, seed: int = 0) -> Summary:
    """The figures of one protocol. Methods that gave no face are left out."""
    by_method = {name: results for name, results in evaluated.results.items() if results}
    names = [name for name in COLUMNS if all(COLUMNS[name].figure in r.figures for rs in by_method.values() for r in rs)]
    figures = {
        method: {name: mean_interval(COLUMNS[name].parts(results), _groups(results), seed) for name in names}
        for method, results in by_method.items()
    }
    rows = [
        Row(
            method,
            len(results),
            figures[method],
            _gaps(method, by_method, names, seed),
            {name: place for name in names if (place := _place(method, name, figures))},
            evaluated.milliseconds.get(method),
            _verify(results, evaluated),
        )
        for method, results in by_method.items()
    ]
    return Summary(
        evaluated.protocol,
        len({result.case for results in by_method.values() for result in results}),
        len({result.group for results in by_method.values() for result in results}),
        evaluated.grouped_by,
        rows,
        _tests(by_method, evaluated.baseline, names, seed),
        evaluated.failed,
        not evaluated.marked,
        _ranking_holds(figures) if "auc_second" in names and "auc" in names else None,
        [_steadiness(method, found, seed) for method, found in evaluated.steadiness.items() if found],
        {method: _of(results, "landmarks") for method, results in by_method.items()} if "auc" in names else {},
        {method: _of(results, "cosine") for method, results in by_method.items()} if "cosine" in names else {},
    )


def _steadiness(method: str, found: Sequence[Stability], seed: int) -> Steadiness:
    clips = range(len(found))
    change = [one.restored.mean() for one in found]
    share = [100 * one.restored.mean() / one.sharp.mean() for one in found]
    return Steadiness(method, len(found), mean_interval(change, clips, seed), mean_interval(share, clips, seed))


def _groups(results: Sequence[Result]) -> list[str]:
    return [result.group for result in results]


def _of(results: Sequence[Result], figure: str) -> list[float]:
    return [result.figures[figure] for result in results]


def _gaps(method: str, by_method: dict[str, list[Result]], names: Sequence[str], seed: int) -> dict[str, Interval]:
    if LOWER not in by_method or UPPER not in by_method or method in (LOWER, UPPER):
        return {}
    own = by_method[method]

    def share(column: Column) -> Interval:
        low, middle, high = (column.parts(by_method[name]) for name in (LOWER, method, UPPER))
        return gap_closed(low, middle, high, _groups(own), seed)

    # PSNR to the sharp face itself has no upper end
    return {name: share(COLUMNS[name]) for name in names if name != "psnr"}


def _place(method: str, name: str, figures: dict[str, dict[str, Interval]]) -> int | None:
    """Place among the methods that compete: 1 to 3, or None."""
    if method in BOUNDS:
        return None
    sign = -1.0 if COLUMNS[name].more_is_better else 1.0
    values = sorted(sign * own[name].value for other, own in figures.items() if other not in BOUNDS)
    place = values.index(sign * figures[method][name].value) + 1
    return place if place <= 3 else None


def _tests(by_method: dict[str, list[Result]], baseline: str, names: Sequence[str], seed: int) -> list[PairedTest]:
    """Every two methods that compete, or the baseline and each other, by the first of PSNR, AUC and cosine that there is."""
    column = next((name for name in ("psnr", "auc", "cosine") if name in names), None)
    if column is None:
        return []
    found = []
    for first, second in combinations([name for name in by_method if name != UPPER], 2):
        if baseline not in ("", first, second):
            continue
        one, other = (COLUMNS[column].parts(by_method[name]) for name in (first, second))
        found.append(PairedTest(first, second, column, paired_p_value(one, other, _groups(by_method[first]), seed)))
    return found


def _ranking_holds(figures: dict[str, dict[str, Interval]]) -> bool:
    orders = [sorted(figures, key=lambda method: -figures[method][name].value) for name in ("auc", "auc_second")]
    return orders[0] == orders[1]


def _verify(results: Sequence[Result], evaluated: Evaluated) -> Verification | None:
    """Accuracy over the folds, where the data tell who is whom and faces were embedded."""
    embeddings = {result.case: np.array(result.embedding) for result in results if result.embedding is not None}
    told = [one for one in evaluated.comparisons if one.first in embeddings and one.second in embeddings]
    if len({one.fold for one in told}) < 2:
        return None
    similarities = [float(embeddings[one.first] @ embeddings[one.second]) for one in told]
    return verify(similarities, [one.same for one in told], [one.fold for one in told])
