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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlglot import exp, parse_one

from staypower.errors import UsageError, nearest
from staypower.sources import expression_times as times
from staypower.sources.expression_writer import SIMPLER, Rule, Writer, is_number, shown
from staypower.sources.values import Value, ValueKind, as_flag, as_number, as_time, quoted_text

_LONGEST = 4000
_ALIKE = 0.75
_ODD_NAME = re.compile(r"[\s().\-/%]")


def _column(w: Writer, node: exp.Expression) -> Value:
    name = node.name
    if not isinstance(node.this, exp.Identifier):
        raise w.refuse("`*` is not allowed in an expression", "name a column")
    found = name if name in w.columns else _only_match(name, w.columns)
    if found is None:
        fix = f"{nearest(name, w.columns)}; for a constant text write '{name}' in quotes"
        raise w.refuse(f"the source has no column `{name}`", fix)
    w.used.add(found)
    value = w.columns[found]
    if value.kind == "other":
        raise w.refuse(f"column `{found}` holds lists, structures or binary values", "unpack it in the source first")
    return value


def _only_match(name: str, columns: Mapping[str, Value]) -> str | None:
    folded = [column for column in columns if column.casefold() == name.casefold()]
    return folded[0] if len(folded) == 1 else None


def _literal(w: Writer, node: exp.Expression) -> Value:
    if node.is_string:
        return Value(quoted_text(str(node.this)), "text", literal=str(node.this))
    if not is_number(str(node.this)):
        raise w.refuse(f"`{node.this}` is not a number", "write it as 12.5")
    return Value(str(node.this), "number", whole=str(node.this).isdigit())


def _boolean(_: Writer, node: exp.Expression) -> Value:
    return Value("TRUE" if node.this else "FALSE", "flag")


def _arithmetic(sign: str) -> Callable[[Writer, exp.Expression], Value]:
    def write(w: Writer, node: exp.Expression) -> Value:
        left, right = w.write(node.this), w.write(node.expression)
        if sign in "+-" and "interval" in (left.kind, right.kind):
            return _moved(w, left, right, sign)
        if sign == "-" and "time" in (left.kind, right.kind):
            return Value(f"({w.time(left)} - {w.time(right)})", "interval")
        return Value(f"({w.number(left)} {sign} {w.number(right)})", "number")

    return write


def _moved(w: Writer, left: Value, right: Value, sign: str) -> Value:
    if left.kind == right.kind == "interval":
        return Value(f"({left.sql} {sign} {right.sql})", "interval")
    if right.kind == "interval":
        return Value(f"({w.time(left)} {sign} {right.sql})", "time")
    if sign == "-":
        raise w.refuse("a time cannot be taken from a length of time", "write the time first")
    return Value(f"({w.time(right)} + {left.sql})", "time")


def _comparison(sign: str) -> Callable[[Writer, exp.Expression], Value]:
    def write(w: Writer, node: exp.Expression) -> Value:
        (left, right), _ = w.alike(w.all([node.this, node.expression]), ordered=sign not in ("=", "<>"))
        return Value(f"({left} {sign} {right})", "flag")

    return write


def _connected(word: str) -> Callable[[Writer, exp.Expression], Value]:
    def write(w: Writer, node: exp.Expression) -> Value:
        left, right = w.write(node.this), w.write(node.expression)
        return Value(f"({w.flag(left)} {word} {w.flag(right)})", "flag")

    return write


def _negated(w: Writer, node: exp.Expression) -> Value:
    return Value(f"(NOT {w.flag(w.write(node.this))})", "flag")


def _minus(w: Writer, node: exp.Expression) -> Value:
    value = w.write(node.this)
    return Value(f"(- {value.sql})", "interval") if value.kind == "interval" else Value(f"(- {w.number(value)})", "number")


def _in_list(w: Writer, node: exp.Expression) -> Value:
    (first, *rest), _ = w.alike(w.all([node.this, *node.expressions]))
    if not rest:
        raise w.refuse("the list is empty", "write `in (a, b)`")
    return Value(f"({first} IN ({', '.join(rest)}))", "flag")


def _between(w: Writer, node: exp.Expression) -> Value:
    (x, low, high), _ = w.alike(w.all([node.this, node.args["low"], node.args["high"]]), ordered=True)
    return Value(f"({x} BETWEEN {low} AND {high})", "flag")


def _like(word: str) -> Callable[[Writer, exp.Expression], Value]:
    def write(w: Writer, node: exp.Expression) -> Value:
        left, right = (w.as_string(value) for value in w.all([node.this, node.expression]))
        negate = "NOT " if node.args.get("negate") else ""
        return Value(f"({left} {negate}{word} {right})", "flag")

    return write


def _is(w: Writer, node: exp.Expression) -> Value:
    value = w.write(node.this)
    if isinstance(node.expression, exp.Null):
        return Value(f"({value.sql} IS NULL)", "flag")
    if isinstance(node.expression, exp.Boolean):
        return Value(f"({w.flag(value)} IS {'TRUE' if node.expression.this else 'FALSE'})", "flag")
    raise w.refuse("`is` goes with null, true or false only", "use `=`")


