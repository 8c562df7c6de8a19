"""Map a source's rows onto canonical columns in Spark's workers, by the very SQL that maps them on one machine.

A worker hands the rows that Spark brings, some ten thousands at a time, to the in-process database that reads every other
source. So an expression means the same on a cluster, bit for bit, and whatever can be mapped there can be mapped here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import pyarrow as pa

from staypower.engines.spark.files import ORDER
from staypower.engines.spark.packing import packed_rows
from staypower.errors import Problem, UsageError
from staypower.schemas import Kind
from staypower.sources.extracting import ARROW_TYPES, ColumnFacts
from staypower.sources.opening import open_source
from staypower.sources.planning import Plan, PlannedColumn, plan_source
from staypower.sources.queries import Query
from staypower.sources.settings import Joins, TableSource
from staypower.sources.typed_sources import learn_facts, stream_typed, typed_select
from staypower.sources.values import Value, quoted_name

# the rows themselves are kept: no file is read twice
LEARNED = pa.schema({"source": pa.int32(), "answer": pa.string(), "rows": pa.binary()})
_GIVEN = "given rows"
# what is handed to the database at once: each time costs it a plan, and the worker memory
_ROWS_AT_ONCE, _BYTES_AT_ONCE = 500_000, 64 * 2**20
_COUNTED = re.compile(r": ([\d,]+) of ([\d,]+) values, such as ")


@dataclass(frozen=True)
class MappedSource:
    """A source, planned against the columns that Spark gives."""

    table: str  # canonical or declared name
    source: TableSource  # what the configuration says; its rows are given by name
    place: str  # where it is in the configuration, for messages
    plan: Plan


def plan_mapping(
    table: str, source: TableSource, place: str, columns: pa.Schema, joins: Joins | None = None
) -> tuple[MappedSource, dict[str, ColumnFacts]]:
    """Plan a source, and say what is known of its columns without looking at a row."""
    given = source.model_copy(update={"source": _GIVEN, "format": None})
    with open_source(given, place, Path(), {_GIVEN: columns.empty_table()}) as opened:
        plan = plan_source(table, given, opened, place, joins)
        mapped = MappedSource(table, given, place, plan)
        return mapped, learn_facts(table, given, opened, plan, place)


def in_order(mapped: MappedSource) -> MappedSource:
    """Let the text of each row's place among the others pass through."""
    column = PlannedColumn(ORDER, "text", Value(quoted_name(ORDER), "text"), frozenset({ORDER}), raw=True, written=ORDER)
    plan = replace(mapped.plan, columns=(*mapped.plan.columns, column), used=mapped.plan.used | {ORDER})
    return replace(mapped, plan=plan)


def typed_schema(plan: Plan, kinds: Mapping[str, Kind]) -> pa.Schema:
    """Return the types of mapped rows; numbers in a column of texts stay texts until the whole table is known."""
    texts = {column.name for column in plan.columns if column.kind is None}
    return pa.schema([(name, ARROW_TYPES["text" if name in texts else kind]) for name, kind in kinds.items()])


def learn_rows(mapped: MappedSource, number: int, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Learn what the columns are in the rows of one task, and what cannot be read; and pack the rows."""
    for chunk in _chunks(batches):
        answers: dict[str, object] = {"rows": chunk.num_rows}
        try:
            with open_source(mapped.source, mapped.place, Path(), {_GIVEN: chunk}) as opened:
                facts = learn_facts(mapped.table, mapped.source, opened, mapped.plan, mapped.place)
            answers["facts"] = {name: astuple(one) for name, one in facts.items()}
        except UsageError as error:
            answers["problems"] = [astuple(problem) for problem in error.problems]
        columns = [pa.array([number], pa.int32()), pa.array([json.dumps(answers)]), pa.array([packed_rows(chunk)])]
        yield pa.RecordBatch.from_arrays(columns, schema=LEARNED)


def facts_of(plan: Plan, known: Mapping[str, ColumnFacts], answers: Sequence[str]) -> dict[str, ColumnFacts]:
    """Put together what every chunk says about the columns: as if all rows had been read at once."""
    chunks = [{name: ColumnFacts(*each) for name, each in json.loads(one).get("facts", {}).items()} for one in answers]
    found: dict[str, ColumnFacts] = {}
    for column in plan.columns:
        seen = [chunk[column.name] for chunk in chunks if column.name in chunk and chunk[column.name].filled]
        base = known[column.name]
        kind = base.kind
        if column.kind is None:
            # a column of texts is one of numbers when every text is a number
            kind = "number" if seen and all(one.kind == "number" for one in seen) else "text"
        days = base.date_only or (bool(seen) and all(one.date_only for one in seen))
        fractions = bool(seen) and all(one.fractions for one in seen)
        found[column.name] = ColumnFacts(kind, sum(one.filled for one in seen), days, fractions)
    return found


def problems_of(answers: Sequence[str]) -> list[Problem]:
    """Put together the problems of all chunks, each once with the rows that have it."""
    entries = [json.loads(one) for one in answers]
    total = sum(int(entry["rows"]) for entry in entries)
    first: dict[tuple[str, str], Problem] = {}
    counts: dict[tuple[str, str], int] = {}
    for problem in (Problem(*plain) for entry in entries for plain in entry.get("problems", ())):
        counted = _COUNTED.search(problem.value)
        key = (problem.problem, problem.value[: counted.start()] if counted else problem.value)
        first.setdefault(key, problem)
        counts[key] = counts.get(key, 0) + (int(counted.group(1).replace(",", "")) if counted else 0)
    return [
        replace(problem, value=_COUNTED.sub(f": {counts[key]:,} of {total:,} values, such as ", problem.value))
        for key, problem in first.items()
    ]


def map_rows(
    mapped: MappedSource,
    facts: Mapping[str, ColumnFacts],
    date_only: frozenset[str],
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """Turn the rows of one task into canonical ones."""
    for chunk in _chunks(batches):
        with open_source(mapped.source, mapped.place, Path(), {_GIVEN: chunk}) as opened:
            query = Query(mapped.source, opened, mapped.plan)
            for batch in stream_typed(query, typed_select(query, facts, date_only), mapped.place):
                yield from pa.Table.from_batches([batch]).cast(schema).to_batches()


def _chunks(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Put small batches together: each costs the database a plan."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(one.num_rows for one in held) >= _ROWS_AT_ONCE or sum(one.nbytes for one in held) >= _BYTES_AT_ONCE:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)
