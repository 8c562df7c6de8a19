"""Say what is wrong with config, tables and label, all at once, before anything is trained."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from staypower.checking.checks import CheckReport, check_tables
from staypower.config.settings import Settings
from staypower.dataset.building import require_rows
from staypower.dataset.cutoff_plan import CutoffPlan, choose_plan
from staypower.engines.opening import fitting, load_tables
from staypower.errors import ExitCode, UsageError
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.features.deriving import Derivation, derivations
from staypower.labels.churn import Labels, find_labels
from staypower.labels.tier import find_survey_state
from staypower.labels.tier_signs import has_answers
from staypower.pipelines.arguments import SettingsLike, frames_from, progress_from, refuse_on_spark, settings_from
from staypower.progress import Progress
from staypower.results.numbers import count, percent
from staypower.results.result import Block, Head, Result, TableBlock
from staypower.schemas import SCHEMAS
from staypower.sources.findings import Finding
from staypower.tables import BucketedTables

__all__ = ["CheckResult", "check", "population_blocks"]


@dataclass(frozen=True)
class CheckResult(Result):
    """What is wrong with config and tables, and what a model would be trained on.

    Parameters
    ----------
    report : CheckReport
    catalogue : Catalogue or None
        The features that would be built.
    plan : CutoffPlan or None
        The cutoffs, when the history allows any.
    labels : Labels or None
        The population and its outcomes.
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
        """Return one row per cutoff: who is active, who is left out, who churned."""
        return pd.DataFrame() if self.labels is None else self.labels.frame()

    def blocks(self) -> list[Block]:
        """Return the report, the features and the population."""
        shown: list[Block] = [*self.report.blocks()]
        if self.catalogue is not None:
            tables = self.catalogue.frame()["table"].value_counts()
            families = ", ".join(f"{number} from {name}" for name, number in tables.items())
            shown.append(f"Features: {len(self.catalogue.names)} ({families}); `staypower features --list` names them.")
        if self.plan is not None:
            shown.append(f"Split: {self.plan.words}")
        if self.labels is not None:
            shown += population_blocks(self.labels, self.plan)
        verdict = "Not usable as it is" if self.report.errors else "Usable"
        return [*shown, f"{verdict}: {self.report.summary}"]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            **self.report.to_dict(),
            "features": [] if self.catalogue is None else list(self.catalogue.names),
            "left_out": {} if self.catalogue is None else dict(self.catalogue.left_out),
            "split": None if self.plan is None else self.plan.to_dict(),
            "population": self.population().to_dict("records"),
        }


_COUNTS = {
    "cutoff": "cutoff",
    "accounts": "accounts",
    "active": "active",
    "notice_given": "notice given",
    "too_new": "too new",
    "left": "had left",
    "left_in_gap": "left in the gap",
    "unlabelled": "without label",
    "labelled": "labelled",
    "churners": "churned",
    "voluntary": "voluntary",
    "involuntary": "involuntary",
    "unknown": "reason unknown",
    "base_rate": "churn rate",
}
_OPTIONAL = ("notice_given", "too_new", "left", "left_in_gap", "unlabelled", "voluntary", "involuntary", "unknown")


def population_blocks(labels: Labels, plan: CutoffPlan | None) -> list[Block]:
    """Write the counts of each cutoff with what it is used for; columns of zeros are left out."""
    counts = labels.frame()
    # without any reason every churned account is of unknown kind, which says nothing
    hidden = {"unknown"} if (counts["unknown"] == counts["churners"]).all() else set()
    shown = [str(name) for name in counts if name not in _OPTIONAL or (name not in hidden and counts[name].any())]
    rows = [[_cell(row, name) for name in shown] for row in counts.to_dict("records")]
    heads: list[str | Head] = [_COUNTS.get(name, name.replace("_", " ")) for name in shown]
    if plan is None:
        return [TableBlock(heads, rows)]
    used = [_use_of(cutoff, plan) for cutoff in labels.population.cutoffs.tolist()]
    table = TableBlock([*heads, Head("used for", "left")], [[*row, use] for row, use in zip(rows, used, strict=True)])
    if plan.split == "snapshot":
        return [table]
    return [
        table,
        f"An embargo of {plan.embargo} days separates training, calibration and test, so outcomes never overlap.",
    ]


def _cell(row: Mapping[Hashable, Any], name: str) -> str:
    value = row[name]
    return percent(value) if name == "base_rate" else count(value) if isinstance(value, int) else str(value)


