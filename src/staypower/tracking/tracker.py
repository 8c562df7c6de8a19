"""Runs of one model, and MLflow's registry as a mirror of the versions and the champion that `models/NAME` owns."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from staypower.addresses import shown_in
from staypower.errors import UsageError
from staypower.models.bundle import read_bundle
from staypower.models.champion import VersionRecord
from staypower.models.versions import ModelVersions, promotion_of
from staypower.tracking.listing import METRIC
from staypower.tracking.runs import MODEL_ID, TrackedRun, start_run, whole_lines
from staypower.tracking.settings import TrackingSettings
from staypower.tracking.store import (
    MlflowException,
    Store,
    get_git_commit,
    mlflow,
    open_store,
    probe_store,
    reachable,
    use_store,
)
from staypower.tracking.waiting import WrittenRun, read_run
from staypower.writing import hold_lock

__all__ = ["CHAMPION", "Tracker"]

CHAMPION = "champion"
_NUMBER = "version"
_LONGEST_DESCRIPTION = 5000


class Tracker:
    """Runs and versions of one model.

    >>> tracker = Tracker(TrackingSettings(), Path("project"), name="acme")
    >>> tracker.versions.folder.as_posix()
    'project/models/acme'
    """

    def __init__(self, settings: TrackingSettings, root: Path, *, name: str, models_folder: Path = Path("models")) -> None:
        self.settings = settings
        self.root = root
        self.name = name
        self.versions = ModelVersions(root / models_folder, name)

    @cached_property
    def store(self) -> Store:
        """The tracking store; opened when first needed."""
        return open_store(self.settings, self.root, self.name)

    def probe(self) -> None:
        """Find out whether runs could be logged, before the work that they are of."""
        probe_store(self.settings, self.root)

    @contextlib.contextmanager
    def run(self, kind: str, of: str = "", tags: Mapping[str, object] | None = None) -> Iterator[TrackedRun]:
        """Start a run, named by its kind and what it is of; see `start_run`. Versions that wait are logged first."""
        store = self.store
        if any(not record.run_id for record in self.versions.records().values()):
            self.mirror()
        given = {**self._code_version, **(tags or {})}
        with reachable(store.uri), start_run(store, kind=kind, name=f"{kind} {of}".strip(), tags=given) as run:
            yield run

    def under(self, version: str) -> dict[str, str]:
        """Return the tag that puts a run below the one that trained a version, where this store knows that."""
        record = self.versions.records().get(version)
        known = record is not None and record.run_id and self._has_run(record.run_id)
        return {"mlflow.parentRunId": record.run_id} if record is not None and known else {}

    @cached_property
    def _code_version(self) -> dict[str, str]:
        """Return the commit of the project that the config lies in; nothing outside a repository."""
        commit = get_git_commit(str(self.root.absolute()))
        return {"mlflow.source.git.commit": commit} if commit else {}

    def keep(self, version: str, run: WrittenRun) -> None:
        """Keep what is to be logged of a version until it is."""
        with hold_lock(self._waiting / ".lock"):
            run.keep(self._waiting / version)

    @property
    def _waiting(self) -> Path:
        return self.versions.folder / "waiting"

    def mirror(self) -> tuple[str, ...]:
        """Log the versions that wait, bring MLflow's registry in line with `models/NAME`, and say what differed."""
        store = self.store
        with hold_lock(self._waiting / ".lock"), reachable(store.uri):
            notes, there = [], self._registered()
            for record in self.versions.records().values():
                key = (record.version, record.digest)
                if key in there:
                    run_id = str(there[key].run_id)
                elif record.run_id and self._has_run(record.run_id):
                    continue  # a user of MLflow has deleted the version there
                else:
                    if record.run_id:
                        notes.append(f"this tracking store did not know version {record.version}: it is logged there now")
                    run_id, number = self._log(record)
                    if number != record.version:
                        notes.append(f"version {record.version} is version {number} in MLflow: others stand there")
                if run_id != record.run_id:
                    self.versions.logged(record.version, run_id)
                shutil.rmtree(self._waiting / record.version, ignore_errors=True)
            notes += self._mirror_champion(self._registered())
        return (*store.notes, *notes)

    def mirrored(
        self,
        kind: str = "",
        of: str = "",
        tags: Mapping[str, object] | None = None,
        log: Callable[[TrackedRun], None] | None = None,
    ) -> tuple[str, ...]:
        """Mirror, `log` a run where one is named, and say what the store lacked, or why it could not be reached."""
        try:
            notes = self.mirror()
            if kind:
                with self.run(kind, of, tags) as run:
                    if log is not None:
                        log(run)
        except (UsageError, MlflowException, OSError) as error:
            problems = error.problems if isinstance(error, UsageError) else ()
            said = "; ".join(f"{one.problem}: {one.value}" for one in problems) or str(error)
            return (
                f"not logged yet ({shown_in(said)[:300]}): `staypower models log` or the next run logs versions and champion",
            )
        return notes

    def _registered(self) -> dict[tuple[str, str], Any]:
        """Return the versions in MLflow's registry by our number and digest."""
        found = self.store.client.search_model_versions(f"name='{self.name}'")
        return {(one.tags.get(_NUMBER, str(one.version)), one.tags.get("digest", "")): one for one in found}

    def _has_run(self, run_id: str) -> bool:
        try:
            return self.store.client.get_run(run_id) is not None
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return False

    def _log(self, record: VersionRecord) -> tuple[str, str]:
        """Log the run, the model and the version of a record, and return the run and MLflow's number of the version.

        What it was trained with is lost where no run waits.
        """
        place = self._waiting / record.version
        written = read_run(place) or WrittenRun(place, {"split": record.split}, metrics=[(0, dict(record.metrics))])
        folder = self.versions.folder / record.version
        bundle = read_bundle(folder, digest=record.digest)
        name = written.name or f"train version {record.version}"
        with start_run(self.store, kind="train", name=name, tags=self._code_version, began=written.began) as run:
            # before the metrics: they are the model's, too
            run.log_model(bundle, folder, record.digest, **record.served)
            written.log_to(run)
            run.describe(bundle.card)
        unfit = {"unfit": record.unfit} if record.unfit else {}
        tags = {_NUMBER: record.version, "digest": record.digest, "split": record.split, **record.facts, **unfit}
        tags |= {f"{METRIC}{name}"[:250]: repr(value) for name, value in record.metrics.items()}
        number = self._create_version(run.run_id, int(record.version), {**tags, **record.promotion})
        self.store.client.update_model_version(self.name, number, description=whole_lines(bundle.card, _LONGEST_DESCRIPTION))
        return run.run_id, number

    def _create_version(self, run_id: str, number: int, tags: Mapping[str, str]) -> str:
        """Register a run's model under our number; numbers below it that MLflow does not have are used up."""
        client, run = self.store.client, self.store.client.get_run(run_id)
        with contextlib.suppress(MlflowException):  # it is there already
            client.create_registered_model(self.name)
        last = max((int(one.version) for one in client.search_model_versions(f"name='{self.name}'")), default=0)
        while last < number - 1:
            last = int(client.create_model_version(self.name, run.info.artifact_uri, run_id=run_id).version)
            client.delete_model_version(self.name, str(last))
        # links the version and the logged model to each other, and reports it on standard error
        with use_store(self.store), contextlib.redirect_stderr(io.StringIO()):
            return str(mlflow.register_model(f"models:/{run.data.tags[MODEL_ID]}", self.name, tags=dict(tags)).version)

    def _mirror_champion(self, there: Mapping[tuple[str, str], Any]) -> list[str]:
        """Set the alias and the tags that MLflow shows of the champion."""
        lock, client = self.versions.champion(), self.store.client
        entry = None if lock is None else there.get((lock.version, lock.digest))
        if lock is None or entry is None:
            return []
        notes, aliased = [], client.get_registered_model(self.name).aliases.get(CHAMPION)
        if str(aliased) != str(entry.version):
            client.set_registered_model_alias(self.name, CHAMPION, str(entry.version))
            if aliased is not None and str(aliased) not in lock.history:
                notes.append(f"MLflow's alias `{CHAMPION}` stood at version {aliased}: it follows version {lock.version} again")
        for tag, value in promotion_of(lock).items():
            if entry.tags.get(tag) != value:
                client.set_model_version_tag(self.name, str(entry.version), tag, value)
        return notes