def _case(w: Writer, node: exp.Expression) -> Value:
    branches, subject = node.args["ifs"], node.this
    if subject is not None:
        (first, *others), _ = w.alike(w.all([subject, *(branch.this for branch in branches)]))
        conditions = [f"({first} = {other})" for other in others]
    else:
        conditions = [w.flag(w.write(branch.this)) for branch in branches]
    default = node.args.get("default")
    values = w.all([*(branch.args["true"] for branch in branches), *([default] if default is not None else [])])
    sqls, kind = w.alike(values)
    written = " ".join(f"WHEN {condition} THEN {sql}" for condition, sql in zip(conditions, sqls, strict=False))
    last = f" ELSE {sqls[-1]}" if default is not None else ""
    return Value(f"CASE {written}{last} END", kind)


def _if(w: Writer, node: exp.Expression) -> Value:
    condition = w.flag(w.write(node.this))
    other = node.args.get("false")
    sqls, kind = w.alike(w.all([node.args["true"], *([other] if other is not None else [])]))
    return Value(f"CASE WHEN {condition} THEN {sqls[0]}{f' ELSE {sqls[1]}' if other is not None else ''} END", kind)


def _of_alike(function: str, *, ordered: bool = False) -> Callable[[Writer, exp.Expression], Value]:
    def write(w: Writer, node: exp.Expression) -> Value:
        sqls, kind = w.alike(w.all([node.this, *node.expressions]), ordered=ordered)
        return Value(f"{function}({', '.join(sqls)})", kind)

    return write


def _nullif(w: Writer, node: exp.Expression) -> Value:
    original = w.write(node.this)
    (left, right), _ = w.alike([original, w.write(node.expression)])
    return Value(f"CASE WHEN {left} = {right} THEN NULL ELSE {original.sql} END", original.kind, whole=original.whole)


_CASTS: Mapping[str, ValueKind] = {
    **dict.fromkeys(("VARCHAR", "TEXT", "CHAR", "NVARCHAR"), "text"),
    **dict.fromkeys(("DOUBLE", "FLOAT", "DECIMAL", "INT", "BIGINT", "SMALLINT", "TINYINT", "INT128"), "number"),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMPNTZ", "DATETIME", "DATE"), "time"),
    "BOOLEAN": "flag",
}
_WHOLE = ("INT", "BIGINT", "SMALLINT", "TINYINT", "INT128")


def _cast(w: Writer, node: exp.Expression) -> Value:
    target = str(getattr(node.to, "this", node.to)).rpartition(".")[2].upper()  # type: ignore[attr-defined]
    lenient, value = isinstance(node, exp.TryCast), w.write(node.this)
    kind = _CASTS.get(target)
    if kind is None or node.to.args.get("nested"):  # type: ignore[attr-defined]
        raise w.refuse(f"a cast to {target.lower()} is not allowed", "use varchar, double, bigint, boolean, date or timestamp")
    if kind == "text":
        return Value(w.as_string(value), "text")
    if kind == "number":
        w.expect(value, ("number", "text", "flag", "nothing"), "a number")
        number = as_number(value, decimal=w.decimal, lenient=lenient)
        if target in _WHOLE:
            exact = value.sql if value.kind == "number" and value.whole else f"trunc({number})"
            return Value(f"{'TRY_CAST' if lenient else 'CAST'}({exact} AS BIGINT)", "number", whole=True)
        return Value(number, "number")
    if kind == "flag":
        w.expect(value, ("flag", "text", "number", "nothing"), "true or false")
        return Value(as_flag(value, lenient=lenient), "flag")
    w.expect(value, ("time", "text", "nothing"), "a time")
    time = as_time(value, lenient=lenient)
    return Value(f"date_trunc('day', {time})" if target == "DATE" else time, "time")


def _on_texts(function: str, keys: str, kind: ValueKind = "text") -> Callable[[Writer, exp.Expression], Value]:
    """Write a function whose arguments are texts, but for those marked with `#`, which are whole numbers."""

    def write(w: Writer, node: exp.Expression) -> Value:
        sqls = []
        for key in keys.split():
            given = node.args.get(key.lstrip("#"))
            if given is not None:
                value = w.write(given)
                sqls.append(f"CAST({w.number(value)} AS BIGINT)" if key.startswith("#") else w.as_string(value))
        return Value(f"{function}({', '.join(sqls)})", kind)

    return write


def _concat(w: Writer, node: exp.Expression) -> Value:
    return Value(f"concat({', '.join(w.as_string(value) for value in w.all(node.expressions))})", "text")


def _joined(w: Writer, node: exp.Expression) -> Value:
    left, right = (w.as_string(value) for value in w.all([node.this, node.expression]))
    return Value(f"({left} || {right})", "text")


