"""The value of each account if it stays, and how much of it is at risk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from staypower.errors import UsageError
from staypower.portfolio.customer_value.closed_form import lifetime_value, to_period_probability, value_at_risk

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["MONTH_DAYS", "AccountValues", "account_values", "monthly_revenue"]

MONTH_DAYS = 365.25 / 12


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
