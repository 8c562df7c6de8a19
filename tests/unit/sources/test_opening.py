"""Every form of source gives the same canonical rows."""

from __future__ import annotations

import gzip
import json

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from staypower.errors import UsageError
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource

ROWS = [
    {"acct": "007", "when": "2024-01-01 10:00:00", "n": 1.5},
    {"acct": "12345678901234567890", "when": "2024-01-02 11:30:00", "n": None},
]
WANTED = [
    {"account_id": "007", "at": "2024-01-01T10:00:00+00:00", "quantity": 1.5},
    {"account_id": "12345678901234567890", "at": "2024-01-02T11:30:00+00:00", "quantity": None},
]
MAPPING = {"account_id": "acct", "at": "when", "quantity": "n"}


def read(folder, objects=None, **given):
    source = TableSource.model_validate({**MAPPING, **given})
    tables, _ = read_tables({"usage": [source]}, folder=folder, objects=objects)
    rows = tables["usage"].data.select(["account_id", "at", "quantity"]).to_pylist()
    return [{**row, "at": row["at"].isoformat()} for row in sorted(rows, key=lambda row: row["at"])]


def frame() -> pd.DataFrame:
    made = pd.DataFrame(ROWS)
    return made.assign(when=pd.to_datetime(made["when"]))


def test_csv(tmp_path):
    pd.DataFrame(ROWS).to_csv(tmp_path / "a.csv", index=False)
    assert read(tmp_path, source="a.csv") == WANTED
    assert read(tmp_path, source=str(tmp_path / "a.csv")) == WANTED


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
def test_csv_in_other_encodings(tmp_path, encoding):
    (tmp_path / "a.csv").write_text("acct;when;n;ort\n007;2024-01-01 10:00;1,5;Köln\n", encoding=encoding)
    given = {"encoding": encoding, "delimiter": ";", "decimal": ",", "event": "ort"}
    source = TableSource.model_validate({"source": "a.csv", **MAPPING, **given})
    tables, _ = read_tables({"usage": [source]}, folder=tmp_path)
    assert tables["usage"].data.select(["account_id", "quantity", "event"]).to_pylist() == [
        {"account_id": "007", "quantity": 1.5, "event": "Köln"}
    ]


def test_tsv_and_gzip(tmp_path):
    pd.DataFrame(ROWS).to_csv(tmp_path / "a.tsv.gz", index=False, sep="\t")
    assert read(tmp_path, source="a.tsv.gz") == WANTED


def test_parquet_file_glob_folder_and_hive(tmp_path):
    table = pa.Table.from_pandas(frame(), preserve_index=False)
    pq.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path, source="a.parquet") == WANTED
    parts = tmp_path / "parts"
    parts.mkdir()
    for i in range(2):
        pq.write_table(table.slice(i, 1), parts / f"p{i}.parquet")
    assert read(tmp_path, source="parts/*.parquet") == WANTED
    assert read(tmp_path, source="parts") == WANTED
    for row in ROWS:
        under = tmp_path / "hive" / f"acct={row['acct']}"
        under.mkdir(parents=True)
        pq.write_table(table.filter(pa.compute.equal(table["acct"], row["acct"])).drop_columns(["acct"]), under / "x.parquet")
    assert read(tmp_path, source="hive") == WANTED
    assert read(tmp_path, source="hive/**/*.parquet") == WANTED


def test_a_name_with_the_signs_of_a_pattern_is_a_file(tmp_path):
    pd.DataFrame(ROWS).to_csv(tmp_path / "a[1].csv", index=False)
    assert read(tmp_path, source="a[1].csv") == WANTED


