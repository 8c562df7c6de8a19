"""The JSON Schema of the config takes what the reader takes, and refuses keys that it refuses."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import yaml

from staypower.config.schema import SCHEMA_FILE, config_schema, first_line, show_schema

ROOT = Path(__file__).parents[3]
VALIDATOR = jsonschema.Draft202012Validator(config_schema())
CONFIGS = {path.name: path.read_text() for path in (ROOT / "configs").glob("*.yaml") if path.name != "playbooks.yaml"}
for page in (*(ROOT / "docs" / "recipes").glob("*.md"), ROOT / "docs" / "configuration.md"):
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)):
        if all(re.search(rf"^{key}:", block, re.MULTILINE) for key in ("name", "tables", "label")):
            CONFIGS[f"{page.stem} {number}"] = block


def problems(config):
    plain = json.loads(json.dumps(config, default=str))
    return [f"{list(error.absolute_path)}: {error.message}" for error in VALIDATOR.iter_errors(plain)]


def test_it_is_a_schema_and_the_packaged_file_is_current():
    VALIDATOR.check_schema(config_schema())
    packaged = json.loads(files("staypower.config").joinpath(SCHEMA_FILE).read_text(encoding="utf-8"))
    assert packaged == config_schema(), "run `python scripts/write_docs.py`"
    assert json.loads(show_schema().text()) == packaged


@pytest.mark.parametrize("name", CONFIGS)
def test_every_config_of_the_project_fits(name):
    assert problems(yaml.safe_load(CONFIGS[name])) == []


USAGE = {"usage": {"source": "u.csv", "account_id": "id", "at": "day"}}
BASE = {"name": "acme", "tables": USAGE, "label": {"kind": "non_contractual", "table": "usage"}}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"labels": {}}, "labels"),
        ({"tables": {"usage": {"source": 5}}}, "usage"),
        ({"capacity": 0}, "capacity"),
        ({"model": {"trees": "many"}}, "model"),
        ({"label": {"kind": "contract"}}, "label"),
    ],
)
def test_what_is_wrong_is_named(change, word):
    assert problems(BASE) == []
    found = problems({**BASE, **change})
    assert any(word in problem for problem in found)


def test_every_section_and_key_says_what_it_means():
    schema = config_schema()
    silent = [name for name, part in schema["properties"].items() if not part.get("description")]
    assert silent == []


def test_the_first_line_names_a_file_that_is_there():
    address = re.fullmatch(r"# yaml-language-server: \$schema=file://(.*)", first_line())
    assert address is not None
    assert Path(address[1]).is_file()
