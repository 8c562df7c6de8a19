"""The versions of one model and its champion: `models/NAME` owns both, whatever a tracking store knows of them."""

from __future__ import annotations

import getpass
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from staypower.clock import now_text
from staypower.errors import UsageError, nearest
from staypower.models.champion import (
    ChampionLock,
    VersionRecord,
    read_champion,
    read_versions,
    write_champion,
    write_versions,
)
from staypower.models.seal import open_folder, seal_folder
from staypower.writing import hold_lock

__all__ = ["PROMOTION", "ModelVersion", "ModelVersions", "champion_of", "promotion_of", "user_name"]

PROMOTION = ("promoted_at", "promoted_by", "promoted_because", "promoted_by_force")
"""What is written down of a promotion."""

_FORCE = " --force --reason TEXT"
# what a process that died while it held the lock can have left
_UNFINISHED = (".*.building", ".versions.json.*.tmp", ".champion.json.*.tmp")


@dataclass(frozen=True)
class ModelVersion:
    """A version that was added."""

    name: str  # name of the model
    version: str
    champion: bool  # whether it scores from now on
    folder: Path  # where its bundle is
    note: str = ""  # what to do next, when something is to be done


def champion_of(models_folder: Path, name: str) -> ChampionLock | None:
    """Return the version that scores; None when there is none. A lock file that cannot be read is an error, not a vacancy."""
    return read_champion(models_folder, name) if (models_folder / name / "champion.json").exists() else None


def promotion_of(lock: ChampionLock) -> dict[str, str]:
    """Return when, by whom, why and whether by force a champion was promoted."""
    values = (lock.promoted_at, lock.promoted_by or "unknown", lock.reason or "no reason given", lock.forced or "no")
    return dict(zip(PROMOTION, values, strict=True))


