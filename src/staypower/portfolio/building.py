"""Measure the portfolio: customers, revenue, cohorts, satisfaction, support, orders and value, by period and segment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import DAY, MISSING, earliest
from staypower.errors import UsageError
from staypower.features.settings import FeatureSettings
from staypower.labels.settings import LabelSettings
from staypower.portfolio.catalogue import METRICS
from staypower.portfolio.customer_value import acquisition_figures, costs_problem, value_figures
from staypower.portfolio.customers import Customers, churn_figures, customers_problem, logo_cohort_figures, referral_figures
from staypower.portfolio.figures import Figure, PortfolioCell, Resampler
from staypower.portfolio.periods import Periods, cells_of, make_periods, segment_columns
from staypower.portfolio.reading import PortfolioRows, Reader, read_portfolio
from staypower.portfolio.result import Portfolio
from staypower.portfolio.revenue import order_figures, revenue_cohort_figures, revenue_figures, revenue_problem
from staypower.portfolio.satisfaction import ANSWER_DAYS, response_figures, survey_figures
from staypower.portfolio.settings import PortfolioSettings
from staypower.portfolio.support import support_figures
from staypower.results.numbers import plural
from staypower.tables import BucketedTables, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["has_a_past", "measure_portfolio"]

MONTHS = 12  # complete months over which the retention of a lifetime value is measured


@dataclass(frozen=True)
class _Inputs:
    """What every family of figures starts from."""

    rows: PortfolioRows
    tables: Tables  # without rows: which columns there are
    settings: PortfolioSettings
    label: LabelSettings
    features: FeatureSettings
    periods: Periods
    months: Periods
    cells: tuple[PortfolioCell, ...]
    resampler: Resampler
    left_out: dict[str, str] = field(default_factory=dict)

    def by_cell(self, at: NDArray[np.int64], account: NDArray[np.int64]) -> Iterator[tuple[PortfolioCell, NDArray[np.int64]]]:
        """Yield every cell with the positions of the rows that fall into it, in their order."""
        period = self.periods.number(at)
        order = np.argsort(period, kind="stable")
        limits = np.searchsorted(period[order], np.arange(len(self.periods) + 1))
        for cell in self.cells:
            chosen = order[limits[cell.position] : limits[cell.position + 1]]
            yield cell, chosen[cell.members[account[chosen]]]


def measure_portfolio(
    tables: BucketedTables, settings: PortfolioSettings, *, label: LabelSettings, features: FeatureSettings
) -> Portfolio:
    """Measure a portfolio by period, segment and cohort.

    >>> import pyarrow as pa
    >>> from staypower.cutoffs import DAY
    >>> from staypower.features.settings import FeatureSettings
    >>> from staypower.labels.settings import ContractualLabel
    >>> from staypower.portfolio.settings import PortfolioSettings
    >>> from staypower.schemas import SCHEMAS
    >>> from staypower.tables import Table
    >>> time = lambda *days: pa.array([None if day is None else day * DAY for day in days], pa.timestamp("us", "UTC"))
    >>> rows = pa.table({"account_id": ["a", "b"], "started_at": time(0, 0), "ended_at": time(40, None)})
    >>> accounts = Table(SCHEMAS["accounts"], pa.table({"account_id": ["a", "b"]}))
    >>> tables = Tables({"accounts": accounts, "subscriptions": Table(SCHEMAS["subscriptions"], rows)}, 90 * DAY)
    >>> found = measure_portfolio(tables, PortfolioSettings(), label=ContractualLabel(), features=FeatureSettings())
    >>> churn = found.frame().query("metric == 'customer_churn_rate'")
    >>> churn["value"].tolist(), churn["n"].tolist()
    ([nan, 0.5, 0.0], [0, 2, 1])
    """
    first = _first_instant(tables)
    if first == MISSING:
        raise UsageError.of("no row has a time", "the tables", "map the time of at least one table of events")
    periods = make_periods(tables.observed_until, first=first, period=settings.period, count=settings.periods)
    months = _final_months(tables.observed_until, first, label)
    segments = segment_columns(tables, settings.segments)
    reader = Reader(settings, label, features, segments, periods, months if len(months) else None)
    rows = read_portfolio(tables, reader)
    cells = tuple(cells_of(periods, rows.periods.segments, settings.minimum))
    resampler = Resampler(settings.bootstrap, settings.seed)
    inputs = _Inputs(rows, tables.empty, settings, label, features, periods, months, cells, resampler)
    figures = [*_customers(inputs), *_surveys(inputs), *_tickets(inputs), *_orders(inputs), *_value(inputs)]
    order = {name: number for number, name in enumerate(METRICS)}
    figures.sort(key=lambda each: order[each.metric])
    return Portfolio(tuple(figures), periods, dict(inputs.left_out))


def has_a_past(tables: BucketedTables) -> bool:
    """Say whether any row has a time: one snapshot of accounts has none, and nothing to measure over time.

    >>> import pyarrow as pa
    >>> from staypower.schemas import SCHEMAS
    >>> from staypower.tables import Table
    >>> has_a_past(Tables({"accounts": Table(SCHEMAS["accounts"], pa.table({"account_id": ["a"]}))}, 0))
    False
    """
    return _first_instant(tables) != MISSING


def _first_instant(tables: BucketedTables) -> int:
    empty = tables.empty
    dated = [name for name in tables.names if empty[name].has(*empty[name].schema.times[:1])]
    times = [first for first in map(tables.first_instant, dated) if first is not None]
    return earliest([np.array([first for first in times if first < tables.observed_until], dtype=np.int64)])


def _customers(inputs: _Inputs) -> Iterator[Figure]:
    """Churn, retention, referrals, revenue and cohorts."""
    problem = customers_problem(inputs.tables, inputs.label)
    customers = inputs.rows.periods.customers
    if problem is not None or customers is None:
        for family in ("churn and retention", "revenue", "cohorts", "referrals"):
            inputs.left_out[family] = str(problem)
        return
    began_in = customers.began_in()
    if not customers.kinds_known:
        inputs.left_out["voluntary and involuntary churn"] = _why_no_kinds(inputs.label)
    for cell in inputs.cells:
        yield from churn_figures(customers, cell)
        yield from logo_cohort_figures(customers, cell, began_in)
    yield from _referrals(inputs, customers)
    yield from _revenue(inputs, customers, began_in)
    yield from _costs(inputs, began_in)


def _why_no_kinds(label: LabelSettings) -> str:
    if not label.by_subscriptions:
        return "only subscriptions have an end reason"
    if not label.involuntary_words:
        return "set `label.involuntary` to the words of end reasons that are involuntary, such as `[payment]`"
    return "no subscription has an `end_reason`"


def _referrals(inputs: _Inputs, customers: Customers) -> Iterator[Figure]:
    referred = inputs.rows.referred
    if referred is None:
        inputs.left_out["referrals"] = "there is no `advocacy.kind`"
        return
    for cell in inputs.cells:
        yield from referral_figures(customers, referred, cell)


def _revenue(inputs: _Inputs, customers: Customers, began_in: NDArray[np.int64]) -> Iterator[Figure]:
    revenue = inputs.rows.periods.revenue
    if revenue is None:
        inputs.left_out["revenue"] = str(revenue_problem(inputs.tables))
        return
    for cell in inputs.cells:
        yield from revenue_figures(customers, revenue, cell, inputs.resampler)
        yield from revenue_cohort_figures(customers, revenue, cell, began_in, inputs.resampler)


def _costs(inputs: _Inputs, began_in: NDArray[np.int64]) -> Iterator[Figure]:
    costs = inputs.rows.costs
    if costs is None:
        inputs.left_out["acquisition cost"] = str(costs_problem(inputs.tables, inputs.settings.acquisition_cost))
        return
    for cell in inputs.cells:
        yield from acquisition_figures(costs, began_in, cell)


def _surveys(inputs: _Inputs) -> Iterator[Figure]:
    if "surveys" not in inputs.tables:
        inputs.left_out["surveys"] = "there is no table `surveys`"
        return
    for instrument, answers in inputs.rows.answers.items():
        for cell, rows in inputs.by_cell(answers.at, answers.account):
            here = answers.take(rows)
            yield from survey_figures(here, instrument, cell, inputs.settings.satisfied, inputs.resampler)
    if not inputs.rows.invitations:
        inputs.left_out["response rates"] = "no invitations recorded: map `sent_at` of `surveys`"
    complete = inputs.periods.ended_for(ANSWER_DAYS)
    for instrument, invitations in inputs.rows.invitations.items():
        for cell, rows in inputs.by_cell(invitations.at, invitations.account):
            done = bool(complete[cell.position])
            yield from response_figures(invitations.take(rows), instrument, cell, complete=done, resampler=inputs.resampler)


def _tickets(inputs: _Inputs) -> Iterator[Figure]:
    tickets = inputs.rows.tickets
    if tickets is None:
        inputs.left_out["first response"] = "there is no `tickets.first_response_at`"
        return
    for cell, rows in inputs.by_cell(tickets.at, tickets.account):
        here = tickets.take(rows)
        yield from support_figures(here, cell, sla_hours=inputs.features.sla_hours, resampler=inputs.resampler)


def _orders(inputs: _Inputs) -> Iterator[Figure]:
    orders = inputs.rows.orders
    if orders is None:
        return
    if orders.unknown:
        inputs.left_out["part of the order revenue"] = f"{plural(orders.unknown, 'order line')} without an amount"
    for cell in inputs.cells:
        yield from order_figures(orders, cell, inputs.settings.margin)


def _value(inputs: _Inputs) -> Iterator[Figure]:
    """Lifetime value over months whose ends are final."""
    problem = customers_problem(inputs.tables, inputs.label) or revenue_problem(inputs.tables)
    if problem is not None:
        instead = "; see `margin_per_active_account` instead" if inputs.rows.orders is not None else ""
        inputs.left_out["lifetime value"] = f"no recurring revenue ({problem}){instead}"
        return
    followed, months = inputs.rows.months, inputs.months
    if followed is None or followed.customers is None or followed.revenue is None:
        inputs.left_out["lifetime value"] = "no month is complete and past the grace"
        return
    for found in followed.segments:
        for code, value in enumerate(found.values):
            place = (0, months.starts[0], months.ends[-1], False)
            cell = PortfolioCell(*place, found.column, value, found.codes == code, inputs.settings.minimum)
            known = (followed.customers, followed.revenue, inputs.rows.costs)
            yield from value_figures(*known, cell, inputs.settings, inputs.resampler)


def _final_months(observed_until: int, first: int, label: LabelSettings) -> Periods:
    """Return the latest months in which, grace included, no end can still be undone."""
    latest = make_periods(observed_until - label.outcome.grace * DAY, first=first, period="month", count=MONTHS)
    whole = np.flatnonzero(~latest.running)
    return Periods(tuple(latest.starts[k] for k in whole), tuple(latest.ends[k] for k in whole), observed_until)
