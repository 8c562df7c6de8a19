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
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder, StandardScaler

from staypower.models.churn import ChurnClassifier
from staypower.models.tier import LoyaltyTierClassifier

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


PLANS = ["basic", "pro", "team"]


@pytest.fixture(scope="module")
def plans():
    """Accounts whose plan decides half of what they do: only a model that reads the plan as a category can tell."""
    rng = np.random.default_rng(1)
    X = pd.DataFrame({"usage": rng.normal(size=300), "seats": rng.integers(1, 9, 300)})
    X["plan"] = rng.choice(np.array([*PLANS, None], dtype=object), 300)
    score = X["usage"] + 2.0 * (X["plan"] == "pro") + 0.3 * rng.normal(size=300)
    return X, (score > 1.0).astype(int).to_numpy(), np.digitize(score, [0.0, 1.0])


def pairs(plans, estimator):
    return plans[0], plans[1] if isinstance(estimator, ChurnClassifier) else plans[2]


def by_hand(X):
    """Codes in the order of the texts, by a join that knows nothing of the package."""
    codes = {name: float(code) for code, name in enumerate(sorted(PLANS))}
    return np.column_stack([X["usage"], X["seats"], [codes.get(plan, np.nan) for plan in X["plan"]]])


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=["churn", "tier"])
@pytest.mark.parametrize("container", ["default", "pandas", "polars"])
@pytest.mark.parametrize("source", [lambda X: X, pl.from_pandas], ids=["from pandas", "from polars"])
def test_an_encoder_before_it_hands_on_codes_in_any_container(plans, estimator, container, source):
    X, y = pairs(plans, estimator)
    X = X.fillna({"plan": "basic"})  # of a polars null the encoder itself makes one more category
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    columns = make_column_transformer(
        ("passthrough", ["usage", "seats"]), (encoder, ["plan"]), verbose_feature_names_out=False
    ).set_output(transform=container)
    categorical = [2] if container == "default" else ["plan"]
    fitted = make_pipeline(columns, clone(estimator).set_params(categorical_features=categorical)).fit(source(X), y)
    plain = clone(estimator).set_params(categorical_features=[2]).fit(by_hand(X), y)
    np.testing.assert_array_equal(fitted.predict_proba(source(X)), plain.predict_proba(by_hand(X)))
    if container != "default":
        assert list(fitted[-1].feature_names_in_) == ["usage", "seats", "plan"]


FORMS = {
    "pandas category": lambda X: X.astype({"plan": "category"}),
    "pandas category in another order": lambda X: X.assign(plan=pd.Categorical(X["plan"], ["team", "pro", "basic", "gold"])),
    "polars Categorical": lambda X: pl.from_pandas(X).with_columns(pl.col("plan").cast(pl.Categorical)),
    "polars Enum": lambda X: pl.from_pandas(X).with_columns(pl.col("plan").cast(pl.Enum(["team", "gold", "pro", "basic"]))),
}
TEXTS = {"pandas text": lambda X: X, "pandas object": lambda X: X.astype({"plan": object}), "polars String": pl.from_pandas}


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=["churn", "tier"])
@pytest.mark.parametrize("form", [*FORMS, *TEXTS])
def test_columns_of_categories_need_no_encoder(plans, estimator, form):
    """Whatever the frame and its own order of categories: the same trees as with codes made by hand."""
    X, y = pairs(plans, estimator)
    given = {**FORMS, **TEXTS}[form](X)
    named = {"pandas text": ["plan"], "pandas object": [2], "polars String": ["plan"]}.get(form)
    model = clone(estimator).set_params(categorical_features=named).fit(given, y)
    plain = clone(estimator).set_params(categorical_features=[2]).fit(by_hand(X), y)
    assert model.categories_ == {"plan": {"basic": 0, "pro": 1, "team": 2}}
    assert list(model.feature_names_in_) == ["usage", "seats", "plan"]
    np.testing.assert_array_equal(model.predict_proba(given), plain.predict_proba(by_hand(X)))
    other = FORMS["polars Enum" if form.startswith("pandas") else "pandas category"](X)
    np.testing.assert_array_equal(model.predict_proba(other), model.predict_proba(given))


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=["churn", "tier"])
def test_a_category_never_seen_is_missing_and_the_callers_frame_stays(plans, estimator):
    X, y = pairs(plans, estimator)
    model = clone(estimator).fit(FORMS["pandas category"](X), y)
    new = X.head(9).assign(plan=pd.Categorical(["gold"] * 9))
    nothing = X.head(9).assign(plan=np.nan)
    np.testing.assert_array_equal(model.predict_proba(new), model.predict_proba(nothing))
    assert new["plan"].tolist() == ["gold"] * 9


