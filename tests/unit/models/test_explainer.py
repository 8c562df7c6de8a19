from __future__ import annotations

import lightgbm
import numpy as np
import pytest
from shapley_oracle import Leaf, Node, model_text

from staypower.errors import UsageError
from staypower.models import tree_scores
from staypower.models.shapley_values import Explainer, explainer_of

ROWS = 5000
QUIET = {"verbosity": -1, "num_threads": 1, "deterministic": True, "force_col_wise": True, "min_data_in_leaf": 5}
SHAPES = {
    "stumps": {"num_leaves": 2},
    "default": {"num_leaves": 8, "max_depth": 4},
    "large": {"num_leaves": 31, "max_depth": 6},
    "unlimited": {"num_leaves": 63, "max_depth": -1},
}
MISSING = {
    "missing values": {},
    "no missing values": {"use_missing": False},
    "zero as missing": {"zero_as_missing": True},
}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    features = rng.normal(size=(ROWS, 7))
    features[:, :3] = np.floor(features[:, :3] * 3)
    features[:, 3] = rng.integers(0, 50, ROWS)
    features[:, 4] = rng.integers(0, 4, ROWS)
    score = features[:, 0] + features[:, 1] * (features[:, 5] > 0) + 4 * np.isin(features[:, 3] % 7, [1, 4]) - 1
    labels = (rng.random(ROWS) < 1 / (1 + np.exp(-score))).astype(np.int8)
    features[rng.random(features.shape) < 0.1] = np.nan
    return features, labels


def grown(data, trees=20, **parameters):
    dataset = lightgbm.Dataset(data[0], data[1], categorical_feature=[3, 4])
    return lightgbm.train({"objective": "binary", **QUIET, **parameters}, dataset, trees)


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("shape", SHAPES)
def test_reasons_and_scores_are_lightgbms(data, shape, missing):
    booster = grown(data, **SHAPES[shape], **MISSING[missing])
    rows = data[0][:300].copy()
    rows[:20, 3] = np.arange(-2, 18) * 5.5  # negative, fractional and unseen codes
    rows[20:30, 5] = [0.0, -0.0, 1e-35, -1e-35, 1e-36, 1.1e-35, -1.1e-35, 5e-324, 1e300, -1e300]
    theirs = booster.predict(rows, pred_contrib=True)
    explainer = Explainer(booster.model_to_string())
    found = explainer.explain(rows)
    np.testing.assert_allclose(found.contributions, theirs[:, :-1], rtol=0, atol=1e-12)
    assert (explainer.raw_score(rows) == found.raw_score).all()
    assert (explainer.raw_score(rows[:7]) == found.raw_score[:7]).all()
    assert np.abs(theirs[:, 3]).max() > 0.01  # the categorical feature is there
    assert found.base == theirs[0, -1]
    assert (found.raw_score == booster.predict(rows, raw_score=True)).all()


EDGES = [-1.5, -1e-35, -1e-36, 0.0, 1e-36, float(np.float32(1e-35)), 2e-35, 0.5, 0.5000000000000001, 3.0]
VALUES = np.array([*EDGES, np.nan, -0.0, 5e-324, -0.5, -1.0, -2.0, 2.9, 31.0, 32.0, 33.0, 63.0, 64.0, 1e12, -1e12])


@pytest.mark.parametrize("default_left", [False, True])
@pytest.mark.parametrize("missing", ["none", "zero", "nan"])
@pytest.mark.parametrize("split", [*EDGES, frozenset({0}), frozenset({3, 31, 32}), frozenset({2, 63})], ids=str)
def test_every_decision_is_lightgbms(split, missing, default_left):
    threshold, allowed = (0.0, split) if isinstance(split, frozenset) else (split, None)
    text = model_text([Node(0, threshold, allowed, missing, default_left, Leaf(-1.0, 1), Leaf(1.0, 1))], 1)
    rows = VALUES[:, np.newaxis]
    theirs = lightgbm.Booster(model_str=text).predict(rows, raw_score=True)
    for few in (rows, rows[:9]):
        assert Explainer(text).raw_score(few).tolist() == theirs[: len(few)].tolist()
    assert Explainer(text).explain(rows).raw_score.tolist() == theirs.tolist()


def test_no_number_depends_on_threads_order_or_company(data):
    made = Explainer(grown(data, **SHAPES["large"]).model_to_string())
    rows = data[0]
    assert len(rows) > 2 * tree_scores.CHUNK
    whole = made.explain(rows, threads=1)
    order = np.random.default_rng(0).permutation(len(rows))
    for threads in (0, 2, 8, None):
        turned = made.explain(rows[order], threads=threads)
        assert (turned.contributions == whole.contributions[order]).all()
        assert (turned.raw_score == whole.raw_score[order]).all()
        assert (made.raw_score(rows[order], threads=threads) == turned.raw_score).all()
    for start, stop in ((0, 1), (7, 11), (255, 513), (2040, 2056)):
        part = made.explain(rows[start:stop])
        assert (part.contributions == whole.contributions[start:stop]).all()
        assert (part.raw_score == whole.raw_score[start:stop]).all()


