"""Check whether tables can be used, and report each problem, what it means and how to fix it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import add
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from staypower.checking.leaks import leak_suspects
from staypower.checking.missing import NO_GAP, absent, most_important
from staypower.checking.rhythm import late_export, touched_days
from staypower.checking.row_meaning import RowFigures, doubtful_attributes, doubtful_rows
from staypower.cutoffs import DAY, MISSING, text_of
from staypower.hashing import alike_accounts
from staypower.results.numbers import UNKNOWN, count, percent, plural
from staypower.results.result import Block, Head, Heading, Items, Result, TableBlock
from staypower.schemas import SCHEMAS
from staypower.sources.findings import Finding
from staypower.sources.settings import TableSource
from staypower.tables import BucketedTables, Table, Tables

_PLACES, _NOTES = 4, 20  # shown of one note, and notes
_ORDER = {"error": 0, "warning": 1, "note": 2}
_COLUMNS = ("severity", "table", "column", "rows", "problem", "meaning", "fix", "examples")


@dataclass(frozen=True)
class TableSummary:
    """One table in figures."""

    rows: int  # that are left
    accounts: int  # that these rows have
    columns: tuple[str, ...]  # that were read
    first: str | None  # day of its first row
    last: str | None  # day of its last row


@dataclass(frozen=True)
class CheckReport(Result):
    """The usability report: what was found in the tables, the worst first.

    >>> report = CheckReport.of([Finding("warning", "usage", "at", 2, "odd dates", "kept", "fix them")], {})
    >>> len(report.errors), len(report.warnings)
    (0, 1)
    """

    findings: tuple[Finding, ...]
    tables: Mapping[str, TableSummary]
    every_note: bool = False  # whether each note is shown by itself

    @classmethod
    def of(cls, findings: Sequence[Finding], tables: Mapping[str, TableSummary]) -> CheckReport:
        """Sort findings by severity, and within it by table in the order given; duplicates are dropped."""
        order = {name: place for place, name in enumerate(tables)}
        unique = dict.fromkeys(findings)
        ranked = sorted(
            unique, key=lambda found: (_ORDER[found.severity], most_important(found), order.get(found.table, len(order)))
        )
        return cls(tuple(ranked), dict(tables))

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What makes a table unusable."""
        return tuple(found for found in self.findings if found.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What changes what the features say."""
        return tuple(found for found in self.findings if found.severity == "warning")

    @property
    def notes(self) -> tuple[Finding, ...]:
        """What is good to know."""
        return tuple(found for found in self.findings if found.severity == "note")

    @property
    def summary(self) -> str:
        """Count the findings in words."""
        counted = ((self.errors, "error"), (self.warnings, "warning"), (self.notes, "note"))
        return ", ".join(plural(len(found), word) for found, word in counted)

    def frame(self) -> pd.DataFrame:
        """Give the findings as a table, one row each."""
        return pd.DataFrame([_row(found) for found in self.findings], columns=list(_COLUMNS))

    def to_dict(self) -> dict[str, Any]:
        """Give the report as plain values, ready for JSON."""
        return {
            "summary": {"errors": len(self.errors), "warnings": len(self.warnings), "notes": len(self.notes)},
            "tables": {name: {**vars(table), "columns": list(table.columns)} for name, table in self.tables.items()},
            "findings": [{**_row(found), "examples": list(found.examples)} for found in self.findings],
        }

    def blocks(self) -> list[Block]:
        """Return the counts, one line per table, and each finding with what it means and how to fix it."""
        shown: list[Block] = [f"Usability report: {self.summary}"]
        if self.tables:
            heads = (Head("table", "left"), "rows", "accounts", Head("first", "left"), Head("last", "left"))
            rows = [
                [name, count(each.rows), count(each.accounts), each.first or UNKNOWN, each.last or UNKNOWN]
                for name, each in self.tables.items()
            ]
            shown.append(TableBlock(heads, rows))
        for found in self.findings if self.every_note else (*self.errors, *self.warnings):
            rows_of = f"  ({plural(found.rows, 'row')})" if found.rows else ""
            lines = [("problem", _problem(found)), ("means", found.meaning), ("fix", found.fix)]
            shown.append(Heading(f"{found.severity.upper():<8} {found.place}{rows_of}"))
            shown.append(Items([f"{word}: {text}" for word, text in lines if text]))
        return shown if self.every_note or not self.notes else [*shown, *_notes(self.notes)]


def _notes(notes: Sequence[Finding]) -> Iterator[Block]:
    """Write what is missing, the most important for the model first, and then the other notes: together at most a screen."""
    gaps = [note for note in notes if most_important(note) < NO_GAP]
    if gaps:
        yield Heading("Not in the data, the most important for the model first")
        yield Items([f"{gap.problem}: {gap.meaning}" for gap in gaps])
    yield Heading("Notes")
    yield Items(_grouped([note for note in notes if most_important(note) == NO_GAP], _NOTES - len(gaps)))


def _grouped(notes: Sequence[Finding], most: int) -> list[str]:
    """Write what several notes share once, with the places."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for note in notes:
        groups.setdefault((note.problem, note.meaning.partition(":")[0]), []).append(note)
    lines = []
    for (problem, _), listed in groups.items():
        places = ", ".join(dict.fromkeys(note.place for note in listed[:_PLACES]))
        more = f" and {len(listed) - _PLACES} more" if len(listed) > _PLACES else ""
        meaning = listed[0].meaning if len(listed) == 1 else listed[0].meaning.partition(":")[0]
        lines.append(f"{problem}{f', {meaning}' if meaning else ''}: {places}{more}")
    if len(lines) > most:
        lines = [*lines[:most], f"{plural(len(lines) - most, 'more note')}"]
    return [*lines, "`staypower check --all` shows each note with its fix"]


def _row(found: Finding) -> dict[str, Any]:
    return {name: getattr(found, name) for name in _COLUMNS}


def _problem(found: Finding) -> str:
    return found.problem + (f", such as {', '.join(found.examples)}" if found.examples else "")


_SHORT = 180


@dataclass(frozen=True)
class _Figures:
    """Figures of a table's rows; those of several buckets add up."""

    rows: int
    accounts: int
    first: int | None  # instants of the earliest and the latest row
    last: int | None
    blanks: Mapping[str, int]  # blank values by column
    refunds: int = 0
    touched: frozenset[int] = frozenset()  # numbers of the days of which its rows tell

    @classmethod
    def of(cls, table: Table, until: int) -> _Figures:
        own = table.own_instants() if len(table) else np.zeros(0, dtype=np.int64)
        there = own[own != MISSING]
        first, last = (int(there.min()), int(there.max())) if len(there) else (None, None)
        blanks = {name: table.data.column(name).null_count for name in table.data.column_names}
        refunds = int((table.texts("status") == "refunded").sum()) if table.name == "payments" and table.has("status") else 0
        touched = frozenset[int]() if last is None else touched_days(table, until)
        return cls(len(table), len(pc.unique(table.data.column("account_id"))), first, last, blanks, refunds, touched)

    def __add__(self, other: _Figures) -> _Figures:
        return _Figures(
            self.rows + other.rows,
            self.accounts + other.accounts,
            min((first for first in (self.first, other.first) if first is not None), default=None),
            max((last for last in (self.last, other.last) if last is not None), default=None),
            {name: count + other.blanks[name] for name, count in self.blanks.items()},
            self.refunds + other.refunds,
            self.touched | other.touched,
        )

    def summary(self, table: Table) -> TableSummary:
        first, last = (None if at is None else text_of(at)[:10] for at in (self.first, self.last))
        return TableSummary(self.rows, self.accounts, tuple(table.data.column_names), first, last)


def check_tables(
    tables: BucketedTables,
    findings: Sequence[Finding] = (),
    *,
    outcome_days: int | None = None,
    target: Mapping[str, int] | None = None,
    label: Collection[str] = (),
    derived: Collection[tuple[str, str]] = (),
    sources: Mapping[str, Sequence[TableSource]] | None = None,
    grace: int | None = None,
) -> CheckReport:
    """Check whether tables can be used, one bucket of accounts at a time; `derived` are columns that follow from others.

    `grace` is that of a label of contracts; `sources` say how columns are mapped, for the fixes.

    >>> import pyarrow as pa
    >>> from staypower.schemas import SCHEMAS
    >>> from staypower.tables import Tables
    >>> accounts = Table(SCHEMAS["accounts"], pa.table({"account_id": ["a"]}))
    >>> check_tables(Tables({"accounts": accounts}, 0)).errors[0].problem
    'neither an event table nor a usable attribute'
    """
    empty, looked, given = tables.empty, list(tables.each(partial(_look, grace=grace))), sources or {}
    figures = {name: reduce(add, (each[name] for each, _, _ in looked)) for name in empty}
    attributes = pd.concat([frame for _, frame, _ in looked]).sort_index(kind="stable")
    meaning = reduce(add, (each for _, _, each in looked))
    found = [*findings, *_nothing_to_train_on(empty), *_changing(empty, figures), *_leaks(empty, attributes, target, label)]
    found += [*_history(tables.observed_until, figures, outcome_days), *_blanks(empty, figures), *absent(empty, derived)]
    found += doubtful_rows(meaning, empty, {name: each.rows for name, each in figures.items()}, given, grace)
    used = attributes.columns if empty["accounts"].has("valid_from") else empty["accounts"].fixed
    found += doubtful_attributes(attributes, set(used), given.get("accounts", ()), label=label)
    if set(empty) == {"accounts"}:
        found += _alike(attributes)
    return CheckReport.of(found, {name: figures[name].summary(table) for name, table in empty.items()})


def _look(bucket: Tables, *, grace: int | None) -> tuple[dict[str, _Figures], pd.DataFrame, RowFigures]:
    figures = {name: _Figures.of(table, bucket.observed_until) for name, table in bucket.items()}
    return figures, attribute_frame(bucket["accounts"]), RowFigures.of(bucket, grace)


def _alike(attributes: pd.DataFrame) -> Iterator[Finding]:
    """Name accounts of a flat table that are like another in every attribute."""
    numbers = [pd.factorize(values)[0] for _, values in attributes.items()]
    group = alike_accounts(np.arange(len(attributes)), numbers)
    alike = len(group) - len(np.unique(group))
    if alike:
        meaning = "kept; accounts that are alike, label included, are never on both sides of a split"
        fix = "drop them in the source if they are copies"
        yield Finding("warning", "accounts", "", alike, "accounts like another in everything but the id", meaning, fix)


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


def _leaks(
    empty: Tables, attributes: pd.DataFrame, target: Mapping[str, int] | None, label: Collection[str]
) -> Iterator[Finding]:
    frame = attributes.drop(columns=list(label), errors="ignore")
    left_out = set(frame.columns) - empty["accounts"].fixed
    if target is None:
        yield from leak_suspects(frame, left_out=left_out)
        return
    known = frame[frame.index.isin(list(target))]
    yield from leak_suspects(known, [target[account] for account in known.index], left_out=left_out)


def suspected_leaks(tables: BucketedTables, target: Mapping[str, int], label: Collection[str]) -> tuple[Finding, ...]:
    """Name the attributes that a model would see and that look as if they were made after the outcome."""
    accounts = tables.together(())["accounts"]
    seen = accounts.fixed
    found = _leaks(tables.empty, attribute_frame(accounts), target, label)
    return tuple(each for each in found if each.column in seen)


def _blanks(empty: Tables, figures: Mapping[str, _Figures]) -> Iterator[Finding]:
    """Name columns of which a part is blank."""
    for name, table in empty.items():
        rows = figures[name].rows
        for column, blank in figures[name].blanks.items():
            if not blank:
                continue
            if blank == rows:
                meaning = "features of it are missing"
                yield Finding("warning", name, column, blank, "every value is blank", meaning, "check the mapping")
            else:
                share = f"blank in {percent(blank / rows)} of the rows"
                yield Finding("note", name, column, blank, share, _meaning_of_blank(table, column))


def _meaning_of_blank(table: Table, column: str) -> str:
    """Say what a blank means: a moment that has not come yet, or a value that is not known."""
    known = table.schema.column(column)
    if known is not None and known.known_from == column and column != table.schema.times[0]:
        return "it has not happened in these rows"
    return "not recorded in these rows; nothing is filled in"


def _changing(empty: Tables, figures: Mapping[str, _Figures]) -> Iterator[Finding]:
    """Name columns that may change while their row lives, and from when they are used."""
    for name, table in empty.items():
        if name not in SCHEMAS or table.has("valid_from"):
            continue
        for column in table.schema.columns:
            if not column.mutable or not table.has(column.name) or column.name in table.fixed:
                continue
            used = "left out"
            if column.known_from and table.has(column.known_from):
                used = f"used only from `{column.known_from}`"
            fix = f"write `fixed: [{column.name}]` if it never changes while a row lives"
            if name == "subscriptions":
                fix += ", or give rows with `valid_from`"
            yield Finding("note", name, column.name, 0, "a column that may change while its row lives", used, fix)
    yield from _flags(empty, figures)


def _flags(empty: Tables, figures: Mapping[str, _Figures]) -> Iterator[Finding]:
    """Name flags that may have been set later than their row."""
    undated = empty.has("orders", "cancelled") and not empty.has("orders", "returned_at")
    if undated and "cancelled" not in empty["orders"].fixed:
        meaning = "taken as known at the order's own time; if it was set later on the same row, it is a leak"
        fix = "map `returned_at`, or write `fixed: [cancelled]` if cancellations are rows of their own"
        yield Finding("warning", "orders", "cancelled", 0, "a flag without the time at which it was set", meaning, fix)
    if empty.has("payments", "status") and not empty.has("payments", "refunded_at"):
        refunds = figures["payments"].refunds
        if refunds:
            meaning = "refunds are not used: no date says when they were made"
            yield Finding("warning", "payments", "status", refunds, "refunds without their time", meaning, "map `refunded_at`")


def _history(until: int, figures: Mapping[str, _Figures], outcome_days: int | None) -> Iterator[Finding]:
    """Say how long each table's history is, and warn when it is too short to train and to test on."""
    firsts = {name: each.first for name, each in figures.items() if name != "accounts" and each.first is not None}
    for name, first in firsts.items():
        last = min(figures[name].last or first, until - 1)
        problem = f"history of {_days(first, last + 1):,} days, {text_of(first)[:10]} to {text_of(last)[:10]}"
        yield Finding("note", name, "", 0, problem, "features look back at most this far")
        yield from late_export(name, figures[name].touched, until)
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


def _nothing_to_train_on(empty: Tables) -> Iterator[Finding]:
    """Refuse tables that hold nothing but accounts."""
    if len(empty) == 1 and not empty["accounts"].fixed:
        problem = "neither an event table nor a usable attribute"
        fix = "give one event table, or list attributes that never change under `static:`"
        yield Finding("error", "accounts", "", 0, problem, "there is nothing to train on", fix)
