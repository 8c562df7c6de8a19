"""Every metric against a slow, obvious program, scikit-learn, and what must not change it."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from staypower import metrics

# Few distinct scores, so that ties are the rule.
SCORED = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=1, max_size=24)
BOTH = SCORED.filter(lambda rows: len({y for y, _ in rows}) == 2)
QUICK = settings(max_examples=60, deadline=None)

RANKING = {
    "auroc": metrics.auroc,
    "average_precision": metrics.average_precision,
    "lift": lambda y, s: metrics.lift_at(y, s, 0.15),
    "gain": lambda y, s: metrics.gain_at(y, s, 0.4),
    "precision": lambda y, s: metrics.precision_at(y, s, 3),
    "recall": lambda y, s: metrics.recall_at(y, s, 3),
    "empc": lambda y, s: metrics.expected_maximum_profit(y, s).profit,
    "empc fraction": lambda y, s: metrics.expected_maximum_profit(y, s).fraction,
    "maximum profit": lambda y, s: metrics.maximum_profit(y, s).profit,
}
PROBABILITY = {
    "log_loss": metrics.log_loss,
    "brier": metrics.brier,
    "brier_skill": metrics.brier_skill,
    "calibration_error": lambda y, p: metrics.calibration_error(y, p, bins=3),
}


def split(rows):
    y, s = zip(*rows, strict=True)
    return np.array(y), np.array(s, dtype=float)


@QUICK
@given(rows=SCORED, seed=st.integers(0, 999))
def test_the_order_of_rows_changes_nothing(rows, seed):
    y, s = split(rows)
    order = np.random.default_rng(seed).permutation(len(y))
    for name, metric in RANKING.items():
        assert metric(y[order], s[order]) == pytest.approx(metric(y, s), nan_ok=True, abs=1e-9), name
    for name, metric in PROBABILITY.items():
        assert metric(y[order], s[order] / 6) == pytest.approx(metric(y, s / 6), nan_ok=True, abs=1e-9), name


@QUICK
@given(rows=SCORED)
def test_only_the_order_of_scores_counts_for_ranking(rows):
    y, s = split(rows)
    for name, metric in RANKING.items():
        expected = pytest.approx(metric(y, s), nan_ok=True)
        assert metric(y, np.exp(s)) == expected, name
        assert metric(y, -1 / (1 + s)) == expected, name


@QUICK
@given(rows=BOTH)
def test_agreement_with_scikit_learn(rows):
    y, s = split(rows)
    p = s / 6
    assert metrics.auroc(y, s) == pytest.approx(roc_auc_score(y, s))
    assert metrics.average_precision(y, s) == pytest.approx(average_precision_score(y, s))
    assert metrics.log_loss(y, p) == pytest.approx(log_loss(y, p))
    assert metrics.brier(y, p) == pytest.approx(brier_score_loss(y, p))


@QUICK
@given(rows=BOTH, weights=st.lists(st.integers(0, 3), min_size=24, max_size=24))
def test_weights_agree_with_scikit_learn(rows, weights):
    y, s = split(rows)
    w = np.array(weights[: len(y)])
    if len(set(y[w > 0])) < 2:
        return
    assert metrics.auroc(y, s, sample_weight=w) == pytest.approx(roc_auc_score(y, s, sample_weight=w))
    assert metrics.average_precision(y, s, sample_weight=w) == pytest.approx(average_precision_score(y, s, sample_weight=w))
    assert metrics.log_loss(y, s / 6, sample_weight=w) == pytest.approx(log_loss(y, s / 6, sample_weight=w))


@QUICK
@given(rows=BOTH)
def test_auroc_is_the_share_of_pairs_won(rows):
    y, s = split(rows)
    pairs = [(a > b) + (a == b) / 2 for a, b in itertools.product(s[y == 1], s[y == 0])]
    assert metrics.auroc(y, s) == pytest.approx(np.mean(pairs))


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2)), min_size=2, max_size=6), count=st.integers(1, 6))
def test_a_shared_tie_is_the_mean_over_every_way_of_breaking_it(rows, count):
    y, s = split(rows)
    taken = min(count, len(y))
    orders = [order for order in itertools.permutations(range(len(y))) if all(np.diff(s[list(order)]) <= 0)]
    expected = np.mean([y[list(order[:taken])].mean() for order in orders])
    assert metrics.precision_at(y, s, count) == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(
    rows=SCORED,
    clv=st.integers(20, 400),
    incentive=st.integers(0, 15),
    contact=st.integers(0, 5),
    alpha=st.integers(1, 9),
    shape=st.integers(1, 15),
)
def test_expected_maximum_profit_is_the_integral_of_the_best_profit(rows, clv, incentive, contact, alpha, shape):
    y, s = split(rows)
    best = metrics.expected_maximum_profit(
        y, s, clv=clv, incentive_cost=incentive, contact_cost=contact, alpha=alpha, beta=shape
    )
    edges = np.linspace(0, 1, 20_001)
    gamma, mass = (edges[1:] + edges[:-1]) / 2, np.diff(beta.cdf(edges, alpha, shape))
    depths = [s > s.max(), *(s >= each for each in np.unique(s))]
    churned, stayed = (np.array([(depth & (y == kind)).sum() for depth in depths]) / len(y) for kind in (1, 0))
    earned = np.outer(gamma * (clv - incentive) - contact, churned) - (incentive + contact) * stayed
    assert best.profit == pytest.approx(earned.max(axis=1) @ mass, rel=1e-4, abs=1e-3)


@QUICK
@given(rows=SCORED)
def test_everything_stays_within_its_bounds(rows):
    y, s = split(rows)
    for name in ("auroc", "average_precision", "gain", "precision", "recall", "empc fraction"):
        value = RANKING[name](y, s)
        assert np.isnan(value) or -1e-12 <= value <= 1 + 1e-12, name
    assert RANKING["empc"](y, s) >= RANKING["maximum profit"](y, s) - 1e-9
    assert RANKING["maximum profit"](y, s) >= 0
    lift = RANKING["lift"](y, s)
    assert np.isnan(lift) or 0 <= lift <= min(1 / 0.15, 1 / y.mean()) + 1e-9
    for name in ("log_loss", "brier", "calibration_error"):
        assert PROBABILITY[name](y, s / 6) >= 0, name
    assert metrics.calibration_error(y, s / 6) <= 1


@QUICK
@given(rows=BOTH)
def test_reversing_the_score_mirrors_auroc(rows):
    y, s = split(rows)
    assert metrics.auroc(y, -s) == pytest.approx(1 - metrics.auroc(y, s))


@QUICK
@given(rows=SCORED, values=st.lists(st.integers(0, 500), min_size=24, max_size=24))
def test_instance_dependent_profit_is_the_best_prefix(rows, values):
    y, s = split(rows)
    value = np.array(values[: len(y)], dtype=float)
    earned = np.where(y == 1, 0.3 * (value - 10) - 1, -11)
    prefixes = [0.0, *(earned[s >= each].sum() / len(y) for each in np.unique(s))]
    assert metrics.instance_dependent_maximum_profit(y, s, value).profit == pytest.approx(max(prefixes))
