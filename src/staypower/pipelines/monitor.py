"""Monitor a model in use: data and scores against training, performance before outcomes, and what came true."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from staypower.cutoffs import text_of
from staypower.errors import UsageError
from staypower.models.bundle import read_bundle
from staypower.models.champion import find_bundle
from staypower.monitoring.history import history_path, keep_history
from staypower.monitoring.result import Monitoring
from staypower.monitoring.watching import watch
from staypower.pipelines.arguments import (
    Moment,
    SettingsLike,
    TablesLike,
    instant_from,
    model_from,
    opened,
    progress_from,
    settings_from,
    tables_from,
)
from staypower.pipelines.gating import pass_tables
from staypower.pipelines.models import said_of_tracking
from staypower.pipelines.preparing import prepare_scorer, store_is_there, tracker_of
from staypower.progress import Progress
from staypower.results.result import Block, Result, Verbatim
from staypower.tracking.contents import log_monitoring
from staypower.writing import probe_place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from staypower.errors import ExitCode
    from staypower.results.pictures import Picture

__all__ = ["MonitorResult", "monitor"]


@dataclass(frozen=True)
class MonitorResult(Result):
    """What monitoring found, and where its history is.

    Parameters
    ----------
    monitoring : Monitoring
    path : Path
        The history.
    tracking : tuple of str
        What the tracking store said; nothing where there is none.
    """

    monitoring: Monitoring
    path: Path
    tracking: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """1 when something was found against the data or the model."""
        return self.monitoring.exit_code

    @property
    def retrain(self) -> bool:
        """Whether to train again."""
        return self.monitoring.retrain

    def frame(self) -> pd.DataFrame:
        """Return one row per cutoff, slice and figure: what is expected, with its interval, and what came true."""
        return self.monitoring.frame()

    def pictures(self) -> Mapping[str, Callable[[], Picture]]:
        """Return the pictures."""
        return self.monitoring.pictures()

    def blocks(self) -> list[Block]:
        """Return what was found, and where the history is."""
        return [*self.monitoring.blocks(), *said_of_tracking(self.tracking), Verbatim([f"history: {self.path}"])]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**self.monitoring.to_dict(), "path": str(self.path), "tracking": list(self.tracking)}


def monitor(
    settings: SettingsLike,
    tables: TablesLike = None,
    *,
    cutoff: Moment = None,
    model: str | int | Path | None = None,
    progress: Progress | None = None,
) -> MonitorResult:
    """Say whether a model still fits, and whether to train again; as `staypower monitor`.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes.
    tables : Tables, or mapping of str to table, optional
        From `read_tables`, or pandas, polars or Arrow tables by the names that `source` gives; by default the sources are read.
    cutoff : str, date or datetime, optional
        Instant of knowledge; by default the midnight UTC after everything that was observed.
    model : str, int or Path, optional
        A version or the folder of a bundle; the champion by default.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    MonitorResult
        `.retrain` says whether to train again, `.frame()` what is expected and what came true.

    Raises
    ------
    UsageError
        When the settings or tables cannot be used, or the label is a flag without a time.

    Examples
    --------
    >>> import staypower
    >>> watched = staypower.monitor("demo/staypower.yaml")
    >>> watched.retrain in (True, False)
    True
    """
    settings, progress = settings_from(settings), progress_from(progress)
    if settings.label.is_snapshot:
        fix = "give dates of churn, or compare two exports yourself: a flag has no time, so nothing can be later"
        raise UsageError.of("a flag without a time cannot be monitored", f"label.kind: {settings.label.kind}", fix)
    at, path = instant_from("cutoff", cutoff), history_path(settings.output_folder)
    probe_place(path)
    place = find_bundle(settings.models_path, settings.name, model_from(model))
    bundle = read_bundle(place.folder, digest=place.digest)
    with opened(settings, tables_from(settings, tables, progress), name="monitor", progress=progress) as found:
        now = prepare_scorer(settings, bundle, place, found.tables, cutoff=at).cutoff
        # data that are not like those of training are what this job looks for: they are told, and never refused
        gate = pass_tables(settings, bundle, found.tables, cutoff=now, accept=True, progress=progress).found
        with progress.step("comparing with training, and earlier scores with what came true"):
            seen = watch(
                *(bundle, found.tables, settings.label),
                cutoff=now,
                every=settings.cutoffs.every,
                folder=(found.folder or Path()) / "monitor",
                threads=settings.engine.threads,
                version=place.version,
                gate=gate,
            )
    seen = seen.with_history(keep_history(path, seen))
    tracking: tuple[str, ...] = ()
    if store_is_there(settings):
        with progress.step("logging"):
            tags = {"model_version": place.version, "retrain": seen.retrain}
            tracking = tracker_of(settings).mirrored("monitor", text_of(now), tags, lambda run: log_monitoring(run, seen))
    return MonitorResult(seen, path, tracking)
