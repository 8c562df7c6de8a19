from __future__ import annotations

import threading
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from staypower.engines import local as parts_module
from staypower.engines.local import keep_part, map_to_parts, sorted_parts
from staypower.schemas import TableSchema
from staypower.tables import Table, Tables

IDS = [f"{n:03d}" for n in range(200)] + ["z'ü", "A", ""]
TABLES = Tables({"accounts": Table(TableSchema("accounts", (), ()), pa.table({"account_id": pa.array(IDS, pa.string())}))}, 0)


def ids_of(bucket: Tables) -> pa.Table:
    return bucket["accounts"].data.sort_by("account_id")


def read(parts, folder, **options) -> pa.Table:
    with sorted_parts(parts, temporary=folder / "t", memory=200_000_000, **options) as (schema, batches):
        return pa.concat_tables([schema.empty_table(), *batches])


@pytest.mark.parametrize(("buckets", "threads"), [(1, 1), (7, 2)])
def test_parts_come_together_in_order(tmp_path, buckets, threads):
    parts = map_to_parts(TABLES, ids_of, tmp_path / "parts", buckets=buckets, threads=threads)
    assert len(parts) == buckets
    assert read(parts, tmp_path, threads=threads).column("account_id").to_pylist() == sorted(IDS)


def test_ranges_of_accounts_leave_no_row_out_and_none_twice(tmp_path, monkeypatch):
    parts = map_to_parts(TABLES, ids_of, tmp_path / "parts", buckets=5)
    size = sum(part.stat().st_size for part in parts)
    for ranges in (2, 13, 1000):
        monkeypatch.setattr(parts_module, "_SHARE", ranges * 200_000_000 // size)
        assert read(parts, tmp_path).column("account_id").to_pylist() == sorted(IDS)


def test_rows_are_sorted_by_account_and_cutoff_and_columns_chosen(tmp_path):
    one = keep_part(pa.table({"account_id": ["b", "b"], "cutoff": [1, 2], "x": [1.0, 2.0]}), tmp_path / "one")
    two = keep_part(pa.table({"account_id": ["a", "c"], "cutoff": [9, 0], "x": [3.0, 4.0]}), tmp_path / "two")
    made = read([one, two], tmp_path, columns=["x", "cutoff", "account_id"])
    assert made.to_pydict() == {"x": [3.0, 1.0, 2.0, 4.0], "cutoff": [9, 1, 2, 0], "account_id": ["a", "b", "b", "c"]}


def test_columns_told_of_all_accounts_are_put_beside(tmp_path):
    parts = map_to_parts(TABLES, ids_of, tmp_path / "parts", buckets=3)
    beside = pa.table({"action": ["call", "mail"], "account_id": ["007", "nobody"], "holdout": [True, False]})
    rows = {row["account_id"]: row for row in read(parts, tmp_path, joined=beside).to_pylist()}
    assert list(rows) == sorted(IDS)
    assert rows["007"] == {"account_id": "007", "action": "call", "holdout": True}
    assert rows["008"] == {"account_id": "008", "action": None, "holdout": None}


def test_a_folder_with_the_signs_of_a_pattern(tmp_path):
    part = keep_part(pa.table({"account_id": ["a"]}), tmp_path / "x=[1]*" / "one")
    assert read([part], tmp_path).column_names == ["account_id"]


def test_finished_parts_are_not_made_again_and_an_unfinished_one_is(tmp_path):
    made = map_to_parts(TABLES, ids_of, tmp_path, buckets=4)
    made[1].unlink()
    made[1].with_suffix(".unfinished").write_text("half")
    calls = []
    map_to_parts(TABLES, lambda bucket: (calls.append(1), ids_of(bucket))[1], tmp_path, buckets=4)
    assert len(calls) == 1
    assert sum(pq.read_metadata(part).num_rows for part in made) == len(IDS)


def test_the_first_error_stops_what_has_not_begun(tmp_path):
    begun, lock = [], threading.Lock()

    def fail(bucket: Tables) -> pa.Table:
        with lock:
            begun.append(1)
        if len(begun) > 1:
            time.sleep(0.05)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        map_to_parts(TABLES, fail, tmp_path, buckets=50, threads=2)
    assert len(begun) < 10
