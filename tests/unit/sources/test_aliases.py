"""Accounts that were merged count as the one that is left, in memory and on disk."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from staypower.cutoffs import instant_of
from staypower.errors import UsageError
from staypower.sources.aliases import followed
from staypower.sources.disk_writing import write_buckets
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource

ACCOUNTS = {
    "id": ["A", "B", "C", "D", "F"],
    "since": ["2023-01-01", "2022-06-01", "2023-03-01", "2021-02-01", "2023-05-01"],
    "segment": ["big", "small", "big", "small", "lone"],
    "into": [None, "A", None, "B", "E"],
}
USE = {"id": ["A", "B", "D", "C", "F"], "at": ["2024-01-01", "2023-01-01", "2022-05-01", "2024-01-05", "2024-02-01"]}


@pytest.fixture
def sources(tmp_path):
    pd.DataFrame(ACCOUNTS).to_csv(tmp_path / "acc.csv", index=False)
    pd.DataFrame(USE).to_parquet(tmp_path / "use.parquet")
    accounts = {"source": "acc.csv", "account_id": "id", "signed_up_at": "since", "static": ["segment"]}
    accounts["aliases"] = {"source": "acc.csv", "from": "id", "to": "into"}
    given = {"accounts": [accounts], "usage": [{"source": "use.parquet", "account_id": "id", "at": "at"}]}
    return {name: [TableSource.model_validate(one) for one in listed] for name, listed in given.items()}


@pytest.mark.parametrize("buckets", [0, 3])
def test_merged_accounts_are_one(tmp_path, sources, buckets):
    if buckets:
        tables = write_buckets(sources, folder=tmp_path, into=tmp_path / "b", buckets=buckets, memory=10**9)[0].together()
    else:
        tables = read_tables(sources, folder=tmp_path)[0]
    accounts = tables["accounts"].data.to_pandas().set_index("account_id").sort_index()
    # E is not listed itself: the account that was merged into it stands for it
    assert list(accounts.index) == ["A", "C", "E"]
    assert accounts["segment"].to_dict() == {"A": "big", "C": "big", "E": "lone"}
    ids = tables["accounts"].data["account_id"].to_pylist()
    signed = dict(zip(ids, tables["accounts"].midnights("signed_up_at"), strict=True))
    assert signed["A"] == instant_of("2021-02-01")
    assert signed["C"] == instant_of("2023-03-01")
    assert sorted(tables["usage"].data.column("account_id").to_pylist()) == ["A", "A", "A", "C", "E"]


def test_one_cell_names_several_merged_accounts(tmp_path):
    (tmp_path / "acc.csv").write_text("id,merged\nA,B; C ;A\nE,D\nF,\n")
    accounts = {"source": "acc.csv", "account_id": "id", "aliases": {"source": "acc.csv", "from": "merged", "to": "id"}}
    accounts["aliases"]["separator"] = ";"
    (tmp_path / "use.csv").write_text("id,at\n" + "".join(f"{name},2024-01-0{day}\n" for day, name in enumerate("ABCDF", 1)))
    given = {"accounts": [accounts], "usage": [{"source": "use.csv", "account_id": "id", "at": "at"}]}
    read = {name: [TableSource.model_validate(one) for one in listed] for name, listed in given.items()}
    tables = read_tables(read, folder=tmp_path)[0]
    assert sorted(tables["usage"].data["account_id"].to_pylist()) == ["A", "A", "A", "E", "F"]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12))
def test_chains_lead_to_one_that_is_left_or_are_refused(pairs):
    texts = [(str(one), str(other)) for one, other in pairs]
    try:
        found = followed(texts, "here")
    except UsageError:
        merged = dict(texts)
        different = {(one, other) for one, other in texts if one != other}
        doubled = len({one for one, _ in different}) < len(different)
        looped = any(_walk(merged, one) for one in merged)
        assert doubled or looped
        return
    assert all(kept not in found and given != kept for given, kept in found.items())
    assert set(found) == {one for one, other in texts if one != other}


def _walk(merged, one):
    seen = set()
    while one in merged and merged[one] != one:
        if one in seen:
            return True
        seen.add(one)
        one = merged[one]
    return False


@pytest.mark.usefixtures("sources")
def test_a_circle_is_named(tmp_path):
    pd.DataFrame({"old": ["A", "B"], "new": ["B", "A"]}).to_csv(tmp_path / "m.csv", index=False)
    aliases = {"source": "m.csv", "from": "old", "to": "new"}
    given = TableSource.model_validate({"source": "acc.csv", "account_id": "id", "aliases": aliases})
    with pytest.raises(UsageError, match="go round in a circle"):
        read_tables({"accounts": [given]}, folder=tmp_path)
    wrong = TableSource.model_validate({"source": "acc.csv", "account_id": "id", "aliases": {**aliases, "to": "newer"}})
    with pytest.raises(UsageError, match="the source has no such column"):
        read_tables({"accounts": [wrong]}, folder=tmp_path)
