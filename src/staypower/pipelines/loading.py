"""Read the tables that a config names: into memory, or into buckets on disk where they are too large for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from staypower.config.settings import Settings
from staypower.engines.sizing import Load, buckets_for, database_memory
from staypower.errors import Problem, UsageError
from staypower.progress import Progress
from staypower.sources.disk_writing import write_buckets
from staypower.sources.findings import Finding
from staypower.sources.opening import SourceFile, source_files
from staypower.sources.reading import read_tables
from staypower.tables import BucketedTables, Tables

__all__ = ["buckets_of", "load_of", "load_tables", "open_tables", "refuse_errors"]


def load_tables(
    settings: Settings, *, progress: Progress, as_of: int | None = None, objects: Mapping[str, object] | None = None
) -> tuple[Tables, tuple[Finding, ...]]:
    """Read every table and what the data rules found in it."""
    with progress.step("reading the tables"):
        return read_tables(
            settings.tables, folder=settings.root, observed_until=settings.observed_until, as_of=as_of, objects=objects
        )


def open_tables(
    settings: Settings, *, progress: Progress, buckets: int, folder: Path, as_of: int | None = None
) -> BucketedTables:
    """Read the tables into memory, or into buckets on disk; refuse what makes them unusable."""
    if buckets == 1:
        tables, findings = load_tables(settings, progress=progress, as_of=as_of)
        refuse_errors(findings)
        return tables
    with progress.step(f"putting the tables into {buckets:,} buckets of accounts on disk"):
        spilled, findings = write_buckets(
            settings.tables,
            folder=settings.root,
            into=folder,
            buckets=buckets,
            memory=database_memory(settings.engine.memory_bytes),
            threads=settings.engine.threads,
            observed_until=settings.observed_until,
            as_of=as_of,
        )
    refuse_errors(findings)
    return spilled


def buckets_of(settings: Settings, *, cutoffs: int = 1, features: int = 0) -> tuple[int, tuple[SourceFile, ...]]:
    """Say into how many buckets the tables must fall to stay within `engine.memory`, and which files they are."""
    files = source_files(settings.tables, settings.root)
    engine = settings.engine
    if engine.buckets is not None:
        return engine.buckets, files
    load = load_of(settings, cutoffs=cutoffs, features=features)
    return buckets_for(load, memory=engine.memory_bytes, threads=engine.threads), files


def load_of(settings: Settings, *, cutoffs: int = 1, features: int = 0) -> Load:
    """Say what a run would hold if it held all tables, from their files alone; parameters as in `buckets_of`."""
    files = source_files(settings.tables, settings.root)
    rows = sum(file.rows for file in files)
    # without a table of accounts nobody knows yet how many there are
    accounts = sum(file.rows for file in files if file.table == "accounts") or rows // _ROWS_PER_ACCOUNT
    return Load(rows=rows, accounts=accounts, cells=accounts * cutoffs * features)


_ROWS_PER_ACCOUNT = 10


def refuse_errors(findings: tuple[Finding, ...]) -> None:
    """Raise what makes the tables unusable, all at once."""
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        raise UsageError([Problem(f"{found.problem} ({found.rows} rows)", found.place, found.fix) for found in errors])
