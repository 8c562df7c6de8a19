"""Walk the tree of an expression: only nodes that have a rule pass, each with the kind of value that it yields."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from staypower.errors import UsageError
from staypower.sources.values import Value, ValueKind, as_flag, as_number, as_text, as_time

SIMPLER = "prepare the column in the source"
# Arguments that carry no meaning of their own: how sqlglot remembers dialects.
_SILENT = frozenset({"safe", "typed", "ignore_nulls", "coalesce", "quoted", "big_int", "requires_string"})
_TIME_TEXT = re.compile(r"^\d{4}-\d{1,2}-\d{1,2}")
_DEEPEST = 60


@dataclass(frozen=True)
class Rule:
    """How a node is written, and which of its arguments it may carry."""

    write: Callable[[Writer, exp.Expression], Value]
    arguments: frozenset[str]


def shown(text: str) -> str:
    """Quote an expression for a message, cut when it is long.

    >>> shown("a + b")
    "'a + b'"
    """
    return repr(text if len(text) <= 80 else text[:77] + "...")


@dataclass
class Writer:
    """Walks one tree; refuses by naming what it met."""

    rules: Mapping[str, Rule]  # by class of node; a function that the parser does not know is `name()`
    columns: Mapping[str, Value]
    place: str  # where the expression stands, and the expression, for messages
    text: str  # where the expression stands, and the expression, for messages
    decimal: str
    used: set[str] = field(default_factory=set)  # source columns that were met
    depth: int = 0

    def write(self, node: object) -> Value:
        """Write a node, and all below it."""
        if not isinstance(node, exp.Expression):
            raise self.refuse("an incomplete expression", "complete it")
        name = type(node).__name__
        if name == "Anonymous":
            name = f"{str(node.this).lower()}()"
        rule = self.rules.get(name)
        if rule is None:
            raise self.refuse(
                f"{_words(node)} is not allowed in an expression", "use what docs/inputs.md lists under Expressions"
            )
        extra = [key for key, given in node.args.items() if given and key not in rule.arguments and key not in _SILENT]
        if extra:
            raise self.refuse(f"{_words(node)} with {', '.join(extra)} is not allowed", "write it more simply")
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.refuse("the expression is too deeply nested", SIMPLER)
        written = rule.write(self, node)
        self.depth -= 1
        return written

    def refuse(self, problem: str, fix: str) -> UsageError:
        """Make the error that names the expression."""
        return UsageError.of(problem, f"{self.place}: {shown(self.text)}", fix)

    def all(self, nodes: Sequence[object]) -> list[Value]:
        """Write several nodes."""
        return [self.write(node) for node in nodes]

    def number(self, value: Value) -> str:
        """Write a value as a number."""
        self.expect(value, ("number", "text", "flag", "interval", "nothing"), "a number")
        return as_number(value, decimal=self.decimal)

    def time(self, value: Value) -> str:
        """Write a value as a time."""
        self.expect(value, ("time", "text", "nothing"), "a time")
        return as_time(value)

    def flag(self, value: Value) -> str:
        """Write a value as true or false."""
        self.expect(value, ("flag", "text", "number", "nothing"), "true or false")
        return as_flag(value)

    def as_string(self, value: Value) -> str:
        """Write a value as text."""
        self.expect(value, ("text", "number", "flag", "time", "nothing"), "a text")
        return as_text(value)

    def expect(self, value: Value, kinds: Sequence[ValueKind], wanted: str) -> None:
        """Refuse a value of another kind."""
        if value.kind not in kinds:
            raise self.refuse(f"{_KIND_WORDS[value.kind]} is given where {wanted} is needed", "cast it, or use another column")

    def alike(self, values: Sequence[Value], *, ordered: bool = False) -> tuple[list[str], ValueKind]:
        """Bring values to the one kind that they share."""
        kinds: set[ValueKind] = {value.kind for value in values if value.kind != "nothing"}
        sized = kinds - {"text"}
        if len(sized) > 1 and sized not in ({"number", "flag"}, {"number", "interval"}):
            raise self.refuse(f"{' and '.join(_KIND_WORDS[k] for k in sorted(kinds))} do not go together", "cast one of them")
        kind: ValueKind = "number" if "number" in sized else next(iter(sized), "text")
        if not sized and ordered:
            kind = self.size_of_texts(values)
        if kind == "interval" and "text" in kinds:
            raise self.refuse("a length of time and a text do not go together", "write interval '5 minutes'")
        convert: dict[ValueKind, Callable[[Value], str]] = {
            "number": self.number,
            "time": self.time,
            "flag": self.flag,
            "text": self.as_string,
        }
        return [convert[kind](value) if kind in convert else value.sql for value in values], kind

    def size_of_texts(self, values: Sequence[Value]) -> ValueKind:
        """Say how texts are compared by size: the kind of the constant decides."""
        literals = [value.literal for value in values if value.literal is not None]
        if literals and all(_TIME_TEXT.match(literal) for literal in literals):
            return "time"
        if literals and all(is_number(literal) for literal in literals):
            return "number"
        if not literals:
            raise self.refuse("two text columns are compared by size", "cast them: `a::double < b::double` or `a::timestamp`")
        return "text"


_KIND_WORDS: Mapping[ValueKind, str] = {
    "text": "a text",
    "number": "a number",
    "time": "a time",
    "flag": "true or false",
    "interval": "a length of time",
    "nothing": "nothing",
    "other": "a list, structure or binary value",
}


def is_number(text: str) -> bool:
    """Say whether a text is a finite number.

    >>> is_number("1e3"), is_number("inf")
    (True, False)
    """
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _words(node: exp.Expression) -> str:
    if isinstance(node, exp.Anonymous):
        return f"the function `{node.this}`"
    if isinstance(node, exp.Func):
        return f"the function `{node.sql_name().lower()}`"
    return f"`{type(node).__name__.lower()}`"
