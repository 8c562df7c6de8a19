"""SQLite, workbooks, PostgreSQL and object stores, each read from a real one."""

from __future__ import annotations

import sqlite3
import zipfile

import pandas as pd
import pytest
import xlsxwriter
from bucketed_tables import assert_same_tables, whole_and_buckets
from servers import object_store, postgres, postgres_programs

import staypower
from staypower.cutoffs import instant_of
from staypower.errors import UsageError
from staypower.sources import disk_writing, reading
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


def test_cells_that_are_merged_downwards_have_one_value(tmp_path):
    book = xlsxwriter.Workbook(tmp_path / "book.xlsx")
    sheet = book.add_worksheet("Events")
    # the table begins neither in the first row nor in the first column
    sheet.write_row(2, 1, ["customer", "happened", "n"])
    sheet.merge_range(3, 1, 5, 1, "007")
    for row, day in enumerate(["2024-01-05 10:00", "2024-01-06 10:00", "2024-01-07 10:00", "2024-01-08 10:00"], start=3):
        sheet.write(row, 2, day)
        sheet.write_formula(row, 3, "=ROW()", None, row)
    sheet.write(6, 1, "b")
    book.close()
    table = read(tmp_path, source="book.xlsx", quantity="n")
    assert table.data.column("account_id").to_pylist() == ["007", "007", "007", "b"]
    assert table.numbers("quantity").tolist() == [3, 4, 5, 6]


def test_formulas_that_were_never_computed_are_refused(tmp_path):
    with pd.ExcelWriter(tmp_path / "made.xlsx", engine="xlsxwriter") as writer:
        pd.DataFrame({**ROWS, "n": 0}).to_excel(writer, sheet_name="A & B", index=False)
        writer.sheets["A & B"].write_formula(1, 2, '="x"', None, "x")
        writer.sheets["A & B"].write_formula(2, 2, "=1+1", None, 2)

    def changed(name, before, after):
        with zipfile.ZipFile(tmp_path / "made.xlsx") as made, zipfile.ZipFile(tmp_path / name, "w") as other:
            for part in made.namelist():
                other.writestr(part, made.read(part).replace(before, after) if "sheet1" in part else made.read(part))

    # an empty text is a value
    changed("whole.xlsx", b"<v>x</v>", b"<v></v>")
    check(read(tmp_path, source="whole.xlsx"))
    for number, bare in enumerate((b"</f></c>", b"</f><v/></c>", b"</f><v></v></c>")):
        changed(f"bare{number}.xlsx", b"</f><v>2</v></c>", bare)
        with pytest.raises(UsageError, match=r"1 formula has no saved value: .*bare\d.xlsx, A & B.*save it"):
            read(tmp_path, source=f"bare{number}.xlsx")


def test_what_goes_wrong_in_the_middle_is_said_as_it_is(tmp_path):
    with sqlite3.connect(tmp_path / "crm.sqlite") as connection:
        connection.execute("create table events (customer, happened text)")
        connection.execute("insert into events values (x'00ff', '2024-01-01')")
    with pytest.raises(UsageError, match=r"a column holds binary values: tables.usage\. Fix: leave the column out"):
        read(tmp_path, source="crm.sqlite", table="events")


def test_a_query_that_returns_nothing_is_said(tmp_path):
    with sqlite3.connect(tmp_path / "crm.sqlite") as connection:
        pd.DataFrame(ROWS).to_sql("events", connection, index=False)
    with pytest.raises(UsageError, match=r"the table has no rows: usage\. Fix: check the source, its `query`"):
        read(tmp_path, source="crm.sqlite", query="select * from events where customer = 'nobody'")


@pytest.mark.skipif(postgres_programs() is None, reason="PostgreSQL is not installed: nothing to test against")
def test_a_server_that_goes_away_in_the_middle_and_a_table_that_changes(tmp_path):
    from adbc_driver_postgresql import dbapi

    with postgres() as address:

        def run(sql):
            with dbapi.connect(address) as connection, connection.cursor() as cursor:
                cursor.execute(sql)
                connection.commit()

        run("create table events (customer text, happened timestamptz, n text)")
        many = "'c' || i % 50, '2024-01-01'::timestamptz + i * '1 s'::interval, i from generate_series(1, 200000) i"
        run(f"insert into events select {many}")
        going = "select *, case when n = '150000' then pg_terminate_backend(pg_backend_pid()) end as gone from events"
        with pytest.raises(UsageError, match="PostgreSQL says") as caught:
            read(tmp_path, source=address, query=going)
        assert "s3cret" not in str(caught.value)
        assert "check that the server answers" in str(caught.value)
        # the whole is read before the rows are looked at again: what comes meanwhile does not matter
        usage = {"account_id": "customer", "at": "happened", "quantity": "n", "source": address}
        usage["query"] = "select * from events where n <> 'many'"
        sources = {"usage": [TableSource.model_validate(usage)]}
        whole, stored = whole_and_buckets(sources, tmp_path, buckets=3)
        assert_same_tables(whole, stored)
        asked = []

        def insert():
            asked.append(run("insert into events select 'x', now(), 'many'"))

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(disk_writing, "learn_facts", changing(insert))
            changed, _ = disk_writing.write_buckets(
                {"usage": [TableSource.model_validate({**usage, "query": "select * from events"})]},
                **{"folder": tmp_path, "into": tmp_path / "changed", "buckets": 2, "memory": 500_000_000},
            )
        assert len(asked) == 1
        assert changed.row_count("usage") == 200_000


def changing(change):
    learn = disk_writing.learn_facts

    def learn_and_change(*given):
        found = learn(*given)
        change()
        return found

    return learn_and_change


def test_a_file_that_is_written_to_meanwhile_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "rows.csv"
    pd.DataFrame(ROWS).to_csv(file, index=False)
    usage = {"usage": [TableSource.model_validate({"source": "rows.csv", "account_id": "customer", "at": "happened"})]}

    def grow():
        with file.open("a") as opened:
            opened.write("late,2024-05-05\n")

    monkeypatch.setattr(disk_writing, "learn_facts", changing(grow))
    with pytest.raises(UsageError, match=r"the file changed while it was read: tables.usage: .*rows.csv\. Fix: run again"):
        disk_writing.write_buckets(usage, folder=tmp_path, into=tmp_path / "into", buckets=2, memory=500_000_000)
    extract = reading.extract
    monkeypatch.setattr(reading, "extract", lambda *given: (extract(*given), grow())[0])
    with pytest.raises(UsageError, match="the file changed while it was read"):
        read_tables(usage, folder=tmp_path)
