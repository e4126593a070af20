"""Intervals, shares and tests: on data whose truth is known, and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from streamdeblur.evaluation.metrics.landmarks import auc, auc_parts
from streamdeblur.evaluation.statistics import gap_closed, mean_interval, paired_p_value, ratio_interval


def grouped(seed, groups=30, size=4, spread=1.0, noise=0.5):
    """Values around 0 whose groups differ, and the groups' names."""
    random = np.random.default_rng(seed)
    values = np.repeat(random.normal(0, spread, groups), size) + random.normal(0, noise, groups * size)
    return values, [f"clip {number}" for number in np.repeat(np.arange(groups), size)]


class TestMeanInterval:
    def test_of_independent_values_it_is_students(self):
        values = np.random.default_rng(0).normal(5.0, 2.0, 200)
        interval = mean_interval(values, range(200))
        exact = stats.t.interval(0.95, 199, values.mean(), stats.sem(values))
        assert interval.value == pytest.approx(values.mean())
        assert (interval.low, interval.high) == pytest.approx(exact, abs=0.04)

    def test_of_few_values_it_is_nearly_students_too(self):
        values = stats.norm.ppf((np.arange(12) + 0.5) / 12)
        interval = mean_interval(values, range(12))
        exact = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
        assert (interval.high - interval.low) / (exact[1] - exact[0]) == pytest.approx(1.0, abs=0.025)

    def test_cases_of_one_group_count_as_one(self):
        values, groups = grouped(1, groups=20, size=3)
        repeated = mean_interval(np.repeat(values, 10), [name for name in groups for _ in range(10)])
        once = mean_interval(values, groups)
        assert (repeated.low, repeated.high) == pytest.approx((once.low, once.high))
        alone = mean_interval(values, range(len(values)))
        assert once.high - once.low > 1.3 * (alone.high - alone.low)

    def test_it_holds_the_truth_as_often_as_it_says(self):
        held = 0
        for seed in range(100):
            interval = mean_interval(*grouped(seed, groups=18), seed=seed)
            held += interval.low <= 0.0 <= interval.high
        assert 0.87 <= held / 100 <= 0.99

    def test_groups_of_different_sizes_have_a_say_for_each_case(self):
        assert mean_interval([1.0, 1.0, 1.0, 5.0], ["a", "a", "a", "b"]).value == 2.0
        certain = mean_interval([2.0] * 6, "aaaabc")
        assert (certain.value, certain.low, certain.high) == (2.0, 2.0, 2.0)

    def test_the_same_seed_gives_the_same_interval(self):
        values, groups = grouped(2)
        assert mean_interval(values, groups, seed=4) == mean_interval(values, groups, seed=4)
        assert mean_interval(values, groups, seed=4) != mean_interval(values, groups, seed=5)

    def test_it_is_also_that_of_an_auc(self):
        errors = np.random.default_rng(3).gamma(3.0, 0.015, 60)
        interval = mean_interval(auc_parts(errors), [number // 3 for number in range(60)])
        assert interval.value == pytest.approx(auc(errors))
        assert 0.0 < interval.low < interval.value < interval.high < 1.0

    def test_of_one_group_nothing_is_known(self):
        interval = mean_interval([1.0, 3.0], ["a", "a"])
        assert interval.value == 2.0
        assert np.isnan([interval.low, interval.high]).all()

    @pytest.mark.parametrize(("values", "groups"), [([], []), ([1.0], ["a", "b"]), ([1.0, np.nan], ["a", "b"])])
    def test_what_cannot_be_averaged_is_refused(self, values, groups):
        with pytest.raises(ValueError, match="finite value and a group"):
            mean_interval(values, groups)


class TestRatioInterval:
    def test_it_is_the_ratio_of_the_means(self):
        values, others, groups = [1.0, 3.0, 5.0, 6.0], [2.0, 4.0, 10.0, 9.0], "aabc"
        interval = ratio_interval(values, others, groups)
        assert interval.value == pytest.approx(15 / 25)
        assert interval.low < interval.value < interval.high

    def test_a_constant_ratio_is_certain(self):
        others = np.arange(1.0, 9.0)
        interval = ratio_interval(0.7 * others, others, range(8))
        assert (interval.value, interval.low, interval.high) == pytest.approx((0.7, 0.7, 0.7))

    def test_nothing_is_known_of_a_ratio_to_zero_or_of_one_group(self):
        assert np.isnan(ratio_interval([1.0, 2.0], [0.0, 0.0], "ab").value)
        assert ratio_interval([1.0, 2.0], [2.0, 2.0], "aa").value == 0.75
        assert np.isnan(ratio_interval([1.0, 2.0], [2.0, 2.0], "aa").low)


class TestGapClosed:
    def test_the_papers_pravg_7(self):
        # AUC .743 blurred, .798 restored, .827 oracle (Table 5): 65 %
        share = gap_closed([0.743] * 2, [0.798] * 2, [0.827] * 2, ["a", "b"])
        assert (share.value, share.low, share.high) == pytest.approx((0.655,) * 3, abs=1e-3)

    def test_blurred_restored_and_oracle_are_taken_together(self):
        # Clips differ a lot, but in each about half of the gap is closed
        level, groups = grouped(5, spread=10.0)
        random = np.random.default_rng(6)
        blurred, oracle = level, level + 2.0
        restored = level + random.normal(1.0, 0.1, len(level))
        share = gap_closed(blurred, restored, oracle, groups)
        assert 0.47 < share.low < share.value < share.high < 0.53

    def test_less_may_be_better(self):
        blurred, restored, oracle = [8.0, 6.0, 7.0], [5.0, 4.0, 5.5], [2.0, 2.0, 4.0]
        share = gap_closed(blurred, restored, oracle, "abc")
        assert share.value == pytest.approx(6.5 / 13.0)
        turned = gap_closed(*(-np.array(side) for side in (blurred, restored, oracle)), "abc")
        assert turned.value == pytest.approx(share.value)

    def test_without_a_certain_gap_any_share_is_possible(self):
        blurred, groups = grouped(7)
        oracle = blurred + grouped(8)[0]
        share = gap_closed(blurred, blurred + 0.1, oracle, groups)
        assert (share.low, share.high) == (-np.inf, np.inf)

    def test_without_any_gap_there_is_no_share(self):
        share = gap_closed([1.0, 2.0], [1.5, 2.5], [1.0, 2.0], "ab")
        assert np.isnan([share.value, share.low, share.high]).all()

    def test_three_sides_of_the_same_cases(self):
        with pytest.raises(ValueError, match="same cases"):
            gap_closed([1.0, 2.0], [1.0], [1.0, 2.0], "ab")


class TestPairedPValue:
    def test_by_hand(self):
        # of the 8 ways to choose signs of 3, 2 and 1, two give a sum of 6 or more: all of one sign
        assert paired_p_value([3.0, 2.0, 1.0], [0.0, 0.0, 0.0], "abc") == 0.25
        # with 3, 2 and -1 (sum 4) two more do
        assert paired_p_value([3.0, 2.0, 0.0], [0.0, 0.0, 1.0], "abc") == 0.5

    def test_sums_that_are_equal_but_for_rounding_are_equal(self):
        # 0.6 ± 0.1 ± 0.2 ± 0.3 is 0.6 or more in 5 of 8 cases, in two of them just 0.6
        assert paired_p_value([0.1, 0.2, 0.0, 0.6], [0.0, 0.0, 0.3, 0.0], "abcd") == 0.625

    def test_scipy_agrees_where_all_signs_are_tried(self):
        differences = np.random.default_rng(9).normal(0.3, 1.0, 11)
        reference = stats.permutation_test((differences,), np.sum, permutation_type="samples", n_resamples=np.inf)
        assert paired_p_value(differences, np.zeros(11), range(11)) == pytest.approx(reference.pvalue)

    def test_scipy_agrees_where_signs_are_drawn(self):
        differences = np.random.default_rng(10).normal(0.3, 1.0, 60)
        assert paired_p_value(differences, np.zeros(60), range(60)) == pytest.approx(
            stats.ttest_1samp(differences, 0).pvalue, abs=0.015
        )

    def test_methods_that_are_the_same_do_not_differ(self):
        values, groups = grouped(11)
        assert paired_p_value(values, values, groups) == 1.0

    def test_a_clear_difference_in_every_clip(self):
        values, groups = grouped(12, spread=10.0)
        assert paired_p_value(values + 1.0, values, groups) == pytest.approx(1 / 10_001)

    def test_many_cases_of_one_clip_prove_nothing(self):
        better = np.full(100, 1.0)
        assert paired_p_value(better, np.zeros(100), ["one clip"] * 100) == 1.0
        assert paired_p_value(better, np.zeros(100), range(100)) < 1e-3

    def test_order_does_not_matter_and_the_seed_does_little(self):
        first, groups = grouped(13)
        second = first + np.random.default_rng(14).normal(0.1, 0.5, len(first))
        straight = paired_p_value(first, second, groups, seed=1)
        assert straight == paired_p_value(second, first, groups, seed=1)
        assert straight == pytest.approx(paired_p_value(first, second, groups, seed=2), abs=0.02)

    def test_the_same_cases(self):
        with pytest.raises(ValueError, match="same cases"):
            paired_p_value([1.0], [1.0, 2.0], "ab")
