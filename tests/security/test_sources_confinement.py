"""Hostile names, expressions and queries: nothing is executed, no other file is read, nothing is written."""

from __future__ import annotations

import duckdb
import pandas as pd
import pytest

from staypower.errors import UsageError
from staypower.sources.opening import open_source
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource

HOSTILE = [
    "\"); COPY (SELECT 1) TO 'written.csv'; --",
    "'; DROP TABLE given_object; --",
    "x\" FROM read_text('/etc/passwd') --",
    "a\nb",
    "a,b",
    "${HOME}",
    "it's",
    'sa"id',
]


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret.csv"
    path.write_text("account_id,at,event\nx,2024-01-01,secret\n")
    return path


def read(folder, objects=None, **given):
    return read_tables({"usage": [TableSource.model_validate(given)]}, folder=folder, objects=objects)[0]["usage"]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("form", ["csv", "parquet", "json", "object", "duckdb"])
def test_a_hostile_column_name_is_only_a_name(tmp_path, name, form):
    frame = pd.DataFrame({"account_id": ["a"], "at": ["2024-01-01"], name: ["kept"]})
    given = {"source": f"rows.{'jsonl' if form == 'json' else form}", "event": name}
    objects = None
    if form == "csv":
        frame.to_csv(tmp_path / "rows.csv", index=False)
    elif form == "parquet":
        frame.to_parquet(tmp_path / "rows.parquet")
    elif form == "json":
        frame.to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    elif form == "object":
        objects = {given["source"]: frame}
    else:
        with duckdb.connect(str(tmp_path / "rows.duckdb")) as connection:
            connection.register("given", frame)
            connection.execute("CREATE TABLE events AS SELECT * FROM given")
        given["table"] = "events"
    before = sorted(tmp_path.iterdir())
    if form == "csv" and "\n" in name:
        # the header's name spans two lines: what stands between the names is found on the first
        given["delimiter"] = ","
    assert read(tmp_path, objects, **given).data.column("event").to_pylist() == ["kept"]
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("value", ["'); DROP TABLE x; --", "' || (SELECT 1) || '"])
def test_hostile_constants_are_only_values(tmp_path, secret, value):
    table = read(tmp_path, source="secret.csv", constant={"event": value}, blank=[value])
    assert table.data.column("event").to_pylist() == [value] or table.data.column("event").to_pylist() == [None]


@pytest.mark.parametrize(
    "expression",
    [
        "(SELECT content FROM read_text('{secret}'))",
        "read_text('{secret}')",
        "coalesce(event, (SELECT 1))",
        "event) FROM read_csv('{secret}') --",
        "event; COPY (SELECT 1) TO '{folder}/written.csv'",
        "getenv('HOME')",
        "current_setting('temp_directory')",
        "query('SELECT 1')",
        "pragma_version()",
        "nextval('s')",
        "list_transform([1], x -> x)",
        "event::read_text",
    ],
)
@pytest.mark.parametrize("key", ["event", "where"])
def test_a_hostile_expression_is_refused(tmp_path, secret, expression, key):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError):
        read(tmp_path, source="secret.csv", **{key: expression.format(secret=secret, folder=tmp_path)})
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM '{secret}'",
        "COPY (SELECT 1) TO '{folder}/written.csv'",
        "ATTACH '{folder}/other.duckdb'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM python_variable",
    ],
)
def test_a_connection_reaches_nothing_but_its_own_file(tmp_path, secret, sql):
    (tmp_path / "mine.csv").write_text("account_id,at\na,2024-01-01\n")
    python_variable = pd.DataFrame({"a": [1]})
    assert len(python_variable) == 1
    before = sorted(tmp_path.iterdir())
    with (
        pytest.raises((duckdb.Error, UsageError)),
        open_source(TableSource(source="mine.csv"), "tables.usage", tmp_path, {}) as opened,
    ):
        opened.connection.execute(sql.format(secret=secret, folder=tmp_path)).fetchall()
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "query",
    [
        "SELECT account_id, at, content AS event FROM events, read_text('{secret}')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM events; SELECT 1",
    ],
)
def test_a_query_reads_only_its_database(tmp_path, secret, query):
    with duckdb.connect(str(tmp_path / "rows.duckdb")) as connection:
        connection.execute("CREATE TABLE events AS SELECT 'a' AS account_id, '2024-01-01' AS at")
    with pytest.raises(UsageError):
        read(tmp_path, source="rows.duckdb", query=query.format(secret=secret))


def test_the_database_is_opened_for_reading_only(tmp_path):
    path = tmp_path / "rows.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE events AS SELECT 'a' AS account_id, '2024-01-01' AS at")
    before = path.read_bytes()
    source = TableSource(source="rows.duckdb", table="events")
    with pytest.raises(UsageError), open_source(source, "tables.usage", tmp_path, {}) as opened:
        opened.connection.execute("DELETE FROM events")
    assert path.read_bytes() == before