@pytest.mark.parametrize("frame", [lambda X: X, pl.from_pandas], ids=["pandas", "polars"])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=["churn", "tier"])
def test_text_that_nobody_called_a_category_is_refused_with_what_to_type(plans, estimator, frame):
    X, y = pairs(plans, estimator)
    with pytest.raises(ValueError, match=r"a column holds text: plan: '\w+'\. Fix: make it a column of categories"):
        clone(estimator).fit(frame(X), y)


def test_the_sealed_bundle_reads_the_texts_too(plans):
    X, y, _ = plans
    given = FORMS["pandas category"](X)
    model = ChurnClassifier(**SMALL).fit(given, y)
    bundle = model.to_bundle()
    assert bundle.categories == {"plan": {"basic": 0, "pro": 1, "team": 2}}
    np.testing.assert_array_equal(bundle.predict(given), model.predict_proba(given)[:, 1])
    np.testing.assert_array_equal(bundle.predict(FORMS["polars Enum"](X)), model.predict_proba(given)[:, 1])


NUMBERS = {
    "nullable integers": lambda X: X.astype({"seats": "Int64"}).mask(X["seats"] == 3),
    "arrow integers": lambda X: X.astype({"seats": "int64[pyarrow]", "usage": "double[pyarrow]"}).mask(X["seats"] == 3),
    "single precision": lambda X: X.mask(X["seats"] == 3).astype({"seats": "Float32"}),
    "polars with nulls": lambda X: pl.from_pandas(X.astype({"seats": "Int64"}).mask(X["seats"] == 3)),
    "polars narrow": lambda X: pl.from_pandas(X.astype({"seats": "Int64"}).mask(X["seats"] == 3)).with_columns(
        pl.col("seats").cast(pl.UInt8)
    ),
    "polars NaN": lambda X: pl.from_pandas(X.mask(X["seats"] == 3).astype(float)).with_columns(pl.all().fill_null(np.nan)),
}


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=["churn", "tier"])
@pytest.mark.parametrize("kind", NUMBERS)
def test_missing_numbers_of_every_type_are_missing(plans, estimator, kind):
    X, y = pairs(plans, estimator)
    numbers = X[["usage", "seats"]]
    plain = numbers.mask(numbers["seats"] == 3).to_numpy(dtype=float)
    given = NUMBERS[kind](numbers)
    expected = clone(estimator).fit(plain, y).predict_proba(plain)
    np.testing.assert_array_equal(clone(estimator).fit(given, y).predict_proba(given), expected)


def test_flags_of_polars_are_ones_and_noughts(plans):
    X, y, _ = plans
    flags = pl.from_pandas(X[["usage"]]).with_columns(many=pl.Series(X["seats"] > 4), seen=pl.Series([None, True] * 150))
    plain = np.column_stack([X["usage"], X["seats"] > 4, [np.nan, 1.0] * 150])
    found = ChurnClassifier(**SMALL).fit(flags, y).predict_proba(flags)
    np.testing.assert_array_equal(found, ChurnClassifier(**SMALL).fit(plain, y).predict_proba(plain))


def test_account_and_cutoff_columns_of_either_kind(plans):
    X, y, _ = plans
    numbers, accounts = X[["usage", "seats"]], pd.Series([f"a{number // 3}" for number in range(300)])
    cutoffs = pd.Series(pd.date_range("2024-01-01", periods=3, freq="30D").to_numpy()[np.arange(300) % 3])
    one = ChurnClassifier(**SMALL).fit(numbers, pd.Series(y, index=numbers.index), accounts=accounts, cutoffs=cutoffs)
    two = ChurnClassifier(**SMALL).fit(
        pl.from_pandas(numbers), pl.Series(y), accounts=pl.from_pandas(accounts), cutoffs=pl.from_pandas(cutoffs)
    )
    assert one.model_text_ == two.model_text_
