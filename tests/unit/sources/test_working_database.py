"""The database that works on our own files is opened for the questions that need it, and closed whatever happens."""

from __future__ import annotations

import duckdb
import pytest

from staypower.errors import UsageError
from staypower.sources import working_database
from staypower.sources.disk_writing import write_buckets
from staypower.sources.settings import TableSource
from staypower.sources.working_database import when_asked


def test_it_is_closed_when_its_work_fails(tmp_path):
    opened = []
    with pytest.raises(duckdb.Error, match="nothing"), when_asked(tmp_path, memory=10**9, threads=2) as connect:
        opened.extend([connect(), connect()]) or connect().execute("SELECT nothing")
    connection = opened[0]
    assert connection is opened[1]
    with pytest.raises(duckdb.ConnectionException):
        connection.execute("SELECT 1")


def test_what_does_not_fit_says_what_to_do(tmp_path):
    with (
        pytest.raises(UsageError, match=r"allow more with `engine\.memory`"),
        when_asked(tmp_path, memory=1, threads=1) as connect,
    ):
        connect().execute("CREATE TABLE rows AS SELECT range AS n FROM range(1000000)")


@pytest.mark.parametrize(("column", "opened"), [("ticket_id", 1), ("channel", 0)])
def test_only_ids_of_rows_need_it(tmp_path, monkeypatch, column, opened):
    asked = []
    connect = working_database.working_database
    monkeypatch.setattr(
        working_database, "working_database", lambda *given, **named: (asked.append(1), connect(*given, **named))[1]
    )
    (tmp_path / "tickets.csv").write_text(f"account_id,opened_at,{column}\nA,2024-01-01,1\nA,2024-01-02,1\n")
    listed = {"tickets": [TableSource.model_validate({"source": "tickets.csv"})]}
    tables, _ = write_buckets(listed, folder=tmp_path, into=tmp_path / "into", buckets=2, memory=10**9)
    assert len(asked) == opened
    assert sum(len(tables.bucket(number)["tickets"]) for number in tables.buckets) == 2 - opened
