"""From which probability on a risk is high, and what is kept of a population to find the cut of a capacity."""

from __future__ import annotations

import numpy as np
import pytest
from frozen import dataclasses_not_frozen

from staypower.errors import UsageError
from staypower.metrics import ordinal, probability, profit, ranking, risk
from staypower.metrics.risk import RiskBands, RiskReference, high_risk_above, profit_threshold, twice_the_base_rate

COSTS = {"clv": 100.0, "incentive_cost": 10.0, "contact_cost": 1.0, "acceptance": 0.5}


def test_acting_pays_where_what_is_saved_covers_what_is_spent():
    for costs in (COSTS, {**COSTS, "incentive_cost": 0.0}, {**COSTS, "contact_cost": 0.0}, {**COSTS, "acceptance": 1.0}):
        at = profit_threshold(**costs)
        kept = at * costs["acceptance"] * (costs["clv"] - costs["incentive_cost"])
        assert kept - (1 - at) * costs["incentive_cost"] - costs["contact_cost"] == pytest.approx(0)
    assert profit_threshold(**{**COSTS, "contact_cost": 1_000.0}) == 1.0
    assert profit_threshold(**{**COSTS, "acceptance": 0.0}) == 1.0
    assert profit_threshold(**{**COSTS, "acceptance": 0.0, "incentive_cost": 0.0}) == 1.0


@pytest.mark.parametrize(
    "wrong", [{"clv": 10.0}, {"incentive_cost": -0.5}, {"contact_cost": -0.5}, {"acceptance": -0.1}, {"acceptance": 1.1}]
)
def test_each_impossible_cost_is_refused_by_itself(wrong):
    with pytest.raises(UsageError, match="impossible costs"):
        profit_threshold(**{**COSTS, **wrong})


def test_high_risk_begins_at_the_largest_of_what_is_known():
    assert twice_the_base_rate(1 / 3) == pytest.approx(2 / 3)
    assert high_risk_above(0.0) == 0.0
    assert high_risk_above(0.1, capacity_cut=0.15) == 0.2
    assert high_risk_above(0.1, profit=0.4, capacity_cut=0.3) == 0.4


def test_bands_meet_at_their_limits():
    bands = RiskBands(0.2, high_above=0.5).of(np.array([0.199, 0.2, 0.5, 0.501, np.nan]))
    assert bands.tolist() == ["low", "medium", "medium", "high", None]


def test_the_highest_are_kept_all_and_then_ranks_two_per_cent_apart():
    for count in (1, 199, 200, 201, 205, 1_000):
        ranks = [count - 1 - rank for rank in RiskReference.of(np.arange(count)).highest]
        known = [int(200 * 1.02**step) for step in range(100) if int(200 * 1.02**step) < count]
        assert ranks == sorted({*range(min(count, 200)), *known, count - 1})


def test_a_cut_leaves_the_capacity_above_and_all_fit_in_where_they_do():
    chances = np.random.default_rng(5).random(1_000)
    reference, falling = RiskReference.of(np.append(chances, np.nan)), np.sort(chances)[::-1]
    for capacity in (1, 50, 199):
        assert (chances > reference.cut(capacity)).sum() == capacity
    assert falling[505] < reference.cut(500) < falling[485]
    assert reference.cut(999) == falling[-1]
    assert reference.cut(1_000) == reference.cut(5_000) == 0.0


@pytest.mark.parametrize("highest", [(0.3, 0.2), (0.1, 0.2, 0.3)])
def test_what_is_no_upper_end_is_refused(highest):
    with pytest.raises(UsageError, match="unusable risk reference"):
        RiskReference(3, highest)


@pytest.mark.parametrize("module", [ordinal, probability, profit, ranking, risk])
def test_values_cannot_be_changed(module):
    assert not dataclasses_not_frozen(module)
