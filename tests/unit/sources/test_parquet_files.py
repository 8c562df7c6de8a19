"""Columns that are read straight from Parquet are what the database would have given."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from staypower.errors import UsageError
from staypower.sources import extracting
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource
from staypower.tables import fingerprint

ACCOUNTS = {"account_id": ["a", "b", "c"], "signed_up_at": [dt.date(2024, 1, 1)] * 3}
DAYS = [dt.datetime(2025, 1, day, 10, tzinfo=dt.UTC) for day in range(1, 7)]
USAGE = {
    "account_id": ["b", "a", " ", "b", "a", "c"],
    "at": pa.array(DAYS, pa.timestamp("us", "UTC")),
    "event": ["open", "", "open", None, " \t", "\xa0close"],
    "user_id": ["007", "7", "\xa0", "", "12345678901234567890", None],
    "quantity": [1.5, None, float("nan"), 3.0, float("inf"), -1.0],
}


def read(folder: Path, usage: dict | list[dict], **mapping):
    """Write accounts and usage as Parquet and read them; several parts make several files."""
    pq.write_table(pa.table(ACCOUNTS), folder / "accounts.parquet")
    for number, part in enumerate(usage if isinstance(usage, list) else [usage]):
        pq.write_table(pa.table(part), folder / f"usage-{number}.parquet", row_group_size=2)
    sources = {
        "accounts": [TableSource.model_validate({"source": "accounts.parquet"})],
        "usage": [TableSource.model_validate({"source": "usage-*.parquet", **mapping})],
    }
    return read_tables(sources, folder=folder)


def straight(monkeypatch) -> list[bool]:
    """Record for every source whether it was read straight."""
    told, honest = [], extracting.read_parquet

    def watched(*arguments):
        found = honest(*arguments)
        told.append(found is not None)
        return found

    monkeypatch.setattr(extracting, "read_parquet", watched)
    return told


def both_ways(monkeypatch, folder: Path, usage, **mapping):
    """Read with and without the direct way, and see that nothing differs."""
    direct = straight(monkeypatch)
    tables, findings = read(folder, usage, **mapping)
    monkeypatch.setattr(extracting, "read_parquet", lambda *arguments: None)
    other, told = read(folder, usage, **mapping)
    assert fingerprint(tables) == fingerprint(other)
    assert findings == told
    return tables["usage"], direct


def test_the_same_rows_and_findings(monkeypatch, tmp_path):
    usage, direct = both_ways(monkeypatch, tmp_path, USAGE)
    assert direct == [True, True]
    assert pa.types.is_dictionary(usage.data.schema.field("account_id").type)
    assert usage.texts("event").tolist() == ["open", None, None, None, "\xa0close"]
    assert usage.texts("user_id").tolist() == ["007", "7", None, "12345678901234567890", None]
    assert usage.texts("account_id").tolist() == ["b", "a", "b", "a", "c"]


def test_several_files_as_one(monkeypatch, tmp_path):
    parts = [{name: values[first : first + 3] for name, values in USAGE.items()} for first in (0, 3)]
    usage, direct = both_ways(monkeypatch, tmp_path, parts)
    assert direct == [True, True]
    assert len(usage) == 5


@pytest.mark.parametrize(
    ("kind", "day"),
    [
        (pa.timestamp("s"), False),
        (pa.timestamp("ms", "UTC"), False),
        (pa.timestamp("us", "Europe/Berlin"), False),
        (pa.timestamp("ns", "UTC"), False),
        (pa.date32(), True),
    ],
)
def test_times_of_every_kind(monkeypatch, tmp_path, kind, day):
    given = {**USAGE, "at": pa.array(DAYS, pa.timestamp("us", "UTC")).cast(kind, safe=False)}
    usage, direct = both_ways(monkeypatch, tmp_path, given)
    assert direct == [True, True]
    assert ("at" in usage.date_only) is day


def test_what_is_finer_than_a_microsecond_is_left_to_the_database(monkeypatch, tmp_path):
    given = {**USAGE, "at": pa.array(np.arange(6) * 1001, pa.timestamp("ns", "UTC"))}
    assert both_ways(monkeypatch, tmp_path, given)[1] == [True, False]


@pytest.mark.parametrize("kind", [pa.int8(), pa.int64(), pa.uint16(), pa.float32()])
def test_numbers_of_every_kind(monkeypatch, tmp_path, kind):
    given = {**USAGE, "quantity": pa.array([1, 2, None, 3, 4, 5], kind)}
    usage, direct = both_ways(monkeypatch, tmp_path, given)
    assert direct == [True, True]
    assert usage.numbers("quantity").tolist() == [1, 2, 3, 4, 5]


def test_a_long_whole_number_is_the_nearest_double(monkeypatch, tmp_path):
    given = {**USAGE, "quantity": pa.array([2**53 + 1, 2**62 + 1, 0, 1, 2, 3], pa.int64())}
    usage, direct = both_ways(monkeypatch, tmp_path, given)
    assert direct == [True, True]
    assert usage.numbers("quantity")[1] == float(2**62)


def test_categories_are_texts(monkeypatch, tmp_path):
    given = {
        **USAGE,
        "event": pa.array(USAGE["event"]).dictionary_encode(),
        "user_id": pa.array(USAGE["user_id"]).dictionary_encode(),
    }
    assert both_ways(monkeypatch, tmp_path, given)[1] == [True, True]


@pytest.mark.parametrize(
    ("change", "mapping"),
    [
        ({}, {"where": "quantity > 0"}),
        ({}, {"blank": ["open"]}),
        ({}, {"event": "lower(event)"}),
        ({}, {"constant": {"product": "x"}}),
        ({"user_id": pa.array([1, 2, 3, 4, 5, 6])}, {}),
        ({"quantity": pa.array(["1", "2", "3", "4", "5", "6"])}, {}),
        ({"at": pa.array([str(day) for day in DAYS])}, {}),
    ],
)
def test_what_needs_the_database_gets_it(monkeypatch, tmp_path, change, mapping):
    assert both_ways(monkeypatch, tmp_path, {**USAGE, **change}, **mapping)[1] == [True, False]


def test_files_that_differ_are_left_to_the_database(monkeypatch, tmp_path):
    first = {name: values[:3] for name, values in USAGE.items()}
    second = {name: values[3:] for name, values in USAGE.items() if name != "quantity"}
    assert both_ways(monkeypatch, tmp_path, [first, second])[1] == [True, False]


def test_folders_that_name_a_column_are_left_to_the_database(monkeypatch, tmp_path):
    (tmp_path / "part=1").mkdir()
    pq.write_table(pa.table(USAGE), tmp_path / "part=1" / "usage.parquet")
    direct = straight(monkeypatch)
    source = TableSource.model_validate({"source": "part=1/usage.parquet"})
    read_tables({"usage": [source]}, folder=tmp_path)
    assert direct == [False]


def test_a_file_without_rows(tmp_path):
    empty = {name: pa.array(values)[:0] for name, values in USAGE.items()}
    pq.write_table(pa.table({**empty, "quantity": pa.array([], pa.float64())}), tmp_path / "usage.parquet")
    pq.write_table(pa.table(ACCOUNTS), tmp_path / "accounts.parquet")
    sources = {name: [TableSource.model_validate({"source": f"{name}.parquet"})] for name in ("accounts", "usage")}
    tables, findings = read_tables(sources, folder=tmp_path)
    assert len(tables["usage"]) == 0
    assert any(finding.problem == "no rows are left" for finding in findings)


def test_a_broken_file_is_a_problem_of_the_user(tmp_path):
    whole = tmp_path / "usage.parquet"
    pq.write_table(pa.table(USAGE), whole)
    whole.write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(UsageError, match="cannot be read"):
        read_tables({"usage": [TableSource.model_validate({"source": "usage.parquet"})]}, folder=tmp_path)


def test_only_the_largest_tables_have_numbered_texts(tmp_path):
    pq.write_table(pa.table(ACCOUNTS), tmp_path / "accounts.parquet")
    rows = {"account_id": ["a", "b"], "at": pa.array(DAYS[:2], pa.timestamp("us", "UTC"))}
    named = {"usage": rows, "payments": {**rows, "status": ["paid", "failed"]}, "logins": {**rows, "device": ["x", "x"]}}
    sources = {"accounts": [TableSource.model_validate({"source": "accounts.parquet"})]}
    for name, columns in named.items():
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
        declared = {"time": "at", "columns": {"device": "text"}} if name == "logins" else {}
        sources[name] = [TableSource.model_validate({"source": f"{name}.parquet", **declared})]
    tables, _ = read_tables(sources, folder=tmp_path)
    numbered = {name: pa.types.is_dictionary(table.data.schema.field("account_id").type) for name, table in tables.items()}
    assert numbered == {"accounts": False, "usage": True, "payments": False, "logins": True}


@pytest.mark.parametrize("column", ["account_id", "user_id"])
def test_ids_that_a_spreadsheet_cut_are_found_among_texts_and_numbered_texts(tmp_path, column):
    cut = {**USAGE, column: ["b", "a", "1.00E+14", "a+b", None, "1.00E+14"]}
    with pytest.raises(UsageError, match=f"{column}: 2 of 6 values, such as '1.00E\\+14'"):
        read(tmp_path, cut)
