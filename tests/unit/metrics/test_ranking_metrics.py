import math
import warnings

import numpy as np
import pytest

from staypower import metrics
from staypower.errors import UsageError
from staypower.metrics.ranking import Ranking

# Ranked: 0.9 churned, 0.7 one of each (tie), 0.4 stayed, 0.2 churned, 0.1 stayed.
Y = [1, 1, 0, 0, 1, 0]
S = [0.9, 0.7, 0.7, 0.4, 0.2, 0.1]


def test_auroc_counts_pairs_and_halves_ties():
    # Of 9 pairs: 0.9 wins 3; 0.7 wins 2 and ties 1; 0.2 wins 1 -> 6.5 / 9.
    assert metrics.auroc(Y, S) == pytest.approx(6.5 / 9)


def test_average_precision_takes_a_tie_as_one_step():
    # Recall 1/3 at precision 1, +1/3 at 2/3, +1/3 at 3/5.
    assert metrics.average_precision(Y, S) == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)


@pytest.mark.parametrize(("count", "precision"), [(1, 1.0), (2, 0.75), (3, 2 / 3), (5, 0.6), (6, 0.5), (60, 0.5)])
def test_precision_at_capacity_shares_the_tie_at_the_boundary(count, precision):
    assert metrics.precision_at(Y, S, count) == pytest.approx(precision)


@pytest.mark.parametrize(("count", "recall"), [(1, 1 / 3), (2, 0.5), (3, 2 / 3), (60, 1.0)])
def test_recall_at_capacity(count, recall):
    assert metrics.recall_at(Y, S, count) == pytest.approx(recall)


def test_lift_and_gain_at_a_fraction_that_cuts_a_row():
    # A quarter of six rows is the first and half of the tie's share: 1 + 0.5 * 0.5 = 1.25 churners of 3.
    assert metrics.gain_at(Y, S, 0.25) == pytest.approx(1.25 / 3)
    assert metrics.lift_at(Y, S, 0.25) == pytest.approx(1.25 / 3 / 0.25)
    assert metrics.lift_at(Y, S, 1.0) == pytest.approx(1.0)


def test_lift_of_a_score_without_signal_is_one_whatever_the_order_of_rows():
    y = np.array([1] * 10 + [0] * 90)
    for ordered in (y, y[::-1]):
        assert metrics.lift_at(ordered, np.zeros(100), 0.1) == pytest.approx(1.0)


def test_one_class_has_no_auroc():
    assert math.isnan(metrics.auroc([1, 1], [0.1, 0.2]))
    assert math.isnan(metrics.auroc([0, 0], [0.1, 0.2]))
    assert math.isnan(metrics.average_precision([0, 0], [0.1, 0.2]))
    assert math.isnan(metrics.lift_at([0, 0], [0.1, 0.2], 0.5))
    assert math.isnan(metrics.recall_at([0, 0], [0.1, 0.2], 1))
    assert metrics.precision_at([0, 0], [0.1, 0.2], 1) == 0.0


def test_the_base_rate_is_of_all_rows_wherever_the_churned_stand():
    for labels in ([0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]):
        assert Ranking(labels, [0.1, 0.2, 0.3, 0.4]).tally().base_rate == 0.25


@pytest.mark.parametrize("only", [0, 1])
def test_one_class_is_found_before_anything_is_divided(only):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(metrics.auroc([only, only], [0.1, 0.2]))


def test_infinite_scores_tie_with_each_other():
    assert metrics.auroc([1, 0, 0], [np.inf, np.inf, -np.inf]) == pytest.approx(0.75)


def test_integer_weights_are_repeated_rows():
    weight = [3, 0, 2, 1, 1, 2]
    repeated = np.repeat(np.arange(6), weight)
    y, s = np.array(Y)[repeated], np.array(S)[repeated]
    assert metrics.auroc(Y, S, sample_weight=weight) == pytest.approx(metrics.auroc(y, s))
    assert metrics.average_precision(Y, S, sample_weight=weight) == pytest.approx(metrics.average_precision(y, s))
    assert metrics.lift_at(Y, S, 0.3, sample_weight=weight) == pytest.approx(metrics.lift_at(y, s, 0.3))
    assert metrics.gain_at(Y, S, 0.3, sample_weight=weight) == pytest.approx(metrics.gain_at(y, s, 0.3))


@pytest.mark.parametrize(
    ("y", "s", "said"),
    [
        ([0, 2], [0.1, 0.2], "neither 0 nor 1"),
        ([0, np.nan], [0.1, 0.2], "neither 0 nor 1"),
        ([0, 1], [0.1, np.nan], "score is missing"),
        ([0, 1], [0.1], "differ in shape"),
        ([], [], "no rows"),
    ],
)
def test_unusable_rows_are_refused(y, s, said):
    with pytest.raises(UsageError, match=said):
        metrics.auroc(y, s)


def test_problems_of_labels_and_scores_come_together():
    with pytest.raises(UsageError) as caught:
        metrics.auroc([0, 3], [np.nan, 1])
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("weight", [[1.0], [-1.0, 1.0], [np.nan, 1.0], [0.0, 0.0]])
def test_unusable_weights_are_refused(weight):
    with pytest.raises(UsageError, match="unusable weights"):
        metrics.auroc([0, 1], [0.1, 0.2], sample_weight=weight)


@pytest.mark.parametrize("fraction", [0.0, 1.1, -0.5, np.nan])
def test_fractions_out_of_bounds_are_refused(fraction):
    for metric in (metrics.lift_at, metrics.gain_at):
        with pytest.raises(UsageError, match="fraction"):
            metric(Y, S, fraction)


def test_a_capacity_of_nobody_is_refused():
    for metric in (metrics.precision_at, metrics.recall_at):
        with pytest.raises(UsageError, match="capacity"):
            metric(Y, S, 0)
