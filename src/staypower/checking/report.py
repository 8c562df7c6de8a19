"""The usability report: what was found in the tables, for a terminal, a notebook and a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from staypower.results.numbers import UNKNOWN, count, plural
from staypower.results.result import Block, Head, Heading, Items, Result, TableBlock
from staypower.sources.findings import Finding

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CheckReport", "TableSummary"]

_ORDER = {"error": 0, "warning": 1, "note": 2}
_COLUMNS = ("severity", "table", "column", "rows", "problem", "meaning", "fix", "examples")


@dataclass(frozen=True)
class TableSummary:
    """One table in figures."""

    rows: int  # that are left
    accounts: int  # that these rows have
    columns: tuple[str, ...]  # that were read
    first: str | None  # day of its first row
    last: str | None  # day of its last row


@dataclass(frozen=True)
class CheckReport(Result):
    """The usability report: what was found in the tables, the worst first.

    >>> report = CheckReport.of([Finding("warning", "usage", "at", 2, "odd dates", "kept", "fix them")], {})
    >>> len(report.errors), len(report.warnings)
    (0, 1)
    """

    findings: tuple[Finding, ...]
    tables: Mapping[str, TableSummary]

    @classmethod
    def of(cls, findings: Sequence[Finding], tables: Mapping[str, TableSummary]) -> CheckReport:
        """Sort findings by severity, and within it by table in the order given; duplicates are dropped."""
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
        counted = ((self.errors, "error"), (self.warnings, "warning"), (self.notes, "note"))
        return ", ".join(plural(len(found), word) for found, word in counted)

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

    def blocks(self) -> list[Block]:
        """Return the counts, one line per table, and each finding with what it means and how to fix it."""
        shown: list[Block] = [f"Usability report: {self.summary}"]
        if self.tables:
            heads = (Head("table", "left"), "rows", "accounts", Head("first", "left"), Head("last", "left"))
            rows = [
                [name, count(each.rows), count(each.accounts), each.first or UNKNOWN, each.last or UNKNOWN]
                for name, each in self.tables.items()
            ]
            shown.append(TableBlock(heads, rows))
        for found in self.findings:
            rows_of = f"  ({plural(found.rows, 'row')})" if found.rows else ""
            lines = [("problem", _problem(found)), ("means", found.meaning), ("fix", found.fix)]
            shown.append(Heading(f"{found.severity.upper():<8} {found.place}{rows_of}"))
            shown.append(Items([f"{word}: {text}" for word, text in lines if text]))
        return shown


def _row(found: Finding) -> dict[str, Any]:
    return {name: getattr(found, name) for name in _COLUMNS}


def _problem(found: Finding) -> str:
    return found.problem + (f", such as {', '.join(found.examples)}" if found.examples else "")
