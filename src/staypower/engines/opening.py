"""Open the tables of a run within its memory: all at once, or in buckets of accounts on disk."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from staypower.engines.settings import EngineSettings
from staypower.engines.working_folder import fingerprint_of, working_folder
from staypower.errors import Problem, UsageError
from staypower.progress import Progress
from staypower.sources.disk_writing import write_buckets
from staypower.sources.findings import Finding
from staypower.sources.opening import SourceFile, source_files
from staypower.sources.reading import read_tables
from staypower.sources.settings import Sources
from staypower.tables import BucketedTables, Tables

# the libraries themselves, measured
_LIBRARIES = 600_000_000
# what one row of a table, one account and one cell of a matrix take while a bucket is worked on, measured
_BYTES_PER_ROW = 150
_BYTES_PER_ACCOUNT = 8_000
_BYTES_PER_CELL = 24


@dataclass(frozen=True)
class Load:
    """What a run has to hold if it holds everything.

    >>> Load(rows=1_000_000, accounts=10_000).bytes
    230000000
    """

    rows: int  # rows of all tables
    accounts: int
    cells: int = 0  # numbers of a feature matrix that is built as well: accounts x cutoffs x features

    @property
    def bytes(self) -> int:
        """Bytes of working memory."""
        return self.rows * _BYTES_PER_ROW + self.accounts * _BYTES_PER_ACCOUNT + self.cells * _BYTES_PER_CELL


def buckets_for(load: Load, *, memory: int, threads: int) -> int:
    """Say into how many buckets accounts fall so that `threads` of them fit into memory at once.

    >>> buckets_for(Load(rows=100_000, accounts=1_000), memory=4 * 10**9, threads=2)
    1
    >>> buckets_for(Load(rows=100_000_000, accounts=1_000_000), memory=4 * 10**9, threads=2) > 16
    True
    """
    free = max(memory - _LIBRARIES, _LIBRARIES // 2)
    if load.bytes <= free:
        return 1
    # buckets differ in size: half of what is free stays in reserve
    return -(-2 * threads * load.bytes // free)


def database_memory(memory: int) -> int:
    """Return what a database may hold of a run's memory: its own count leaves out what files and streams need.

    >>> database_memory(4 * 10**9)
    1700000000
    """
    return max(memory - _LIBRARIES, _LIBRARIES // 2) // 2


_ROWS_PER_ACCOUNT = 10


def load_tables(
    sources: Sources,
    *,
    progress: Progress,
    as_of: int | None = None,
    objects: Mapping[str, object] | None = None,
    thorough: bool = False,
) -> tuple[Tables, tuple[Finding, ...]]:
    """Read every table into memory, and what the data rules found in it."""
    with progress.step("reading the tables"):
        return read_tables(
            sources.tables,
            folder=sources.folder,
            observed_until=sources.observed_until,
            as_of=as_of,
            objects=objects,
            thorough=thorough,
        )


def open_tables(
    sources: Sources,
    engine: EngineSettings,
    *,
    progress: Progress,
    buckets: int,
    folder: Path,
    as_of: int | None = None,
) -> BucketedTables:
    """Read the tables into memory, or into buckets on disk; refuse what makes them unusable."""
    tables, findings = _open(sources, engine, progress, buckets, folder, as_of, thorough=False)
    refuse_errors(findings)
    return tables


def _open(
    sources: Sources,
    engine: EngineSettings,
    progress: Progress,
    buckets: int,
    folder: Path,
    as_of: int | None,
    *,
    thorough: bool,
) -> tuple[BucketedTables, tuple[Finding, ...]]:
    if buckets == 1:
        return load_tables(sources, progress=progress, as_of=as_of, thorough=thorough)
    with progress.step(f"putting the tables into {buckets:,} buckets of accounts on disk"):
        return write_buckets(
            sources.tables,
            folder=sources.folder,
            into=folder,
            buckets=buckets,
            memory=database_memory(engine.memory_bytes),
            threads=engine.threads,
            observed_until=sources.observed_until,
            as_of=as_of,
            thorough=thorough,
        )


@dataclass(frozen=True)
class Opened:
    """Tables within the memory of a run."""

    tables: BucketedTables
    findings: tuple[Finding, ...]
    folder: Path | None = None  # where a run may keep what belongs to its buckets; gone afterwards


@contextmanager
def fitting(
    sources: Sources,
    engine: EngineSettings,
    *,
    cache: Path,
    name: str,
    progress: Progress,
    thorough: bool = False,
) -> Iterator[Opened]:
    """Open tables within the memory, their buckets in a folder that is gone afterwards."""
    try:
        buckets, files = buckets_of(sources, engine)
    except UsageError:
        # a file is not there: reading names every such problem at once
        buckets, files = 1, ()
    if buckets == 1:
        yield Opened(*load_tables(sources, progress=progress, thorough=thorough))
        return
    # what is looked at thoroughly is written otherwise: no run continues another's
    run = secrets.token_hex(12) if thorough else fingerprint_of(files, buckets, sources.tables, sources.observed_until)
    with working_folder(cache, name, run) as folder:
        yield Opened(*_open(sources, engine, progress, buckets, folder / "tables", None, thorough=thorough), folder)


def buckets_of(
    sources: Sources, engine: EngineSettings, *, cutoffs: int = 1, features: int = 0
) -> tuple[int, tuple[SourceFile, ...]]:
    """Say into how many buckets the tables must fall to stay within the memory, and which files they are."""
    files = source_files(sources.tables, sources.folder)
    if engine.buckets is not None:
        return engine.buckets, files
    load = load_of(files, cutoffs=cutoffs, features=features)
    return buckets_for(load, memory=engine.memory_bytes, threads=engine.threads), files


def load_of(files: tuple[SourceFile, ...], *, cutoffs: int = 1, features: int = 0) -> Load:
    """Say what a run would hold if it held all tables, from their files alone."""
    rows = sum(file.rows for file in files)
    # without a table of accounts their number is not known yet
    accounts = sum(file.rows for file in files if file.table == "accounts") or rows // _ROWS_PER_ACCOUNT
    return Load(rows=rows, accounts=accounts, cells=accounts * cutoffs * features)


def refuse_errors(findings: tuple[Finding, ...]) -> None:
    """Raise what makes the tables unusable, all at once."""
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        raise UsageError([Problem(f"{found.problem} ({found.rows} rows)", found.place, found.fix) for found in errors])
