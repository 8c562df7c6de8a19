"""Folds of a rolling origin: what is learned from was settled when the test began."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from staypower.cutoffs import DAY, Outcome, instant_of, text_of
from staypower.dataset.cutoff_plan import plan_cutoffs, rolling_origins, rolling_plans
from staypower.dataset.settings import CutoffSettings
from staypower.errors import UsageError

FIRST = instant_of("2022-01-01")
OUTCOME = Outcome(horizon=90, grace=30)


def plans(days, outcome=OUTCOME, folds=None, least=3, **settings):
    return rolling_plans(
        CutoffSettings(**settings),
        outcome,
        first=FIRST,
        observed_until=FIRST + days * DAY,
        folds=folds,
        least_training=least,
    )


def test_only_settled_cutoffs_are_learned_from():
    # horizon and grace of 70 days over monthly cutoffs: the last two before a test are not settled
    found = rolling_origins(np.arange(8) * 30 * DAY, embargo_days=70, least_training=2)
    assert [((training // DAY).tolist(), test // DAY) for training, test in found] == [
        ([0, 30], 120),
        ([0, 30, 60], 150),
        ([0, 30, 60, 90], 180),
        ([0, 30, 60, 90, 120], 210),
    ]


def test_the_latest_folds_are_kept():
    found = rolling_origins(np.arange(8) * 30 * DAY, embargo_days=30, least_training=1, folds=2)
    assert [test // DAY for _, test in found] == [180, 210]


def test_a_short_history_has_no_fold():
    assert rolling_origins(np.arange(3) * 30 * DAY, embargo_days=120) == []


@pytest.mark.parametrize("bad", [{"least_training": 0}, {"folds": 0}])
def test_impossible_numbers_are_refused(bad):
    with pytest.raises(UsageError, match="too few folds"):
        rolling_origins(np.arange(3), embargo_days=0, **bad)


@given(st.integers(600, 1600), st.integers(20, 120), st.integers(0, 40), st.integers(7, 60), st.integers(1, 6))
def test_each_plan_is_what_training_would_plan_for_that_test(days, horizon, grace, every, folds):
    outcome = Outcome(horizon=horizon, grace=grace)
    try:
        found = plans(days, outcome, folds=folds, every=every)
    except UsageError:
        return
    assert len(found) <= folds
    assert [plan.test[0] for plan in found] == [plan.test[0] for plan in sorted(found, key=lambda plan: plan.test[0])]
    for number, plan in enumerate(found):
        test = int(plan.test[0])
        alone = plan_cutoffs(
            # one test cutoff: the data end just when its outcome is complete; `count` also holds the test cutoffs
            CutoffSettings(every=every, test=text_of(test), count=24 - 3 + 1),
            outcome,
            first=FIRST,
            observed_until=test + outcome.embargo * DAY,
        )
        assert (alone.split, alone.training.tolist()) == (plan.split, plan.training.tolist())
        assert alone.calibration.tolist() == plan.calibration.tolist()
        assert plan.trained_until + outcome.embargo * DAY <= test
        assert plan.test.tolist() == [other.test[0] for other in found[number:]]


def test_the_last_fold_is_tested_at_the_last_mature_cutoff():
    assert plans(1000, folds=2)[-1].test.tolist() == [FIRST + (1000 - 120) * DAY]


def test_a_given_test_date_sets_the_grid():
    # the data allow tests until 2024-05-30: the grid that begins at the date has one cutoff before that
    found = plans(1000, folds=3, test="2024-05-05")
    assert [text_of(int(plan.test[0])) for plan in found] == ["2024-03-06", "2024-04-05", "2024-05-05"]


def test_too_short_a_history_says_what_is_needed():
    with pytest.raises(UsageError, match="history too short for a backtest"):
        plans(300)
