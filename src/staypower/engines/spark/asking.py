"""What the data rules ask of all rows, counted in every bucket: a few figures of each come to the driver."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import DAY
from staypower.engines.spark.files import ORDER
from staypower.schemas import SCHEMAS
from staypower.sources.disk_tables import StoredTable
from staypower.sources.findings import MOSTLY, Counted, Finding, add_up
from staypower.sources.resolving import Moment, end_of_observation
from staypower.sources.rules import no_rows_left, unknown_accounts

if TYPE_CHECKING:
    from numpy.typing import NDArray

Parts = Mapping[int, pa.Table]


@dataclass(frozen=True)
class SourceCounts:
    """What is counted of the rows of a source; the counts of several buckets add up.

    >>> one = SourceCounts(rows=3, last=5, days=Counter({0: 3}))
    >>> (one + SourceCounts(rows=1, unknown=2, days=Counter({0: 1}))).days
    Counter({0: 4})
    """

    rows: int = 0  # of known accounts
    unknown: int = 0  # rows of unknown ones
    strangers: int = 0  # how many these are
    arrived: int | None = None  # the last arrival
    last: int | None = None  # the last own instant among the rows that are written at or before a limit
    days: Counter[int] = field(default_factory=Counter)  # these rows by day

    def __add__(self, other: SourceCounts) -> SourceCounts:
        return SourceCounts(
            self.rows + other.rows,
            self.unknown + other.unknown,
            self.strangers + other.strangers,
            _later(self.arrived, other.arrived),
            _later(self.last, other.last),
            self.days + other.days,
        )


def _later(one: int | None, other: int | None) -> int | None:
    return max((each for each in (one, other) if each is not None), default=None)


@dataclass(frozen=True)
class RowsOfSources:
    """The sources of all tables by their numbers, and what their rows say of themselves; a plain value that may travel."""

    listed: Mapping[str, StoredTable]
    tags: tuple[str, ...]  # the name that `StoredSource.folder` has, by number

    def numbers(self, name: str) -> list[int]:
        """Return the numbers of a table's sources."""
        return [self.tags.index(source.folder) for source in self.listed[name].sources]

    def table_of(self, number: int) -> StoredTable:
        """Return the table that a source is of."""
        return next(each for each in self.listed.values() if any(one.folder == self.tags[number] for one in each.sources))

    def key(self, number: int) -> str | None:
        """Return the column of a source whose value no two rows of its table share."""
        table = self.table_of(number)
        key = SCHEMAS[table.name].row_id if table.name in SCHEMAS else None
        source = next(one for one in table.sources if one.folder == self.tags[number])
        return key if key in source.kinds else None

    def ids(self, number: int, rows: pa.Table) -> pa.Table:
        """Return the ids of a source's rows, the version that each tells, since when it is known, and the place of its row."""
        table, key = self.table_of(number), self.key(number)
        told = SCHEMAS[table.name].version or ""
        rows = rows.filter(pc.is_valid(rows.column(key)))
        since = pc.max_element_wise(self._own(table, rows), self._instant(table, rows, "known_at"))
        version = self._instant(table, rows, told, written=True)
        return pa.table({"id": rows.column(key), "version": version, "since": since, ORDER: rows.column(ORDER)})

    def counting(self, number: int, rows: pa.Table) -> pa.Table:
        """Keep the rows that can ever count: those with an account, a time and an arrival."""
        table = self.table_of(number)
        needed = pc.is_valid(rows.column("account_id"))
        if table.name != "accounts":
            needed = pc.and_(needed, pc.is_valid(self._own(table, rows)))
            if "known_at" in table.columns:
                needed = pc.and_(needed, pc.is_valid(self._instant(table, rows, "known_at")))
        return rows.filter(needed)

    def known(self, parts: Parts) -> dict[int, NDArray[np.bool_]]:
        """Say which rows of a bucket are of known accounts."""
        if "accounts" not in self.listed:
            return {number: np.ones(rows.num_rows, dtype=np.bool_) for number, rows in parts.items()}
        ids = [parts[number].column("account_id") for number in self.numbers("accounts") if number in parts]
        known = pc.unique(pa.chunked_array([chunk for column in ids for chunk in column.chunks], pa.string()))
        return {number: np.asarray(pc.is_in(rows.column("account_id"), value_set=known)) for number, rows in parts.items()}

    def counts(self, parts: Parts, limit: int | None) -> dict[int, SourceCounts]:
        """Count the rows of a bucket."""
        found = {}
        for number, known in self.known(parts).items():
            table, rows = self.table_of(number), parts[number]
            mine, others = rows.filter(pa.array(known)), rows.filter(pa.array(~known))
            own = self._own(table, mine)
            if limit is not None:
                own = own.filter(pc.fill_null(pc.less_equal(self._own(table, mine, written=True), limit), False))
            days, counts = np.unique(np.asarray(own.drop_null()) // DAY, return_counts=True)
            found[number] = SourceCounts(
                mine.num_rows,
                others.num_rows,
                len(pc.unique(others.column("account_id"))),
                pc.max(self._instant(table, mine, "known_at")).as_py(),
                pc.max(own).as_py(),
                Counter(dict(zip(days.tolist(), counts.tolist(), strict=True))),
            )
        return found

    def _own(self, table: StoredTable, rows: pa.Table, *, written: bool = False) -> pa.ChunkedArray:
        """Return when each row happened, or was written to have happened: the first of its times that is filled in."""
        nothing = pa.chunked_array([pa.nulls(rows.num_rows, pa.int64())])
        times = [self._instant(table, rows, name, written=written) for name in table.times]
        return pc.coalesce(*times, nothing)

    def _instant(self, table: StoredTable, rows: pa.Table, name: str, *, written: bool = False) -> pa.ChunkedArray:
        if name not in rows.column_names:
            return pa.chunked_array([pa.nulls(rows.num_rows, pa.int64())])
        instants = rows.column(name).cast(pa.timestamp("us", "UTC")).cast(pa.int64())
        date_only = any(name in source.date_only for source in table.sources)
        return pc.add(instants, DAY - 1) if date_only and not written else instants


@dataclass(frozen=True)
class Questions:
    """What is asked of the rows of all tables."""

    sources: RowsOfSources
    ask: Callable[[int | None], dict[int, SourceCounts]]  # counts the rows of every source up to a limit

    def findings(self) -> tuple[Finding, ...]:
        """Say which tables hold nothing, or mostly rows of accounts that are not there."""
        found: list[Counted] = []
        for name in (name for name in self.sources.listed if name != "accounts"):
            counts = self.of(name, None)
            if counts.unknown > MOSTLY * (counts.rows + counts.unknown):
                found.append(unknown_accounts(name, counts.unknown, counts.rows + counts.unknown, counts.strangers))
            if not counts.rows:
                found.append(no_rows_left(name))
        return add_up(found)

    def until(self, given: Moment | None) -> int:
        """Say until when the data were observed."""
        listed = self.sources.listed
        events: dict[str, Any] = {name: _Asked(self, table) for name, table in listed.items() if name != "accounts"}
        accounts: Any = _Asked(self, listed["accounts"]) if "accounts" in listed else None
        return end_of_observation(events, accounts, given, None)

    def of(self, name: str, limit: int | None) -> SourceCounts:
        """Return the counts of a table."""
        if limit not in self.answers:
            self.answers[limit] = self.ask(limit)
        found = self.answers[limit]
        return sum((found[number] for number in self.sources.numbers(name) if number in found), SourceCounts())

    @cached_property
    def answers(self) -> dict[int | None, dict[int, SourceCounts]]:
        """What was asked for already, by limit."""
        return {}


@dataclass(frozen=True)
class _Asked:
    """What is asked of one table, as the tables on disk are asked."""

    questions: Questions
    table: StoredTable

    @property
    def has_rows(self) -> bool:
        return self.questions.of(self.table.name, None).rows > 0

    def times(self) -> list[str]:
        return self.table.times

    def latest_arrival(self) -> int | None:
        return self.questions.of(self.table.name, None).arrived

    def latest(self, limit: int | None) -> int | None:
        return self.questions.of(self.table.name, limit).last

    def by_day(self, limit: int | None) -> dict[int, int]:
        return dict(self.questions.of(self.table.name, limit).days)
