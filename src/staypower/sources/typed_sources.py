"""Sources that are too large to be read as a whole: planned, asked what their columns are, and streamed in canonical types.

What a column is can depend on all its values: dates without a clock, ids written as fractions, texts that are all numbers.
`learn_facts` asks the source for that once; `typed_select` then needs no other row to turn a row into its canonical form,
exactly as `extract` does with the whole table at hand.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb
import pyarrow as pa

from staypower.cutoffs import DAY
from staypower.errors import UsageError
from staypower.schemas import SCHEMAS, Kind
from staypower.sources.disk_tables import StoredSource
from staypower.sources.extracting import (
    DAMAGED_ID,
    EARLIEST,
    LATEST,
    LONG_ID,
    ColumnFacts,
    Extract,
    extract,
    kind_of_texts,
    name_left_attributes,
    written_with_points,
)
from staypower.sources.findings import Counted
from staypower.sources.opening import OpenSource
from staypower.sources.planning import Plan, PlannedColumn
from staypower.sources.queries import BAD_NUMBER, NO_CLOCK, NO_ZONE, Query
from staypower.sources.settings import TableSource
from staypower.sources.values import quoted_name

_BATCH = 100_000


def learn_facts(table: str, source: TableSource, opened: OpenSource, plan: Plan, place: str) -> dict[str, ColumnFacts]:
    """Ask a source what its planned columns are."""
    query = Query(source, opened, plan)
    texts = {column.name: _distinct(query, column, place) for column in plan.columns if column.kind is None}
    kinds = {column.name: column.kind or kind_of_texts(texts[column.name], source.decimal) for column in plan.columns}
    asked = {column.name: _questions(query, column, kinds[column.name]) for column in plan.columns}
    every = [f"{sql} AS {quoted_name(f'{name} {what}')}" for name, each in asked.items() for what, sql in each.items()]
    answers = _ask(query, f"SELECT {', '.join(every)} FROM ({_raw(query, plan.columns)})", place).to_pylist()[0]
    facts: dict[str, ColumnFacts] = {}
    bad = [column for column in plan.columns if column.kind is None and written_with_points(texts[column.name], source.decimal)]
    for column in plan.columns:
        counts = {what: int(answers[f"{column.name} {what}"] or 0) for what in asked[column.name]}
        if counts.pop("wrong", 0):
            bad.append(column)
        kind = kinds[column.name]
        days = bool(counts.pop("days", 0)) or (kind == "time" and query.is_date(column))
        filled, fractions = counts.pop("filled", 0), bool(counts.pop("fractions", 0))
        facts[column.name] = ColumnFacts(kind, filled, days, fractions, **counts)
    if bad:
        raise UsageError(extract(table, source, opened, replace(plan, columns=tuple(bad)), place).problems)
    return facts


def _raw(query: Query, columns: Sequence[PlannedColumn]) -> str:
    """Select columns as `Query.run` reads them, with a mark for what cannot be read."""
    return query.rows(", ".join(f"{sql} AS {quoted_name(name)}" for column in columns for sql, name in query.parts(column)))


def _ask(query: Query, sql: str, place: str) -> pa.Table:
    try:
        return query.opened.connection.sql(sql).to_arrow_table()
    except duckdb.Error as error:
        if "CSV Error" not in str(error):
            query.blame(place)
        raise


def _distinct(query: Query, column: PlannedColumn, place: str) -> pa.ChunkedArray:
    """Fetch the distinct values of a column of texts."""
    distinct = f"SELECT DISTINCT {quoted_name(column.name)} FROM ({_raw(query, [column])})"
    return _ask(query, distinct, place).column(0)


def _questions(query: Query, column: PlannedColumn, kind: Kind) -> dict[str, str]:
    """Write what to ask of a column: how many that cannot be read, what is special, and how many where that matters."""
    name, how = quoted_name(column.name), quoted_name(f"{column.name} how")
    asked = {"filled": f"count({name})"} if kind in ("time", "id") or column.kind is None else {}
    if kind == "time":
        outside = f"epoch_us({name}) < {EARLIEST} OR epoch_us({name}) >= {LATEST}"
        asked["wrong"] = f"count(*) FILTER (WHERE CASE WHEN isfinite({name}) THEN {outside} ELSE {name} IS NOT NULL END)"
        shown = _shown(query.source, column)
        asked["days"] = f"bool_and(CASE WHEN isfinite({name}) THEN epoch_us({shown}) % {DAY} = 0 END)"
        if column.value.kind == "text":
            asked["clockless"] = f"count(*) FILTER (WHERE {how} = {NO_CLOCK})"
            asked["unzoned"] = f"count(*) FILTER (WHERE {how} = {NO_ZONE})" if query.source.zone is None else "0"
        elif query.is_unzoned(column) and query.source.zone is None:
            asked["unzoned"] = f"count({name})"
    elif kind == "number" and column.kind:
        asked["wrong"] = f"count(*) FILTER (WHERE {name} = CAST({BAD_NUMBER} AS DOUBLE))"
        asked["nonfinite"] = f"count(*) FILTER (WHERE NOT isfinite({name}))"
    elif kind == "flag":
        asked["wrong"] = f"count(*) FILTER (WHERE {name} = 2)"
    if kind == "id" and column.value.kind == "text":
        # most ids hold no plus sign: looking for one is cheap
        asked["wrong"] = f"count(*) FILTER (WHERE contains({name}, '+') AND regexp_full_match({name}, '{DAMAGED_ID}'))"
    if kind == "id" and column.value.kind == "number" and not column.value.whole:
        asked["long"] = f"count(*) FILTER (WHERE length({name}) >= {LONG_ID})"
    elif kind == "id":
        # most ids hold no point at all: looking for one is cheap
        fraction = f"CASE WHEN contains({name}, '.') THEN regexp_full_match({name}, '[0-9]+\\.0+') ELSE {name} IS NULL END"
        asked["fractions"] = f"count({name}) > 0 AND bool_and({fraction})"
    return asked


def _shown(source: TableSource, column: PlannedColumn) -> str:
    """Name the column that says what a clock of the source's zone showed."""
    return quoted_name(column.name if source.zone is None else f"{column.name} wall")


