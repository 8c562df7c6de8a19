"""Turn what pydantic refuses, and what it would quietly convert, into problems: problem, value with its line, fix."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, BeforeValidator, PlainValidator, WrapValidator
from pydantic.fields import FieldInfo

from staypower.config.reading import Value
from staypower.errors import Problem, nearest

_PLAIN: Mapping[str, tuple[str, str]] = {
    "int": ("not a whole number", "write a whole number such as 30, without quotes"),
    "float": ("not a number", "write a number such as 0.5, without quotes"),
    "finite": ("not a finite number", "write a number such as 0.5"),
    "bool": ("neither true nor false", "write `true` or `false`; yes, no, on and off are text"),
    "date": ("not a date", "write it as 2025-07-01"),
    "datetime": ("not a time", "write it as 2025-07-01T12:00"),
    "list": ("not a list", "write it as `[one, two]`"),
    "tuple": ("not a list", "write it as `[one, two]`"),
    "set": ("not a list", "write it as `[one, two]`"),
    "frozenset": ("not a list", "write it as `[one, two]`"),
    "dict": ("not a mapping", "write `key: value` pairs under it"),
}
_BOUNDS: Mapping[str, tuple[str, str, str]] = {
    "greater_than_equal": ("too small", "give at least {}", "ge"),
    "greater_than": ("too small", "give more than {}", "gt"),
    "less_than_equal": ("too large", "give at most {}", "le"),
    "less_than": ("too large", "give less than {}", "lt"),
    "too_short": ("too few entries", "give at least {}", "min_length"),
    "too_long": ("too many entries", "give at most {}", "max_length"),
    "string_too_short": ("too short", "give at least {} characters", "min_length"),
    "string_too_long": ("too long", "give at most {} characters", "max_length"),
}


@dataclass(frozen=True)
class Origins:
    """Where each setting came from.

    >>> Origins("acme.yaml", {"label": 3}).of("label.horizon")
    'acme.yaml, line 3'
    """

    name: str = "config"  # the config file
    lines: Mapping[str, int] = field(default_factory=dict)  # the line of each dotted path
    overridden: Sequence[str] = ()  # the dotted paths given by `--set`

    def of(self, path: str) -> str:
        """Say where a dotted path, or else the nearest part above it, was written."""
        parts = path.split(".")
        for count in range(len(parts), 0, -1):
            above = ".".join(parts[:count])
            if above in self.overridden:
                return "--set"
            if above in self.lines:
                return f"{self.name}, line {self.lines[above]}" if self.lines[above] else self.name
        return self.name

    def written(self, path: str) -> str | None:
        """Say where exactly this path, or something it lies in that was given whole, was written; None for a default."""
        if path in self.overridden or path in self.lines:
            return self.of(path)
        return None


def problem_of(error: Mapping[str, Any], raw: Value, model: object, origins: Origins, prefix: str) -> Problem:
    """Turn one pydantic error into a problem."""
    kind = str(error["type"])
    inner = _path_in(error["loc"], raw, keep_last=kind == "missing")
    path = ".".join([*([prefix] if prefix else []), *inner])
    if kind == "extra_forbidden":
        return _unknown_setting(path, inner, raw, model, origins)
    if kind in ("missing", "union_tag_not_found"):
        return _missing_key(kind, error, path, model, origins)
    if kind == "union_tag_invalid":
        path, error = f"{path}.{_tag_name(error)}", {**error, "input": error["ctx"]["tag"]}
    given = "" if isinstance(error.get("input"), dict) else f" = {_show(error.get('input'))}"
    shown = f"`{path}`{given} ({origins.of(path)})"
    problem, fix = _words(kind, error, path, known_keys(model, inner, raw))
    return Problem(problem, shown, fix)


def _unknown_setting(path: str, inner: Sequence[str], raw: Value, model: object, origins: Origins) -> Problem:
    """Name the nearest key, or say that the key belongs to another kind of the same section."""
    known, elsewhere = known_keys(model, inner[:-1], raw), known_keys(model, inner[:-1])
    if inner[-1] in elsewhere and inner[-1] not in known:
        return Problem(
            "key of another kind", f"`{path}` ({origins.of(path)})", f"leave it out; here {nearest('', known, count=8)}"
        )
    return unknown_key(path, known, origins)


def _missing_key(kind: str, error: Mapping[str, Any], path: str, model: object, origins: Origins) -> Problem:
    choices = ""
    if kind == "union_tag_not_found":
        path = f"{path}.{_tag_name(error)}"
        kinds = [str(field.default) for one in models_of(model) for field in one.model_fields.values() if is_kind(field)]
        choices = f"; {nearest('', kinds)}"
    above, _, name = path.rpartition(".")
    return Problem("missing key", f"`{path}` ({origins.of(path)})", f"add `{name}: ...` to `{above or 'the config'}`{choices}")


def _tag_name(error: Mapping[str, Any]) -> str:
    return str(error["ctx"]["discriminator"]).strip("'")


def merge_problems(problems: Sequence[Problem]) -> list[Problem]:
    """Name one value once: pydantic complains for each alternative that the value might have been.

    >>> print(*merge_problems([Problem("not a list", "`a`", "write a list"), Problem("not `all`", "`a`", "write `all`")]))
    not a list: `a`. Fix: write a list, or write `all`.
    """
    merged: dict[str, Problem] = {}
    for problem in problems:
        first = merged.setdefault(problem.value, problem)
        if problem.fix not in first.fix:
            merged[problem.value] = Problem(first.problem, first.value, f"{first.fix.rstrip('.')}, or {problem.fix}")
    return list(merged.values())


def unknown_key(path: str, known: Sequence[str], origins: Origins) -> Problem:
    """Build the problem of a key that no setting has, with the nearest right one.

    >>> print(unknown_key("label.horzon", ["horizon", "gap"], Origins("acme.yaml")))
    unknown key: `label.horzon` (acme.yaml). Fix: write `horizon`.
    """
    return Problem("unknown key", f"`{path}` ({origins.of(path)})", nearest(path.rpartition(".")[2], known, count=8))


def _words(kind: str, error: Mapping[str, Any], path: str, known: Sequence[str]) -> tuple[str, str]:
    context = error.get("ctx") or {}
    if kind in ("literal_error", "enum", "union_tag_invalid"):
        choices = re.findall(r"'([^']*)'", str(context.get("expected") or context.get("expected_tags")))
        given = error.get("input")
        return "not one of the choices", nearest(given, choices) if isinstance(given, str) else nearest("", choices)
    if kind in _BOUNDS:
        problem, fix, name = _BOUNDS[kind]
        return problem, fix.format(context.get(name))
    if kind == "string_type":
        given = error.get("input")
        return "not text", "write one text" if isinstance(given, (list, dict)) else f"put it in quotes: `'{given}'`"
    if kind.startswith(("model_", "dataclass_")):
        return "not a mapping", f"write `key: value` pairs under it; {nearest('', known, count=8)}"
    plain = _PLAIN.get(kind.partition("_")[0])
    if plain is not None:
        return plain
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    problem, _, fix = message.partition(" Fix: ")
    return problem.rstrip("."), fix or f"change `{path}` as docs/configuration.md describes it"


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _path_in(location: Sequence[str | int], raw: Value, *, keep_last: bool) -> list[str]:
    """Keep the parts of a location that are in the data: pydantic adds the names of union members between them."""
    parts: list[str] = []
    at: Value = raw
    for number, part in enumerate(location):
        if isinstance(at, dict) and str(part) in at:
            at = at[str(part)]
        elif isinstance(at, list) and isinstance(part, int) and part < len(at):
            at = at[part]
        elif not (keep_last and number == len(location) - 1):
            continue
        parts.append(str(part))
    return parts


def known_keys(model: object, path: Sequence[str], raw: Value = None) -> list[str]:
    """List the keys that the settings at a path have."""
    found: list[str] = []
    for settings in models_of(model, raw):
        annotations = {inner.alias or name: inner.annotation for name, inner in settings.model_fields.items()}
        if not path:
            found += annotations
        elif path[0] in annotations:
            found += known_keys(annotations[path[0]], path[1:], _inside(raw, path[0]))
    if not found and not path and typing.get_origin(model) in (tuple, list):
        return known_keys(typing.get_args(model)[0], path, raw)  # one mapping where a list of them may stand
    if not found and path:
        for inside in typing.get_args(model):
            found += known_keys(inside, path[1:], _inside(raw, path[0])) or known_keys(inside, path, raw)
    return list(dict.fromkeys(found))


def _inside(raw: Value, key: str) -> Value:
    if isinstance(raw, dict):
        return raw.get(key)
    return raw[int(key)] if isinstance(raw, list) and key.isdecimal() and int(key) < len(raw) else None


def models_of(annotation: object, raw: Value = None) -> list[type[BaseModel]]:
    """List the settings classes that a value may be, looking through unions, without those of another kind than `raw` has."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation] if _may_be(annotation, raw) else []
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType, typing.Annotated):
        return [model for part in typing.get_args(annotation) for model in models_of(part, raw)]
    return []


