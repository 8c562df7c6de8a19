"""Cutoffs over a history: which train, calibrate and test, and what lies between them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from staypower.cutoffs import DAY, Outcome, instant_of, text_of
from staypower.dataset.cutoff_plan import plan_cutoffs, plan_snapshot
from staypower.dataset.settings import CutoffSettings
from staypower.errors import UsageError

FIRST = instant_of("2022-01-01")


def plan(days: int, outcome: Outcome | None = None, **settings):
    return plan_cutoffs(
        CutoffSettings(**settings), outcome or Outcome(horizon=90, grace=30), first=FIRST, observed_until=FIRST + days * DAY
    )


def test_long_history_is_temporal():
    made = plan(1500)
    assert made.split == "temporal"
    assert len(made.calibration) == len(made.test) == 3
    assert made.calibration[0] - made.early[-1] == 120 * DAY
    # what lies between is learned from in the end
    assert made.calibration[0] - made.training[-1] == 30 * DAY
    assert len(made.training) - len(made.early) == 3
    assert made.test[0] - made.calibration[-1] == 120 * DAY
    assert made.test[-1] == FIRST + (1500 - 120) * DAY


def test_short_history_is_grouped_and_the_test_still_later():
    made = plan(500)
    assert made.split == "grouped"
    assert not len(made.calibration)
    assert made.test[0] - made.training[-1] == 120 * DAY


def test_one_cutoff_is_a_snapshot_and_says_so():
    made = plan(230)
    assert made.split == "snapshot"
    assert "not a temporal test" in made.words
    np.testing.assert_array_equal(made.training, made.test)


def test_no_mature_cutoff_is_refused_with_the_days_needed():
    with pytest.raises(UsageError, match="210 days are needed"):
        plan(200)


def test_given_test_date_anchors_the_grid():
    made = plan(1000, Outcome(horizon=90), test="2024-05-01")
    assert [text_of(cutoff) for cutoff in made.test] == ["2024-05-01", "2024-05-31"]
    assert text_of(made.training[-1] if not len(made.calibration) else made.calibration[-1]) == "2024-02-01"


@pytest.mark.parametrize("test", ["2021-12-01", "2022-03-01", "2026-01-01"])
def test_a_test_date_outside_the_data_is_refused(test):
    with pytest.raises(UsageError, match="outside the data"):
        plan(1000, test=test)


def test_snapshot_of_a_flag():
    made = plan_snapshot("2017-09-30")
    assert [text_of(cutoff) for cutoff in made.all] == ["2017-09-30"]
    assert made.embargo == 0, "a flag has no outcome after its cutoff"


@given(
    days=st.integers(0, 2000), horizon=st.integers(1, 200), gap=st.integers(0, 60), grace=st.integers(0, 60),
    every=st.integers(1, 90), count=st.integers(1, 30), test_count=st.integers(1, 6),
)  # fmt: skip
def test_no_outcome_of_one_part_reaches_into_the_next(days, horizon, gap, grace, every, count, test_count):
    outcome = Outcome(horizon=horizon, gap=gap, grace=grace)
    try:
        made = plan(days, outcome, every=every, count=count, test_count=test_count)
    except UsageError:
        return
    until = FIRST + days * DAY
    assert outcome.mature(made.all, until).all()
    assert made.all[0] > FIRST
    if made.split == "snapshot":
        return
    learned = np.concatenate([made.training, made.calibration])
    assert learned.max() + outcome.embargo * DAY <= made.test[0]
    if made.split == "temporal":
        assert made.early[-1] + outcome.embargo * DAY <= made.calibration[0]
        assert made.training[-1] < made.calibration[0]
