"""Which texts the tables hold and how often, as known at a cutoff: the basis of events, instruments and codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import before
from staypower.features.settings import FeatureSettings
from staypower.features.streams.making import make_stream, source_of, tables_of
from staypower.tables import BucketedTables, Table, Tables, numbered

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ColumnTexts", "TextColumn", "count_texts", "texts_in"]


@dataclass(frozen=True)
class TextColumn:
    """A column of texts."""

    table: str  # A canonical or declared table, or a stream
    column: str
    stream: bool = False  # whether to read the stream instead of the table


@dataclass(frozen=True)
class ColumnTexts:
    """The texts of a column.

    >>> (ColumnTexts(Counter({"a": 2, "b": 1}), 2) + ColumnTexts(Counter({"b": 2}), 1)).most_common()
    ['b', 'a']
    """

    counts: Mapping[str, int] = field(default_factory=dict)  # number of known rows with each text
    accounts: int = 0  # how many accounts have known rows; counted for streams only

    def __add__(self, other: ColumnTexts) -> ColumnTexts:
        """Add the texts of other accounts."""
        return ColumnTexts(Counter(self.counts) + Counter(other.counts), self.accounts + other.accounts)

    def most_common(self, rare: int = 1) -> list[str]:
        """Return the texts on at least `rare` rows, the most common first, then by the alphabet."""
        ranked = sorted(self.counts.items(), key=lambda entry: (-entry[1], entry[0]))
        return [text for text, count in ranked if count >= rare]


def count_texts(tables: Tables, column: TextColumn, settings: FeatureSettings, cutoff: int) -> ColumnTexts:
    """Count the texts of a column over the rows known before a cutoff."""
    if source_of(column.table) not in tables:
        return ColumnTexts()
    table = make_stream(column.table, tables, settings) if column.stream else tables[column.table]
    if not table.has(column.column):
        return ColumnTexts()
    known = _known(table, cutoff)
    accounts = len(np.unique(numbered(table.data.column("account_id"))[0][known])) if column.stream else 0
    described = table.schema.column(column.column)
    if described is not None and described.known_from and table.has(described.known_from):
        known &= before(table.instants(described.known_from), cutoff)
    numbers, words = numbered(table.data.column(column.column))
    counts = np.bincount(numbers[known & (numbers >= 0)], minlength=len(words)).tolist()
    return ColumnTexts({word: count for word, count in zip(words.to_pylist(), counts, strict=True) if count}, accounts)


def _known(table: Table, cutoff: int) -> NDArray[np.bool_]:
    """Say which rows are known at the cutoff."""
    known = before(table.own_instants(), cutoff)
    return known & before(table.instants("known_at"), cutoff) if table.has("known_at") else known


def texts_in(
    tables: BucketedTables,
    columns: Collection[TextColumn],
    settings: FeatureSettings,
    *,
    cutoff: int,
    hidden: Collection[str] = (),
) -> Callable[[TextColumn], ColumnTexts]:
    """Return a function that gives the texts of a column; tables on disk are read once for all columns."""
    whole = tables.whole
    if whole is not None:
        return lambda column: count_texts(_without(whole, hidden), column, settings, cutoff)
    found = dict.fromkeys(columns, ColumnTexts())
    read = tables_of(column.table for column in columns) & set(tables.names)
    counting = partial(_count_each, columns=tuple(columns), settings=settings, cutoff=cutoff, hidden=tuple(hidden))
    for counted in tables.each(counting, only=read) if read else ():
        for column, texts in counted.items():
            found[column] += texts
    return found.__getitem__


def _count_each(
    bucket: Tables, *, columns: Collection[TextColumn], settings: FeatureSettings, cutoff: int, hidden: Collection[str]
) -> dict[TextColumn, ColumnTexts]:
    return {column: count_texts(_without(bucket, hidden), column, settings, cutoff) for column in columns}


def _without(tables: Tables, hidden: Collection[str]) -> Tables:
    return replace(tables, tables={name: table for name, table in tables.items() if name not in hidden})
