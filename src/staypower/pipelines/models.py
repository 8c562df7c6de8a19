"""Promote a version of a model, and roll back to the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from staypower.config.settings import Settings
from staypower.dataset.cache import MatrixCache
from staypower.errors import ExitCode, UsageError
from staypower.evaluation.comparison import Comparison, compare_models, not_compared, problems_of
from staypower.models.bundle import read_bundle
from staypower.models.champion import ChampionLock, VersionRecord, find_bundle
from staypower.pipelines.arguments import (
    SettingsLike,
    TablesLike,
    model_from,
    progress_from,
    require_flags,
    require_text,
    settings_from,
)
from staypower.pipelines.preparing import drawing_to_train, tracker_of
from staypower.progress import Progress
from staypower.results.result import Block, Items, Result
from staypower.tables import BucketedTables, fingerprint
from staypower.tracking.contents import log_comparison

__all__ = ["Promotion", "compare_versions", "promote", "rollback"]


@dataclass(frozen=True)
class Promotion(Result):
    """Which version scores now, and why it does."""

    name: str  # of the model
    version: str  # the version that scores now
    previous: str  # the version that scored before; empty when there was none
    asked: str  # the version that was to be promoted
    comparison: Comparison | None = None  # with the champion, when there was one
    refusal: str = ""  # why it was not promoted; empty when it was
    forced: bool = False
    tracking: tuple[str, ...] = ()  # what the tracking store lacked, or why it could not be reached

    @property
    def exit_code(self) -> ExitCode:
        """1 when it was refused."""
        return ExitCode.FOUND if self.refusal else ExitCode.DONE

    def blocks(self) -> list[Block]:
        """Return what was found and what changed."""
        found: list[Block] = [] if self.comparison is None else [*self.comparison.blocks()]
        if self.refusal:
            why = "" if found else f": {self.refusal}"
            force = f"`staypower models promote {self.asked} --force --reason TEXT` promotes it anyway"
            found += [f"Not promoted{why}; {force}.", f"Champion of {self.name}: {self.version or 'none'}."]
            return [*found, *said_of_tracking(self.tracking)]
        before = f" (before: version {self.previous})" if self.previous else ""
        forced = ", promoted by force" if self.forced else ""
        said = f"Champion of {self.name}: version {self.version}{forced}{before}."
        return [*found, said, *said_of_tracking(self.tracking)]

    def frame(self) -> pd.DataFrame:
        """Return the compared metrics; empty when nothing was compared."""
        return pd.DataFrame() if self.comparison is None else self.comparison.frame()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": self.name,
            "asked": self.asked,
            "promoted": not self.refusal,
            "refusal": self.refusal or None,
            "forced": self.forced,
            "champion": self.version or None,
            "previous": self.previous or None,
            "tracking": list(self.tracking),
            "comparison": None if self.comparison is None else self.comparison.to_dict(),
        }


def said_of_tracking(notes: Sequence[str]) -> list[Block]:
    """Return what the tracking store lacked as a list; nothing where it lacked nothing."""
    return [Items([f"Tracking: {note}" for note in notes])] if notes else []


@dataclass(frozen=True)
class LoggedModels(Result):
    """What was logged, and how MLflow's registry differed from the versions in the models folder."""

    name: str  # of the model
    logged: tuple[str, ...]  # the versions that waited
    tracking: tuple[str, ...]

    def blocks(self) -> list[Block]:
        """Return what was logged."""
        versions = ", ".join(self.logged)
        done = f"Logged {self.name}: version {versions}." if versions else f"Every version of {self.name} is logged."
        return [done, *said_of_tracking(self.tracking)]

    def frame(self) -> pd.DataFrame:
        """Return the versions that were logged."""
        return pd.DataFrame({"version": list(self.logged)})

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"name": self.name, "logged": list(self.logged), "tracking": list(self.tracking)}


def log_models(settings: SettingsLike, *, progress: Progress | None = None) -> LoggedModels:
    """Log every version that waits for the tracking store, and mirror the champion there; as `staypower models log`."""
    settings, progress = settings_from(settings), progress_from(progress)
    tracker = tracker_of(settings)
    with progress.step("logging"):
        before = {record.version: record.run_id for record in tracker.versions.records().values()}
        notes = tracker.mirror()
    logged = tuple(one.version for one in tracker.versions.records().values() if one.run_id != before.get(one.version))
    return LoggedModels(settings.name, logged, notes)


