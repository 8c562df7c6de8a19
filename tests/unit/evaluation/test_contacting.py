"""Whom to contact when money decides, and what it earns."""

import json

import numpy as np
import pytest

from staypower import metrics
from staypower.evaluation.assessment import evaluate
from staypower.evaluation.settings import CostSettings
from staypower.metrics.risk import profit_threshold


def evaluated(costs, values=None, n=600, seed=0, cutoffs=3):
    rng = np.random.default_rng(seed)
    truth = rng.beta(1, 5, n)
    churned = (rng.random(n) < truth).astype(int)
    found = evaluate(
        churned,
        {"model": truth},
        accounts=np.arange(n),
        cutoffs=np.arange(n) % cutoffs,
        split="temporal",
        probability={"model"},
        costs=costs,
        account_values=values,
        bootstrap=60,
    )
    return found, truth, churned


COSTS = CostSettings(clv=1200, incentive=60, contact=10)


def test_plans_follow_from_the_costs():
    found, truth, churned = evaluated(COSTS)
    top, pays = found.contact_plans
    best = metrics.maximum_profit(churned, truth, clv=1200, incentive_cost=60, contact_cost=10)
    assert (top.threshold, top.fraction, top.profit.value) == pytest.approx((best.threshold, best.fraction, best.profit))
    assert top.contacts_per_cutoff == pytest.approx(best.fraction * 200)
    assert top.hindsight
    assert not pays.hindsight
    limit = profit_threshold(clv=1200, incentive_cost=60, contact_cost=10, acceptance=0.3)
    contacted = truth > limit
    earned = np.where(churned == 1, 0.3 * (1200 - 60) - 10, -70) * contacted
    assert (pays.threshold, pays.fraction) == pytest.approx((limit, contacted.mean()))
    assert pays.profit.value == pytest.approx(earned.mean())
    assert pays.profit.bounded
    assert top.profit.value >= pays.profit.value


def test_each_account_by_its_own_value():
    values = np.where(np.arange(600) % 2 == 0, 5000.0, 100.0)
    found, truth, churned = evaluated(COSTS, values)
    own = found.contact_plans[-1]
    assert own.rule == "expected gain above 0 at the value of each account"
    gain = truth * (0.3 * (values - 60) - 10) - (1 - truth) * 70
    earned = np.where(churned == 1, 0.3 * (values - 60) - 10, -70.0)
    assert own.fraction == pytest.approx((gain > 0).mean())
    assert own.profit.value == pytest.approx(np.where(gain > 0, earned, 0).mean())
    assert np.isnan(own.threshold)
    known = found.metrics()["instance_dependent_maximum_profit"]
    expected = metrics.instance_dependent_maximum_profit(churned, truth, values, incentive_cost=60, contact_cost=10)
    assert known == pytest.approx(expected.profit)
    # accounts worth 100 never pay: who knows the values earns more than who only ranks by risk
    assert own.profit.value > known


def test_account_values_need_an_incentive_and_a_contact_but_no_average():
    values = np.full(600, 1200.0)
    found, truth, churned = evaluated(CostSettings(incentive=60, contact=10), values)
    assert [plan.rule for plan in found.contact_plans] == ["expected gain above 0 at the value of each account"]
    best = metrics.maximum_profit(churned, truth, clv=1200, incentive_cost=60, contact_cost=10)
    assert found.metrics()["instance_dependent_maximum_profit"] == pytest.approx(best.profit)


def test_published_amounts_steer_nothing():
    found, _, _ = evaluated(CostSettings(), np.full(600, 1200.0))
    assert found.contact_plans == ()
    assert "instance_dependent_maximum_profit" not in found.metrics()
    assert not {"profit_threshold", "contacts_per_cutoff"} & set(found.metrics())
    assert "Whom to contact" not in found.text()


def test_the_threshold_is_recorded_with_the_metrics_and_in_json():
    found, _, _ = evaluated(COSTS)
    top = found.contact_plans[0]
    recorded = {
        "profit_threshold": top.threshold,
        "profit_fraction": top.fraction,
        "contacts_per_cutoff": top.contacts_per_cutoff,
    }
    assert recorded.items() <= found.metrics().items()
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))["contact_plans"]
    assert plain[0]["contacts_per_cutoff"] == top.contacts_per_cutoff
    assert "Whom to contact" in found.text()


def test_where_no_contact_pays_nobody_is_contacted():
    found, _, _ = evaluated(CostSettings(clv=10, incentive=5, contact=50))
    assert [plan.words for plan in found.contact_plans] == [
        "highest point of the profit curve: no account",
        "expected gain above 0 at the average value: no account",
    ]
    assert "profit_threshold" not in found.metrics()
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_published_oracle_is_reproduced():
    y, score = [0, 1, 0, 1, 0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.8, 0.9]
    best = metrics.expected_maximum_profit(y, score, clv=200, incentive_cost=10, contact_cost=1, alpha=6, beta=14)
    assert best.profit == pytest.approx(23.875593418348124, abs=1e-12)
    assert best.fraction == pytest.approx(0.8743700763487141, abs=1e-12)
    assert best.threshold == 0.2
    assert metrics.maximum_profit(y, score).profit == 23.875
