import math

import numpy as np
import pytest
from scipy.stats import beta

from staypower import metrics
from staypower.errors import UsageError
from staypower.metrics.profit import Profit, campaign_earnings

Y = [0, 1, 0, 1, 0, 1, 0, 1]
S = [0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.8, 0.9]


def test_the_published_oracle_of_the_expected_maximum_profit():
    best = metrics.expected_maximum_profit(Y, S, alpha=6, beta=14, clv=200, incentive_cost=10, contact_cost=1)
    assert best.profit == pytest.approx(23.875593418348124, rel=1e-14)
    assert best.fraction == pytest.approx(0.8743700763487141, rel=1e-14)
    assert best.threshold == 0.2


def test_the_oracle_of_the_maximum_profit():
    assert metrics.maximum_profit(Y, S) == Profit(profit=23.875, fraction=0.875, threshold=0.2)


def test_profit_curve_by_hand():
    # A churner contacted earns 0.3 * 190 - 1 = 56, a loyal account costs 11, over eight accounts.
    curve = metrics.profit_curve(Y, S)
    by_hand = [0, 56, 45, 101, 90, 146, 135, 191, 180]
    assert (curve.profit * 8).tolist() == pytest.approx(by_hand)
    assert curve.fraction.tolist() == pytest.approx(np.arange(9) / 8)
    assert curve.threshold[0] == math.inf


def test_ties_are_contacted_together_or_not_at_all():
    curve = metrics.profit_curve([1, 0, 0], [0.5, 0.5, 0.1])
    assert (curve.profit * 3).tolist() == pytest.approx([0, 45, 34])


def test_nobody_is_contacted_when_no_contact_pays():
    assert metrics.maximum_profit([0, 0], [0.1, 0.2]) == Profit(0.0, 0.0, math.inf)
    nobody = metrics.expected_maximum_profit([0, 0], [0.1, 0.2])
    assert (nobody.profit, nobody.fraction, nobody.threshold) == (0.0, 0.0, math.inf)


def test_everybody_churns():
    # Contacting pays when gamma * 190 > 1, nearly always: E[gamma] * 190 - 1 = 56.
    best = metrics.expected_maximum_profit([1, 1], [0.1, 0.2])
    assert best.profit == pytest.approx(56.0, abs=1e-6)
    assert best.fraction == pytest.approx(1.0, abs=1e-6)
    assert best.threshold == 0.1


def test_contacts_that_cost_nothing_reach_every_churner():
    best = metrics.expected_maximum_profit(Y, S, incentive_cost=0, contact_cost=0)
    assert best.profit == pytest.approx(0.5 * 0.3 * 200)


def test_expectation_is_at_least_the_maximum_at_the_mean():
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 200)
    s = rng.normal(size=200) + y
    assert metrics.expected_maximum_profit(y, s).profit >= metrics.maximum_profit(y, s).profit


def test_a_sharp_acceptance_rate_makes_the_expectation_the_maximum():
    sharp = metrics.expected_maximum_profit(Y, S, alpha=6e6, beta=14e6)
    assert sharp.profit == pytest.approx(23.875, abs=1e-3)
    assert sharp.fraction == pytest.approx(0.875, abs=1e-6)


def test_equal_values_make_the_instance_dependent_maximum_the_plain_one():
    assert metrics.instance_dependent_maximum_profit(Y, S, np.full(8, 200.0)) == metrics.maximum_profit(Y, S)


def test_instance_dependent_maximum_by_hand():
    # 0.9 earns 0.5 * 90 - 2 = 43, 0.8 stays and costs 12, 0.7 earns 0.5 * 30 - 2 = 13.
    found = metrics.instance_dependent_maximum_profit(
        [1, 0, 1], [0.9, 0.8, 0.7], [100, 500, 40], incentive_cost=10, contact_cost=2, acceptance=0.5
    )
    assert (found.profit, found.fraction, found.threshold) == pytest.approx((44 / 3, 1.0, 0.7))


def test_costs_may_differ_by_account():
    earned = campaign_earnings([1, 0], [200, 200], incentive_cost=[10, 20], contact_cost=[1, 2], acceptance=0.3)
    assert earned.tolist() == pytest.approx([56.0, -22.0])


@pytest.mark.parametrize(
    ("costs", "count"),
    [
        ({"clv": 5.0}, 1),
        ({"clv": 10.0}, 1),
        ({"incentive_cost": -1.0}, 1),
        ({"contact_cost": math.nan}, 1),
        ({"clv": math.nan, "contact_cost": -1.0}, 2),
        ({"clv": 1.0, "incentive_cost": 2.0, "contact_cost": -1.0}, 2),
    ],
)
def test_impossible_costs_are_refused_all_at_once(costs, count):
    for metric in (metrics.expected_maximum_profit, metrics.maximum_profit):
        with pytest.raises(UsageError) as caught:
            metric(Y, S, **costs)
        assert len(caught.value.problems) == count


@pytest.mark.parametrize(("incentive", "contact"), [(10.0, 1.0), (5.0, 5.0), (0.0, 3.0), (4.0, 0.0)])
def test_the_expected_maximum_profit_is_the_integral_over_acceptance(incentive, contact):
    gamma = np.linspace(0, 1, 40_001)
    churned, stayed = (np.cumsum([0, *(label == kind for label in Y[::-1])]) / len(Y) for kind in (1, 0))
    earned = np.outer(gamma * (200 - incentive) - contact, churned) - (incentive + contact) * stayed
    by_hand = np.trapezoid(earned.max(axis=1) * beta(6, 14).pdf(gamma), gamma)
    found = metrics.expected_maximum_profit(Y, S, incentive_cost=incentive, contact_cost=contact)
    assert found.profit == pytest.approx(by_hand, rel=1e-6)


def test_shares_and_costs_at_their_bounds_are_taken():
    assert campaign_earnings([1, 0], [200, 200], acceptance=1).tolist() == [189.0, -11.0]
    assert campaign_earnings([1, 0], [200, 0], acceptance=0, incentive_cost=0, contact_cost=0).tolist() == [0.0, 0.0]
    for bound in (0.0, 1.0):
        assert metrics.maximum_profit(Y, S, acceptance=bound, incentive_cost=0, contact_cost=0).profit == bound * 100


def test_impossible_acceptance_is_refused():
    with pytest.raises(UsageError, match="alpha"):
        metrics.expected_maximum_profit(Y, S, alpha=0)
    with pytest.raises(UsageError, match="acceptance"):
        metrics.maximum_profit(Y, S, acceptance=1.5)
    with pytest.raises(UsageError, match="acceptance") as caught:
        metrics.instance_dependent_maximum_profit(Y, S, np.full(8, -1.0), acceptance=2)
    assert len(caught.value.problems) == 2
