"""The model registry: versions, the champion, and their export as bundles that score without MLflow."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException

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
from staypower.tracking.runs import MODEL_ID, finite_metrics
from staypower.tracking.store import Store, hold_lock, use_store

__all__ = ["CHAMPION", "ModelVersion", "Registry"]

CHAMPION = "champion"
_METRIC = "metric."


@dataclass(frozen=True)
class ModelVersion:
    """A registered version.

    Parameters
    ----------
    name : str
        Name of the model.
    version : str
    champion : bool
        Whether it scores from now on.
    folder : Path
        Where its bundle was exported to.
    note : str, default ""
        What to do next, when something is to be done.
    """

    name: str
    version: str
    champion: bool
    folder: Path
    note: str = ""


class Registry:
    """The versions of one model.

    Parameters
    ----------
    store : Store
    name : str
        Name of the model.
    models_folder : Path
        Where bundles are exported to.
    """

    def __init__(self, store: Store, name: str, models_folder: Path) -> None:
        self._store = store
        self._name = name
        self._models_folder = models_folder

    def register(
        self, bundle: Path, digest: str, run_id: str, metrics: Mapping[str, Any], *, split: str = "temporal"
    ) -> ModelVersion:
        """Register a trained model and export its bundle; the first version becomes champion.

        Parameters
        ----------
        bundle : Path
            The sealed bundle's folder.
        digest : str
            Its seal.
        run_id : str
            The run that trained it; the model it logged is what the version shows in MLflow.
        metrics : mapping
            Kept with the version.
        split : {"temporal", "grouped", "snapshot"}, default "temporal"
            How it was tested. A `snapshot` model never becomes champion by itself.

        Returns
        -------
        ModelVersion
        """
        files = open_folder(bundle, digest=digest)
        with self._locked():
            numbers = finite_metrics(metrics)
            version = self._create_version(run_id, digest, numbers, split)
            record = VersionRecord(version, digest, run_id, split, _now(), numbers)
            folder = self._export(files, record)
            if self._lacks_champion(version) and not record.untested_in_time:
                self._crown(record, reason="the first version", history=())
                return ModelVersion(self._name, version, True, folder)
        return ModelVersion(self._name, version, False, folder, self._note(record))

    def _note(self, record: VersionRecord) -> str:
        force = " --force" if record.untested_in_time else ""
        because = "learnt from one snapshot, without a temporal test" if record.untested_in_time else "not the champion"
        command = f"staypower models promote {record.version}{force}"
        return f"version {record.version} is {because}: `{command}`, or `staypower score --model {record.version}`"

    def _create_version(self, run_id: str, digest: str, metrics: Mapping[str, float], split: str) -> str:
        run = self._store.client.get_run(run_id)
        tags = {"digest": digest, "split": split, **{f"{_METRIC}{name}"[:250]: repr(value) for name, value in metrics.items()}}
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

    def promote(self, version: str, *, force: bool = False, reason: str = "") -> ChampionLock:
        """Make a version the champion.

        Parameters
        ----------
        version : str
        force : bool, default False
            Promote a version without a temporal test too.
        reason : str, default ""
            Kept with the version.

        Returns
        -------
        ChampionLock

        Raises
        ------
        UsageError
            When there is no such version, its bundle is not intact, or force is needed.
        """
        with self._locked():
            record = self._record(str(version))
            if record.untested_in_time and not force:
                raise UsageError.of(
                    "this version was learnt from one snapshot and has no temporal test",
                    f"{self._name} {version}",
                    f"promote it all the same with `staypower models promote {version} --force`, "
                    f"or use it once with `score --model {version}`",
                )
            now = self._lock()
            if now is not None and (now.version, now.digest) == (record.version, record.digest):
                return self._crown(record, reason=reason or now.reason, history=now.history)
            history = () if now is None else (*now.history, now.version)
            return self._crown(record, reason=reason, history=history)

    def rollback(self) -> ChampionLock:
        """Make the champion before this one champion again.

        Returns
        -------
        ChampionLock

        Raises
        ------
        UsageError
            When there was none before.
        """
        with self._locked():
            now = read_champion(self._models_folder, self._name)
            if now.previous is None:
                mend = "promote another with `staypower models promote VERSION`; `staypower models list` shows them"
                raise UsageError.of("no champion before this one", f"{self._name} {now.version}", mend)
            record = self._record(now.previous)
            return self._crown(record, reason=f"rollback from version {now.version}", history=now.history[:-1])

    def _record(self, version: str) -> VersionRecord:
        versions = read_versions(self._models_folder, self._name)
        if version not in versions:
            mend = nearest(version, versions) if versions else "train a model first with `staypower train`"
            raise UsageError.of("no such version", f"{self._name} {version}", mend)
        record = versions[version]
        open_folder(self._models_folder / self._name / version, digest=record.digest)
        return record

    def _crown(self, record: VersionRecord, *, reason: str, history: tuple[str, ...]) -> ChampionLock:
        """Write the lock that scoring reads, then the alias that MLflow shows."""
        lock = ChampionLock(record.version, record.digest, record.run_id, _now(), reason, history)
        write_champion(self._models_folder, self._name, lock)
        client = self._store.client
        try:
            client.set_registered_model_alias(self._name, CHAMPION, record.version)
            client.set_model_version_tag(self._name, record.version, "promoted_at", lock.promoted_at)
            client.set_model_version_tag(self._name, record.version, "promoted_because", reason or "no reason given")
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
        """List every version, the newest first.

        Returns
        -------
        DataFrame
            `version, champion, split, created_at, run_id, digest` and one column a metric, named `metric.auroc` and so on.
        """
        champion = self._champion_version()
        found = self._store.client.search_model_versions(f"name = '{self._name}'")
        rows = [_row(version, champion) for version in sorted(found, key=lambda version: -int(version.version))]
        columns = ["version", "champion", "split", "created_at", "run_id", "digest"]
        return pd.DataFrame(rows, columns=columns if not rows else None)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with hold_lock(self._models_folder / self._name / ".lock"):
            yield


def _row(version: Any, champion: str | None) -> dict[str, Any]:
    metrics = {tag: float(value) for tag, value in version.tags.items() if tag.startswith(_METRIC)}
    return {
        "version": str(version.version),
        "champion": str(version.version) == champion,
        "split": version.tags.get("split", ""),
        "created_at": datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).isoformat(timespec="seconds"),
        "run_id": version.run_id,
        "digest": version.tags.get("digest", ""),
        **dict(sorted(metrics.items())),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
