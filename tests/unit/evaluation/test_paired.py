"""Differences of two scores on the same rows."""

import numpy as np
import pytest

from staypower import metrics
from staypower.errors import UsageError
from staypower.evaluation.measures import paired_difference, paired_metrics


def rows(n=400, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.beta(1, 6, n)
    churned = (rng.random(n) < truth).astype(int)
    worse = np.clip(0.5 * truth + 0.5 * rng.beta(1, 6, n), 0, 1)
    return churned, truth, worse, np.arange(n) // 2


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("auroc", metrics.auroc),
        ("average_precision", metrics.average_precision),
        ("lift_10", lambda y, p: metrics.lift_at(y, p, 0.1)),
        ("log_loss", metrics.log_loss),
        ("brier", metrics.brier),
        ("calibration_error", metrics.calibration_error),
    ],
)
def test_value_is_the_difference_of_the_plain_metrics(name, plain):
    churned, truth, worse, accounts = rows()
    found = paired_difference(churned, truth, worse, accounts, name, replicates=50)
    assert found.value == pytest.approx(plain(churned, truth) - plain(churned, worse))
    assert found.low < found.high


def test_pairing_makes_the_interval_of_near_twins_narrow():
    churned, truth, _, accounts = rows()
    twin = np.clip(truth + 1e-4 * np.random.default_rng(3).random(len(truth)), 0, 1)
    found = paired_difference(churned, truth, twin, accounts, replicates=200)
    alone = paired_difference(churned, truth, np.zeros(len(truth)), accounts, replicates=200)
    assert found.high - found.low < 0.1 * (alone.high - alone.low)


def test_copies_of_an_account_narrow_nothing():
    churned, truth, worse, accounts = rows()
    once = paired_difference(churned, truth, worse, accounts, replicates=200)
    copies = [np.tile(each, 9) for each in (churned, truth, worse, accounts)]
    many = paired_difference(*copies, replicates=200)
    assert (many.value, many.low, many.high) == pytest.approx((once.value, once.low, once.high))
    # planted: taken for accounts of their own, the copies would narrow it threefold
    wrong = paired_difference(*copies[:3], np.arange(len(copies[0])), replicates=200)
    assert wrong.high - wrong.low < 0.5 * (once.high - once.low)


def test_a_score_against_itself_is_exactly_zero():
    churned, truth, _, accounts = rows()
    for name in paired_metrics():
        found = paired_difference(churned, truth, truth, accounts, name, replicates=30)
        assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)
        assert not found.excludes(0.0)


def test_problems_come_at_once():
    with pytest.raises(UsageError) as caught:
        paired_difference([0, 1], [0.1, 0.2], [0.1, 0.2], ["a"], "auroq", replicates=-1)
    assert len(caught.value.problems) == 3
    assert "write `auroc`" in str(caught.value)
