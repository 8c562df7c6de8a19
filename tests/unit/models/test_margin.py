"""A linear margin under the trees: fitted as others fit it, exact feature by feature, kept as plain JSON."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from staypower.errors import UsageError
from staypower.models import bundle as bundle_module
from staypower.models.bundle import Bundle, SealedModel, read_bundle, write_bundle
from staypower.models.calibration import SigmoidMap
from staypower.models.margin import LinearMargin, choose_strength, fit_margin, signed_log
from staypower.models.settings import TreeShape
from staypower.models.training_rows import ordered_rows
from staypower.models.trees import Grower, portable_text

NAMES = ("silence", "amount", "plan", "orders", "age")


def made(count=1200, seed=0):
    """Rows whose first feature acts on the log scale, with missing values and codes."""
    rng = np.random.default_rng(seed)
    silence = np.exp(rng.normal(3, 1, count))
    amount = rng.normal(0, 50, count)
    plan = rng.integers(0, 3, count).astype(float)
    orders = np.where(rng.random(count) < 0.3, np.nan, rng.poisson(3, count))
    age = np.where(np.isnan(orders), np.nan, rng.normal(40, 10, count))
    raw = 0.9 * (np.log1p(silence) - 3) + 0.8 * (plan == 2) + 0.5 * np.isnan(orders) - 1
    y = (rng.random(count) < expit(raw)).astype(np.int8)
    return np.column_stack([silence, amount, plan, orders, age]), y


def rows_of(features, y):
    return ordered_rows(features, y, None, accounts=np.arange(len(y)), cutoffs=None)


@pytest.fixture(scope="module")
def grown():
    rows = rows_of(*made())
    shape = TreeShape.by_evidence(churners=300, accounts=1200, rows=1200)
    grower = Grower(shape, max_trees=60, patience=10, seed=0, threads=1, categorical=(2,), margin=10.0)
    return grower.grow(rows, trees=30)


@pytest.fixture(scope="module")
def sealed(grown):
    text = portable_text(grown.booster, trees=30)
    return Bundle(text, SigmoidMap(0.9, -0.1), NAMES, {"base_rate": 0.3}, margin=grown.margin)


def test_the_weights_are_those_of_scikit_learn():
    features, y = made()
    features = features[:, :2]
    z = signed_log(features)
    z = np.clip((z - z.mean(axis=0)) / z.std(axis=0), -6, 6)
    theirs = LogisticRegression(C=1 / 30.0, tol=1e-10, max_iter=1000).fit(z, y)
    ours = fit_margin(rows_of(features, y), strength=30.0)
    np.testing.assert_allclose(ours.raw(features), theirs.decision_function(z), atol=1e-4)


def test_every_feature_is_zero_on_average_and_the_base_is_the_mean():
    features, y = made()
    margin = fit_margin(rows_of(features, y), (2,), strength=10.0)
    parts = margin.contributions(features)
    np.testing.assert_allclose(parts.mean(axis=0), 0.0, atol=1e-9)
    assert margin.raw(features).mean() == pytest.approx(margin.base)
    assert abs(parts[features[:, 2] == 2, 2].mean() - parts[features[:, 2] == 0, 2].mean()) > 0.3
    # what absence says is shared by the features that are missing together
    gone = np.isnan(features[:, 3])
    assert parts[gone, 3].mean() > 0.05
    assert parts[gone, 4].mean() > 0.05


def test_a_line_goes_on_where_training_ends_but_not_for_ever():
    margin = fit_margin(rows_of(*made()), (2,), strength=10.0)
    silence = np.zeros((4, 5))
    silence[:, 0] = [100.0, 1e3, 1e9, 1e12]
    raw = margin.raw(silence)
    assert raw[0] < raw[1] < raw[2] == raw[3]


def test_a_code_never_seen_adds_what_rare_codes_add():
    features, y = made()
    margin = fit_margin(rows_of(features, y), (2,), strength=10.0)
    strange = features[:1].copy()
    strange[0, 2] = 17
    assert margin.contributions(strange)[0, 2] == margin.shift[2]


def test_the_bits_depend_neither_on_other_rows_nor_on_threads(monkeypatch):
    features, y = made()
    margin = fit_margin(rows_of(features, y), (2,), strength=10.0)
    whole = margin.raw(features)
    single = np.concatenate([margin.raw(features[at : at + 1]) for at in range(50)])
    assert (whole[:50] == single).all()
    assert (margin.raw(np.asfortranarray(features)) == whole).all()
    threadpoolctl = pytest.importorskip("threadpoolctl")
    with threadpoolctl.threadpool_limits(2):
        assert fit_margin(rows_of(features, y), (2,), strength=10.0) == margin
    shuffled = np.random.default_rng(1).permutation(len(y))
    rows = ordered_rows(features[shuffled], y[shuffled], None, accounts=np.arange(len(y))[shuffled], cutoffs=None)
    assert fit_margin(rows, (2,), strength=10.0) == margin


def test_the_penalty_follows_from_the_data():
    features, y = made()
    noise = np.random.default_rng(3).integers(0, 2, len(y)).astype(np.int8)
    assert choose_strength(rows_of(features, noise)) > choose_strength(rows_of(features, y))


def test_trees_start_from_the_margin(grown):
    features, _ = made(seed=5)
    alone = grown.margin.raw(features)
    both = grown.raw(features, threads=1)
    assert (both == alone + grown.booster.predict(features, raw_score=True)).all()
    assert not np.allclose(both, alone)


@given(st.lists(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=5, max_size=5), min_size=1, max_size=8))
def test_what_the_features_add_is_the_score(sealed, values):
    features = np.array(values)
    features[:, 2] = np.abs(np.floor(features[:, 2] % 5))
    found = sealed.explain(features)
    assert (found.raw_score == sealed.raw_score(features)).all()
    np.testing.assert_allclose(found.base + found.contributions.sum(axis=1), found.raw_score, rtol=0, atol=1e-9)


def test_a_margin_that_reasons_forget_is_noticed(sealed, monkeypatch):
    """The test above fails where the margin is left out of the reasons."""
    features, _ = made(20)
    real = bundle_module.explain_on_margin
    monkeypatch.setattr(
        bundle_module, "explain_on_margin", lambda text, margin, features, threads=None: real(text, None, features)
    )
    assert (sealed.explain(features).raw_score != sealed.raw_score(features)).all()


def test_the_bundle_keeps_the_margin_as_json(sealed, tmp_path):
    features, _ = made(50, seed=9)
    digest = write_bundle(sealed, tmp_path / "bundle")
    assert (tmp_path / "bundle" / "margin.json").is_file()
    again = read_bundle(tmp_path / "bundle", digest=digest)
    assert again.margin == sealed.margin
    assert (again.predict(features) == sealed.predict(features)).all()
    secondary = SealedModel(sealed.model_text, None, NAMES, {}, sealed.margin)
    back = SealedModel.from_dict(sealed.model_text, secondary.to_dict(), file="x")
    assert (back.raw_score(features) == secondary.raw_score(features)).all()
    # without a margin no file and no key is written: the bytes are those of before
    bare = replace(sealed, margin=None)
    assert "margin.json" not in bare.files()
    assert "margin" not in replace(secondary, margin=None).to_dict()


@pytest.mark.parametrize(
    "broken",
    [
        {"weight": [0.0]},
        {"base": None},
        {"base": True},
        {"low": [float("inf")] * 5},
        {"codes": {"9": {"0": 1.0}}},
        {"codes": {"2": {"x": 1.0}}},
        {"codes": {"2": {"1": "high"}}},
        {"more": 1},
    ],
)
def test_a_margin_that_no_fit_wrote_is_refused(sealed, broken):
    with pytest.raises(UsageError, match="margin"):
        LinearMargin.from_dict({**sealed.margin.to_dict(), **broken}, features=5)


def test_a_margin_of_other_features_is_refused(sealed):
    with pytest.raises(UsageError, match="other features"):
        Bundle(sealed.model_text, sealed.calibration, NAMES, margin=replace(sealed.margin, weight=(0.0,)))
