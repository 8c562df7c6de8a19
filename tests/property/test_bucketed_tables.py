"""Whatever stands in the sources: buckets on disk hold what reading all of it at once gives, or both refuse it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bucketed_tables import assert_same_tables, said
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from staypower.errors import UsageError
from staypower.sources.disk_writing import write_buckets
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource

IDS = st.sampled_from(["1", "2", "3.0", "03", "ä", "", " ", "4", "5", "6"])
TIMES = st.sampled_from(
    [
        "2024-01-01",
        "2024-01-02",
        "2024-01-02 00:00:00",
        "2024-01-02T05:00:00+02:00",
        "2024-01-05 12:00",
        "",
        "2024-02-01",
        "2025-01-01",
    ]
)
NUMBERS = st.sampled_from(["", "1", "2.5", "-3", "inf", "nan", "007", "1e3"])
WORDS = st.sampled_from(["", "a", "B", "-"])

COLUMNS = {
    "accounts": {"account_id": IDS, "signed_up_at": TIMES, "size": NUMBERS, "kind": WORDS},
    "tickets": {
        "account_id": IDS,
        "opened_at": TIMES,
        "resolved_at": TIMES,
        "ticket_id": IDS,
        "channel": WORDS,
        "known_at": TIMES,
    },
    "subscriptions": {
        "account_id": IDS,
        "started_at": TIMES,
        "ended_at": TIMES,
        "subscription_id": IDS,
        "valid_from": TIMES,
        "mrr": NUMBERS,
    },
    "orders": {"ticket_id": IDS, "at": TIMES, "amount": NUMBERS, "product": WORDS},
}


def rows_of(table: str) -> st.SearchStrategy[list[tuple[str, ...]]]:
    return st.lists(st.tuples(*COLUMNS[table].values()), max_size=12)


# each example reads files both ways: fewer of them
@settings(max_examples=settings.default.max_examples // 3)
@given(
    drawn=st.fixed_dictionaries({name: rows_of(name) for name in COLUMNS}),
    more=rows_of("tickets"),
    buckets=st.integers(1, 5),
    accounts=st.booleans(),
    until=st.sampled_from([None, "2024-01-03"]),
)
# an account without an id says nothing about until when the data were watched
@example(
    drawn={"accounts": [("", "2024-01-01", "", "")], "tickets": [], "subscriptions": [], "orders": []},
    more=[],
    buckets=1,
    accounts=True,
    until=None,
)
def test_buckets_hold_what_reading_all_at_once_gives(drawn, more, buckets, accounts, until):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, rows in {**drawn, "more": more}.items():
            lines = [",".join(COLUMNS.get(name, COLUMNS["tickets"])), *(",".join(row) for row in rows)]
            (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
        files = {name: [f"{name}.csv"] for name in COLUMNS if name != "accounts" or accounts}
        files["tickets"].append("more.csv")
        told = {"accounts": {"static": ["size", "kind"]}, "orders": {"key_via": "tickets"}}
        tables = {
            name: [TableSource.model_validate({"source": file, "blank": ["-"], **told.get(name, {})}) for file in listed]
            for name, listed in files.items()
        }
        options = {"folder": folder, "observed_until": until}
        into = {"into": folder / "into", "buckets": buckets, "memory": 300_000_000, "thorough": True}
        whole = attempt(lambda: read_tables(tables, **options))
        stored = attempt(lambda: write_buckets(tables, **options, **into))
        event("refused" if isinstance(whole, list) else "read")
        if isinstance(whole, list) or isinstance(stored, list):
            assert whole == stored
            return
        assert said(stored[1]) == said(whole[1])
        assert_same_tables(whole[0], stored[0])


def attempt(call):
    """Return what a call returns, or its problems."""
    try:
        return call()
    except UsageError as error:
        return sorted(problem.problem for problem in error.problems)
