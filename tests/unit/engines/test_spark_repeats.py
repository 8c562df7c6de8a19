"""Which rows repeat an id, found slice by slice, is what a plain look at all rows finds: without Spark itself."""

from __future__ import annotations

from itertools import chain

import pytest

pytest.importorskip("pyspark", reason="pyspark is not installed: pip install 'staypower[spark]'")

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from staypower.engines.spark.asking import RowsOfSources
from staypower.engines.spark.files import ORDER
from staypower.engines.spark.packing import buckets_in, sliced
from staypower.engines.spark.repeats import ids_in, repeats_in, without_repeats
from staypower.sources.disk_tables import StoredSource, StoredTable

KINDS = {"account_id": "id", "subscription_id": "id", "started_at": "time", "known_at": "time", "valid_from": "time"}
LISTED = {
    "accounts": StoredTable("accounts", "at", (StoredSource("0-0", {"account_id": "id"}, (), ()),)),
    "subscriptions": StoredTable(
        "subscriptions",
        "started_at",
        (
            StoredSource("1-0", KINDS, ("started_at",), ()),
            StoredSource("1-1", {"account_id": "id", "started_at": "time"}, (), ()),
        ),
    ),
}
SOURCES = RowsOfSources(LISTED, ("0-0", "1-0", "1-1"))
TIME = pa.timestamp("us", "UTC")

rows = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "stranger"]),
        st.sampled_from(["s1", "s1", "s2", None]),
        st.integers(0, 3),
        st.integers(0, 2),
        st.sampled_from([None, 0]),
    ),
    max_size=16,
)


def table_of(given_rows: list[tuple], first: int) -> pa.Table:
    account, key, started, known, version = zip(*given_rows, strict=True) if given_rows else [()] * 5
    order = [f"{first:05d}\x01{row:012d}" for row in range(len(given_rows))]
    texts = [pa.array(each, pa.string()) for each in (account, key, order)]
    times = [pa.array([None if one is None else one * 1_000 for one in each], TIME) for each in (started, known, version)]
    return pa.table([*texts[:2], *times, texts[2]], names=[*KINDS, ORDER])


def kept_plainly(table: pa.Table) -> set[str]:
    """Of each id and version the row that was known first, the first of those; rows without an id, and those of strangers."""
    found = [row for row in table.to_pylist() if row["subscription_id"] is None or row["account_id"] == "stranger"]
    first: dict[tuple, dict] = {}
    for row in (row for row in table.to_pylist() if row not in found):
        # a date without a clock counts from the end of its day
        row["since"] = max(row["started_at"].timestamp() + 86_400 - 1e-6, row["known_at"].timestamp())
        before = first.setdefault((row["subscription_id"], row["valid_from"]), row)
        if (row["since"], row[ORDER]) < (before["since"], before[ORDER]):
            first[row["subscription_id"], row["valid_from"]] = row
    return {row[ORDER] for row in chain(found, first.values())}


@given(rows, st.sampled_from([1, 3]), st.sampled_from([1, 2]))
def test_of_each_id_the_first_row_is_kept_whatever_bucket_it_is_in(given_rows, buckets, slots):
    table = table_of(given_rows, 0)
    accounts = pa.table({"account_id": ["a", "b", "c"], ORDER: ["1", "2", "3"]})
    unnamed = table.select(["account_id", "started_at"])
    slices = [
        one for number, each in enumerate((accounts, table, unnamed)) for one in sliced(each.to_batches(), number, buckets)
    ]
    ids = [one for bucket, parts in buckets_in(slices) for one in ids_in(SOURCES, bucket, parts, slots)]
    repeats = [one for _, parts in buckets_in(ids) for one in repeats_in(parts)]
    kept = [without_repeats(parts) for _, parts in buckets_in([*slices, *repeats])]
    assert {order for parts in kept if 1 in parts for order in parts[1].column(ORDER).to_pylist()} == kept_plainly(table)
    assert sum(parts[2].num_rows for parts in kept if 2 in parts) == len(given_rows)
    assert sum(parts[0].num_rows for parts in kept if 0 in parts) == 3
