"""What a column, and what a source, is taken for, on what evidence and how sure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from staypower.proposal.facts import ColumnFacts, FileFacts
from staypower.proposal.links import Link
from staypower.sources.advice import written_name

__all__ = ["Guess", "TableGuess", "raw"]

_SURE, _LIKELY = 0.9, 0.6


@dataclass(frozen=True)
class Guess:
    """What one of our columns is taken from."""

    column: str  # ours
    written: str  # a column of the source or an expression
    why: str
    sure: float  # 0 to 1

    @property
    def word(self) -> str:
        """How sure it is."""
        return "sure" if self.sure >= _SURE else "likely" if self.sure >= _LIKELY else "guess"


@dataclass(frozen=True)
class TableGuess:
    """What one source is taken for."""

    table: str
    file: FileFacts
    link: Link
    columns: tuple[Guess, ...] = ()
    keys: Mapping[str, object] = field(default_factory=dict)  # other keys of the mapping: where, fixed, static, constants
    why: str = ""
    value: float = 0.0  # how well it fits

    def has(self, *columns: str) -> bool:
        """Say whether it has all of these columns."""
        return set(columns) <= {guess.column for guess in self.columns}

    def guess(self, column: str) -> Guess | None:
        """Return the guess for a column."""
        return next((guess for guess in self.columns if guess.column == column), None)


def raw(column: ColumnFacts, way: str) -> str:
    """Write a column by itself where that is all there is to it."""
    return column.name if way == written_name(column.name) else way