def _use_of(cutoff: int, plan: CutoffPlan) -> str:
    uses = {"training": plan.training, "calibration": plan.calibration, "scoring only": plan.between, "test": plan.test}
    return " and ".join(name for name, cutoffs in uses.items() if cutoff in cutoffs)


def check(
    settings: SettingsLike,
    tables: Mapping[str, object] | None = None,
    *,
    every_note: bool = False,
    progress: Progress | None = None,
) -> CheckResult:
    """Say what is wrong with config and tables, and how to fix it; as `staypower check`.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes.
    tables : mapping of str to pandas.DataFrame, polars.DataFrame or pyarrow.Table, optional
        Tables in memory, by the names that `source` gives.
    every_note : bool, default False
        Whether the text shows each note by itself; by default notes are grouped.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    CheckResult
        One row per finding in `.frame()`, one per cutoff in `.population()`.

    Examples
    --------
    >>> import staypower
    >>> checked = staypower.check("demo/staypower.yaml")
    >>> bool((checked.frame()["severity"] == "error").any())
    False
    >>> {"active", "churners"} <= set(checked.population())
    True
    """
    settings, progress = settings_from(settings), progress_from(progress)
    frames = frames_from(tables)
    if frames is None:
        refuse_on_spark(settings, "check")
    else:
        loaded = load_tables(settings.sources, progress=progress, objects=frames, thorough=True)
        return _checked(settings, *loaded, progress, every_note=every_note)
    cache = settings.output_folder / "cache"
    with fitting(settings.sources, settings.engine, cache=cache, name="check", progress=progress, thorough=True) as opened:
        return _checked(settings, opened.tables, opened.findings, progress, every_note=every_note)


def _checked(
    settings: Settings, tables: BucketedTables, found: Sequence[Finding], progress: Progress, *, every_note: bool
) -> CheckResult:
    """Check tables, one bucket of accounts at a time."""
    findings = list(found)
    with progress.step("checking"):
        plan, labels = _label(tables, settings, findings)
        catalogue = _catalogue(tables, settings, plan, findings)
        _tier(tables, settings, findings)
        derived = () if catalogue is None else derivations(catalogue, tables.empty)
        findings += [_as_note(one) for one in derived]
        report = check_tables(
            *(tables, findings),
            outcome_days=settings.label.outcome.embargo,
            target=None if labels is None else labels.latest(),
            label=settings.label.hidden,
            derived={(one.table, one.column) for one in derived},
            sources=settings.tables,
            grace=settings.label.outcome.grace if settings.label.by_subscriptions else None,
        )
    return CheckResult(replace(report, every_note=every_note), catalogue, plan, labels)


def _label(tables: BucketedTables, settings: Settings, findings: list[Finding]) -> tuple[CutoffPlan | None, Labels | None]:
    plan = None
    try:
        plan = choose_plan(tables, settings.label, settings.cutoffs)
        if settings.model.refit == "all":
            plan = plan.with_between(settings.cutoffs.every)
        labels = find_labels(tables, settings.label, plan.all)
        require_rows(labels, labels.churned >= 0, plan, ("training", "test"), least_churners=settings.model.min_churners)
    except UsageError as error:
        findings += _as_findings(error, "label")
        return plan, None
    return plan, labels


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
    """Name answers that no tier can be trained on: one instrument on two scales, or bands that do not fit."""
    if settings.tier.kind != "survey" or "surveys" not in tables.names:
        return
    answered = tables.together({"surveys"})
    if not has_answers(answered, settings.tier.instrument):
        return
    try:
        find_survey_state(answered, settings.tier, answered.account_ids, np.array([tables.observed_until], dtype=np.int64))
    except UsageError as error:
        findings += _as_findings(error, "tier")


def _as_note(derivation: Derivation) -> Finding:
    """Say what stands in for a column, and how to have it otherwise."""
    table, column = derivation.table, derivation.column
    described = SCHEMAS[table].column(column)
    how = f" with `valid_from`, or with `fixed: [{column}]`," if described is not None and described.mutable else ""
    fix = f"map `{column}` of `{table}`{how} to use your own"
    return Finding("note", table, column, 0, derivation.words, "computed from what was known at each cutoff", fix)


def _as_findings(error: UsageError, place: str) -> list[Finding]:
    return [
        Finding("error", f"({place})", "", 0, f"{problem.problem}: {problem.value}", "no model can be trained", problem.fix)
        for problem in error.problems
    ]