def _on_number(function: str) -> Callable[[Writer, exp.Expression], Value]:
    def write(w: Writer, node: exp.Expression) -> Value:
        digits = node.args.get("decimals")
        more = f", CAST({w.number(w.write(digits))} AS INTEGER)" if digits is not None else ""
        return Value(f"{function}({w.number(w.write(node.this))}{more})", "number")

    return write


def _rule(write: Callable[[Writer, exp.Expression], Value], arguments: str = "this") -> Rule:
    return Rule(write, frozenset(arguments.split()))


_TWO = "this expression"
_RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "Column": _rule(_column),
        "Literal": _rule(_literal, "this is_string"),
        "Boolean": _rule(_boolean),
        "Null": _rule(lambda _w, _n: Value("NULL", "nothing"), ""),
        "Paren": _rule(lambda w, n: w.write(n.this)),
        "Add": _rule(_arithmetic("+"), _TWO),
        "Sub": _rule(_arithmetic("-"), _TWO),
        "Mul": _rule(_arithmetic("*"), _TWO),
        "Div": _rule(_arithmetic("/"), _TWO),
        "Mod": _rule(_arithmetic("%"), _TWO),
        "Neg": _rule(_minus),
        "EQ": _rule(_comparison("="), _TWO),
        "NEQ": _rule(_comparison("<>"), _TWO),
        "LT": _rule(_comparison("<"), _TWO),
        "LTE": _rule(_comparison("<="), _TWO),
        "GT": _rule(_comparison(">"), _TWO),
        "GTE": _rule(_comparison(">="), _TWO),
        "And": _rule(_connected("AND"), _TWO),
        "Or": _rule(_connected("OR"), _TWO),
        "Not": _rule(_negated),
        "In": _rule(_in_list, "this expressions"),
        "Between": _rule(_between, "this low high"),
        "Like": _rule(_like("LIKE"), "this expression negate"),
        "ILike": _rule(_like("ILIKE"), "this expression negate"),
        "Is": _rule(_is, _TWO),
        "Case": _rule(_case, "this ifs default"),
        "If": _rule(_if, "this true false"),
        "Coalesce": _rule(_of_alike("coalesce"), "this expressions"),
        "Least": _rule(_of_alike("least", ordered=True), "this expressions"),
        "Greatest": _rule(_of_alike("greatest", ordered=True), "this expressions"),
        "Nullif": _rule(_nullif, _TWO),
        "Cast": _rule(_cast, "this to"),
        "TryCast": _rule(_cast, "this to"),
        "StrToTime": _rule(times.parse_time, "this format"),
        "ParseTime": _rule(times.parse_time, "this format"),
        "try_parse_time()": _rule(times.try_parse_time, "this expressions"),
        "UnixToTime": _rule(times.from_epoch, "this scale"),
        "Interval": _rule(times.interval, "this unit"),
        "TimestampTrunc": _rule(times.truncated, "this unit"),
        "DateTrunc": _rule(times.truncated, "this unit unabbreviate"),
        "days_between()": _rule(times.days_between, "this expressions"),
        "ToDays": _rule(times.to_unit),
        **{f"to_{unit}s()": _rule(times.to_unit, "this expressions") for unit in times.UNITS},
        "Lower": _rule(_on_texts("lower", "this")),
        "Upper": _rule(_on_texts("upper", "this")),
        "Trim": _rule(_on_texts("trim", "this expression"), _TWO),
        "Length": _rule(_on_texts("length", "this", "number")),
        "Left": _rule(_on_texts("left", "this #expression"), _TWO),
        "Right": _rule(_on_texts("right", "this #expression"), _TWO),
        "Substring": _rule(_on_texts("substr", "this #start #length"), "this start length"),
        "Replace": _rule(_on_texts("replace", "this expression replacement"), "this expression replacement"),
        "StartsWith": _rule(_on_texts("starts_with", "this expression", "flag"), _TWO),
        "Contains": _rule(_on_texts("contains", "this expression", "flag"), _TWO),
        "Concat": _rule(_concat, "expressions"),
        "DPipe": _rule(_joined, _TWO),
        "Abs": _rule(_on_number("abs")),
        "Floor": _rule(_on_number("floor")),
        "Ceil": _rule(_on_number("ceil")),
        "Round": _rule(_on_number("round"), "this decimals"),
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
    except Exception as error:  # the parser has errors of its own kind, and faults on texts such as `a{:1}`
        fix = f"{nearest(text, columns)}; quote a name that has spaces or is a word of SQL with \", a text with '"
        raise UsageError.of("neither a source column nor an expression", f"{place}: {shown(text)}", fix) from error
    writer = Writer(_RULES, columns, place, text, decimal)
    try:
        return Compiled(writer.write(tree), frozenset(writer.used))
    except UsageError as error:
        # `MRR (EUR)` parses as a function, `Kunden-Nr` as a difference: what was meant is a column of nearly that name
        meant = difflib.get_close_matches(text, columns, n=1, cutoff=_ALIKE)
        if not meant or not _ODD_NAME.search(text):
            raise
        fix = f"write `{meant[0]}`"
        raise UsageError.of("no source column has this name", f"{place}: {shown(text)}", fix) from error
