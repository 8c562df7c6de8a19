"""What is expected before outcomes are known: against brute force, and against outcomes that are drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from staypower.metrics.probability import calibration_error
from staypower.metrics.ranking import auroc
from staypower.monitoring.expected import FIGURES, Expected, Spread, expect, observe


def by_hand(p):
    """Average over every pair of two accounts."""
    won = pairs = 0.0
    for i, churns in enumerate(p):
        for j, stays in enumerate(p):
            if i != j:
                weight = churns * (1 - stays)
                pairs += weight
                won += weight * (1.0 if churns > stays else 0.5 if churns == stays else 0.0)
    return won / pairs


@given(st.lists(st.sampled_from([0.05, 0.1, 0.3, 0.5, 0.9]) | st.floats(0.01, 0.99), min_size=30, max_size=45))
def test_the_expected_auroc_is_that_of_all_pairs(p):
    assert expect(np.array(p)).figures["auroc"].value == pytest.approx(by_hand(p), abs=1e-12)


def test_what_comes_true_lies_within_the_intervals():
    rng = np.random.default_rng(0)
    p = rng.beta(1, 8, 800)
    found = expect(p)
    outside = dict.fromkeys(FIGURES, 0)
    for _ in range(200):
        seen = observe(found, p, (rng.random(800) < p).astype(np.int8))
        for name in FIGURES:
            outside[name] += seen.outside(name)
    assert all(count <= 22 for count in outside.values()), outside
    seen = observe(found, p, (rng.random(800) < np.minimum(2 * p, 1)).astype(np.int8))
    assert seen.outside("churn_rate")
    assert seen.outside("log_loss")


def test_what_came_true_is_measured_as_elsewhere():
    rng = np.random.default_rng(1)
    p = rng.uniform(0.01, 0.6, 400)
    y = (rng.random(400) < p).astype(np.int8)
    seen = observe(expect(p), p, y)
    assert seen.observed["auroc"] == auroc(y, p)
    assert seen.observed["calibration_error"] == calibration_error(y, p)
    assert seen.observed["churn_rate"] == y.mean()
    assert seen.churned == y.sum()


def test_cautious_probabilities_are_spread_by_known_outcomes():
    rng = np.random.default_rng(2)
    risk = expit(rng.normal(-2.0, 1.2, 4000))
    y = (rng.random(4000) < risk).astype(np.int8)
    cautious = expit(-2.0 + 0.4 * (np.log(risk / (1 - risk)) + 2.0))
    spread = Spread.of(cautious, y)
    assert spread.slope == pytest.approx(1 / 0.4, rel=0.1)
    truth = by_hand(risk[:400])
    assert expect(cautious[:400]).figures["auroc"].value < truth - 0.05
    assert expect(cautious[:400], spread=spread).figures["auroc"].value == pytest.approx(truth, abs=0.02)
    assert Spread.of(risk, y).slope == pytest.approx(1.0, abs=0.1)


def test_intervals_hold_what_a_few_known_outcomes_leave_open():
    rng = np.random.default_rng(3)
    within = dict.fromkeys(FIGURES, 0)
    for _ in range(60):
        risk = expit(rng.normal(-2.0, 1.2, 1500))
        cautious = expit(-2.0 + 0.6 * (np.log(risk / (1 - risk)) + 2.0))
        y = (rng.random(1500) < risk).astype(np.int8)
        found = observe(expect(cautious[300:], spread=Spread.of(cautious[:300], y[:300])), cautious[300:], y[300:])
        for name in FIGURES:
            within[name] += not found.outside(name)
    assert all(count >= 53 for count in within.values()), within


def test_a_handful_of_accounts_or_outcomes_says_nothing():
    assert all(math.isnan(each.value) for each in expect(np.full(29, 0.2)).figures.values())
    assert Spread.of(np.linspace(0.1, 0.9, 40), np.array([1] * 9 + [0] * 31, dtype=np.int8)) == Spread()
    one_class = observe(expect(np.full(40, 0.2)), np.full(40, 0.2), np.zeros(40, dtype=np.int8))
    assert math.isnan(one_class.observed["auroc"])
    assert not one_class.outside("auroc")
    assert Expected(0, {}).to_dict()["observed"] is None
