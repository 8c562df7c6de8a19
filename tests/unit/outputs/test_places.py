"""Rows in databases and workbooks: whole or not there, replaced per cutoff, refused before the work, secrets shown nowhere."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pandas as pd
import pyarrow as pa
import pytest
from python_calamine import CalamineWorkbook
from servers import postgres, postgres_programs

from staypower.addresses import shown_address
from staypower.errors import UsageError
from staypower.outputs.kinds import OUTPUTS, probed_place
from staypower.outputs.place import Rows

LONG = "a_column_with_a_name_that_is_longer_than_postgresql_keeps_of_it_"


def rows(ids, cutoff, *, replaces=None, **more):
    columns = {"account_id": ids, "cutoff": [cutoff] * len(ids), "model_name": ["acme"] * len(ids), "n": list(range(len(ids)))}
    columns["holdout"] = pa.array([True, None] * len(ids), pa.bool_())[: len(ids)]
    columns["word"] = pa.array(["=1+1"] * len(ids)).dictionary_encode()
    table = pa.table({**columns, f"{LONG}1": [0.5] * len(ids), f"{LONG}2": [None] * len(ids), **more})
    table = table.set_column(table.num_columns - 1 - len(more), f"{LONG}2", pa.array([None] * len(ids), pa.float64()))
    parts = [table.slice(at, 2) for at in range(0, len(table), 2)]
    return Rows(parts, table.schema, "Scores", replaces or {"cutoff": [cutoff], "model_name": ["acme"], "account_id": []})


def broken(given):
    def batches():
        yield given.batches[0]
        raise RuntimeError("power cut")

    return Rows(batches(), given.schema, given.title, given.replaces)


def a_table_is_replaced_per_cutoff(output, fetch):
    """What holds of every database."""
    asked = 'select account_id, n from "scores" order by cutoff, account_id, n'

    def write(given):
        probed_place(output).write(given)

    write(rows(["007", "b", "c"], "2025-07-01"))
    write(rows(["d"], "2025-08-01"))
    assert fetch(asked) == [("007", 0), ("b", 1), ("c", 2), ("d", 0)]
    # again, with other accounts: those of the other cutoff stay
    write(rows(["b", "e"], "2025-07-01"))
    assert fetch(asked) == [("b", 0), ("e", 1), ("d", 0)]
    # a run of a few accounts replaces only theirs
    few = {"cutoff": ["2025-07-01"], "model_name": ["acme"], "account_id": ["e"]}
    write(rows(["e"], "2025-07-01", replaces=few))
    assert fetch(asked) == [("b", 0), ("e", 0), ("d", 0)]
    # rows of another model stay
    write(rows(["z"], "2025-07-01", replaces={"cutoff": ["2025-07-01"], "model_name": ["other"]}))
    assert fetch(asked) == [("b", 0), ("e", 0), ("z", 0), ("d", 0)]
    # nothing half written
    with pytest.raises(RuntimeError, match="power cut"):
        write(broken(rows(["x", "y", "z"], "2025-08-01")))
    assert fetch(asked) == [("b", 0), ("e", 0), ("z", 0), ("d", 0)]
    # a list that is empty now takes the place of the one that was not
    write(rows([], "2025-08-01"))
    assert fetch(asked) == [("b", 0), ("e", 0), ("z", 0)]
    # a column that is new
    write(rows(["n"], "2025-09-01", score=[0.25]))
    assert fetch("select account_id, score from scores where score is not null") == [("n", 0.25)]
    assert fetch("select word, model_name from scores where account_id = 'n'") == [("=1+1", "acme")]
    with pytest.raises(UsageError, match="columns of another type"):
        write(rows(["n"], "2025-09-01", score=["a word"]))
    assert fetch("select count(*) from scores") == [(4,)]


def test_sqlite(tmp_path):
    file = tmp_path / "crm.sqlite"

    def fetch(sql):
        with closing(sqlite3.connect(file)) as connection:
            return connection.execute(sql).fetchall()

    place = f"sqlite:///{file}#scores"
    with pytest.raises(RuntimeError, match="power cut"):
        probed_place(place).write(broken(rows(["a", "b", "c"], "2025-07-01")))
    assert not list(tmp_path.iterdir())  # a new file is whole or not there
    a_table_is_replaced_per_cutoff(place, fetch)
    assert fetch("select distinct cutoff from scores order by 1") == [("2025-07-01",), ("2025-09-01",)]
    times = pa.table({"account_id": ["a"], "cutoff": pa.array([1751328000000000]).cast(pa.timestamp("us", "UTC"))})
    for _ in range(2):
        probed_place(f"sqlite:///{file}#features").write(Rows([times], times.schema, replaces={"cutoff": ["2025-07-01"]}))
    assert fetch("select * from features") == [("a", "2025-07-01")]
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("create table customers (name text)")
    with pytest.raises(UsageError, match=r"no column `account_id` and no column `cutoff`: something else made it"):
        probed_place(f"sqlite:///{file}#customers")
    (tmp_path / "no.sqlite").write_text("this is no database, but a text that is long enough to be read as a header of one")
    with pytest.raises(UsageError, match=f"SQLite says: file is not a database: sqlite:///{tmp_path}"):
        probed_place(f"sqlite:///{tmp_path}/no.sqlite#scores")


@pytest.mark.skipif(postgres_programs() is None, reason="PostgreSQL is not installed: nothing to test against")
def test_postgresql(monkeypatch):
    from adbc_driver_postgresql import dbapi

    with postgres() as address:

        def fetch(sql, commit=False):
            with dbapi.connect(address) as connection, connection.cursor() as cursor:
                cursor.execute(sql)
                if commit:
                    connection.commit()
                return [] if commit else cursor.fetchall()

        place = f"{address}#scores"
        a_table_is_replaced_per_cutoff(place, fetch)
        kinds = fetch("select distinct data_type::text from information_schema.columns where table_name = 'scores'")
        assert {kind for (kind,) in kinds} == {"text", "bigint", "boolean", "double precision", "timestamp with time zone"}
        assert fetch("select max(extract(epoch from cutoff))::bigint from scores") == [(1756684800,)]
        fetch("create schema crm", commit=True)
        monkeypatch.setenv("DB_PASSWORD", "s3cret")
        filled = address.replace("s3cret", "${DB_PASSWORD}") + "#crm.Churn scores"
        assert "s3cret" not in str(probed_place(filled).shown)
        assert fetch("select to_regclass('crm.\"Churn scores\"')") == [(None,)]  # a probe makes nothing
        probed_place(filled).write(rows(["a"], "2025-07-01"))
        assert fetch('select account_id from crm."Churn scores"') == [("a",)]
        fetch("create table crm.customers (name text)", commit=True)
        fetch("create role bob login password 's3cret'", commit=True)
        bob = address.replace("ann:", "bob:")
        for wrong, said in {
            f"{address}#crm.customers": "something else made it",
            f"{address}#nothing.scores": r'PostgreSQL says: .*schema "nothing" does not exist',
            f"{bob}#scores": "PostgreSQL says: .*permission denied",
            f"{address}": r"no table is named.*end the address with `#schema.table`",
        }.items():
            with pytest.raises(UsageError, match=f"(?s){said}") as caught:
                probed_place(wrong)
            assert "s3cret" not in str(caught.value)
    # the server has gone
    with pytest.raises(UsageError, match="PostgreSQL says") as caught:
        probed_place(place)
    assert "s3cret" not in str(caught.value)


@pytest.mark.skipif(postgres_programs() is None, reason="PostgreSQL is not installed: nothing to test against")
def test_two_writers_of_one_cutoff_do_not_double_its_rows():
    from concurrent.futures import ThreadPoolExecutor

    from adbc_driver_postgresql import dbapi

    with postgres() as address:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: probed_place(f"{address}#scores").write(rows(["a", "b"], "2025-07-01")), range(8)))
        with dbapi.connect(address) as connection, connection.cursor() as cursor:
            cursor.execute("select account_id from scores order by 1")
            assert cursor.fetchall() == [("a",), ("b",)]


def sheets(path):
    book = CalamineWorkbook.from_path(str(path))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


def test_a_workbook_has_a_sheet_per_owner(tmp_path):
    frame = pd.DataFrame(
        {
            "account_id": ["007", "=cmd()", "c", "d", "http://e"],
            "cutoff": "2025-07-01",
            "owner": ["Ann/Bob", "Ann Bob", None, "Ann/Bob", "Ann/Bob"],
            "holdout": [False, False, False, True, False],
            "churn_probability": [0.123456, float("nan"), 0.5, 0.5, 0.5],
            "mrr": [1234.5, 2.0, 3.0, 4.0, 5.0],
        }
    )
    table = pa.Table.from_pandas(frame, preserve_index=False)
    path = tmp_path / "actions.xlsx"
    probed_place(path).write(Rows([table.slice(0, 3), table.slice(3)], table.schema, "Actions"))
    found = sheets(path)
    assert {name: [row[0] for row in listed[1:]] for name, listed in found.items()} == {
        "Ann Bob": ["007", "http://e"],
        "Ann Bob (2)": ["=cmd()"],
        "Without an owner": ["c"],
        "Held back - do not contact": ["d"],
    }
    assert found["Ann Bob"][0] == ["Account", "Cutoff (UTC)", "Owner", "Held back", "Churn probability", "MRR"]
    assert found["Ann Bob"][1][4:] == [0.123456, 1234.5]
    assert found["Ann Bob (2)"][1][4] == ""
    assert str(found["Ann Bob"][1][1]) in ("2025-07-01", "2025-07-01 00:00:00")
    import zipfile

    with zipfile.ZipFile(path) as archive:
        styles, sheet = archive.read("xl/styles.xml").decode(), archive.read("xl/worksheets/sheet2.xml").decode()
    assert "0.0%" in styles
    assert '"3"' in styles  # the built-in #,##0
    assert "<f>" not in sheet
    assert "yyyy-mm-dd" in styles


def test_a_sheet_that_is_full_is_followed_by_another(tmp_path, monkeypatch):
    monkeypatch.setattr("staypower.outputs.workbooks._MOST_ROWS", 2)
    table = pa.table({"account_id": list("abcde")})
    probed_place(tmp_path / "s.xlsx").write(Rows([table], table.schema, "Scores"))
    found = {name: [row[0] for row in listed[1:]] for name, listed in sheets(tmp_path / "s.xlsx").items()}
    assert found == {"Scores": ["a", "b"], "Scores (2)": ["c", "d"], "Scores (3)": ["e"]}


def test_a_workbook_without_rows_has_its_heads_and_a_broken_one_is_not_there(tmp_path):
    given = rows([], "2025-07-01")
    probed_place(tmp_path / "none.xlsx").write(given)
    assert sheets(tmp_path / "none.xlsx")["Scores"][0][:2] == ["Account", "Cutoff (UTC)"]
    with pytest.raises(RuntimeError, match="power cut"):
        probed_place(tmp_path / "s.xlsx").write(broken(rows(["a", "b", "c"], "2025-07-01")))
    assert [file.name for file in tmp_path.iterdir()] == ["none.xlsx"]


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "a.csv").mkdir()
    for wrong, said in {
        tmp_path / "s.txt": r"let the name end in `.csv`, `.xlsx` or `.parquet`, or begin with `postgresql://` or `sqlite://`",
        "mysql://ann:s3cret@host/db#scores": "no such kind of address is written to: mysql://ann:[*]{3}@host",
        "postgresql://ann:${NO_SUCH_VARIABLE}@host/db#scores": "the environment variable NO_SUCH_VARIABLE is not set",
        tmp_path / "file" / "s.csv": "a file where a folder is needed",
        f"sqlite:///{tmp_path}/file/s.sqlite#scores": "a file where a folder is needed",
        tmp_path / "a.csv": "there is a folder of this name",
    }.items():
        with pytest.raises(UsageError, match=said):
            probed_place(wrong)


def test_every_kind_can_be_named():
    named = [name for kind in OUTPUTS.values() for name in (*kind.endings, *kind.schemes)]
    assert len(named) == len(set(named))
    assert all(kind.endings or kind.schemes for kind in OUTPUTS.values())


@pytest.mark.parametrize("word", ["s3cret", "s3#cret", "s3/cret", "s3?cret", "12/34"])
def test_no_password_is_shown_however_it_is_written(word):
    for address in (f"postgresql://ann:{word}@host/db#crm.scores", f"postgresql://ann:{word}@host:5432/db?sslmode=require"):
        shown = shown_address(address)
        assert word not in shown
        assert shown.startswith("postgresql://ann:***@host")


def test_a_look_at_a_place_leaves_nothing_behind(tmp_path):
    probed_place(tmp_path / "new" / "deep" / "s.csv")
    probed_place(f"sqlite:///{tmp_path}/new/s.sqlite#scores")
    assert not list(tmp_path.iterdir())
