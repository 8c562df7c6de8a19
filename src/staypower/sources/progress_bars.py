"""Keep the database from drawing a progress bar between the results."""

from __future__ import annotations

from typing import Any

__all__ = ["hide_progress_bar"]


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
