"""The database that works on our own files within a memory limit; it never runs a user's expression."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from staypower.errors import UsageError
from staypower.sources.values import quoted_text


def hide_progress_bar(connection: Any) -> None:
    """Switch the progress bar of a connection off, where it is on.

    In a notebook without widgets the bar is off, and merely setting it, even to false, is refused.

    >>> import duckdb
    >>> connection = duckdb.connect()
    >>> hide_progress_bar(connection)
    >>> connection.execute("SELECT current_setting('enable_progress_bar')").fetchone()
    (False,)
    """
    if connection.execute("SELECT current_setting('enable_progress_bar')").fetchone() == (True,):
        connection.execute("SET enable_progress_bar = false")


# rows that a bucket's file waits for before they are written; more would need more memory the more buckets there are
_FLUSHED_ROWS = 50_000


@contextmanager
def working_database(temporary: Path, *, memory: int, threads: int) -> Iterator[Any]:
    """Open a database in memory that writes to disk what does not fit.

    >>> with working_database(Path("nowhere"), memory=10**9, threads=1) as connection:
    ...     connection.execute("SELECT 1").fetchall()
    [(1,)]
    """
    connection = duckdb.connect()
    try:
        hide_progress_bar(connection)
        for setting in (
            "TimeZone = 'UTC'",
            "python_enable_replacements = false",
            "preserve_insertion_order = false",
            f"partitioned_write_flush_threshold = {_FLUSHED_ROWS}",
            f"memory_limit = '{memory}B'",
            f"threads = {threads}",
            f"temp_directory = {quoted_text(str(temporary))}",
        ):
            connection.execute(f"SET {setting}")
        yield connection
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        reason = str(error).partition("\n")[0][:200]
        fix = "free some space there, or allow more with `engine.memory`"
        raise UsageError.of(f"the working folder or the memory does not suffice: {reason}", temporary, fix) from error
    finally:
        connection.close()


@contextmanager
def one_writer(connection: Any) -> Iterator[None]:
    """Let one thread work for a while: in DuckDB 2.0 those that share a partitioned copy can wait for each other forever.

    >>> with working_database(Path("nowhere"), memory=10**9, threads=2) as connection:
    ...     with one_writer(connection):
    ...         connection.execute("SELECT current_setting('threads')").fetchall()
    ...     connection.execute("SELECT current_setting('threads')").fetchall()
    [(1,)]
    [(2,)]
    """
    threads = connection.execute("SELECT current_setting('threads')").fetchall()[0][0]
    connection.execute("SET threads = 1")
    try:
        yield
    finally:
        connection.execute(f"SET threads = {threads}")
