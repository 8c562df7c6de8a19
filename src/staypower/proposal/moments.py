"""When the times of a column lie, which of two never follows the other, and what their clocks showed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from staypower.sources.advice import Values, written_name
from staypower.sources.expressions import compile_expression
from staypower.sources.opening import OpenSource
from staypower.sources.values import Value, as_time, quoted_name, quoted_text

__all__ = ["CLOCK_ONLY", "Clock", "clock_of", "moment", "spans_of", "with_clock"]

CLOCK_ONLY = "[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?( ?[AaPp][Mm])?"  # a time of day without its day

_PARSED = re.compile(r"parse_time\([^()]*(?:\([^()]*\)[^()]*)*, '([^']*)'\)")
_HOURS, _DAYS = 4, 500  # different hours of a clock that says something; days of which offsets are compared
_MOST_TIMES, _FEWEST, _NEVER_BEFORE = 8, 20, 0.995  # times that are compared by twos, rows with both, share that is in order


@dataclass(frozen=True)
class Clock:
    """What the clocks of a column of times showed."""

    hours: Mapping[tuple[int | None, int], int]  # rows by offset from UTC in minutes, None where none is written, and hour
    days: Mapping[tuple[date, int], int] = field(default_factory=dict)  # rows by day and offset, where offsets are written


def moment(asking: Values, way: str) -> str:
    """Write a time as SQL; what is written as ISO 8601 stays text until here."""
    if asking.kind == "text" and way == written_name(asking.name):
        return as_time(Value(quoted_name(asking.name), "text"), lenient=True)
    return f"TRY_CAST({asking.sql(way)} AS TIMESTAMPTZ)"


def with_clock(opened: OpenSource, day: str, clock: str, way: str, words: Iterable[str]) -> str:
    """Write a day and the time of day in another column as one time; empty where that does not read every row."""
    parsed = _PARSED.fullmatch(way)
    format_ = parsed.group(1) if parsed else "%Y-%m-%d" if way == written_name(day) else ""
    some = next(iter(words), "")
    late = re.search(r" ?[AaPp][Mm]$", some)
    hours = ("%I:%M:%S" if some.count(":") > 1 else "%I:%M") if late else ("%H:%M:%S" if some.count(":") > 1 else "%H:%M")
    ending = f"{' ' if ' ' in some else ''}%p" if late else ""
    names = f"{written_name(day)}, ' ', {written_name(clock)}"
    joined = f"parse_time(concat({names}), {quoted_text(f'{format_} {hours}{ending}')})"
    columns = {name: Value(quoted_name(name), "text") for name in (day, clock)}
    read = f"TRY({compile_expression(joined, columns, day).value.sql})"
    asked = f"SELECT count(*), count({read}) FROM {opened.relation}"
    rows, good = opened.connection.execute(asked).fetchone()
    return joined if format_ and rows == good else ""


def spans_of(
    opened: OpenSource, moments: Mapping[str, str]
) -> tuple[dict[str, tuple[float, ...]], dict[tuple[str, str], float]]:
    """Find from when to when times lie, and which of two never follows the other, with the days that are mostly between."""
    if not moments:
        return {}, {}
    listed = ", ".join(f"epoch({sql}) / 86400 AS m{place}" for place, sql in enumerate(moments.values()))
    inner = f"(SELECT {listed} FROM {opened.relation})"
    asked = [f"min(m{n}), approx_quantile(m{n}, 0.5), max(m{n})" for n in range(len(moments))]
    found = opened.connection.execute(f"SELECT {', '.join(asked)} FROM {inner}").fetchone()
    every = {name: found[3 * n : 3 * n + 3] for n, name in enumerate(moments)}
    spans = {name: tuple(map(float, span)) for name, span in every.items() if None not in span}
    names = list(moments)[:_MOST_TIMES]
    pairs = [(one, other) for one in range(len(names)) for other in range(len(names)) if one != other]
    if not pairs:
        return spans, {}
    asked = [
        f"count(m{a} + m{b}), count(*) FILTER (WHERE m{a} <= m{b}), count(*) FILTER (WHERE m{a} < m{b}), "
        f"approx_quantile(m{b} - m{a}, 0.5)"
        for a, b in pairs
    ]
    found = opened.connection.execute(f"SELECT {', '.join(asked)} FROM {inner}").fetchone()
    after = {}
    for place, (a, b) in enumerate(pairs):
        both, never, before, days = found[4 * place : 4 * place + 4]
        if both >= _FEWEST and never >= _NEVER_BEFORE * both and before > both / 2:
            after[names[a], names[b]] = float(days)
    return spans, after


def clock_of(opened: OpenSource, cell: str, asking: Values, way: str) -> Clock | None:
    """Count the hours that clocks showed, and on which days which offsets from UTC were written."""
    shown = f"regexp_extract({cell}, '([0-9]{{1,2}}):[0-9]{{2}}', 1)"
    late = f"CASE WHEN regexp_matches({cell}, '(?i)[0-9] ?p\\.?m') THEN 12 ELSE 0 END"
    noon = f"CASE WHEN regexp_matches({cell}, '(?i)[0-9] ?[ap]\\.?m') THEN 12 ELSE 24 END"
    hour = f"TRY_CAST({shown} AS INT) % {noon} + {late}"
    offset = f"regexp_extract({cell}, ':[0-9]{{2}}([.,][0-9]+)? ?(Z|UTC|GMT|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$', 2)"
    day = f"CAST({moment(asking, way)} AS DATE)"
    read = f"SELECT {hour} AS hour, {offset} AS written, {day} AS day FROM {opened.relation} WHERE {cell} IS NOT NULL"
    by_hour = f"SELECT written, hour, count(*) FROM ({read}) WHERE hour IS NOT NULL GROUP BY 1, 2"
    hours = {(_minutes(written), int(at)): int(rows) for written, at, rows in opened.connection.execute(by_hour).fetchall()}
    if len({at for _, at in hours}) < _HOURS:
        return None  # days, or one hour for all
    if all(written is None for written, _ in hours):
        return Clock(hours)
    by_day = f"SELECT day, written, count(*) FROM ({read}) WHERE written <> '' GROUP BY 1, 2 ORDER BY hash(day) LIMIT {_DAYS}"
    listed = opened.connection.execute(by_day).fetchall()
    return Clock(hours, {(on, _minutes(written) or 0): int(rows) for on, written, rows in listed if on is not None})


def _minutes(offset: str | None) -> int | None:
    """Read an offset from UTC.

    >>> _minutes("-0530"), _minutes("Z"), _minutes("")
    (-330, 0, None)
    """
    if not offset:
        return None
    digits = re.sub(r"\D", "", offset).ljust(4, "0")
    return (int(digits[:2]) * 60 + int(digits[2:4])) * (-1 if offset.startswith("-") else 1)
