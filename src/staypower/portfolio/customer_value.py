"""Customer value: lifetime value in closed form, the value of each account if it stays, and money summed exactly.

Amounts to be summed are whole ten-thousandths: their sum is exact, in whatever order they are added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from staypower.errors import Problem, UsageError
from staypower.tables import Table

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "CONVENTION",
    "MONEY_SCALE",
    "MONTH_DAYS",
    "AccountValues",
    "account_values",
    "as_money",
    "lifetime_value",
    "monthly_revenue",
    "to_period_probability",
    "value_at_risk",
    "whole_amounts",
]

CONVENTION = "m(1+d)/(1+d-r) per month, first payment counted now"
MONTH_DAYS = 365.25 / 12
MONEY_SCALE = 10_000
_LARGEST = float(np.iinfo(np.int64).max)


def lifetime_value(margin: ArrayLike, *, retention: ArrayLike, discount: ArrayLike = 0.0) -> NDArray[np.float64]:
    """Return the expected value of a customer who pays now and, as long as it stays, every month.

    The sum over months t = 0, 1, 2, ... of m r^t / (1 + d)^t: the first payment is counted now and in full. Conventions that
    count the first payment a month from now, m r / (1 + d - r), are lower by exactly m. Gupta and Lehmann 2003, "Customers as
    assets", Journal of Interactive Marketing 17(1), give both forms for a constant margin and retention.

    >>> float(lifetime_value(100.0, retention=0.9, discount=0.01))
    918.18...
    >>> float(lifetime_value(100.0, retention=0.5))
    200.0
    """
    money, stays, rate = (np.asarray(given, dtype=np.float64) for given in (margin, retention, discount))
    problems = []
    if not (np.isnan(stays) | ((stays >= 0) & (stays <= 1))).all():
        problems.append(
            Problem("a retention that is not a share", _worst(stays), "give the probability of staying, from 0 to 1")
        )
    if not (np.isnan(rate) | ((rate >= 0) & np.isfinite(rate))).all():
        problems.append(Problem("a discount rate below 0", _worst(rate), "give the rate of one month, such as 0.01"))
    if problems:
        raise UsageError(problems)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(money * (1 + rate) / (1 + rate - stays), dtype=np.float64)


def to_period_probability(probability: ArrayLike, *, horizon_days: float, period_days: float) -> NDArray[np.float64]:
    """Convert the probability of leaving within a horizon to the same risk over another length of time.

    Assumes that the hazard is constant over the horizon; it is the only assumption that a single probability allows.

    >>> float(to_period_probability(0.271, horizon_days=90, period_days=30))
    0.1...
    >>> float(to_period_probability(0.1, horizon_days=30, period_days=90))
    0.27...
    """
    chance = np.asarray(probability, dtype=np.float64)
    problems = [
        Problem(f"{name} is no length of time", str(days), "give days above 0")
        for name, days in (("horizon_days", horizon_days), ("period_days", period_days))
        if not (np.isfinite(days) and days > 0)
    ]
    if not (np.isnan(chance) | ((chance >= 0) & (chance <= 1))).all():
        problems.append(Problem("not a probability", _worst(chance), "give numbers from 0 to 1"))
    if problems:
        raise UsageError(problems)
    with np.errstate(divide="ignore"):
        # log1p and expm1 keep the digits of small probabilities
        return np.asarray(-np.expm1(np.log1p(-chance) * (period_days / horizon_days)), dtype=np.float64)


def value_at_risk(churn_probability: ArrayLike, value_if_stays: ArrayLike) -> NDArray[np.float64]:
    """Return the value that is expected to be lost.

    >>> value_at_risk([0.25, 0.5], 1000.0).tolist()
    [250.0, 500.0]
    """
    chance = np.asarray(churn_probability, dtype=np.float64)
    if not (np.isnan(chance) | ((chance >= 0) & (chance <= 1))).all():
        raise UsageError.of("not a probability", _worst(chance), "give numbers from 0 to 1")
    return np.asarray(chance * np.asarray(value_if_stays, dtype=np.float64), dtype=np.float64)


def _worst(values: NDArray[np.float64]) -> str:
    """Name the value farthest from one half."""
    flat = np.atleast_1d(values).ravel()
    distance = np.where(np.isnan(flat), -1.0, np.abs(flat - 0.5))
    return f"{flat[int(distance.argmax())]:g}"


@dataclass(frozen=True)
class AccountValues:
    """Value and risk in money.

    >>> nothing = np.zeros(0)
    >>> AccountValues(nothing, nothing, nothing > 0).own.tolist()
    []
    """

    clv: NDArray[np.float64]  # shape (n,): Lifetime value of each account if it stays; NaN where nothing is known of it
    value_at_risk: NDArray[np.float64]  # shape (n,): churn probability x clv; NaN where either is missing
    own: NDArray[np.bool_]  # shape (n,): Whether the value is the account's own; the others have the average, or none


ORDERED = "order_amount_365d"  # the feature that stands in for recurring revenue where there are only orders


def monthly_revenue(mrr: ArrayLike | None = None, ordered_365d: ArrayLike | None = None) -> NDArray[np.float64] | None:
    """Return what each account pays a month: its recurring revenue, else a twelfth of what it ordered in a year.

    >>> monthly_revenue([50.0, np.nan], [0.0, 240.0]).round(2).tolist()
    [50.0, 20.01]
    """
    recurring = None if mrr is None else np.asarray(mrr, dtype=np.float64)
    ordered = None if ordered_365d is None else np.asarray(ordered_365d, dtype=np.float64) * (MONTH_DAYS / 365.0)
    if recurring is None or ordered is None:
        return recurring if ordered is None else ordered
    return np.where(np.isnan(recurring), ordered, recurring)


def account_values(
    monthly: ArrayLike | None,
    churn_probability: ArrayLike,
    *,
    base_rate: float,
    horizon_days: float,
    margin: float = 1.0,
    discount_rate: float = 0.01,
    average: float | None = None,
) -> AccountValues:
    """Return lifetime value and value at risk of accounts.

    With the retention of a month r = (1 - base_rate)^(month / horizon) and the margin m of a month, the value is
    m (1 + d) / (1 + d - r). The retention is everybody's, stored with the model, never the account's own: a lifetime value that
    already contained the account's own risk would count it twice in churn probability x value.

    >>> found = account_values([100.0, np.nan], [0.5, 0.2], base_rate=0.271, horizon_days=3 * MONTH_DAYS, average=400.0)
    >>> found.clv.round(2).tolist(), found.value_at_risk.round(2).tolist(), found.own.tolist()
    ([918.18, 400.0], [459.09, 80.0], [True, False])
    """
    if not 0 < base_rate < 1:
        raise UsageError.of("not a base rate", base_rate, "give the share of accounts that churned, between 0 and 1")
    probability = np.asarray(churn_probability, dtype=np.float64)
    retention = 1.0 - to_period_probability(base_rate, horizon_days=horizon_days, period_days=MONTH_DAYS)
    paid = np.full(len(probability), np.nan) if monthly is None else np.asarray(monthly, dtype=np.float64)
    paid = np.where(paid >= 0, paid, np.nan)
    own = lifetime_value(margin * paid, retention=retention, discount=discount_rate)
    known = ~np.isnan(own)
    clv = np.where(known, own, np.nan if average is None else average)
    return AccountValues(clv, value_at_risk(probability, clv), known)


def whole_amounts(table: Table, column: str, *, times: int = 1) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return a number column as whole ten-thousandths, and which rows have a number.

    >>> import pyarrow as pa
    >>> from staypower.schemas import SCHEMAS
    >>> rows = pa.table({"account_id": ["a", "a"], "amount": pa.array([0.1, None], pa.float64())})
    >>> amounts, known = whole_amounts(Table(SCHEMAS["orders"], rows), "amount")
    >>> amounts.tolist(), known.tolist()
    ([1000, 0], [True, False])
    """
    values = table.numbers(column)
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    if np.abs(filled).sum() * MONEY_SCALE * times >= _LARGEST:
        worst = int(np.abs(filled).argmax())
        where = f"{table.name}.{column}, row {worst + 1}: {values[worst]:g}"
        raise UsageError.of("numbers too large to be summed exactly", where, "map the column in a larger unit")
    return np.round(filled * MONEY_SCALE).astype(np.int64), known


def as_money(amount: int | np.integer) -> float:
    """Turn whole ten-thousandths into money.

    >>> as_money(1_234_500)
    123.45
    """
    return int(amount) / MONEY_SCALE
