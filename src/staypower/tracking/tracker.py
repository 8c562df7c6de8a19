"""Runs and versions of one model: what is registered, which version is the champion, and its export as a bundle."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

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
from staypower.tracking.listing import METRIC, champion_of, promotion_of
from staypower.tracking.runs import MODEL_ID, TrackedRun, finite_metrics, start_run, user_name
from staypower.tracking.settings import TrackingSettings
from staypower.tracking.store import MlflowException, Store, hold_lock, mlflow, open_store, use_store

__all__ = ["CHAMPION", "ModelVersion", "Tracker"]

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


class Tracker:
    """Runs and versions of one model.

    >>> tracker = Tracker(TrackingSettings(), Path("project"), name="acme")
    >>> tracker.models_folder.as_posix()
    'project/models'
    """

    def __init__(self, settings: TrackingSettings, root: Path, *, name: str, models_folder: Path = Path("models")) -> None:
        self.settings = settings
        self.root = root
        self.name = name
        self.models_folder = root / models_folder

    @cached_property
    def store(self) -> Store:
        """The tracking store; opened when first needed."""
        return open_store(self.settings, self.root, self.name)

    def run(
        self, kind: str, name: str | None = None, tags: Mapping[str, object] | None = None
    ) -> AbstractContextManager[TrackedRun]:
        """Start a run; see `start_run`."""
        return start_run(self.store, kind=kind, name=name, tags=tags)

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
        """Register a trained model and export its bundle; the first version that is fit becomes champion."""
        files = open_folder(bundle, digest=digest)
        with self._locked():
            numbers = finite_metrics(metrics)
            tags = {"digest": digest, "split": split, **(facts or {}), **({"unfit": unfit} if unfit else {})}
            version = self._create_version(run_id, tags, numbers)
            record = VersionRecord(version, digest, run_id, split, _now(), numbers, dict(facts or {}), unfit)
            folder = self._export(files, record)
            if self._lacks_champion(version) and not record.untested_in_time and not unfit:
                self._make_champion(record, self._new_lock(record, "the first version"))
                return ModelVersion(self.name, version, True, folder)
        return ModelVersion(self.name, version, False, folder, self._note(record))

    def _note(self, record: VersionRecord) -> str:
        force, because = "", "is not the champion"
        if record.untested_in_time:
            force, because = _FORCE, "was trained on one snapshot and has no temporal test"
        elif record.unfit and self.champion() is None:
            force, because = _FORCE, record.unfit
        command = f"staypower models promote {record.version}{force}"
        return f"version {record.version} {because}: `{command}`, or `staypower score --model {record.version}`"

    def _create_version(self, run_id: str, tags: Mapping[str, str], metrics: Mapping[str, float]) -> str:
        run = self.store.client.get_run(run_id)
        tags = {**tags, **{f"{METRIC}{name}"[:250]: repr(value) for name, value in metrics.items()}}
        model_id = run.data.tags.get(MODEL_ID)
        if model_id is None:
            with contextlib.suppress(MlflowException):  # it is there already
                self.store.client.create_registered_model(self.name)
            created = self.store.client.create_model_version(self.name, run.info.artifact_uri, run_id=run_id, tags=tags)
            return str(created.version)
        # links the version and the logged model to each other, and reports it on standard error
        with use_store(self.store), contextlib.redirect_stderr(io.StringIO()):
            return str(mlflow.register_model(f"models:/{model_id}", self.name, tags=tags).version)

    def _export(self, files: Mapping[str, bytes], record: VersionRecord) -> Path:
        folder = self.models_folder / self.name / record.version
        versions = read_versions(self.models_folder, self.name)
        known = versions.get(record.version)
        if folder.exists() and (known is None or known.digest != record.digest):
            # a new store counts from 1 again; what it would overwrite is kept under another name
            folder.rename(folder.with_name(f"{folder.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"))
        seal_folder(files, folder)
        write_versions(self.models_folder, self.name, {**versions, record.version: record})
        return folder

    def champion(self) -> ChampionLock | None:
        """Return the version that scores; None when there is none."""
        return champion_of(self.models_folder, self.name)

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
                return self._make_champion(record, now)
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
        """Return the record of a version whose exported bundle is intact."""
        versions = read_versions(self.models_folder, self.name)
        if version not in versions:
            fix = nearest(version, versions) if versions else "train a model first with `staypower train`"
            raise UsageError.of("no such version", f"{self.name} {version}", fix)
        record = versions[version]
        open_folder(self.models_folder / self.name / version, digest=record.digest)
        return record

    def _new_lock(self, record: VersionRecord, reason: str, history: tuple[str, ...] = ()) -> ChampionLock:
        return ChampionLock(record.version, record.digest, record.run_id, _now(), reason, history, user_name())

    def _make_champion(self, record: VersionRecord, lock: ChampionLock) -> ChampionLock:
        """Write the lock files that scoring and listing read, then the alias and the tags that MLflow shows."""
        promotion = promotion_of(lock)
        write_champion(self.models_folder, self.name, lock)
        versions = read_versions(self.models_folder, self.name)
        promoted = replace(versions[record.version], promotion=promotion)
        write_versions(self.models_folder, self.name, {**versions, record.version: promoted})
        client = self.store.client
        try:
            client.set_registered_model_alias(self.name, CHAMPION, record.version)
            for tag, value in promotion.items():
                client.set_model_version_tag(self.name, record.version, tag, value)
        except MlflowException as error:
            raise UsageError.of(
                "the version scores from now on, but the tracking store does not have it",
                f"{self.name} {record.version} in {self.store.uri} ({str(error).partition(chr(10))[0]})",
                "train again to register a model in this store, or set `tracking.uri` to the store that holds it",
            ) from error
        return lock

    def _lacks_champion(self, version: str) -> bool:
        """Say whether there is no champion: a new store knows none, but an exported one may still be in place."""
        lock = self.champion()
        return self._champion_version() is None and (lock is None or lock.version == version)

    def _champion_version(self) -> str | None:
        try:
            return str(self.store.client.get_model_version_by_alias(self.name, CHAMPION).version)
        except MlflowException:
            return None

    def _locked(self) -> AbstractContextManager[None]:
        return hold_lock(self.models_folder / self.name / ".lock")


def _fix(version: str) -> str:
    return (
        f"promote it anyway with `staypower models promote {version}{_FORCE}`, "
        f"or use it once with `staypower score --model {version}`"
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
