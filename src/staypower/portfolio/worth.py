"""Lifetime value, acquisition cost and what orders bring."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from staypower.portfolio.customer_value.closed_form import CONVENTION, lifetime_value
from staypower.portfolio.customer_value.money import MONEY_SCALE, as_money, whole_amounts
from staypower.portfolio.customer_value.orders import OrderAmounts
from staypower.portfolio.customers import Customers
from staypower.portfolio.figures import Cell, Figure
from staypower.portfolio.intervals import NONE, Resampler
from staypower.portfolio.revenue import CustomerRevenue
from staypower.portfolio.settings import PortfolioSettings
from staypower.spells import instants_or_missing, number_accounts
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "AcquisitionCosts",
    "acquisition_figures",
    "costs_problem",
    "order_figures",
    "read_costs",
    "value_figures",
]


@dataclass(frozen=True)
class AcquisitionCosts:
    """What winning each account cost.

    >>> AcquisitionCosts(np.array([5]), np.array([True])).amount.tolist()
    [5]
    """

    amount: NDArray[np.int64]  # shape (n_accounts,): Whole ten-thousandths
    known: NDArray[np.bool_]  # shape (n_accounts,)


def costs_problem(tables: Tables, column: str) -> str | None:
    """Say why the cost of winning accounts is not known; None when it is.

    >>> import pyarrow as pa
    >>> from staypower.tables import SCHEMAS, Table
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
    """Read the cost of winning each account: the first that was written down."""
    table = tables["accounts"]
    amount, known = whole_amounts(table, column)
    account = number_accounts(table, accounts)
    rows = np.flatnonzero(known & (account >= 0))
    rows = rows[np.lexsort((rows, instants_or_missing(table, "valid_from")[rows]))][::-1]
    found = np.zeros(len(accounts), dtype=np.int64)
    told = np.zeros(len(accounts), dtype=bool)
    found[account[rows]], told[account[rows]] = amount[rows], True
    return AcquisitionCosts(found, told)


def acquisition_figures(costs: AcquisitionCosts, began_in: NDArray[np.int64], cell: Cell) -> Iterator[Figure]:
    """Yield the mean cost of the accounts won in a cell."""
    won = (began_in == cell.position) & cell.members
    yield _mean_cost(costs, won, cell, "cac")


def _mean_cost(costs: AcquisitionCosts, won: NDArray[np.bool_], cell: Cell, metric: str) -> Figure:
    told = won & costs.known
    n, blank = int(told.sum()), int(won.sum() - told.sum())
    said = f"{blank:,} accounts without a cost left out" if blank else ""
    if not n:
        return cell.figure(metric, math.nan, n=0, accounts=0, note=said or "no accounts won")
    return cell.figure(metric, as_money(costs.amount[told].sum()) / n, n=n, accounts=n, note=said)


def value_figures(
    customers: Customers,
    revenue: CustomerRevenue,
    costs: AcquisitionCosts | None,
    cell: Cell,
    settings: PortfolioSettings,
    resampler: Resampler,
) -> Iterator[Figure]:
    """Yield monthly retention, lifetime value, acquisition cost and their ratio, pooled over complete months.

    r = customer months that were followed by another / customer months; m = margin x revenue of the customer months with a
    known `mrr` / their number; lifetime value = m (1 + d) / (1 + d - r).
    """
    months = len(customers.periods)
    here = (customers.stay[:, :months] >= 0) & cell.members
    told = here & revenue.known[:, :months]
    sums = np.column_stack(
        [
            (here & (customers.stay[:, 1:] >= 0)).sum(axis=1),
            here.sum(axis=1),
            np.where(told, revenue.amount[:, :months], 0).sum(axis=1),
            told.sum(axis=1),
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

    def worth(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        margin = settings.margin * drawn[:, 2] / drawn[:, 3] / MONEY_SCALE
        return lifetime_value(margin, retention=retained(drawn), discount=settings.discount_rate)

    stays = int(total[0]) / n
    interval = resampler.interval(sums, retained, name=f"monthly_retention|{cell.name}")
    yield cell.figure("monthly_retention", stays, interval, n=n, accounts=accounts, note=f"{months} months pooled")
    value, interval, note = math.nan, NONE, "no customer month with a known `mrr`"
    if total[3]:
        value = float(worth(total[None, :].astype(np.float64))[0])
        interval = resampler.interval(sums, worth, name=f"clv|{cell.name}")
        note = _say(settings, as_money(total[2]) / int(total[3]), stays)
    if not math.isfinite(value) and total[3]:
        value, interval, note = math.nan, NONE, "nobody was lost and money is not discounted: without bound"
    clv = cell.figure("clv", value, interval, n=n, accounts=accounts, note=note)
    yield clv
    if costs is not None:
        yield from _against_cost(customers, costs, cell, clv)


def _say(settings: PortfolioSettings, revenue: float, retention: float) -> str:
    of = "of revenue, not of margin: set `portfolio.margin`; " if settings.margin == 1 else ""
    return f"{of}{CONVENTION}; m = {settings.margin * revenue:.2f}, r = {retention:.4f}, d = {settings.discount_rate:g}"


def _against_cost(customers: Customers, costs: AcquisitionCosts, cell: Cell, clv: Figure) -> Iterator[Figure]:
    began = customers.began_in()
    won = (began >= 0) & cell.members[np.arange(len(began)), np.maximum(began, 0)]
    cac = _mean_cost(costs, won, cell, "cac_of_months")
    yield cac
    if not (math.isfinite(clv.value) and math.isfinite(cac.value)) or cac.value == 0:
        note = next((each.note for each in (clv, cac) if not math.isfinite(each.value)), "accounts were won for nothing")
        yield replace(cac, metric="clv_to_cac", value=math.nan, n=None, note=note)
        return
    ratio, low, high = (end / cac.value for end in (clv.value, clv.low, clv.high))
    note = "ALERT: an account is worth less than winning it cost" if clv.value < cac.value else ""
    yield replace(clv, metric="clv_to_cac", value=ratio, low=low, high=high, n=cac.n, note=note)


def order_figures(orders: OrderAmounts, rows: NDArray[np.int64], cell: Cell, settings: PortfolioSettings) -> Iterator[Figure]:
    """Yield accounts that ordered, what orders brought, and the mean margin per active account."""
    active = len(np.unique(orders.account[rows[orders.bought[rows]]]))
    total = as_money(orders.amount[rows].sum())
    yield cell.figure("active_accounts", active, n=active, accounts=active)
    yield cell.figure("order_revenue", total, n=active, accounts=active, note="returns taken off")
    note = "no order" if not active else "what an account brought in this period; not a lifetime value"
    value = settings.margin * total / active if active else math.nan
    yield cell.figure("margin_per_active_account", value, n=active, accounts=active, note=note)