def test_json_lines_keep_ids_as_text(tmp_path):
    lines = [json.dumps(row) for row in ROWS] + [
        json.dumps({"acct": 900719925474099312, "when": "2024-01-03T00:00:01Z", "late": 1})
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    assert read(tmp_path, source="a.jsonl") == [
        *WANTED,
        {"account_id": "900719925474099312", "at": "2024-01-03T00:00:01+00:00", "quantity": None},
    ]


def test_json_array(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(ROWS))
    assert read(tmp_path, source="a.json") == WANTED


def test_duckdb_table_view_and_query(tmp_path):
    given = frame()
    with duckdb.connect(str(tmp_path / "a.duckdb")) as connection:
        connection.register("given", given)
        connection.execute("CREATE TABLE events AS SELECT * FROM given")
        connection.execute("CREATE VIEW seen AS SELECT * FROM events")
        connection.execute("CREATE SCHEMA s")
        connection.execute("CREATE TABLE s.more AS SELECT * FROM events")
    for table in ("events", "seen", "s.more"):
        assert read(tmp_path, source="a.duckdb", table=table) == WANTED
    assert read(tmp_path, source="a.duckdb", query="SELECT * FROM events WHERE acct = '007'") == WANTED[:1]
    with pytest.raises(UsageError, match="write `events`"):
        read(tmp_path, source="a.duckdb", table="event")
    with pytest.raises(UsageError, match="no table is named"):
        read(tmp_path, source="a.duckdb")


@pytest.mark.parametrize("query", ["DROP TABLE events", "SELECT 1; SELECT 2", "COPY events TO 'x.csv'", "SELEC 1"])
def test_a_query_is_one_select(tmp_path, query):
    with duckdb.connect(str(tmp_path / "a.duckdb")) as connection:
        connection.execute("CREATE TABLE events AS SELECT 1 AS acct")
    with pytest.raises(UsageError, match="write one SELECT"):
        read(tmp_path, source="a.duckdb", query=query)


@pytest.mark.parametrize(
    "make",
    [
        lambda: frame(),
        lambda: pl.from_pandas(frame()),
        lambda: pl.from_pandas(frame()).lazy(),
        lambda: pa.Table.from_pandas(frame()),
        lambda: pa.Table.from_pandas(frame()).to_reader(),
        lambda: {"acct": [row["acct"] for row in ROWS], "when": [row["when"] for row in ROWS], "n": [1.5, None]},
    ],
)
def test_objects(tmp_path, make):
    assert read(tmp_path, {"rows": make()}, source="rows") == WANTED


def test_pandas_fraction_ids_and_mixed_ids(tmp_path):
    times = ["2024-01-01 10:00", "2024-01-02 11:00", "2024-01-03 12:00"]
    fractions = pd.DataFrame({"acct": [17850.0, None, 13047.0], "when": times, "n": 1})
    assert [row["account_id"] for row in read(tmp_path, {"rows": fractions}, source="rows")] == ["17850", "13047"]
    mixed = pd.DataFrame({"acct": [17850, "A7", None], "when": times, "n": 1})
    assert [row["account_id"] for row in read(tmp_path, {"rows": mixed}, source="rows")] == ["17850", "A7"]
    category = pd.DataFrame({"acct": pd.Categorical(["x", "y", "x"]), "when": times, "n": 1})
    assert [row["account_id"] for row in read(tmp_path, {"rows": category}, source="rows")] == ["x", "y", "x"]


def test_nanoseconds_are_not_taken_for_microseconds(tmp_path):
    given = pd.DataFrame({"acct": ["a"], "when": pd.to_datetime(["2024-01-01 10:00:00"]).astype("datetime64[ns]"), "n": [1]})
    assert read(tmp_path, {"rows": given}, source="rows")[0]["at"] == "2024-01-01T10:00:00+00:00"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"source": "b.csv"}, "write `a.csv`"),
        ({"source": "nowhere/b.csv"}, "check the folder"),
        ({"source": "*.pq"}, "no file matches"),
        ({"source": "empty.csv"}, "the file is empty"),
        ({"source": "bare"}, "has no CSV"),
        ({"source": "a.xyz"}, "write `format: csv`"),
        ({"source": "https://example.org/a.csv"}, "no such kind of address is read"),
        ({"source": "broken.parquet"}, "cannot be read"),
        ({"source": "ragged.csv"}, "cannot be read: Invalid Input Error: CSV Error on Line: 52"),
        ({"source": "latin.csv"}, "encoding: latin-1"),
        ({"source": "heads.csv", "account_id": "Größe"}, "the file is not in utf-8"),
        ({"source": "a.csv", "encoding": "klingon"}, "write the right `encoding`"),
        ({"source": "crm.duckdb", "table": "thinks"}, "Fix: write `things`."),
        ({"source": "crm.duckdb"}, "Fix: use one of `things` as `table`."),
        ({}, "no source is given"),
    ],
)
def test_unreadable_sources(tmp_path, given, said):
    pd.DataFrame(ROWS).to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "empty.csv").touch()
    (tmp_path / "bare").mkdir()
    (tmp_path / "a.xyz").write_text("x")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 nonsense")
    (tmp_path / "ragged.csv").write_text("acct,when,n\n" + "a,2024-01-01,1\n" * 50 + 'a,"2024,1\nb,c,d,e,f,g\n')
    (tmp_path / "latin.csv").write_bytes("acct,when,n\nKöln,2024-01-01,1\n".encode("latin-1"))
    (tmp_path / "heads.csv").write_bytes("Größe,when,n\na,2024-01-01,1\n".encode("cp1252"))
    with duckdb.connect(str(tmp_path / "crm.duckdb")) as made:
        made.execute("CREATE TABLE things (acct VARCHAR)")
    with pytest.raises(UsageError) as caught:
        read(tmp_path, **given)
    assert said in str(caught.value)


