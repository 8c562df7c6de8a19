"""What was found wrong, doubtful or noteworthy while reading and checking tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from staypower.errors import Problem, UsageError
from staypower.results.numbers import percent, plural

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


# more than this share of rows of unknown accounts: the wrong column is mapped
MOSTLY = 0.5


@dataclass(frozen=True)
class Counted:
    """What one rule found in some rows of a table; what it found in other rows adds up with it.

    `{share}` and `{accounts}` in a finding's words are figures that are known once all rows have been looked at.

    >>> found = Counted(Finding("warning", "usage", "at", 1, "rows before the sign-up, {share} of the table", "kept"), total=4)
    >>> add_up([found, found])[0].problem
    'rows before the sign-up, 25.0% of the table'
    """

    finding: Finding
    total: int = 0  # how many rows were looked at, where the share of rows matters; one of no rows then counts as well
    accounts: int = 0  # how many accounts the rows concerned have
    mostly: bool = False  # whether it is an error when it concerns more than `MOSTLY` of the rows
    words: Mapping[str, int] = field(default_factory=dict)  # how often each wrong word occurs

    @property
    def worded(self) -> Finding:
        """The finding with its figures."""
        found = self.finding
        share = found.rows / self.total if self.total else 0.0
        problem = found.problem.replace("{share}", percent(share)).replace("{accounts}", plural(self.accounts, "account"))
        return replace(found, problem=problem, severity="error" if self.mostly and share > MOSTLY else found.severity)

    @property
    def refusal(self) -> Problem:
        """The finding as a problem for which the tables are refused."""
        found = self.finding
        shown = f", such as {', '.join(found.examples)}" if found.examples else ""
        if self.words:
            common = Counter(self.words).most_common(_MOST_WORDS)
            more = f" and {len(self.words) - _MOST_WORDS:,} more" if len(self.words) > _MOST_WORDS else ""
            shown = f": {', '.join(f'{word!r} ({times:,})' for word, times in common)}{more}"
        return Problem(found.problem, f"{found.place}: {found.rows:,} of {plural(self.total, 'row')}{shown}", found.fix)


_MOST_SHOWN, _MOST_WORDS = 3, 5


def merge(counted: Iterable[Counted]) -> list[Counted]:
    """Add up what the same rules found in several buckets."""
    merged: dict[Finding, Counted] = {}
    for one in counted:
        key = replace(one.finding, rows=0, fix="", examples=())
        before = merged.get(key)
        if before is None:
            merged[key] = one
            continue
        rows = before.finding.rows + one.finding.rows
        examples = tuple(dict.fromkeys((*before.finding.examples, *one.finding.examples)))
        found = replace(before.finding, rows=rows, examples=examples[: max(_MOST_SHOWN, len(before.finding.examples))])
        total, accounts = before.total + one.total, before.accounts + one.accounts
        words = Counter(before.words) + Counter(one.words)
        merged[key] = replace(before, finding=found, total=total, accounts=accounts, words=words)
    return list(merged.values())


def refuse(counted: Iterable[Counted], totals: Mapping[str, int] | None = None) -> None:
    """Refuse tables for what was found, each problem once; `totals` are the rows of each table."""
    known = totals or {}
    problems = [replace(one, total=known.get(one.finding.table, one.total)).refusal for one in merge(counted)]
    if problems:
        raise UsageError(problems)


def add_up(counted: Iterable[Counted]) -> tuple[Finding, ...]:
    """Give the findings of several buckets, each once."""
    return tuple(one.worded for one in merge(counted) if one.finding.rows or not one.total)
