"""The usability report: what was found in the tables, for a terminal, a notebook and a program."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from staypower.sources.findings import Finding

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CheckReport", "TableSummary"]

_ORDER = {"error": 0, "warning": 1, "note": 2}
_COLUMNS = ("severity", "table", "column", "rows", "problem", "meaning", "fix", "examples")


@dataclass(frozen=True)
class TableSummary:
    """One table in figures."""

    rows: int  # how many rows are left, of how many accounts
    accounts: int  # how many rows are left, of how many accounts
    columns: tuple[str, ...]  # the columns that were read
    first: str | None  # the days of its first and last row
    last: str | None  # the days of its first and last row


@dataclass(frozen=True)
class CheckReport:
    """What was found, the worst first.

    >>> report = CheckReport.of([Finding("warning", "usage", "at", 2, "odd dates", "kept", "fix them")], {})
    >>> len(report.errors), len(report.warnings)
    (0, 1)
    """

    findings: tuple[Finding, ...]
    tables: Mapping[str, TableSummary]

    @classmethod
    def of(cls, findings: Sequence[Finding], tables: Mapping[str, TableSummary]) -> CheckReport:
        """Sort findings by severity, and within it by table in the order given; the same one is said once."""
        order = {name: place for place, name in enumerate(tables)}
        unique = dict.fromkeys(findings)
        ranked = sorted(unique, key=lambda found: (_ORDER[found.severity], order.get(found.table, len(order))))
        return cls(tuple(ranked), dict(tables))

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What makes a table unusable."""
        return tuple(found for found in self.findings if found.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What changes what the features say."""
        return tuple(found for found in self.findings if found.severity == "warning")

    @property
    def notes(self) -> tuple[Finding, ...]:
        """What is good to know."""
        return tuple(found for found in self.findings if found.severity == "note")

    @property
    def summary(self) -> str:
        """Count the findings in words."""
        counted = ((len(self.errors), "error"), (len(self.warnings), "warning"), (len(self.notes), "note"))
        return ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in counted)

    def frame(self) -> pd.DataFrame:
        """Give the findings as a table, one row each."""
        import pandas as pd

        return pd.DataFrame([_row(found) for found in self.findings], columns=list(_COLUMNS))

    def to_dict(self) -> dict[str, Any]:
        """Give the report as plain values, ready for JSON."""
        return {
            "summary": {"errors": len(self.errors), "warnings": len(self.warnings), "notes": len(self.notes)},
            "tables": {name: {**vars(table), "columns": list(table.columns)} for name, table in self.tables.items()},
            "findings": [{**_row(found), "examples": list(found.examples)} for found in self.findings],
        }

    def text(self, width: int = 100) -> str:
        """Write the report for a terminal."""
        lines = [f"Usability report: {self.summary}", ""]
        lines += _table_lines(self.tables, width)
        for found in self.findings:
            lines += ["", *_finding_lines(found, width)]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        rows = []
        for found in self.findings:
            cells = (
                found.severity,
                found.place,
                f"{found.rows:,}" if found.rows else "",
                _problem(found),
                found.meaning,
                found.fix,
            )
            rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
        heads = "".join(f"<th>{word}</th>" for word in ("severity", "where", "rows", "problem", "what it means", "how to fix"))
        return f"<p>{html.escape(self.summary)}</p><table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _row(found: Finding) -> dict[str, Any]:
    return {name: getattr(found, name) for name in _COLUMNS}


def _problem(found: Finding) -> str:
    return found.problem + (f", such as {', '.join(found.examples)}" if found.examples else "")


def _table_lines(tables: Mapping[str, TableSummary], width: int) -> list[str]:
    if not tables:
        return []
    wide = max(len(name) for name in (*tables, "table"))
    lines = [f"{'table':<{wide}}  {'rows':>12}  {'accounts':>10}  {'first':<10}  {'last':<10}"]
    for name, table in tables.items():
        days = f"{table.first or '-':<10}  {table.last or '-':<10}"
        lines.append(f"{name:<{wide}}  {table.rows:>12,}  {table.accounts:>10,}  {days}".rstrip())
    return [line[:width] for line in lines]


def _finding_lines(found: Finding, width: int) -> list[str]:
    """Write one finding: where and how many, then problem, meaning and fix, each wrapped under the first."""
    head = f"{found.severity.upper():<8} {found.place}"
    if found.rows:
        head += f"  ({found.rows:,} {'row' if found.rows == 1 else 'rows'})"
    lines = [head]
    for word, text in (("problem", _problem(found)), ("means", found.meaning), ("fix", found.fix)):
        if text:
            lead = f"         {word + ':':<7}"
            lines += textwrap.wrap(text, width, initial_indent=lead, subsequent_indent=" " * len(lead), break_long_words=False)
    return lines
