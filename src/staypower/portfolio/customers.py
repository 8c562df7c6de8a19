"""Who was a customer at each boundary between periods, how stays ended, and churn, retention and referrals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import DAY, MISSING, before, earliest, entry
from staypower.labels.churn import definition_of, find_population
from staypower.labels.definitions import kinds_of_ends
from staypower.labels.population import ChurnKind
from staypower.labels.settings import LabelSettings
from staypower.portfolio.figures import NONE, Figure, PortfolioCell, join_notes, wilson_interval
from staypower.portfolio.periods import Periods
from staypower.results.numbers import plural
from staypower.spells import Spells, find_spells, instants_or_missing, number_accounts
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Customers",
    "churn_figures",
    "customers_problem",
    "find_customers",
    "logo_cohort_figures",
    "open_ends_note",
    "read_referrals",
    "referral_figures",
]

_TOO_SHORT = "the data begin too late: no account can have been inactive for the whole activity window yet"
_YOUNG_DATA = "the data begin shortly before: some of these accounts may have been customers already"
_REFERRAL = "referral"
_KINDS = (
    ("voluntary_churn_rate", ChurnKind.VOLUNTARY),
    ("involuntary_churn_rate", ChurnKind.INVOLUNTARY),
    ("unknown_churn_rate", ChurnKind.UNKNOWN),
)


@dataclass(frozen=True)
class Customers:
    """The customers of a portfolio over its periods."""

    accounts: tuple[str, ...]
    periods: Periods
    # shape (n_accounts, k + 1): number of the unbroken stay in which each account was a customer just before each boundary;
    # -1 where it was none
    stay: NDArray[np.int64]
    kind: NDArray[np.int8]  # shape (n_stays,): `ChurnKind` of the stay's end; `NONE` while it runs
    began: NDArray[np.int64]  # shape (n_accounts,): instant at which the first stay began; `MISSING` where none did
    # shape (n_accounts,): instant of an end that a return within the grace could still undo; `MISSING` where there is none
    open_since: NDArray[np.int64]
    grace: int  # days within which a return undoes an end
    kinds_known: bool  # whether voluntary and involuntary ends can be told apart
    readable_from: int  # instant before which the data are too short to tell who is a customer
    carries: bool  # whether an account between two subscriptions may be a customer

    @classmethod
    def together(cls, parts: Sequence[Customers], order: NDArray[np.int64]) -> Customers:
        """Combine the customers of several buckets of accounts, in an order."""
        ids = [account for part in parts for account in part.accounts]
        # the stays of a bucket are numbered after those of the buckets before it
        before = np.cumsum([0, *(len(part.kind) for part in parts)])
        stays = [np.where(part.stay >= 0, part.stay + start, -1) for part, start in zip(parts, before, strict=False)]
        return replace(
            parts[0],
            accounts=tuple(ids[place] for place in order.tolist()),
            stay=np.concatenate(stays)[order],
            kind=np.concatenate([part.kind for part in parts]),
            began=np.concatenate([part.began for part in parts])[order],
            open_since=np.concatenate([part.open_since for part in parts])[order],
            kinds_known=any(part.kinds_known for part in parts),
            readable_from=earliest([np.array([part.readable_from for part in parts])]),
        )

    def at_start(self, position: int) -> NDArray[np.bool_]:
        """Say who was a customer when a period began."""
        return self.stay[:, position] >= 0

    def at_end(self, position: int) -> NDArray[np.bool_]:
        """Say who was a customer when a period ended, or where knowledge does."""
        return self.stay[:, position + 1] >= 0

    def readable(self, position: int) -> bool:
        """Say whether the data reach far enough back to tell who was a customer when a period began."""
        return self.periods.starts[position] >= self.readable_from

    def open_ends(self, position: int) -> NDArray[np.bool_]:
        """Say whose end before the end of a period could still be undone."""
        return before(self.open_since, int(self.periods.bounds[position + 1]))

    def began_in(self) -> NDArray[np.int64]:
        """Return the position of the period in which each account's first stay began, -1 for none."""
        return self.periods.number(self.began)

    def observed_ages(self, cohort: int) -> int:
        """Count the ages at which nothing about a cohort can change any more, age 0 included.

        Age a is the boundary a periods after the end of the cohort's own period. It is fully observed when that boundary and
        the grace after it lie before the end of the data.
        """
        return int(self.periods.ended_for(float(self.grace))[cohort:].sum())

    def unbroken(self, cohort: int) -> NDArray[np.bool_]:
        """Say, from the end of a cohort's period on, at which boundaries its accounts are still in their first stay."""
        after = self.stay[:, cohort + 1 :]
        first = after[:, :1]
        return np.asarray(np.logical_and.accumulate((after >= 0) & (after == first), axis=1))


