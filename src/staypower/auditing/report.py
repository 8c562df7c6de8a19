"""What is audited, with its features and statuses built again at some cutoffs; and what was found: one verdict per check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from staypower.dataset.building import Dataset
from staypower.errors import ExitCode
from staypower.features.builder import build_matrix
from staypower.features.catalogue import Catalogue
from staypower.features.settings import FeatureSettings
from staypower.labels.churn import find_population
from staypower.labels.population import Status
from staypower.labels.settings import LabelSettings
from staypower.results.result import Block, Head, Result, TableBlock
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AuditReport", "Built", "Case", "Check", "Rebuilt", "Verdict", "rebuild"]

Verdict = Literal["passed", "failed", "unproven", "not applicable"]
_HEADS = ("check", "status", "evidence")


@dataclass(frozen=True)
class Check:
    """One question of the audit and its answer.

    >>> Check("arrival", "not applicable", ("no table has `known_at`",)).status
    'not applicable'
    """

    name: str
    status: Verdict  # `unproven`: no evidence against it, and nothing in the data could prove it
    evidence: tuple[str, ...]  # what was done and found, a sentence each
    details: Mapping[str, Any] = field(default_factory=dict)  # the same as plain values, for a program


@dataclass(frozen=True)
class AuditReport(Result):
    """Every check of an audit.

    Parameters
    ----------
    name : str
        The company or question audited.
    checks : tuple of Check
        In the order in which they were run.

    Examples
    --------
    >>> report = AuditReport("acme", (Check("arrival", "not applicable", ("no table has `known_at`",)),))
    >>> report.failed
    ()
    >>> print(report.text())
    Audit of acme: nothing failed (1 not applicable)
    <BLANKLINE>
    check    status          evidence
    arrival  not applicable  no table has `known_at`
    """

    name: str
    checks: tuple[Check, ...]

    def __getitem__(self, name: str) -> Check:
        return next(check for check in self.checks if check.name == name)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.status == "failed")

    @property
    def exit_code(self) -> ExitCode:
        """1 when a check failed."""
        return ExitCode.FOUND if self.failed else ExitCode.DONE

    def counts(self) -> dict[str, int]:
        """Return how many checks have each status."""
        return {status: sum(check.status == status for check in self.checks) for status in get_args(Verdict)}

    @property
    def headline(self) -> str:
        """The outcome in one line."""
        names = ", ".join(check.name for check in self.failed)
        others = ", ".join(f"{count} {status}" for status, count in self.counts().items() if count and status != "failed")
        verdict = f"{len(self.failed)} failed ({names})" if self.failed else "nothing failed"
        if not others:
            return f"Audit of {self.name}: {verdict}"
        return f"Audit of {self.name}: {verdict}; {others}" if self.failed else f"Audit of {self.name}: {verdict} ({others})"

    def frame(self) -> pd.DataFrame:
        """Return one row per check: its name, status and evidence."""
        rows = [(check.name, check.status, "; ".join(check.evidence)) for check in self.checks]
        return pd.DataFrame(rows, columns=list(_HEADS))

    def metrics(self) -> dict[str, float]:
        """Return the counts as numbers to be tracked."""
        return {status.replace(" ", "_"): float(count) for status, count in self.counts().items()}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        checks = [
            {"check": check.name, "status": check.status, "evidence": list(check.evidence), "details": dict(check.details)}
            for check in self.checks
        ]
        return {"name": self.name, "summary": self.counts(), "failed": [check.name for check in self.failed], "checks": checks}

    def blocks(self) -> Sequence[Block]:
        """Return the outcome in one line, and the checks as a table."""
        dash = {check.name: "- " if len(check.evidence) > 1 else "" for check in self.checks}
        rows = [
            [check.name, check.status, "\n".join(dash[check.name] + line for line in check.evidence)] for check in self.checks
        ]
        return [self.headline, TableBlock([Head(head, "left") for head in _HEADS], rows)]


Differences = tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Everything that the checks look at.

    >>> sorted(Case.__dataclass_fields__)[:3]
    ['dataset', 'every_cutoff', 'features']
    """

    name: str  # what the report calls it
    tables: Tables  # whole, as exported
    dataset: Dataset  # built from them
    label: LabelSettings
    features: FeatureSettings
    every_cutoff: bool = False  # audit every cutoff of the plan instead of the first, the middle and the last
    seed: int = 0  # seeds every random choice of the audit
    threads: int = 2  # threads that build features; no number depends on it

    @property
    def hidden(self) -> tuple[str, ...]:
        """The attribute or table that holds the outcome."""
        return self.label.hidden

    @property
    def audited_cutoffs(self) -> NDArray[np.int64]:
        """The cutoffs to audit: the first, the middle and the last, or every one."""
        every = self.dataset.plan.all
        if self.every_cutoff:
            return every
        return np.unique(every[[0, len(every) // 2, len(every) - 1]])


@dataclass(frozen=True)
class Built:
    """What is known of every account at one cutoff."""

    accounts: NDArray[np.str_]  # shape (n,): sorted
    names: tuple[str, ...]  # the features
    matrix: NDArray[np.float64]  # shape (n, len(names))
    status: NDArray[np.int8]  # shape (n,)

    def differences(self, again: Built) -> tuple[Differences, int]:
        """Compare with a building from fewer rows, of perhaps fewer accounts and features."""
        place = np.searchsorted(self.accounts, again.accounts)
        columns = np.array([self.names.index(name) for name in again.names], dtype=np.int64)
        before, after = self.matrix[np.ix_(place, columns)], again.matrix
        same = (before.view(np.int64) == after.view(np.int64)) | (np.isnan(before) & np.isnan(after))
        counts = (~same).sum(axis=0)
        order = np.argsort(-counts, kind="stable")
        features = tuple((again.names[position], int(counts[position])) for position in order if counts[position])
        gone = np.ones(len(self.accounts), dtype=bool)
        gone[place] = False
        statuses = (self.status[place] != again.status).sum() + (self.status[gone] == Status.SCORED).sum()
        return features, int(statuses)


@dataclass(frozen=True)
class Rebuilt:
    """What is known of every account at several cutoffs."""

    cutoffs: NDArray[np.int64]  # shape (k,)
    built: tuple[Built, ...]  # one per cutoff

    @property
    def accounts(self) -> NDArray[np.str_]:
        """The accounts, sorted."""
        return self.built[0].accounts

    def at(self, cutoff: int) -> Built:
        """Return what is known at one of the cutoffs."""
        return self.built[int(np.searchsorted(self.cutoffs, cutoff))]


def rebuild(
    case: Case, tables: Tables, catalogue: Catalogue, *, every: NDArray[np.int64], wanted: NDArray[np.int64]
) -> Rebuilt:
    """Build features and statuses for all of some cutoffs at once, and keep those of a few."""
    accounts = tables.account_ids
    keep = np.isin(every, wanted)
    rows = np.broadcast_to(keep, (len(accounts), len(every)))
    matrix = build_matrix(tables, catalogue, accounts=accounts, cutoffs=every, rows=rows, threads=case.threads)
    status = find_population(tables, case.label, every).status
    ids = np.asarray(accounts, dtype=str)
    names = tuple(matrix.features.columns)
    # a frame without columns has no rows either
    values = np.ascontiguousarray(matrix.features.to_numpy(dtype=np.float64).reshape(len(matrix), len(names)))
    built = []
    for cutoff in wanted:
        there = values[matrix.cutoffs == cutoff]
        built.append(Built(ids, names, there, status[:, int(np.searchsorted(every, cutoff))]))
    return Rebuilt(wanted, tuple(built))
