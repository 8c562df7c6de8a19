"""What a place for rows is: its kind, where it is, and which rows of an earlier run new ones replace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa

from staypower.addresses import shown_address
from staypower.cutoffs import instant_of

__all__ = ["Kind", "Place", "Rows", "with_times"]

# columns of text that hold times
_TIMES = ("cutoff", "scored_at")
_UTC = pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class Rows:
    """Rows that are to be written."""

    batches: Iterable[pa.Table]
    schema: pa.Schema
    title: str = "rows"  # what they are, for people
    # which rows of an earlier run they replace in a table: the values of some columns, such as the cutoffs
    replaces: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))

    def replaced(self) -> Iterator[dict[str, str]]:
        """Give every combination of values whose rows are replaced; columns that the rows lack do not count.

        >>> list(Rows([], pa.schema({"cutoff": pa.string()}), replaces={"cutoff": ["a", "b"], "model": ["x"]}).replaced())
        [{'cutoff': 'a'}, {'cutoff': 'b'}]
        """
        kept = {name: values for name, values in self.replaces.items() if name in self.schema.names and values}
        return (dict(zip(kept, values, strict=True)) for values in product(*kept.values())) if kept else iter(())


@dataclass(frozen=True)
class Kind:
    """A kind of places."""

    name: str
    label: str
    example: str  # how to write such a place, in Markdown, for the docs
    note: str  # what is written there, for the docs
    probe: Callable[[Place], None]  # refuses what could not be written, before the work
    write: Callable[[Place, Rows, Path | None], None]  # also takes a folder for what is unfinished
    endings: tuple[str, ...] = ()  # of its files
    schemes: tuple[str, ...] = ()  # of its addresses


@dataclass(frozen=True)
class Place:
    """Where rows go."""

    kind: Kind
    path: Path | None = None  # the file, of one's own or of a database
    address: str = field(default="", repr=False)  # of a server, with its secrets
    table: str = ""  # in a database

    @property
    def shown(self) -> Path | str:
        """The file, or the address without its secrets."""
        if not self.table:
            return Path(str(self.path))
        return shown_address(f"{self.address}#{self.table}")

    def write(self, rows: Rows, *, staging: Path | None = None) -> None:
        """Write rows: all of them are there in the end, or what was there before."""
        self.kind.write(self, rows, staging)


def with_times(rows: pa.Table) -> pa.Table:
    """Return rows whose texts that hold times are times, for places that know such values.

    >>> with_times(pa.table({"cutoff": ["2025-07-01", None]})).column("cutoff").type
    TimestampType(timestamp[us, tz=UTC])
    """
    for name in (name for name in _TIMES if name in rows.column_names):
        column = rows.column(name)
        if not pa.types.is_timestamp(column.type):
            known = {text: None if text is None else instant_of(text) for text in column.unique().to_pylist()}
            times = pa.array([known[text] for text in column.to_pylist()], pa.int64()).cast(_UTC)
            rows = rows.set_column(rows.column_names.index(name), name, times)
    return rows