def customers_problem(tables: Tables, label: LabelSettings) -> str | None:
    """Say why customers cannot be counted over time; None when they can.

    >>> from staypower.labels.settings import GivenLabel
    >>> customers_problem(Tables({}, 0), GivenLabel(flag="left"))
    'a flag shows who left, but not when'
    """
    if label.is_snapshot:
        return "a flag shows who left, but not when"
    if label.by_subscriptions and not tables.has("subscriptions", "started_at", "ended_at"):
        return "the subscriptions have no `ended_at`"
    return None


def find_customers(tables: Tables, label: LabelSettings, periods: Periods, *, accounts: Sequence[str]) -> Customers:
    """Find who was a customer at each boundary, by the label's own definition.

    - Contractual: on the union of the subscriptions, holes of at most the grace closed. An account between two
      subscriptions whose hole is closed is a customer.
    - Non-contractual: activity in the window before the boundary. Given dates: from sign-up to the first date of churn.
    """
    if label.by_subscriptions:
        spells = find_spells(
            tables["subscriptions"], grace_days=label.outcome.grace, accounts=accounts, observed_until=tables.observed_until
        )
        return _from_spells(spells, label, periods)
    status = find_population(tables, label, periods.bounds)
    began, readable_from = _first_seen(tables, label, accounts)
    return Customers(
        accounts=tuple(accounts),
        periods=periods,
        stay=_runs(status.active),
        kind=np.full(int(status.active.size), ChurnKind.UNKNOWN, dtype=np.int8),
        began=began,
        open_since=np.full(len(accounts), MISSING, dtype=np.int64),
        grace=0,
        kinds_known=False,
        readable_from=readable_from,
        carries=False,
    )