def _may_be(model: type[BaseModel], raw: Value) -> bool:
    if not isinstance(raw, dict):
        return True
    kinds = {name: typing.get_args(field.annotation) for name, field in model.model_fields.items() if is_kind(field)}
    return all(raw.get(name, choices[0]) in choices for name, choices in kinds.items())


def is_kind(field: FieldInfo) -> bool:
    """Say whether a field only distinguishes one kind of a section from another: it has a single choice."""
    return typing.get_origin(field.annotation) is typing.Literal and len(typing.get_args(field.annotation)) == 1


_Path = tuple[str | int, ...]
_OWN_READING = (BeforeValidator, PlainValidator, WrapValidator)


def soft_types(raw: Value, annotation: Any, path: _Path = ()) -> Iterator[tuple[_Path, Value, str]]:
    """Find values whose type is not the one that is asked for, although it could be converted.

    >>> list(soft_types({"a": "90", "b": 7}, dict[str, int]))
    [(('a',), '90', 'int')]
    """
    leaves = set(_leaves(annotation))
    if isinstance(raw, dict):
        for model in (leaf for leaf in leaves if isinstance(leaf, type) and issubclass(leaf, BaseModel)):
            yield from _in_model(raw, model, path)
        for inside in _contained(annotation, Mapping):
            for key, value in raw.items():
                yield from soft_types(value, inside[-1], (*path, key))
    elif isinstance(raw, list):
        for inside in _contained(annotation, tuple, list, set, frozenset):
            for number, value in enumerate(raw):
                yield from soft_types(value, inside[0], (*path, number))
    elif raw is not None:
        wanted = _wanted(raw, leaves)
        if wanted is not None:
            yield path, raw, wanted


