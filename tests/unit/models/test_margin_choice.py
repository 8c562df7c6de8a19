"""A linear margin is taken where later months lie beyond what training saw, and only there."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from staypower.cutoffs import DAY, instant_of
from staypower.models import margin_choice
from staypower.models.churn import ChurnClassifier
from staypower.models.margin_choice import choose_margin
from staypower.models.partition import deal_folds
from staypower.models.settings import TreeShape
from staypower.models.training_rows import ordered_rows
from staypower.models.trees import Grower

FIRST = instant_of("2024-01-01")
SHAPE = TreeShape.by_evidence(churners=500, accounts=1500, rows=6000)


def log_of_purchases(*, grows: bool, accounts=1500, cutoffs=6, seed=0):
    """A young log, whose longest silence grows from cutoff to cutoff and acts on the log scale; or an old one with steps."""
    rng = np.random.default_rng(seed)
    pace = rng.gamma(2.0, 1.0, accounts)
    rows = []
    for month in range(cutoffs):
        longest = 40.0 * (month + 1) if grows else 240.0
        silence = rng.uniform(0, 1, accounts) ** 2 * longest
        raw = 2.0 * (np.log1p(silence) - 3.2) if grows else 2.0 * ((silence // 20) % 2) - 1.0
        raw = raw + (0.4 * pace if grows else 2.0 * (pace > 2.0) * (silence > 120.0))
        churned = rng.random(accounts) < expit(raw)
        rows.append(pd.DataFrame({"silence": silence, "pace": pace, "noise": rng.normal(size=accounts), "y": churned}))
    found = pd.concat(rows, ignore_index=True)
    number = np.tile(np.arange(accounts), cutoffs)
    return (
        found[["silence", "pace", "noise"]],
        found["y"].to_numpy(int),
        number,
        FIRST + np.repeat(np.arange(cutoffs), accounts) * 30 * DAY,
    )


def chosen(*, grows: bool, seed=0):
    X, y, accounts, cutoffs = log_of_purchases(grows=grows, seed=seed)
    rows = ordered_rows(X.to_numpy(), y.astype(np.int8), None, accounts=accounts, cutoffs=cutoffs)
    dealt = deal_folds(rows.accounts, rows.labels, folds=3, seed=0)
    return choose_margin(rows, Grower(SHAPE, 300, 30, seed=0, threads=1), dealt)


def test_silence_beyond_the_range_takes_a_margin():
    found = chosen(grows=True)
    assert found.strength is not None
    assert "later cutoffs and accounts held out" in found.words


def test_where_nothing_lies_beyond_trees_alone_stay():
    # a difference of one standard error is chance in one draw of six
    assert sum(chosen(grows=False, seed=seed).strength is not None for seed in range(4)) <= 1


def test_too_few_of_a_class_are_not_compared(monkeypatch):
    monkeypatch.setattr(margin_choice, "_LEAST", 10**6)
    assert chosen(grows=True).strength is None


@pytest.fixture(scope="module")
def fitted():
    X, y, accounts, cutoffs = log_of_purchases(grows=True)
    early = cutoffs < FIRST + 120 * DAY
    options = {"n_jobs": 1, "max_trees": 300}
    made = [ChurnClassifier(margin=margin, **options) for margin in (True, False)]
    for model in made:
        model.fit(X[early], y[early], accounts=accounts[early], cutoffs=cutoffs[early])
    return *made, X[cutoffs == FIRST + 150 * DAY], y[cutoffs == FIRST + 150 * DAY]


def test_later_months_are_predicted_better(fitted):
    both, alone, X, y = fitted
    assert both.margin_ is not None
    assert alone.margin_ is None
    losses = [-np.log(np.where(y == 1, p, 1 - p)).mean() for p in (model.predict_proba(X)[:, 1] for model in (both, alone))]
    assert losses[0] < losses[1]
    assert any("linear margin" in note for note in both.notes_)


def test_estimator_and_bundle_agree_to_the_bit_and_add_up(fitted):
    both, _, X, _ = fitted
    bundle = both.to_bundle()
    assert (bundle.predict(X) == both.predict_proba(X)[:, 1]).all()
    values, base = both.contributions(X)
    np.testing.assert_allclose(base + values.sum(axis=1), both.raw_score(X), rtol=0, atol=1e-9)
    assert (bundle.contributions(X)[0] == values).all()
    assert both.feature_importances_.sum() == pytest.approx(1.0)
    assert both.feature_importances_.argmax() == 0


def test_without_a_gain_nothing_changes_not_a_byte():
    X, y, accounts, cutoffs = log_of_purchases(grows=False, accounts=500, seed=1)
    given = {"accounts": accounts, "cutoffs": cutoffs}
    models = [ChurnClassifier(margin=margin, max_trees=60, n_jobs=1).fit(X, y, **given) for margin in (True, False)]
    assert models[0].margin_ is None
    assert models[0].to_bundle().files() == models[1].to_bundle().files()
    assert models[0].notes_ == models[1].notes_
