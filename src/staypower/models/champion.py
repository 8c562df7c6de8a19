"""Which trained version scores: lock files next to the exported bundles, so that scoring needs no tracking server.

`models/<name>/<version>/` holds a sealed bundle, `models/<name>/versions.json` the digest of each, kept outside the folders
they seal, and `models/<name>/champion.json` the version that scores by default.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from staypower.errors import UsageError, nearest
from staypower.models.seal import json_values
from staypower.writing import write_atomically

__all__ = [
    "BundlePlace",
    "ChampionLock",
    "VersionRecord",
    "find_bundle",
    "read_champion",
    "read_versions",
    "write_champion",
    "write_versions",
]

_MAPPINGS = ("metrics", "facts", "promotion", "served", "comparison")
_AGAIN = "restore the file, or remove it and promote a version again with `staypower models promote VERSION`"


@dataclass(frozen=True)
class VersionRecord:
    """What is known of one exported version without its bundle."""

    version: str  # A whole number, as text
    digest: str  # the seal of its bundle
    run_id: str  # the run of the tracking store that it is logged in; empty while it waits
    split: str = "temporal"  # how it was tested: `temporal`, `grouped` or `snapshot`
    registered_at: str = ""  # ISO time
    metrics: Mapping[str, float] = field(default_factory=dict)
    # what it was trained and tested on, in words: `learned_from`, `learned_rows`, `tested_at`, `tested_rows`,
    # `twin` where another model was evaluated than the one that scores, `grown_on` where its trees know more than the sample
    facts: Mapping[str, str] = field(default_factory=dict)
    unfit: str = ""  # why it cannot be promoted automatically: what its test lacks. Empty when it can
    # when, by whom, why and whether by force it was last promoted: `promoted_at`, `promoted_by`, `promoted_because`,
    # `promoted_by_force`
    promotion: Mapping[str, str] = field(default_factory=dict)
    served: Mapping[str, Any] = field(default_factory=dict)  # what a served model keeps of the settings

    def __post_init__(self) -> None:
        # these become paths and digests: a lock file that was tampered with must not lead elsewhere
        if not re.fullmatch(r"[0-9]{1,9}", self.version) or not re.fullmatch(r"[0-9a-f]{64}", self.digest):
            raise UsageError.of("unusable lock file", f"version {self.version!r}, digest {self.digest!r}", _AGAIN)

    @property
    def untested_in_time(self) -> bool:
        """Whether it was not tested over time, so that only force makes it champion."""
        return self.split == "snapshot"


@dataclass(frozen=True)
class ChampionLock:
    """The version that scores."""

    version: str  # as in `VersionRecord`
    digest: str  # as in `VersionRecord`
    run_id: str  # as in `VersionRecord`
    promoted_at: str  # ISO time
    reason: str = ""
    history: tuple[str, ...] = ()  # the champions before it, oldest first
    promoted_by: str = ""  # the user's name, from the system
    forced: str = ""  # `yes` when it did not win a comparison, or was not compared at all, and was promoted anyway
    # what was found when it was compared with the champion before it
    comparison: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        VersionRecord(self.version, self.digest, self.run_id)

    @property
    def previous(self) -> str | None:
        """The champion before this one."""
        return self.history[-1] if self.history else None


@dataclass(frozen=True)
class BundlePlace:
    """Where a bundle lies and what must seal it."""

    folder: Path
    digest: str | None  # None for a folder that the user names: then only its own manifest is checked
    version: str = ""  # empty for a folder that the user names
    run_id: str = ""  # empty for a folder that the user names


Record = TypeVar("Record", VersionRecord, ChampionLock)


def find_bundle(models_folder: Path, name: str, model: str | None = None) -> BundlePlace:
    """Find the bundle to score with."""
    if model is None:
        lock = read_champion(models_folder, name)
        record = read_versions(models_folder, name).get(lock.version)
        run_id = lock.run_id if record is None else record.run_id
        return BundlePlace(models_folder / name / lock.version, lock.digest, lock.version, run_id)
    if not model.isdecimal():
        return BundlePlace(Path(model).expanduser(), None)
    versions = read_versions(models_folder, name)
    if model not in versions:
        fix = nearest(model, versions) if versions else "train a model first with `staypower train`"
        raise UsageError.of("no such version", f"{name} {model}", fix)
    record = versions[model]
    return BundlePlace(models_folder / name / record.version, record.digest, record.version, record.run_id)


def read_champion(models_folder: Path, name: str) -> ChampionLock:
    """Read which version scores."""
    path = models_folder / name / "champion.json"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UsageError.of("no champion", f"{name} in {models_folder}", _fix_no_champion(models_folder, name)) from None
    return _built(ChampionLock, json_values(content, str(path)), path)


def _fix_no_champion(models_folder: Path, name: str) -> str:
    versions = read_versions(models_folder, name)
    if not versions:
        return "train a model first with `staypower train`"
    latest = max(versions.values(), key=lambda record: int(record.version))
    lacking = "was trained on one snapshot, so it has no test over time" if latest.untested_in_time else latest.unfit
    if lacking:
        return (
            f"version {latest.version} {lacking}: promote it anyway with `staypower models promote {latest.version} --force "
            f"--reason TEXT`, or use it this once with `--model {latest.version}`"
        )
    return f"promote one with `staypower models promote {latest.version}`, or use `score --model {latest.version}`"


def read_versions(models_folder: Path, name: str) -> dict[str, VersionRecord]:
    """Read what is known of each exported version."""
    path = models_folder / name / "versions.json"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    values = json_values(content, str(path))
    records = [_built(VersionRecord, {**value, "version": version}, path) for version, value in values.items()]
    return {record.version: record for record in records}


def write_champion(models_folder: Path, name: str, lock: ChampionLock) -> Path:
    """Write which version scores, whole or not at all."""
    path = models_folder / name / "champion.json"
    _replace(path, {**dataclasses.asdict(lock), "previous": lock.previous})
    return path


def write_versions(models_folder: Path, name: str, versions: Mapping[str, VersionRecord]) -> Path:
    """Write what is known of each exported version, whole or not at all."""
    path = models_folder / name / "versions.json"
    values = {version: dataclasses.asdict(record) for version, record in versions.items()}
    _replace(
        path, {version: {key: inner for key, inner in value.items() if key != "version"} for version, value in values.items()}
    )
    return path


def _built(kind: type[Record], values: Any, path: Path) -> Record:
    """Build a record from a lock file's values, of the types that it asks for."""
    if isinstance(values, dict):
        known = {entry.name: entry for entry in dataclasses.fields(kind)}
        given: dict[str, Any] = {
            key: tuple(value) if key == "history" else value for key, value in values.items() if key in known
        }
        texts = [value for key, value in given.items() if key not in ("history", *_MAPPINGS)] + list(given.get("history", ()))
        mapped = all(isinstance(given.get(key, {}), dict) for key in _MAPPINGS)
        needed = {name for name, entry in known.items() if entry.default is MISSING and entry.default_factory is MISSING}
        if needed <= set(given) and mapped and all(isinstance(text, str) for text in texts):
            return kind(**given)
    raise UsageError.of("unusable lock file", path, _AGAIN)


def _replace(path: Path, values: Mapping[str, Any]) -> None:
    text = json.dumps(values, indent=1, ensure_ascii=False) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
