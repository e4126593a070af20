"""Errors, CED curve, AUC and failure rate on cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.evaluation.metrics.landmarks import auc, auc_parts, ced, failure_rate, failures, landmark_error

ERRORS = [0.02, 0.04, 0.04, 0.08, 0.10]


def test_an_error_is_the_mean_distance_in_diagonals_of_the_true_box():
    true = np.zeros((68, 2))
    true[0], true[1] = (-10.0, 5.0), (20.0, 45.0)
    seen = true.copy()
    seen[:34] += (3.0, 4.0)
    # half of the points are off by 5 px; the box of the true ones, 30 x 45 with the points at the origin, has a diagonal of 54.08
    assert landmark_error(seen, true) == pytest.approx(2.5 / np.hypot(30, 45))
    assert landmark_error(true, true) == 0.0


def test_an_error_does_not_depend_on_size_or_place():
    true, seen = np.random.default_rng(0).uniform(0, 256, (2, 68, 2))
    assert landmark_error(3 * seen + 7, 3 * true + 7) == pytest.approx(landmark_error(seen, true))


def test_the_ced_curve_counts_errors_up_to_each_threshold():
    assert ced(ERRORS, [0.0, 0.02, 0.03, 0.04, 0.08, 0.2]).tolist() == [0.0, 0.2, 0.2, 0.6, 0.8, 1.0]


def test_the_auc_is_the_area_under_the_steps_of_the_ced_curve():
    # 0 up to 0.02, 1/5 up to 0.04, 3/5 up to 0.08
    by_hand = (0.02 * 1 / 5 + 0.04 * 3 / 5) / 0.08
    assert auc(ERRORS) == pytest.approx(by_hand) == pytest.approx(0.35)
    assert auc_parts(ERRORS) == pytest.approx([0.75, 0.5, 0.5, 0.0, 0.0])
    assert auc(ERRORS, limit=0.04) == pytest.approx(0.02 * 1 / 5 / 0.04)


def test_the_auc_is_that_of_a_finely_sampled_curve():
    errors = np.random.default_rng(1).gamma(3.0, 0.015, 500)
    thresholds = np.linspace(0.0, 0.08, 100_001)
    assert auc(errors) == pytest.approx(np.trapezoid(ced(errors, thresholds), thresholds) / 0.08, abs=1e-5)


def test_a_failure_is_an_error_above_the_limit():
    assert failures(ERRORS).tolist() == [0, 0, 0, 0, 1]
    assert failure_rate(ERRORS) == 0.2
    assert failure_rate(ERRORS, limit=0.03) == 0.8


def test_faces_without_landmarks_fail():
    errors = [0.0, np.inf]
    assert (auc(errors), failure_rate(errors), ced(errors, [0.08])[0]) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("errors", [[], [0.1, np.nan], [-0.1], [[0.1, 0.2]]])
def test_what_is_no_list_of_errors_is_refused(errors):
    for figure in (auc, failure_rate, lambda given: ced(given, [0.08])):
        with pytest.raises(ValueError, match="one number per face"):
            figure(errors)
