"""How expressions write times and lengths of time."""

from __future__ import annotations

from sqlglot import exp

from staypower.sources.expression_writer import Writer
from staypower.sources.values import Value, as_number, quoted_text

__all__ = ["UNITS", "days_between", "from_epoch", "interval", "parse_time", "to_unit", "truncated", "try_parse_time"]

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
UNITS = (*_SECONDS, *_MONTHS)
_TRUNC = frozenset({"year", "quarter", "month", "week", "day", "hour", "minute"})


def parse_time(w: Writer, node: exp.Expression) -> Value:
    """Read a text by a format; an error where it does not fit."""
    return _parsed(w, node.this, node.args["format"], "strptime")


def try_parse_time(w: Writer, node: exp.Expression) -> Value:
    """Read a text by a format; missing where it does not fit."""
    if len(node.expressions) != 2:
        raise w.refuse("try_parse_time takes a text and a format", "write try_parse_time(column, '%d/%m/%Y')")
    return _parsed(w, node.expressions[0], node.expressions[1], "try_strptime")


def _parsed(w: Writer, given: object, form: object, function: str) -> Value:
    text = w.as_string(w.write(given))
    if not isinstance(form, exp.Literal) or not form.is_string:
        raise w.refuse("the format of a time is a constant text", "write parse_time(column, '%d/%m/%Y')")
    return Value(f"CAST({function}({text}, {quoted_text(str(form.this))}) AS TIMESTAMPTZ)", "time")


def from_epoch(w: Writer, node: exp.Expression) -> Value:
    """Read seconds or milliseconds since 1970."""
    scale = node.args.get("scale")
    if scale is not None and str(scale.this) not in ("0", "3"):
        raise w.refuse("only seconds and milliseconds since 1970 are read", "divide the number first")
    factor = 1000 if scale is not None and str(scale.this) == "3" else 1_000_000
    return Value(f"make_timestamptz(CAST(round({w.number(w.write(node.this))} * {factor}) AS BIGINT))", "time")


def _length_of_time(w: Writer, number: str, unit: str) -> Value:
    unit = unit.lower().removesuffix("s")
    if unit in _SECONDS:
        return Value(f"to_microseconds(CAST(round({number} * {_SECONDS[unit] * 1_000_000}) AS BIGINT))", "interval")
    if unit in _MONTHS:
        return Value(f"to_months(CAST(round({number} * {_MONTHS[unit]}) AS INTEGER))", "interval")
    raise w.refuse(f"`{unit}` is not a unit of time", "use second, minute, hour, day, week, month or year")


def days_between(w: Writer, node: exp.Expression) -> Value:
    """Take the days between two times."""
    if len(node.expressions) != 2:
        raise w.refuse("days_between takes two times", "write days_between(earlier, later)")
    earlier, later = (w.time(value) for value in w.all(node.expressions))
    return Value(as_number(Value(f"({later} - {earlier})", "interval")), "number")


def to_unit(w: Writer, node: exp.Expression) -> Value:
    """Make a length of time of a number."""
    named = isinstance(node, exp.Anonymous)
    unit = (str(node.this) if named else type(node).__name__).lower().removeprefix("to").removeprefix("_")
    operands = node.expressions if named else [node.this]
    if len(operands) != 1:
        raise w.refuse(f"to_{unit} takes one number", f"write to_{unit}(5)")
    return _length_of_time(w, w.number(w.write(operands[0])), unit)


def interval(w: Writer, node: exp.Expression) -> Value:
    """Write a constant length of time."""
    unit = node.args.get("unit")
    if unit is None:
        raise w.refuse("the interval has no unit", "write interval '5 minutes'")
    return _length_of_time(w, w.number(w.write(node.this)), str(unit.this))


def truncated(w: Writer, node: exp.Expression) -> Value:
    """Cut a time down to a unit."""
    unit = str(node.args["unit"].this).lower()
    if unit not in _TRUNC:
        raise w.refuse(f"date_trunc does not know `{unit}`", "use year, quarter, month, week, day, hour or minute")
    return Value(f"date_trunc({quoted_text(unit)}, {w.time(w.write(node.this))})", "time")
