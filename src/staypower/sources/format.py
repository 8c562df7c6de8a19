"""What a source format is: its name, its files, and how they are opened."""

from __future__ import annotations

import glob
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from staypower.sources.values import quoted_text


class Given(Protocol):
    """What the configuration says about a source, as far as its format needs it."""

    @property
    def table(self) -> str | None:
        """The table to read in a database."""

    @property
    def query(self) -> str | None:
        """One SELECT to run in a database."""

    @property
    def delimiter(self) -> str | None:
        """The character between columns of text."""

    @property
    def encoding(self) -> str:
        """The encoding of text."""


@dataclass(frozen=True)
class Opening:
    """A source that is about to be opened."""

    connection: Any  # the database; it may read these files and no other
    source: Given
    files: Sequence[Path]
    place: str  # where it is in the configuration, for messages
    address: str = ""  # of a server or store, where there are no files

    @property
    def folders(self) -> str:
        """The options of the database for folders such as `year=2025`, which become columns of text."""
        return f"hive_partitioning={'true' if in_folders(self.files[0]) else 'false'}, hive_types_autocast=false"


@dataclass(frozen=True)
class Format:
    """A format of files."""

    name: str  # as it is written after `format:`
    label: str  # as it is called in messages
    endings: tuple[str, ...]  # of its files, in lower case; `.gz` may follow
    example: str  # how to write such a source, in Markdown, for the docs
    relation: Callable[[Opening], str]  # prepares the connection and says what follows FROM
    tables: Callable[[str], Sequence[str]] | None = None  # lists the tables of a database, at a path or an address
    schemes: tuple[str, ...] = ()  # of addresses that it reads, such as `s3`
    database: bool = False  # the file is attached to the connection and may be without rows
    columnar: bool = False  # columns that are wanted unchanged are read straight from the file
    count_rows: Callable[[Path], int | None] | None = None  # reads the number of rows off a file; None: guessed from its size
    # opens it on Spark: the session, what the configuration says, the path, its place; None: Spark does not read it
    on_spark: Callable[[Any, Given, str, str], Any] | None = None


def ending_of(file: Path) -> str:
    """Give the ending of a file's name, without a `.gz`.

    >>> ending_of(Path("a.CSV.gz")), ending_of(Path("a"))
    ('.csv', '')
    """
    suffixes = [suffix.lower() for suffix in file.suffixes]
    return suffixes[-2] if len(suffixes) > 1 and suffixes[-1] == ".gz" else (suffixes[-1] if suffixes else "")


def in_folders(file: Path) -> bool:
    """Say whether a file is in a folder such as `year=2025`, whose name holds a column.

    >>> in_folders(Path("data/year=2025/a.parquet")), in_folders(Path("a=b.parquet"))
    (True, False)
    """
    return any("=" in part for part in file.parts[:-1])


def listed(files: Sequence[Path]) -> str:
    """List files for the database; the signs of a pattern in a name are escaped."""
    return "[" + ", ".join(quoted_text(glob.escape(str(file))) for file in files) + "]"
