"""Face verification over folds (Table 8, the protocol of LFW and YouTube Faces): are two faces the same person?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Verification:
    """How often a threshold on the similarity of two faces told right whether they are the same person."""

    correct: Values
    """1 for each comparison that was told right, else 0, float64 [N]: with the folds as groups, what intervals are made of."""
    accuracies: Values
    """Share of right ones in each fold, float64 [folds], in rising order of the folds' numbers."""
    thresholds: Values
    """What each fold was judged with, chosen on all the others: float64 [folds]."""

    @property
    def mean(self) -> float:
        """Mean accuracy of the folds."""
        return float(self.accuracies.mean())

    @property
    def deviation(self) -> float:
        """Standard deviation of the folds' accuracies (of a sample: n - 1), which Table 8 gives behind its +-."""
        return float(self.accuracies.std(ddof=1))


def verify(similarities: ArrayLike, same: ArrayLike, folds: ArrayLike) -> Verification:
    """Accuracy over folds: each is judged with the threshold that is best on all the others.

    similarities: of the two faces of each comparison, the more the more alike, float [N]; same: whether they are one person,
    bool [N]; folds: the number of each comparison's fold, int [N].

    Raises:
        ValueError: lengths that differ, a similarity that is NaN, or fewer than two folds.
    """
    alike, truth, fold = np.asarray(similarities, np.float64), np.asarray(same, bool), np.asarray(folds)
    if not (alike.ndim == 1 and alike.shape == truth.shape == fold.shape) or np.isnan(alike).any():
        raise ValueError("Each comparison needs a similarity (not NaN), whether it is the same person, and a fold.")
    numbers = np.unique(fold)
    if len(numbers) < 2:
        raise ValueError(f"A threshold is chosen on other folds: two are needed (got {len(numbers)}).")
    thresholds = np.array([best_threshold(alike[fold != number], truth[fold != number]) for number in numbers])
    correct = ((alike >= thresholds[np.searchsorted(numbers, fold)]) == truth).astype(np.float64)
    return Verification(correct, np.array([correct[fold == number].mean() for number in numbers]), thresholds)


def best_threshold(similarities: Values, same: NDArray[np.bool_]) -> float:
    """The threshold that tells most comparisons right, where `similarity >= threshold` means the same person.

    Halfway between two similarities that occur (or beyond all, by 1); of thresholds that are equally good the middle one.
    """
    levels, index = np.unique(similarities, return_inverse=True)
    candidates = np.concatenate([[levels[0] - 1.0], (levels[:-1] + levels[1:]) / 2, [levels[-1] + 1.0]])
    # From one candidate to the next, the comparisons at one level turn from "same" to "different"
    gains = np.bincount(index, np.where(same, -1, 1), len(levels))
    right = np.concatenate([[0.0], np.cumsum(gains)])
    best = np.flatnonzero(right == right.max())
    return float(candidates[best[len(best) // 2]])
