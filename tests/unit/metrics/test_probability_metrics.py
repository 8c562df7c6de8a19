import math

import numpy as np
import pytest

from staypower import metrics
from staypower.errors import UsageError
from staypower.metrics.probability import equal_mass_bins

Y = [0, 0, 1, 1]
P = [0.1, 0.4, 0.35, 0.8]


def test_log_loss_by_hand():
    by_hand = -(math.log(0.9) + math.log(0.6) + math.log(0.35) + math.log(0.8)) / 4
    assert metrics.log_loss(Y, P) == pytest.approx(by_hand)


def test_log_loss_of_a_wrong_certainty_is_finite():
    assert metrics.log_loss([1], [0.0]) == pytest.approx(36.04, abs=0.01)
    assert metrics.log_loss([0], [1.0]) == pytest.approx(36.04, abs=0.01)


def test_brier_by_hand():
    assert metrics.brier(Y, P) == pytest.approx((0.01 + 0.16 + 0.4225 + 0.04) / 4)


def test_skill_compares_with_the_rows_own_rate_unless_one_is_given():
    brier = 0.158125
    assert metrics.brier_skill(Y, P) == pytest.approx(1 - brier / 0.25)
    # A constant 0.2 has the Brier score (2 * 0.04 + 2 * 0.64) / 4 = 0.34.
    assert metrics.brier_skill(Y, P, base_rate=0.2) == pytest.approx(1 - brier / 0.34)
    assert math.isnan(metrics.brier_skill([0, 0], [0.1, 0.2]))


def test_calibration_error_by_hand():
    # Bins {0.1, 0.35} and {0.4, 0.8}: predicted 0.225 and 0.6, observed 0.5 and 0.5.
    curve = metrics.reliability_curve(Y, P, bins=2)
    assert curve.predicted.tolist() == pytest.approx([0.225, 0.6])
    assert curve.observed.tolist() == [0.5, 0.5]
    assert curve.weight.tolist() == [2, 2]
    assert metrics.calibration_error(Y, P, bins=2) == pytest.approx((0.275 + 0.1) / 2)


def test_equal_probabilities_share_a_bin():
    y, p = np.array([1] * 5 + [0] * 15), np.full(20, 0.25)
    assert metrics.calibration_error(y, p) == pytest.approx(0.0)
    assert len(metrics.reliability_curve(y, p).observed) == 1


def test_bins_hold_equal_mass_not_equal_width():
    p = np.concatenate([np.linspace(0.0, 0.01, 90), np.linspace(0.5, 1, 10)])
    counts = np.bincount(equal_mass_bins(p, 10))
    assert counts.tolist() == [10] * 10


def test_integer_weights_are_repeated_rows():
    weight = [3, 1, 0, 2]
    repeated = np.repeat(np.arange(4), weight)
    y, p = np.array(Y)[repeated], np.array(P)[repeated]
    for metric in (metrics.log_loss, metrics.brier, metrics.brier_skill, metrics.calibration_error):
        assert metric(Y, P, sample_weight=weight) == pytest.approx(metric(y, p)), metric.__name__


@pytest.mark.parametrize("metric", [metrics.log_loss, metrics.brier, metrics.brier_skill, metrics.calibration_error])
def test_scores_that_are_no_probabilities_are_refused(metric):
    with pytest.raises(UsageError, match="not a probability"):
        metric([0, 1], [0.5, 1.5])


def test_one_bin_holds_all_and_ten_are_the_default():
    assert metrics.calibration_error(Y, P, bins=1) == pytest.approx(abs(np.mean(P) - np.mean(Y)))
    rng = np.random.default_rng(3)
    probability = rng.random(200)
    churned = rng.random(200) < probability
    usual = metrics.calibration_error(churned, probability)
    assert usual == metrics.calibration_error(churned, probability, bins=10)
    assert usual != metrics.calibration_error(churned, probability, bins=11)
    assert len(metrics.reliability_curve(churned, probability).observed) == 10


def test_no_bins_are_refused():
    with pytest.raises(UsageError, match="too few bins"):
        metrics.calibration_error(Y, P, bins=0)
