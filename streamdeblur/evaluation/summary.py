"""Summary of one protocol: the metrics of every method with confidence intervals, places and tests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from streamdeblur.evaluation.columns import COLUMNS, Column
from streamdeblur.evaluation.evaluate import ProtocolResults
from streamdeblur.evaluation.metrics.flicker import Flicker
from streamdeblur.evaluation.metrics.temporal import TemporalStability
from streamdeblur.evaluation.metrics.verification import Verification, verify
from streamdeblur.evaluation.results import FaceResult
from streamdeblur.evaluation.statistics import Interval, gap_closed, mean_interval, paired_p_value, ratio_interval

LOWER, UPPER = "blurred", "oracle"
"""The methods whose difference is the gap that others close."""
UNRANKED = (UPPER, "tv-oracle")
"""The methods that do not compete for places, because they use the ground truth."""


@dataclass(frozen=True)
class MethodRow:
    """The metrics of one method."""

    method: str
    images: int
    metrics: dict[str, Interval]
    """Means by column, with their intervals."""
    gaps_closed: dict[str, Interval]
    """The fraction of the gap between `blurred` and `oracle` that the method closes, by column."""
    places: dict[str, int]
    """1, 2 or 3 in the columns where the method has that place; the unranked ones have none."""
    worse: tuple[str, ...]
    """The columns, and "verification", in which the method is worse than the baseline."""
    milliseconds: float | None
    """Median time for one face; None if it was not measured."""
    verification: Verification | None = None


@dataclass(frozen=True)
class StabilityRow:
    """The temporal stability of one method: how much its video changes from frame to frame apart from motion."""

    method: str
    clips: int
    change: Interval
    """Mean absolute difference of consecutive frames after alignment, in code values."""
    share: Interval
    """The same in percent of the sharp video's: above 100 the video flickers, below 100 it lacks details that could flicker."""


@dataclass(frozen=True)
class FlickerRow:
    """The flicker of one method's restored runs; see `metrics.flicker`."""

    method: str
    runs: int
    flicker: Interval
    """In code values."""
    flicker_ratio: Interval
    """Relative to that of the blurry runs: 1 is as much, less is steadier."""
    velocity: Interval | None
    """Velocity error of the landmarks, in pixels of the crop per frame; None where it was not measured."""
    velocity_ratio: Interval | None
    """Relative to that of the blurry runs."""


@dataclass(frozen=True)
class PairedTest:
    """A test between two methods on the same faces."""

    first: str
    second: str
    column: str
    p_value: float


@dataclass(frozen=True)
class ProtocolSummary:
    """The results of one protocol."""

    protocol: str
    faces: int
    groups: int
    grouped_by: str
    """What the faces are grouped by, for display."""
    rows: list[MethodRow]
    tests: list[PairedTest]
    failed: dict[str, str]
    baseline: str | None
    """The method that stands for doing nothing: `blurred`, or the first of compared videos; None if it was not evaluated."""
    pseudo_ground_truth: bool
    """Landmarks are not annotated by hand: those that the landmark detector finds in the sharp face are used instead."""
    ranking_holds: bool | None
    """Whether the second landmark detector ranks the methods as the first does; None without a second one."""
    stabilities: list[StabilityRow] = field(default_factory=list)
    flickers: list[FlickerRow] = field(default_factory=list)
    flicker_reference: bool = True
    """Whether flicker is relative to the sharp frames; without them, to a smoothed track."""
    errors: dict[str, list[float]] = field(repr=False, default_factory=dict)
    """Landmark errors of the faces, by method."""
    cosines: dict[str, list[float]] = field(repr=False, default_factory=dict)
    """Identity cosines of the faces, by method."""


def summarise(found: ProtocolResults, seed: int = 0) -> ProtocolSummary:
    """Summarise the results of one protocol. Methods without results are left out.

    Args:
        found: The results of all methods.
        seed: Of the bootstrap and the permutation tests.
    """
    by_method = {name: results for name, results in found.results.items() if results}
    names = [name for name, column in COLUMNS.items() if _all_have(column.metric, by_method)]
    metrics = {
        method: {name: mean_interval(COLUMNS[name].values(results), _groups(results), seed) for name in names}
        for method, results in by_method.items()
    }
    verifications = {method: _verify(results, found) for method, results in by_method.items()}
    baseline = found.baseline or LOWER
    rows = [
        MethodRow(
            method,
            len(results),
            metrics[method],
            _gaps_closed(method, by_method, names, seed),
            {name: place for name in names if (place := _place(method, name, metrics))},
            _worse(method, baseline, metrics, verifications),
            found.milliseconds.get(method),
            verifications[method],
        )
        for method, results in by_method.items()
    ]
    return ProtocolSummary(
        found.protocol,
        len({result.case for results in by_method.values() for result in results}),
        len({result.group for results in by_method.values() for result in results}),
        found.grouped_by,
        rows,
        _paired_tests(by_method, found.baseline, names, seed),
        found.failed,
        baseline if baseline in by_method else None,
        not found.annotated,
        _ranking_holds(metrics) if "auc_second" in names and "auc" in names else None,
        [_stability_row(method, clips, seed) for method, clips in found.stabilities.items() if clips],
        [_flicker_row(method, runs, seed) for method, runs in found.flickers.items() if runs],
        all(run.reference for runs in found.flickers.values() for run in runs),
        {method: _of_faces(results, "landmarks") for method, results in by_method.items()} if "auc" in names else {},
        {method: _of_faces(results, "cosine") for method, results in by_method.items()} if "cosine" in names else {},
    )


