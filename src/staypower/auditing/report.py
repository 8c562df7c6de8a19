"""What an audit found: one verdict per check, with its evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import pandas as pd

from staypower.errors import ExitCode
from staypower.results.result import Block, Head, Result, TableBlock

__all__ = ["AuditReport", "Check", "Verdict"]

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
