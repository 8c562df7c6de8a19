"""Capacity follows the data: a larger shape where it clearly helps held-out accounts, never in silence."""

from __future__ import annotations

from typing import ClassVar

import lightgbm
import numpy as np
import pytest
from sklearn.metrics import log_loss

from staypower.models import training
from staypower.models.churn import ChurnClassifier
from staypower.models.evidence import clear_gain
from staypower.models.settings import TreeShape
from staypower.models.training_rows import ordered_rows


def rich(accounts=3000, kinds=900, seed=0):
    """Accounts that resemble one of many kinds in every column but a little; what kind leaves follows from many columns."""
    rng = np.random.default_rng(seed)
    kind = np.column_stack([rng.integers(0, 6, (kinds, 6)), rng.normal(100, 40, (kinds, 8)).round()])
    z = (kind - kind.mean(axis=0)) / kind.std(axis=0)
    pairs = rng.integers(0, 14, (12, 2))
    score = z[:, 0] - z[:, 9] + (0.7 * rng.normal(size=12) * z[:, pairs[:, 0]] * z[:, pairs[:, 1]]).sum(axis=1)
    leaves = score + rng.normal(0, 0.5, kinds) > np.quantile(score, 0.83)
    chosen = rng.integers(0, kinds, accounts)
    X = kind[chosen] + np.where(rng.random((accounts, 14)) < 0.3, rng.normal(0, 1.5, (accounts, 14)).round(), 0.0)
    return X, leaves[chosen].astype(int)


def test_a_rich_table_gets_larger_trees_and_is_no_worse_than_lightgbm():
    X, y = rich()
    half = len(y) * 2 // 3
    fitted = ChurnClassifier(n_jobs=1).fit(X[:half], y[:half])
    other = lightgbm.LGBMClassifier(n_jobs=1, verbose=-1).fit(X[:half], y[:half])
    smaller = ChurnClassifier(n_jobs=1, max_trees=1000).fit(X[:half], y[:half])
    ours, theirs, small = (log_loss(y[half:], each.predict_proba(X[half:])[:, 1]) for each in (fitted, other, smaller))
    assert ours <= theirs
    assert ours < small - 0.02
    assert any("leaves were taken: held-out log loss" in note for note in fitted.notes_)


def test_where_a_larger_shape_shows_nothing_the_usual_one_stays():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2500, 6))
    y = (rng.random(2500) < 1 / (1 + np.exp(2 - X[:, 0] - 0.5 * X[:, 1]))).astype(int)
    fitted = ChurnClassifier(n_jobs=1).fit(X, y)
    assert not any("leaves were taken" in note for note in fitted.notes_)
    assert max(int(line.split("=")[1]) for line in fitted.model_text_.splitlines() if line.startswith("num_leaves=")) <= 8


def test_a_limit_that_is_reached_is_said():
    X, y = rich(1200, 400)
    said = "the held-out loss still fell at 30 trees: raise `max_trees` or `learning_rate`"
    assert said in ChurnClassifier(n_jobs=1, max_trees=30).fit(X, y).notes_


def test_a_default_limit_that_is_reached_is_raised(monkeypatch):
    monkeypatch.setattr(training, "_USUAL_TREES", 25)
    monkeypatch.setattr(training, "_MOST_TREES", 60)
    X, y = rich(1200, 400)
    fitted = ChurnClassifier(n_jobs=1).fit(X, y)
    assert fitted.best_iteration_ > 50
    assert any("still fell at 60 trees" in note for note in fitted.notes_)


def test_larger_shapes_are_larger_and_end():
    shape = TreeShape.by_evidence(churners=1000, accounts=5000, rows=5000)
    larger = shape.larger()
    assert [each.num_leaves for each in larger] == sorted({each.num_leaves for each in larger})
    assert all(each.num_leaves > shape.num_leaves for each in larger)
    assert larger[-1].larger() == []


def test_a_gain_on_copies_of_one_account_is_no_clear_gain():
    """One account at forty cutoffs gains, nine others do not: that is one account."""
    accounts = np.r_[np.zeros(40, dtype=np.int64), np.arange(1, 10)]
    old = np.full(49, 0.5)
    new = np.where(accounts == 0, 0.4, 0.5)
    assert not clear_gain(new, old, accounts)
    assert clear_gain(new, old, np.arange(49))


class Watching(training.Grower):
    seen: ClassVar[list] = []

    def grow_watched(self, rows, held):
        Watching.seen.append((rows, held))
        return super().grow_watched(rows, held)


@pytest.mark.parametrize("by_hash", [False, True])
def test_twins_are_never_on_both_sides_of_a_fold(monkeypatch, by_hash):
    monkeypatch.setattr(training, "Grower", Watching)
    Watching.seen = []
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 4)), (np.arange(300) % 3 == 0).astype(int)
    X[0, 0] = np.nan
    X, y = np.r_[X, X[:200]], np.r_[y, y[:200]]
    accounts = [f"a{number}" for number in rng.permutation(500)]
    ChurnClassifier(n_jobs=1, max_trees=5).fit(X, y, accounts=accounts, keep_folds=by_hash)
    assert len(Watching.seen) >= 5
    for rows, held in Watching.seen:
        sides = [{row.tobytes() for row in each.features} for each in (rows, held)]
        assert not sides[0] & sides[1]


def test_coarse_columns_make_no_twins():
    """A table of one column with three values tells no accounts apart: equal rows are no copies."""
    X = (np.arange(300) % 3).astype(float)[:, None]
    rows = ordered_rows(X, (np.arange(300) % 2).astype(np.int8), None, accounts=np.arange(300), cutoffs=None)
    assert len(np.unique(rows.alike)) == 300
