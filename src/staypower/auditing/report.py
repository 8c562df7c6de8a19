"""What an audit says: one verdict a check, with the evidence for it."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import pandas as pd

from staypower.errors import ExitCode

__all__ = ["AuditReport", "Check", "Verdict"]

Verdict = Literal["passed", "failed", "unproven", "not applicable"]
_HEADS = ("check", "status", "evidence")


@dataclass(frozen=True)
class Check:
    """One question of the audit and its answer.

    >>> Check("arrival", "not applicable", ("no table has `known_at`",)).status
    'not applicable'
    """

    name: str  # short name
    status: Verdict  # `unproven`: nothing speaks against it, and nothing in the data could show it
    evidence: tuple[str, ...]  # what was done and found, a sentence each
    details: Mapping[str, Any] = field(default_factory=dict)  # the same as plain values, for a program


@dataclass(frozen=True)
class AuditReport:
    """Every check of an audit.

    Parameters
    ----------
    name : str
        The company or question audited.
    checks : tuple of Check
        In the order in which they were made.

    Examples
    --------
    >>> report = AuditReport("acme", (Check("arrival", "not applicable", ("no table has `known_at`",)),))
    >>> report.failed
    ()
    >>> print(report.text())
    Audit of acme: nothing failed (1 not applicable)
    <BLANKLINE>
    check    status          evidence
    -------  --------------  -----------------------
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
        """Return one row a check: its name, status and evidence."""
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

    def text(self, width: int = 100) -> str:
        """Write the checks as a table.

        Parameters
        ----------
        width : int, default 100
            No line is longer, unless a single word is.

        Returns
        -------
        str
        """
        first = max([len(check.name) for check in self.checks] + [len(_HEADS[0])])
        second = max([len(check.status) for check in self.checks] + [len(_HEADS[1])])
        lead = first + second + 4
        room = max(width - lead, 30)
        body = [_lines(check.evidence, room) for check in self.checks]
        widest = max((len(line) for lines in body for line in lines), default=len(_HEADS[2]))
        lines = [*textwrap.wrap(self.headline, width), "", _row(_HEADS, first, second)]
        lines.append(_row(("-" * first, "-" * second, "-" * min(widest, room)), first, second))
        for check, evidence in zip(self.checks, body, strict=True):
            lines.append(_row((check.name, check.status, evidence[0] if evidence else ""), first, second))
            lines += [" " * lead + line for line in evidence[1:]]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        rows = []
        for check in self.checks:
            evidence = "<br>".join(html.escape(line) for line in check.evidence)
            rows.append(f"<tr><td>{html.escape(check.name)}</td><td>{check.status}</td><td>{evidence}</td></tr>")
        heads = "".join(f"<th>{head}</th>" for head in _HEADS)
        title = html.escape(self.headline)
        return f"<p>{title}</p><table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _lines(evidence: tuple[str, ...], room: int) -> list[str]:
    return [line for sentence in evidence for line in textwrap.wrap(sentence, room, subsequent_indent="  ")]


def _row(cells: tuple[str, str, str], first: int, second: int) -> str:
    return f"{cells[0]:<{first}}  {cells[1]:<{second}}  {cells[2]}".rstrip()
