"""Change single settings from the command line: `--set label.horizon=60`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from staypower.config.reading import Document, Value, read_scalar, read_text
from staypower.errors import Problem, UsageError

__all__ = ["Overrides", "apply_overrides", "parse_override"]

Overrides = Mapping[str, object] | Sequence[str]

_MEND = "write `--set key=value`, for example `--set label.horizon=60`"


def parse_override(text: str) -> tuple[str, Value]:
    """Split `key=value` and read the value as the config file would.

    >>> parse_override("features.windows=[7, 28]")
    ('features.windows', [7, 28])
    >>> parse_override("tables.usage.source=events/*.parquet")
    ('tables.usage.source', 'events/*.parquet')
    """
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key or not all(part.strip() for part in key.split(".")):
        raise UsageError.of("not a setting", f"`--set {text}`", _MEND)
    return key, _read_value(value.strip(), f"--set {key}")


def _read_value(text: str, name: str) -> Value:
    if text[:1] in ("[", "{", '"', "'"):
        return read_text(f"value: {text}", name).values["value"]
    return read_scalar(text)


def apply_overrides(document: Document, overrides: Overrides) -> tuple[dict[str, Value], tuple[str, ...]]:
    """Put single settings over what the file says.

    >>> apply_overrides(read_text("label: {horizon: 90}"), ["label.horizon=60"])
    ({'label': {'horizon': 60}}, ('label.horizon',))
    """
    problems: list[Problem] = []
    values: Value = document.values
    done: list[str] = []
    for key, value in _pairs(overrides, problems):
        try:
            values = _with(values, key.split("."), value, key)
        except UsageError as error:
            problems.extend(error.problems)
        else:
            done.append(key)
    if problems:
        raise UsageError(problems)
    return cast("dict[str, Value]", values), tuple(done)


def _pairs(overrides: Overrides, problems: list[Problem]) -> list[tuple[str, Value]]:
    if isinstance(overrides, Mapping):
        return [
            (key, _read_value(value, key) if isinstance(value, str) else cast("Value", value))
            for key, value in overrides.items()
        ]
    pairs: list[tuple[str, Value]] = []
    for text in overrides:
        try:
            pairs.append(parse_override(text))
        except UsageError as error:
            problems.extend(error.problems)
    return pairs


def _with(values: Value, parts: list[str], new: Value, key: str) -> Value:
    """Return a copy of nested values with one of them replaced: aliases may share parts, so nothing changes in place."""
    if not parts:
        return new
    first, rest = parts[0], parts[1:]
    if isinstance(values, list):
        if not first.isdecimal() or int(first) >= len(values):
            raise UsageError.of(
                "no such place in a list", f"`--set {key}`", f"give a number from 0 to {len(values) - 1} where `{first}` stands"
            )
        return [_with(value, rest, new, key) if number == int(first) else value for number, value in enumerate(values)]
    if values is None or isinstance(values, dict):
        held = values or {}
        return {**held, first: _with(held.get(first), rest, new, key)}
    raise UsageError.of(
        "a single value has no keys inside", f"`--set {key}`", f"set the key above it, which holds {values!r} now"
    )