def user_name() -> str:
    """Return the user's name, as the system gives it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user id without a name, as containers have
        return "unknown"


@dataclass(frozen=True)
class ModelVersions:
    """The versions of one model.

    >>> ModelVersions(Path("models"), "acme").folder.as_posix()
    'models/acme'
    """

    models_folder: Path
    name: str

    @property
    def folder(self) -> Path:
        """Where the versions of this model are."""
        return self.models_folder / self.name

    def records(self) -> dict[str, VersionRecord]:
        """Return what is known of each version, lowest number first."""
        found = read_versions(self.models_folder, self.name)
        return dict(sorted(found.items(), key=lambda one: int(one[0])))

    def champion(self) -> ChampionLock | None:
        """Return the version that scores; None when there is none."""
        return champion_of(self.models_folder, self.name)

    def add(
        self,
        bundle: Path,
        digest: str,
        metrics: Mapping[str, float],
        *,
        split: str = "temporal",
        facts: Mapping[str, str] | None = None,
        unfit: str = "",
        served: Mapping[str, Any] | None = None,
    ) -> ModelVersion:
        """Seal a trained model as the next version; the first that is fit becomes champion where there is none."""
        files = open_folder(bundle, digest=digest)
        with self._locked():
            for pattern in _UNFINISHED:
                for left in self.folder.glob(pattern):
                    shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
            champion, version = self.champion(), self._next()
            record = VersionRecord(
                version, digest, "", split, now_text(), dict(metrics), dict(facts or {}), unfit, served=dict(served or {})
            )
            folder = self.folder / version
            seal_folder(files, folder)
            try:
                self._write(record)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)  # no command would list it
                raise
            if champion is None and not record.untested_in_time and not unfit:
                self._make_champion(record, self._new_lock(record, "the first version"))
                return ModelVersion(self.name, version, True, folder)
        return ModelVersion(self.name, version, False, folder, self._note(record, champion))

    def _next(self) -> str:
        """Return a number above all that were ever given, those of versions without a record included."""
        given = [int(name) for name in self.records()]
        given += [int(entry.name) for entry in self.folder.iterdir() if entry.name.isdecimal()]
        return str(max(given, default=0) + 1)

    def _note(self, record: VersionRecord, champion: ChampionLock | None) -> str:
        force, because = "", "is not the champion"
        if record.untested_in_time:
            force, because = _FORCE, "was trained on one snapshot and has no temporal test"
        elif record.unfit and champion is None:
            force, because = _FORCE, record.unfit
        command = f"staypower models promote {record.version}{force}"
        return f"version {record.version} {because}: `{command}`, or `staypower score --model {record.version}`"

    def promote(
        self,
        version: str,
        *,
        reason: str = "",
        forced: bool = False,
        against: str = "",
        comparison: Mapping[str, Any] | None = None,
    ) -> ChampionLock:
        """Make a version the champion."""
        with self._locked():
            record, now = self.record_of(version), self.champion()
            if now is not None and (now.version, now.digest) == (record.version, record.digest):
                if dict(record.promotion) != promotion_of(now):  # a promotion that could not be written to its end
                    self._write(replace(record, promotion=promotion_of(now)))
                return now
            if forced and not reason.strip():
                raise UsageError.of("force without a reason", f"{self.name} {version}", "say why: `--reason TEXT`")
            if not forced:
                self._require_fit(record, now, against)
            history = () if now is None else (*now.history, now.version)
            lock = self._new_lock(record, reason, history)
            return self._make_champion(record, replace(lock, forced="yes" if forced else "", comparison=dict(comparison or {})))

    def _require_fit(self, record: VersionRecord, now: ChampionLock | None, against: str) -> None:
        """Refuse what only force may make champion."""
        place, fix = f"{self.name} {record.version}", _fix(record.version)
        if record.untested_in_time:
            raise UsageError.of("this version was trained on one snapshot and has no temporal test", place, fix)
        if now is None and record.unfit:
            raise UsageError.of(f"this version {record.unfit}", place, fix)
        if now is not None and now.digest != against:
            again = f"compare them with `staypower models promote {record.version}`"
            raise UsageError.of("not compared with the champion that scores now", f"{self.name} {now.version}", again)

    def rollback(self) -> ChampionLock:
        """Make the champion before this one champion again."""
        with self._locked():
            now = read_champion(self.models_folder, self.name)
            if now.previous is None:
                fix = "promote another with `staypower models promote VERSION`; `staypower models list` shows them"
                raise UsageError.of("no champion before this one", f"{self.name} {now.version}", fix)
            record = self.record_of(now.previous)
            why = f"rollback from version {now.version}"
            return self._make_champion(record, self._new_lock(record, why, now.history[:-1]))

    def record_of(self, version: str) -> VersionRecord:
        """Return the record of a version whose bundle is intact."""
        versions = self.records()
        if version not in versions:
            fix = nearest(version, versions) if versions else "train a model first with `staypower train`"
            raise UsageError.of("no such version", f"{self.name} {version}", fix)
        record = versions[version]
        open_folder(self.folder / version, digest=record.digest)
        return record

    def logged(self, version: str, run_id: str) -> None:
        """Write down in which run of the tracking store a version is."""
        with self._locked():
            self._write(replace(self.records()[version], run_id=run_id))

    def _write(self, record: VersionRecord) -> None:
        write_versions(self.models_folder, self.name, {**self.records(), record.version: record})

    def _new_lock(self, record: VersionRecord, reason: str, history: tuple[str, ...] = ()) -> ChampionLock:
        return ChampionLock(record.version, record.digest, record.run_id, now_text(), reason, history, user_name())

    def _make_champion(self, record: VersionRecord, lock: ChampionLock) -> ChampionLock:
        write_champion(self.models_folder, self.name, lock)
        self._write(replace(self.records()[record.version], promotion=promotion_of(lock)))
        return lock

    def _locked(self) -> AbstractContextManager[None]:
        return hold_lock(self.folder / ".lock")


def _fix(version: str) -> str:
    return (
        f"promote it anyway with `staypower models promote {version}{_FORCE}`, "
        f"or use it once with `staypower score --model {version}`"
    )