def _from_spells(spells: Spells, label: LabelSettings, periods: Periods) -> Customers:
    bounds = periods.bounds
    first, stop = entry(spells.started, bounds).astype(np.int64), entry(spells.ended, bounds).astype(np.int64)
    stay = np.full((len(spells.accounts), len(bounds)), -1, dtype=np.int64)
    lengths = np.maximum(stop - first, 0)
    number = np.repeat(np.arange(len(spells)), lengths)
    within = np.arange(len(number)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    stay[spells.account[number], first[number] + within] = number
    began = np.full(len(spells.accounts), MISSING, dtype=np.int64)
    began[spells.account[::-1]] = spells.started[::-1]
    return Customers(
        accounts=spells.accounts,
        periods=periods,
        stay=stay,
        kind=_kinds(spells, label.involuntary_words),
        began=began,
        open_since=_open_since(spells, label.outcome.grace, periods.observed_until),
        grace=label.outcome.grace,
        kinds_known=bool(label.involuntary_words) and any(reason is not None for reason in spells.end_reason),
        readable_from=MISSING,
        carries=True,
    )


def _kinds(spells: Spells, involuntary: tuple[str, ...]) -> NDArray[np.int8]:
    return np.where(spells.ended == MISSING, np.int8(ChurnKind.NONE), kinds_of_ends(spells.end_reason, involuntary))


def _open_since(spells: Spells, grace: int, observed_until: int) -> NDArray[np.int64]:
    """Return the end of each account's last stay where a return could still undo it."""
    found = np.full(len(spells.accounts), MISSING, dtype=np.int64)
    last = np.flatnonzero(np.append(np.diff(spells.account) != 0, True)) if len(spells) else np.empty(0, dtype=np.int64)
    ended = spells.ended[last]
    # a return exactly at the end of the grace still counts
    undoable = (ended != MISSING) & ~before(np.where(ended == MISSING, 0, ended) + grace * DAY, observed_until)
    found[spells.account[last[undoable]]] = ended[undoable]
    return found


def _runs(present: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Give the unbroken runs of presence numbers: a new number whenever an account comes back."""
    starts = present.copy()
    starts[:, 1:] &= ~present[:, :-1]
    return np.where(present, np.cumsum(starts).reshape(present.shape) - 1, -1)


def _first_seen(tables: Tables, label: LabelSettings, accounts: Sequence[str]) -> tuple[NDArray[np.int64], int]:
    """Return when each account began, and from when on the data tell who is a customer."""
    rows, readable_from = definition_of(label).first_seen(tables, accounts)
    began = np.full(len(accounts), np.iinfo(np.int64).max, dtype=np.int64)
    np.minimum.at(began, rows.account, rows.at)
    return np.where(began == np.iinfo(np.int64).max, MISSING, began), readable_from


def churn_figures(customers: Customers, cell: PortfolioCell) -> Iterator[Figure]:
    """Yield the customers of a cell, its churn rate, retention, and churn by kind.

    Churn rate = customers at the start and gone at the end / customers at the start; retention = 1 - churn rate. The kinds
    are shares of the same customers and add up to the churn rate. The kind is that of the stay that held the start.
    """
    at_start = customers.at_start(cell.position) & cell.members
    gone = at_start & ~customers.at_end(cell.position)
    n, lost = int(at_start.sum()), int(gone.sum())
    final, caution = open_ends_note(customers, cell)
    counted = int((customers.at_end(cell.position) & cell.members).sum())
    yield cell.figure("customers_at_start", n, n=n, accounts=n, complete=final, note=caution)
    yield cell.figure("customers_at_end", counted, n=counted, accounts=counted, complete=final, note=caution)
    why = "no customers at the start" if not n else "" if customers.readable(cell.position) else _TOO_SHORT
    note = join_notes(why, caution)

    def rate(metric: str, count: int) -> Figure:
        value, interval = (math.nan, NONE) if why else (count / n, wilson_interval(count, n))
        return cell.figure(metric, value, interval, n=n, accounts=n, complete=final, note=note)

    yield rate("customer_churn_rate", lost)
    yield rate("customer_retention", n - lost)
    if customers.kinds_known:
        kinds = customers.kind[customers.stay[gone, cell.position]]
        for metric, kind in _KINDS:
            yield rate(metric, int(np.count_nonzero(kinds == kind)))


def open_ends_note(customers: Customers, cell: PortfolioCell) -> tuple[bool, str]:
    """Say whether every churn that a cell counts is final, and if not, how many are not."""
    count = int((customers.open_ends(cell.position) & cell.members).sum())
    if not count:
        return True, ""
    ends = plural(count, "churned customer")
    return False, f"provisional: {ends} may still come back within the grace of {customers.grace} days"


def read_referrals(tables: Tables, customers: Customers) -> NDArray[np.bool_]:
    """Say which account referred somebody in which period."""
    table = tables["advocacy"]
    kind = np.array([str(word).strip().casefold() == _REFERRAL for word in table.texts("kind")], dtype=bool)
    at = table.own_instants()
    known = before(np.maximum(at, instants_or_missing(table, "known_at")), tables.observed_until)
    account, period = number_accounts(table, customers.accounts), customers.periods.number(at)
    rows = kind & known & (account >= 0) & (period >= 0)
    found = np.zeros((len(customers.accounts), len(customers.periods)), dtype=bool)
    found[account[rows], period[rows]] = True
    return found


def referral_figures(customers: Customers, referred: NDArray[np.bool_], cell: PortfolioCell) -> Iterator[Figure]:
    """Yield the share of the customers at the start of a cell who referred somebody in it."""
    starters = customers.at_start(cell.position) & cell.members
    n, count = int(starters.sum()), int((starters & referred[:, cell.position]).sum())
    if not n:
        yield cell.figure("referral_rate", math.nan, n=0, accounts=0, note="no customers at the start")
        return
    yield cell.figure("referral_rate", count / n, wilson_interval(count, n), n=n, accounts=n)


def logo_cohort_figures(customers: Customers, cell: PortfolioCell, began_in: NDArray[np.int64]) -> Iterator[Figure]:
    """Yield the share of a cohort's accounts that are still in their first stay, by age."""
    ages = customers.observed_ages(cell.position)
    members = (began_in == cell.position) & cell.members
    n = int(members.sum())
    if not ages or not n:
        return
    kept = customers.unbroken(cell.position)[members].sum(axis=0)
    note = "" if customers.readable(cell.position) else _YOUNG_DATA
    for age in range(ages):
        share = int(kept[age])
        yield cell.figure("cohort_retention", share / n, wilson_interval(share, n), n=n, accounts=n, note=note, age=age)
