"""The rows of tables in memory, and tables in buckets of accounts wherever they are.

Texts of the largest tables may be numbered (a dictionary array): `numbered` gives the numbers and words of either.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import HOUR, MISSING, comparable, earliest, end_of_day
from staypower.hashing import mix_in, numbers_of_texts
from staypower.progress import counted
from staypower.schemas import TableSchema

if TYPE_CHECKING:
    from numpy.typing import NDArray

Made = TypeVar("Made")


# numbers are summed as whole ten-thousandths, so that no sum depends on the order of rows
LARGEST_SUM = float(np.iinfo(np.int64).max) / 10_000


@dataclass(frozen=True)
class Table:
    """The rows of one canonical table.

    >>> import pyarrow as pa
    >>> from staypower.schemas import SCHEMAS
    >>> rows = pa.table({"account_id": ["a"], "at": pa.array([0], pa.timestamp("us", "UTC"))})
    >>> Table(SCHEMAS["usage"], rows, date_only=frozenset({"at"})).instants("at").tolist()
    [86399999999]
    """

    schema: TableSchema  # what the table is. A custom table brings its own
    data: pa.Table  # the rows, any order, columns under canonical names; `account_id` is never blank
    date_only: frozenset[str] = frozenset()  # time columns without a clock: their instants are the ends of their days
    # mutable columns that the user declared constant for the row's life (`static` attributes in `accounts`)
    fixed: frozenset[str] = frozenset()
    derived: bool = False  # `accounts` that were made from another table: their first row bounds their tenure from below only
    # how many rows each data rule changed: `repeated`, `future`, or `impossible COLUMN` for an end before its start
    changed: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Canonical name of the table."""
        return self.schema.name

    def __len__(self) -> int:
        return int(self.data.num_rows)

    def has(self, *columns: str) -> bool:
        """Say whether every one of these columns is present."""
        return all(column in self.data.column_names for column in columns)

    def midnights(self, column: str) -> NDArray[np.int64]:
        """Return a time column as written: a date without a clock is its midnight; `MISSING` where blank."""
        values = _in_one(self.data.column(column)).cast(pa.timestamp("us", "UTC")).cast(pa.int64())
        filled = pc.fill_null(values, MISSING) if values.null_count else values
        return np.asarray(filled.to_numpy(zero_copy_only=False), dtype=np.int64)

    def instants(self, column: str) -> NDArray[np.int64]:
        """Return a time column as instants of knowledge: a date counts from the end of its day; `MISSING` where blank."""
        written = self.midnights(column)
        return end_of_day(written) if column in self.date_only else written

    def own_instants(self) -> NDArray[np.int64]:
        """Return each row's own time: the first of the schema's time columns that is filled in."""
        there = [column for column in self.schema.times if self.has(column)]
        found = self.instants(there[0]) if there else np.full(len(self), MISSING, dtype=np.int64)
        for column in there[1:]:
            found = np.where(found == MISSING, self.instants(column), found)
        return found

    def hours_between(self, start: str, end: str) -> NDArray[np.float64]:
        """Return the hours from one time column to another, missing where either is blank or the end comes first.

        Between a date and a clock time only whole UTC days are counted, since more is not known.
        """
        days = (start in self.date_only) != (end in self.date_only)
        first, last = comparable(self.midnights(start), self.midnights(end), days=days)
        known = (first != MISSING) & (last != MISSING) & (last >= first)
        return np.where(known, (np.where(known, last, 0) - np.where(known, first, 0)) / HOUR, np.nan)

    def numbers(self, column: str) -> NDArray[np.float64]:
        """Return a number or flag column as doubles, missing as NaN."""
        values = _in_one(self.data.column(column)).cast(pa.float64())
        return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)

    def texts(self, column: str) -> NDArray[np.object_]:
        """Return a text or id column as Python strings, missing as None."""
        values = self.data.column(column)
        if pa.types.is_dictionary(values.type):
            numbers, words = numbered(values)
            return np.asarray([*words.to_pylist(), None], dtype=object)[numbers]
        return np.asarray(values.combine_chunks().to_numpy(zero_copy_only=False), dtype=object)


def numbered(column: pa.ChunkedArray | pa.Array) -> tuple[NDArray[np.int32], pa.Array]:
    """Return a text column as numbers and the words that they stand for.

    >>> numbers, words = numbered(pa.chunked_array([["b", None], ["a", "b"]]))
    >>> numbers.tolist(), words.to_pylist()
    ([0, -1, 1, 0], ['b', 'a'])
    """
    encoded = column if pa.types.is_dictionary(column.type) else column.cast(pa.string()).dictionary_encode()
    whole = _in_one(encoded)
    indices = whole.indices.fill_null(-1) if whole.null_count else whole.indices
    return np.asarray(indices.to_numpy(zero_copy_only=False), dtype=np.int32), whole.dictionary.cast(pa.string())


