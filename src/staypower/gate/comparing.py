"""Compare the data that are scored with those of training, and name every breach of a limit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from staypower.checking.rhythm import A_WEEK, days_late
from staypower.cutoffs import DAY, before, midnight_after, text_of
from staypower.gate.counting import LATEST, QUARTER, RECENT, Marks, TableCounts, WindowCounts
from staypower.gate.facts import DataFacts, TableFacts, changed_shares
from staypower.gate.report import Breach, GateReport
from staypower.gate.settings import GateSettings
from staypower.labels.churn import find_customers
from staypower.results.numbers import count, decimal, percent, plural, short
from staypower.sources.rules import FUTURE, IMPOSSIBLE, REPEATED

if TYPE_CHECKING:
    from staypower.labels.settings import LabelSettings
    from staypower.tables import BucketedTables, Tables

__all__ = ["FeatureCounts", "compare_data", "compare_features"]

# fewer rows say nothing about a share, and chance moves a share of n rows by at most three times sqrt(1/4n)
_FEWEST, _DEVIATIONS = 20, 3
_NAMED = 5
# with n values chance alone moves a cumulative share by more than 1.63 / sqrt(n) once in a hundred times
_KOLMOGOROV = 1.63


@dataclass(frozen=True)
class FeatureCounts:
    """How many scored accounts lack a value of each feature; the counts of several buckets add up."""

    rows: int = 0
    missing: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: FeatureCounts) -> FeatureCounts:
        names = {**self.missing, **other.missing}
        return FeatureCounts(
            self.rows + other.rows, {name: self.missing.get(name, 0) + other.missing.get(name, 0) for name in names}
        )


@dataclass(frozen=True)
class _Look:
    """Counts the tables of one bucket; a plain value that may travel to a cluster."""

    marks: Mapping[str, Marks]
    label: LabelSettings
    at: int

    def __call__(self, tables: Tables) -> tuple[int, dict[str, TableCounts]]:
        counted = {
            name: TableCounts.of(tables[name], self.at, marks, RECENT) for name, marks in self.marks.items() if name in tables
        }
        customers = find_customers(tables, self.label, np.array([self.at], dtype=np.int64)).active.sum()
        return int(customers), counted


def compare_data(
    tables: BucketedTables, facts: DataFacts | None, label: LabelSettings, limits: GateSettings, *, cutoff: int
) -> GateReport:
    """Compare tables, as they are known at a cutoff, with those of training."""
    if facts is None:
        return GateReport(cutoff, known=False)
    if before(np.array([cutoff]), facts.observed_until).all():
        until = text_of(midnight_after(facts.observed_until))
        return GateReport(cutoff, notes=(f"data not compared with those of training, which go on until {until}",))
    look = _Look({name: each.marks for name, each in facts.tables.items()}, label, cutoff)
    customers, counted = 0, dict[str, TableCounts]()
    for there, counts in tables.each(look):
        customers += there
        counted = {name: counts[name] + counted[name] if name in counted else counts[name] for name in counts}
    breaches: list[Breach] = []
    notes: list[str] = []
    for name, now in counted.items():
        breaches += _of_table(name, facts.tables[name], now, limits, cutoff=cutoff, customers=customers)
        future = now.changed[FUTURE]
        if future:
            last = text_of(midnight_after(tables.observed_until) - DAY)
            notes.append(f"{plural(future, 'row')} of {name} dated after {last}, the end of the observed data: set aside")
    return GateReport(cutoff, tuple(breaches), tuple(notes))


def _of_table(
    name: str, then: TableFacts, now: TableCounts, limits: GateSettings, *, cutoff: int, customers: int
) -> Iterator[Breach]:
    silent = list(_silence(name, then, now, limits, cutoff))
    yield from silent or _rate(name, then, now, limits, customers)
    yield from _changed(name, then, now, limits)
    latest = now.windows[LATEST] if now.windows[LATEST].rows >= _FEWEST else now.windows[QUARTER]
    if latest.rows < _FEWEST:
        return
    yield from _repeats(name, then, latest, limits)
    yield from _blanks(name, then, latest, limits)
    for column in then.marks.words:
        yield from _unseen(name, column, now, limits)
    for column in then.numbers:
        yield from _shifted(name, column, then, now, limits)


def _chance(rows: int) -> float:
    """Return what chance alone adds to the share of so many rows, at the most."""
    return _DEVIATIONS * sqrt(0.25 / max(rows, 1))


def _silence(name: str, then: TableFacts, now: TableCounts, limits: GateSettings, cutoff: int) -> Iterator[Breach]:
    if then.silence is None:
        return
    last = max(now.touched, default=None)
    days = None if last is None else days_late(now.touched, cutoff)
    most = max(A_WEEK, round(limits.silence * then.silence))
    if days is None or days > most:
        when = "it has no row" if last is None else f"its last row is of {text_of(last * DAY)}"
        problem = f"ends {plural(days, 'day')} before the cutoff" if days is not None else "has no rows before the cutoff"
        value = f"{when}, the cutoff {text_of(cutoff)}"
        limit = f"{plural(most, 'day')} (longest silence in training: {plural(then.silence, 'day')})"
        yield Breach(name, "", problem, value, limit, "export the table to the end of the observed data", "silence")


def _rate(name: str, then: TableFacts, now: TableCounts, limits: GateSettings, customers: int) -> Iterator[Breach]:
    if then.rates is None or not customers:
        return
    low, high = (rate * LATEST * customers for rate in then.rates)
    rows = now.windows[LATEST].rows
    least, most = low / limits.rate - _DEVIATIONS * sqrt(low), high * limits.rate + _DEVIATIONS * sqrt(high)
    if max(rows, low) < _FEWEST or least <= rows <= most:
        return
    few = rows < least
    problem = f"{'fewer' if few else 'more'} rows than in training"
    value = f"{count(rows)} in {LATEST} days for {plural(customers, 'customer')}"
    limit = f"{'at least' if few else 'at most'} {count(least if few else most)}"
    fix = "look for a part of the export that is missing" if few else "look for rows that were loaded twice"
    yield Breach(name, "", problem, value, limit, fix, "rate")


def _changed(name: str, then: TableFacts, now: TableCounts, limits: GateSettings) -> Iterator[Breach]:
    for rule, share in changed_shares(now).items():
        trained = then.changed.get(rule, 0.0)
        if rule == REPEATED and share > trained + limits.repeated:
            yield _repeated(name, trained, limits.repeated, f"{percent(share)} of the rows have an id that was there before")
        elif rule != REPEATED and share > trained + limits.impossible and now.changed[rule] > 1:
            end = rule.removeprefix(IMPOSSIBLE)
            value = f"{percent(share)} of the ends, {percent(trained)} in training"
            limit = percent(trained + limits.impossible)
            fix = f"look whether start and `{end}` were exchanged or changed their form"
            yield Breach(name, end, f"`{end}` lies before its start", value, limit, fix, "impossible")


def _repeats(name: str, then: TableFacts, now: WindowCounts, limits: GateSettings) -> Iterator[Breach]:
    share = now.repeated / now.rows
    if share > then.repeated + limits.repeated + _chance(now.rows) * sqrt(then.repeated):
        said = f"{percent(share)} of the latest rows are equal to another in every column"
        yield _repeated(name, then.repeated, limits.repeated, said)


def _repeated(name: str, trained: float, more: float, said: str) -> Breach:
    value = f"{said}, {percent(trained)} in training"
    return Breach(name, "", "rows are repeated", value, percent(trained + more), "load each row once", "repeated")


def _blanks(name: str, then: TableFacts, now: WindowCounts, limits: GateSettings) -> Iterator[Breach]:
    for column, trained in then.blank.items():
        share, most = now.blank[column] / now.rows, trained + limits.missing
        if share > most + _chance(now.rows):
            value = f"blank in {percent(share)} of the latest rows, {percent(trained)} in training"
            fix = "look whether the column was renamed"
            yield Breach(name, column, "values are missing", value, percent(most), fix, "missing")


def _unseen(name: str, column: str, now: TableCounts, limits: GateSettings) -> Iterator[Breach]:
    found = next((each for each in now.windows.values() if each.worded[column] >= _FEWEST), None)
    if found is None:
        return
    share = found.unseen[column] / found.worded[column]
    if share > limits.unseen + _chance(found.worded[column]) * sqrt(limits.unseen):
        value = f"{percent(share)} of the latest rows have a word that training did not know"
        fix = "map the new words to the old ones with `case`, or train again"
        yield Breach(name, column, "categories are unseen", value, percent(limits.unseen), fix, "unseen")


def _shifted(name: str, column: str, then: TableFacts, now: TableCounts, limits: GateSettings) -> Iterator[Breach]:
    trained = np.cumsum(then.numbers[column])
    for days, window in now.windows.items():
        values = window.numbers.get(column)
        total = 0 if values is None else int(values.sum())
        if values is None or total < _FEWEST:
            continue
        distance = float(np.abs(np.cumsum(values) / total - trained).max())
        if distance > limits.shift + _KOLMOGOROV / sqrt(total):
            value = f"{decimal(distance, 2)} from training over the last {plural(days, 'day')} ({plural(total, 'value')})"
            fix = "look for another scale or unit since a day, and map old and new onto one"
            yield Breach(name, column, "values are on another scale", value, short(limits.shift), fix, "shift")
            return


def compare_features(
    report: GateReport, facts: DataFacts | None, counts: FeatureCounts, tables: Mapping[str, str], limits: GateSettings
) -> GateReport:
    """Add a breach for each table of which features lack values; `tables` names the table of each feature."""
    if facts is None or counts.rows < _FEWEST:
        return report
    found: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
    for name, trained in facts.features.items():
        share = counts.missing.get(name, 0) / counts.rows
        if share > trained + limits.missing + _chance(counts.rows):
            found[tables.get(name, "")].append((share, trained, name))
    breaches = []
    for table, each in found.items():
        share, trained, worst = max(each)
        more = f" and {len(each) - _NAMED} more" if len(each) > _NAMED else ""
        value = f"{worst}: {percent(share)} of the accounts, {percent(trained)} in training"
        problem = f"values of {plural(len(each), 'feature')} are missing ({', '.join(n for *_, n in each[:_NAMED])}{more})"
        fix = "look what stopped arriving in the table"
        breaches.append(Breach(table, "", problem, value, percent(trained + limits.missing), fix, "missing"))
    return report.with_breaches(breaches)