def _all_have(metric: str, by_method: dict[str, list[FaceResult]]) -> bool:
    return all(metric in result.metrics for results in by_method.values() for result in results)


def _stability_row(method: str, clips: Sequence[TemporalStability], seed: int) -> StabilityRow:
    change = [clip.restored.mean() for clip in clips]
    share = [100 * clip.restored.mean() / clip.sharp.mean() for clip in clips]
    groups = range(len(clips))
    return StabilityRow(method, len(clips), mean_interval(change, groups, seed), mean_interval(share, groups, seed))


def _flicker_row(method: str, runs: Sequence[Flicker], seed: int) -> FlickerRow:
    groups = [run.group for run in runs]
    flickers = [run.flicker for run in runs]
    flicker = mean_interval(flickers, groups, seed)
    ratio = ratio_interval(flickers, [run.blurry_flicker for run in runs], groups, seed)
    velocities = [run.velocity for run in runs if run.velocity is not None]
    blurry = [run.blurry_velocity for run in runs if run.blurry_velocity is not None]
    if not len(velocities) == len(blurry) == len(runs):
        return FlickerRow(method, len(runs), flicker, ratio, None, None)
    velocity = mean_interval(velocities, groups, seed)
    return FlickerRow(method, len(runs), flicker, ratio, velocity, ratio_interval(velocities, blurry, groups, seed))


def _groups(results: Sequence[FaceResult]) -> list[str]:
    return [result.group for result in results]


def _of_faces(results: Sequence[FaceResult], metric: str) -> list[float]:
    return [result.metrics[metric] for result in results]


def _gaps_closed(method: str, by_method: dict[str, list[FaceResult]], names: Sequence[str], seed: int) -> dict[str, Interval]:
    if LOWER not in by_method or UPPER not in by_method or method in (LOWER, UPPER):
        return {}
    groups = _groups(by_method[method])

    def closed(column: Column) -> Interval:
        blurred, restored, oracle = (column.values(by_method[name]) for name in (LOWER, method, UPPER))
        return gap_closed(blurred, restored, oracle, groups, seed)

    # the PSNR of the oracle is infinite
    return {name: closed(COLUMNS[name]) for name in names if name != "psnr"}


def _place(method: str, name: str, metrics: dict[str, dict[str, Interval]]) -> int | None:
    """The place among the methods that compete, the blurred faces among them: 1 to 3, or None. One method alone has no place."""
    ranked = sorted(_cost(name, own) for other, own in metrics.items() if other not in UNRANKED)
    if method in UNRANKED or len(ranked) == 1:
        return None
    place = ranked.index(_cost(name, metrics[method])) + 1
    return place if place <= 3 else None


def _worse(
    method: str, baseline: str, metrics: dict[str, dict[str, Interval]], verifications: dict[str, Verification | None]
) -> tuple[str, ...]:
    """The columns in which a method is worse than the baseline, and "verification" if it is worse there."""
    if baseline not in metrics:
        return ()
    worse = [name for name in metrics[method] if _cost(name, metrics[method]) > _cost(name, metrics[baseline])]
    own, least = verifications[method], verifications[baseline]
    return (*worse, "verification") if own and least and own.mean < least.mean else tuple(worse)


def _cost(name: str, metrics: dict[str, Interval]) -> float:
    """The mean of a column, with a sign such that less is better."""
    return (-1.0 if COLUMNS[name].more_is_better else 1.0) * metrics[name].value


def _paired_tests(by_method: dict[str, list[FaceResult]], baseline: str, names: Sequence[str], seed: int) -> list[PairedTest]:
    """Tests of every two methods but the oracle, or of the baseline and each other one, by the first of PSNR, AUC and cosine that
    the table has."""
    column = next((name for name in ("psnr", "auc", "cosine") if name in names), None)
    if column is None:
        return []
    tests = []
    for first, second in combinations([name for name in by_method if name != UPPER], 2):
        if baseline not in ("", first, second):
            continue
        values, other_values = (COLUMNS[column].values(by_method[name]) for name in (first, second))
        tests.append(PairedTest(first, second, column, paired_p_value(values, other_values, _groups(by_method[first]), seed)))
    return tests


def _ranking_holds(metrics: dict[str, dict[str, Interval]]) -> bool:
    orders = [sorted(metrics, key=lambda method: -metrics[method][name].value) for name in ("auc", "auc_second")]
    return orders[0] == orders[1]


def _verify(results: Sequence[FaceResult], found: ProtocolResults) -> Verification | None:
    """Verification accuracy over the folds, if the data have comparisons and the faces embeddings.

    Of videos with several faces, the similarity is the mean of the cosines of all pairs of faces, which is the product of the
    mean embeddings.
    """
    embeddings: dict[str, list[list[float]]] = defaultdict(list)
    for result in results:
        if result.embedding is not None:
            embeddings[result.group].append(result.embedding)
    means = {group: np.mean(own, axis=0) for group, own in embeddings.items()}
    compared = [one for one in found.comparisons if one.first in means and one.second in means]
    if len({one.fold for one in compared}) < 2:
        return None
    similarities = [float(means[one.first] @ means[one.second]) for one in compared]
    return verify(similarities, [one.same for one in compared], [one.fold for one in compared])
