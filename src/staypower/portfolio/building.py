"""Every figure that the tables allow, and why the others are left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import DAY, MISSING, before, earliest
from staypower.errors import UsageError
from staypower.features.settings import FeatureSettings
from staypower.labels.settings import LabelSettings
from staypower.portfolio.advocacy import read_referrals, referral_figures
from staypower.portfolio.attitude import ces_figures, csat_figures, nps_figures, response_figures
from staypower.portfolio.catalogue import METRICS
from staypower.portfolio.cohorts import logo_cohort_figures, revenue_cohort_figures
from staypower.portfolio.customer_value.orders import read_order_amounts
from staypower.portfolio.customers import Customers, customers_problem, find_customers
from staypower.portfolio.figures import Cell, Figure, cells_of
from staypower.portfolio.intervals import Resampler
from staypower.portfolio.periods import Periods, make_periods
from staypower.portfolio.result import Portfolio
from staypower.portfolio.retention import retention_figures
from staypower.portfolio.revenue import customer_revenue, revenue_figures, without_revenue
from staypower.portfolio.segments import find_segmentations
from staypower.portfolio.settings import PortfolioSettings
from staypower.portfolio.support import read_tickets, support_figures
from staypower.portfolio.surveys import ANSWER_DAYS, read_answers, read_invitations
from staypower.portfolio.worth import acquisition_figures, costs_problem, order_figures, read_costs, value_figures
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["has_a_past", "measure_portfolio"]

MONTHS = 12  # complete months over which the retention of a lifetime value is measured


@dataclass(frozen=True)
class _Job:
    """What every family of figures starts from."""

    tables: Tables
    settings: PortfolioSettings
    label: LabelSettings
    features: FeatureSettings
    accounts: tuple[str, ...]
    periods: Periods
    cells: tuple[Cell, ...]
    resampler: Resampler
    left_out: dict[str, str] = field(default_factory=dict)

    def rows(self, at: NDArray[np.int64], account: NDArray[np.int64]) -> Iterator[tuple[Cell, NDArray[np.int64]]]:
        """Yield every cell with the positions of the rows that fall into it, in their order."""
        period = self.periods.number(at)
        order = np.argsort(period, kind="stable")
        limits = np.searchsorted(period[order], np.arange(len(self.periods) + 1))
        for cell in self.cells:
            chosen = order[limits[cell.position] : limits[cell.position + 1]]
            yield cell, chosen[cell.members[account[chosen]]]


def measure_portfolio(
    tables: Tables, settings: PortfolioSettings, *, label: LabelSettings, features: FeatureSettings
) -> Portfolio:
    """Measure a portfolio by period, segment and cohort.

    >>> import pyarrow as pa
    >>> from staypower.cutoffs import DAY
    >>> from staypower.tables import SCHEMAS, Table
    >>> time = lambda *days: pa.array([None if day is None else day * DAY for day in days], pa.timestamp("us", "UTC"))
    >>> rows = pa.table({"account_id": ["a", "b"], "started_at": time(0, 0), "ended_at": time(40, None)})
    >>> accounts = Table(SCHEMAS["accounts"], pa.table({"account_id": ["a", "b"]}))
    >>> tables = Tables({"accounts": accounts, "subscriptions": Table(SCHEMAS["subscriptions"], rows)}, 90 * DAY)
    >>> found = measure_portfolio(tables, PortfolioSettings(), label=ContractualLabel(), features=FeatureSettings())
    >>> churn = found.frame().query("metric == 'customer_churn_rate'")
    >>> churn["value"].tolist(), churn["n"].tolist()
    ([nan, 0.5, 0.0], [0, 2, 1])
    """
    accounts = tuple(tables.account_ids)
    first = _first_instant(tables)
    if first == MISSING:
        raise UsageError.of("no row has a time", "the tables", "map the time of at least one table of events")
    periods = make_periods(tables.observed_until, first=first, period=settings.period, count=settings.periods)
    starts = np.array(periods.starts, dtype=np.int64)
    segmentations = find_segmentations(tables, settings.segments, accounts=accounts, starts=starts)
    cells = tuple(cells_of(periods, segmentations, settings.minimum))
    resampler = Resampler(settings.bootstrap, settings.seed)
    job = _Job(tables, settings, label, features, accounts, periods, cells, resampler)
    figures = [*_customers(job), *_surveys(job), *_tickets(job), *_orders(job), *_worth(job)]
    order = {name: number for number, name in enumerate(METRICS)}
    figures.sort(key=lambda each: order[each.metric])
    return Portfolio(tuple(figures), periods, settings, dict(job.left_out))


def has_a_past(tables: Tables) -> bool:
    """Say whether any row has a time: one snapshot of accounts has none, and nothing to measure over time.

    >>> import pyarrow as pa
    >>> from staypower.tables import SCHEMAS, Table
    >>> has_a_past(Tables({"accounts": Table(SCHEMAS["accounts"], pa.table({"account_id": ["a"]}))}, 0))
    False
    """
    return _first_instant(tables) != MISSING


def _first_instant(tables: Tables) -> int:
    times = [table.own_instants() for name, table in tables.items() if table.has(*table.schema.times[:1])]
    return earliest([each[before(each, tables.observed_until)] for each in times])


def _customers(job: _Job) -> Iterator[Figure]:
    """Churn, retention, referrals, revenue and cohorts."""
    problem = customers_problem(job.tables, job.label)
    if problem is not None:
        for family in ("churn and retention", "revenue", "cohorts", "referrals"):
            job.left_out[family] = problem
        return
    customers = find_customers(job.tables, job.label, job.periods, accounts=job.accounts)
    began_in = customers.began_in()
    if not customers.kinds_told:
        job.left_out["voluntary and involuntary churn"] = _why_no_kinds(job.label)
    for cell in job.cells:
        yield from retention_figures(customers, cell)
        yield from logo_cohort_figures(customers, cell, began_in)
    yield from _referrals(job, customers)
    yield from _revenue(job, customers, began_in)
    yield from _costs(job, began_in)


def _why_no_kinds(label: LabelSettings) -> str:
    if not label.by_subscriptions:
        return "only subscriptions end for a reason"
    if not label.involuntary_words:
        return "set `label.involuntary` to the words of end reasons that are involuntary, such as `[payment]`"
    return "no subscription has an `end_reason`"


def _referrals(job: _Job, customers: Customers) -> Iterator[Figure]:
    if not job.tables.has("advocacy", "kind"):
        job.left_out["referrals"] = "there is no `advocacy.kind`"
        return
    referred = read_referrals(job.tables, customers)
    for cell in job.cells:
        yield from referral_figures(customers, referred, cell)


def _revenue(job: _Job, customers: Customers, began_in: NDArray[np.int64]) -> Iterator[Figure]:
    problem = without_revenue(job.tables)
    if problem is not None:
        job.left_out["revenue"] = problem
        return
    revenue = customer_revenue(job.tables, customers)
    for cell in job.cells:
        yield from revenue_figures(customers, revenue, cell, job.resampler)
        yield from revenue_cohort_figures(customers, revenue, cell, began_in, job.resampler)


def _costs(job: _Job, began_in: NDArray[np.int64]) -> Iterator[Figure]:
    problem = costs_problem(job.tables, job.settings.acquisition_cost)
    if problem is not None:
        job.left_out["acquisition cost"] = problem
        return
    costs = read_costs(job.tables, job.settings.acquisition_cost, accounts=job.accounts)
    for cell in job.cells:
        yield from acquisition_figures(costs, began_in, cell)


def _surveys(job: _Job) -> Iterator[Figure]:
    if "surveys" not in job.tables:
        job.left_out["surveys"] = "there is no table `surveys`"
        return
    surveys, until = job.tables["surveys"], job.tables.observed_until
    for instrument, answers in read_answers(surveys, accounts=job.accounts, observed_until=until).items():
        for cell, rows in job.rows(answers.at, answers.account):
            here = answers.take(rows)
            if instrument == "nps":
                yield from nps_figures(here, cell, job.resampler)
            elif instrument == "csat":
                yield from csat_figures(here, cell, job.settings, job.resampler)
            else:
                yield from ces_figures(here, instrument, cell, job.resampler)
    found = read_invitations(surveys, accounts=job.accounts, observed_until=until)
    if not found:
        job.left_out["response rates"] = "no invitations are noted: map `sent_at` of `surveys`"
    complete = job.periods.settled(ANSWER_DAYS)
    for instrument, invitations in found.items():
        for cell, rows in job.rows(invitations.at, invitations.account):
            done = bool(complete[cell.position])
            yield from response_figures(invitations.take(rows), instrument, cell, complete=done, resampler=job.resampler)


def _tickets(job: _Job) -> Iterator[Figure]:
    if not job.tables.has("tickets", "first_response_at"):
        job.left_out["first response"] = "there is no `tickets.first_response_at`"
        return
    tickets = read_tickets(job.tables, job.features, accounts=job.accounts)
    for cell, rows in job.rows(tickets.at, tickets.account):
        here = tickets.take(rows)
        yield from support_figures(here, cell, sla_hours=job.features.sla_hours, resampler=job.resampler)


def _orders(job: _Job) -> Iterator[Figure]:
    if not job.tables.has("orders", "amount"):
        return
    orders = read_order_amounts(job.tables["orders"], accounts=job.accounts, observed_until=job.tables.observed_until)
    if orders.unknown:
        job.left_out["part of the order revenue"] = f"{orders.unknown:,} order lines have no amount"
    for cell, rows in job.rows(orders.at, orders.account):
        yield from order_figures(orders, rows, cell, job.settings)


def _worth(job: _Job) -> Iterator[Figure]:
    """Lifetime value over months whose ends are final."""
    problem = customers_problem(job.tables, job.label) or without_revenue(job.tables)
    if problem is not None:
        instead = "; `margin_per_active_account` stands in its place" if job.tables.has("orders", "amount") else ""
        job.left_out["lifetime value"] = f"no recurring revenue ({problem}){instead}"
        return
    months = _final_months(job)
    if not len(months):
        job.left_out["lifetime value"] = "no month is complete and past the grace"
        return
    customers = find_customers(job.tables, job.label, months, accounts=job.accounts)
    revenue = customer_revenue(job.tables, customers)
    column = job.settings.acquisition_cost
    costs = None if costs_problem(job.tables, column) else read_costs(job.tables, column, accounts=job.accounts)
    starts = np.array(months.starts, dtype=np.int64)
    for found in find_segmentations(job.tables, job.settings.segments, accounts=job.accounts, starts=starts):
        for code, value in enumerate(found.values):
            members = found.codes == code
            cell = Cell(0, months.starts[0], months.ends[-1], False, found.column, value, members, job.settings.minimum)
            yield from value_figures(customers, revenue, costs, cell, job.settings, job.resampler)


def _final_months(job: _Job) -> Periods:
    """Return the latest months at whose end, grace included, nothing is open any more."""
    grace = job.label.outcome.grace
    until, first = job.tables.observed_until, _first_instant(job.tables)
    latest = make_periods(until - grace * DAY, first=first, period="month", count=MONTHS)
    whole = np.flatnonzero(~latest.running)
    return Periods(tuple(latest.starts[k] for k in whole), tuple(latest.ends[k] for k in whole), until)
