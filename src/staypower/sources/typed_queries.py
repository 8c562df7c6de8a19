"""SQL that gives a source's columns in their canonical types, for tables too large to be read as a whole.

What a column is can depend on all its values: dates without a clock, ids written as fractions, texts that are all numbers.
`learn_facts` asks the source for that once; `typed_select` then needs no other row to turn a row into its canonical form,
exactly as `extract` does with the whole table at hand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb
import pyarrow as pa

from staypower.cutoffs import DAY
from staypower.errors import UsageError
from staypower.sources.extracting import EARLIEST, LATEST, extract, kind_of_texts
from staypower.sources.opening import OpenSource
from staypower.sources.planning import Plan, PlannedColumn
from staypower.sources.queries import BAD_NUMBER, NO_CLOCK, Query
from staypower.sources.settings import TableSource
from staypower.sources.values import quoted_name
from staypower.tables import Kind

__all__ = ["ColumnFacts", "learn_facts", "stream_typed", "typed_select"]

_BATCH = 100_000


@dataclass(frozen=True)
class ColumnFacts:
    """What all values of a source's column together say.

    >>> ColumnFacts("time", filled=True, date_only=True).fractions
    False
    """

    kind: Kind
    filled: bool  # whether any row has a value
    date_only: bool = False  # A time column without a clock
    fractions: bool = False  # ids of which each is written as a fraction (`17850.0`)


def learn_facts(table: str, source: TableSource, opened: OpenSource, plan: Plan, place: str) -> dict[str, ColumnFacts]:
    """Ask a source what its planned columns are."""
    query = Query(source, opened, plan)
    kinds = {column.name: column.kind or _kind(query, column, place) for column in plan.columns}
    asked = [piece for column in plan.columns for piece in _questions(query, column, kinds[column.name])]
    named = ", ".join(f"{question} AS answer_{number}" for number, question in enumerate(asked))
    answers = iter(_ask(query, f"SELECT {named} FROM ({_raw(query, plan.columns)})", place).to_pylist()[0].values())
    facts: dict[str, ColumnFacts] = {}
    bad: list[PlannedColumn] = []
    for column in plan.columns:
        filled, wrong, every = int(next(answers)), int(next(answers)), bool(next(answers))
        if wrong:
            bad.append(column)
        date_only = (bool(filled) and every) if kinds[column.name] == "time" else False
        date_only |= kinds[column.name] == "time" and _is_date(query, column)
        fractions = kinds[column.name] == "id" and bool(filled) and every
        facts[column.name] = ColumnFacts(kinds[column.name], bool(filled), date_only, fractions)
    if bad:
        raise UsageError(extract(table, source, opened, replace(plan, columns=tuple(bad)), place).problems)
    return facts


def _raw(query: Query, columns: Sequence[PlannedColumn]) -> str:
    """Select columns as `Query.run` reads them, with a mark for what cannot be read."""
    return query.select(", ".join(f"{sql} AS {quoted_name(name)}" for column in columns for sql, name in query.parts(column)))


def _ask(query: Query, sql: str, place: str) -> pa.Table:
    try:
        return query.opened.connection.sql(sql).to_arrow_table()
    except duckdb.Error as error:
        if "CSV Error" not in str(error):
            query.blame(place)
        raise


def _kind(query: Query, column: PlannedColumn, place: str) -> Kind:
    """Read the kind of a column of texts off its distinct values."""
    distinct = f"SELECT DISTINCT {quoted_name(column.name)} FROM ({_raw(query, [column])})"
    return kind_of_texts(_ask(query, distinct, place).column(0), query.source.decimal)


def _questions(query: Query, column: PlannedColumn, kind: Kind) -> Iterator[str]:
    """Write three aggregates: how many values, how many that cannot be read, and whether all are of the special form."""
    name = quoted_name(column.name)
    yield f"count({name})"
    if kind == "time":
        outside = f"epoch_us({name}) < {EARLIEST} OR epoch_us({name}) >= {LATEST}"
        yield f"count(*) FILTER (WHERE CASE WHEN isfinite({name}) THEN {outside} ELSE {name} IS NOT NULL END)"
        yield f"bool_and(CASE WHEN isfinite({name}) THEN epoch_us({name}) % {DAY} = 0 END)"
        return
    wrong = {"number": f"CAST({BAD_NUMBER} AS DOUBLE)", "flag": "2"}.get(kind if column.kind else "text")
    yield "0" if wrong is None else f"count(*) FILTER (WHERE {name} = {wrong})"
    if kind == "id" and not (column.value.kind == "number" and not column.value.whole):
        # most ids hold no point at all: looking for one is cheap
        yield f"bool_and(CASE WHEN contains({name}, '.') THEN regexp_full_match({name}, '[0-9]+\\.0+') ELSE {name} IS NULL END)"
    else:
        yield "false"


def _is_date(query: Query, column: PlannedColumn) -> bool:
    return column.raw and all(query.opened.types[name].upper() == "DATE" for name in column.used)


def typed_select(query: Query, facts: Mapping[str, ColumnFacts], date_only: Collection[str]) -> str:
    """Write the query whose rows are canonical one by one."""
    columns = query.plan.columns
    typed = [
        f"{_typed(column, facts[column.name], column.name in date_only)} AS {quoted_name(column.name)}" for column in columns
    ]
    return f"SELECT {', '.join(typed)} FROM ({_raw(query, columns)})"


def _typed(column: PlannedColumn, facts: ColumnFacts, date_only: bool) -> str:
    name = quoted_name(column.name)
    if facts.kind == "time":
        moved = f"{name} + to_microseconds({DAY - 1})"
        if facts.date_only:
            return name if date_only else moved
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
