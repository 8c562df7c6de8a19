"""The joint part of the calibration."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from staypower.errors import UsageError
from staypower.models.tier_prediction import Blend, fit_blend


def noisy(rows=4000, seed=0):
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=rows)
    ranks = np.digitize(signal + rng.logistic(size=rows), [-1, 1]).astype(np.int8)
    own = np.column_stack([signal + 1, signal - 1]) + 0.7 * rng.normal(size=(rows, 2))
    return own, ranks


def test_the_fit_is_the_logistic_regression_where_rows_are_many():
    own, ranks = noisy(rows=40_000)
    blend = fit_blend(own, ranks)

    for step in range(2):
        plain = LogisticRegression(C=1e9, tol=1e-10).fit(own, ranks > step)
        assert blend.weights[step] == pytest.approx(plain.coef_[0], abs=0.015)
        assert blend.intercepts[step] == pytest.approx(plain.intercept_[0], abs=0.015)


def test_few_rows_leave_each_step_to_itself():
    own, ranks = noisy(rows=6)

    assert np.abs(np.array(fit_blend(own, ranks).weights) - np.eye(2)).max() < 0.35


def test_no_step_counts_against_another():
    rng = np.random.default_rng(1)
    own = rng.normal(size=(3000, 2))
    ranks = np.where(own[:, 0] - own[:, 1] + rng.logistic(size=3000) > 0, 2, 0).astype(np.int8)
    blend = fit_blend(own, ranks)

    assert blend.weights[0][1] == 0.0, "the other step points the wrong way"
    assert blend.weights[1][1] > 0.0, "a step's own probability never falls with its score"


def test_weights_of_rows_count_like_rows():
    own, ranks = noisy(rows=400)
    twice = np.repeat(np.arange(400), np.where(ranks == 0, 2, 1))

    heavy = fit_blend(own, ranks, np.where(ranks == 0, 2.0, 1.0))

    assert heavy.weights[0] == pytest.approx(fit_blend(own[twice], ranks[twice]).weights[0], abs=1e-4)


def test_apart_changes_nothing_and_rows_do_not_matter_to_each_other():
    own, ranks = noisy(rows=50)
    assert (Blend.apart(2).log_odds(own) == own).all()
    blend = fit_blend(own, ranks)
    assert (np.vstack([blend.log_odds(row[None, :]) for row in own]) == blend.log_odds(own)).all()


@pytest.mark.parametrize(
    ("weights", "intercepts"),
    [
        ((), ()),
        (((1.0,),), (0.0, 0.0)),
        (((1.0, 0.0), (0.0, float("nan"))), (0.0, 0.0)),
        (((1.0, -0.1), (0.0, 1.0)), (0.0, 0.0)),
        (((0.0, 1.0), (0.0, 1.0)), (0.0, 0.0)),
        (((True,),), (0.0,)),
    ],
)
def test_numbers_that_are_no_blend_are_refused(weights, intercepts):
    with pytest.raises(UsageError, match="unusable tier calibration"):
        Blend(weights, intercepts)