def _in_model(raw: Mapping[str, Value], model: type[BaseModel], path: _Path) -> Iterator[Any]:
    rules = [rule.info for rule in model.__pydantic_decorators__.field_validators.values()]
    own = {name for rule in rules if rule.mode != "after" for name in rule.fields}
    for name, found in model.model_fields.items():
        key = found.alias or name
        if key in raw and name not in own and "*" not in own and not _reads_itself(found):
            yield from soft_types(raw[key], found.annotation, (*path, key))


def _reads_itself(field: FieldInfo) -> bool:
    return any(isinstance(rule, _OWN_READING) for rule in field.metadata)


def _wanted(raw: Value, leaves: set[Any]) -> str | None:
    """Name the type asked for when `raw` is of none of the accepted ones but would be converted to it."""
    numbers = leaves & {int, float}
    if isinstance(raw, bool):
        unwanted = bool(numbers) and bool not in leaves and not _any_text(leaves)
        return ("float" if float in leaves else "int") if unwanted else None
    if isinstance(raw, str):
        if _any_text(leaves) or leaves & {date, datetime} or not (numbers or bool in leaves):
            return None
        return "float" if float in leaves else "int" if int in leaves else "bool"
    if numbers or _any_text(leaves):
        return None
    if bool in leaves:
        return "bool"
    return "date" if leaves & {date, datetime} else None


def _any_text(leaves: set[Any]) -> bool:
    """Say whether something else than numbers, booleans and dates is accepted too: then pydantic decides alone."""
    return bool(leaves - {int, float, bool, date, datetime, type(None)})


def _leaves(annotation: Any) -> Iterator[Any]:
    """List the alternatives of an annotation; the values of a Literal and anything unusual stand for themselves."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        for part in typing.get_args(annotation):
            yield from _leaves(part)
    elif origin is typing.Annotated:
        yield from _leaves(typing.get_args(annotation)[0])
    elif origin is typing.Literal:
        yield "literal"
    else:
        yield annotation


def _contained(annotation: Any, *kinds: type) -> Iterator[tuple[Any, ...]]:
    """List the arguments of the containers of these kinds among the alternatives."""
    for leaf in _leaves(annotation):
        origin = typing.get_origin(leaf)
        if isinstance(origin, type) and issubclass(origin, kinds) and typing.get_args(leaf):
            yield typing.get_args(leaf)
