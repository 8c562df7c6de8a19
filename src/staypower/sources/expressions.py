"""Expressions of the mapping: parsed, checked against an allow-list, and written anew.

The user's text never reaches the database. It is parsed into a tree; each node must be of a class named here and carry
only arguments named here; the SQL is written from the tree, with every identifier quoted and every constant escaped. What
is not named is refused: subqueries, statements, parameters, other functions, macros.

Text is given a kind where it meets one: in `amount * 2` a text column is read as a number, in `created + to_minutes(5)` as
a time. Where two text columns are compared by size a cast is asked for.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from staypower.errors import UsageError, nearest
from staypower.sources.expression_rules import RULES
from staypower.sources.expression_writer import SIMPLER, Writer, shown
from staypower.sources.values import Value

__all__ = ["ALLOWED_FUNCTIONS", "Compiled", "compile_expression"]

_LONGEST = 4000
_ALIKE = 0.75
_ODD_NAME = re.compile(r"[\s().\-/%]")

ALLOWED_FUNCTIONS: Mapping[str, str] = MappingProxyType(
    {
        "cast(x as type)": "`x` as varchar, double, bigint, boolean, date or timestamp; also `x::type`",
        "try_cast(x as type)": "the same, missing where it cannot be done",
        "case when .. then .. else .. end": "the first branch whose condition is true; also `if(condition, a, b)`",
        "coalesce(a, b, ..)": "the first that is not missing",
        "nullif(a, b)": "missing where `a` equals `b`",
        "parse_time(text, format)": "a time written otherwise than ISO, such as `parse_time(day, '%d/%m/%Y')`; also `strptime`",
        "to_timestamp(n), epoch_ms(n)": "a time given as seconds or milliseconds since 1970",
        "to_seconds(n) .. to_years(n)": "seconds, minutes, hours, days, weeks, months or years to add to a time",
        "interval '5 minutes'": "the same as a constant",
        "date_trunc('month', t)": "the start of the year, quarter, month, week, day, hour or minute",
        "lower, upper, trim, length": "of a text; `trim(text, characters)` too",
        "left(text, n), right(text, n), substr(text, from, n)": "parts of a text",
        "replace(text, a, b), concat(a, ..), a || b": "other texts",
        "starts_with(text, a), contains(text, a)": "true or false",
        "abs, floor, ceil, round(n, digits)": "of a number",
        "least(a, ..), greatest(a, ..)": "the smallest or largest that is not missing",
    }
)


@dataclass(frozen=True)
class Compiled:
    """An expression that is safe to run."""

    value: Value  # its SQL and kind
    used: frozenset[str]  # the source columns that it reads


def compile_expression(text: str, columns: Mapping[str, Value], place: str, *, decimal: str = ".") -> Compiled:
    """Turn an expression of the mapping into SQL.

    >>> columns = {"amount": Value('"amount"', "text")}
    >>> compile_expression("amount * 2", columns, "orders.amount").value.sql
    '(CAST("amount" AS DOUBLE) * CAST(2 AS DOUBLE))'
    """
    if len(text) > _LONGEST:
        raise UsageError.of(f"the expression is longer than {_LONGEST} characters", place, SIMPLER)
    try:
        tree = parse_one(text, dialect="duckdb", into=exp.Condition)
    except RecursionError as error:
        raise UsageError.of("the expression is too deeply nested", f"{place}: {shown(text)}", SIMPLER) from error
    except SqlglotError as error:
        fix = f"{nearest(text, columns)}; quote a name that has spaces or is a word of SQL with \", a text with '"
        raise UsageError.of("neither a source column nor an expression", f"{place}: {shown(text)}", fix) from error
    writer = Writer(RULES, columns, place, text, decimal)
    try:
        return Compiled(writer.write(tree), frozenset(writer.used))
    except UsageError as error:
        # `MRR (EUR)` parses as a function, `Kunden-Nr` as a difference: what was meant is a column of nearly that name
        meant = difflib.get_close_matches(text, columns, n=1, cutoff=_ALIKE)
        if not meant or not _ODD_NAME.search(text):
            raise
        fix = f"write `{meant[0]}`"
        raise UsageError.of("no source column has this name", f"{place}: {shown(text)}", fix) from error
