"""Customer value: lifetime value in closed form, the value of each account if it stays, acquisition cost, and their ratio."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from staypower.errors import Problem, UsageError
from staypower.portfolio.customers import Customers
from staypower.portfolio.figures import MONEY_SCALE, NONE, Figure, PortfolioCell, Resampler, as_money, whole_amounts
from staypower.portfolio.revenue import CustomerRevenue
from staypower.portfolio.settings import PortfolioSettings
from staypower.results.numbers import decimal, plural
from staypower.spells import instants_or_missing, number_accounts
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "AccountValues",
    "AcquisitionCosts",
    "CONVENTION",
    "MONTH_DAYS",
    "account_values",
    "acquisition_figures",
    "costs_problem",
    "lifetime_value",
    "monthly_revenue",
    "read_costs",
    "to_period_probability",
    "value_at_risk",
    "value_figures",
]

CONVENTION = "m(1+d)/(1+d-r) per month, first payment counted now"
MONTH_DAYS = 365.25 / 12


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

    >>> round(float(to_period_probability(0.271, horizon_days=90, period_days=30)), 6)
    0.1
    >>> round(float(to_period_probability(0.1, horizon_days=30, period_days=90)), 6)
    0.271
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

    clv: NDArray[np.float64]  # shape (n,): lifetime value of each account if it stays; NaN where it is unknown
    value_at_risk: NDArray[np.float64]  # shape (n,): churn probability x clv; NaN where either is missing
    own: NDArray[np.bool_]  # shape (n,): whether the value is the account's own; the others have the average, or none


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
    horizon_days: float | None,
    margin: float = 1.0,
    discount_rate: float = 0.01,
    average: float | None = None,
) -> AccountValues:
    """Return lifetime value and value at risk of accounts.

    With the retention of a month r = (1 - base_rate)^(month / horizon) and the margin m of a month, the value is
    m (1 + d) / (1 + d - r). The retention is that of all accounts, stored with the model, never the account's own: a lifetime
    value that already contained the account's own risk would count it twice in churn probability x value. Without a horizon
    (churn known as a flag without a time) no retention is known: every account has the average, or none.

    >>> found = account_values([100.0, np.nan], [0.5, 0.2], base_rate=0.271, horizon_days=3 * MONTH_DAYS, average=400.0)
    >>> found.clv.round(2).tolist(), found.value_at_risk.round(2).tolist(), found.own.tolist()
    ([918.18, 400.0], [459.09, 80.0], [True, False])
    """
    if not 0 < base_rate < 1:
        raise UsageError.of("not a base rate", base_rate, "give the share of accounts that churned, between 0 and 1")
    probability = np.asarray(churn_probability, dtype=np.float64)
    own = np.full(len(probability), np.nan)
    if monthly is not None and horizon_days is not None:
        retention = 1.0 - to_period_probability(base_rate, horizon_days=horizon_days, period_days=MONTH_DAYS)
        paid = np.asarray(monthly, dtype=np.float64)
        paid = np.where(paid >= 0, paid, np.nan)
        own = lifetime_value(margin * paid, retention=retention, discount=discount_rate)
    known = ~np.isnan(own)
    clv = np.where(known, own, np.nan if average is None else average)
    return AccountValues(clv, value_at_risk(probability, clv), known)


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
