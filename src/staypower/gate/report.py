"""What the gate found: every breach of a limit, or that nothing is known of the training data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from staypower.cutoffs import text_of
from staypower.errors import Problem
from staypower.results.numbers import plural
from staypower.results.result import Block, Heading, Items, Result

__all__ = ["Breach", "GateReport"]

_COLUMNS = ("table", "column", "problem", "value", "limit", "fix", "setting")
ACCEPT = "or go on with the data as they are with `--accept-data` (`accept_data=True`)"


@dataclass(frozen=True)
class Breach:
    """One limit that the data break.

    >>> Breach("usage", "", "ends 60 days before the cutoff", "last row: 2025-05-01", "7 days", "export it", "silence").place
    'usage'
    """

    table: str
    column: str  # empty when it is the whole table
    problem: str
    value: str  # what was found, and what training had
    limit: str
    fix: str
    setting: str  # of the section `gate`, which sets the limit

    @property
    def place(self) -> str:
        """The table, and the column where there is one."""
        return f"{self.table}.{self.column}" if self.column else self.table

    @property
    def as_problem(self) -> Problem:
        """The breach as a problem for which scoring is refused."""
        value = f"{self.value}; limit {self.limit}"
        return Problem(f"{self.place}: {self.problem}", value, f"{self.fix}; or set `gate.{self.setting}`, {ACCEPT}")

    def to_dict(self) -> dict[str, str]:
        """Return plain values for JSON."""
        return {name: getattr(self, name) for name in _COLUMNS[:-1]} | {"setting": f"gate.{self.setting}"}


@dataclass(frozen=True)
class GateReport(Result):
    """The data at a cutoff against the data of training.

    Parameters
    ----------
    cutoff : int
        Instant.
    breaches : tuple of Breach
        Every limit that the data break.
    notes : tuple of str
        What was set aside and breaks no limit.
    known : bool
        Whether the model keeps anything of its training data; models that were sealed before the gate existed do not.

    Examples
    --------
    >>> GateReport(0).headline
    'Data: like those of training'
    """

    cutoff: int
    breaches: tuple[Breach, ...] = ()
    notes: tuple[str, ...] = ()
    known: bool = True

    def with_breaches(self, more: Iterable[Breach]) -> GateReport:
        """Return the report with more breaches."""
        return replace(self, breaches=(*self.breaches, *more))

    @property
    def headline(self) -> str:
        """The outcome in one line."""
        if not self.known:
            return "Data: not compared with those of training: the model was sealed without what the gate needs; train again"
        if not self.breaches:
            return "Data: like those of training"
        return f"Data: {plural(len(self.breaches), 'limit')} broken against those of training"

    @property
    def lines(self) -> list[str]:
        """Each breach in a line."""
        return [
            f"{one.place}: {one.problem}: {one.value}; limit {one.limit} (`gate.{one.setting}`). Fix: {one.fix}."
            for one in self.breaches
        ]

    @property
    def said(self) -> list[str]:
        """What a reader must know first; nothing when the data are like those of training."""
        first = [] if self.known and not self.breaches else [f"{self.headline}."]
        return [*first, *self.lines, *self.notes]

    def blocks(self) -> list[Block]:
        """Return the breaches and what was set aside; nothing when there is nothing to say."""
        notes: list[Block] = [Items(self.notes)] if self.notes else []
        if self.known and not self.breaches:
            return notes
        found: list[Block] = [Heading(self.headline), Items(self.lines)] if self.breaches else [self.headline]
        return [*found, *notes]

    def frame(self) -> pd.DataFrame:
        """Return one row per breach."""
        return pd.DataFrame([one.to_dict() for one in self.breaches], columns=list(_COLUMNS))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "cutoff": text_of(self.cutoff),
            "known": self.known,
            "breaches": [one.to_dict() for one in self.breaches],
            "notes": list(self.notes),
        }
