"""Rolling origins: go back in time, learn from what was known then, and test on what came after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import DAY, Outcome, text_of
from staypower.dataset.cutoff_plan import CutoffPlan, cutoffs_to_test, plan_before, plan_cutoffs
from staypower.dataset.settings import CutoffSettings
from staypower.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FEWEST_TRAINING", "rolling_origins", "rolling_plans"]

FEWEST_TRAINING = 3


def rolling_origins(
    cutoffs: NDArray[np.int64],
    *,
    embargo_days: float,
    least_training: int = FEWEST_TRAINING,
    folds: int | None = None,
) -> list[tuple[NDArray[np.int64], int]]:
    """Split cutoffs into folds that each learn from the past and test on a later cutoff.

    >>> found = rolling_origins(np.arange(6) * 30 * DAY, embargo_days=60, least_training=2)
    >>> [((training // DAY).tolist(), test // DAY) for training, test in found]
    [([0, 30], 90), ([0, 30, 60], 120), ([0, 30, 60, 90], 150)]
    """
    _require_one(least_training, folds)
    known = np.unique(np.asarray(cutoffs, dtype=np.int64))
    pairs = [(known[known + round(embargo_days * DAY) <= test], int(test)) for test in known]
    found = [(training, test) for training, test in pairs if len(training) >= least_training]
    return found if folds is None else found[-folds:]


def rolling_plans(
    settings: CutoffSettings,
    outcome: Outcome,
    *,
    first: int,
    observed_until: int,
    folds: int | None = None,
    least_training: int = FEWEST_TRAINING,
) -> list[CutoffPlan]:
    """Lay the folds of a backtest over the history: for each, what `plan_cutoffs` would have planned for that test cutoff.

    >>> from staypower.cutoffs import instant_of
    >>> plans = rolling_plans(CutoffSettings(), Outcome(horizon=90, grace=30), first=instant_of("2022-01-01"),
    ...                       observed_until=instant_of("2025-01-01"), folds=2)
    >>> [(text_of(plan.learned_until), [text_of(cutoff) for cutoff in plan.test]) for plan in plans]
    [('2024-04-06', ['2024-08-04', '2024-09-03']), ('2024-05-06', ['2024-09-03'])]
    """
    _require_one(least_training, folds)
    # says what is wrong with the settings or the history, as training would
    plan_cutoffs(settings, outcome, first=first, observed_until=observed_until)
    begin = first + settings.min_history * DAY
    anchor = int(cutoffs_to_test(settings, outcome, begin=begin, last=outcome.last_mature(observed_until))[-1])
    most = folds if folds is not None else settings.count
    tests = anchor - np.arange(most, dtype=np.int64)[::-1] * (settings.every * DAY)
    found = []
    for at in range(len(tests)):
        plan = plan_before(
            tests[at:], outcome, every=settings.every, count=max(settings.count - settings.test_count, 1), begin=begin
        )
        if plan is not None and len(plan.training) + len(plan.calibration) >= least_training:
            found.append(plan)
    if not found:
        need = least_training * settings.every + outcome.embargo + settings.min_history
        value = f"{text_of(begin // DAY * DAY)} to {text_of(anchor)} for {least_training} training cutoffs and a later test"
        fix = f"about {need} days of history before a test are needed: give longer histories or a shorter `label.horizon`"
        raise UsageError.of("history too short for a backtest", value, fix)
    return found


def _require_one(least_training: int, folds: int | None) -> None:
    if least_training < 1 or (folds is not None and folds < 1):
        raise UsageError.of("too few folds or cutoffs", f"least_training {least_training}, folds {folds}", "give at least 1")
