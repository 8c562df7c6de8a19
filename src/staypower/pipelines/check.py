"""Say what is wrong with config, tables and label, all at once, before anything is learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from staypower.checking.checks import check_tables
from staypower.checking.report import CheckReport
from staypower.config.settings import Settings
from staypower.dataset.cutoff_plan import CutoffPlan, choose_plan
from staypower.engines.opening import fitting, load_tables
from staypower.errors import ExitCode, UsageError
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.labels.churn import Labels, find_labels, require_enough
from staypower.labels.tier import find_survey_state
from staypower.labels.tier_signs import has_answers
from staypower.pipelines.arguments import SettingsLike, frames_from, progress_from, settings_from
from staypower.progress import Progress
from staypower.sources.findings import Finding
from staypower.tables import BucketedTables, Tables

__all__ = ["CheckResult", "check", "population_text"]


@dataclass(frozen=True)
class CheckResult:
    """What checking found.

    Parameters
    ----------
    report : CheckReport
    catalogue : Catalogue or None
        The features that would be built.
    plan : CutoffPlan or None
        The cutoffs, when the history allows any.
    labels : Labels or None
        Who would be learned from.
    """

    report: CheckReport
    catalogue: Catalogue | None
    plan: CutoffPlan | None
    labels: Labels | None

    @property
    def exit_code(self) -> ExitCode:
        """1 when an error was found in data that could be read."""
        return ExitCode.FOUND if self.report.errors else ExitCode.DONE

    def frame(self) -> pd.DataFrame:
        """Return one row per finding."""
        return self.report.frame()

    def population(self) -> pd.DataFrame:
        """Return one row a cutoff: who is active, who is left out, who churned."""
        return pd.DataFrame() if self.labels is None else self.labels.frame()

    def text(self) -> str:
        """Return the report, the features and the population."""
        lines = [self.report.text(), ""]
        if self.catalogue is not None:
            tables = self.catalogue.frame()["table"].value_counts()
            families = ", ".join(f"{count} from {name}" for name, count in tables.items())
            lines += [f"features: {len(self.catalogue.names)} ({families}); `staypower features --list` names them"]
        if self.plan is not None:
            lines += [f"split: {self.plan.words}"]
        if self.labels is not None:
            lines += ["", population_text(self.labels, self.plan)]
        verdict = "not usable as it is" if self.report.errors else "usable"
        return "\n".join([*lines, "", f"{verdict}: {self.report.summary}"])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            **self.report.to_dict(),
            "features": [] if self.catalogue is None else list(self.catalogue.names),
            "left_out": {} if self.catalogue is None else dict(self.catalogue.left_out),
            "split": None if self.plan is None else self.plan.to_dict(),
            "population": self.population().to_dict("records"),
        }

    def _repr_html_(self) -> str:
        return self.report._repr_html_() + self.population().to_html(index=False)


def population_text(labels: Labels, plan: CutoffPlan | None) -> str:
    """Write the counts of each cutoff with what it is used for; columns of zeros are left out."""
    counts = labels.frame()
    optional = ("notice_given", "too_new", "left_in_gap", "unlabelled", "voluntary", "involuntary", "unknown")
    # a company without reasons has churners of one kind only, which says nothing
    told = {"unknown"} if (counts["unknown"] == counts["churners"]).all() else set()
    shown = counts.drop(columns=[name for name in optional if name in told or not counts[name].any()])
    shown["base_rate"] = [f"{rate:.1%}" for rate in counts["base_rate"]]
    if plan is None:
        return str(shown.to_string(index=False))
    shown["used_for"] = [_use_of(cutoff, plan) for cutoff in labels.population.cutoffs.tolist()]
    lines = [str(shown.to_string(index=False))]
    if plan.split != "snapshot":
        lines += [f"an embargo of {plan.embargo} days separates training, calibration and test, so outcomes never overlap"]
    return "\n".join(lines)


def _use_of(cutoff: int, plan: CutoffPlan) -> str:
    uses = {"training": plan.training, "calibration": plan.calibration, "test": plan.test}
    return " and ".join(name for name, cutoffs in uses.items() if cutoff in cutoffs)


def check(
    settings: SettingsLike, tables: Mapping[str, object] | None = None, *, progress: Progress | None = None
) -> CheckResult:
    """Say what is wrong with config and tables, and how to fix it; as `staypower check`.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes.
    tables : mapping of str to pandas.DataFrame, polars.DataFrame or pyarrow.Table, optional
        Tables in memory, by the names that `source` gives.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    CheckResult
        One row per finding in `.frame()`, one per cutoff in `.population()`.
    """
    settings, progress = settings_from(settings), progress_from(progress)
    frames = frames_from(tables)
    if frames is not None:
        return _checked(settings, *load_tables(settings.sources, progress=progress, objects=frames, thorough=True), progress)
    cache = settings.output_folder / "cache"
    with fitting(settings.sources, settings.engine, cache=cache, name="check", progress=progress, thorough=True) as opened:
        return _checked(settings, opened.tables, opened.findings, progress)


def _checked(settings: Settings, tables: BucketedTables, found: Sequence[Finding], progress: Progress) -> CheckResult:
    """Check tables, one bucket of accounts at a time."""
    findings = list(found)
    with progress.step("checking"):
        plan, labels = _label(tables, settings, findings)
        catalogue = _catalogue(tables, settings, plan, findings)
        _tier(tables, settings, findings)
        target = _target(labels)
        report = check_tables(
            tables, findings, outcome_days=settings.label.outcome.embargo, target=target, label=settings.label.hidden
        )
    return CheckResult(report, catalogue, plan, labels)


def _label(tables: BucketedTables, settings: Settings, findings: list[Finding]) -> tuple[CutoffPlan | None, Labels | None]:
    plan = None
    try:
        plan = choose_plan(tables, settings.label, settings.cutoffs)
        labels = _labels(tables, settings, plan)
        require_enough(labels.churned, purpose="training and test", least_churners=settings.model.min_churners)
    except UsageError as error:
        findings += _as_findings(error, "label")
        return plan, None
    return plan, labels


def _labels(tables: BucketedTables, settings: Settings, plan: CutoffPlan) -> Labels:
    if tables.whole is not None:
        return find_labels(tables.whole, settings.label, plan.all)

    def label(bucket: Tables) -> Labels:
        return find_labels(bucket, settings.label, plan.all, need_churners=False)

    return Labels.together(list(tables.each(label, only=settings.label.tables_read)))


def _catalogue(
    tables: BucketedTables, settings: Settings, plan: CutoffPlan | None, findings: list[Finding]
) -> Catalogue | None:
    try:
        cutoff = plan.trained_until if plan else tables.observed_until
        return declare(tables, settings.features, cutoff=cutoff, hidden=settings.label.hidden)
    except UsageError as error:
        findings += _as_findings(error, "features")
        return None


def _tier(tables: BucketedTables, settings: Settings, findings: list[Finding]) -> None:
    """Name answers from which no tier can be learned: one instrument on two scales, or bands that do not fit."""
    if settings.tier.kind != "survey" or "surveys" not in tables.names:
        return
    answered = tables.together({"surveys"})
    if not has_answers(answered, settings.tier.instrument):
        return
    try:
        find_survey_state(answered, settings.tier, answered.account_ids, np.array([tables.observed_until], dtype=np.int64))
    except UsageError as error:
        findings += _as_findings(error, "tier")


def _as_findings(error: UsageError, place: str) -> list[Finding]:
    return [
        Finding("error", f"({place})", "", 0, f"{problem.problem}: {problem.value}", "no model can be learned", problem.fix)
        for problem in error.problems
    ]


def _target(labels: Labels | None) -> dict[str, int] | None:
    """Return the outcome of each account at the latest cutoff at which it was in the population."""
    if labels is None:
        return None
    found: dict[str, int] = {}
    for row, account in enumerate(labels.population.accounts):
        known = labels.churned[row][labels.churned[row] >= 0]
        if len(known):
            found[account] = int(known[-1])
    return found
