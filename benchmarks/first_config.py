"""How much of a stranger's export `staypower init` gets right, and how far it is from there to a first evaluated model.

    python benchmarks/first_config.py                       # the companies of strangers.py; --only NAME, --no-training
    python benchmarks/first_config.py --data                # with the public sets under STAYPOWER_DATA, if it is set

For each company the proposal is compared with the config that its owner would write, value by value: a column counts as right
when it reads the same values, however it is written. `right` is the share of mapped columns and parts of the label that are;
`edits` the lines that have to be changed, added or taken out; `check` whether the proposal passes as it is. Then the lines
are edited, and the model is trained and evaluated; `minutes` are those of init, check and training together.
"""

from __future__ import annotations

import argparse
import copy
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from eighth_strangers import EIGHTH
from fifth_strangers import FIFTH
from fourth_strangers import FOURTH
from seventh_strangers import SEVENTH
from sixth_strangers import SIXTH
from strangers import COMPANIES as EARLIER

import staypower
from staypower.errors import UsageError
from staypower.schemas import SCHEMAS
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource

COMPANIES = {**EARLIER, **{company.__name__: company for company in (*FOURTH, *FIFTH, *SIXTH, *SEVENTH, *EIGHTH)}}

# how a source is read, which is right when its columns are
_READING = {
    "source",
    "format",
    "table",
    "query",
    "zone",
    "time",
    "encoding",
    "decimal",
    "delimiter",
    "blank",
    "where",
    "columns",
    "key_via",
    "fixed",
}
_NOT_COMPARED = {*_READING, "static", "leave_out", "derive_from"}


@dataclass
class Outcome:
    """What is right and wrong of one proposal."""

    right: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)

    @property
    def edits(self) -> int:
        """Lines to change, add or take out."""
        return len(self.wrong) + len(self.extra)

    def note(self, what: str, right: bool) -> None:
        """Count a part as right or wrong."""
        (self.right if right else self.wrong).append(what)


def compare(proposed: Mapping[str, Any], truth: Mapping[str, Any], folder: Path) -> Outcome:
    """Compare two configs, columns by the values that they read from the files of a folder."""
    found = Outcome()
    for name, wanted in truth["tables"].items():
        mine = _counterpart(name, wanted, proposed["tables"])
        theirs = proposed["tables"].get(mine) if mine else None
        right, read = _values(truth, name, folder), _values(proposed, mine, folder) if mine else {}
        keys = [*dict.fromkeys(["account_id", *(key for one in _listed(wanted) for key in one if key not in _NOT_COMPARED)])]
        for key in keys:
            if key in right:
                found.note(f"{name}.{key}", key in read and read[key] == right[key])
            elif not right:  # a table that only says whose ids are is not kept
                found.note(f"{name}.{key}", wanted[key] in [value for one in _listed(theirs or {}) for value in one.values()])
            elif not any("key_via" in one for one in _listed(wanted)):
                raise ValueError(f"the owner's config has no {name}.{key}")
        for part in ("static", "leave_out", "derive_from"):
            if part in wanted:
                found.note(f"{name}.{part}", bool(theirs) and _words(theirs.get(part)) == _words(wanted[part]))
        if name != "accounts":
            found.extra += [f"{name}.{key}" for key in read if key not in right and key in _keys(theirs)]
    kept = {_counterpart(name, wanted, proposed["tables"]) for name, wanted in truth["tables"].items()}
    # accounts made from the other tables are what is done anyway
    made = {name for name, one in proposed["tables"].items() if isinstance(one, dict) and "derive_from" in one}
    found.extra += [name for name in proposed["tables"] if name not in kept | made]
    for part, value in truth["label"].items():
        theirs = proposed["label"].get(part)
        found.note(f"label.{part}", str(theirs) == str(value) or (part == "table" and theirs is None))
    return found


def edited(proposed: Mapping[str, Any], truth: Mapping[str, Any], found: Outcome) -> dict[str, Any]:
    """Return the proposal with the tables and the label that were wrong as the owner would write them."""
    config = copy.deepcopy(dict(proposed))
    broken = {item.partition(".")[0] for item in (*found.wrong, *found.extra)}
    tables: dict[str, Any] = {}
    for name, wanted in truth["tables"].items():
        mine = _counterpart(name, wanted, proposed["tables"])
        if name not in broken and mine:
            tables[mine] = proposed["tables"][mine]
            continue
        listed = [dict(one) for one in _listed(wanted)]
        for one in listed:
            fixed = [key for key in ("mrr", "plan", "seats", "priority", "category", "product") if key in one]
            if name == "subscriptions" and fixed:
                one["fixed"] = [key for key in fixed if key in ("mrr", "plan", "seats")]
        tables[name] = listed if isinstance(wanted, list) else listed[0]
    config["tables"] = tables
    if "label" in broken:
        config["label"] = dict(truth["label"])
    return config


def _listed(sources: Any) -> list[Mapping[str, Any]]:
    return list(sources) if isinstance(sources, list) else [sources]


def _keys(sources: Any) -> set[str]:
    return {key for one in _listed(sources or {}) for key in one}


def _words(value: Any) -> set[str]:
    return {value} if isinstance(value, str) else set(map(str, value or ()))


