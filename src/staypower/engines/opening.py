"""Open the tables of a run within its memory: all at once, or in buckets of accounts in the working folder of the run."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp
from typing import IO

from staypower import __version__
from staypower.engines.settings import EngineSettings
from staypower.errors import Problem, UsageError
from staypower.progress import Progress
from staypower.sources.disk_writing import write_buckets
from staypower.sources.findings import Finding
from staypower.sources.kept_files import KeptFiles
from staypower.sources.opening import SourceFile, path_of, source_files
from staypower.sources.reading import read_tables
from staypower.sources.settings import Sources
from staypower.tables import BucketedTables, Tables
from staypower.writing import require_room

# fewer rows than these are read again as fast as they are found
_ROWS_PER_KEPT_BUCKET = 1_000_000
# the libraries themselves, measured
_LIBRARIES = 600_000_000
# what one row of a table, one account and one cell of a matrix take while a bucket is worked on, measured
_BYTES_PER_ROW = 150
_BYTES_PER_ACCOUNT = 8_000
_BYTES_PER_CELL = 24
# what one row takes in the files of buckets, measured: 30 at most
_BYTES_ON_DISK = 40


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
    load = load_of(source_files(sources.tables, sources.folder))
    require_room(folder, load.rows * _BYTES_ON_DISK, "the tables in buckets")
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
            keep=None if engine.keep is None else KeptFiles(path_of(engine.keep, sources.folder), sources.folder, progress.say),
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
        tables, findings = _open(sources, engine, progress, buckets, folder / "tables", None, thorough=thorough)
        # another model or cutoff may have left its own work beside the tables
        yield Opened(tables, findings, Path(mkdtemp(prefix="work-", dir=folder)))


def buckets_of(
    sources: Sources, engine: EngineSettings, *, cutoffs: int = 1, features: int = 0
) -> tuple[int, tuple[SourceFile, ...]]:
    """Say into how many buckets the tables must fall to stay within the memory, and which files they are."""
    files = source_files(sources.tables, sources.folder)
    if engine.buckets is not None:
        return engine.buckets, files
    load = load_of(files, cutoffs=cutoffs, features=features)
    needed = buckets_for(load, memory=engine.memory_bytes, threads=engine.threads)
    return (needed if engine.keep is None else kept_buckets(needed, load.rows)), files


def kept_buckets(needed: int, rows: int) -> int:
    """Say into how many buckets rows that are kept fall: a number that stays while the tables grow, until they have doubled.

    >>> kept_buckets(1, 500_000), kept_buckets(1, 10_000_000), kept_buckets(1, 11_000_000)
    (1, 16, 16)
    """
    return 1 << (max(needed, -(-rows // _ROWS_PER_KEPT_BUCKET)) - 1).bit_length()


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


_LOCK = "lock"


def fingerprint_of(*values: object) -> str:
    """Hash plain values: what a run depends on, besides the versions of this package and of the database.

    >>> fingerprint_of("a", 1) == fingerprint_of("a", 1) != fingerprint_of("a", 2)
    True
    """
    written = json.dumps((__version__, version("duckdb"), *values), sort_keys=True, default=str)
    return hashlib.sha256(written.encode()).hexdigest()[:24]


@contextmanager
def working_folder(cache: Path, name: str, fingerprint: str) -> Iterator[Path]:
    """Hold a folder for one run: it keeps unfinished work, so that the same run can continue after an interruption."""
    folder = cache / f"{name}-run-{fingerprint}"
    made = [place for place in (cache, *cache.parents) if not place.exists()]
    lock = _hold(folder)
    if lock is None:
        raise UsageError.of("another run is doing the same", folder, "wait until it has ended")
    try:
        yield folder
    except UsageError:
        _remove(folder, made)
        raise
    else:
        _remove(folder, made)
        for left in cache.glob(f"{name}-run-*"):
            _remove_left(left)
    finally:
        lock.close()


def _hold(folder: Path) -> IO[str] | None:
    """Take the folder's lock, which the system frees when the process dies; None when another process has it."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = (folder / _LOCK).open("a")
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock.fileno()), (folder / _LOCK).stat()):
                return lock
        # the process that held the lock has removed the folder
        lock.close()


def _remove(folder: Path, made: Sequence[Path] = ()) -> None:
    """Take a folder away, and those above it that the run made and left empty."""
    shutil.rmtree(folder, ignore_errors=True)
    for place in made:
        with suppress(OSError):
            place.rmdir()


def _remove_left(folder: Path) -> None:
    """Take away what a killed run left and no run will use: other data, another model, other settings."""
    lock = _hold(folder)
    if lock is not None:
        _remove(folder)
        lock.close()
