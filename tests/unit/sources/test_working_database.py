"""The database that writes buckets: one thread writes, several read."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import duckdb
import pytest

from staypower.sources import disk_writing
from staypower.sources.settings import TableSource
from staypower.sources.working_database import one_writer, working_database


def threads_of(connection: Any) -> int:
    return int(connection.execute("SELECT current_setting('threads')").fetchall()[0][0])


def test_threads_come_back_even_after_a_failure(tmp_path):
    with working_database(tmp_path, memory=10**9, threads=3) as connection:
        with one_writer(connection):
            assert threads_of(connection) == 1
        with pytest.raises(duckdb.Error, match="nothing"), one_writer(connection):
            connection.execute("SELECT nothing")
        assert threads_of(connection) == 3


class Watched:
    """A connection that writes down how many threads wrote each partitioned copy."""

    def __init__(self, connection: Any, seen: list[int]) -> None:
        self.connection, self.seen = connection, seen

    def execute(self, statement: str) -> Any:
        if "PARTITION_BY" in statement:
            self.seen.append(threads_of(self.connection))
        return self.connection.execute(statement)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


def test_one_thread_writes_each_partitioned_copy(tmp_path, monkeypatch):
    seen: list[int] = []

    @contextmanager
    def watched(*args, **kwargs):
        with working_database(*args, **kwargs) as connection:
            yield Watched(connection, seen)

    monkeypatch.setattr(disk_writing, "working_database", watched)
    (tmp_path / "tickets.csv").write_text("account_id,opened_at,ticket_id\nA,2024-01-01,1\nA,2024-01-02,1\n")
    (tmp_path / "accounts.csv").write_text("account_id,signed_up_at\nA,2023-01-01\n")
    listed = {name: [TableSource.model_validate({"source": f"{name}.csv"})] for name in ("accounts", "tickets")}
    tables, _ = disk_writing.write_buckets(listed, folder=tmp_path, into=tmp_path / "into", buckets=2, memory=10**9, threads=2)
    assert seen == [1, 1, 1]
    assert sum(len(tables.bucket(number)["tickets"]) for number in tables.buckets) == 1
