"""The model registry: versions, the champion, and their export as bundles that score without MLflow."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

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
from staypower.tracking.listing import METRIC, frame_of_versions
from staypower.tracking.quiet_mlflow import MlflowException, mlflow
from staypower.tracking.runs import MODEL_ID, finite_metrics, user_name
from staypower.tracking.store import Store, hold_lock, use_store

__all__ = ["CHAMPION", "ModelVersion", "Registry"]

CHAMPION = "champion"
_FORCE = " --force --reason TEXT"


@dataclass(frozen=True)
class ModelVersion:
    """A registered version."""

    name: str  # name of the model
    version: str
    champion: bool  # whether it scores from now on
    folder: Path  # where its bundle was exported to
    note: str = ""  # what to do next, when something is to be done


class Registry:
    """The versions of one model."""

    def __init__(self, store: Store, name: str, models_folder: Path) -> None:
        self._store = store
        self._name = name
        self._models_folder = models_folder

    def register(
        self,
        bundle: Path,
        digest: str,
        run_id: str,
        metrics: Mapping[str, Any],
        *,
        split: str = "temporal",
        facts: Mapping[str, str] | None = None,
        unfit: str = "",
    ) -> ModelVersion:
        """Register a trained model and export its bundle; the first version that is fit to becomes champion."""
        files = open_folder(bundle, digest=digest)
        with self._locked():
            numbers = finite_metrics(metrics)
            told = {"digest": digest, "split": split, **(facts or {}), **({"unfit": unfit} if unfit else {})}
            version = self._create_version(run_id, told, numbers)
            record = VersionRecord(version, digest, run_id, split, _now(), numbers, dict(facts or {}), unfit)
            folder = self._export(files, record)
            if self._lacks_champion(version) and not record.untested_in_time and not unfit:
                self._crown(record, self._new_lock(record, "the first version"))
                return ModelVersion(self._name, version, True, folder)
        return ModelVersion(self._name, version, False, folder, self._note(record))

    def _note(self, record: VersionRecord) -> str:
        force, because = "", "is not the champion"
        if record.untested_in_time:
            force, because = _FORCE, "is learned from one snapshot, without a temporal test"
        elif record.unfit and self._lock() is None:
            force, because = _FORCE, record.unfit
        command = f"staypower models promote {record.version}{force}"
        return f"version {record.version} {because}: `{command}`, or `staypower score --model {record.version}`"

    def _create_version(self, run_id: str, told: Mapping[str, str], metrics: Mapping[str, float]) -> str:
        run = self._store.client.get_run(run_id)
        tags = {**told, **{f"{METRIC}{name}"[:250]: repr(value) for name, value in metrics.items()}}
        model_id = run.data.tags.get(MODEL_ID)
        if model_id is None:
            with contextlib.suppress(MlflowException):  # it is there already
                self._store.client.create_registered_model(self._name)
            created = self._store.client.create_model_version(self._name, run.info.artifact_uri, run_id=run_id, tags=tags)
            return str(created.version)
        # links the version and the logged model to each other, and says so on standard error, where it is of no use
        with use_store(self._store), contextlib.redirect_stderr(io.StringIO()):
            return str(mlflow.register_model(f"models:/{model_id}", self._name, tags=tags).version)

    def _export(self, files: Mapping[str, bytes], record: VersionRecord) -> Path:
        folder = self._models_folder / self._name / record.version
        versions = read_versions(self._models_folder, self._name)
        known = versions.get(record.version)
        if folder.exists() and (known is None or known.digest != record.digest):
            # a store that was begun anew counts from 1 again; what it would overwrite is kept beside
            folder.rename(folder.with_name(f"{folder.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"))
        seal_folder(files, folder)
        write_versions(self._models_folder, self._name, {**versions, record.version: record})
        return folder

    def record_of(self, version: str) -> VersionRecord:
        """Return what is known of a version whose exported bundle is intact; see `VersionRecord`."""
        return self._record(str(version))

    def champion(self) -> ChampionLock | None:
        """Return the version that scores; None when there is none."""
        return self._lock()

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
            record, now = self._record(str(version)), self._lock()
            if now is not None and (now.version, now.digest) == (record.version, record.digest):
                return self._crown(record, now)
            if forced and not reason.strip():
                raise UsageError.of("force without a reason", f"{self._name} {version}", "say why: `--reason TEXT`")
            if not forced:
                self._require_fit(record, now, against)
            history = () if now is None else (*now.history, now.version)
            lock = self._new_lock(record, reason, history)
            return self._crown(record, replace(lock, forced="yes" if forced else "", comparison=dict(comparison or {})))

    def _require_fit(self, record: VersionRecord, now: ChampionLock | None, against: str) -> None:
        """Refuse what only force may make champion."""
        place, fix = f"{self._name} {record.version}", _fix(record.version)
        if record.untested_in_time:
            raise UsageError.of("this version was learned from one snapshot and has no temporal test", place, fix)
        if now is None and record.unfit:
            raise UsageError.of(f"this version {record.unfit}", place, fix)
        if now is not None and now.digest != against:
            again = f"compare them with `staypower models promote {record.version}`"
            raise UsageError.of("not compared with the champion that scores now", f"{self._name} {now.version}", again)

    def rollback(self) -> ChampionLock:
        """Make the champion before this one champion again."""
        with self._locked():
            now = read_champion(self._models_folder, self._name)
            if now.previous is None:
                fix = "promote another with `staypower models promote VERSION`; `staypower models list` shows them"
                raise UsageError.of("no champion before this one", f"{self._name} {now.version}", fix)
            record = self._record(now.previous)
            why = f"rollback from version {now.version}"
            return self._crown(record, self._new_lock(record, why, now.history[:-1]))

    def _record(self, version: str) -> VersionRecord:
        versions = read_versions(self._models_folder, self._name)
        if version not in versions:
            fix = nearest(version, versions) if versions else "train a model first with `staypower train`"
            raise UsageError.of("no such version", f"{self._name} {version}", fix)
        record = versions[version]
        open_folder(self._models_folder / self._name / version, digest=record.digest)
        return record

    def _new_lock(self, record: VersionRecord, reason: str, history: tuple[str, ...] = ()) -> ChampionLock:
        return ChampionLock(record.version, record.digest, record.run_id, _now(), reason, history, user_name())

    def _crown(self, record: VersionRecord, lock: ChampionLock) -> ChampionLock:
        """Write the lock that scoring reads, then the alias and the tags that MLflow shows."""
        write_champion(self._models_folder, self._name, lock)
        client = self._store.client
        tags = {
            "promoted_at": lock.promoted_at,
            "promoted_by": lock.promoted_by or "unknown",
            "promoted_because": lock.reason or "no reason given",
            "promoted_by_force": lock.forced or "no",
        }
        try:
            client.set_registered_model_alias(self._name, CHAMPION, record.version)
            for tag, value in tags.items():
                client.set_model_version_tag(self._name, record.version, tag, value)
        except MlflowException as error:
            raise UsageError.of(
                "the version scores from now on, but the tracking store does not know it",
                f"{self._name} {record.version} in {self._store.uri} ({str(error).partition(chr(10))[0]})",
                "train again to register a model in this store, or set `tracking.uri` to the store that holds it",
            ) from error
        return lock

    def _lock(self) -> ChampionLock | None:
        try:
            return read_champion(self._models_folder, self._name)
        except UsageError:
            return None

    def _lacks_champion(self, version: str) -> bool:
        """Say whether nothing scores: a store begun anew knows no champion, but an exported one may still be in place."""
        lock = self._lock()
        return self._champion_version() is None and (lock is None or lock.version == version)

    def _champion_version(self) -> str | None:
        try:
            return str(self._store.client.get_model_version_by_alias(self._name, CHAMPION).version)
        except MlflowException:
            return None

    def list_versions(self) -> pd.DataFrame:
        """List every version, the newest first; see `frame_of_versions` for the columns."""
        found = self._store.client.search_model_versions(f"name = '{self._name}'")
        return frame_of_versions(found, self._lock())

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with hold_lock(self._models_folder / self._name / ".lock"):
            yield


def _fix(version: str) -> str:
    return (
        f"promote it all the same with `staypower models promote {version}{_FORCE}`, "
        f"or use it once with `staypower score --model {version}`"
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
