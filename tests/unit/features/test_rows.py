from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from staypower.cutoffs import DAY, MISSING
from staypower.errors import UsageError
from staypower.features import Feature, Filter
from staypower.features.rows import SCALE, StreamRows
from staypower.tables import Column, Table, TableSchema

TIME = pa.timestamp("us", "UTC")
COLUMNS = (
    Column("at", "time", "at"),
    Column("late", "time", "late"),
    Column("x", "number"),
    Column("y", "number", "late"),
    Column("word", "text", "late"),
)
SCHEMA = TableSchema("events", ("at",), COLUMNS)
CUTOFFS = np.array([10, 20, 30, 40], dtype=np.int64) * DAY


def rows_of(**changes) -> StreamRows:
    columns = {
        "account_id": pa.array(["b", "a", "stranger", "a"]),
        "at": pa.array([5 * DAY, 15 * DAY, 1 * DAY, 5 * DAY], TIME),
        "late": pa.array([25 * DAY, 25 * DAY, None, None], TIME),
        "x": pa.array([1.0, 2.0, 3.0, None]),
        "y": pa.array([1.0, 2.0, 3.0, 4.0]),
        "word": pa.array(["One", "two", None, "one"]),
        **changes,
    }
    return StreamRows(Table(SCHEMA, pa.table(columns)), pa.array(["a", "b"]), CUTOFFS)


def feature(**changes) -> Feature:
    plain = {"name": "n", "table": "events", "aggregation": "count", "unit": "", "description": "n", "lever": None}
    return Feature(**{**plain, **changes})


def test_rows_are_sorted_by_account_and_instant_and_strangers_left_out():
    made = rows_of().rows_for(feature())
    assert made.index.tolist() == [3, 1, 0]
    assert made.account.tolist() == [0, 0, 1]
    assert made.start.tolist() == [0, 2, 3]
    assert made.enter.tolist() == [0, 1, 0]
    assert made.in_order


@pytest.mark.parametrize(
    "changes",
    [
        {"aggregation": "sum", "column": "y"},
        {"aggregation": "distinct", "column": "word"},
        {"where": (Filter("y", at_least=0.0),)},
        {"where": (Filter("word", ("one", "two")),)},
        {"after": "late"},
        {"aggregation": "days_until_next", "column": "late"},
    ],
)
def test_every_late_column_delays_its_row(changes):
    """Known at day 25, seen by the cutoff at day 30, whatever reads the column; unknown, never seen."""
    made = rows_of().rows_for(feature(**changes))
    assert made.place.tolist() == [0, 1, 0]
    assert made.enter.tolist() == [4, 2, 2]
    assert not made.in_order


def test_placed_by_a_later_time_the_row_itself_must_have_come_too():
    made = rows_of(late=pa.array([3 * DAY, 25 * DAY, None, None], TIME)).rows_for(feature(time="late"))
    assert made.at.tolist() == [25 * DAY, 3 * DAY]
    # account b: placed on day 3, but its row came on day 5; both are before the first cutoff
    assert made.enter.tolist() == [2, 0]


def test_known_at_delays_every_row():
    known = pa.array([35 * DAY, 15 * DAY, 1 * DAY, None], TIME)
    made = rows_of(known_at=known).rows_for(feature())
    assert made.enter.tolist() == [4, 1, 3]


def test_the_last_ones_answer_is_no_gate():
    made = rows_of().rows_for(feature(aggregation="unanswered_in_a_row", column="late"))
    assert made.enter.tolist() == [0, 1, 0]


def test_windows_and_offsets():
    rows = rows_of()
    made = rows.rows_for(feature(name="n_10d", window=10))
    assert made.leave(CUTOFFS, 10, 0).tolist() == [1, 2, 1]
    moved = rows.rows_for(feature(name="n_10d", window=10, offset=10))
    assert moved.enter.tolist() == [1, 2, 1]
    assert moved.leave(CUTOFFS, 10, 10).tolist() == [2, 3, 2]
    assert made.leave(CUTOFFS, None, 0).tolist() == [4, 4, 4]


def test_until_ends_a_row_and_looks_back_with_the_knowledge_of_then():
    rows = rows_of()
    open_now = rows.rows_for(feature(until="late"))
    assert open_now.leave(CUTOFFS, None, 0).tolist() == [4, 2, 2]
    ago = rows_of(known_at=pa.array([12 * DAY, 15 * DAY, 1 * DAY, 5 * DAY], TIME)).rows_for(feature(until="late", offset=10))
    # account b: known on day 12, so 10 days ago it is seen by the cutoff on day 30 (day 20), not on day 20 (day 10)
    assert ago.enter.tolist() == [1, 2, 2]
    assert ago.leave(CUTOFFS, None, 10).tolist() == [4, 3, 3]


def test_a_superseded_row_leaves():
    replaced = pa.array([None, 35 * DAY, None, 15 * DAY], TIME)
    made = rows_of(superseded_at=replaced).rows_for(feature())
    assert made.leave(CUTOFFS, None, 0).tolist() == [1, 3, 4]


def test_filters_know_no_case_and_no_missing_value():
    rows = rows_of()
    assert rows.rows_for(feature(where=(Filter("word", ("ONE",)),))).index.tolist() == [3, 0]
    assert rows.rows_for(feature(where=(Filter("x", at_least=2.0),))).index.tolist() == [1]
    assert rows.rows_for(feature(where=(Filter("x", below=2.0),))).index.tolist() == [0]


def test_rows_without_an_instant_are_left_out():
    made = rows_of(at=pa.array([None, 15 * DAY, None, None], TIME)).rows_for(feature())
    assert made.index.tolist() == [1]
    assert MISSING not in made.at


def test_amounts_are_whole_ten_thousandths():
    amounts, there = rows_of(x=pa.array([0.1, -2.00004, None, float("nan")])).whole_amounts("x")
    assert amounts.tolist() == [1000, -20000, 0, 0]
    assert there.tolist() == [True, True, False, False]
    assert SCALE == 10_000


@pytest.mark.parametrize("values", [[1.0, 1e15, 2.0, 3.0], [5e14, 6e14, 5e14, 0.0], [-1e15, 1.0, 0.0, 0.0]])
def test_sums_that_overflow_are_refused_with_their_row(values):
    worst = int(np.argmax(np.abs(values)))
    with pytest.raises(UsageError) as caught:
        rows_of(x=pa.array(values)).whole_amounts("x")
    assert f"events.x, row {worst + 1}: {values[worst]:g}" in str(caught.value)
    assert "larger unit" in str(caught.value)


def test_the_largest_sum_that_fits_is_exact():
    amounts, _ = rows_of(x=pa.array([9.2e14, 0.0001, 0.0, 0.0])).whole_amounts("x")
    assert int(amounts.sum()) == 9_200_000_000_000_000_001


def test_days_are_calendar_days():
    codes, count = rows_of().days(np.array([5 * DAY - 1, 5 * DAY, 6 * DAY - 1], dtype=np.int64))
    assert codes.tolist() == [0, 1, 1]
    assert count == 2
    assert rows_of().days(np.zeros(0, dtype=np.int64))[1] == 1
