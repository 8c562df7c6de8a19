"""How values that cannot be read as they stand could be read: each way is tried on all of them before it is offered."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from staypower.errors import UsageError
from staypower.results.numbers import plural
from staypower.sources.values import Value, quoted_name, quoted_text

__all__ = ["Values", "as_numbers", "as_times", "fix_numbers", "fix_times", "is_money", "without_signs", "written_name"]

_SAMPLE = 400
_FEW_WORDS = 5
_MOST_FORMATS = 8
_DATES = (
    *("%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%Y", "%d.%m.%y", "%d-%m-%Y", "%m-%d-%Y", "%d-%m-%y", "%m-%d-%y"),
    *("%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%d. %B %Y"),
    *("%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%a, %d %b %Y", "%Y-%m-%d", "%a %b %d %Y", "%m.%d.%Y"),
)
_CLOCKS = (
    *(
        "",
        " %H:%M",
        " %H:%M:%S",
        " %H:%M:%S.%g",
        " %I:%M %p",
        " %I:%M:%S %p",
        " %I:%M%p",
        ", %H:%M",
        ", %H:%M:%S",
        ", %I:%M %p",
    ),
    *(" %H:%M:%S %z", " %H:%M %z", "T%H:%M:%S", "T%H:%M", " at %I:%M %p", "%H%M%S", " %H.%M"),
)
_SIGN = r"(?:[^\w\s.,+-]|[A-Z]{3}|kr\.?|zł|Kč|Fr\.?|Rs\.?)"
# POL-000123 is a name
_MONEY = re.compile(rf"(?![^\W\d]+-)[+-]?\s*{_SIGN}?\s*[+-]?\d[\d.,'\s\u00a0\u202f]*\s*{_SIGN}?")
_LEADING = re.compile(r"\d{1,3}(\.0)?(\s*[-:.)]?\s*[^\W\d].*)?", re.S)
_SIGNS = re.compile(r"%[a-zA-Z]")
_SHAPES = {
    **dict.fromkeys("dmHIMSy", r"\d{1,2}"),
    **{"Y": r"\d{4}", "b": "[a-z]{3}", "B": "[a-z]{3,9}", "a": "[a-z]{3}", "p": "[ap]m", "g": r"\d+", "z": r"[+-]\d\d:?\d\d"},
}
_OF_SURVEYS = (
    ("very dissatisfied", "dissatisfied", "neutral", "satisfied", "very satisfied"),
    ("very unsatisfied", "unsatisfied", "neutral", "satisfied", "very satisfied"),
    ("strongly disagree", "disagree", "neutral", "agree", "strongly agree"),
    ("very poor", "poor", "fair", "good", "very good"),
    ("terrible", "bad", "okay", "good", "great"),
    ("poor", "fair", "good", "very good", "excellent"),
    ("bad", "good"),
    ("negative", "neutral", "positive"),
    ("detractor", "passive", "promoter"),
    ("no", "yes"),
    ("low", "medium", "high"),
)
# answers that were never given
_NO_ANSWER = frozenset({"unoffered", "offered", "not offered", "n/a", "na", "none", "unknown", "-", "not answered", "skipped"})


@dataclass(frozen=True)
class Values:
    """The values of one column, present ones only, and how to ask for them."""

    connection: Any
    name: str  # of the source column
    kind: str  # text or number
    select: str  # a query whose one column has that name
    decimal: str = "."  # the decimal sign that its source declares

    def sql(self, way: str, *, text: bool = False) -> str:
        """Write a way as SQL; an error when it is no expression here."""
        from staypower.sources.expressions import compile_expression  # the parser takes long to load

        kind: Any = "text" if text else self.kind
        columns = {self.name: Value(quoted_name(self.name), kind)}
        return compile_expression(way, columns, self.name, decimal=self.decimal).value.sql

    def sample(self) -> list[str]:
        """Return some distinct values as texts, spread over all of them."""
        name = quoted_name(self.name)
        distinct = f"SELECT DISTINCT CAST({name} AS VARCHAR) AS given FROM ({self.select})"
        sql = f"SELECT given FROM ({distinct}) ORDER BY hash(given) LIMIT {_SAMPLE}"
        return [str(row[0]) for row in self.connection.execute(sql).fetchall()]

    def reading(self, ways: Sequence[str], good: Callable[[str], str]) -> list[int]:
        """Count how many values each way reads."""
        counts = [f"count(*) FILTER (WHERE {good(f'TRY({self.sql(way)})')})" for way in ways]
        return [int(count) for count in self.connection.execute(f"SELECT {', '.join(counts)} FROM ({self.select})").fetchone()]

    def each(self, ways: Sequence[str], good: Callable[[str], str], among: Sequence[str]) -> list[list[bool]]:
        """Say for each of some values which ways read it."""
        read = [f"coalesce({good(f'TRY({self.sql(way, text=True)})')}, false)" for way in ways]
        listed = ", ".join(quoted_text(value) for value in among)
        sql = f"SELECT {', '.join(read)} FROM (SELECT unnest([{listed}]) AS {quoted_name(self.name)})"
        return [[bool(flag) for flag in row] for row in self.connection.execute(sql).fetchall()]

    def count(self) -> int:
        """Count the values."""
        return int(self.connection.execute(f"SELECT count(*) FROM ({self.select})").fetchone()[0])

    def working(self, ways: Sequence[str], good: Callable[[str], str]) -> list[str]:
        """Return the ways that read every value: a sample is asked first, and all values of the ways that are left."""
        sample = self.sample() if ways else []
        if not sample:
            return []
        read = zip(*self.each(ways, good, sample), strict=True)
        able = [way for way, column in zip(ways, read, strict=True) if all(column)]
        total = self.count()
        return [way for way, count in zip(able, self.reading(able, good), strict=True) if count == total] if able else []


def written_name(name: str) -> str:
    """Write a column's name as an expression takes it.

    >>> written_name("since"), written_name("when"), written_name("Satisfaction Score")
    ('since', '"when"', '"Satisfaction Score"')
    """
    if re.fullmatch(r"[A-Za-z_]\w*", name):
        from staypower.sources.expressions import compile_expression

        try:
            compiled = compile_expression(name, {name: Value("x", "text")}, name)
        except UsageError:
            return quoted_name(name)
        if compiled.used == {name}:
            return name
    return quoted_name(name)


def _is_time(sql: str) -> str:
    # a text that is no time is read by some formats as 1900
    return f"isfinite({sql}) AND year({sql}) BETWEEN 1901 AND 2199"


def _is_number(sql: str) -> str:
    return f"isfinite(CAST({sql} AS DOUBLE))"


@lru_cache(maxsize=1)
def _formats() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """List the known formats, each with the shape of a text that it may read."""
    forms = [date + clock for date in _DATES for clock in _CLOCKS]
    return tuple((form, re.compile(_SIGNS.sub(lambda sign: _SHAPES[sign[0][1]], re.escape(form)), re.I)) for form in forms)


def _possible(values: Iterable[str], *, every: bool) -> list[str]:
    """Return the formats whose shape every value has, or any."""
    given, wanted = [value.strip() for value in values], all if every else any
    return [form for form, shape in _formats() if wanted(shape.fullmatch(value) for value in given)]


def _counted(name: str, *, text: bool) -> dict[str, str]:
    """Write the ways to read numbers as times, and what each takes them for."""
    number = f"{name}::double" if text else name
    day = f"cast('1899-12-30' as timestamp) + to_days({number})"
    return {
        f"to_timestamp({number})": "seconds since 1970",
        f"epoch_ms({number})": "milliseconds since 1970",
        f"to_timestamp({number} / 1000000)": "microseconds since 1970",
        day: "a spreadsheet's number of days",
    }


# the numbers that each of the four ways stands for, from 1990 to 2100: what lies outside is something else
_SPANS = ((631152000, 4102444800), (631152000e3, 4102444800e3), (631152000e6, 4102444800e6), (32874, 73050))


def _numbers_as_times(values: Values) -> dict[str, str]:
    """Return how a column of numbers counts time, in words, where all lie in the span of one way."""
    name, text = written_name(values.name), values.kind == "text"
    number = f"TRY_CAST({quoted_name(values.name)} AS DOUBLE)"
    asked = f"SELECT min({number}), max({number}), count({number}) FROM ({values.select})"
    low, high, read = values.connection.execute(asked).fetchone()
    if low is None or read < values.count():
        return {}
    ways = zip(_counted(name, text=text).items(), _SPANS, strict=True)
    found = {way: words for (way, words), (first, last) in ways if first <= low and high <= last}
    day = f"parse_time({name if text else f'{name}::varchar'}, '%Y%m%d')"
    if not found and values.working([day], _is_time):
        found = {day: "days written together"}
    return found


def _formatted_times(values: Values) -> list[str]:
    """Return the formats that read every text."""
    name, forms = written_name(values.name), _possible(values.sample(), every=True)
    for written in (name, f"trim({name})"):
        found = values.working([f"parse_time({written}, '{form}')" for form in forms], _is_time)
        if found:
            return found
    return []


def as_times(values: Values) -> list[str]:
    """Return the expressions that read every value as a time, the best first; the name itself where nothing is needed."""
    if values.kind == "time":
        return [written_name(values.name)]
    counted = list(_numbers_as_times(values))
    if counted or values.kind != "text":
        return counted
    name = written_name(values.name)
    if values.working([f"try_cast({name} as timestamp)"], _is_time):
        return [name]
    found = _formatted_times(values)
    # an offset after a blank needs no format: the reader takes it as it stands
    return [name] if any("%Y-%m-%d %H:%M" in way and "%z" in way for way in found) else found


def fix_times(values: Values) -> str:
    """Say how texts or numbers could be read as times."""
    counted = _numbers_as_times(values)
    if counted:
        way, words = next(iter(counted.items()))
        return f"write `{way}` for {words}"
    if values.kind != "text":
        return "map a column of times"
    found = _formatted_times(values)
    return _either(found) if found else _mixed_times(values, written_name(values.name))


def _either(found: Sequence[str]) -> str:
    """Offer the way that reads all; both where day and month could be either."""
    first = found[0]
    other = next((way for way in _swapped(first) if way in found), None)
    if other is None:
        return f"write `{first}`"
    return f"write `{first}` when the day comes first, `{other}` when the month does"


def _swapped(way: str) -> list[str]:
    """Write a way with the month before the day."""
    return [way.replace(f"%d{sign}%m", f"%m{sign}%d") for sign in "/-." if f"%d{sign}%m" in way]


def _mixed_times(values: Values, name: str) -> str:
    """Name the formats that are mixed, and write the expression that reads each value by its own."""
    sample = values.sample()
    asis = f"try_cast({name} as timestamp)"
    ways = [asis, *(f"try_parse_time({name}, '{form}')" for form in _possible(sample, every=False))]
    left = values.each(ways, _is_time, sample)
    chosen: list[str] = []
    while left and len(chosen) < _MOST_FORMATS:
        counts = [sum(column) for column in zip(*left, strict=True)]
        best = counts.index(max(counts))
        if not counts[best]:
            break
        chosen.append(ways[best])
        left = [row for row in left if not row[best]]
    if not chosen:
        shown = ", ".join(repr(value) for value in sample[:3])
        return f"no format that is known reads {shown}: write `parse_time({name}, FORMAT)` with the format of the values"
    whole = chosen[0] if len(chosen) == 1 else f"coalesce({', '.join(chosen)})"
    unread = _unread(values, whole, _is_time)
    shown = ", ".join(repr(value) for value in unread[:3])
    mixed = f"{len(chosen)} formats are mixed: " if len(chosen) > 1 else ""
    if not unread:
        return mixed + _either(values.working([whole, *_swapped(whole)], _is_time))
    if all(not any(sign.isdigit() for sign in value) for value in unread) and len(unread) <= _FEW_WORDS:
        return f"{_blank(unread)}" + ("" if chosen == [asis] else f" and `{whole}`")
    return f"{mixed}no format reads {shown}; correct them in the source, or write `{whole}`, which leaves them missing"


def _unread(values: Values, way: str, good: Callable[[str], str]) -> list[str]:
    """Fetch a few distinct values that a way does not read."""
    given = quoted_name(values.name)
    unread = f"NOT coalesce({good(f'TRY({values.sql(way)})')}, false)"
    query = f"SELECT DISTINCT {given} FROM ({values.select}) WHERE {unread} LIMIT {2 * _FEW_WORDS}"
    return sorted(str(row[0]) for row in values.connection.execute(query).fetchall())


def _blank(words: Sequence[str]) -> str:
    listed = ", ".join('"' + word.strip().replace('"', '\\"') + '"' for word in words)
    return f"write `blank: [{listed}]` for words that mean missing"


def as_numbers(values: Values, *, money: bool = False) -> str:
    """Return the expression that reads every text as a number; empty where none does.

    With `money` only signs of money and per cent may stand beside the digits: `n12` is a name, not a number.
    """
    name, sample = written_name(values.name), values.sample()
    if not sample or not all(re.search(r"\d", value) for value in sample):
        return ""
    # what few values have, such as a sign between thousands, is often in no sample
    sample += _unread(values, f"try_cast({name} as double)", _is_number)
    if money and not all(is_money(value) for value in sample):
        return ""
    ways = [*without_signs(name, sample, values.decimal)]
    # 10 - Extremely likely
    if all(_LEADING.fullmatch(value.strip()) for value in sample):
        ways += [f"try_cast(left({name}, {count}) as double)" for count in (3, 2, 1)]
    return next((way for way in ways if values.working([way], _is_number)), "")


def fix_numbers(values: Values) -> str:
    """Say how texts could be read as numbers."""
    name, sample = written_name(values.name), values.sample()
    plain = f"try_cast({name} as double)"
    words = _unread(values, plain, _is_number)
    some = values.reading([plain], _is_number)[0]
    worded = [value for value in words if not any(sign.isdigit() for sign in value)]
    if some and len(worded) == len(words) <= _FEW_WORDS:
        return _blank(words)
    way = as_numbers(values)
    if way:
        return f"write `{way}`"
    digits = f"SELECT * FROM ({values.select}) WHERE regexp_matches({quoted_name(values.name)}, '[0-9]')"
    way = as_numbers(replace(values, select=digits)) if 0 < len(worded) <= _FEW_WORDS else ""
    if way.startswith("try_cast("):
        return f"write `{way}`, which leaves {', '.join(map(repr, worded))} missing"
    if way:
        return f"{_blank(worded)} and `{way}`"
    if not some and not any(sign.isdigit() for value in sample for sign in value) and len(sample) <= 12:
        return _case(name, sample)
    shown = ", ".join(repr(value) for value in words[:3])
    return f"write `{plain}`, which leaves {shown} missing" if some else f"map a column of numbers: {shown} are none"


def is_money(text: str) -> bool:
    """Say whether a text is a number with nothing beside it but signs of money or per cent, blanks and thousands signs.

    >>> is_money("$1,188.00"), is_money("1.188,00 EUR"), is_money("n12"), is_money("12"), is_money("POL-007")
    (True, True, False, True, False)
    """
    return _MONEY.fullmatch(text.strip()) is not None


def without_signs(name: str, sample: Sequence[str], decimal: str = ".") -> Iterator[str]:
    """Write expressions of a column without the currency, unit and thousands signs of a sample."""
    signs = {part.strip() for value in sample for part in re.split(r"[\d.,+-]+", value)} - {""}
    blanks = [sign for sign in (" ", "\u00a0", "\u202f", "'") if any(sign in value.strip() for value in sample)]
    if len(signs) > _FEW_WORDS or any(len(sign) > 12 for sign in signs):
        return
    bare = name
    for sign in (*sorted(signs - set(blanks), key=lambda sign: (-len(sign), sign)), *blanks):
        bare = f"replace({bare}, {quoted_text(sign)}, '')"
    without_comma = f"replace({bare}, ',', '')"
    # 1.188,00: the comma is the decimal sign where it is followed by other than three digits, or stands after a dot
    comma_last = any(re.search(r"\.\d{3},|,\d{1,2}\b(?!\d)|,\d{4,}", value) for value in sample)
    german = f"replace(replace({bare}, '.', ''), ',', '.')"
    if decimal == ",":
        tried = [bare, f"replace({bare}, '.', ',')", f"replace(replace({bare}, ',', ''), '.', ',')"]
    else:
        tried = [bare, german if comma_last else without_comma]
    yield from (f"cast({way} as double)" for way in tried)


def _case(name: str, sample: Sequence[str]) -> str:
    """Give each word of a scale its number; the words of no answer none."""
    answers = sorted({value.strip() for value in sample if value.strip().lower() not in _NO_ANSWER})
    plain = {word: word.lower().removesuffix(" with comment") for word in answers}
    known = min((scale for scale in _OF_SURVEYS if set(plain.values()) <= set(scale)), key=len, default=None)
    first = 0 if known is None or len(known) <= 2 else 1
    ordered = sorted(answers, key=lambda word: known.index(plain[word])) if known else answers
    numbers = [known.index(plain[word]) + first if known else place + 1 for place, word in enumerate(ordered)]
    branches = " ".join(f"when {quoted_text(word)} then {number}" for word, number in zip(ordered, numbers, strict=True))
    words = f"write `case {name} {branches} end`"
    return words if known else f"{words} with the number that each of the {plural(len(ordered), 'word')} stands for"
