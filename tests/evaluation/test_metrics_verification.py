"""Verification on cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.evaluation.metrics.verification import best_threshold, verify


def test_each_fold_is_judged_with_the_threshold_of_the_others():
    # Fold 0 alone would choose 0.45 and fold 1 alone 0.75; each is judged with the other's
    similarities = [[0.9, 0.7, 0.5, 0.4, 0.1], [0.9, 0.8, 0.7, 0.6, 0.2]]
    same = [[1, 1, 1, 0, 0], [1, 1, 0, 0, 0]]
    result = verify(np.ravel(similarities), np.ravel(same), np.repeat([0, 1], 5))
    assert result.thresholds == pytest.approx([0.75, 0.45])
    # fold 0 loses the pairs at 0.7 and 0.5, fold 1 takes those at 0.7 and 0.6 for the same person
    assert result.correct.tolist() == [1, 0, 0, 1, 1, 1, 1, 0, 0, 1]
    assert result.accuracies.tolist() == [0.6, 0.6]
    assert (result.mean, result.deviation) == (0.6, 0.0)


def test_mean_and_deviation_of_ten_folds():
    # nine folds are separated without an error; in the tenth, all labels are exchanged
    similarities = np.tile([0.8, 0.2], 10)
    same = np.tile([True, False], 10)
    same[18:] = [False, True]
    result = verify(similarities, same, np.repeat(np.arange(10), 2))
    assert result.accuracies.tolist() == [1.0] * 9 + [0.0]
    assert result.mean == pytest.approx(0.9)
    assert result.deviation == pytest.approx(np.sqrt((9 * 0.1**2 + 0.9**2) / 9))


def test_the_order_of_comparisons_does_not_matter():
    random = np.random.default_rng(0)
    same = random.random(200) < 0.5
    similarities, folds = random.normal(same, 1.0), random.integers(1, 11, 200)
    order = random.permutation(200)
    straight, mixed = verify(similarities, same, folds), verify(similarities[order], same[order], folds[order])
    assert straight.accuracies.tolist() == mixed.accuracies.tolist()
    assert straight.correct[order].tolist() == mixed.correct.tolist()


def test_the_best_threshold_is_the_best_of_all():
    random = np.random.default_rng(1)
    for _ in range(20):
        same = random.random(40) < 0.4
        similarities = np.round(random.normal(same, 1.0), 1)  # with ties
        tried = [np.mean((similarities >= threshold) == same) for threshold in np.arange(-5.05, 5.05, 0.1)]
        assert np.mean((similarities >= best_threshold(similarities, same)) == same) == max(tried)


def test_thresholds_beyond_all_similarities():
    similarities = np.array([0.2, 0.4])
    assert best_threshold(similarities, np.array([True, True])) < 0.2
    assert best_threshold(similarities, np.array([False, False])) > 0.4
    assert best_threshold(similarities, np.array([False, True])) == pytest.approx(0.3)


def test_of_equally_good_thresholds_the_middle_one_is_taken():
    # between each "different" and the "same" above it, four of six are decided correctly
    similarities = np.array([0.1, 0.3, 0.5, 0.7, 0.9, 1.1])
    assert best_threshold(similarities, np.array([False, True] * 3)) == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("similarities", "same", "folds", "message"),
    [
        ([0.1, 0.2], [1, 0], [3, 3], "two are needed"),
        ([0.1, np.nan], [1, 0], [1, 2], "not NaN"),
        ([0.1, 0.2, 0.3], [1, 0], [1, 2], "Each comparison"),
    ],
)
def test_what_cannot_be_judged_is_refused(similarities, same, folds, message):
    with pytest.raises(ValueError, match=message):
        verify(similarities, same, folds)
