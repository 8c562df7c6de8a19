"""The JSON Schema of the config, for editors: completion, meanings and refusals while a config is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from staypower.config.settings import Settings
from staypower.progress import Progress
from staypower.results.result import Block, Result, Verbatim
from staypower.sources.settings import RESERVED

__all__ = ["SCHEMA_FILE", "ConfigSchema", "config_schema", "first_line", "show_schema"]

SCHEMA_FILE = "config.schema.json"  # packaged beside this module, written by `scripts/write_docs.py`
_SCALAR = {"type": ["string", "number", "boolean"]}


@dataclass(frozen=True)
class ConfigSchema(Result):
    """The JSON Schema of the config."""

    schema: Mapping[str, Any]

    def blocks(self) -> list[Block]:
        """Return the schema as JSON, ready to be written to a file."""
        return [Verbatim(json.dumps(self.schema, indent=2, ensure_ascii=False).splitlines())]

    def to_dict(self) -> dict[str, Any]:
        """Return the schema."""
        return dict(self.schema)


def show_schema(*, progress: Progress | None = None) -> ConfigSchema:
    """Show the schema; `progress` is there as in every job and not used."""
    return ConfigSchema(config_schema())


def first_line() -> str:
    """Write the comment by which editors find the schema: the packaged file, so that nothing is fetched."""
    return f"# yaml-language-server: $schema={Path(str(files('staypower.config').joinpath(SCHEMA_FILE))).as_uri()}"


def config_schema() -> dict[str, Any]:
    """Make the schema from the classes of the settings.

    >>> config_schema()["properties"]["capacity"]["anyOf"][0]
    {'minimum': 1, 'type': 'integer'}
    """
    schema = Settings.model_json_schema(by_alias=True)
    definitions = schema["$defs"]
    source = definitions["TableSource"]
    source["properties"] = {name: source["properties"][name] for name in RESERVED}
    # every other key maps a column of ours
    source["additionalProperties"] = {**_SCALAR, "description": "a column of the source, a constant, or an expression"}
    source["description"] = "One source of a table; keys that are not listed map our columns onto those of the source."
    one = {"$ref": "#/$defs/TableSource"}
    tables = schema["properties"]["tables"]
    tables["additionalProperties"] = {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}
    for each in (schema, *definitions.values()):
        each["description"] = each.get("description", "").partition("\n")[0]
        each["properties"] = {name: _as_read(part) for name, part in each.get("properties", {}).items()}
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "staypower"}
    return {**head, **{key: value for key, value in schema.items() if key not in head}}


def _as_read(part: Mapping[str, Any]) -> dict[str, Any]:
    """Accept what the reader accepts: one word where several may stand, a date where an instant is kept."""
    meant = {key: value for key, value in part.items() if key not in ("title", "words")}
    if str(part.get("words", "")).startswith("date"):
        dated: dict[str, Any] = {key: meant[key] for key in ("description", "default") if key in meant}
        return {**dated, "type": ["string", "null"]}
    if meant.get("type") == "array":
        kept: dict[str, Any] = {key: meant.pop(key) for key in ("description", "default") if key in meant}
        return {**kept, "anyOf": [meant, _SCALAR]}
    return meant
