"""Prove, as far as data can, that no feature sees the future."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

from staypower.auditing.knowledge import list_unproven
from staypower.auditing.outcomes import find_overlap, shuffle_target
from staypower.auditing.report import AuditReport, Case
from staypower.auditing.separation import find_presence, find_separation
from staypower.auditing.time_travel import travel_by_arrival, travel_in_time
from staypower.cutoffs import text_of
from staypower.dataset.building import build_dataset
from staypower.errors import ExitCode
from staypower.pipelines.arguments import (
    SettingsLike,
    TablesLike,
    progress_from,
    require_flags,
    settings_from,
    tables_from,
)
from staypower.pipelines.preparing import open_to_train, probed_tracker
from staypower.progress import Progress
from staypower.results.result import Block, Result, Verbatim
from staypower.tables import fingerprint
from staypower.tracking.contents import log_data

__all__ = ["AuditResult", "audit", "run_checks"]

_CHECKS = (
    ("rebuilding without later rows", travel_in_time),
    ("rebuilding without later arrivals", travel_by_arrival),
    ("shuffling the target", shuffle_target),
    ("testing single features", find_separation),
    ("testing outcomes for overlap", find_overlap),
    ("testing whether having rows gives the outcome away", find_presence),
    ("listing columns without a date", list_unproven),
)


@dataclass(frozen=True)
class AuditResult(Result):
    """What the audit found, and the run that holds it."""

    report: AuditReport
    run_id: str

    @property
    def exit_code(self) -> ExitCode:
        """1 when a check failed."""
        return self.report.exit_code

    def frame(self) -> pd.DataFrame:
        """Return one row per check."""
        return self.report.frame()

    def blocks(self) -> list[Block]:
        """Return the table of checks and the run."""
        return [*self.report.blocks(), Verbatim([f"run: {self.run_id}"])]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"run_id": self.run_id, **self.report.to_dict()}


def audit(
    settings: SettingsLike, tables: TablesLike = None, *, every_cutoff: bool = False, progress: Progress | None = None
) -> AuditResult:
    """Prove, as far as data can, that no feature sees the future, and track the run; as `staypower audit`.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes.
    tables : Tables, or mapping of str to table, optional
        From `read_tables`, or pandas, polars or Arrow tables by the names that `source` gives; by default the sources are read.
    every_cutoff : bool, default False
        Whether to travel to every cutoff of the plan instead of the first, the middle and the last.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    AuditResult
        One row per check in `.frame()`; `.report` holds the checks.

    Examples
    --------
    >>> import staypower
    >>> audited = staypower.audit("demo/staypower.yaml")
    >>> bool((audited.frame()["status"] == "failed").any())
    False
    """
    require_flags(every_cutoff=every_cutoff)
    settings, progress = settings_from(settings), progress_from(progress)
    tables, sampling = open_to_train(
        settings, command="audit", progress=progress, tables=tables_from(settings, tables, progress)
    )
    tracker = probed_tracker(settings)
    threads = settings.model.threads or 2
    with progress.step("building features and labels"):
        dataset = build_dataset(
            tables,
            label=settings.label,
            features=settings.features,
            cutoffs=settings.cutoffs,
            threads=threads,
            sampling=sampling,
        )
    case = Case(
        name=settings.name,
        tables=tables,
        dataset=dataset,
        label=settings.label,
        features=settings.features,
        every_cutoff=every_cutoff,
        seed=settings.model.seed,
        threads=threads,
    )
    report = run_checks(case, progress)
    tags = {check.name: check.status for check in report.checks}
    with progress.step("logging the run"), tracker.run("audit", text_of(int(dataset.plan.all[-1])), tags) as run:
        log_data(run, settings.to_dict(), dataset, chosen=settings.chosen(), data=fingerprint(tables))
        run.log_metrics({"audit": report.metrics()})
        run.log_text(report.text(), "audit/audit.txt")
        run.log_text(json.dumps(report.to_dict(), indent=2), "audit/audit.json")
        run.log_text(report.frame().to_csv(index=False), "audit/audit.csv")
    return AuditResult(report, run.run_id)


def run_checks(case: Case, progress: Progress) -> AuditReport:
    """Run every check of the audit."""
    checks = []
    for words, check in _CHECKS:
        with progress.step(words):
            checks.append(check(case))
    return AuditReport(case.name, tuple(checks))
