"""Run a plan: one pass over the source, and every value that cannot be what its column says named at once.

A value that cannot be read leaves a mark in the result (an infinite time, an impossible number), so that the source is
read once; only when a mark is found is it asked again which values they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import DAY, MISSING, end_of_day, instant_of
from staypower.errors import DataProblem, Problem, UsageError
from staypower.hashing import text_buffers
from staypower.results.numbers import plural
from staypower.schemas import SCHEMAS, Column, Kind
from staypower.sources.advice import fix_numbers, fix_times
from staypower.sources.findings import Counted, Finding, Severity
from staypower.sources.opening import OpenSource
from staypower.sources.parquet_files import read_parquet
from staypower.sources.planning import Plan, PlannedColumn, UnplannedError, is_technical, plan_source
from staypower.sources.queries import BAD_NUMBER, NO_CLOCK, NO_ZONE, Query
from staypower.sources.settings import Joins, TableSource
from staypower.sources.values import DECIMAL_COMMA, quoted_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

ARROW_TYPES: Mapping[Kind, pa.DataType] = {
    "id": pa.string(),
    "text": pa.string(),
    "time": pa.timestamp("us", "UTC"),
    "number": pa.float64(),
    "flag": pa.bool_(),
}
DAMAGED_ID = r"^[0-9](\.[0-9]+)?[eE]\+[0-9]{2,3}$"  # how a spreadsheet writes a long number
LONG_ID = 16  # digits that a fraction does not hold exactly
_COMMA, _POINT = f"^({DECIMAL_COMMA})$", r"^[+-]?(0|[1-9][0-9]*)\.[0-9]+$"
EARLIEST, LATEST = instant_of("1900-01-01"), instant_of("9999-12-31", end=True)


@dataclass(frozen=True)
class ColumnFacts:
    """What all values of a source's column together say; the counts of several stretches of rows add up.

    >>> [one.worded.problem for one in ColumnFacts("time", filled=9, unzoned=9).findings("usage", "at")]
    ['times without a zone']
    """

    kind: Kind
    filled: int  # how many rows have a value; counted of times, ids, and texts that may be numbers
    date_only: bool = False  # a time column without a clock
    fractions: bool = False  # ids of which each is written as a fraction (`17850.0`)
    clockless: int = 0  # dates without a clock among times with one
    unzoned: int = 0  # times without a zone
    nonfinite: int = 0  # numbers that are not finite
    long: int = 0  # long ids held as fractions

    def findings(self, table: str, column: str) -> list[Counted]:
        """Report what the user should know about the column."""

        def note(severity: Severity, rows: int, problem: str, meaning: str, fix: str = "") -> Counted:
            return Counted(Finding(severity, table, column, rows, problem, meaning, fix))

        found = []
        if self.clockless and not self.date_only:
            meaning = "taken as known at the end of their UTC day"
            found.append(note("note", self.clockless, "dates without a clock among times with one", meaning))
        if self.unzoned and not self.date_only:
            fix = "write `zone: America/New_York` in the mapping, with the place of the office, if they are local times"
            found.append(note("note", self.unzoned, "times without a zone", "taken as UTC", fix))
        if self.nonfinite:
            found.append(not_finite(table, column, self.nonfinite))
        if self.long:
            meaning = "their last digits are lost, and several ids may have become one"
            fix = "store the column as text in the source"
            found.append(note("warning", self.long, "long ids held as fractions", meaning, fix))
        if self.fractions:
            problem = "ids written as fractions (17850.0)"
            found.append(note("note", self.filled, problem, "read as whole numbers (17850)"))
        return found


def not_finite(table: str, column: str, rows: int) -> Counted:
    """Say that numbers are not finite."""
    return Counted(Finding("warning", table, column, rows, "numbers that are not finite", "missing", "fix the source"))


@dataclass
class Extract:
    """What one source gave."""

    data: pa.Table  # canonical names and types
    kinds: dict[str, Kind] = field(default_factory=dict)
    date_only: set[str] = field(default_factory=set)  # time columns without a clock
    usable: frozenset[str] = frozenset()  # columns declared fixed, or static attributes
    findings: list[Counted] = field(default_factory=list)
    repeated: NDArray[np.bool_] | None = None  # rows whose id was there before, where that was asked of all rows
    problems: list[Problem] = field(default_factory=list)


def plan_with_values(table: str, source: TableSource, opened: OpenSource, place: str, joins: Joins) -> Plan:
    """Plan a source; where its mapping has problems, what is wrong with the values of its other columns is said, too."""
    try:
        return plan_source(table, source, opened, place, joins)
    except UnplannedError as error:
        problems = list(error.problems)
        # what keeps the values from being read is less than what is known already
        with suppress(UsageError, duckdb.Error):
            problems += extract(table, source, opened, error.plan, place).problems if error.plan.columns else ()
        raise UsageError(problems) from error


def extract(table: str, source: TableSource, opened: OpenSource, plan: Plan, place: str) -> Extract:
    """Read the planned columns of a source."""
    query = Query(source, opened, plan)
    raw = read_parquet(table, source, opened.columnar, plan)
    if raw is None:
        raw = query.run(place)
    found = Extract(pa.table({}), usable=plan.usable)
    columns: dict[str, pa.ChunkedArray] = {}
    for column in plan.columns:
        reader = _Reader(table, column, query, raw, found, place)
        kind = column.kind or kind_of_texts(raw.column(column.name), source.decimal)
        if column.kind is None and written_with_points(raw.column(column.name), source.decimal):
            reader.refuse_points()
        columns[column.name] = reader.read(kind)
        found.kinds[column.name] = kind
        found.findings += reader.facts.findings(table, column.name)
    found.data = pa.table(columns) if columns else raw
    return found


@dataclass
class _Reader:
    """Turns one raw column into its canonical type, collecting what is wrong with it."""

    table: str
    column: PlannedColumn
    query: Query
    raw: pa.Table
    found: Extract
    place: str
    facts: ColumnFacts = field(default_factory=lambda: ColumnFacts("text", 0))

    def read(self, kind: Kind) -> pa.ChunkedArray:
        raw = self.raw.column(self.column.name)
        if kind == "time":
            return self.times(raw)
        if kind == "number":
            return self.numbers(raw)
        if kind == "flag":
            return self.flags(raw)
        texts = raw if pa.types.is_dictionary(raw.type) else raw.cast(pa.string())
        return self.ids(texts) if kind == "id" else texts

    def problem(self, count: int, what: str, condition: str, fix: str, kind: type[Problem] = Problem) -> None:
        shown = ", ".join(self.query.values_where(self.column, condition))
        value = f"{self.place}.{self.column.name}: {count:,} of {self.raw.num_rows:,} values, such as {shown}"
        self.found.problems.append(kind(f"{self.column.written} holds values that are not {what}", value, fix))

    def refuse_points(self) -> None:
        """Refuse an attribute of numbers with a decimal point in a source of decimal commas; 12.50 must not become a word."""
        pointed = pc.invert(pc.match_substring_regex(pc.utf8_trim_whitespace(self.raw.column(self.column.name)), _COMMA))
        fix = f"{self.query.fix(self.column, fix_numbers)}, or `columns: {{{self.column.name}: text}}` if they are words"
        condition = f"NOT regexp_full_match(trim(given), {quoted_text(DECIMAL_COMMA)})"
        self.problem(int(pc.sum(pointed).as_py()), "numbers with a decimal comma", condition, fix)

    def times(self, raw: pa.ChunkedArray) -> pa.ChunkedArray:
        instants = _as_int64(raw)
        there = instants[instants != MISSING] if raw.null_count else instants
        if len(there) and (there.min() < EARLIEST or there.max() >= LATEST):
            bad = (instants != MISSING) & ((instants < EARLIEST) | (instants >= LATEST))
            fix = self.query.fix(self.column, fix_times)
            self.problem(int(bad.sum()), "times", _OUTSIDE, fix)
            return _timestamps(np.where(bad, MISSING, instants))
        clock, shown = raw, instants
        if self.query.source.zone is not None:
            # a date names a day, wherever it was written
            clock = self.raw.column(self.column.name + " wall")
            shown = _as_int64(clock)
            there = shown[shown != MISSING]
        only_days = len(there) > 0 and _all_midnights(there)
        if only_days or self.query.is_date(self.column):
            self.found.date_only.add(self.column.name)
            return clock.cast(ARROW_TYPES["time"])
        return self.with_clocks(raw, instants, shown)

    def with_clocks(self, raw: pa.ChunkedArray, instants: NDArray[np.int64], shown: NDArray[np.int64]) -> pa.ChunkedArray:
        """Keep clock times; a date among them is known at the end of its day."""
        unzoned, clockless = 0, 0
        if self.column.value.kind == "text":
            how = _as_int64(self.raw.column(self.column.name + " how"))
            unzoned = int((how == NO_ZONE).sum())
            dates = how == NO_CLOCK
            clockless = int(dates.sum())
            if clockless:
                raw = _timestamps(np.where(dates, end_of_day(shown), instants))
        elif self.query.is_unzoned(self.column):
            unzoned = int((instants != MISSING).sum())
        unzoned = 0 if self.query.source.zone is not None else unzoned
        self.facts = ColumnFacts("time", 0, clockless=clockless, unzoned=unzoned)
        return raw.cast(ARROW_TYPES["time"])

    def numbers(self, raw: pa.ChunkedArray) -> pa.ChunkedArray:
        if pa.types.is_string(raw.type) or pa.types.is_large_string(raw.type):
            raw = texts_as_numbers(raw, self.query.source.decimal)
        numbers = np.asarray(raw.cast(pa.float64()).to_numpy(), dtype=np.float64)
        bad = numbers == float(BAD_NUMBER)
        if bad.any():
            fix = self.query.fix(self.column, fix_numbers)
            self.problem(int(bad.sum()), "numbers", f"read = CAST({BAD_NUMBER} AS DOUBLE)", fix)
            numbers = np.where(bad, np.nan, numbers)
        finite = np.isfinite(numbers)
        broken = int((~finite).sum()) - raw.null_count - int(bad.sum())
        self.facts = ColumnFacts("number", 0, nonfinite=broken)
        return pa.chunked_array([pa.array(numbers, mask=~finite)])

    def flags(self, raw: pa.ChunkedArray) -> pa.ChunkedArray:
        bad = int(pc.sum(pc.equal(raw, 2)).as_py() or 0)
        if bad:
            fix = f"write a comparison, such as `{self.column.written} = 'cancelled'`"
            self.problem(bad, "true or false", "read = 2", fix)
        return pc.equal(raw, 1)

    def ids(self, raw: pa.ChunkedArray) -> pa.ChunkedArray:
        damaged = sum(_damaged(chunk) for chunk in raw.chunks)
        if damaged:
            fix = "export again with the column as text: a spreadsheet has cut the digits, so different ids became one"
            self.problem(damaged, "whole ids", f"regexp_full_match(given, '{DAMAGED_ID}')", fix, DataProblem)
        if self.column.value.kind == "number" and not self.column.value.whole:
            long = int(pc.sum(pc.greater_equal(pc.utf8_length(raw), LONG_ID)).as_py() or 0)
            self.facts = ColumnFacts("id", 0, long=long)
        elif _all_fractions(raw):
            self.facts = ColumnFacts("id", len(raw) - raw.null_count, fractions=True)
            return pc.replace_substring_regex(raw.cast(pa.string()), r"\.0+$", "")
        return raw


def _damaged(ids: pa.Array) -> int:
    """Count ids that a spreadsheet wrote as numbers; mostly none holds a plus sign, which is quickly seen."""
    words = (ids.dictionary if pa.types.is_dictionary(ids.type) else ids).cast(pa.string())
    begins, characters = text_buffers(words)
    if not (characters[begins[0] : begins[-1]] == ord("+")).any():
        return 0
    return int(pc.sum(pc.match_substring_regex(ids.cast(pa.string()), DAMAGED_ID)).as_py() or 0)


def _all_fractions(ids: pa.ChunkedArray) -> bool:
    """Say whether every id is a whole number written as a fraction; mostly the first few decide."""
    few = ids.slice(0, 1000).cast(pa.string())
    pattern = r"^\d+\.0+$"
    if len(ids) == ids.null_count or pc.all(pc.match_substring_regex(few, pattern)).as_py() is False:
        return False
    return bool(pc.all(pc.match_substring_regex(ids.cast(pa.string()), pattern)).as_py())


_OUTSIDE = "NOT isfinite(read) OR read < TIMESTAMPTZ '1900-01-01' OR read > TIMESTAMPTZ '9999-12-31'"


def _all_midnights(instants: NDArray[np.int64]) -> bool:
    # mostly the first few decide
    return bool((instants[:1000] % DAY == 0).all()) and bool((instants % DAY == 0).all())


def _as_int64(column: pa.ChunkedArray) -> NDArray[np.int64]:
    numbers = column.cast(pa.int64())
    filled = pc.fill_null(numbers, MISSING) if numbers.null_count else numbers
    return np.asarray(filled.chunk(0) if filled.num_chunks == 1 else filled.to_numpy(), dtype=np.int64)


def _timestamps(instants: NDArray[np.int64]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(instants, mask=instants == MISSING).cast(ARROW_TYPES["time"])])


def kind_of_texts(column: pa.ChunkedArray, decimal: str) -> Kind:
    """Say whether texts are numbers: all of them, and without leading zeros, which belong to a code."""
    if len(column) == column.null_count or pc.any(pc.match_substring_regex(column, r"^\s*[+-]?0\d")).as_py():
        return "text"
    try:
        texts_as_numbers(column, decimal)
    except pa.ArrowInvalid:
        return "text"
    return "number"


def written_with_points(column: pa.ChunkedArray, decimal: str) -> bool:
    """Say whether texts of a source with decimal commas are all numbers, some of them with a decimal point."""
    if decimal != "," or not pa.types.is_string(column.type):
        return False
    texts = pc.utf8_trim_whitespace(column).drop_null()
    if pc.all(pc.match_substring_regex(texts, _COMMA)).as_py() is not False:
        return False
    return bool(pc.all(pc.match_substring_regex(texts, f"{_COMMA}|{_POINT}")).as_py())


def texts_as_numbers(column: pa.ChunkedArray, decimal: str) -> pa.ChunkedArray:
    """Read texts as numbers; an Arrow error when one is not a number."""
    trimmed = pc.utf8_trim_whitespace(column)
    if decimal == ",":
        if not pc.all(pc.match_substring_regex(trimmed, _COMMA)).as_py():
            raise pa.ArrowInvalid("a number is not written with a decimal comma")
        trimmed = pc.replace_substring(pc.replace_substring(trimmed, ".", ""), ",", ".")
    return pc.cast(trimmed, pa.float64())


def below_minimum(table: str, found: Extract) -> None:
    """Make numbers that are lower than their column can be missing, and count them."""
    schema = SCHEMAS.get(table)
    for name in found.data.column_names:
        column: Column | None = schema.column(name) if schema is not None else None
        if column is None or column.minimum is None:
            continue
        values = found.data.column(name)
        low = pc.fill_null(pc.less(values, column.minimum), False)
        count = int(pc.sum(low).as_py() or 0)
        if count:
            shown = tuple(str(value) for value in pc.unique(values.filter(low))[:3].to_pylist())
            problem = f"numbers below {column.minimum:g}, which are not valid here"
            finding = Finding("warning", table, name, count, problem, "set to missing", "fix the source", shown)
            found.findings.append(Counted(finding))
            cleared: Any = pc.if_else(low, pa.scalar(None, pa.float64()), values)
            found.data = found.data.set_column(found.data.column_names.index(name), name, cleared)


def name_left_attributes(found: Extract, plan: Plan, source: TableSource) -> None:
    """Say which attributes are not used, and make those with `valid_from` usable."""
    attributes = [name for name in found.kinds if name not in SCHEMAS["accounts"].names]
    if "valid_from" in found.kinds:
        found.usable = frozenset(attributes)
    unused = [name for name in attributes if name not in found.usable]
    meaning = "dropped: no date says when this value became valid"
    fix = "list those that never change under `static:`, or give rows with `valid_from`"
    for name in (name for name in unused if name not in source.leave_out):
        found.findings.append(Counted(Finding("note", "accounts", name, 0, "an attribute that may change", meaning, fix)))
    technical = [name for name in plan.left if is_technical(name) and name not in source.leave_out]
    if technical:
        problem = f"{plural(len(technical), 'technical column')}: an index or row numbers of what wrote the file"
        meaning = "left out: it says nothing about an account"
        found.findings.append(Counted(Finding("note", "accounts", "", 0, problem, meaning, "", tuple(technical[:12]))))
    left = [name for name in plan.left if name not in source.leave_out and name not in technical]
    if left:
        problem = f"{len(left)} source {'column is' if len(left) == 1 else 'columns are'} not read"
        found.findings.append(Counted(Finding("note", "accounts", "", 0, problem, "left out", fix, tuple(left[:12]))))
