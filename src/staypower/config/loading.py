"""Assemble settings from a config file, with every problem at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from staypower.config.overrides import Overrides, apply_overrides, fill_variables
from staypower.config.problems import Origins, merge_problems, problem_of, unknown_key
from staypower.config.reading import Value, document_of, read_document
from staypower.config.settings import Settings
from staypower.config.strictness import soft_types
from staypower.config.table_sources import table_problems
from staypower.errors import Problem, UsageError, nearest

__all__ = ["load_config"]


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
