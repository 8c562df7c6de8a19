"""Tables on disk are the tables that would have been read, whatever is odd about them."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bucketed_tables import assert_same_tables, whole_and_buckets

from staypower.errors import UsageError
from staypower.sources.disk_tables import MANIFEST, DiskTables
from staypower.sources.disk_writing import write_buckets
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource

ACCOUNTS = "account_id,signed_up_at,segment,level,code\n" + "".join(
    f"{n:03d},2023-0{1 + n % 9}-11,{'big' if n % 3 else ''},{n}.5,0{n}\n" for n in range(40)
)


def source(**keys: object) -> list[TableSource]:
    return [TableSource.model_validate(keys)]


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)


def lines(header: str, *rows: str) -> str:
    return header + "\n" + "".join(row + "\n" for row in rows)


def compare(tables: dict[str, list[TableSource]], folder: Path, **options: object) -> DiskTables:
    for buckets in (1, 9):
        whole, stored = whole_and_buckets(tables, folder, buckets=buckets, **options)
        assert_same_tables(whole, stored)
        assert {name: table.rows for name, table in stored.listed.items() if name != "accounts"} == {
            name: len(whole[name]) for name in whole if name != "accounts"
        }
    return stored


def test_times_dates_and_clocks_are_judged_over_all_rows(tmp_path):
    usage = [f"{n % 40:03d},2024-01-{1 + n % 28:02d}{' 10:00' if n == 77 else ''},{n},2024-02-01 00:00:00" for n in range(200)]
    tickets = [f"{n:03d},2024-01-{1 + n % 28:02d},{'2024-03-01' if n % 2 else ''}" for n in range(40)]
    write(tmp_path, accounts=ACCOUNTS, usage=lines("account_id,at,quantity,known_at", *usage))
    write(tmp_path, tickets=lines("account_id,opened_at,resolved_at", *tickets))
    stored = compare(
        {
            "accounts": source(source="accounts.csv", static=["segment", "level", "code"]),
            "usage": source(source="usage.csv"),
            "tickets": source(source="tickets.csv"),
        },
        tmp_path,
    )
    part = stored.bucket(stored.buckets[0])
    assert part["usage"].date_only == {"known_at"}
    assert part["tickets"].date_only == {"opened_at", "resolved_at"}
    assert part["accounts"].data.schema.field("level").type == "double"
    assert part["accounts"].data.schema.field("code").type == "string"


def test_two_sources_of_one_table_with_different_columns_and_clocks(tmp_path):
    write(tmp_path, accounts=ACCOUNTS, one=lines("account_id,at,event", *(f"{n:03d},2024-01-05,a" for n in range(40))))
    write(tmp_path, two=lines("acct,when,n", *(f"{n:03d},2024-01-06T07:08:09+02:00,{n}" for n in range(0, 40, 3))))
    write(tmp_path, empty="account_id,at\n")
    usage = source(source="one.csv") + source(source="two.csv", account_id="acct", at="when", quantity="n")
    usage += source(source="empty.csv")
    stored = compare({"accounts": source(source="accounts.csv"), "usage": usage}, tmp_path)
    assert not stored.empty["usage"].date_only


def test_rows_that_never_count_and_rows_of_nobody(tmp_path):
    rows = ["001,2024-01-02,4", ",2024-01-02,4", "002,,5", "stranger,2025-06-07,5", "003,2024-01-02,-3", "003,2024-01-02,inf"]
    write(tmp_path, accounts=ACCOUNTS + ",2024-01-01,big,1,1\n", usage=lines("account_id,at,quantity", *rows))
    compare({"accounts": source(source="accounts.csv"), "usage": source(source="usage.csv")}, tmp_path)
    arriving = lines("account_id,at,known_at", "001,2024-01-02,2024-01-03", "002,2024-01-02,", "003,2025-01-02,2024-06-01")
    write(tmp_path, usage=arriving, more="account_id,at\n001,2024-01-09\n")
    usage = source(source="usage.csv")
    compare({"accounts": source(source="accounts.csv"), "usage": usage}, tmp_path)
    compare({"usage": [*usage, *source(source="more.csv")]}, tmp_path)
    compare({"usage": usage}, tmp_path, as_of="2024-01-02")
    compare({"usage": usage}, tmp_path, observed_until="2024-01-02")


def test_of_an_id_under_several_accounts_the_first_known_row_stays(tmp_path):
    generator = random.Random(1)
    rows = [
        f"{generator.randrange(40):03d},2024-01-{generator.randrange(1, 29):02d},{generator.randrange(60) or ''},{n}"
        for n in range(300)
    ]
    # the latest row of all repeats an id: it says nothing about until when the data were watched
    rows += ["001,2024-02-20,1,0", "002,2024-05-05,1,0"]
    write(tmp_path, accounts=ACCOUNTS, tickets=lines("account_id,opened_at,ticket_id,channel", *rows))
    stored = compare({"accounts": source(source="accounts.csv"), "tickets": source(source="tickets.csv")}, tmp_path)
    assert stored.listed["tickets"].rows < 100
    versions = [f"{row},{'2024-01-01' if n % 3 else ''}" for n, row in enumerate(rows)]
    write(tmp_path, contracts=lines("account_id,started_at,subscription_id,mrr,valid_from", *versions))
    compare({"subscriptions": source(source="contracts.csv")}, tmp_path)


def test_accounts_given_twice_derived_or_filled_up(tmp_path):
    twice = ACCOUNTS + "".join(f"{n:03d},2022-01-01,small,{n},1\n" for n in range(0, 40, 2))
    orders = [f"{n % 55:03d},2024-0{1 + n % 9}-03" for n in range(200)]
    write(tmp_path, accounts=twice, orders=lines("account_id,at", *orders), bare="account_id,segment\n001,big\n777,small\n")
    orders_source = source(source="orders.csv")
    compare({"accounts": source(source="accounts.csv", static=["segment"]), "orders": orders_source}, tmp_path)
    compare({"orders": orders_source}, tmp_path, observed_until="2024-03-01")
    derived = TableSource.model_validate({"derive_from": "orders"})
    compare({"accounts": [derived], "orders": orders_source}, tmp_path)
    filled = source(source="bare.csv", static="all", derive_from="orders")
    compare({"accounts": filled, "orders": orders_source}, tmp_path)
    versions = lines("account_id,valid_from,segment", "001,2024-01-01,a", "001,2024-02-01,b", "002,2024-01-05,b")
    write(tmp_path, versions=versions)
    compare({"accounts": source(source="versions.csv"), "orders": orders_source}, tmp_path)


def test_accounts_found_through_other_tables(tmp_path):
    contracts = [f"{n % 40:03d},2023-05-0{1 + n % 9},s{n % 50}" for n in range(60)] + [",2023-05-05,s55"]
    payments = [f"s{n},2024-0{1 + n % 9}-11,{n},Paid,p{n}" for n in range(58)]
    refunds = [f"p{n},2024-06-11" for n in range(0, 80, 3)]
    write(tmp_path, accounts=ACCOUNTS, contracts=lines("account_id,started_at,subscription_id", *contracts))
    write(tmp_path, payments=lines("subscription_id,at,amount,status,payment_id", *payments))
    write(tmp_path, refunds=lines("payment_id,at", *refunds))
    tables = {
        "accounts": source(source="accounts.csv"),
        "refunds": source(source="refunds.csv", key_via="payments", time="at", payment_id="payment_id"),
        "payments": source(source="payments.csv", key_via="subscriptions"),
        "subscriptions": source(source="contracts.csv"),
    }
    compare(tables, tmp_path)
    write(tmp_path, contracts="payment_id,started_at,subscription_id\np1,2023-05-05,s1\n")
    tables["subscriptions"] = source(source="contracts.csv", key_via="payments")
    with pytest.raises(UsageError, match="circle"):
        write_buckets(tables, folder=tmp_path, into=tmp_path / "into", buckets=3, memory=500_000_000)


def test_survey_words_fractions_flags_expressions_and_own_tables(tmp_path):
    surveys = [f"{n % 40:03d},2024-01-0{1 + n % 9}T10:00,{n % 11}, NPS ,0-10" for n in range(70)]
    write(tmp_path, surveys=lines("account_id,answered_at,value,instrument,scale", *surveys))
    orders = [f"{n % 40}.0,2024-03-0{1 + n % 9},{'yes' if n % 5 == 0 else 'no'},3.5,-" for n in range(70)]
    write(tmp_path, orders=lines("account_id,at,cancelled,price,product", *orders))
    visits = [f"{n % 40},04/0{1 + n % 9}/2024,{n}" for n in range(40)]
    write(tmp_path, visits=lines("who,day,minutes", *visits))
    tables = {
        "surveys": source(
            source="surveys.csv", account_id="cast(cast(account_id as integer) as varchar)", where="value <> '3'"
        ),
        "orders": source(source="orders.csv", amount="price * 2", blank=["-"]),
        "visits": source(source="visits.csv", time="at", account_id="who", at="parse_time(day, '%d/%m/%Y')", length="minutes"),
    }
    stored = compare(tables, tmp_path)
    part = stored.bucket(stored.buckets[0], only=["visits"])
    assert set(part) == {"accounts", "visits"}
    assert part["visits"].data.schema.field("length").type == "double"


def test_parquet_types_and_files_in_other_encodings(tmp_path):
    days = pd.date_range("2024-01-01", periods=30, tz="UTC")
    frame = pd.DataFrame({"account_id": np.arange(30) % 7 + 10**14, "at": days, "seen": days.date, "n": np.arange(30)})
    frame.loc[3, "n"] = np.nan
    frame.to_parquet(tmp_path / "usage.parquet")
    (tmp_path / "tickets.csv").write_bytes("account_id;opened_at;agent\n100000000000001;2024-01-02;Zoë\n".encode("cp1252"))
    (tmp_path / "goals.jsonl").write_text('{"account_id": "100000000000002", "set_at": "2024-01-02T00:00:00Z"}\n')
    compare(
        {
            "usage": source(source="usage.parquet", quantity="n", known_at="seen"),
            "tickets": source(source="tickets.csv", encoding="cp1252"),
            "goals": source(source="goals.jsonl"),
        },
        tmp_path,
    )


@pytest.mark.parametrize(
    ("file", "text", "keys"),
    [
        ("usage", "account_id,at,quantity\na,yesterday,3\nb,2024-01-01,many\n", {}),
        ("usage", "account_id,at,quantity\na,2024-01-01,3\n", {"quantity": "cast(account_id as double)"}),
        ("usage", "account_id,at\na,2024-01-01\n", {"quantity": "amuont"}),
        ("surveys", "account_id,answered_at,value\na,2024-01-01,11\n", {"instrument": "nps", "scale": "0-10"}),
        ("payments", "account_id,at,status\na,2024-01-01,perhaps\n", {}),
        ("orders", "account_id,at,cancelled\na,2024-01-01,perhaps\n", {}),
        ("usage", "account_id,at\n,2024-01-01\n", {}),
        ("usage", "account_id,at\na,\n", {}),
    ],
)
def test_what_is_refused_is_refused_in_the_same_words(tmp_path, file, text, keys):
    (tmp_path / f"{file}.csv").write_text(text)
    tables = {file: source(source=f"{file}.csv", **keys)}
    with pytest.raises(UsageError) as whole:
        read_tables(tables, folder=tmp_path)
    with pytest.raises(UsageError) as stored:
        write_buckets(tables, folder=tmp_path, into=tmp_path / "into", buckets=3, memory=500_000_000)
    assert [problem.problem for problem in stored.value.problems] == [problem.problem for problem in whole.value.problems]
    assert not (tmp_path / "into" / MANIFEST).exists()


def test_tables_of_nobody_are_found_against(tmp_path):
    write(tmp_path, accounts=ACCOUNTS, usage=lines("account_id,at", *(f"x{n},2024-01-01" for n in range(9)), "001,2024-01-02"))
    write(tmp_path, tickets="account_id,opened_at\n")
    tables = {name: source(source=f"{name}.csv") for name in ("accounts", "usage", "tickets")}
    _, expected = read_tables(tables, folder=tmp_path)
    _, found = write_buckets(tables, folder=tmp_path, into=tmp_path / "into", buckets=3, memory=500_000_000)
    errors = [(f.table, f.column, f.rows, f.problem) for f in expected if f.severity == "error"]
    assert [(f.table, f.column, f.rows, f.problem) for f in found] == errors


def test_some_accounts_have_the_same_rows_in_memory_and_on_disk(tmp_path):
    write(tmp_path, accounts=ACCOUNTS, usage=lines("account_id,at", *(f"{n:03d},2024-01-02" for n in range(40))))
    tables = {"accounts": source(source="accounts.csv"), "usage": source(source="usage.csv")}
    whole, stored = whole_and_buckets(tables, tmp_path, buckets=4)
    for asked in (whole.account_ids[::3], ["nobody"], []):
        ours, theirs = whole.rows_of(asked), stored.rows_of(asked)
        known = sorted(set(asked) & set(whole.account_ids))
        assert ours.account_ids == theirs.account_ids == known
        assert len(ours["usage"]) == len(theirs["usage"]) == len(known)


def test_a_finished_folder_is_used_again_and_an_unfinished_one_is_begun_anew(tmp_path):
    write(tmp_path, accounts=ACCOUNTS, usage=lines("account_id,at", *(f"{n:03d},2024-01-02" for n in range(40))))
    tables = {"accounts": source(source="accounts.csv"), "usage": source(source="usage.csv")}
    whole, stored = whole_and_buckets(tables, tmp_path, buckets=4)
    write(tmp_path, usage=lines("account_id,at", "001,2024-01-02"))
    again, _ = write_buckets(tables, folder=tmp_path, into=stored.folder, buckets=4, memory=500_000_000)
    assert again == stored
    assert_same_tables(whole, again)
    (stored.folder / MANIFEST).unlink()
    anew, _ = write_buckets(tables, folder=tmp_path, into=stored.folder, buckets=4, memory=500_000_000)
    assert anew.listed["usage"].rows == 1
