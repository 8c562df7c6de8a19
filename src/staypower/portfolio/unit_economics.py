"""Unit economics: lifetime value, acquisition cost, and their ratio."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from staypower.portfolio.customer_value import CONVENTION, MONEY_SCALE, as_money, lifetime_value, whole_amounts
from staypower.portfolio.customers import Customers
from staypower.portfolio.figures import Figure, PortfolioCell
from staypower.portfolio.intervals import NONE, Resampler
from staypower.portfolio.revenue import CustomerRevenue
from staypower.portfolio.settings import PortfolioSettings
from staypower.results.numbers import decimal, plural
from staypower.spells import instants_or_missing, number_accounts
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "AcquisitionCosts",
    "acquisition_figures",
    "costs_problem",
    "read_costs",
    "value_figures",
]


@dataclass(frozen=True)
class AcquisitionCosts:
    """The acquisition cost of each account."""

    amount: NDArray[np.int64]  # shape (n_accounts,): whole ten-thousandths
    known: NDArray[np.bool_]  # shape (n_accounts,)


def costs_problem(tables: Tables, column: str) -> str | None:
    """Say why acquisition costs are not known; None when they are.

    >>> import pyarrow as pa
    >>> from staypower.schemas import SCHEMAS
    >>> from staypower.tables import Table
    >>> costs_problem(Tables({"accounts": Table(SCHEMAS["accounts"], pa.table({"account_id": ["a"]}))}, 0), "acquisition_cost")
    'the accounts have no `acquisition_cost`'
    """
    table = tables["accounts"]
    if not table.has(column):
        return f"the accounts have no `{column}`"
    if not table.has("valid_from") and column not in table.fixed:
        return f"`{column}` may have changed since: declare it (`static: [{column}]` of `accounts`)"
    if not _is_number(table.data.schema.field(column).type):
        return f"`{column}` is not a number"
    return None


def _is_number(kind: object) -> bool:
    return str(kind).startswith(("int", "uint", "float", "double", "halffloat"))


def read_costs(tables: Tables, column: str, *, accounts: Sequence[str]) -> AcquisitionCosts:
    """Read the acquisition cost of each account: the first one recorded."""
    table = tables["accounts"]
    amount, known = whole_amounts(table, column)
    account = number_accounts(table, accounts)
    rows = np.flatnonzero(known & (account >= 0))
    rows = rows[np.lexsort((rows, instants_or_missing(table, "valid_from")[rows]))][::-1]
    found = np.zeros(len(accounts), dtype=np.int64)
    has_cost = np.zeros(len(accounts), dtype=bool)
    found[account[rows]], has_cost[account[rows]] = amount[rows], True
    return AcquisitionCosts(found, has_cost)


def acquisition_figures(costs: AcquisitionCosts, began_in: NDArray[np.int64], cell: PortfolioCell) -> Iterator[Figure]:
    """Yield the mean acquisition cost of the accounts that began in a cell."""
    yield _mean_cost(costs, (began_in == cell.position) & cell.members, cell, "cac")


def _mean_cost(costs: AcquisitionCosts, began: NDArray[np.bool_], cell: PortfolioCell, metric: str) -> Figure:
    counted = began & costs.known
    n, blank = int(counted.sum()), int(began.sum() - counted.sum())
    note = f"{plural(blank, 'account')} without a cost left out" if blank else ""
    if not n:
        return cell.figure(metric, math.nan, n=0, accounts=0, note=note or "no new accounts")
    return cell.figure(metric, as_money(costs.amount[counted].sum()) / n, n=n, accounts=n, note=note)


def value_figures(
    customers: Customers,
    revenue: CustomerRevenue,
    costs: AcquisitionCosts | None,
    cell: PortfolioCell,
    settings: PortfolioSettings,
    resampler: Resampler,
) -> Iterator[Figure]:
    """Yield monthly retention, lifetime value, acquisition cost and their ratio, pooled over complete months.

    r = customer months that were followed by another / customer months; m = margin x revenue of the customer months with a
    known `mrr` / their number; lifetime value = m (1 + d) / (1 + d - r).
    """
    months = len(customers.periods)
    here = (customers.stay[:, :months] >= 0) & cell.members
    paying = here & revenue.known[:, :months]
    sums = np.column_stack(
        [
            (here & (customers.stay[:, 1:] >= 0)).sum(axis=1),
            here.sum(axis=1),
            np.where(paying, revenue.amount[:, :months], 0).sum(axis=1),
            paying.sum(axis=1),
        ]
    )[here.any(axis=1)]
    accounts, total = len(sums), sums.sum(axis=0)
    n = int(total[1]) if accounts else 0
    if not n:
        for metric in ("monthly_retention", "clv"):
            yield cell.figure(metric, math.nan, n=0, accounts=0, note="no customers")
        return

    def retained(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        return drawn[:, 0] / drawn[:, 1]

    def value_of(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        margin = settings.margin * drawn[:, 2] / drawn[:, 3] / MONEY_SCALE
        return lifetime_value(margin, retention=retained(drawn), discount=settings.discount_rate)

    stays = int(total[0]) / n
    interval = resampler.interval(sums, retained, name=f"monthly_retention|{cell.name}")
    yield cell.figure("monthly_retention", stays, interval, n=n, accounts=accounts, note=f"{months} months pooled")
    value, interval, note = math.nan, NONE, "no customer month with a known `mrr`"
    if total[3]:
        value = float(value_of(total[None, :].astype(np.float64))[0])
        interval = resampler.interval(sums, value_of, name=f"clv|{cell.name}")
        note = _convention(settings, as_money(total[2]) / int(total[3]), stays)
    if not math.isfinite(value) and total[3]:
        value, interval, note = math.nan, NONE, "undefined: no churn and no discount rate, so lifetime value is infinite"
    clv = cell.figure("clv", value, interval, n=n, accounts=accounts, note=note)
    yield clv
    if costs is not None:
        yield from _against_cost(customers, costs, cell, clv)


def _convention(settings: PortfolioSettings, revenue: float, retention: float) -> str:
    of = "of revenue, not of margin: set `portfolio.margin`; " if settings.margin == 1 else ""
    margin, kept = decimal(settings.margin * revenue, 2), decimal(retention, 4)
    return f"{of}{CONVENTION}; m = {margin}, r = {kept}, d = {settings.discount_rate:g}"


def _against_cost(customers: Customers, costs: AcquisitionCosts, cell: PortfolioCell, clv: Figure) -> Iterator[Figure]:
    began = customers.began_in()
    won = (began >= 0) & cell.members[np.arange(len(began)), np.maximum(began, 0)]
    cac = _mean_cost(costs, won, cell, "cac_of_months")
    yield cac
    if not (math.isfinite(clv.value) and math.isfinite(cac.value)) or cac.value == 0:
        note = next((each.note for each in (clv, cac) if not math.isfinite(each.value)), "the acquisition cost is 0")
        yield replace(cac, metric="clv_to_cac", value=math.nan, n=None, note=note)
        return
    ratio, low, high = (end / cac.value for end in (clv.value, clv.low, clv.high))
    note = "ALERT: acquiring an account costs more than its lifetime value" if clv.value < cac.value else ""
    yield replace(clv, metric="clv_to_cac", value=ratio, low=low, high=high, n=cac.n, note=note)