def test_lists_and_objects_of_json_are_no_ids(tmp_path):
    rows = [{"acct": {"id": "007"}, "who": "007", "when": "2024-01-01 10:00", "n": 1, "tags": []}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read(tmp_path, source="a.jsonl", account_id="who")[0]["account_id"] == "007"
    for column in ("acct", "tags"):
        with pytest.raises(UsageError, match=f"column `{column}` is of type JSON: tables.usage.account_id.*unpack it"):
            read(tmp_path, source="a.jsonl", account_id=column)


def test_a_list_can_be_left_out_of_the_attributes(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({"account_id": "7", "segment": "big", "tags": ["x"]}) + "\n")
    (tmp_path / "u.csv").write_text("account_id,at\n7,2024-01-01\n")
    usage = TableSource.model_validate({"source": "u.csv"})
    accounts = TableSource.model_validate({"source": "a.jsonl", "static": "all", "leave_out": ["tags"]})
    tables, _ = read_tables({"accounts": [accounts], "usage": [usage]}, folder=tmp_path)
    assert tables["accounts"].has("segment")
    assert not tables["accounts"].has("tags")


def test_no_line_is_skipped_or_taken_for_a_comment(tmp_path):
    lines = 'acct,when,n\r\n#7,2024-01-01 10:00,1\r\n\r\n"a\r\nb",2024-01-02 11:00,\r\n'
    (tmp_path / "a.csv").write_bytes(lines.encode())
    assert [row["account_id"] for row in read(tmp_path, source="a.csv")] == ["#7", "a\r\nb"]


def test_blank_and_repeated_names_of_columns(tmp_path):
    (tmp_path / "a.csv").write_text("acct,when,n,,N,n\na,2024-01-01 10:00,1,2,3,4\n")
    for given, value in (("n", 1.0), ("column3", 2.0), ("N_1", 3.0), ("n_2", 4.0)):
        assert read(tmp_path, source="a.csv", quantity=given)[0]["quantity"] == value


def test_csv_files_with_other_columns_and_hive_folders(tmp_path):
    for row, extra in zip(ROWS, ("", ",more"), strict=True):
        under = tmp_path / "hive" / f"acct={row['acct']}"
        under.mkdir(parents=True)
        (under / "x.csv").write_text(f"when,n{extra}\n{row['when']},{row['n'] or ''}{extra}\n")
    assert read(tmp_path, source="hive") == WANTED


def test_an_object_that_is_no_table(tmp_path):
    with pytest.raises(UsageError, match="not a table"):
        read(tmp_path, {"rows": object()}, source="rows")


@pytest.mark.parametrize(
    ("text", "given", "said"),
    [
        ("acct;at\na;2024-01-01\n", {"delimiter": ","}, r'another delimiter than \',\': .*write `delimiter: ";"`'),
        ("acct\tat\na\t2024-01-01\n", {"delimiter": ";"}, r'write `delimiter: "\\t"`'),
        ("acct   at\na      2024-01-01\n", {}, "the columns are aligned by blanks"),
    ],
)
def test_one_column_that_holds_several_is_said(tmp_path, text, given, said):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(UsageError, match=said):
        read_tables({"usage": [TableSource(source="a.csv", **given)]}, folder=tmp_path)


def test_one_column_with_odd_signs_in_quotes_is_one(tmp_path):
    (tmp_path / "a.csv").write_text('"account; id,  old"\na\n')
    usage = TableSource.model_validate({"source": "a.csv", "account_id": "account; id,  old", "at": "2024-01-01"})
    assert read_tables({"usage": [usage]}, folder=tmp_path)[0].account_ids == ["a"]


def test_a_missing_file_is_not_advised_to_be_one_that_is_read_elsewhere(tmp_path):
    for name in ("usage.csv", "usages.csv"):
        (tmp_path / name).write_text("account_id,at\na,2024-01-01\n")
    usage = TableSource(source="usage.csv")
    for also, fix in ((TableSource(source="usages.csv"), "check the folder"), (usage, "write `usages.csv`")):
        with pytest.raises(UsageError, match=f"file not found: tables.orders: .*usagex.csv. Fix: {fix}"):
            read_tables({"usage": [usage, also], "orders": [TableSource(source="usagex.csv")]}, folder=tmp_path)


def test_a_packed_file_that_was_cut_is_said_to_be_so(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"account_id,at\na,2024-01-01\n" * 1000)[:-30])
    with pytest.raises(UsageError, match=r"the source cannot be read: .*GZIP.*check that the file is whole"):
        read_tables({"usage": [TableSource(source="a.csv.gz")]}, folder=tmp_path)
