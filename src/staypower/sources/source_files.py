"""The files behind the sources: what they are called, how large they are, when they were changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from staypower.sources.formats.registry import by_ending
from staypower.sources.opening import files_of
from staypower.sources.settings import TableSource

__all__ = ["SourceFile", "source_files"]

# rows are guessed from bytes where a file does not tell them: too many is safe, it only makes more buckets
_BYTES_PER_ROW = 40
_PACKED = 6


@dataclass(frozen=True)
class SourceFile:
    """One file of one table.

    >>> SourceFile("usage", Path("usage.csv"), 4000, 0).rows
    100
    """

    table: str
    path: Path
    size: int  # bytes
    changed: int  # when it was last written to, in nanoseconds

    @property
    def rows(self) -> int:
        """How many rows it has: exact where its format says so, else estimated from its size."""
        form = by_ending(self.path)
        known = form.count_rows(self.path) if form is not None and form.count_rows is not None else None
        if known is not None:
            return known
        packed = _PACKED if self.path.suffix.lower() == ".gz" else 1
        return self.size * packed // _BYTES_PER_ROW


def source_files(sources: Mapping[str, Sequence[TableSource]], folder: Path) -> tuple[SourceFile, ...]:
    """List the files that sources name.

    >>> source_files({}, Path("."))
    ()
    """
    found = []
    for table, listed in sources.items():
        for source in listed:
            if source.source is None:
                continue
            for path in files_of(str(source.source), f"tables.{table}", folder, {}):
                state = path.stat()
                found.append(SourceFile(table, path, state.st_size, state.st_mtime_ns))
    return tuple(found)
