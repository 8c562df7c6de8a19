"""A table on its way from its sources to its canonical form, and how its rows get their account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import MISSING, comparable, end_of_day
from staypower.schemas import SCHEMAS, Column, Kind, TableSchema, with_own_columns
from staypower.sources.extracting import ARROW_TYPES, Extract
from staypower.sources.findings import Counted, Finding, Severity
from staypower.sources.settings import JoinKey
from staypower.tables import Table, numbered

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass
class Draft:
    """A table while the data rules are applied to it."""

    table: Table  # the rows as they are now
    findings: list[Counted] = field(default_factory=list)  # what was found so far
    repeated: NDArray[np.bool_] | None = None  # rows whose id was there before, where that was asked of all rows

    @property
    def name(self) -> str:
        """Canonical or declared name."""
        return self.table.name

    def find(
        self,
        severity: Severity,
        column: str,
        rows: int,
        problem: str,
        meaning: str,
        fix: str = "",
        examples: Sequence[str] = (),
        *,
        accounts: int = 0,
        total: int = 0,
    ) -> None:
        """Record a finding about this table."""
        found = Finding(severity, self.name, column, rows, problem, meaning, fix, tuple(examples))
        self.findings.append(Counted(found, total, accounts))

    def count(self, rule: str, rows: int) -> None:
        """Count the rows that a rule changed, with the table."""
        if rows:
            self.table = replace(self.table, changed={**self.table.changed, rule: self.table.changed.get(rule, 0) + rows})

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Keep only these rows."""
        if not rows.all():
            if self.repeated is not None:
                self.repeated = self.repeated[rows]
            self.table = replace(self.table, data=self.table.data.filter(pa.array(rows)))

    def put(self, column: str, values: pa.Array | pa.ChunkedArray) -> None:
        """Replace a column, or add it."""
        data = self.table.data
        if column in data.column_names:
            data = data.set_column(data.column_names.index(column), column, values)
        else:
            data = data.append_column(column, values)
        self.table = replace(self.table, data=data)

    def clear(self, column: str, rows: NDArray[np.bool_]) -> None:
        """Make a column missing in these rows."""
        values = self.table.data.column(column).combine_chunks()
        self.put(column, pa.compute.if_else(pa.array(rows), pa.scalar(None, values.type), values))

    def shown(self, column: str, rows: NDArray[np.bool_], count: int = 3) -> tuple[str, ...]:
        """Write the first few values of a column in these rows."""
        first = np.flatnonzero(rows)[:count]
        return tuple(_written(value) for value in self.table.data.column(column).take(pa.array(first)).to_pylist())


