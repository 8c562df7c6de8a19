"""What a bundle keeps of the data that its model was trained on, so that later data can be compared with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from staypower.checking.rhythm import A_WEEK, TIMES_LONGER, days_late, longest_silence
from staypower.cutoffs import DAY
from staypower.errors import readable
from staypower.gate.counting import LATEST, YEAR, Marks, TableCounts, ValueCounts
from staypower.labels.churn import find_customers
from staypower.sources.rules import IMPOSSIBLE, REPEATED
from staypower.tables import BucketedTables, Tables

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from staypower.labels.settings import LabelSettings

__all__ = ["GATE", "DataFacts", "TableFacts", "find_facts", "find_missing"]

Counts = TypeVar("Counts", ValueCounts, TableCounts)

GATE = "gate"  # in a bundle's learned definitions
_WEEKS = 13  # windows of four weeks
_FEWEST_CUSTOMERS = 10
_CUTOFFS = 12  # the latest of training, for the missing values of features


@dataclass(frozen=True)
class TableFacts:
    """One table in training."""

    rows: int
    silence: int | None  # the longest stretch of days without a row; None where too few days have rows
    rates: tuple[float, float] | None  # fewest and most rows per customer and day in four weeks of the last year
    repeated: float  # share of the rows of the last year
    changed: Mapping[str, float] = field(default_factory=dict)  # share of the rows that each data rule changed
    blank: Mapping[str, float] = field(default_factory=dict)  # share of the rows of the last year, by column
    numbers: Mapping[str, list[float]] = field(default_factory=dict)  # shares of the values between the ends of `marks`
    marks: Marks = field(default_factory=Marks)


@dataclass(frozen=True)
class DataFacts:
    """The tables and features of a training.

    >>> DataFacts.of({}) is None
    True
    """

    observed_until: int  # instant
    customers: int  # at the end of the training data
    tables: Mapping[str, TableFacts]
    features: Mapping[str, float]  # the largest share of missing values at any of the latest training cutoffs

    @classmethod
    def of(cls, learned: Mapping[str, Any]) -> DataFacts | None:
        """Read what a bundle keeps; None for bundles that were sealed before it was kept."""
        values = learned.get(GATE)
        if not values:
            return None
        with readable("learned.json: gate"):
            tables = {
                str(name): TableFacts(
                    **{**entry, "rates": entry["rates"] and tuple(entry["rates"]), "marks": Marks(**entry["marks"])}
                )
                for name, entry in values["tables"].items()
            }
            return cls(int(values["observed_until"]), int(values["customers"]), tables, dict(values["features"]))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a bundle."""
        return asdict(self)


def find_facts(tables: BucketedTables, label: LabelSettings, features: Mapping[str, float]) -> DataFacts:
    """Describe the tables that a model was trained on."""
    until = tables.observed_until
    ends = until - np.arange(_WEEKS, dtype=np.int64)[::-1] * (LATEST * DAY)
    customers, values = np.zeros(_WEEKS, dtype=np.int64), dict[str, ValueCounts]()
    for active, counted in tables.each(partial(_values_of, label=label, until=until, ends=ends)):
        customers += active
        values = _added(values, counted)
    marks = {name: values[name].marks() for name in tables.empty}
    counts = dict[str, TableCounts]()
    for each in tables.each(partial(_counts_of, until=until, marks=marks)):
        counts = _added(counts, each)
    found = {name: _table_facts(name, counts[name], marks[name], until, customers) for name in marks}
    return DataFacts(until, int(customers[-1]), found, dict(features))


def _values_of(
    tables: Tables, label: LabelSettings, until: int, ends: NDArray[np.int64]
) -> tuple[NDArray[np.int64], dict[str, ValueCounts]]:
    """Count the customers of a bucket at some instants, and the values of its tables."""
    active = find_customers(tables, label, ends).active.sum(axis=0)
    return active, {name: ValueCounts.of(table, until) for name, table in tables.items()}


def _counts_of(tables: Tables, until: int, marks: Mapping[str, Marks]) -> dict[str, TableCounts]:
    return {name: TableCounts.of(table, until, marks[name], windows=(YEAR,)) for name, table in tables.items()}


def _added(some: Mapping[str, Counts], more: Mapping[str, Counts]) -> dict[str, Counts]:
    return {name: some[name] + each if name in some else each for name, each in more.items()}


def _table_facts(name: str, counts: TableCounts, marks: Marks, until: int, customers: NDArray[np.int64]) -> TableFacts:
    year = counts.windows[YEAR]
    rows = max(year.rows, 1)
    return TableFacts(
        rows=counts.rows,
        # accounts sign up as sales go: no export is late because nobody did
        silence=None if name == "accounts" else _silence(counts.touched, until),
        rates=None if name == "accounts" else _rates(counts.days, until, customers),
        repeated=year.repeated / rows,
        changed=changed_shares(counts),
        blank={column: blank / rows for column, blank in year.blank.items()},
        numbers={column: (each / each.sum()).tolist() for column, each in year.numbers.items() if each.sum()},
        marks=marks,
    )


def changed_shares(counts: TableCounts) -> dict[str, float]:
    """Return the share of rows that repeat an id, and of ends that came before their start."""
    found = {REPEATED: counts.changed[REPEATED] / max(counts.rows + counts.changed[REPEATED], 1)}
    for end, ended in counts.ended.items():
        wrong = counts.changed[f"{IMPOSSIBLE}{end}"]
        found[f"{IMPOSSIBLE}{end}"] = wrong / max(ended + wrong, 1)
    return found


def _silence(touched: frozenset[int], until: int) -> int | None:
    """Return a table's longest silence; None where it had been silent for longer when training ended."""
    longest = longest_silence(touched)
    return None if longest is None or days_late(touched, until) > max(A_WEEK, TIMES_LONGER * longest) else longest


def _rates(rows: Mapping[int, int], until: int, customers: NDArray[np.int64]) -> tuple[float, float] | None:
    """Return the fewest and the most rows per customer and day in four weeks, of the windows since the first row."""
    if not rows:
        return None
    last, first = (until - 1) // DAY, min(rows)
    days = np.fromiter(rows, dtype=np.int64)
    counts = np.array([rows[int(day)] for day in days])
    found = []
    for back, there in enumerate(customers[::-1].tolist()):
        end = last - back * LATEST
        if end - LATEST + 1 < first or there < _FEWEST_CUSTOMERS:
            break
        found.append(float(counts[(days > end - LATEST) & (days <= end)].sum()) / (LATEST * there))
    return (min(found), max(found)) if found else None


def find_missing(X: pd.DataFrame, cutoffs: Iterable[int]) -> dict[str, float]:
    """Return the largest share of missing values that each feature has at any of the latest cutoffs."""
    at = np.asarray(list(cutoffs), dtype=np.int64)
    latest = np.unique(at)[-_CUTOFFS:]
    missing = np.isnan(X.to_numpy(dtype=np.float64, na_value=np.nan))
    most = np.max([missing[at == cutoff].mean(axis=0) for cutoff in latest], axis=0)
    return dict(zip(map(str, X.columns), most.tolist(), strict=True))
