"""Both classifiers inside scikit-learn's own machinery, on pandas and polars frames, without a pickle anywhere."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from staypower.models import ChurnClassifier, LoyaltyTierClassifier

SMALL = {"max_trees": 15, "folds": 2, "n_jobs": 1}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(240, 3)), columns=["usage", "tickets", "nps"])
    X.loc[::9, "tickets"] = np.nan
    score = X["usage"] + 0.5 * X["nps"] + 0.5 * rng.normal(size=240)
    return X, (score < -0.3).astype(int).to_numpy(), np.digitize(score, [-0.5, 0.5])


ESTIMATORS = [ChurnClassifier(**SMALL), LoyaltyTierClassifier(**SMALL)]


def target(table, estimator):
    return table[1] if isinstance(estimator, ChurnClassifier) else table[2]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=["churn", "tier"])
@pytest.mark.parametrize("container", ["default", "pandas", "polars"])
def test_a_pipeline_passes_frames_of_either_kind(table, estimator, container):
    """The scaler hands on what `set_output` asks for; what the classifier says does not depend on it."""
    X, y = table[0], target(table, estimator)
    plain = clone(estimator).fit(StandardScaler().fit_transform(X), y).predict_proba(StandardScaler().fit_transform(X))
    pipeline = make_pipeline(StandardScaler(), clone(estimator)).set_output(transform=container)
    given = pl.from_pandas(X) if container == "polars" else X
    np.testing.assert_array_equal(pipeline.fit(given, y).predict_proba(given), plain)
    named = getattr(pipeline[-1], "feature_names_in_", None)
    assert (named is None) if container == "default" else (list(named) == ["usage", "tickets", "nps"])


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=["churn", "tier"])
def test_polars_and_pandas_say_the_same_and_keep_their_names(table, estimator):
    X, y = table[0], target(table, estimator)
    one = clone(estimator).fit(X, y)
    other = clone(estimator).fit(pl.from_pandas(X), pl.Series(y))
    assert list(other.feature_names_in_) == list(X)
    np.testing.assert_array_equal(one.predict_proba(pl.from_pandas(X)), other.predict_proba(X))
    with pytest.raises(ValueError, match="feature names"):
        one.predict_proba(pl.from_pandas(X[["nps", "usage", "tickets"]]))


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=["churn", "tier"])
def test_cross_validation_clones_and_learns(table, estimator):
    X, y = table[0], target(table, estimator)
    groups = np.arange(240) // 2
    splits = GroupKFold(3)
    assert cross_val_score(clone(estimator), X, y, groups=groups, cv=splits).mean() > pd.Series(y).value_counts(True).max()
    found = cross_val_predict(clone(estimator), pl.from_pandas(X), y, groups=groups, cv=splits, method="predict_proba")
    assert found.shape == (240, len(np.unique(y)))
    copied = clone(clone(estimator).fit(X, y))
    assert copied.get_params() == estimator.get_params()
    assert not hasattr(copied, "classes_")


def test_a_search_over_its_settings(table):
    X, y, _ = table
    search = GridSearchCV(
        ChurnClassifier(**SMALL), {"num_leaves": [2, 4], "refit": [True, False]}, cv=2, scoring="neg_log_loss"
    )
    search.fit(X, y)
    assert set(search.best_params_) == {"num_leaves", "refit"}


def test_columns_are_chosen_and_made_before_it(table):
    X, y, _ = table
    frame = X.assign(plan=np.where(np.arange(240) % 2, "pro", "basic"))
    codes = FunctionTransformer(
        lambda part: part.apply(lambda column: column.map({"basic": 0.0, "pro": 1.0})), feature_names_out="one-to-one"
    )
    chosen = make_column_transformer(
        (codes, ["plan"]), ("passthrough", make_column_selector(dtype_include=float)), verbose_feature_names_out=False
    ).set_output(transform="pandas")
    pipeline = make_pipeline(chosen, ChurnClassifier(categorical_features=["plan"], **SMALL)).fit(frame, y)
    assert list(pipeline[-1].feature_names_in_) == ["plan", "usage", "tickets", "nps"]
    assert pipeline.predict_proba(frame)[y == 1, 1].mean() > y.mean()


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=["churn", "tier"])
def test_nothing_is_pickled(table, estimator, monkeypatch):
    """Fitting, predicting, cloning and cross-validating in one process never touch pickle."""

    def refused(*_, **__):
        raise AssertionError("pickled")

    monkeypatch.setattr(pickle, "dumps", refused)
    monkeypatch.setattr(pickle, "loads", refused)
    monkeypatch.setattr(pickle, "dump", refused)
    X, y = table[0], target(table, estimator)
    pipeline = make_pipeline(StandardScaler(), clone(estimator)).fit(X, y)
    assert len(clone(pipeline).fit(X, y).predict(X)) == 240
    assert len(cross_val_score(clone(estimator), X, y, cv=2)) == 2
