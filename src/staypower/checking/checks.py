"""Check whether tables can be used, and say it in a report: problem, what it means, how to fix it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from staypower.checking.leaks import leak_suspects
from staypower.checking.report import CheckReport, TableSummary
from staypower.cutoffs import DAY, MISSING, text_of
from staypower.schemas import SCHEMAS
from staypower.sources.findings import Finding
from staypower.tables import Table, Tables

__all__ = ["TABLE_FEATURES", "attribute_frame", "check_tables"]

# What is not built without a table.
TABLE_FEATURES: Mapping[str, str] = MappingProxyType(
    {
        "usage": "features of usage and onboarding: events, active days, trends, silence, seats active",
        "tickets": "features of support: tickets, response and resolution times, reopened and repeated contacts",
        "surveys": "features of satisfaction (NPS, CSAT, CES), the loyalty tier from answers, and quadrants",
        "subscriptions": "features of contracts (MRR, plan, renewal, term) and churn by contract",
        "payments": "features of payments: failed, recovered, refunded, method expiring",
        "orders": "features of orders (count, amount, gaps, returns) and churn by absence of orders",
        "advocacy": "features of referrals, reviews and community",
        "goals": "features of goals met and overdue",
        "outreach": "metrics with and without treated accounts",
    }
)
# What is not built without a column; other columns only sharpen what is built.
_COLUMN_FEATURES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "accounts": {"signed_up_at": "tenure and onboarding"},
        "usage": {
            "event": "counts per product feature, breadth and onboarding",
            "quantity": "quantities",
            "user_id": "active users and the share of seats active",
        },
        "tickets": {
            "first_response_at": "response times and the share within the SLA",
            "resolved_at": "open tickets and resolution times",
            "priority": "the share of urgent tickets",
            "category": "repeat contacts",
        },
        "surveys": {
            "value": "every feature of answers",
            "answered_at": "every feature of answers",
            "sent_at": "response rates and unanswered invitations",
        },
        "subscriptions": {
            "ended_at": "churn by contract and past spells",
            "mrr": "MRR and its change",
            "end_reason": "voluntary and involuntary churn apart",
            "renews_at": "days to renewal",
        },
        "payments": {"status": "failed payments", "amount": "amounts"},
        "orders": {"amount": "amounts", "order_id": "lines collapsed into orders: each line counts as an order"},
    }
)
_SHORT = 180


def absent(tables: Tables) -> Iterator[Finding]:
    """Name tables and columns that are not given, and what is not built without them."""
    for name, features in TABLE_FEATURES.items():
        if name not in tables:
            yield Finding("note", name, "", 0, "not given", f"not built: {features}", f"give `{name}` a source if you have it")
    for name, columns in _COLUMN_FEATURES.items():
        for column, features in columns.items():
            if name in tables and not tables[name].has(column):
                yield Finding("note", name, column, 0, "not mapped", f"not built: {features}", f"map `{column}` if you have it")


def blanks(tables: Tables) -> Iterator[Finding]:
    """Name columns of which a part is blank."""
    for name, table in tables.items():
        for column in table.data.column_names:
            count = table.data.column(column).null_count
            if not count or not len(table):
                continue
            if count == len(table):
                yield Finding(
                    "warning", name, column, count, "every value is blank", "features of it are missing", "check the mapping"
                )
            else:
                share = f"blank in {count / len(table):.1%} of the rows"
                yield Finding("note", name, column, count, share, _meaning_of_blank(table, column))


def _meaning_of_blank(table: Table, column: str) -> str:
    """Say what a blank means: a moment that has not come yet, or a value that nobody knows."""
    known = table.schema.column(column)
    if known is not None and known.known_from == column and column != table.schema.times[0]:
        return "it has not happened in these rows"
    return "unknown in these rows; no value is put in its place"


def changing(tables: Tables) -> Iterator[Finding]:
    """Name columns that change under one's feet, and from when they are used."""
    for name, table in tables.items():
        if name not in SCHEMAS or table.has("valid_from"):
            continue
        for column in SCHEMAS[name].columns:
            if not column.mutable or not table.has(column.name) or column.name in table.fixed:
                continue
            if column.known_from:
                used = f"used only from `{column.known_from}`" if table.has(column.known_from) else "left out"
            else:
                used = "left out"
            fix = f"write `fixed: [{column.name}]` if it never changes while a row lives"
            if name == "subscriptions":
                fix += ", or give rows with `valid_from`"
            yield Finding("note", name, column.name, 0, "a column that may change while its row lives", used, fix)
    yield from _flags(tables)


