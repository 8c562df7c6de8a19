"""The compiled routines where arrays are at their edges; what they compute is held by the property tests."""

from __future__ import annotations

import math

import numpy as np
import pytest

from staypower.cutoffs import DAY
from staypower.features import kernel, key_counts, row_lists
from staypower.features.kernel import EXTREMES, GAPS, MISSING_AMOUNT, TIMES

NAN = math.nan


def i32(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int32)


def i64(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


def one_window(n: int) -> tuple[np.ndarray, np.ndarray]:
    """End and begin of a single window over all of n rows."""
    return i32(n), i32(0)


def test_no_pairs_and_no_rows():
    nothing, none = np.zeros(0), i32()
    kernel.count_rows(none, none, nothing)
    no_window, no_bit = np.zeros((1, 0), dtype=np.int32), np.zeros(2, dtype=np.uint64)
    key_counts.count_different(none, no_window, none, none, none, no_bit, i64(0), np.zeros((1, 0)))
    row_lists.find_ends(i64(0), np.zeros((0, 0), dtype=np.int32), i64(), none, none, none)
    row_lists.number_days(0, i64(), none, none, i64(), i64(), i64())
    kernel.list_values(0, nothing, i64(), none, none, nothing)
    target = np.full(1, 7.0)
    kernel.count_days(i32(0), i32(0), none, target)
    assert target.tolist() == [0.0]


@pytest.mark.parametrize("name", [*TIMES, *GAPS])
def test_a_window_without_rows_has_the_empty_value(name):
    target, zero = np.zeros(1), i64(0)
    if name in TIMES:
        kernel.of_times(TIMES[name], i32(0), i32(0), zero, 3, i64(), -1.0, target)
    else:
        kernel.of_gaps(GAPS[name], i32(0), i32(0), zero, i64(), i32(), i64(), i64(), i64(), -1.0, target)
    assert target.tolist() == [-1.0]


def test_rows_are_brought_together_by_part_and_account():
    number, part_of = i32(2, 0, 1, -1, 2, 2), np.array([0, -1, 1, -1], dtype=np.int16)
    rows, part, account = np.zeros(5, dtype=np.int32), np.zeros(5, dtype=np.int16), i32(1, 0, 1)
    row_lists.list_rows_of(number, part_of, rows, part)
    assert (rows[:4].tolist(), part[:4].tolist()) == ([0, 1, 4, 5], [1, 0, 1, 1])
    together = np.zeros(4)
    row_lists.spread(rows[:4], part[:4], i64(0, 1), np.array([5.0, 6.0, 7.0, 7.5, 8.0, 9.0]), together)
    assert together.tolist() == [6.0, 5.0, 8.0, 9.0]
    index = i64(0, 0, 0)
    row_lists.place_by_account(account, i64(0, 1), index)
    assert index.tolist() == [1, 0, 2]


@pytest.mark.parametrize("n", [2, 5, 40, 1000])
def test_every_account_is_sorted_by_itself(n):
    rng = np.random.default_rng(n)
    at, start = rng.integers(0, n, 2 * n), i64(0, n, 2 * n)
    index, given = np.arange(2 * n), at.copy()
    row_lists.sort_accounts(start, at, index)
    for first, end in ((0, n), (n, 2 * n)):
        assert at[first:end].tolist() == sorted(given[first:end].tolist())
    assert (given[index] == at).all()


def different(numbers: np.ndarray, *windows: tuple[int, ...]) -> list[list[float]]:
    """Count different keys in windows `(end, first, ...)` of one list, that of the longest first."""
    high, *low = (np.array(side, dtype=np.int32) for side in zip(*windows, strict=True))
    latest, target = np.full(numbers.max(initial=0) + 1, -1, dtype=np.int32), np.zeros((len(low), len(windows)))
    last, row = np.zeros(len(numbers) // 64 + 2, dtype=np.uint64), np.arange(len(numbers), dtype=np.int32)
    key_counts.count_different(high, np.stack(low), numbers, row, latest, last, np.arange(len(low))[::-1], target)
    return target[::-1].tolist()


def test_different_keys_of_overlapping_windows():
    assert different(i32(0, 0, 1), (1, 0), (2, 0), (3, 0), (3, 1), (3, 2), (3, 3)) == [[1, 1, 2, 2, 1, 0]]
    assert different(i32(2, 1, 2, 0, 1), (4, 0, 2), (5, 1, 4)) == [[3, 3], [2, 1]]


def test_a_missing_key_is_not_counted():
    assert different(i32(-1, 0, -1), (1, 0), (2, 0), (3, 2)) == [[0, 1, 0]]


@pytest.mark.parametrize(("step", "length"), [(1, 15), (3, 70), (20, 15), (50, 300), (7, 64)])
def test_different_keys_of_windows_that_move_on(step, length):
    numbers = np.random.default_rng(step).integers(-1, 9, 1000).astype(np.int32)
    ends = range(length, 1000, step)
    counted = different(numbers, *((end, end - length, end - length // 3, end) for end in ends))
    wanted = [[len(set(numbers[end - rows : end].tolist()) - {-1}) for end in ends] for rows in (length, length // 3, 0)]
    assert counted == wanted


def test_keys_of_one_account_are_not_those_of_the_next():
    # two accounts of three rows each, whose keys have the same numbers
    assert different(i32(0, 1, 0, 0, 1, 1), (1, 0), (3, 0), (4, 3), (6, 3)) == [[1, 2, 1, 2]]
    # the second one begins within what the first one's window did not hold
    assert different(i32(0, 1, 0, 0, 1, 1), (1, 0), (5, 3)) == [[1, 2]]


def test_keys_are_numbered_within_each_account():
    numbers, many = np.zeros(6, dtype=np.int32), np.zeros(3, dtype=np.int32)
    keys = i64(2**62, -1, 5, 2**62, 5, 2**62)
    row_lists.number_keys(i64(0, 4, 4, 6), keys, np.zeros(16, dtype=np.int32), numbers, many)
    assert numbers.tolist() == [0, -1, 1, 0, 0, 1]
    assert many.tolist() == [2, 0, 2]


def test_keys_that_fall_into_one_slot_stay_apart():
    keys = np.arange(1000, dtype=np.int64) << 50
    numbers, many = np.zeros(1000, dtype=np.int32), np.zeros(1, dtype=np.int32)
    row_lists.number_keys(i64(0, 1000), keys, np.zeros(2048, dtype=np.int32), numbers, many)
    assert numbers.tolist() == list(range(1000))
    assert many.tolist() == [1000]


def test_sums_leave_out_what_is_missing():
    sums, there, target = i64(0, 0, 0, 0), i32(0, 0, 0, 0), np.zeros(2)
    kernel.run_sums(3, i64(10_000, MISSING_AMOUNT, -30_000), i32(0, 1, 2), sums, there)
    kernel.take_sums(i32(3, 2), i32(0, 1), sums, target)
    assert target.tolist() == [-2.0, 0.0]
    kernel.take_means(i32(3, 2), i32(0, 1), sums, there, NAN, target)
    assert target[0] == -1.0
    assert math.isnan(target[1])


def listed_values(given: list[float], at: list[int]) -> np.ndarray:
    row, listed = np.arange(len(given), dtype=np.int32), np.zeros(len(given))
    kernel.list_values(len(given), np.array(given), i64(*at), row, np.zeros(len(given), dtype=np.int32), listed)
    return listed


def test_values_of_one_instant_stand_by_size_and_missing_ones_last():
    assert listed_values([3.0, 1.0, 2.0], [0, 5, 5]).tolist() == [3.0, 1.0, 2.0]
    assert listed_values([3.0, 2.0, 1.0], [0, 0, 5]).tolist() == [2.0, 3.0, 1.0]
    assert np.isnan(listed_values([NAN, 2.0, NAN, 1.0], [5] * 4)).tolist() == [False, False, True, True]
    rng = np.random.default_rng(0)
    many = rng.normal(size=500)
    assert listed_values(many.tolist(), [7] * 500).tolist() == sorted(many.tolist())


def test_values_of_different_owners_are_not_mixed():
    listed = np.zeros(2)
    kernel.list_values(2, np.array([2.0, 1.0]), i64(5, 5), i32(0, 1), i32(0, 1), listed)
    assert listed.tolist() == [2.0, 1.0]


def test_zero_has_no_sign():
    assert not np.signbit(listed_values([-0.0, 0.0], [5, 5])).any()


def last(given: list[float], at: list[int]) -> float:
    target = np.zeros(1)
    kernel.take_last(*one_window(len(given)), i64(*at), listed_values(given, at), NAN, target)
    return float(target[0])


def test_of_several_last_values_at_one_instant_the_smallest():
    assert last([9.0, 5.0, 3.0], [0, DAY, DAY]) == 3.0
    assert last([9.0, NAN, NAN], [0, DAY, DAY]) == 9.0


def test_values_that_are_all_missing():
    nothing, at, target = np.full(3, NAN), i64(0, DAY, 2 * DAY), np.zeros(1)
    for name in ("minimum", "maximum"):
        kernel.take_extremes(EXTREMES[name], *one_window(3), nothing, NAN, target)
        assert math.isnan(target[0])
    kernel.take_spreads(*one_window(3), nothing, NAN, target)
    assert math.isnan(target[0])
    kernel.take_trends(*one_window(3), i64(0), at, nothing, NAN, target)
    assert math.isnan(target[0])
    assert math.isnan(last([NAN, NAN], [0, DAY]))


def test_a_trend_of_one_instant_is_missing():
    target, given = np.zeros(1), np.array([1.0, 2.0, 3.0])
    kernel.take_trends(*one_window(3), i64(5 * DAY), i64(DAY, DAY, DAY), given, NAN, target)
    assert math.isnan(target[0])
    kernel.take_trends(*one_window(3), i64(5 * DAY), i64(0, DAY, 2 * DAY), given, NAN, target)
    assert target[0] == pytest.approx(30.0)


def test_a_spread_of_equal_values_is_zero():
    target = np.zeros(1)
    kernel.take_spreads(*one_window(2), np.array([2.0, 2.0]), NAN, target)
    assert target.tolist() == [0.0]


def test_the_answered_end_the_count_of_the_unanswered():
    target = np.zeros(1)
    # three surveys of one day: two answers are known at cutoff 1, so one is counted
    kernel.count_unanswered(*one_window(4), i32(1), listed_values([0.0, 9.0, 1.0, 0.0], [0, 5, 5, 5]), target)
    assert target.tolist() == [1.0]


def gaps(name: str, at: list[int], now: int = 5 * DAY) -> float:
    rank, target = np.zeros(len(at), dtype=np.int32), np.zeros(1)
    told = [np.zeros(len(at), dtype=np.int64) for _ in range(3)]
    row_lists.number_days(len(at), i64(*at), np.zeros(len(at), dtype=np.int32), rank, *told)
    kernel.of_gaps(GAPS[name], *one_window(len(at)), i64(now), i64(*at), rank, *told, NAN, target)
    return float(target[0])


def test_two_rows_of_one_day_make_no_gap():
    assert math.isnan(gaps("gap_mean", [0, DAY - 1]))
    assert gaps("gap_mean", [DAY - 1, DAY]) == 1.0


def test_gaps_of_one_and_three_days():
    at = [0, DAY, 4 * DAY]
    assert gaps("gap_mean", at) == 2.0
    assert gaps("gap_spread", at) == pytest.approx(math.sqrt(2.0))
    # two days have passed since: longer than one of the two gaps
    assert gaps("gap_quantile", at, now=6 * DAY) == 0.5
    assert gaps("gap_trend", [0, DAY, 3 * DAY, 6 * DAY]) == 1.0


def test_equal_gaps_have_no_spread_and_one_has_none_to_tell():
    for days in (1, 7):
        assert gaps("gap_spread", [0, days * DAY, 2 * days * DAY, 3 * days * DAY]) == 0.0
    assert gaps("gap_spread", [0, DAY, 3 * DAY]) == pytest.approx(math.sqrt(0.5))
    assert math.isnan(gaps("gap_spread", [0, DAY]))
    assert math.isnan(gaps("gap_quantile", [0, DAY]))
    assert math.isnan(gaps("gap_trend", [0, DAY, 3 * DAY]))


def test_days_of_different_owners_make_no_gap():
    rank, told = np.zeros(3, dtype=np.int32), [np.zeros(3, dtype=np.int64) for _ in range(3)]
    row_lists.number_days(3, i64(9 * DAY, 9 * DAY, 11 * DAY), i32(0, 1, 1), rank, *told)
    assert rank.tolist() == [0, 1, 2]
    assert told[1].tolist() == [0, 0, 4]


def of_times(name: str, at: list[int], now: int, window: int = 0) -> float:
    target = np.zeros(1)
    kernel.of_times(TIMES[name], *one_window(len(at)), i64(now), window, i64(*at), NAN, target)
    return float(target[0])


def test_a_slope_over_one_day_is_level():
    assert of_times("rate_slope", [DAY], 2 * DAY, window=1) == 0.0
    # two days, one row on the first: the daily number falls by one a day
    assert of_times("rate_slope", [0], 2 * DAY, window=2) == -30.0


def test_what_instants_tell():
    at = [0, 2 * DAY]
    assert of_times("mean_age", at, 4 * DAY) == 3.0
    assert of_times("days_since_last", at, 4 * DAY) == 2.0
    assert of_times("days_since_first", at, 4 * DAY) == 4.0
    assert of_times("longest_silence", at, 3 * DAY) == 2.0
    assert of_times("longest_silence", at, 5 * DAY) == 3.0
