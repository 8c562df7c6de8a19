"""Write the JSON Schemas of what `--json` prints, `docs/json/*.json`: `python scripts/write_json_schemas.py`.

The commands run on a small simulated company, and the schemas are those of what they print. Objects with fixed keys list them;
of those whose keys are data (names of features, of tables, of scorers) only the values are described. Run it when a result
gains or loses a key.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from staypower.cli.commands import app

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "json"
# in the order in which they are run, after `demo`; `FOLDER` stands for that of the config
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "init": ("init", "FOLDER/data", "--output", "proposed.yaml"),
    "check": ("check",),
    "features": ("features",),
    "train": ("train", "--set", "model.num_leaves=4"),  # another model than the first, for what compares both
    "evaluate": ("evaluate",),
    "score": ("score", "--output", "scores.parquet"),
    "explain": ("explain",),
    "actions": ("actions",),
    "portfolio": ("portfolio",),
    "audit": ("audit",),
    "report": ("report",),
    "models-list": ("models", "list"),
    "models-compare": ("models", "compare", "1", "2"),
    "config-show": ("config", "show"),
    "monitor": ("monitor",),
    "backtest": ("backtest", "--folds", "1"),
    "tune": ("tune", "--trials", "2"),
    "models-promote": ("models", "promote", "2", "--force", "--reason", "to be seen"),
    "models-rollback": ("models", "rollback"),
    "models-verify": ("models", "verify", "1"),
    "models-log": ("models", "log"),
}
_WITHOUT_CONFIG = ("init",)
# keys that hold what has a schema elsewhere: a config that of `staypower config schema`, a result that of its command
_ELSEWHERE: Mapping[str, Mapping[str, dict[str, Any]]] = {
    "init": {"settings": {"type": "object"}},
    "demo": {name: {"$ref": f"{name}.json"} for name in ("train", "score", "actions", "report")},
}
_WORD = re.compile(r"[a-z][a-z0-9_]*")
_MOST = 12  # keys of one kind, above which they are data
# objects whose keys are data although they look like words
_MAPS = frozenset(
    {"left_out", "statuses", "tables", "origins", "unanswerable", "settings", "features", "counts", "sensitive", "slices", "by"}
    | {"segments", "best"}
)


def schema_of(value: Any, name: str = "") -> dict[str, Any]:
    """Return the schema of a value: numbers may be null, since JSON has none that is not finite."""
    if isinstance(value, Mapping):
        inner = {str(key): schema_of(each, str(key)) for key, each in value.items()}
        if _is_map(name, inner):
            return {"type": "object", "additionalProperties": merged(list(inner.values()))}
        return {"type": "object", "properties": inner, "required": sorted(inner)}
    if isinstance(value, list):
        return {"type": "array", "items": merged([schema_of(each, name) for each in value])}
    if value is None:
        return {"type": ["null"]}
    if isinstance(value, bool):
        return {"type": ["boolean"]}
    return {"type": ["null", "number"] if isinstance(value, (int, float)) else ["string"]}


def _is_map(name: str, inner: Mapping[str, Any]) -> bool:
    if name in _MAPS or not all(_WORD.fullmatch(key) for key in inner):
        return True
    kinds = {json.dumps(each, sort_keys=True) for each in inner.values()}
    return len(kinds) == 1 and (len(inner) > _MOST or (len(inner) > 1 and '"properties"' in next(iter(kinds))))


def merged(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the schema that takes what each of several takes."""
    kinds = {str(each["type"]) for each in schemas if isinstance(each.get("type"), str)}
    if not schemas or not any(schemas):
        return {}
    plain = [each for each in schemas if isinstance(each.get("type"), list)]
    types = sorted({kind for each in plain for kind in each["type"]})
    if not kinds:
        return {"type": types}
    found: list[dict[str, Any]] = [{"type": types}] if types else []
    for kind in sorted(kinds):
        of_kind = [each for each in schemas if each.get("type") == kind]
        found.append(_merged_arrays(of_kind) if kind == "array" else _merged_objects(of_kind))
    found += [option for each in schemas for option in each.get("anyOf", ())]
    return found[0] if len(found) == 1 else {"anyOf": found}


def _merged_arrays(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "array", "items": merged([each["items"] for each in schemas if each["items"]])}


def _merged_objects(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    if any("properties" not in each for each in schemas):
        values = [each["additionalProperties"] for each in schemas if "properties" not in each]
        values += [inner for each in schemas for inner in each.get("properties", {}).values()]
        return {"type": "object", "additionalProperties": merged(values)}
    names = dict.fromkeys(key for each in schemas for key in each["properties"])
    inner = {key: merged([each["properties"][key] for each in schemas if key in each["properties"]]) for key in names}
    required = sorted(set.intersection(*(set(each["required"]) for each in schemas)))
    return {"type": "object", "properties": inner, "required": required}


def published(value: Any) -> Any:
    """Leave open what was empty here: a value that was null, the items of an empty list."""
    if isinstance(value, list):
        return [published(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    return {} if value.get("type") == ["null"] else {key: published(each) for key, each in value.items()}


def printed(config: Path, names: tuple[str, ...] = tuple(COMMANDS)) -> Iterator[tuple[str, Any]]:
    """Run commands on a trained company, and give what each prints."""
    for name in names:
        words = [word.replace("FOLDER", str(config.parent)) for word in COMMANDS[name]]
        given = [] if name in _WITHOUT_CONFIG else ["-c", str(config)]
        yield name, _output(name, [*words, *given])


def _output(name: str, words: list[str]) -> Any:
    done = CliRunner().invoke(app, [*words, "--json", "--quiet"])
    if done.exit_code > 1:
        raise RuntimeError(f"{name}: {done.stderr}")
    return json.loads(done.stdout)


def main() -> None:
    """Write the schemas anew."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        made = _output("demo", ["demo", "--accounts", "400", "--seed", "3"])
        for name, value in chain([("demo", made)], printed(Path("demo") / "staypower.yaml")):
            head = {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "title": f"staypower {name.replace('-', ' ')} --json",
            }
            schema = schema_of(value)
            schema["properties"] |= _ELSEWHERE.get(name, {})
            text = json.dumps({**head, **published(schema)}, indent=1, ensure_ascii=False) + "\n"
            (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")
            print(f"written: docs/json/{name}.json")


if __name__ == "__main__":
    sys.exit(main())
