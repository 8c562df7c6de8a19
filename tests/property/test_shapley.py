"""Reasons on random trees: against the definition over all subsets, and against LightGBM's own."""

from __future__ import annotations

import lightgbm
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from shapley_oracle import Leaf, Node, base, model_text, prediction, shapley

from staypower.models.model_text import check_model_text
from staypower.models.shapley_values import Explainer, explain_rows
from staypower.models.tree_scores import score_few, score_rows

FEATURES = 4
# thresholds and values share a few numbers, those around zero among them, so that ties are common
edges = st.sampled_from(
    [-1.5, -1e-35, -1e-36, 0.0, 1e-36, 1.0000000180025095e-35, 2e-35, 0.5, float(np.nextafter(0.5, 1)), 3.0]
)
values = edges | st.sampled_from([float("nan"), -0.0, -0.5, -1.0, 1.0, 2.0, 2.9, 31.0, 32.0, 40.0, 64.0, 1e12, -1e12])
leaves = st.builds(Leaf, st.floats(-2, 2, width=32), st.integers(1, 1000))
allowed = st.none() | st.none() | st.frozensets(st.sampled_from([0, 1, 2, 3, 31, 32, 40, 63]), min_size=1)


def nodes(below: st.SearchStrategy[Node | Leaf]) -> st.SearchStrategy[Node]:
    missing = st.sampled_from(["none", "zero", "nan"])
    return st.builds(Node, st.integers(0, FEATURES - 1), edges, allowed, missing, st.booleans(), below, below)


trees = st.recursive(leaves, nodes, max_leaves=12)
models = st.lists(trees, min_size=1, max_size=3)
tables = st.lists(st.lists(values, min_size=FEATURES, max_size=FEATURES), min_size=1, max_size=6).map(np.array)


@given(models, tables)
def test_reasons_are_what_the_definition_says(model, rows):
    text = model_text(model, FEATURES)
    check_model_text(text, features=FEATURES)
    explainer = Explainer(text)
    assert explainer.way == "quadrature"
    found = explainer.explain(rows)
    np.testing.assert_allclose(found.contributions, [shapley(model, row) for row in rows], rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.base, base(model), rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.raw_score, [prediction(model, row) for row in rows], rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.base + found.contributions.sum(axis=1), found.raw_score, rtol=0, atol=1e-12)


@given(models, tables)
def test_reasons_are_lightgbms_and_scores_to_the_last_bit(model, rows):
    text = model_text(model, FEATURES)
    booster = lightgbm.Booster(model_str=text)
    theirs = booster.predict(rows, pred_contrib=True, num_threads=1)
    found = Explainer(text).explain(rows)
    np.testing.assert_allclose(found.contributions, theirs[:, :-1], rtol=0, atol=1e-12)
    assert found.base == theirs[0, -1]
    assert (found.raw_score == booster.predict(rows, raw_score=True, num_threads=1)).all()


@given(models, tables, st.integers(1, 9), st.randoms(use_true_random=False))
def test_a_row_does_not_depend_on_its_company(model, rows, width, random):
    explainer = Explainer(model_text(model, FEATURES))
    whole = explainer.explain(rows)
    order = list(range(len(rows)))
    random.shuffle(order)
    turned = explainer.explain(rows[order])
    assert (turned.contributions == whole.contributions[order]).all()
    contributions, raw = np.zeros(rows.shape), np.zeros(len(rows))
    explain_rows(rows, explainer.forest, width, contributions, raw)
    assert (contributions == whole.contributions).all()
    assert (raw == whole.raw_score).all()
    many, few = np.zeros(len(rows)), np.zeros(len(rows))
    score_rows(rows, explainer.forest, width, many)
    score_few(rows, explainer.forest, few)
    assert (many == raw).all()
    assert (few == raw).all()
