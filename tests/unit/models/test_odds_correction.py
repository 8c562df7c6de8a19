"""Rows that stayed and were left out: the correction gives back the true probabilities, and nothing else moves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from staypower.errors import UsageError
from staypower.models.bundle import read_bundle, write_bundle
from staypower.models.calibration import BetaMap, SigmoidMap, TemperatureMap, shift_map
from staypower.models.churn import ChurnClassifier

MAPS = [TemperatureMap(1.7), SigmoidMap(0.8, -0.4), BetaMap(1.2, 0.7, 0.3)]
KEPT = 0.15


@pytest.fixture(scope="module")
def people():
    """Twelve thousand rows of 4,000 accounts whose true probability of churn is known; 7 % churn."""
    rng = np.random.default_rng(4)
    X = pd.DataFrame(rng.normal(size=(12_000, 3)), columns=["silence", "tickets", "seats"])
    truth = expit(1.3 * X["silence"].to_numpy() + 0.8 * np.abs(X["tickets"].to_numpy()) - 4.1)
    return X, truth, (rng.random(len(X)) < truth).astype(np.int8), np.arange(len(X)) // 3


@pytest.fixture(scope="module")
def fitted(people):
    """A model of all rows that churned and 15 % of those that stayed, not corrected."""
    X, _, y, accounts = people
    kept = (y == 1) | (np.random.default_rng(5).random(len(y)) < KEPT)
    return ChurnClassifier(max_trees=80, n_jobs=1).fit(X[kept], y[kept], accounts=accounts[kept])


def corrected(fitted):
    other = ChurnClassifier(**fitted.get_params())
    other.__dict__.update(fitted.__dict__)
    return other.correct_odds(np.log(KEPT))


def test_the_mean_probability_is_the_base_rate_and_without_the_correction_it_is_not(people, fitted):
    X, truth, y, _ = people
    found, plain = (each.predict_proba(X)[:, 1] for each in (corrected(fitted), fitted))
    assert found.mean() == pytest.approx(truth.mean(), rel=0.08)
    assert found.mean() == pytest.approx(y.mean(), rel=0.08)
    assert plain.mean() > 3 * truth.mean(), "rows that stayed were left out, and nothing made up for it"


def test_every_tenth_of_the_accounts_gets_its_true_probability(people, fitted):
    X, truth, _, _ = people
    found = corrected(fitted).predict_proba(X)[:, 1]
    for rows in np.array_split(np.argsort(found), 10):
        assert found[rows].mean() == pytest.approx(truth[rows].mean(), abs=0.02)


def test_reasons_and_ranking_stay_and_the_odds_fall_by_the_share(people, fitted):
    X = people[0].iloc[:300]
    moved = corrected(fitted)
    contributions, base = moved.contributions(X)
    assert np.allclose(base + contributions.sum(axis=1), moved.raw_score(X), atol=1e-6)
    assert moved.raw_score(X).tobytes() == fitted.raw_score(X).tobytes()
    odds = [p / (1 - p) for p in (each.predict_proba(X)[:, 1] for each in (fitted, moved))]
    assert odds[1] / odds[0] == pytest.approx(KEPT)
    assert (
        np.argsort(moved.decision_function(X), kind="stable").tolist()
        == np.argsort(fitted.raw_score(X), kind="stable").tolist()
    )


def test_the_bundle_keeps_the_correction(people, fitted, tmp_path):
    X = people[0].iloc[:300]
    moved = corrected(fitted)
    digest = write_bundle(moved.to_bundle(metadata={"name": "small", "base_rate": 0.07}), tmp_path / "bundle")
    again = read_bundle(tmp_path / "bundle", digest=digest)
    assert again.predict(X).tobytes() == moved.predict_proba(X)[:, 1].tobytes()
    assert again.calibration == moved.calibration_ != fitted.calibration_


@pytest.mark.parametrize("found", MAPS, ids=[each.kind for each in MAPS])
def test_a_shifted_map_adds_the_same_everywhere_and_still_rises(found):
    raw = np.linspace(-8, 8, 401)
    moved = shift_map(found, np.log(KEPT))
    assert np.allclose(moved.log_odds(raw), found.log_odds(raw) + np.log(KEPT), rtol=0, atol=1e-12)
    assert np.allclose(logit(moved.apply(raw)), found.log_odds(raw) + np.log(KEPT), atol=1e-6)
    assert (np.diff(moved.log_odds(raw)) > 0).all()
    assert shift_map(found, 0.0) is found


def test_a_map_of_another_kind_is_refused():
    class Other:
        kind = "other"

    with pytest.raises(UsageError, match="no map that can be moved"):
        shift_map(Other(), -1.0)
