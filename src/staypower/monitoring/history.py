"""The file that keeps what monitoring found at each cutoff: one entry per model version and cutoff, the latest run's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from staypower.cutoffs import text_of
from staypower.errors import UsageError, at_place
from staypower.results.numbers import plain
from staypower.writing import hold_lock, write_atomically

if TYPE_CHECKING:
    from staypower.monitoring.expected import Expected
    from staypower.monitoring.result import Monitoring

__all__ = ["history_path", "keep_history", "read_history"]

Entry = Mapping[str, Any]
_KEYS = ("version", "cutoff")


def history_path(folder: Path) -> Path:
    """Name the file of a folder of results.

    >>> history_path(Path("out")).as_posix()
    'out/monitoring.json'
    """
    return folder / "monitoring.json"


def read_history(path: Path) -> list[Entry]:
    """Read the entries, oldest first; none where there is no file."""
    if not path.exists():
        return []
    with at_place(path):
        text = path.read_text(encoding="utf-8")
    try:
        found = json.loads(text)
        entries = [entry for entry in found["months"] if isinstance(entry["version"], str) and isinstance(entry["cutoff"], str)]
    except (ValueError, KeyError, TypeError):
        fix = "remove it, or put back a copy: it is written by `staypower monitor`"
        raise UsageError.of("not a history of monitoring", path, fix) from None
    return entries


def keep_history(path: Path, found: Monitoring) -> list[Entry]:
    """Add this run's cutoff, and what came true of earlier ones; return all entries."""
    with hold_lock(path.with_name(f".{path.name}.lock")):
        entries = {tuple(entry[key] for key in _KEYS): dict(entry) for entry in read_history(path)}
        for month in found.mature:
            at = text_of(month.cutoff)
            entry = entries.setdefault((found.version, at), {"version": found.version, "cutoff": at, **_expected(month.all)})
            entry["observed"] = plain(month.all.observed)
        at = text_of(found.cutoff)
        entries[found.version, at] = {"version": found.version, "cutoff": at, **_expected(found.now.all), **_found(found)}
        kept: Sequence[Entry] = sorted(entries.values(), key=lambda entry: (entry["cutoff"], entry["version"]))
        content = json.dumps({"months": kept}, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
        write_atomically(path, lambda place: place.write_text(content, encoding="utf-8"))
    return list(kept)


def _expected(found: Expected) -> dict[str, Any]:
    return {"accounts": found.accounts, "expected": found.to_dict()["expected"], "observed": None}


def _found(found: Monitoring) -> dict[str, Any]:
    drift = found.drift
    moved = None if drift is None else list(drift.moved["feature"])
    score = None if drift is None else plain(float(drift.score["psi"].iloc[0]))
    return {
        "moved": moved,
        "score_psi": score,
        "retrain": found.retrain,
        "reasons": list(found.reasons),
        "data": list(found.data_reasons),
    }
