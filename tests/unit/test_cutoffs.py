"""The one place where a time meets a cutoff."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest
from frozen import dataclasses_not_frozen
from hypothesis import given
from hypothesis import strategies as st

from staypower import cutoffs
from staypower.cutoffs import (
    ALWAYS,
    DAY,
    MISSING,
    Outcome,
    before,
    cutoffs_between,
    earliest,
    end_of_day,
    entry,
    exit_after,
    instant_of,
    midnight_after,
    text_of,
)
from staypower.errors import UsageError

CUTOFFS = np.array([10 * DAY, 11 * DAY + 5, 40 * DAY], dtype=np.int64)


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("1970-01-02", DAY),
        ("1970-01-01T00:00:00.000001", 1),
        ("1970-01-01T01:00+01:00", 0),
        (date(1970, 1, 2), DAY),
        (datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), 0),
        (datetime(1970, 1, 2), DAY),
        (datetime(2024, 3, 31, 1, 30, tzinfo=UTC), 1711848600000000),
    ],
)
def test_instants(written, instant):
    assert instant_of(written) == instant


def test_an_end_date_is_the_midnight_after_it():
    assert text_of(instant_of("2025-10-06", end=True)) == "2025-10-07"
    assert instant_of("2025-10-06T12:00", end=True) == instant_of("2025-10-06T12:00")


@pytest.mark.parametrize("word", ["soon", "2025-13-01", "01/02/2025"])
def test_other_texts_are_refused(word):
    with pytest.raises(UsageError, match="not a date or time"):
        instant_of(word)


def test_a_date_is_visible_only_when_its_day_is_over():
    day = end_of_day(np.array([9 * DAY, 10 * DAY - DAY]))
    assert before(day, 10 * DAY).tolist() == [True, True]
    assert before(day, 10 * DAY - 1).tolist() == [False, False]
    assert end_of_day(np.array([MISSING])).tolist() == [MISSING]


def test_strictly_before():
    assert before(np.array([10 * DAY - 1, 10 * DAY, MISSING, ALWAYS]), 10 * DAY).tolist() == [True, False, False, True]


instants = st.lists(st.one_of(st.integers(0, 45 * DAY), st.sampled_from([*CUTOFFS.tolist(), MISSING, ALWAYS])), max_size=20)


@given(times=instants, window=st.integers(1, 40), offset=st.integers(0, 10))
def test_entry_and_exit_are_the_written_windows(times, window, offset):
    at = np.array(times, dtype=np.int64)
    enter, leave = entry(at, CUTOFFS, offset_days=offset), exit_after(at, CUTOFFS, window + offset)
    for i, instant in enumerate(times):
        for k, cutoff in enumerate(CUTOFFS.tolist()):
            inside = instant != MISSING and cutoff - (offset + window) * DAY <= instant < cutoff - offset * DAY
            assert (enter[i] <= k < leave[i]) == inside


def test_outcome_is_half_open_after_the_gap():
    outcome = Outcome(horizon=2, gap=1)
    at = np.array([DAY - 1, DAY, 3 * DAY - 1, 3 * DAY])
    assert outcome.contains(at, 0).tolist() == [False, True, True, False]


def test_maturity_waits_for_gap_horizon_and_grace():
    outcome = Outcome(horizon=90, gap=5, grace=30)
    assert outcome.mature(np.array([0, 1]), 125 * DAY).tolist() == [True, False]
    assert outcome.last_mature(125 * DAY + 7) == 0


def test_cutoffs_step_back_and_stop_at_history():
    assert cutoffs_between(100 * DAY, every=30, count=9, first=40 * DAY).tolist() == [70 * DAY, 100 * DAY]
    assert not len(cutoffs_between(10 * DAY, every=30, count=9, first=10 * DAY))


def test_midnight_after():
    assert midnight_after(DAY) == DAY
    assert midnight_after(DAY + 1) == 2 * DAY


@pytest.mark.parametrize("faulty", [{"horizon": 0}, {"horizon": 5, "gap": -1}, {"horizon": 5, "grace": -1}])
def test_impossible_outcomes_are_refused(faulty):
    with pytest.raises(UsageError, match="too short"):
        Outcome(**faulty)


def test_an_outcome_is_named_and_frozen_and_begins_at_the_cutoff():
    assert not dataclasses_not_frozen(cutoffs)
    with pytest.raises(TypeError):
        Outcome(90, 5)
    assert Outcome(horizon=90) == Outcome(horizon=90, gap=0, grace=0)


def test_an_outcome_needs_no_gap_and_no_grace_and_refuses_less():
    assert Outcome(horizon=1, gap=0, grace=0).embargo == 1
    for name in ("horizon", "gap", "grace"):
        with pytest.raises(UsageError, match=f"{name} is too short"):
            Outcome(**{"horizon": 1, "gap": 0, "grace": 0, name: -1})


def test_the_earliest_instant_is_a_known_one():
    assert earliest([np.array([MISSING, ALWAYS, 5]), np.array([MISSING]), np.array([7])]) == 5
    assert earliest([np.array([MISSING, ALWAYS]), np.array([], dtype=np.int64)]) == MISSING


def test_the_last_mature_cutoff_is_a_midnight_whose_outcome_is_over():
    outcome = Outcome(horizon=90, grace=30)
    for observed in (200 * DAY, 200 * DAY + 5, 201 * DAY - 1):
        last = outcome.last_mature(observed)
        assert last == 80 * DAY
        assert outcome.mature(np.array([last, last + DAY]), observed).tolist() == [True, False]
