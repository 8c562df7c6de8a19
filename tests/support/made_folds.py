"""Folds of a backtest made by hand from a known truth, with ageing and miscalibration planted at will."""

import numpy as np

from staypower.cutoffs import DAY, instant_of
from staypower.dataset.cutoff_plan import CutoffPlan
from staypower.evaluation.folds import FoldPredictions

FIRST = instant_of("2025-01-01")
ACCOUNTS = 240


def world(folds=4, seed=0, accounts=ACCOUNTS):
    """The truth of every account at every test cutoff."""
    rng = np.random.default_rng(seed)
    drive = rng.normal(size=(accounts, 1)) + 0.5 * rng.normal(size=(accounts, folds))
    truth = 1 / (1 + np.exp(1.4 - 1.3 * drive))
    return truth, (rng.random(truth.shape) < truth).astype(np.int8), rng


def fold_at(number, truth, churned, rng, *, blur=0.0, too_low=0.0, halves=False):
    """A model made for cutoff `number`, blurred the more the older it is."""
    accounts, folds = truth.shape
    later = range(number, folds)
    told = [
        np.clip((1 - blur * (at - number)) * truth[:, at] + blur * (at - number) * rng.random(accounts) - too_low, 0.001, 0.999)
        for at in later
    ]
    test = FIRST + 30 * DAY * np.arange(number, folds)
    names = np.array([f"a{at:03d}" for at in range(accounts)], dtype=object)
    plan = CutoffPlan("grouped", FIRST + (number - np.arange(9, 5, -1)) * 30 * DAY, np.zeros(0, dtype=np.int64), test, 120)
    fresh = truth[:, number]
    return FoldPredictions(
        plan=plan,
        learned_rows=4 * accounts,
        learned_accounts=accounts,
        train_base_rate=0.2,
        how="grouped: by hand",
        accounts=np.tile(names, len(told)),
        cutoffs=np.repeat(test, accounts),
        churned=np.concatenate([churned[:, at] for at in later]),
        probability=np.concatenate(told),
        fresh=accounts,
        scores={
            "recency rule": np.round(4 * fresh + rng.random(accounts)),
            "logistic regression": 0.5 * fresh + 0.2 * rng.random(accounts),
        },
        probabilities=frozenset({"logistic regression"}),
        known=np.arange(accounts) % 5 != 0,
        halves=(fresh, 0.8 * fresh + 0.1 * rng.random(accounts)) if halves else None,
        segments={"plan": np.array(["basic", "pro"], dtype=object)[np.arange(accounts) % 2]},
    )


def folds_of(**more):
    truth, churned, rng = world()
    return truth, churned, [fold_at(number, truth, churned, rng, **more) for number in range(truth.shape[1])]