def _flags(tables: Tables) -> Iterator[Finding]:
    """Name flags that may have been set later than their row."""
    if tables.has("orders", "cancelled") and not tables.has("orders", "returned_at"):
        table = tables["orders"]
        if "cancelled" not in table.fixed:
            meaning = "taken as known at the order's own time; if it was set later on the same row, it is a leak"
            fix = "map `returned_at`, or write `fixed: [cancelled]` if cancellations are rows of their own"
            yield Finding("warning", "orders", "cancelled", 0, "a flag without the time at which it was set", meaning, fix)
    if tables.has("payments", "status") and not tables.has("payments", "refunded_at"):
        refunded = int((tables["payments"].texts("status") == "refunded").sum())
        if refunded:
            meaning = "refunds are not used: nobody knows when they were made"
            yield Finding("warning", "payments", "status", refunded, "refunds without their time", meaning, "map `refunded_at`")


def history(tables: Tables, outcome_days: int | None = None) -> Iterator[Finding]:
    """Say how long each table's history is, and warn when it is too short to learn from and to test on."""
    until = tables.observed_until
    firsts = {}
    for name, table in tables.items():
        first = _first(table) if name != "accounts" else MISSING
        if first != MISSING:
            firsts[name] = first
            days = _days(first, until)
            problem = f"history of {days:,} days, {text_of(first)[:10]} to {text_of(until - 1)[:10]}"
            yield Finding("note", name, "", 0, problem, "features look back at most this far")
    if not firsts:
        return
    days = _days(min(firsts.values()), until)
    needed = 2 * outcome_days if outcome_days is not None else _SHORT
    if days < needed:
        problem = f"only {days:,} days of history"
        meaning = f"training and a later test need about {needed:,}; the test may not be a temporal one"
        yield Finding("warning", "tables", "", 0, problem, meaning, "give more history, or a shorter horizon")


def _days(first: int, until: int) -> int:
    """Count the calendar days from the one of the first row."""
    return (until - first // DAY * DAY) // DAY


def _first(table: Table) -> int:
    own = table.own_instants()
    return int(np.min(own[own != MISSING], initial=np.iinfo(np.int64).max)) if (own != MISSING).any() else MISSING


def nothing_to_learn(tables: Tables) -> Iterator[Finding]:
    """Refuse a company of which nothing is known but its accounts."""
    if len(tables) == 1 and not tables["accounts"].fixed:
        fix = "give one event table, or list attributes that never change under `static:`"
        yield Finding(
            "error", "accounts", "", 0, "neither an event table nor a usable attribute", "there is nothing to learn", fix
        )


def check_tables(
    tables: Tables,
    findings: Sequence[Finding] = (),
    *,
    outcome_days: int | None = None,
    target: Mapping[str, int] | None = None,
    label: Collection[str] = (),
) -> CheckReport:
    """Check whether tables can be used.

    >>> import pyarrow as pa
    >>> from staypower.schemas import SCHEMAS
    >>> accounts = Table(SCHEMAS["accounts"], pa.table({"account_id": ["a"]}))
    >>> check_tables(Tables({"accounts": accounts}, 0)).errors[0].problem
    'neither an event table nor a usable attribute'
    """
    found = [*findings, *nothing_to_learn(tables), *changing(tables), *_leaks(tables, target, label)]
    found += [*history(tables, outcome_days), *blanks(tables), *absent(tables)]
    return CheckReport.of(found, {name: _summary(table) for name, table in tables.items()})


def attribute_frame(accounts: Table) -> pd.DataFrame:
    """Give the attributes of each account, one row per account, the last given row of each.

    >>> import pyarrow as pa
    >>> from staypower.schemas import SCHEMAS
    >>> rows = pa.table({"account_id": ["a", "b"], "plan": ["x", "y"]})
    >>> attribute_frame(Table(SCHEMAS["accounts"], rows, fixed=frozenset({"plan"}))).loc["b"].to_dict()
    {'plan': 'y'}
    """
    names = ["account_id", *(name for name in accounts.data.column_names if accounts.schema.column(name) is None)]
    frame: pd.DataFrame = accounts.data.select(list(dict.fromkeys(names))).to_pandas()
    return frame.drop_duplicates("account_id", keep="last").set_index("account_id").drop(columns="known_at", errors="ignore")


def _leaks(tables: Tables, target: Mapping[str, int] | None, label: Collection[str]) -> Iterator[Finding]:
    accounts = tables["accounts"]
    frame = attribute_frame(accounts).drop(columns=list(label), errors="ignore")
    left_out = set(frame.columns) - accounts.fixed
    if target is None:
        yield from leak_suspects(frame, left_out=left_out)
        return
    known = frame[frame.index.isin(list(target))]
    yield from leak_suspects(known, [target[account] for account in known.index], left_out=left_out)


def _summary(table: Table) -> TableSummary:
    times = table.own_instants() if len(table) else np.zeros(0, dtype=np.int64)
    there = times[times != MISSING]
    days = (text_of(int(there.min()))[:10], text_of(int(there.max()))[:10]) if len(there) else (None, None)
    accounts = len(pc.unique(table.data.column("account_id")))
    return TableSummary(len(table), int(accounts), tuple(table.data.column_names), *days)
