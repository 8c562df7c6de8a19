"""Change what the file says: `--set label.horizon=60`, and environment variables in paths, `${DATA}/usage.csv`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from staypower.config.problems import Origins
from staypower.config.reading import Document, Value, read_scalar, read_text
from staypower.errors import Problem, UsageError

__all__ = ["Overrides", "apply_overrides", "fill_variables", "parse_override"]

Overrides = Mapping[str, object] | Sequence[str]

_FIX = "write `--set key=value`, for example `--set label.horizon=60`"
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")
# only where paths stand: what is filled in is shown by `config show` and kept with each run
_PLACES = re.compile(r"tables\.[^.]+(\.\d+)?\.source|output\.folder|models_folder|tracking\.(folder|uri)")


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
        raise UsageError.of("not a setting", f"`--set {text}`", _FIX)
    return key, _read_value(value.strip(), f"--set {key}")


def _read_value(text: str, name: str) -> Value:
    if text[:1] in ("[", "{", '"', "'"):
        return read_text(f"value: {text}", name).values["value"]
    return read_scalar(text)


def apply_overrides(document: Document, overrides: Overrides) -> tuple[dict[str, Value], tuple[str, ...]]:
    """Replace single settings of the file.

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
                "no such place in a list", f"`--set {key}`", f"give a number from 0 to {len(values) - 1} instead of `{first}`"
            )
        return [_with(value, rest, new, key) if number == int(first) else value for number, value in enumerate(values)]
    if values is None or isinstance(values, dict):
        held = values or {}
        return {**held, first: _with(held.get(first), rest, new, key)}
    raise UsageError.of("a single value has no keys inside", f"`--set {key}`", f"set the key above it, which is {values!r} now")


def fill_variables(
    values: dict[str, Value], origins: Origins, environment: Mapping[str, str] = os.environ
) -> tuple[dict[str, Value], list[Problem]]:
    """Replace `${NAME}` and `${NAME:-default}` where paths stand.

    >>> fill_variables({"models_folder": "${HERE}/models"}, Origins(), {"HERE": "/data"})[0]
    {'models_folder': '/data/models'}
    """
    problems: list[Problem] = []

    def filled(value: Value, path: str) -> Value:
        if isinstance(value, dict):
            return {key: filled(inner, f"{path}.{key}" if path else key) for key, inner in value.items()}
        if isinstance(value, list):
            return [filled(inner, f"{path}.{number}") for number, inner in enumerate(value)]
        if not isinstance(value, str) or not _PLACES.fullmatch(path):
            return value
        problems.extend(_unset(value, path, origins, environment))
        return _VARIABLE.sub(lambda found: environment.get(found["name"]) or found["default"] or "", value)

    return {key: filled(value, key) for key, value in values.items()}, problems


def _unset(text: str, path: str, origins: Origins, environment: Mapping[str, str]) -> Iterator[Problem]:
    for found in _VARIABLE.finditer(text):
        name = found["name"]
        if not environment.get(name) and found["default"] is None:
            fix = f"set it (`export {name}=...`), or write a default: `${{{name}:-somewhere}}`"
            yield Problem(f"the environment variable {name} is not set", f"`{path}` ({origins.of(path)})", fix)
