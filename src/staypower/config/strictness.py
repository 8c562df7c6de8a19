"""Refuse what pydantic would quietly convert: a number in quotes, `true` for 1, `yes` for true, a number for a date."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, BeforeValidator, PlainValidator, WrapValidator
from pydantic.fields import FieldInfo

from staypower.config.reading import Value

Path = tuple[str | int, ...]

_OWN_READING = (BeforeValidator, PlainValidator, WrapValidator)


def soft_types(raw: Value, annotation: Any, path: Path = ()) -> Iterator[tuple[Path, Value, str]]:
    """Find values whose type is not the one that is asked for, although it could be converted.

    >>> list(soft_types({"a": "90", "b": 7}, dict[str, int]))
    [(('a',), '90', 'int')]
    """
    leaves = set(_leaves(annotation))
    if isinstance(raw, dict):
        for model in (leaf for leaf in leaves if isinstance(leaf, type) and issubclass(leaf, BaseModel)):
            yield from _in_model(raw, model, path)
        for inside in _inside(annotation, Mapping):
            for key, value in raw.items():
                yield from soft_types(value, inside[-1], (*path, key))
    elif isinstance(raw, list):
        for inside in _inside(annotation, tuple, list, set, frozenset):
            for number, value in enumerate(raw):
                yield from soft_types(value, inside[0], (*path, number))
    elif raw is not None:
        wanted = _wanted(raw, leaves)
        if wanted is not None:
            yield path, raw, wanted


def _in_model(raw: Mapping[str, Value], model: type[BaseModel], path: Path) -> Iterator[Any]:
    rules = [rule.info for rule in model.__pydantic_decorators__.field_validators.values()]
    own = {name for rule in rules if rule.mode != "after" for name in rule.fields}
    for name, field in model.model_fields.items():
        key = field.alias or name
        if key in raw and name not in own and "*" not in own and not _reads_itself(field):
            yield from soft_types(raw[key], field.annotation, (*path, key))


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


def _inside(annotation: Any, *kinds: type) -> Iterator[tuple[Any, ...]]:
    """List the arguments of the containers of these kinds among the alternatives."""
    for leaf in _leaves(annotation):
        origin = typing.get_origin(leaf)
        if isinstance(origin, type) and issubclass(origin, kinds) and typing.get_args(leaf):
            yield typing.get_args(leaf)
