"""Cohorts: what became of the accounts that began in one period, at fully observed ages only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from staypower.portfolio.customer_value import as_money
from staypower.portfolio.customers import Customers
from staypower.portfolio.figures import Figure, PortfolioCell, join_notes
from staypower.portfolio.intervals import Resampler, wilson_interval
from staypower.portfolio.revenue import CustomerRevenue, ratio, without_mrr

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["logo_cohort_figures", "observed_ages", "revenue_cohort_figures"]

_UNSURE = "the data begin shortly before: some of these accounts may have been customers already"


def observed_ages(customers: Customers, cohort: int) -> int:
    """Count the ages at which nothing about a cohort can change any more, age 0 included.

    Age a is the boundary a periods after the end of the cohort's own period. It is fully observed when that boundary and the
    grace after it lie before the end of knowledge.
    """
    return int(customers.periods.ended_for(float(customers.grace))[cohort:].sum())


def logo_cohort_figures(customers: Customers, cell: PortfolioCell, began_in: NDArray[np.int64]) -> Iterator[Figure]:
    """Yield the share of a cohort's accounts that are still in their first stay, by age."""
    ages = observed_ages(customers, cell.position)
    members = (began_in == cell.position) & cell.members
    n = int(members.sum())
    if not ages or not n:
        return
    kept = customers.unbroken(cell.position)[members].sum(axis=0)
    note = "" if customers.readable(cell.position) else _UNSURE
    for age in range(ages):
        share = int(kept[age])
        yield cell.figure("cohort_retention", share / n, wilson_interval(share, n), n=n, accounts=n, note=note, age=age)


def revenue_cohort_figures(
    customers: Customers, revenue: CustomerRevenue, cell: PortfolioCell, began_in: NDArray[np.int64], resampler: Resampler
) -> Iterator[Figure]:
    """Yield a cohort's revenue by age, and its gross and net retention against age 0.

    Only accounts in their first stay count: who left and came back adds nothing. Accounts with a blank `mrr` at any observed
    age are left out, and the note counts them.
    """
    ages = observed_ages(customers, cell.position)
    members = (began_in == cell.position) & cell.members
    if not ages or not members.any():
        return
    here = slice(cell.position + 1, cell.position + 1 + ages)
    staying = customers.unbroken(cell.position)[members, :ages]
    known: NDArray[np.bool_] = np.all(revenue.known[members, here] | ~staying, axis=1)
    amount = np.where(staying, revenue.amount[members, here], 0)[known]
    note = without_mrr(int(len(known) - known.sum()))
    n = len(amount)
    for age in range(ages):
        yield cell.figure("cohort_mrr", as_money(amount[:, age].sum()), n=n, accounts=n, note=note, age=age)
        for metric, kept in (
            ("cohort_gross_revenue_retention", np.minimum(amount[:, 0], amount[:, age])),
            ("cohort_net_revenue_retention", amount[:, age]),
        ):
            value, interval, empty = ratio(kept, amount[:, 0], resampler, f"{metric}|{cell.name}|{age}")
            yield cell.figure(metric, value, interval, n=n, accounts=n, note=join_notes(empty, note), age=age)