def _written(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def assemble(name: str, extracts: Sequence[Extract], own_time: str = "at") -> Draft:
    """Combine the extracts of a table's sources."""
    kinds = _common_kinds(extracts)
    date_only = _common_date_only(extracts, [column for column, kind in kinds.items() if kind == "time"])
    parts = [_aligned(extract, kinds, date_only, alone=len(extracts) == 1) for extract in extracts]
    usable = frozenset().union(*(extract.usable for extract in extracts))
    schema = SCHEMAS.get(name) or _declared_schema(name, kinds, own_time)
    if name in SCHEMAS and name != "accounts":
        schema = with_own_columns(schema, kinds, usable)
    table = Table(schema, pa.concat_tables(parts), date_only=date_only, fixed=usable & set(kinds))
    return Draft(table, [finding for extract in extracts for finding in extract.findings], _repeated(extracts))


def _repeated(extracts: Sequence[Extract]) -> NDArray[np.bool_] | None:
    if all(extract.repeated is None for extract in extracts):
        return None
    marks = [np.zeros(len(e.data), dtype=np.bool_) if e.repeated is None else e.repeated for e in extracts]
    return np.concatenate(marks)


def _common_kinds(extracts: Sequence[Extract]) -> dict[str, Kind]:
    kinds: dict[str, Kind] = {}
    for extract in extracts:
        for column, kind in extract.kinds.items():
            kinds[column] = kind if kinds.get(column, kind) == kind else "text"
    return kinds


def _common_date_only(extracts: Sequence[Extract], times: Sequence[str]) -> frozenset[str]:
    """Name the time columns that have no clock in any source that fills them."""
    found = set()
    for column in times:
        filling = [extract for extract in extracts if column in extract.kinds and _filled(extract, column)]
        if filling and all(column in extract.date_only for extract in filling):
            found.add(column)
    return frozenset(found)


def _filled(extract: Extract, column: str) -> bool:
    values = extract.data.column(column)
    return len(values) > values.null_count or column in extract.date_only


def _aligned(extract: Extract, kinds: dict[str, Kind], date_only: frozenset[str], *, alone: bool) -> pa.Table:
    """Give an extract every column of its table; dates that meet clock times move to the end of their day."""
    columns = {}
    for column, kind in kinds.items():
        wanted = ARROW_TYPES[kind]
        if column not in extract.kinds:
            columns[column] = pa.nulls(extract.data.num_rows, wanted)
            continue
        values = extract.data.column(column)
        if column in extract.date_only and column not in date_only:
            single = Table(TableSchema("", (column,), ()), pa.table({column: values}))
            moved = end_of_day(single.midnights(column))
            values = pa.array(moved, mask=np.asarray(values.is_null())).cast(wanted)
        # texts stay numbered where they need not join those of another source
        columns[column] = values if alone and pa.types.is_dictionary(values.type) else values.cast(wanted)
    return pa.table(columns)


def _declared_schema(name: str, kinds: dict[str, Kind], own_time: str) -> TableSchema:
    others = [column for column in kinds if column not in ("account_id", "known_at", own_time)]
    columns = (Column(own_time, "time", own_time), *(Column(column, kinds[column]) for column in others))
    return TableSchema(name, (own_time,), columns)


def own_midnights(table: Table) -> NDArray[np.int64]:
    """Give each row's own time as written: a date is its midnight."""
    found = np.full(len(table), MISSING, dtype=np.int64)
    for column in table.schema.times:
        if table.has(column):
            found = np.where(found == MISSING, table.midnights(column), found)
    return found


def positions(ids: pa.ChunkedArray, known: pa.Array) -> NDArray[np.int64]:
    """Find each id among the known ones: its place, -1 where it is not there.

    >>> positions(pa.chunked_array([["b", "x"]]), pa.array(["a", "b"])).tolist()
    [1, -1]
    """
    if pa.types.is_dictionary(ids.type):
        numbers, words = numbered(ids)
        return np.append(positions(pa.chunked_array([words]), known), -1)[numbers]
    found = pc.fill_null(pc.index_in(ids, value_set=_written_out(known)), -1)
    return np.asarray(found.to_numpy(), dtype=np.int64)


def _written_out(texts: pa.Array) -> pa.Array:
    return texts.cast(pa.string()) if pa.types.is_dictionary(texts.type) else texts


def join_account(name: str, extract: Extract, via: Draft, join: JoinKey) -> None:
    """Find `account_id` through the id of another table: that of the first row with the id."""
    key, start = join.column, join.start
    codes = numbered(via.table.data.column(key))[0]
    order = np.argsort(codes, kind="stable")
    numbers, first = np.unique(codes[order], return_index=True)
    rows = order[first][numbers >= 0]
    place = positions(extract.data.column(key), via.table.data.column(key).take(pa.array(rows)).combine_chunks())
    taken = np.where(place >= 0, rows[np.maximum(place, 0)] if len(rows) else 0, 0)
    accounts = via.table.data.column("account_id").take(pa.array(taken, mask=place < 0))
    starts = via.table.midnights(start)[taken] if via.table.has(start) and len(rows) else np.full(len(taken), MISSING)
    extract.data = extract.data.append_column("account_id", accounts)
    extract.kinds["account_id"] = "id"
    keep_found(name, extract, join, extract.data.column(key), starts, dated=start in via.table.date_only)
    if name in SCHEMAS and SCHEMAS[name].column(key) is None:
        extract.data = extract.data.drop_columns([key])
        del extract.kinds[key]
    known = np.unique(np.stack([codes, numbered(via.table.data.column("account_id"))[0]]), axis=1)
    pairs = known[0, (known[0] >= 0) & (known[1] >= 0)]
    via.findings += shared_ids(join, int((np.unique(pairs, return_counts=True)[1] > 1).sum()), via.findings)


def keep_found(
    name: str, extract: Extract, join: JoinKey, keys: pa.ChunkedArray, starts: NDArray[np.int64], *, dated: bool
) -> None:
    """Keep the rows whose account was found; name the others, and rows older than what they belong to."""
    accounts, key, via = extract.data.column("account_id"), join.column, join.table
    lost = accounts.null_count
    if lost:
        shown = tuple(str(value) for value in pc.unique(keys.filter(pc.is_null(accounts)))[:3].to_pylist())
        problem, fix = f"rows whose `{key}` is not in {via}", f"complete {via}, or fix the ids"
        extract.findings.append(Counted(Finding("warning", name, key, lost, problem, "dropped", fix, shown)))
        kept = np.asarray(pc.is_valid(accounts))
        extract.data, starts = extract.data.filter(pa.array(kept)), starts[kept]
        if extract.repeated is not None:
            extract.repeated = extract.repeated[kept]
    table, start = assemble(name, [extract]).table, join.start
    own = next((column for column in table.schema.times if table.has(column)), None)
    if own is None:
        return
    times, starts = comparable(table.midnights(own), starts, days=(own in table.date_only) != dated)
    early = int(((times != MISSING) & (starts != MISSING) & (times < starts)).sum())
    if early:
        problem = f"rows before the start of the {via[:-1]} that they belong to"
        meaning = f"kept: they count as activity of the account, although {via}.{start} says otherwise"
        extract.findings.append(Counted(Finding("warning", name, own, early, problem, meaning, "fix one of the two dates")))


def shared_ids(join: JoinKey, ids: int, before: Sequence[Counted] = ()) -> list[Counted]:
    """Name ids of the joining table that belong to several accounts, once."""
    problem, meaning = "ids that belong to several accounts", "rows found through them go to the first account"
    found = Counted(Finding("warning", join.table, join.column, ids, problem, meaning))
    return [found] if ids and found not in before else []
