"""The compiled routines where arrays are at their edges; what they compute is held by the property tests."""

from __future__ import annotations

import math

import numpy as np
import pytest

from staypower.cutoffs import DAY
from staypower.features import kernel


def i32(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int32)


def i64(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_no_rows():
    assert kernel.additive(i32(), i32(), i32(), i64(), 2, 3).tolist() == [[0, 0, 0]] * 2
    for distinct in (kernel.distinct, kernel.distinct_by_pass):
        assert distinct(i64(0, 0, 0), i32(), i32(), i32(), 1, 3).tolist() == [[0, 0, 0]] * 2
    empty = i64(0, 0), i64(), i32(), i32(), i32(), np.zeros(0), i64(5, 6)
    assert kernel.ordered(kernel.OPERATIONS["maximum"], *empty, -1.0, 0).tolist() == [[-1.0, -1.0]]


def test_no_accounts_and_no_cutoffs():
    assert kernel.additive(i32(), i32(), i32(), i64(), 0, 2).shape == (0, 2)
    assert kernel.additive(i32(0), i32(0), i32(0), i64(1), 1, 0).shape == (1, 0)


def test_a_row_that_nobody_sees_adds_nothing():
    assert kernel.additive(i32(0, 0), i32(2, 1), i32(1, 1), i64(7, 9), 1, 3).tolist() == [[0, 0, 0]]
    assert kernel.distinct(i64(0, 1), i32(0), i32(2), i32(1), 1, 3).tolist() == [[0, 0, 0]]


def test_distinct_counts_a_code_once_while_any_row_with_it_is_seen():
    args = i64(0, 3), i32(0, 0, 1), i32(0, 1, 1), i32(2, 4, 3), 2, 4
    assert kernel.distinct(*args).tolist() == [[1, 2, 2, 1]]
    assert kernel.distinct_by_pass(*args).tolist() == [[1, 2, 2, 1]]


def test_a_missing_code_is_not_counted_and_accounts_are_apart():
    args = i64(0, 2, 3), i32(-1, 0, 0), i32(0, 0, 0), i32(1, 1, 1), 1, 1
    assert kernel.distinct(*args).tolist() == [[1], [1]]
    assert kernel.distinct_by_pass(*args).tolist() == [[1], [1]]


def ordered(name: str, at: list[int], value: list[float], cutoff: int, window: int = 0, empty: float = math.nan) -> float:
    seen, gone = i32(*[0] * len(at)), i32(*[1] * len(at))
    operation = kernel.OPERATIONS[name]
    args = i64(0, len(at)), i64(*at), seen, seen, gone, np.array(value), i64(cutoff)
    return float(kernel.ordered(operation, *args, empty, window)[0, 0])


def test_values_that_are_all_missing():
    for name in ("minimum", "maximum", "last", "spread", "trend", "days_until_next", "days_until_last"):
        assert math.isnan(ordered(name, [0, DAY], [math.nan, math.nan], 5 * DAY))


def test_of_several_last_values_at_one_instant_the_smallest():
    assert ordered("last", [0, DAY, DAY], [9.0, 5.0, 3.0], 5 * DAY) == 3.0
    assert ordered("last", [0, DAY, DAY], [9.0, math.nan, math.nan], 5 * DAY) == 9.0


def test_a_trend_of_one_instant_is_missing():
    assert math.isnan(ordered("trend", [DAY] * 3, [1.0, 2.0, 3.0], 5 * DAY))
    assert ordered("trend", [0, DAY, 2 * DAY], [1.0, 2.0, 3.0], 5 * DAY) == pytest.approx(30.0)


def test_a_spread_of_equal_values_is_zero():
    assert ordered("spread", [0, DAY], [2.0, 2.0], 5 * DAY) == 0.0


def test_two_rows_of_one_day_make_no_gap():
    assert math.isnan(ordered("gap_mean", [0, DAY - 1], [], 5 * DAY))
    assert ordered("gap_mean", [DAY - 1, DAY], [], 5 * DAY) == 1.0


def test_a_slope_over_one_day_is_level():
    assert ordered("rate_slope", [DAY], [], 2 * DAY, window=1) == 0.0
    # two days, one row on the first: the daily number falls by one a day
    assert ordered("rate_slope", [0], [], 2 * DAY, window=2) == -30.0


def test_the_mean_age():
    assert ordered("mean_age", [0, 2 * DAY], [], 4 * DAY) == 3.0