def typed_select(query: Query, facts: Mapping[str, ColumnFacts], date_only: Collection[str]) -> str:
    """Write the query whose rows are canonical one by one."""
    columns = query.plan.columns
    typed = [
        f"{_typed(query.source, column, facts[column.name], column.name in date_only)} AS {quoted_name(column.name)}"
        for column in columns
    ]
    return f"SELECT {', '.join(typed)} FROM ({_raw(query, columns)})"


def _typed(source: TableSource, column: PlannedColumn, facts: ColumnFacts, date_only: bool) -> str:
    name = quoted_name(column.name)
    if facts.kind == "time":
        shown = _shown(source, column)
        moved = f"{shown} + to_microseconds({DAY - 1})"
        if facts.date_only:
            return shown if date_only else moved
        if column.value.kind == "text":
            return f"CASE WHEN {quoted_name(column.name + ' how')} = {NO_CLOCK} THEN {moved} ELSE {name} END"
        return name
    if facts.kind == "number":
        return f"CASE WHEN isfinite({name}) THEN {name} END" if column.kind else name
    if facts.kind == "flag":
        return f"{name} = 1"
    if facts.kind == "id" and facts.fractions:
        return f"regexp_replace({name}, '\\.0+$', '')"
    return name


def stream_typed(query: Query, sql: str, place: str) -> pa.RecordBatchReader:
    """Run a query and give its rows in their order, some at a time."""
    try:
        return query.opened.connection.sql(sql).to_arrow_reader(_BATCH)
    except duckdb.Error:
        query.blame(place)
        raise


@dataclass(frozen=True)
class PlannedSource:
    """One source, planned, and what all its rows say of its columns.

    >>> facts = {"account_id": ColumnFacts("id", 9), "at": ColumnFacts("time", 9, date_only=True)}
    >>> plan = Plan((), None, frozenset(), frozenset(), ())
    >>> PlannedSource(TableSource(), "tables.usage", plan, facts).outline("usage", "0-0", frozenset({"at"})).date_only
    ('at',)
    """

    source: TableSource
    place: str  # where it is in the configuration, for messages
    plan: Plan
    facts: Mapping[str, ColumnFacts]  # what all its rows together say of each column

    def findings(self, table: str) -> list[Counted]:
        """Report what the user should know about its columns."""
        found = [one for name, facts in self.facts.items() for one in facts.findings(table, name)]
        if table == "accounts":
            left = Extract(pa.table({}), {name: facts.kind for name, facts in self.facts.items()}, usable=self.plan.usable)
            name_left_attributes(left, self.plan, self.source)
            found += left.findings
        return found

    def outline(self, table: str, folder: str, date_only: frozenset[str], *, via_dated: bool = False) -> StoredSource:
        """Say what its rows are when they are stored."""
        kinds = {name: facts.kind for name, facts in self.facts.items()}
        via = self.plan.via
        if via is not None:
            if table in SCHEMAS and SCHEMAS[table].column(via.column) is None:
                del kinds[via.column]
            kinds["account_id"] = "id"
        extract = Extract(pa.table({}), kinds, usable=self.plan.usable)
        if table == "accounts":
            name_left_attributes(extract, self.plan, self.source)
        texts = tuple(c.name for c in self.plan.columns if c.kind is None and kinds.get(c.name) == "number")
        dated = tuple(name for name in kinds if name in date_only)
        usable = tuple(sorted(extract.usable))
        return StoredSource(folder, kinds, dated, usable, texts, self.source.decimal, via, via_dated)


def without_clock(sources: Sequence[Mapping[str, ColumnFacts]]) -> frozenset[str]:
    """Name the time columns that have no clock in any source that fills them.

    >>> day, clock = ColumnFacts("time", 9, date_only=True), ColumnFacts("time", 9)
    >>> sorted(without_clock([{"at": day, "known_at": day}, {"at": clock}]))
    ['known_at']
    """
    found = set()
    for column in {name for facts in sources for name in facts}:
        telling = [facts[column] for facts in sources if column in facts]
        filling = [facts for facts in telling if facts.filled or facts.date_only]
        if filling and all(facts.date_only for facts in filling):
            found.add(column)
    return frozenset(found)
