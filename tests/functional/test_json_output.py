"""What `--json` prints has the keys that its schema lists, none is missing and none is new, and the page names them."""

from __future__ import annotations

import copy
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
import typer

from staypower.cli.commands import app

ROOT = Path(__file__).parents[2]
SCHEMAS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "docs" / "json").glob("*.json"))}
QUICK = ("init", "check", "features", "score", "actions", "models-list", "config-show", "monitor", "models-log")


@pytest.fixture(scope="module")
def schemas() -> Iterator[Any]:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import write_json_schemas

        yield write_json_schemas
    finally:
        sys.path.remove(str(ROOT / "scripts"))


def closed(schema: Any) -> Any:
    """Refuse keys that are not listed: a new one belongs into the schema, too."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    return {**made, "additionalProperties": False} if "properties" in made and "type" in made else made


@pytest.mark.parametrize("name", QUICK)
def test_what_a_command_prints_fits_its_schema(
    name: str, company: SimpleNamespace, schemas: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    # monitoring keeps and logs what it found: in a copy
    config = shutil.copytree(company.root, tmp_path / "company") / "demo" / company.config.name
    monkeypatch.chdir(tmp_path)
    for _, value in schemas.printed(config, (name,)):
        jsonschema.Draft202012Validator(closed(SCHEMAS[name])).validate(value)


def commands_of(app: Any, prefix: str = "") -> set[str]:
    """Name every command, those of groups with the group's name before."""
    found: set[str] = set()
    for name, one in app.commands.items():
        found |= commands_of(one, f"{prefix}{name}-") if hasattr(one, "commands") else {prefix + name}
    return found


def test_every_command_has_a_schema_and_each_is_one(schemas: Any) -> None:
    # `config schema` prints a schema itself
    assert set(SCHEMAS) == commands_of(typer.main.get_command(app)) - {"config-schema"}
    assert set(SCHEMAS) == {*schemas.COMMANDS, "demo"}
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["required"]


def test_a_key_that_is_gone_or_new_is_noticed(schemas: Any) -> None:
    value = {"path": "x", "rows": [{"a": 1, "b": None}, {"a": 2}], "by": {"usage": 1, "tickets": 2}}
    schema = closed(schemas.published(schemas.schema_of(value)))
    validator = jsonschema.Draft202012Validator(schema)
    assert not list(validator.iter_errors(value))
    assert not list(validator.iter_errors({**value, "by": {"orders": 3}, "rows": []}))
    for change in ({"rows": [{"c": 1}]}, {"rows": [{"a": "text"}]}, {"new": 1}):
        assert list(validator.iter_errors({**copy.deepcopy(value), **change}))
    assert list(validator.iter_errors({"path": "x"}))


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_page_names_every_key(name: str) -> None:
    page = (ROOT / "docs" / "json-output.md").read_text(encoding="utf-8")
    part = page.partition(f"| `{name.replace('-', ' ')}` |")[2]
    rows = part.split("\n| `")[0]
    missing = [key for key in SCHEMAS[name]["properties"] if f"`{key}`" not in rows]
    assert missing == []
