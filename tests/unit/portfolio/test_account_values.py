"""The value of an account if it stays, and how much of it is at risk."""

from __future__ import annotations

import numpy as np
import pytest

from staypower.errors import UsageError
from staypower.portfolio.customer_value import MONTH_DAYS, account_values, monthly_revenue

QUARTER = 3 * MONTH_DAYS


def test_the_value_is_the_geometric_sum_with_everybody_s_retention() -> None:
    # 27.1 % leave in a quarter: 10 % a month; 80 a month is margin
    found = account_values([100.0], [0.4], base_rate=0.271, horizon_days=QUARTER, margin=0.8, discount_rate=0.01)
    months = np.arange(2000)
    expected = (80 * 0.9**months / 1.01**months).sum()
    assert found.clv[0] == pytest.approx(expected)
    assert found.value_at_risk[0] == pytest.approx(0.4 * expected)


def test_the_account_s_own_risk_is_in_the_value_at_risk_once() -> None:
    found = account_values([50.0, 50.0, 50.0], [0.01, 0.5, 0.99], base_rate=0.1, horizon_days=90)
    assert len(set(found.clv.tolist())) == 1
    assert (found.value_at_risk / found.clv).tolist() == pytest.approx([0.01, 0.5, 0.99])


def test_who_else_is_asked_makes_no_difference() -> None:
    rng = np.random.default_rng(0)
    monthly, probability = rng.uniform(1, 500, 50), rng.random(50)
    together = account_values(monthly, probability, base_rate=0.1, horizon_days=90, average=10.0)
    alone = [
        account_values(monthly[n : n + 1], probability[n : n + 1], base_rate=0.1, horizon_days=90).clv[0] for n in range(50)
    ]
    assert together.clv.tolist() == alone


def test_where_nothing_is_known_the_average_stands_in_or_nothing() -> None:
    monthly = [np.nan, -5.0, 0.0]
    with_average = account_values(monthly, [0.5, 0.5, np.nan], base_rate=0.1, horizon_days=90, average=200.0)
    assert with_average.clv.tolist() == [200.0, 200.0, 0.0]
    assert with_average.own.tolist() == [False, False, True]
    assert with_average.value_at_risk[:2].tolist() == [100.0, 100.0]
    assert np.isnan(with_average.value_at_risk[2])
    without = account_values(None, [0.5], base_rate=0.1, horizon_days=90)
    assert np.isnan(without.clv).all()
    assert np.isnan(without.value_at_risk).all()


def test_orders_stand_in_for_recurring_revenue() -> None:
    assert monthly_revenue() is None
    assert monthly_revenue([1.0, np.nan]).tolist()[0] == 1.0
    assert monthly_revenue(None, [365.0]).tolist() == pytest.approx([MONTH_DAYS])
    assert monthly_revenue([np.nan, 2.0], [365.0, 365.0]).tolist() == pytest.approx([MONTH_DAYS, 2.0])


@pytest.mark.parametrize("base_rate", [0.0, 1.0, -0.1, 2.0])
def test_a_base_rate_is_a_share(base_rate) -> None:
    with pytest.raises(UsageError, match="not a base rate"):
        account_values([1.0], [0.1], base_rate=base_rate, horizon_days=90)
