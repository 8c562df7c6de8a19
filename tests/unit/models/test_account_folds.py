"""No account is scored by trees that learned its own outcome: folds by a hash of the id, kept in the bundle."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from staypower.errors import UsageError
from staypower.hashing import folds_of
from staypower.metrics.probability import log_loss
from staypower.models.bundle import read_bundle, write_bundle
from staypower.models.churn import ChurnClassifier
from staypower.models.forest import read_trees

NAMES = ["silence", "amount", "noise"]


def truth(X):
    return expit(1.5 * X["silence"].to_numpy())


def made(count=500, seed=0):
    """Outcomes that are half chance: whoever predicts that half has seen them."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(count, 3)), columns=NAMES)
    y = (rng.random(count) < truth(X)).astype(int)
    return X, y, np.array([f"C-{number}" for number in range(count)], dtype=object)


@pytest.fixture(scope="module")
def fitted():
    X, y, accounts = made()
    estimator = ChurnClassifier(
        margin=False, max_trees=60, num_leaves=31, max_depth=8, min_child_samples=2, learning_rate=0.3, n_jobs=1
    )
    return estimator.fit(X, y, accounts=accounts, keep_folds=True)


@pytest.fixture(scope="module")
def bundle(fitted):
    return fitted.to_bundle(metadata={"base_rate": 0.5})


def test_trees_never_saw_the_account_that_they_score(fitted):
    """Each fold's trees are those of a fit without its accounts."""
    X, y, accounts = made()
    fold = folds_of(list(accounts), 5)
    assert len(fitted.folds_) == 5
    changed = y.copy()
    changed[fold == 2] = 1 - changed[fold == 2]
    other = ChurnClassifier(**fitted.get_params()).fit(X, changed, accounts=accounts, keep_folds=True)
    # the number of trees is found from all folds; the first tree is there in any case
    first, again = ([read_trees(model.model_text)[0].leaf_values for model in each.folds_] for each in (fitted, other))
    assert first[2] == again[2]
    assert first[3] != again[3]


def test_what_is_chance_is_not_known(fitted):
    X, y, accounts = made()
    seen, fair = (log_loss(y, found[:, 1]) for found in (fitted.predict_proba(X), fitted.predict_proba(X, accounts)))
    assert seen < fair - 0.05
    assert seen < log_loss(y, truth(X)) < fair


def test_the_map_was_fitted_to_what_is_served(fitted):
    """Scores of the training rows, calibrated, add up to the churned ones."""
    X, y, accounts = made()
    served = fitted.predict_proba(X, accounts)[:, 1]
    assert served.mean() == pytest.approx(y.mean(), abs=0.005)


@settings(max_examples=25)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=8), st.integers(0, 3))
def test_any_account_is_scored_by_its_own_fold_whoever_else_is_there(bundle, accounts, seed):
    X = np.random.default_rng(seed).normal(size=(len(accounts), 3))
    whole = bundle.explain(X, accounts)
    fold = folds_of(accounts, 5)
    for at, account in enumerate(accounts):
        one = bundle.folds[fold[at]].raw_score(X[at : at + 1])
        assert whole.raw_score[at] == one[0] == bundle.raw_score(X[at : at + 1], [account])[0]
    np.testing.assert_allclose(whole.base + whole.contributions.sum(axis=1), whole.raw_score, rtol=0, atol=1e-9)
    assert (bundle.raw_score(X, accounts) == whole.raw_score).all()
    probability = bundle.predict(X, accounts)
    np.testing.assert_allclose(logit(probability), bundle.log_odds(X, accounts), atol=1e-9)


def test_the_estimator_and_the_bundle_give_the_same_bits(fitted, bundle, tmp_path):
    X, _, accounts = made()
    digest = write_bundle(bundle, tmp_path / "model")
    again = read_bundle(tmp_path / "model", digest=digest)
    assert sorted(path.name for path in (tmp_path / "model").glob("companion_fold_*.txt")) == [
        f"companion_fold_{number}.txt" for number in range(5)
    ]
    for model in (bundle, again):
        assert (model.predict(X, accounts) == fitted.predict_proba(X, accounts)[:, 1]).all()
        assert (model.contributions(X, accounts)[0] == fitted.contributions(X, accounts)[0]).all()


def test_a_row_of_nobody_is_refused(bundle):
    X, _, accounts = made(20)
    for given_accounts in (None, accounts[:5]):
        with pytest.raises(UsageError, match="needs the account of each row"):
            bundle.predict(X, given_accounts)


def test_folds_that_do_not_belong_together_are_refused(bundle):
    less = {name: model for name, model in bundle.secondary.items() if name != "fold_4"}
    with pytest.raises(UsageError, match="do not belong together"):
        replace(bundle, secondary=less)


def test_a_model_without_folds_asks_for_nobody(fitted):
    X, y, accounts = made()
    plain = ChurnClassifier(max_trees=10, n_jobs=1).fit(X, y, accounts=accounts)
    assert plain.folds_ == ()
    assert plain.to_bundle().folds == ()
    assert (plain.predict_proba(X, accounts) == plain.predict_proba(X)).all()


def test_too_few_of_a_class_for_folds_by_id_are_dealt_as_before():
    X, _, accounts = made(60)
    few = np.zeros(60, dtype=int)
    few[np.flatnonzero(folds_of(list(accounts), 5) == 1)[:3]] = 1
    model = ChurnClassifier(max_trees=5, n_jobs=1).fit(X, few, accounts=accounts, keep_folds=True)
    assert model.folds_ == ()


def test_folds_stay_what_they_are():
    """Sealed models count on it."""
    assert folds_of(["a", "b", "c", "d", "", "Zoë", "C-000123"], 5).tolist() == [3, 3, 1, 2, 4, 1, 4]
    many = folds_of([str(number) for number in range(5000)], 5)
    assert abs(np.bincount(many) - 1000).max() < 120
