"""Values inside a query: their kinds, and how one kind becomes another in SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from staypower.schemas import FALSE_WORDS, TRUE_WORDS

ValueKind = Literal["text", "number", "time", "flag", "interval", "nothing", "other"]

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")
# dots are thousands signs only where three digits follow each
DECIMAL_COMMA = r"[+-]?([0-9]{1,3}(\.[0-9]{3})+|[0-9]*)(,[0-9]*)?([eE][+-]?[0-9]+)?"
_FRACTIONS = ("FLOAT", "DOUBLE", "DECIMAL")


@dataclass(frozen=True)
class Value:
    """A piece of SQL whose kind is known.

    >>> Value(quoted_name('a"b'), "text").sql
    '"a""b"'
    """

    sql: str  # emitted by this package from a validated tree; never the user's text
    kind: ValueKind  # what it yields
    whole: bool = False  # A number of an integer type, exact at any length
    literal: str | None = None  # the text of a text constant


def quoted_name(name: str) -> str:
    """Quote an identifier.

    >>> quoted_name("unit price")
    '"unit price"'
    """
    return '"' + name.replace('"', '""') + '"'


def quoted_text(text: str) -> str:
    """Quote a text constant.

    >>> quoted_text("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def kind_of(duckdb_type: str) -> tuple[ValueKind, bool]:
    """Say the kind of a DuckDB type, and whether it is a whole number.

    >>> kind_of("DECIMAL(18,3)"), kind_of("TIMESTAMP WITH TIME ZONE"), kind_of("UBIGINT")
    (('number', False), ('time', False), ('number', True))
    """
    name = duckdb_type.upper()
    if name.endswith("]") or name.startswith(("STRUCT", "MAP", "UNION", "LIST", "BLOB", "BIT", "JSON")):
        return "other", False
    if name.startswith(("TIMESTAMP", "DATE")):
        return "time", False
    if name == "BOOLEAN":
        return "flag", False
    if name.startswith("INTERVAL"):
        return "interval", False
    plain = name.removeprefix("U")
    if plain.startswith(_NUMBERS):
        return "number", not plain.startswith(_FRACTIONS)
    return "text", False


def as_text(value: Value) -> str:
    """Write a value as text; a whole number held as a fraction loses its `.0`.

    >>> as_text(Value("n", "number", whole=True))
    'CAST(n AS VARCHAR)'
    """
    if value.kind == "text":
        return value.sql
    if value.kind == "number" and not value.whole:
        number = f"CAST({value.sql} AS DOUBLE)"
        return (
            f"CASE WHEN isfinite({number}) AND {number} = trunc({number}) AND abs({number}) < 1e18 "
            f"THEN CAST(CAST({number} AS BIGINT) AS VARCHAR) WHEN isfinite({number}) THEN CAST({number} AS VARCHAR) END"
        )
    return f"CAST({value.sql} AS VARCHAR)"


def as_number(value: Value, *, decimal: str = ".", lenient: bool = False) -> str:
    """Write a value as a double; a length of time is a number of days.

    >>> as_number(Value("x", "text"))
    'CAST(x AS DOUBLE)'
    """
    cast = "TRY_CAST" if lenient else "CAST"
    if value.kind == "interval":
        return f"(epoch({value.sql}) / 86400)"
    if value.kind == "text":
        if decimal != ",":
            return f"{cast}({value.sql} AS DOUBLE)"
        read = f"{cast}(replace(replace({value.sql}, '.', ''), ',', '.') AS DOUBLE)"
        # an English 12.50 must not become 1250
        other = "NULL" if lenient else f"CAST(concat({value.sql}, ' is not written with a decimal comma') AS DOUBLE)"
        comma = f"regexp_full_match(trim({value.sql}), {quoted_text(DECIMAL_COMMA)})"
        return f"CASE WHEN {value.sql} IS NULL THEN NULL WHEN {comma} THEN {read} ELSE {other} END"
    return f"CAST({value.sql} AS DOUBLE)"


def as_time(value: Value, *, lenient: bool = False) -> str:
    """Write a value as a time in UTC; in a text an offset may follow a blank, as in `2024-01-05 22:10:00 -0500`.

    >>> as_time(Value("x", "time"))
    'x'
    """
    if value.kind == "time":
        return value.sql
    text = value.sql
    if value.kind == "text":
        joined = f"regexp_replace({text}, '^(.*[0-9]) ([+-][0-9]{{2}}:?[0-9]{{2}})$', '\\1\\2')"
        text = f"CASE WHEN contains({text}, ' +') OR contains({text}, ' -') THEN {joined} ELSE {text} END"
    return f"{'TRY_CAST' if lenient else 'CAST'}({text} AS TIMESTAMPTZ)"


def as_flag(value: Value, *, lenient: bool = False) -> str:
    """Write a value as a flag: true, t, yes, y, 1 and false, f, no, n, 0 in any case.

    >>> as_flag(Value("x", "flag"))
    'x'
    """
    if value.kind == "flag":
        return value.sql
    text = f"lower(trim({as_text(value)}))"
    true, false = (", ".join(quoted_text(word) for word in words) for words in (TRUE_WORDS, FALSE_WORDS))
    other = "NULL" if lenient else f"CAST({text} AS BOOLEAN)"
    return f"CASE WHEN {text} IN ({true}) THEN TRUE WHEN {text} IN ({false}) THEN FALSE ELSE {other} END"
