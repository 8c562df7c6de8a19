"""What was found wrong, doubtful or noteworthy while reading and checking tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Severity"]

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One line of the usability report.

    >>> print(Finding("warning", "usage", "account_id", 2, "blank ids", "dropped", "fill them in"))
    warning: usage.account_id: blank ids (2 rows). dropped. Fix: fill them in.
    """

    severity: Severity  # an error makes the table unusable, a warning changes what the features say, a note is good to know
    table: str  # canonical or declared name of the table
    column: str  # the column concerned; empty when it is the whole table
    rows: int  # how many rows are concerned; 0 when it is not about rows
    problem: str  # what was found
    meaning: str  # what it means for the features
    fix: str = ""  # the move that fixes it; empty when nothing need be done
    examples: tuple[str, ...] = ()  # the first few values concerned

    @property
    def place(self) -> str:
        """The table, and the column where there is one."""
        return f"{self.table}.{self.column}" if self.column else self.table

    def __str__(self) -> str:
        counted = "" if not self.rows else f" ({self.rows:,} {'row' if self.rows == 1 else 'rows'})"
        shown = f", such as {', '.join(self.examples)}" if self.examples else ""
        fix = f" Fix: {self.fix.rstrip('.')}." if self.fix else ""
        return f"{self.severity}: {self.place}: {self.problem}{counted}{shown}. {self.meaning.rstrip('.')}.{fix}"