def _in_one(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return a column as one array, without copying where it is one already."""
    if isinstance(column, pa.ChunkedArray):
        return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return column


def is_return(orders: Table) -> NDArray[np.bool_]:
    """Say which rows of `orders` are returns by themselves, at their own time, and so never activity.

    A row of negative quantity is one. A row declared `cancelled` is one where cancellations are rows of their own: when the
    column is `fixed`, or when the table has no `returned_at`. Otherwise the flag was set later on the order's own row,
    and only `returned_at` says from when.

    >>> from staypower.schemas import SCHEMAS
    >>> rows = pa.table({"account_id": ["a", "b"], "cancelled": [True, False]})
    >>> is_return(Table(SCHEMAS["orders"], rows)).tolist()
    [True, False]
    """
    found = np.zeros(len(orders), dtype=np.bool_)
    if orders.has("cancelled") and ("cancelled" in orders.fixed or not orders.has("returned_at")):
        found |= orders.numbers("cancelled") == 1.0
    if orders.has("quantity"):
        found |= orders.numbers("quantity") < 0.0
    return found


class BucketedTables(ABC):
    """The tables of one company in buckets of accounts: one bucket in memory, or several on disk or on a cluster.

    All rows of an account are in one bucket, and what a bucket holds does not depend on how many there are.
    """

    observed_until: int  # instant (exclusive) until which the data were observed

    @property
    @abstractmethod
    def buckets(self) -> tuple[int, ...]:
        """Numbers of the buckets that hold accounts."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of the tables that were given."""

    @property
    @abstractmethod
    def empty(self) -> Tables:
        """The tables without their rows: which columns there are, and what is known about them."""

    @abstractmethod
    def bucket(self, number: int, only: Collection[str] | None = None) -> Tables:
        """Read one bucket; `only` names the tables that are needed besides `accounts`."""

    @abstractmethod
    def row_count(self, name: str) -> int:
        """Return how many rows of a table count."""

    @abstractmethod
    def first_instant(self, name: str) -> int | None:
        """Return the instant of the earliest row of a table."""

    @property
    def whole(self) -> Tables | None:
        """All tables at once, where they are in memory."""
        return None

    @property
    def first(self) -> int | None:
        """Instant of the earliest row of all tables."""
        return min((first for first in map(self.first_instant, self.names) if first is not None), default=None)

    @property
    def account_ids(self) -> list[str]:
        """Every account once, sorted."""
        return sorted(account for ids in self.each(_ids_of, only=()) for account in ids)

    def of_accounts(self, accounts: Collection[str]) -> BucketedTables:
        """Return the buckets that these accounts would be in."""
        return self

    def together(self, only: Collection[str] | None = None) -> Tables:
        """Combine the rows of all buckets; `only` names the tables that are needed besides `accounts`."""
        return put_together([self.bucket(number, only) for number in self.buckets])

    def rows_of(self, accounts: Collection[str]) -> Tables:
        """Combine the rows of some accounts."""
        within = self.of_accounts(accounts)
        return put_together([within.bucket(number).only_accounts(accounts) for number in within.buckets] or [self.empty])

    def each(self, function: Callable[[Tables], Made], only: Collection[str] | None = None) -> Iterator[Made]:
        """Run a function on every bucket and give what it makes, in any order."""
        return counted((function(self.bucket(number, only)) for number in self.buckets), len(self.buckets))


@dataclass(frozen=True)
class Tables(Mapping[str, Table], BucketedTables):
    """The tables of one company in memory, by canonical or declared name: the case of one bucket.

    Parameters
    ----------
    tables : mapping of str to Table
        `accounts` is always among them.
    observed_until : int
        Instant (exclusive) until which the data were observed; never the machine's clock.

    Examples
    --------
    >>> Tables({}, 0).observed_until
    0
    """

    tables: Mapping[str, Table]
    observed_until: int

    def __getitem__(self, name: str) -> Table:
        return self.tables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)

    def has(self, name: str, *columns: str) -> bool:
        """Say whether a table is there and has every one of these columns."""
        return name in self.tables and self.tables[name].has(*columns)

    def only_accounts(self, accounts: Collection[str]) -> Tables:
        """Return the rows of some accounts."""
        wanted = pa.array(list(accounts), pa.string())

        def own(table: Table) -> Table:
            return replace(table, data=table.data.filter(pc.is_in(table.data["account_id"].cast(pa.string()), wanted)))

        return replace(self, tables={name: own(table) for name, table in self.items()})

    @property
    def buckets(self) -> tuple[int, ...]:
        """The number of the one bucket."""
        return (0,)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tables."""
        return tuple(self.tables)

    @property
    def empty(self) -> Tables:
        """The tables without their rows."""
        return replace(self, tables={name: replace(table, data=table.data.slice(0, 0)) for name, table in self.items()})

    @property
    def whole(self) -> Tables:
        """The tables themselves."""
        return self

    def bucket(self, number: int, only: Collection[str] | None = None) -> Tables:
        """Return the tables themselves."""
        return self

    def row_count(self, name: str) -> int:
        """Return the number of rows of a table."""
        return len(self[name])

    def first_instant(self, name: str) -> int | None:
        """Return the instant of the earliest row of a table."""
        first = earliest([self[name].own_instants()])
        return None if first == MISSING else first


def _ids_of(tables: Tables) -> list[str]:
    return sorted(pc.unique(tables["accounts"].data.column("account_id")).to_pylist())


def put_together(parts: Sequence[Tables]) -> Tables:
    """Combine the rows of several buckets."""
    first = parts[0]
    if len(parts) == 1:
        return first
    tables = {
        name: replace(
            table,
            data=pa.concat_tables([part[name].data for part in parts]),
            changed=dict(sum((Counter(part[name].changed) for part in parts), Counter())),
        )
        for name, table in first.items()
    }
    return replace(first, tables=tables)


def fingerprint(tables: BucketedTables) -> str:
    """Hash the content of every table; neither the order of its rows matters nor in which bucket they are.

    >>> len(fingerprint(Tables({}, 0)))
    64
    """
    digest = hashlib.sha256(f"observed_until {tables.observed_until}".encode())
    empty, counts, blank = tables.empty, Counter[str](), set[tuple[str, str]]()
    for rows, missing in tables.each(_rows_of):
        counts.update(rows)
        blank |= missing
    sums: dict[str, NDArray[np.int64]] = {}
    for each in tables.each(partial(_sums_of, blank=frozenset(blank))):
        sums = {name: each[name] + sums[name] if name in sums else each[name] for name in each}
    for name in sorted(empty):
        table = empty[name]
        kinds = [(column, str(_plain(table.data.column(column).type))) for column in sorted(table.data.column_names)]
        facts = (table.name, counts[name], sorted(table.date_only), sorted(table.fixed), table.derived, kinds)
        digest.update(hashlib.sha256(repr((facts, sums[name].tolist())).encode()).digest())
    return digest.hexdigest()


def _rows_of(tables: Tables) -> tuple[dict[str, int], set[tuple[str, str]]]:
    """Count the rows of each table, and name the columns with a blank."""
    blank = {
        (name, column)
        for name, table in tables.items()
        for column in table.data.column_names
        if table.data.column(column).null_count
    }
    return {name: len(table) for name, table in tables.items()}, blank


def _sums_of(tables: Tables, blank: Collection[tuple[str, str]]) -> dict[str, NDArray[np.int64]]:
    """Make two numbers of each row, and add up those of each table: the same in any order; a sum may wrap around."""
    found = {}
    for name, table in tables.items():
        rows = [np.full(len(table), seed, dtype=np.int64) for seed in (0, 1)]
        for column in sorted(table.data.column_names):
            for values in _numbers_of(table.data.column(column), blank=(name, column) in blank):
                for row in rows:
                    mix_in(row, values)
        found[name] = np.array([row.sum() for row in rows], dtype=np.int64)
    return found


def _plain(stored: pa.DataType) -> pa.DataType:
    return stored.value_type if pa.types.is_dictionary(stored) else stored


def _numbers_of(column: pa.ChunkedArray, *, blank: bool) -> Iterator[NDArray[np.int64]]:
    """Give the values of a column as whole numbers, equal ones for equal values; where any is `blank`, which of them are."""
    plain = _plain(column.type)
    if pa.types.is_dictionary(column.type):
        numbers, words = numbered(column)
        yield np.append(numbers_of_texts(pa.chunked_array([words])), -1)[numbers]
    elif pa.types.is_string(plain) or pa.types.is_large_string(plain):
        yield numbers_of_texts(column)
    else:
        whole = _in_one(column)
        numbers = whole.cast(pa.int64()) if not pa.types.is_floating(plain) else whole.cast(pa.float64())
        if numbers.null_count:
            numbers = pc.fill_null(numbers, 0)
        yield np.ascontiguousarray(numbers.to_numpy(zero_copy_only=False)).view(np.int64)
    if blank:
        yield np.asarray(column.is_null().to_numpy(), dtype=np.int64)
