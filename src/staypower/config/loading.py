"""Assemble settings from a config file, with every fault at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from staypower.config.consistency import consistency_faults
from staypower.config.faults import Origins, fault_of, merge_faults, unknown_key
from staypower.config.overrides import Overrides, apply_overrides
from staypower.config.reading import Value, document_of, read_document
from staypower.config.settings import Settings
from staypower.config.strictness import soft_types
from staypower.config.table_sources import table_faults
from staypower.config.variables import fill_variables
from staypower.errors import Fault, UsageError

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
        With every fault of the config, each with its place and its mend.

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
    filled, faults = fill_variables(values, origins)
    return _assemble(filled, faults, origins, folder.absolute())


def _assemble(values: Mapping[str, Value], faults: list[Fault], origins: Origins, root: Path) -> Settings:
    fields = Settings.model_fields
    faults += [unknown_key(key, list(fields), origins) for key in values if key not in fields]
    sections: dict[str, Any] = {}
    for name, field in fields.items():
        raw = values.get(name)
        if raw is not None:
            sections[name] = _read_section(name, field, raw, origins, faults)
        elif field.is_required():
            faults.append(Fault("missing key", f"`{name}` ({origins.name})", f"add `{name}:`, {field.description}"))
    if faults:
        raise UsageError(faults)
    settings = Settings.model_construct(**sections)
    settings._root, settings._origins = root, origins
    faults.extend(consistency_faults(settings, origins))
    if faults:
        raise UsageError(faults)
    return settings


def _read_section(name: str, field: FieldInfo, raw: Value, origins: Origins, faults: list[Fault]) -> object:
    """Validate one top-level key on its own, so that a fault in one hides none in another."""
    annotation = _annotation_of(field)
    found = [{"type": wanted, "loc": path, "input": value, "msg": ""} for path, value, wanted in _soft(raw, field)]
    special = list(table_faults(raw, origins)) if name == "tables" else []
    read: object = None
    try:
        read = TypeAdapter(annotation).validate_python(raw)
    except ValidationError as error:
        found += cast("list[dict[str, Any]]", error.errors(include_url=False))
    except UsageError as error:
        special.extend(error.faults)
    # a slip that the section's own reader has named would only be named again as a value of the wrong type
    named = {fault.value.partition(" (")[0] for fault in special}
    others = [fault_of(one, raw, annotation, origins, name) for one in found]
    faults.extend(merge_faults([*special, *(one for one in others if one.value.partition(" = ")[0] not in named)]))
    return read


def _annotation_of(field: FieldInfo) -> Any:
    """Put a field's type and its rules together again, so that it can be validated without the other fields."""
    rules = [*field.metadata, *([Field(discriminator=field.discriminator)] if field.discriminator else [])]
    return Annotated[(field.annotation, *rules)] if rules else field.annotation


def _soft(raw: Value, field: FieldInfo) -> list[tuple[tuple[str | int, ...], Value, str]]:
    reads_itself = any(isinstance(rule, BeforeValidator) for rule in field.metadata)
    return [] if reads_itself else list(soft_types(raw, field.annotation))
