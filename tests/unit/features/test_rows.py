from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from staypower.cutoffs import DAY
from staypower.errors import UsageError
from staypower.features.definition import Feature, Filter
from staypower.features.kernel import MISSING_AMOUNT, SCALE
from staypower.features.rows import StreamRows, account_numbers, whole_amounts
from staypower.schemas import Column, TableSchema
from staypower.tables import Table

TIME = pa.timestamp("us", "UTC")
COLUMNS = (
    Column("at", "time", "at"),
    Column("late", "time", "late"),
    Column("x", "number"),
    Column("y", "number", "late"),
    Column("word", "text", "late"),
)
SCHEMA = TableSchema("events", ("at",), COLUMNS)


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
    return StreamRows(Table(SCHEMA, pa.table(columns)), pa.array(["a", "b"]))


def feature(**changes) -> Feature:
    plain = {"name": "n", "table": "events", "aggregation": "count", "unit": "", "description": "n", "lever": None}
    return Feature(**{**plain, **changes})


def test_accounts_are_numbered_and_strangers_are_not():
    assert rows_of().account.tolist() == [1, 0, -1, 0]


@pytest.mark.parametrize("chunks", [[["b", None], ["a", "x"]], [[], ["b", None, "a", "x"]]])
def test_numbered_texts_give_the_same_accounts(chunks):
    plain, wanted = pa.chunked_array(chunks, pa.string()), pa.array(["a", "b"])
    encoded = pa.chunked_array([chunk.dictionary_encode() for chunk in plain.chunks])
    assert account_numbers(plain, wanted).tolist() == account_numbers(encoded, wanted).tolist() == [1, -1, 0, -1]


@pytest.mark.parametrize(
    ("changes", "gates"),
    [
        ({}, ()),
        ({"aggregation": "sum", "column": "x"}, ()),
        ({"aggregation": "sum", "column": "y"}, ("late",)),
        ({"aggregation": "distinct", "column": "word"}, ("late",)),
        ({"where": (Filter("y", at_least=0.0),)}, ("late",)),
        ({"where": (Filter("word", ("one", "two")),)}, ("late",)),
        ({"after": "late"}, ("late",)),
        ({"aggregation": "days_until_next", "column": "late"}, ("late",)),
        # the count of the unanswered looks at what has not come
        ({"aggregation": "unanswered_in_a_row", "column": "late"}, ()),
        # placed by a later time, the row itself must have come too
        ({"time": "late"}, ("",)),
    ],
)
def test_the_times_that_must_have_come(changes, gates):
    assert rows_of().gates(feature(**changes)) == gates


def test_known_at_is_waited_for_by_every_feature():
    assert rows_of(known_at=pa.array([0, 0, 0, 0], TIME)).gates(feature()) == ("known_at",)


def test_the_times_at_which_rows_stop_counting():
    assert rows_of().ends(feature()) == ()
    assert rows_of().ends(feature(until="late", offset=10)) == (("late", 10),)
    superseded = rows_of(superseded_at=pa.array([None, 35 * DAY, None, 15 * DAY], TIME))
    assert superseded.ends(feature(until="late", offset=10)) == (("late", 10), ("superseded_at", 0))


def test_texts_as_codes_and_as_keys():
    rows = rows_of()
    keys = rows.keys("word")
    assert keys[2] == -1
    assert len(set(keys.tolist())) == 4
    assert not rows.is_numbered("word")
    codes, texts = rows.codes("word")
    assert [texts[code] if code >= 0 else None for code in codes] == ["One", "two", None, "one"]
    assert rows.is_numbered("word")
    assert rows.passing(Filter("word", ("ONE",))).tolist() == [True, False, True, False]


def test_flags_stay_flags_unless_one_is_missing():
    assert rows_of(x=pa.array([True, False, True, True])).numbers("x").dtype == np.bool_
    assert np.isnan(rows_of(x=pa.array([True, None, True, True])).numbers("x")[1])


def test_amounts_are_whole_ten_thousandths():
    assert whole_amounts(np.array([0.1, -2.00004, np.nan])).tolist() == [1000, -20000, MISSING_AMOUNT]
    assert SCALE == 10_000


@pytest.mark.parametrize("values", [[1.0, 1e15, 2.0, None], [5e14, 6e14, 5e14, 0.0], [-1e15, 1.0, None, 0.0]])
def test_sums_that_overflow_are_refused_with_their_row(values):
    worst = int(np.nanargmax(np.abs(np.array(values, dtype=np.float64))))
    with pytest.raises(UsageError) as caught:
        rows_of(x=pa.array(values)).refuse_large("x")
    assert f"events.x, row {worst + 1}: {values[worst]:g}" in str(caught.value)
    assert "larger unit" in str(caught.value)


def test_the_largest_sum_that_fits_is_exact():
    rows = rows_of(x=pa.array([9.2e14, 0.0001, 0.0, 0.0]))
    rows.refuse_large("x")
    assert int(whole_amounts(rows.numbers("x")).sum()) == 9_200_000_000_000_000_001
