"""The database that works on our own files within a memory limit; it never runs a user's expression."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
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
def when_asked(temporary: Path, *, memory: int, threads: int) -> Iterator[Callable[[], Any]]:
    """Give a function that opens the database when it is first called.

    >>> with when_asked(Path("nowhere"), memory=10**9, threads=1) as connect:
    ...     connect() is connect()
    True
    """
    with ExitStack() as stack:
        yield cache(lambda: stack.enter_context(working_database(temporary, memory=memory, threads=threads)))
