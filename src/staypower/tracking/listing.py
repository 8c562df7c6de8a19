"""The versions of a model as a table, read from its lock files: no tracking store is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from staypower.evaluation.measures import listed_in
from staypower.models.champion import ChampionLock, VersionRecord, read_versions
from staypower.models.versions import PROMOTION, champion_of, promotion_of
from staypower.results.numbers import plain
from staypower.results.result import Block, Head, Items, Result, TableBlock

__all__ = ["METRIC", "ModelList", "list_versions"]

METRIC = "metric."
"""What the names of columns and tags that hold a metric begin with."""

_FACTS = ("learned_from", "learned_rows", "tested_at", "tested_rows", "twin")
_COLUMNS = ("version", "champion", "created_at", "split", *_FACTS, *PROMOTION, "unfit", "digest", "run_id")
_SHOWN = {"version": "version", "champion": "champion", "created_at": "trained", "split": "split"}


@dataclass(frozen=True, eq=False)
class ModelList(Result):
    """Every version of a model.

    Parameters
    ----------
    name : str
        The model.
    versions : DataFrame
        One row per version, the newest first: `version`, `champion` (bool), `created_at` (ISO time), `split`, what it was
        trained and tested on (`learned_from`, `learned_rows`, `tested_at`, `tested_rows`), its `twin` where another model was
        evaluated than the one that scores, its last promotion (`promoted_at`, `promoted_by`, `promoted_because`,
        `promoted_by_force`), `unfit` (why it cannot be promoted automatically; empty when it can), `digest`, `run_id`, and its
        metrics as `metric.NAME`.
    """

    name: str
    versions: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        """Return one row per version."""
        return self.versions

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"name": self.name, "versions": plain(self.versions.to_dict("records"))}

    def blocks(self) -> Sequence[Block]:
        """Return the versions with their main metrics, and who promoted which, when and why."""
        rows = self.versions.to_dict("records")
        if not rows:
            return [f"No version of {self.name} yet: `staypower train` makes one."]
        metrics = [metric for metric in listed_in("versions") if METRIC + metric.name in self.versions]
        columns = [Head(head, "left") for head in _SHOWN.values()]
        table = TableBlock(
            [*columns, *(metric.label for metric in metrics), Head("digest", "left")],
            [[*_facts(row), *(metric.write(row[METRIC + metric.name]) for metric in metrics), _short(row)] for row in rows],
        )
        notes = [note for row in rows for note in _notes(row)]
        if len({row["tested_at"] for row in rows if row.get("tested_at")}) > 1:
            notes.append("Tested at different cutoffs: only `staypower models promote VERSION` compares on the same ones")
        return [table, *([Items(notes)] if notes else [])]


def _facts(row: Mapping[Any, Any]) -> list[str]:
    shown = {**row, "champion": "yes" if row["champion"] else "", "created_at": str(row["created_at"])[:10]}
    return [str(shown.get(name, "")) for name in _SHOWN]


def _short(row: Mapping[Any, Any]) -> str:
    """Shorten the digest: its beginning tells two versions apart, all of it is in the frame and in `versions.json`."""
    return str(row.get("digest", ""))[:12]


def _notes(row: Mapping[Any, Any]) -> list[str]:
    """Say what a version was trained on, who promoted it and why, and why it cannot be promoted automatically."""
    version, notes = f"Version {row['version']}", []
    if row.get("learned_from"):
        trained = f"trained on {row['learned_rows']}, {row['learned_from']}"
        twin = f"; {row['twin']}" if row.get("twin") else ""
        notes.append(f"{version}: {trained}; tested on {row['tested_rows']}, {row['tested_at']}{twin}")
    if row.get("promoted_at"):
        forced = ", by force" if row.get("promoted_by_force") == "yes" else ""
        notes.append(f"{version}: promoted {row['promoted_at']} by {row['promoted_by']}{forced}: {row['promoted_because']}")
    if row.get("unfit"):
        notes.append(f"{version} {row['unfit']}")
    return notes


def list_versions(models_folder: Path, name: str) -> ModelList:
    """List every version of a model that is exported to a folder.

    >>> list_versions(Path("no such folder"), "acme").frame().columns[:3].tolist()
    ['version', 'champion', 'created_at']
    """
    records = sorted(read_versions(models_folder, name).values(), key=lambda record: -int(record.version))
    champion = champion_of(models_folder, name)
    rows = [_row(record, champion) for record in records]
    return ModelList(name, pd.DataFrame(rows, columns=list(_COLUMNS) if not rows else None))


def _row(record: VersionRecord, champion: ChampionLock | None) -> dict[str, Any]:
    scores = champion is not None and (record.version, record.digest) == (champion.version, champion.digest)
    values = {
        **dict.fromkeys(_COLUMNS, ""),
        **record.facts,
        **(promotion_of(champion) if champion is not None and scores else record.promotion),
        "version": record.version,
        "champion": scores,
        "created_at": record.registered_at,
        "split": record.split,
        "unfit": record.unfit,
        "digest": record.digest,
        "run_id": record.run_id,
    }
    return {**values, **{METRIC + name: value for name, value in sorted(record.metrics.items())}}
