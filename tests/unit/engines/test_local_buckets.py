from __future__ import annotations

import threading

import pyarrow as pa
import pytest

from staypower.engines import local
from staypower.engines.local import map_buckets
from staypower.schemas import TableSchema
from staypower.tables import Table, Tables


def table(name: str, accounts: list[str]) -> Table:
    data = pa.table({"account_id": pa.array(accounts, pa.string()), "n": pa.array(range(len(accounts)), pa.int64())})
    return Table(TableSchema(name, (), ()), data)


ACCOUNTS = [f"{n % 23:02d}" for n in range(200)]
TABLES = Tables({"accounts": table("accounts", sorted(set(ACCOUNTS))), "usage": table("usage", ACCOUNTS)}, 0)


def tally(bucket: Tables) -> pa.Table:
    used = bucket["usage"].data.column("account_id").to_pylist()
    names = bucket["accounts"].data.column("account_id").to_pylist()
    return pa.table({"account_id": pa.array(names, pa.string()), "rows": pa.array([used.count(a) for a in names], pa.int64())})


@pytest.mark.parametrize(("buckets", "threads"), [(1, 1), (2, 2), (5, 1), (100, 2)])
def test_the_result_does_not_depend_on_buckets_and_threads(buckets, threads):
    made = map_buckets(TABLES, tally, buckets=buckets, threads=threads)
    assert made.equals(map_buckets(TABLES, tally, buckets=1))
    assert made.column("account_id").to_pylist() == sorted(set(ACCOUNTS))
    assert sum(made.column("rows").to_pylist()) == 200


def test_all_rows_of_an_account_come_in_one_call_and_in_their_order():
    seen: dict[str, list[list[int]]] = {}
    lock = threading.Lock()

    def watch(bucket: Tables) -> pa.Table:
        rows = bucket["usage"].data.to_pylist()
        with lock:
            for account in {row["account_id"] for row in rows}:
                seen.setdefault(account, []).append([row["n"] for row in rows if row["account_id"] == account])
        return tally(bucket)

    map_buckets(TABLES, watch, buckets=7, threads=2)
    assert set(seen) == set(ACCOUNTS)
    for account, calls in seen.items():
        assert calls == [[n for n in range(200) if ACCOUNTS[n] == account]]


def test_empty_tables_and_empty_buckets():
    empty = Tables({"accounts": table("accounts", ["x"]), "usage": table("usage", [])}, 0)
    assert map_buckets(empty, tally, buckets=9).to_pylist() == [{"account_id": "x", "rows": 0}]
    nothing = Tables({"accounts": table("accounts", []), "usage": table("usage", [])}, 0)
    assert map_buckets(nothing, tally, buckets=3).num_rows == 0


def test_rows_are_sorted_by_account_and_cutoff():
    def two(bucket: Tables) -> pa.Table:
        names = bucket["accounts"].data.column("account_id").to_pylist()
        return pa.table({"account_id": names + names, "cutoff": pa.array([2] * len(names) + [1] * len(names))})

    made = map_buckets(Tables({"accounts": table("accounts", ["b", "a"])}, 0), two)
    assert [(row["account_id"], row["cutoff"]) for row in made.to_pylist()] == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]


def test_large_tables_are_cut_by_their_rows(monkeypatch):
    monkeypatch.setattr(local, "ROWS_PER_BUCKET", 50)
    calls = []
    map_buckets(TABLES, lambda bucket: (calls.append(len(bucket["usage"])), tally(bucket))[1], threads=1)
    assert len(calls) == 5  # 223 rows
    assert sum(calls) == 200


def test_an_error_in_a_bucket_is_raised():
    def fail(bucket: Tables) -> pa.Table:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        map_buckets(TABLES, fail, buckets=4)
