"""Assemble settings from a config file, `--set` and environment variables (`${DATA}/usage.csv`), with every problem at once."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from staypower.config.problems import Origins, merge_problems, problem_of, soft_types, unknown_key
from staypower.config.reading import Document, Value, document_of, read_document, read_scalar, read_text
from staypower.config.settings import Settings
from staypower.errors import Problem, UsageError, nearest
from staypower.features.settings import FeatureSettings
from staypower.labels.settings import Label
from staypower.schemas import SCHEMAS
from staypower.sources.settings import RESERVED

Overrides = Mapping[str, object] | Sequence[str]

_FIX = "write `--set key=value`, for example `--set label.horizon=60`"
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")
# only where paths stand: what is filled in is shown by `config show` and kept with each run
_PLACES = re.compile(r"tables\.[^.]+(\.\d+)?\.source|output\.folder|models_folder|tracking\.(folder|uri)")
# how alike a key and a known one are that it may be meant for
_NEAR = 0.82


def load_config(
    config: str | Path | Mapping[str, Any] = "staypower.yaml",
    overrides: Overrides = (),
    *,
    root: str | Path | None = None,
) -> Settings:
    """Read a config file into typed settings.

    Parameters
    ----------
    config : str, Path or mapping, default "staypower.yaml"
        A YAML file, or the same nested values as Python objects.
    overrides : sequence of str, or mapping of str to value, default ()
        Single settings that win over the file: `["label.horizon=60"]` or `{"label.horizon": 60}`.
    root : str or Path, optional
        Folder that relative paths start from; by default the config file's, or the current one for a mapping.

    Returns
    -------
    Settings
        Frozen; defaults filled in.

    Raises
    ------
    UsageError
        With every problem of the config, each with its place and its fix.

    Examples
    --------
    >>> usage = {"source": "usage.csv", "account_id": "acct", "at": "when"}
    >>> label = {"kind": "non_contractual", "table": "usage"}
    >>> settings = load_config({"name": "acme", "tables": {"usage": usage}, "label": label}, ["label.horizon=60"])
    >>> settings.label.horizon
    60
    """
    if isinstance(config, Mapping):
        document, name = document_of(config), "config"
        folder = Path(root or ".")
    else:
        path = Path(config)
        document, name = read_document(path), path.name
        folder = Path(root) if root is not None else path.absolute().parent
    values, overridden = apply_overrides(document, overrides)
    origins = Origins(name, document.lines, overridden)
    filled, problems = fill_variables(values, origins)
    return _assemble(filled, problems, origins, folder.absolute())


def _assemble(values: Mapping[str, Value], problems: list[Problem], origins: Origins, root: Path) -> Settings:
    fields = Settings.model_fields
    problems += [unknown_key(key, list(fields), origins) for key in values if key not in fields]
    sections: dict[str, Any] = {}
    for name, field in fields.items():
        raw = values.get(name)
        if raw is not None:
            sections[name] = _read_section(name, field, raw, origins, problems)
        elif field.is_required():
            problems.append(Problem("missing key", f"`{name}` ({origins.name})", f"add `{name}:`, {field.description}"))
    if problems:
        raise UsageError(problems)
    label: Label = sections["label"]
    sections["features"] = sections.get("features", FeatureSettings()).for_horizon(label.gap + label.horizon)
    settings = Settings.model_construct(**sections)
    settings._root, settings._origins = root, origins
    problems.extend(_missing_tables(settings, origins))
    if problems:
        raise UsageError(problems)
    return settings


def _read_section(name: str, field: FieldInfo, raw: Value, origins: Origins, problems: list[Problem]) -> object:
    """Validate one top-level key on its own, so that a problem in one hides none in another."""
    annotation = _annotation_of(field)
    found = [{"type": wanted, "loc": path, "input": value, "msg": ""} for path, value, wanted in _soft(raw, field)]
    special = list(table_problems(raw, origins)) if name == "tables" else []
    read: object = None
    try:
        read = TypeAdapter(annotation).validate_python(raw)
    except ValidationError as error:
        found += cast("list[dict[str, Any]]", error.errors(include_url=False))
    except UsageError as error:
        special.extend(error.problems)
    # what the section's own reader has named is not named again as a value of the wrong type
    named = {problem.value.partition(" (")[0] for problem in special}
    others = [problem_of(one, raw, annotation, origins, name) for one in found]
    problems.extend(merge_problems([*special, *(one for one in others if one.value.partition(" = ")[0] not in named)]))
    return read


def _annotation_of(field: FieldInfo) -> Any:
    """Put a field's type and its rules together again, so that it can be validated without the other fields."""
    rules = [*field.metadata, *([Field(discriminator=field.discriminator)] if field.discriminator else [])]
    return Annotated[(field.annotation, *rules)] if rules else field.annotation


