import os
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.special import expit

from staypower.errors import UsageError
from staypower.models.bundle import SealedModel, read_bundle, write_bundle
from staypower.models.seal import FILES


@pytest.fixture(scope="module")
def other(history):
    """A model of fewer features than the churn model reads."""
    X = history.X[["noise", "days_since_last_order"]]
    return type(history)(X, history.y, history.accounts, history.cutoffs).fit(categorical_features=None, max_trees=15)


@pytest.fixture(scope="module")
def sealed(other):
    return SealedModel(other.model_text_, other.calibration_, tuple(other.feature_names_in_), {"share": 0.7, "of": ["a"]})


@pytest.fixture(scope="module")
def bundle(model, sealed):
    bare = replace(sealed, calibration=None, metadata={})
    return replace(model.to_bundle(metadata={"name": "acme"}), secondary={"kinds": sealed, "bare_2": bare})


def test_secondary_models_are_read_as_they_were_written(bundle, tmp_path):
    digest = write_bundle(bundle, tmp_path / "b")
    again = read_bundle(tmp_path / "b", digest=digest)
    assert again == bundle
    assert list(again.secondary) == ["bare_2", "kinds"]
    assert again.secondary["kinds"].metadata == {"share": 0.7, "of": ["a"]}
    assert again.secondary["bare_2"].calibration is None
    flat = {f"companion_{name}.{ending}" for name in ("kinds", "bare_2") for ending in ("txt", "json")}
    assert set(os.listdir(tmp_path / "b")) == {*FILES, "manifest.json", *flat}


def test_a_secondary_model_scores_bit_for_bit_like_the_estimator(bundle, other, history, tmp_path):
    write_bundle(bundle, tmp_path / "b")
    found = read_bundle(tmp_path / "b").secondary["kinds"]
    X = history.X[["noise", "days_since_last_order"]]
    for threads in (1, 2, None):
        assert (found.predict(history.X, threads=threads) == other.predict_proba(X)[:, 1]).all()
        assert (found.raw_score(history.X, threads=threads) == other.raw_score(X)).all()
        values, base = found.contributions(history.X, threads=threads)
        assert (values == other.contributions(X)[0]).all()
        assert np.allclose(values.sum(axis=1) + base, found.raw_score(X), atol=1e-6)
    bare = read_bundle(tmp_path / "b").secondary["bare_2"]
    assert (bare.predict(X) == expit(other.raw_score(X))).all()


def test_a_secondary_model_takes_its_own_columns_by_name(sealed, history):
    turned = history.X[history.X.columns[::-1]].assign(more=1.0)
    expected = sealed.predict(history.X[list(sealed.feature_names)].to_numpy())
    assert (sealed.predict(turned) == expected).all()
    assert (sealed.predict(pl.from_pandas(turned)) == expected).all()
    with pytest.raises(UsageError, match="a feature is missing: noise"):
        sealed.predict(history.X.drop(columns="noise"))
    with pytest.raises(UsageError, match="give 2 features per row"):
        sealed.predict(np.ones((2, 4)))
    with pytest.raises(UsageError, match="infinite"):
        sealed.predict(np.full((1, 2), -np.inf))


def test_no_rows_give_no_scores(sealed, history):
    nothing = history.X.iloc[:0]
    assert sealed.predict(nothing).shape == (0,)
    values, base = sealed.contributions(nothing)
    assert values.shape == (0, 2)
    assert base == sealed.contributions(history.X)[1]


def test_without_secondary_models_the_seal_is_what_it_was(model, tmp_path):
    bundle = model.to_bundle(metadata={"name": "acme"})
    assert bundle.secondary == {}
    assert set(bundle.files()) == set(FILES)
    assert read_bundle(tmp_path / "b", digest=write_bundle(bundle, tmp_path / "b")) == bundle


def test_secondary_models_are_part_of_the_digest(bundle, sealed):
    other = replace(sealed, metadata={"share": 0.8})
    digests = {
        bundle.digest,
        replace(bundle, secondary={}).digest,
        replace(bundle, secondary={**bundle.secondary, "kinds": other}).digest,
        replace(bundle, secondary={"bare_2": bundle.secondary["bare_2"], "sorts": sealed}).digest,
    }
    assert len(digests) == 4
    turned = dict(reversed(bundle.secondary.items()))
    assert replace(bundle, secondary=turned).files() == bundle.files()


@pytest.mark.parametrize("name", ["", "Kinds", "../x", "a.b", "a" * 41, "kïnds", "a\n", 3])
def test_names_that_could_be_other_files_are_refused(bundle, sealed, name):
    with pytest.raises(UsageError, match="unusable name of a secondary model"):
        replace(bundle, secondary={name: sealed})


def test_parts_that_do_not_fit_are_refused(sealed):
    with pytest.raises(UsageError, match="unusable feature names"):
        replace(sealed, feature_names=("a", "a"))
    with pytest.raises(UsageError, match="broken model text"):
        replace(sealed, feature_names=("a", "b", "c"))
    with pytest.raises(UsageError, match="not JSON-able"):
        replace(sealed, metadata={"share": float("nan")})


def test_a_secondary_model_does_not_follow_its_makers_later_changes(sealed):
    metadata = {"shares": [0.7]}
    sealed = replace(sealed, metadata=metadata)
    metadata["shares"].append(0.1)
    assert sealed.metadata == {"shares": [0.7]}
    assert isinstance(pd.DataFrame(sealed.metadata), pd.DataFrame)
