"""SQLite, workbooks, PostgreSQL and object stores, each read from a real one."""

from __future__ import annotations

import sqlite3

import pandas as pd
import pytest
from servers import object_store, postgres, postgres_programs

import staypower
from staypower.cutoffs import instant_of
from staypower.errors import UsageError
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource

ROWS = {
    "customer": ["007", "12345678901234567890", "b"],
    "happened": ["2024-01-05 10:00:00", "2024-02-01", "2024-03-01 23:59:59"],
}


def read(folder, **source):
    given = {"account_id": "customer", "at": "happened", **source}
    return read_tables({"usage": [TableSource.model_validate(given)]}, folder=folder)[0]["usage"]


def check(table):
    assert sorted(table.data.column("account_id").to_pylist()) == sorted(ROWS["customer"])
    assert table.instants("at").min() == instant_of("2024-01-05T10:00")


def test_sqlite(tmp_path):
    with sqlite3.connect(tmp_path / "crm.sqlite") as connection:
        pd.DataFrame({**ROWS, "n": [1, 2, 3]}).to_sql("events", connection, index=False)
        connection.execute("create table other (a text)")
    check(read(tmp_path, source="crm.sqlite", table="events", quantity="n"))
    assert len(read(tmp_path, source="crm.sqlite", query="select * from events where n > 1")) == 2
    with pytest.raises(UsageError, match=r"there is no such table.*write `events`"):
        read(tmp_path, source="crm.sqlite", table="event")
    with pytest.raises(UsageError, match="not one SELECT"):
        read(tmp_path, source="crm.sqlite", query="delete from events")
    with pytest.raises(UsageError, match="SQLite says"):
        read(tmp_path, source="crm.sqlite", query="select missing from events")


def test_a_workbook(tmp_path):
    frame = pd.DataFrame(ROWS)
    frame["happened"] = pd.to_datetime(frame["happened"], format="mixed")
    with pd.ExcelWriter(tmp_path / "book.xlsx", engine="xlsxwriter") as writer:
        frame.to_excel(writer, sheet_name="Events", index=False)
        pd.DataFrame([["merged", None], [1, 2]]).to_excel(writer, sheet_name="Odd", index=False, header=False)
    check(read(tmp_path, source="book.xlsx", table="Events"))
    with pytest.raises(UsageError, match="the sheet has no row of names"):
        read(tmp_path, source="book.xlsx", table="Odd")
    with pytest.raises(UsageError, match="no sheet is named"):
        read(tmp_path, source="book.xlsx")
    (tmp_path / "broken.xlsx").write_bytes(b"PK not a workbook")
    with pytest.raises(UsageError, match="the workbook cannot be read"):
        read(tmp_path, source="broken.xlsx")


@pytest.mark.skipif(postgres_programs() is None, reason="PostgreSQL is not installed: nothing to test against")
def test_postgresql(tmp_path, monkeypatch):
    from adbc_driver_postgresql import dbapi

    with postgres() as address:
        with dbapi.connect(address) as connection, connection.cursor() as cursor:
            cursor.execute("create schema crm")
            cursor.execute("create table crm.events (customer text, happened timestamptz, price numeric(9,2), id uuid)")
            for customer, at in zip(ROWS["customer"], ROWS["happened"], strict=True):
                cursor.execute(f"insert into crm.events values ('{customer}', '{at}+00', 12.50, gen_random_uuid())")
            connection.commit()
        check(read(tmp_path, source=address, table="crm.events", quantity="price", usage_id="id"))
        assert len(read(tmp_path, source=address, query="select * from crm.events where customer <> 'b'")) == 2
        for wrong in ({"table": "crm.nothing"}, {"query": "select nothing from crm.events"}):
            with pytest.raises(UsageError, match="PostgreSQL says") as caught:
                read(tmp_path, source=address, **wrong)
            assert "s3cret" not in str(caught.value)
        with pytest.raises(UsageError, match="not one SELECT"):
            read(tmp_path, source=address, query="select 1; drop table crm.events")
        with pytest.raises(UsageError, match="PostgreSQL says"):
            read(tmp_path, source=address, query="with gone as (delete from crm.events returning *) select * from gone")
        with dbapi.connect(address) as connection, connection.cursor() as cursor:
            cursor.execute("insert into crm.events select customer, happened + interval '1 day' from crm.events")
            connection.commit()
        proposed = staypower.propose(address)
        assert proposed.settings()["tables"]["usage"]["table"] == "crm.events", proposed.text()
        assert "s3cret" not in proposed.yaml() + str(proposed.to_dict())
    # the server has gone
    with pytest.raises(UsageError, match="PostgreSQL says") as caught:
        read(tmp_path, source=address, table="crm.events")
    assert "s3cret" not in str(caught.value)


def test_an_object_store(tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    bucket = tmp_path / "bucket" / "events"
    bucket.mkdir(parents=True)
    frame = pd.DataFrame(ROWS)
    frame.iloc[:2].to_parquet(bucket / "a.parquet")
    frame.iloc[2:].to_parquet(bucket / "b.parquet")
    frame.to_csv(bucket / "c.csv", index=False)
    with object_store(tmp_path) as options:
        check(read(tmp_path, source=f"s3://bucket/events/*.parquet{options}"))
        check(read(tmp_path, source=f"s3://bucket/events/c.csv{options}"))
        with pytest.raises(UsageError, match=r"the object store says|no file matches"):
            read(tmp_path, source=f"s3://bucket/events/none.parquet{options}")


def test_an_address_that_nothing_reads_is_named_without_its_secret(tmp_path):
    with pytest.raises(UsageError, match="no such kind of address") as caught:
        read(tmp_path, source="mysql://ann:s3cret@host/db")
    assert "s3cret" not in str(caught.value)
    dumped = TableSource.model_validate({"source": "postgresql://ann:s3cret@host/db"}).model_dump()
    assert dumped["source"] == "postgresql://ann:***@host/db"