def _soft(raw: Value, field: FieldInfo) -> list[tuple[tuple[str | int, ...], Value, str]]:
    reads_itself = any(isinstance(rule, BeforeValidator) for rule in field.metadata)
    return [] if reads_itself else list(soft_types(raw, field.annotation))


def _missing_tables(settings: Settings, origins: Origins) -> Iterator[Problem]:
    """Find tables that a section needs and that are not there."""
    for path, table, fix in _needed(settings):
        if table not in settings.tables:
            choices = nearest(table, settings.tables)
            yield Problem(
                f"it needs the table `{table}`", f"`{path}` ({origins.of(path)})", f"add `tables.{table}`, or {fix or choices}"
            )


def _needed(settings: Settings) -> Iterator[tuple[str, str, str]]:
    yield settings.label.required_table
    for name, sources in settings.tables.items():
        for number, source in enumerate(sources):
            for key in ("derive_from", "key_via"):
                if getattr(source, key) is not None:
                    yield f"tables.{name}.{number}.{key}", getattr(source, key), ""


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


def table_problems(raw: Value, origins: Origins) -> Iterator[Problem]:
    """Find keys under `tables` that are neither settings nor columns of their table.

    >>> [str(problem) for problem in table_problems({"usage": {"source": "u.csv", "acount_id": "a", "at": "t"}}, Origins())]
    ['unknown key: `tables.usage.acount_id` (config). Fix: write `account_id`.']
    """
    if not isinstance(raw, dict):
        return
    for table, written in raw.items():
        if table not in SCHEMAS:
            yield from _misnamed(table, written, raw, origins)
        for number, entry in enumerate(_entries(written)):
            path = f"tables.{table}.{number}" if isinstance(written, list) else f"tables.{table}"
            if isinstance(entry, dict):
                yield from _in_source(table, entry, _ids_of(entry.get("key_via"), raw), path, origins)


def _entries(written: Value) -> list[Value]:
    return written if isinstance(written, list) else [written]


def _ids_of(via: Value, tables: Mapping[str, Value]) -> list[str]:
    """Name the ids of the table through which the account is found."""
    if not isinstance(via, str):
        return []
    columns = [entry.get("columns") for entry in _entries(tables.get(via)) if isinstance(entry, dict)]
    own = [name for declared in columns if isinstance(declared, dict) for name, kind in declared.items() if kind == "id"]
    row_id = SCHEMAS[via].row_id if via in SCHEMAS else None
    return [*own, *([row_id] if row_id else [])]


def _misnamed(table: str, written: Value, tables: Mapping[str, Value], origins: Origins) -> Iterator[Problem]:
    near = _near(table, [name for name in SCHEMAS if name not in tables])
    declared = any(isinstance(entry, dict) and "columns" in entry for entry in _entries(written))
    if near and not declared:
        fix = f"write `{near}`, or declare a table of your own with `columns:`"
        yield Problem("unknown table", f"`tables.{table}` ({origins.of(f'tables.{table}')})", fix)


def _in_source(table: str, entry: Mapping[str, Value], keys: Sequence[str], path: str, origins: Origins) -> Iterator[Problem]:
    declared = entry.get("columns")
    known = [*(SCHEMAS[table].names if table in SCHEMAS else ("account_id", "known_at")), *keys, *RESERVED]
    free = table == "accounts" or table not in SCHEMAS
    for key, value in entry.items():
        if key in known or key == "mapping" or (isinstance(declared, dict) and key in declared):
            continue
        near = _near(key, [name for name in known if name not in entry])
        if not free:
            yield unknown_key(f"{path}.{key}", known, origins)
        elif near or isinstance(value, (list, dict)):
            yield Problem("unknown key", f"`{path}.{key}` ({origins.of(f'{path}.{key}')})", nearest(key, known, count=8))


def _near(word: str, known: list[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word.casefold(), known, n=1, cutoff=_NEAR)), None)
