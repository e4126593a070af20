"""Face verification over folds (Table 8, the protocol of LFW and YouTube Faces): whether two faces are the same person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Verification:
    """How often a threshold on the similarity of two faces decided correctly whether they are the same person."""

    correct: Values
    """1 for each comparison that was decided correctly, else 0: float64 [N]."""
    accuracies: Values
    """Fraction of correct decisions in each fold, float64 [folds], in rising order of the folds' numbers."""
    thresholds: Values
    """The threshold of each fold, chosen on all the others: float64 [folds]."""

    @property
    def mean(self) -> float:
        """Mean accuracy of the folds."""
        return float(self.accuracies.mean())

    @property
    def deviation(self) -> float:
        """Standard deviation of the folds' accuracies (of a sample: n - 1), as in Table 8."""
        return float(self.accuracies.std(ddof=1))


def verify(similarities: ArrayLike, same: ArrayLike, folds: ArrayLike) -> Verification:
    """Return the accuracy over folds; each fold is decided with the threshold that is best on all the others.

    Args:
        similarities: float [N], one for each comparison; larger is more similar.
        same: bool [N]: whether the two faces are the same person.
        folds: int [N]: the number of each comparison's fold.

    Raises:
        ValueError: Lengths differ, a similarity is NaN, or there are fewer than two folds.
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
    """Find the threshold that decides most comparisons correctly, where `similarity >= threshold` means the same person.

    It lies halfway between two similarities that occur, or 1 beyond all; of equally good thresholds it is the middle one.
    """
    levels, index = np.unique(similarities, return_inverse=True)
    candidates = np.concatenate([[levels[0] - 1.0], (levels[:-1] + levels[1:]) / 2, [levels[-1] + 1.0]])
    # from one candidate to the next, the comparisons at one level change from "same" to "different"
    gains = np.bincount(index, np.where(same, -1, 1), len(levels))
    right = np.concatenate([[0.0], np.cumsum(gains)])
    best = np.flatnonzero(right == right.max())
    return float(candidates[best[len(best) // 2]])
