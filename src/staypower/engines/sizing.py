"""How many buckets a run needs, so that it stays within its memory."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Load", "buckets_for", "database_memory"]

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
