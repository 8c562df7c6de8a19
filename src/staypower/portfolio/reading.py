"""Read what figures start from, one bucket of accounts at a time: columns per account, and rows of surveys and tickets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from staypower.features.settings import FeatureSettings
from staypower.labels.settings import LabelSettings
from staypower.portfolio.customer_value import AcquisitionCosts, costs_problem, read_costs
from staypower.portfolio.customers import Customers, customers_problem, find_customers, read_referrals
from staypower.portfolio.figures import require_exact_sum
from staypower.portfolio.periods import Periods, Segmentation, find_segmentations
from staypower.portfolio.revenue import CustomerRevenue, OrderAmounts, customer_revenue, read_order_amounts, revenue_problem
from staypower.portfolio.satisfaction import (
    Invitations,
    SurveyAnswers,
    are_mixed,
    read_answers,
    read_invitations,
    refuse_mixtures,
)
from staypower.portfolio.settings import PortfolioSettings
from staypower.portfolio.support import Tickets, read_tickets
from staypower.tables import BucketedTables, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Followed", "PortfolioRows", "Reader", "read_portfolio"]

_Part = TypeVar("_Part")
_Columns = TypeVar("_Columns", AcquisitionCosts, CustomerRevenue, OrderAmounts)
_EventRows = TypeVar("_EventRows", SurveyAnswers, Invitations, Tickets)


@dataclass(frozen=True)
class Followed:
    """Accounts over some periods."""

    segments: tuple[Segmentation, ...]
    customers: Customers | None  # None where customers cannot be counted over time
    revenue: CustomerRevenue | None  # None where revenue is not known over time either

    @classmethod
    def together(cls, parts: Sequence[Followed], order: NDArray[np.int64]) -> Followed:
        """Combine the accounts of several buckets, in an order."""
        customers = _known([part.customers for part in parts])
        revenue = _columns(_known([part.revenue for part in parts]), order)
        if revenue is not None:
            require_exact_sum(revenue.amount, "subscriptions.mrr")
        return cls(
            tuple(Segmentation.together(each, order) for each in zip(*(part.segments for part in parts), strict=True)),
            Customers.together(customers, order) if customers else None,
            revenue,
        )


@dataclass(frozen=True)
class PortfolioRows:
    """What all figures start from; accounts are sorted, and None is what the tables do not tell."""

    accounts: tuple[str, ...]
    periods: Followed
    months: Followed | None  # the months of the lifetime value
    referred: NDArray[np.bool_] | None  # shape (n_accounts, k)
    costs: AcquisitionCosts | None
    orders: OrderAmounts | None
    answers: Mapping[str, SurveyAnswers]  # by instrument; rows outside the periods are left out
    invitations: Mapping[str, Invitations]
    tickets: Tickets | None
    variants: pd.DataFrame  # what `read_answers` tells of each answer, without repeats

    @classmethod
    def together(cls, parts: Sequence[PortfolioRows]) -> PortfolioRows:
        """Combine several buckets."""
        if len(parts) == 1:
            return parts[0]
        ids = np.array([account for part in parts for account in part.accounts], dtype=object)
        order = np.argsort(ids, kind="stable")
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        places = np.split(place, np.cumsum([len(part.accounts) for part in parts])[:-1])
        months, referred = _known([part.months for part in parts]), _known([part.referred for part in parts])
        tickets = _known([part.tickets for part in parts])
        return cls(
            accounts=tuple(ids[order]),
            periods=Followed.together([part.periods for part in parts], order),
            months=Followed.together(months, order) if months else None,
            referred=np.concatenate(referred)[order] if referred else None,
            costs=_columns(_known([part.costs for part in parts]), order),
            orders=_together_orders(_known([part.orders for part in parts]), order),
            answers=_by_instrument([part.answers for part in parts], places),
            invitations=_by_instrument([part.invitations for part in parts], places),
            tickets=Tickets.together(tickets, places) if tickets else None,
            variants=pd.concat([part.variants for part in parts]).drop_duplicates(),
        )


def _known(parts: Sequence[_Part | None]) -> list[_Part]:
    """Return what buckets have: all of them or none, since it depends on the columns of the tables."""
    return [part for part in parts if part is not None]


def _columns(parts: Sequence[_Columns], order: NDArray[np.int64]) -> _Columns | None:
    """Combine columns that have one row per account."""
    if not parts:
        return None
    names = [name for name, values in vars(parts[0]).items() if isinstance(values, np.ndarray)]
    columns: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts])[order] for name in names}
    return replace(parts[0], **columns)


def _together_orders(parts: Sequence[OrderAmounts], order: NDArray[np.int64]) -> OrderAmounts | None:
    found = _columns(parts, order)
    if found is None:
        return None
    require_exact_sum(found.amount, "orders.amount")
    return OrderAmounts(found.amount, found.bought, unknown=sum(part.unknown for part in parts))


def _by_instrument(parts: Sequence[Mapping[str, _EventRows]], places: Sequence[NDArray[np.int64]]) -> dict[str, _EventRows]:
    found = {}
    for name in sorted({name for part in parts for name in part}):
        there = [(part[name], place) for part, place in zip(parts, places, strict=True) if name in part]
        found[name] = type(there[0][0]).together([rows for rows, _ in there], [place for _, place in there])
    return found


@dataclass(frozen=True)
class Reader:
    """Reads a bucket of accounts."""

    settings: PortfolioSettings
    label: LabelSettings
    features: FeatureSettings
    segments: tuple[str, ...]  # attributes of the accounts
    periods: Periods
    months: Periods | None  # of the lifetime value

    @property
    def tables(self) -> frozenset[str]:
        """The tables that are read, besides `accounts`."""
        return self.label.tables_read | {"subscriptions", "surveys", "tickets", "orders", "advocacy"}

    def __call__(self, tables: Tables) -> PortfolioRows:
        """Read one bucket."""
        accounts, until = tuple(tables.account_ids), tables.observed_until
        periods = self._followed(tables, accounts, self.periods)
        customers, column = periods.customers, self.settings.acquisition_cost
        referred = costs = orders = tickets = None
        if customers is not None and tables.has("advocacy", "kind"):
            referred = read_referrals(tables, customers)
        if costs_problem(tables, column) is None:
            costs = read_costs(tables, column, accounts=accounts)
        if tables.has("orders", "amount"):
            orders = read_order_amounts(tables["orders"], self.periods, accounts=accounts, observed_until=until)
        if tables.has("tickets", "first_response_at"):
            tickets = self._inside(read_tickets(tables, self.features, accounts=accounts))
        answers: dict[str, SurveyAnswers] = {}
        invitations: dict[str, Invitations] = {}
        variants = pd.DataFrame()
        if "surveys" in tables:
            surveys = tables["surveys"]
            answers, variants = read_answers(surveys, accounts=accounts, observed_until=until)
            invitations = read_invitations(surveys, accounts=accounts, observed_until=until)
        return PortfolioRows(
            accounts,
            periods=periods,
            months=None if self.months is None else self._followed(tables, accounts, self.months),
            referred=referred,
            costs=costs,
            orders=orders,
            answers={name: self._inside(rows) for name, rows in answers.items()},
            invitations={name: self._inside(rows) for name, rows in invitations.items()},
            tickets=tickets,
            variants=variants.drop_duplicates(),
        )

    def _followed(self, tables: Tables, accounts: tuple[str, ...], periods: Periods) -> Followed:
        starts = np.array(periods.starts, dtype=np.int64)
        segments = find_segmentations(tables, self.segments, accounts=accounts, starts=starts)
        if customers_problem(tables, self.label) is not None:
            return Followed(segments, None, None)
        customers = find_customers(tables, self.label, periods, accounts=accounts)
        return Followed(segments, customers, None if revenue_problem(tables) else customer_revenue(tables, customers))

    def _inside(self, rows: _EventRows) -> _EventRows:
        return rows.take(self.periods.number(rows.at) >= 0)


def read_portfolio(tables: BucketedTables, reader: Reader) -> PortfolioRows:
    """Read all buckets; refuse answers that cannot be compared."""
    rows = PortfolioRows.together(list(tables.each(reader, only=reader.tables)))
    if len(rows.variants) and are_mixed(rows.variants):
        surveys = tables.together({"surveys"})["surveys"]
        _, variants = read_answers(surveys, accounts=rows.accounts, observed_until=tables.observed_until)
        refuse_mixtures(surveys, variants)
    return rows