def _counterpart(name: str, wanted: Any, tables: Mapping[str, Any]) -> str | None:
    """Find the proposed table of the same name; tables of one's own are found by their source."""
    if name in tables or name in SCHEMAS:
        return name if name in tables else None
    own = (other for other, sources in tables.items() if other not in SCHEMAS)
    return next((other for other in own if _listed(tables[other])[0].get("source") == wanted["source"]), None)


def _values(config: Mapping[str, Any], name: str, folder: Path) -> dict[str, list[str]]:
    """Read one table of a config, with those it needs for its keys; nothing where it cannot be read."""
    tables = config["tables"]
    if name not in tables:
        return {}
    needed: list[str] = []
    waiting = [name, *(["accounts"] if "accounts" in tables else [])]
    while waiting:
        one = waiting.pop()
        needed += [one] if one not in needed else []
        via = {source.get("key_via") for source in _listed(tables[one])} | {
            source.get("derive_from") for source in _listed(tables[one])
        }
        waiting += [other for other in via if other in tables and other not in needed]
    try:
        sources = {other: [TableSource.model_validate(dict(source)) for source in _listed(tables[other])] for other in needed}
        table = read_tables(sources, folder=folder, observed_until="2026-01-01")[0].get(name)
    except (UsageError, ValueError):
        return {}
    return {} if table is None else {column: _plain(table, column) for column in table.data.column_names}


def _plain(table: Any, column: str) -> list[str]:
    kind = str(table.data.schema.field(column).type)
    if kind.startswith("timestamp"):
        return sorted(map(str, table.midnights(column).tolist()))
    if kind in ("double", "bool"):
        return sorted(f"{value:.6g}" for value in np.asarray(table.numbers(column), dtype=float))
    return sorted(str(value) for value in table.texts(column))


def public(data: Path) -> Iterator[tuple[str, list[Path], Mapping[str, Any]]]:
    """Give the public sets with the configs that the project ships."""
    places = {"telco": "telco_v11", "ravenstack": "ravenstack", "online_retail": "online_retail"}
    for name, folder in places.items():
        config = yaml.safe_load((Path(__file__).parents[1] / "configs" / f"{name}.yaml").read_text(encoding="utf-8"))
        if (data / folder).is_dir():
            yield name, [data / folder], config


def run(name: str, *, training: bool, seed: int = 3) -> dict[str, Any]:
    """Propose, compare, edit, check, train."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        truth = COMPANIES[name](folder, np.random.default_rng(seed))
        started = time.perf_counter()
        try:
            proposed = staypower.propose(folder, output=folder / "staypower.yaml").settings()
        except UsageError as error:
            print(f"  {name}: {error}")
            proposed = {"tables": {}, "label": {}}
        seconds = {"init": time.perf_counter() - started}
        found = compare(proposed, truth, folder)
        started = time.perf_counter()
        passes = "no"
        if proposed["tables"]:
            try:
                passes = "yes" if staypower.check(folder / "staypower.yaml").exit_code == 0 else "no"
            except UsageError:
                passes = "no"
        seconds["check"] = time.perf_counter() - started
        row = {
            "company": name,
            "right": found.right,
            "wrong": found.wrong,
            "extra": found.extra,
            "edits": found.edits,
            "check": passes,
        }
        if training:
            config = edited(proposed, truth, found) | {
                "name": "first",
                "models_folder": "models",
                "tracking": {"folder": "mlruns"},
            }
            (folder / "edited.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
            started = time.perf_counter()
            trained = staypower.train(folder / "edited.yaml")
            seconds["train"] = time.perf_counter() - started
            row["auroc"] = trained.evaluation.scorers[trained.evaluation.model]["auroc"].value
        row["minutes"] = sum(seconds.values()) / 60
        return row


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", nargs="+", choices=tuple(COMPANIES), default=tuple(COMPANIES))
    parser.add_argument("--no-training", action="store_true")
    parser.add_argument("--data", action="store_true", help="compare with the shipped configs of the public sets, too")
    given = parser.parse_args()
    print("| company | columns | right | edits | check passes | AUROC | minutes |\n|---|---|---|---|---|---|---|")
    rows = []
    for name in given.only:
        row = run(name, training=not given.no_training)
        rows.append(row)
        columns = len(row["right"]) + len(row["wrong"])
        share, auroc = len(row["right"]) / columns, f"{row['auroc']:.3f}" if "auroc" in row else ""
        print(
            f"| {name} | {columns} | {share:.1%} | {row['edits']} | {row['check']} | {auroc} | {row['minutes']:.1f} |",
            flush=True,
        )
    right, wrong = (sum(len(row[part]) for row in rows) for part in ("right", "wrong"))
    print(f"| all | {right + wrong} | {right / (right + wrong):.1%} | {sum(row['edits'] for row in rows)} | | | |")
    for row in rows:
        if row["edits"]:
            wrong, extra = (", ".join(row[part]) or "nothing" for part in ("wrong", "extra"))
            print(f"{row['company']}: wrong or missing: {wrong}; not wanted: {extra}")
    if given.data and "STAYPOWER_DATA" in os.environ:
        for name, places, truth in public(Path(os.environ["STAYPOWER_DATA"])):
            started = time.perf_counter()
            proposed = staypower.propose(places)
            print(f"{name}: {time.perf_counter() - started:.1f} s; label {proposed.settings()['label']['kind']}")
            print(f"  shipped: {sorted(truth['tables'])}; proposed: {sorted(proposed.settings()['tables'])}")


if __name__ == "__main__":
    main()