def test_no_rows_leave_the_base(data):
    booster = grown(data, trees=3)
    found = Explainer(booster.model_to_string()).explain(np.empty((0, 7)))
    assert found.contributions.shape == (0, 7)
    assert found.raw_score.shape == (0,)
    assert found.base == booster.predict(data[0][:1], pred_contrib=True)[0, -1]


def test_rows_may_lie_in_memory_any_way(data):
    made = Explainer(grown(data, trees=3).model_to_string())
    assert (made.explain(np.asfortranarray(data[0])).contributions == made.explain(data[0]).contributions).all()


def test_a_tree_of_one_leaf_moves_only_the_base():
    made = Explainer(model_text([Leaf(0.25, 10), Leaf(-1.0, 10)], 2))
    found = made.explain(np.array([[1.0, np.nan]]))
    assert found.contributions.tolist() == [[0.0, 0.0]]
    assert found.base == found.raw_score[0] == -0.75


def test_two_features_by_hand():
    # 1 for rows with f0 > 0 and f1 > 0, which half and a quarter of the training rows are: the mean is 1/8
    inner = Node(1, 0.0, None, "nan", False, Leaf(0.0, 3), Leaf(1.0, 1))
    found = Explainer(model_text([Node(0, 0.0, None, "nan", False, Leaf(0.0, 4), inner)], 2)).explain(np.array([[1.0, 1.0]]))
    assert found.base == 0.125
    # f0 alone lifts the mean from 1/8 to 1/4, and from 1/2 to 1 when f1 is known; f1 alone from 1/8 to 1/2, and from 1/4 to 1
    np.testing.assert_allclose(found.contributions, [[(1 / 8 + 1 / 2) / 2, (3 / 8 + 3 / 4) / 2]], rtol=1e-15)


@pytest.mark.parametrize("features", [1, 3, 20, 60])
def test_a_chain_a_hundred_deep_stays_exact(features):
    rng = np.random.default_rng(0)
    tree = Leaf(1.0, 1)
    for level in range(100):
        other = Leaf(float(rng.normal()), int(rng.integers(1, 5)))
        below = (tree, other) if level % 3 else (other, tree)
        tree = Node(level % features, float(rng.normal()), None, "nan", bool(level % 2), *below)
    text = model_text([tree], features)
    rows = np.where(rng.random((40, features)) < 0.2, np.nan, rng.normal(size=(40, features)))
    found = Explainer(text).explain(rows)
    theirs = lightgbm.Booster(model_str=text).predict(rows, pred_contrib=True)
    np.testing.assert_allclose(found.base + found.contributions.sum(axis=1), found.raw_score, rtol=0, atol=1e-13)
    if features < 60:  # LightGBM's own unwinding loses its digits on long paths: here it is off by 5e-6
        np.testing.assert_allclose(found.contributions, theirs[:, :-1], rtol=0, atol=1e-10)


def test_other_models_are_explained_by_lightgbm_and_it_is_said(data, caplog):
    booster = grown(data, trees=3, boosting="rf", bagging_fraction=0.5, bagging_freq=1)
    made = Explainer(booster.model_to_string())
    assert (made.way, made.why) == ("lightgbm", "a forest whose trees are averaged")
    assert made.why in caplog.text
    theirs = booster.predict(data[0][:5], pred_contrib=True)
    found = made.explain(data[0][:5])
    assert (found.contributions == theirs[:, :-1]).all()
    assert found.base == theirs[0, -1]
    assert (found.raw_score == booster.predict(data[0][:5], raw_score=True)).all()
    assert made.explain(data[0][:0]).contributions.shape == (0, 7)
    assert made.explain(data[0][:0]).base == found.base


REFUSED = {
    "more than one output": {"objective": "multiclass", "num_class": 2},
    "linear leaves": {"objective": "regression", "linear_tree": True},
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_nobody_explains_is_refused(data, why):
    with pytest.raises(UsageError, match=why):
        Explainer(grown(data, trees=2, **REFUSED[why]).model_to_string())


def test_a_branch_without_rows_is_outside(data):
    text = grown(data, trees=1).model_to_string()
    line = next(line for line in text.split("\n") if line.startswith("leaf_count="))
    altered = text.replace(line, "leaf_count=0 " + line.split(" ", 1)[1])
    assert Explainer(altered).why == "a branch that no training row took"
    line = next(line for line in text.split("\n") if line.startswith("threshold="))
    assert Explainer(text.replace(line, "threshold=nan " + line.split(" ", 1)[1])).why == "a threshold that is not a number"
    assert Explainer(text).why == ""


def test_a_models_explainer_is_kept(data):
    text = grown(data, trees=1).model_to_string()
    assert explainer_of(text) is explainer_of("".join(list(text)))
