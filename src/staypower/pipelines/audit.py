"""Prove, as far as data can, that no feature sees the future."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from staypower.auditing.case import Case
from staypower.auditing.report import AuditReport
from staypower.auditing.running import audit_dataset
from staypower.config.settings import Settings
from staypower.dataset.building import build_dataset
from staypower.errors import ExitCode
from staypower.pipelines.logging import log_data
from staypower.pipelines.sampling import open_to_learn
from staypower.progress import Progress
from staypower.sources.fingerprints import fingerprint
from staypower.tables import Tables
from staypower.tracking.tracker import Tracker

__all__ = ["AuditResult", "run_audit"]


@dataclass(frozen=True)
class AuditResult:
    """What the audit found."""

    report: AuditReport
    run_id: str

    @property
    def exit_code(self) -> ExitCode:
        """1 when a check failed."""
        return self.report.exit_code

    def text(self) -> str:
        """Return the table of checks and the run."""
        return f"{self.report.text()}\n\nrun: {self.run_id}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"run_id": self.run_id, **self.report.to_dict()}


def run_audit(
    settings: Settings, *, progress: Progress, every_cutoff: bool = False, tables: Tables | None = None
) -> AuditResult:
    """Audit the features and labels that a config makes, and track the run."""
    tables, sampling = open_to_learn(settings, progress=progress, tables=tables)
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
    report = audit_dataset(case, progress=progress)
    tracker = Tracker(settings.tracking, settings.root, name=settings.name, models_folder=settings.models_path)
    tags = {check.name: check.status for check in report.checks}
    with progress.step("logging the run"), tracker.run("audit", tags=tags) as run:
        log_data(run, settings, dataset, data=fingerprint(tables))
        run.log_metrics({"audit": report.metrics()})
        run.log_text(report.text(), "audit/audit.txt")
        run.log_text(json.dumps(report.to_dict(), indent=2), "audit/audit.json")
        run.log_text(report.frame().to_csv(index=False), "audit/audit.csv")
    return AuditResult(report, run.run_id)