def promote(
    settings: SettingsLike,
    tables: TablesLike = None,
    *,
    version: str | int,
    force: bool = False,
    reason: str = "",
    progress: Progress | None = None,
) -> Promotion:
    """Make a version the champion when it beats the champion on the same later cutoffs; as `staypower models promote`.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes.
    tables : Tables, or mapping of str to table, optional
        From `read_tables`, or pandas, polars or Arrow tables by the names that `source` gives; by default the sources are read.
    version : str or int
        The version that is to score from now on.
    force : bool, default False
        Whether to promote it whatever the comparison finds; needs a reason.
    reason : str, default ""
        Why; kept with the version.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    Promotion
        `.refusal` says why it was not promoted; empty when it was.

    Examples
    --------
    >>> import staypower
    >>> promotion = staypower.promote("demo/staypower.yaml", version=2, force=True, reason="the first month with new data")
    >>> promotion.version, promotion.previous
    ('2', '1')
    """
    require_flags(force=force)
    require_text("reason", reason)
    settings, progress = settings_from(settings), progress_from(progress)
    version = model_from(version) or ""
    tracker = tracker_of(settings)
    record, now = tracker.versions.record_of(version), tracker.versions.champion()
    if force and not reason.strip():
        raise UsageError.of("force without a reason", f"{settings.name} {version}", "say why: `--reason TEXT`")
    if now is not None and (now.version, now.digest) == (record.version, record.digest):
        tracker.versions.promote(version)
        return Promotion(settings.name, now.version, now.previous or "", version, tracking=tracker.mirrored())
    found = None if now is None else _compared(settings, record, now, tables, progress, forgiving=force)
    refusal = "" if force else _refusal(record, found)
    before = scoring = "" if now is None else now.version
    if not refusal:
        lock = tracker.versions.promote(
            version,
            reason="; ".join(part for part in (reason, "" if found is None else found.verdict) if part),
            forced=force,
            against="" if now is None else now.digest,
            comparison=None if found is None else found.to_dict(),
        )
        scoring = lock.version
    tags = {"model_version": version, "decision": _decision(refusal, force)}
    tags |= {"reason": reason or "none given", "refusal": refusal or "none"}
    notes = tracker.mirrored("promote", f"version {version}", tags, lambda run: log_comparison(run, found))
    if refusal:
        return Promotion(settings.name, scoring, "", version, found, refusal, tracking=notes)
    return Promotion(settings.name, scoring, before, version, found, forced=force, tracking=notes)


def _decision(refusal: str, force: bool) -> str:
    return "forced" if force else "refused" if refusal else "promoted"


def _compared(
    settings: Settings,
    record: VersionRecord,
    now: ChampionLock,
    tables: TablesLike,
    progress: Progress,
    *,
    forgiving: bool,
) -> Comparison:
    """Compare a version with the champion; force must work even where the tables cannot be read."""
    try:
        opened = drawing_to_train(settings, command="models promote", progress=progress, tables=tables)
        step = progress.step(f"comparing version {record.version} with the champion, version {now.version}")
        with opened as drawn, step:
            return compare_versions(settings, drawn.tables, record.version, now.version)
    except UsageError as error:
        if not forgiving:
            raise
        return not_compared(record.version, now.version, problems_of(error))


def compare_versions(
    settings: Settings, tables: BucketedTables, challenger: str, champion: str, *, data: str | None = None, seen: bool = False
) -> Comparison:
    """Compare two exported versions on the later cutoffs of some tables; see `compare_models`."""
    try:
        places = [find_bundle(settings.models_path, settings.name, version) for version in (challenger, champion)]
        mine, theirs = (read_bundle(place.folder, digest=place.digest) for place in places)
    except UsageError as error:
        return not_compared(challenger, champion, problems_of(error))
    cache = MatrixCache(settings.output_folder / "cache", data or fingerprint(tables))
    return compare_models(
        tables,
        challenger=(challenger, mine),
        champion=(champion, theirs),
        label=settings.label,
        cutoffs=settings.cutoffs,
        seed=settings.model.seed,
        threads=settings.model.threads or 2,
        cache=cache,
        seen=seen,
    )


def _refusal(record: VersionRecord, found: Comparison | None) -> str:
    """Say why a version is not promoted; empty when it is."""
    if record.untested_in_time:
        return f"version {record.version} was trained on one snapshot and has no temporal test"
    if found is None:
        return f"version {record.version} {record.unfit}" if record.unfit else ""
    return "" if found.wins else found.verdict


def rollback(settings: SettingsLike, *, progress: Progress | None = None) -> Promotion:
    """Make the previous champion the champion again; as `staypower models rollback`.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    Promotion

    Examples
    --------
    >>> import staypower
    >>> staypower.rollback("demo/staypower.yaml").version
    '1'
    """
    settings, _ = settings_from(settings), progress_from(progress)
    tracker = tracker_of(settings)
    now = tracker.versions.champion()
    lock = tracker.versions.rollback()
    before = "" if now is None else now.version
    notes = tracker.mirrored("rollback", f"to version {lock.version}", {"model_version": lock.version, "before": before})
    return Promotion(settings.name, lock.version, before, lock.version, tracking=notes)
