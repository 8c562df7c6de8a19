"""Lifetime value, period probabilities and exact revenue against hand-computed numbers."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from staypower.errors import UsageError
from staypower.portfolio.customer_value import lifetime_value, to_period_probability, value_at_risk
from staypower.portfolio.figures import whole_amounts
from staypower.portfolio.revenue import recurring_revenue
from staypower.schemas import SCHEMAS
from staypower.tables import Table


def test_the_closed_form_is_the_sum_of_its_payments():
    summed = sum(100 * 0.9**t / 1.01**t for t in range(5000))
    assert float(lifetime_value(100, retention=0.9, discount=0.01)) == pytest.approx(summed)
    # the first payment is counted now: the other convention is lower by exactly one payment
    assert float(lifetime_value(100, retention=0.9, discount=0.01)) - 100 == pytest.approx(100 * 0.9 / (1.01 - 0.9))
    assert lifetime_value([100, 50], retention=[0.5, 1.0], discount=0.25).tolist() == pytest.approx([100 * 1.25 / 0.75, 250.0])
    assert math.isinf(lifetime_value(1, retention=1.0))


def test_a_probability_is_converted_and_converted_back():
    monthly = to_period_probability(0.271, horizon_days=90, period_days=30)
    assert float(monthly) == pytest.approx(0.1)
    assert float(to_period_probability(monthly, horizon_days=30, period_days=90)) == pytest.approx(0.271)
    assert to_period_probability([0.0, 1.0], horizon_days=90, period_days=30).tolist() == [0.0, 1.0]
    tiny = float(to_period_probability(1e-12, horizon_days=90, period_days=30))
    assert tiny == pytest.approx(1e-12 / 3, rel=1e-6)


def test_value_at_risk_is_the_product():
    assert value_at_risk([0.1, np.nan], [1000.0, 5.0]).tolist() == pytest.approx([100.0, np.nan], nan_ok=True)


@pytest.mark.parametrize(
    "call",
    [
        lambda: lifetime_value(1, retention=1.1),
        lambda: lifetime_value(1, retention=0.9, discount=-0.1),
        lambda: to_period_probability(1.2, horizon_days=90, period_days=30),
        lambda: to_period_probability(0.2, horizon_days=0, period_days=30),
        lambda: value_at_risk([-0.1], 5),
    ],
)
def test_what_makes_no_sense_is_refused(call):
    with pytest.raises(UsageError):
        call()


def subscriptions(fixed=("mrr",), **columns):
    made = {
        name: pa.array(values, pa.timestamp("us", "UTC")) if name.endswith(("_at", "_from")) else pa.array(values)
        for name, values in columns.items()
    }
    return Table(SCHEMAS["subscriptions"], pa.table(made), fixed=frozenset(fixed))


def test_versions_speak_from_their_own_time_and_the_closing_one_never():
    table = subscriptions(
        fixed=(),
        account_id=["a"] * 3,
        subscription_id=["s"] * 3,
        started_at=[0, 0, 0],
        valid_from=[0, 10, 20],
        ended_at=[None, None, 20],
        mrr=[1.0, 2.0, 0.0],
    )
    found = recurring_revenue(table, np.array([5, 10, 11, 20, 21]), accounts=["a"], observed_until=99)
    # at 10 the version of 10 is not known yet; at 20 the subscription still ran just before; then the last 2 is remembered
    assert found.amount.tolist() == [[10_000, 10_000, 20_000, 20_000, 0]]
    assert found.covered.tolist() == [[True, True, True, True, False]]
    assert found.carried.tolist()[0][4] == 20_000


def test_a_blank_amount_is_unknown_not_nothing():
    table = subscriptions(
        account_id=["a", "a"], subscription_id=["s", "t"], started_at=[0, 5], ended_at=[20, 20], mrr=[1.0, None]
    )
    found = recurring_revenue(table, np.array([3, 8, 30]), accounts=["a"], observed_until=99)
    assert found.known.tolist() == [[True, False, True]]
    assert found.carried.tolist()[0][2] == -1


def test_an_end_that_was_not_observed_yet_is_no_end():
    table = subscriptions(account_id=["a"], subscription_id=["s"], started_at=[0], ended_at=[50], mrr=[1.0])
    assert recurring_revenue(table, np.array([60]), accounts=["a"], observed_until=40).amount.tolist() == [[10_000]]


def test_amounts_too_large_to_be_exact_are_refused_with_the_row():
    table = subscriptions(account_id=["a", "b"], started_at=[0, 0], mrr=[1.0, 1e15])
    with pytest.raises(UsageError, match="row 2"):
        whole_amounts(table, "mrr")
