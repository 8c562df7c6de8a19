"""The SQL that reads the planned columns of a source in one pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from staypower.errors import UsageError
from staypower.sources.advice import Values, fix_numbers, fix_times
from staypower.sources.opening import OpenSource
from staypower.sources.planning import Plan, PlannedColumn
from staypower.sources.settings import TableSource
from staypower.sources.values import Value, as_flag, as_number, as_text, as_time, quoted_name, quoted_text

BAD_NUMBER = "-1.7976931348623157e308"
_ANOTHER = "use try_cast(x as double) or nullif(x, 'word') where a value does not fit, or another format"
_SPACES = "' ' || chr(9) || chr(10) || chr(13) || chr(160)"
# How a text wrote its time: without a clock, with one but no zone, with both.
NO_CLOCK, NO_ZONE, _ZONED = 0, 1, 2
_ZONE = r"(Z|[+-]\d{2}(:?\d{2})?|\s[A-Za-z][A-Za-z_/]+)$"


@dataclass(frozen=True)
class Query:
    """The SQL of one plan."""

    source: TableSource
    opened: OpenSource
    plan: Plan

    def cleaned(self) -> str:
        """Write the source's columns with blanks as missing and times in UTC."""
        written = [f"{self._clean(name)} AS {quoted_name(name)}" for name in sorted(self.plan.used)]
        return f"(SELECT {', '.join(written) or '1'} FROM {self.opened.relation})"

    def _clean(self, name: str) -> str:
        column, column_type = quoted_name(name), self.opened.types[name].upper()
        kind = self.opened.columns[name].kind
        if kind == "time":
            zoned = column_type == "TIMESTAMP WITH TIME ZONE" or column_type.startswith("TIMESTAMPTZ")
            plain = column if zoned or column_type == "DATE" else f"CAST({column} AS TIMESTAMP)"
            return f"CAST({plain} AS TIMESTAMPTZ)"
        if kind != "text":
            return column
        text = column if column_type == "VARCHAR" else f"CAST({column} AS VARCHAR)"
        return self.without_blanks(text)

    def without_blanks(self, text: str) -> str:
        """Write a text with missing for blanks; only what begins with a space or less is looked at closely, which is fast."""
        trimmed = f"trim({text}, {_SPACES})"
        suspect = f"{text} < '!' OR starts_with({text}, chr(160))"
        blank = f"CASE WHEN {suspect} THEN {trimmed} = '' ELSE FALSE END"
        if self.source.blank:
            blank += f" OR {trimmed} IN ({', '.join(quoted_text(word) for word in self.source.blank)})"
        return f"CASE WHEN {blank} THEN NULL ELSE {text} END"

    def where(self) -> str:
        """Write the filter."""
        return f" WHERE {self.plan.where.sql}" if self.plan.where is not None else ""

    def select(self, what: str) -> str:
        """Select something from the cleaned rows that the filter keeps."""
        return f"SELECT {what} FROM {self.cleaned()}{self.where()}"

    def rows(self, what: str) -> str:
        """Select columns of the rows that count: accounts that were merged into another are one row."""
        if not self.plan.merged:
            return self.select(what)
        excess = quoted_name("merged away")
        return f"SELECT * EXCLUDE ({excess}) FROM ({self.select(f'{what}, {self.plan.merged} AS {excess}')}) WHERE NOT {excess}"

    def run(self, place: str) -> pa.Table:
        """Read every planned column."""
        parts = [f"{sql} AS {quoted_name(name)}" for column in self.plan.columns for sql, name in self.parts(column)]
        try:
            return self.opened.connection.sql(self.rows(", ".join(parts))).to_arrow_table()
        except duckdb.Error as error:
            if "CSV Error" not in str(error):
                self.blame(place)
            raise

    def parts(self, column: PlannedColumn) -> Iterable[tuple[str, str]]:
        """Write what to select for a column, and under which name."""
        value = column.value
        if column.kind == "time":
            yield self.time(value), column.name
            if self.source.zone is not None:
                yield _wall_clock(self.time(value)), column.name + " wall"
            if value.kind == "text":
                yield _how_written(value.sql), column.name + " how"
        elif column.kind == "number":
            number = as_number(value, decimal=self.source.decimal, lenient=True)
            yield _marked(value, number, f"CAST({BAD_NUMBER} AS DOUBLE)"), column.name
        elif column.kind == "flag":
            flag = f"CAST({as_flag(value, lenient=True)} AS TINYINT)"
            yield (flag if value.kind == "flag" else _marked(value, flag, "CAST(2 AS TINYINT)", always=True)), column.name
        else:
            text = as_text(value)
            yield (text if column.raw else self.without_blanks(text)), column.name

    @staticmethod
    def time(value: Value) -> str:
        """Read a value as a time; what is no time leaves a mark."""
        trimmed = Value(f"trim({value.sql}, {_SPACES})", "text") if value.kind == "text" else value
        return _marked(value, as_time(trimmed, lenient=True), "TIMESTAMPTZ '-infinity'")

    def is_date(self, column: PlannedColumn) -> bool:
        """Say whether a column has the database's type of a day."""
        return column.raw and all(kind == "DATE" for kind in self._types(column))

    def is_unzoned(self, column: PlannedColumn) -> bool:
        """Say whether a column that is no text holds times without a zone."""
        types = self._types(column)
        parsed = re.search(r"(parse_time|strptime)\s*\(", column.written) and "%z" not in column.written.lower()
        return bool(parsed) or (bool(types) and all(re.match("TIMESTAMP(?!TZ)", kind) and "ZONE" not in kind for kind in types))

    def _types(self, column: PlannedColumn) -> list[str]:
        return [self.opened.types[name].upper() for name in column.used]

    def blame(self, place: str) -> None:
        """Find the expression that does not fit its values, and raise for it."""
        tries = [(column, self.select(f"count({sql})")) for column in self.plan.columns for sql, _ in self.parts(column)]
        for column, sql in [(None, f"SELECT count(*) FROM {self.cleaned()}{self.where()}"), *tries]:
            try:
                self.opened.connection.execute(sql).fetchall()
            except duckdb.Error as error:
                if column is None and self.source.where is None:
                    # the source itself cannot be read
                    raise
                reason = str(error).partition("\n")[0].partition(": ")[2] or str(error)
                name = "where" if column is None else column.name
                written = self.source.where if column is None else self.source.mapping.get(name, "")
                advise = {"time": fix_times, "number": fix_numbers}.get(str(column.kind)) if column is not None else None
                fix = self.fix(column, advise) if column is not None and advise is not None else _ANOTHER
                if "-" in str(written) and re.search(r"'\d{4}-\d\d-\d\d", reason):
                    fix = "write `days_between(earlier, later)` for the days between two times"
                problem = f"an expression does not fit a value: {reason[:200]}"
                raise UsageError.of(problem, f"{place}.{name}: {written}", fix) from error

    def fix(self, column: PlannedColumn, advise: Callable[[Values], str]) -> str:
        """Say how the values of a column can be read, tried on all of them."""
        if column.raw or len(column.used) == 1:
            name = next(iter(column.used))
            select = f"SELECT {quoted_name(name)} FROM ({self.select('*')}) WHERE {quoted_name(name)} IS NOT NULL"
            kind = self.opened.columns[name].kind
            return advise(Values(self.opened.connection, name, kind, select, self.source.decimal))
        return _ANOTHER

    def values_where(self, column: PlannedColumn, condition: str) -> tuple[str, ...]:
        """Fetch the first few distinct values for which a condition on `given` and `read` holds."""
        read = self.time(column.value) if column.kind == "time" else next(iter(self.parts(column)))[0]
        inner = self.select(f"{as_text(column.value)} AS given, {read} AS read")
        sql = f"SELECT DISTINCT given FROM (SELECT given FROM ({inner}) WHERE {condition} LIMIT 2000) LIMIT 3"
        return tuple(repr(str(row[0])) for row in self.opened.connection.execute(sql).fetchall())


def _wall_clock(time: str) -> str:
    """Write what a clock of the source's zone showed, as if it were UTC; a day starts at midnight even where clocks skip it."""
    day = f"date_trunc('day', {time})"
    start = f"timezone('UTC', date_trunc('day', CAST({time} AS TIMESTAMP)))"
    shown = f"timezone('UTC', CAST({time} AS TIMESTAMP))"
    return f"CASE WHEN NOT isfinite({time}) THEN {time} WHEN {time} = {day} THEN {start} ELSE {shown} END"


def _marked(value: Value, read: str, mark: str, *, always: bool = False) -> str:
    """Mark a value that is present but cannot be read."""
    if value.kind != "text" and not always:
        return read
    return f"CASE WHEN {value.sql} IS NULL THEN NULL ELSE coalesce({read}, {mark}) END"


def _how_written(text: str) -> str:
    trimmed = f"trim({text}, {_SPACES})"
    return (
        f"CAST(CASE WHEN {text} IS NULL THEN NULL WHEN length({trimmed}) <= 10 THEN {NO_CLOCK} "
        f"WHEN regexp_matches({trimmed}, '{_ZONE}') THEN {_ZONED} ELSE {NO_ZONE} END AS TINYINT)"
    )
