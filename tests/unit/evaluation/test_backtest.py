"""Folds put together: pooled, by age, calibration; copies of accounts make nothing more certain."""

import json
from dataclasses import replace

import numpy as np
import pytest
from made_folds import ACCOUNTS, FIRST, fold_at, folds_of, world

from staypower import metrics
from staypower.cutoffs import DAY
from staypower.errors import UsageError
from staypower.evaluation.folds import backtest_of
from staypower.evaluation.rows import BASE_RATE
from staypower.evaluation.settings import CostSettings


@pytest.fixture(scope="module")
def made():
    truth, churned, folds = folds_of(blur=0.3, halves=True)
    return truth, churned, backtest_of(folds, capacity=20, costs=CostSettings(clv=900, incentive=40, contact=5), replicates=60)


def test_each_fold_is_evaluated_on_its_own_cutoff(made):
    truth, churned, found = made
    for number, fold in enumerate(found.folds):
        own = fold.evaluation
        assert own.rows == ACCOUNTS
        assert own.cutoffs == (FIRST + 30 * DAY * number,)
        assert own.metrics()["auroc"] == pytest.approx(metrics.auroc(churned[:, number], truth[:, number]))
        assert list(own.scorers) == ["model", BASE_RATE, "recency rule", "logistic regression"]
        assert own.scorers["model"]["log_loss"].bounded


def test_pooled_figures_put_the_fresh_predictions_together(made):
    truth, churned, found = made
    pooled = found.pooled
    assert pooled.metrics()["auroc"] == pytest.approx(metrics.auroc(churned.T.ravel(), truth.T.ravel()))
    assert (pooled.rows, pooled.accounts) == (4 * ACCOUNTS, ACCOUNTS)
    assert found.known_accounts is not None
    assert {"cutoff", "account", "plan"} == {group.partition for group in pooled.groups}
    assert pooled.split.startswith("rolling origin, 4 folds")


def test_an_older_model_is_compared_with_the_fresh_one_on_the_same_rows(made):
    truth, churned, found = made
    _, _, folds = folds_of(blur=0.3, halves=True)
    one = found.ages[1]
    assert [point.cutoffs for point in found.ages] == [4, 3, 2, 1]
    assert [point.days for point in found.ages] == [0, 30, 60, 90]
    old = np.concatenate([folds[at].probability[ACCOUNTS : 2 * ACCOUNTS] for at in range(3)])
    y, fresh = churned[:, 1:].T.ravel(), truth[:, 1:].T.ravel()
    assert one.metrics["auroc"] == pytest.approx(metrics.auroc(y, old))
    assert one.changes["auroc"].value == pytest.approx(metrics.auroc(y, old) - metrics.auroc(y, fresh))
    assert one.changes["log_loss"].value == pytest.approx(metrics.log_loss(y, old) - metrics.log_loss(y, fresh))
    assert found.ages[0].changes["auroc"].value == 0.0


def test_ageing_that_was_planted_is_found_and_absence_of_it_too(made):
    _, _, found = made
    assert found.ages[2].changes["auroc"].high < 0
    assert found.ages[2].changes["log_loss"].low > 0
    _, _, steady = folds_of()
    young = backtest_of(steady, replicates=60)
    assert all(point.changes["auroc"].value == pytest.approx(0.0) for point in young.ages)


def test_copies_of_accounts_at_many_cutoffs_narrow_no_interval():
    """The same account four times over, at four cutoffs with the same outcome, is one account."""
    truth, churned, rng = world(folds=1)
    single = fold_at(0, truth, churned, rng)
    four_times = [np.repeat(each, 4, axis=1) for each in (truth, churned)]
    copies = [fold_at(number, *four_times, np.random.default_rng(1)) for number in range(4)]
    once = backtest_of([single], replicates=150).pooled.scorers["model"]
    many = backtest_of(copies, replicates=150).pooled.scorers["model"]
    for name in ("auroc", "log_loss", "brier", "lift_10"):
        assert many[name].value == pytest.approx(once[name].value)
        assert (many[name].low, many[name].high) == pytest.approx((once[name].low, once[name].high))


def test_probabilities_that_are_too_low_are_said_with_their_cutoffs():
    _, _, folds = folds_of(too_low=0.12)
    found = backtest_of(folds, replicates=60)
    text = " ".join(found.text().split())
    assert "More accounts churned than predicted at 2025-01-01, 2025-01-31, 2025-03-02, 2025-04-01" in text
    drift = found.frame("calibration")
    assert (drift["observed_low"] > drift["predicted"]).all()
    _, _, well = folds_of()
    assert "In every fold the predicted rate lies within" in backtest_of(well, replicates=60).text()


def test_headline_says_how_steady_the_model_is(made):
    _, _, found = made
    assert found.headline.startswith("The model beats every baseline in AUROC")
    assert "By fold, AUROC is 0." in found.headline
    assert "better than every baseline in" in found.headline


def test_what_is_not_beaten_comes_first():
    truth, churned, rng = world()
    folds = [fold_at(number, truth, churned, rng, blur=0.0) for number in range(4)]
    worse = [replace(fold, probability=rng.random(len(fold.churned))) for fold in folds]
    assert backtest_of(worse, replicates=30).headline.startswith("The model does not beat ")


def test_every_form_holds_the_same_result(made):
    _, _, found = made
    assert max(map(len, found.text().splitlines())) <= 100
    assert len(found.frame()) == 4 * 4
    assert len(found.frame("ages")) == 4
    assert found.frame("ages")["auroc_change_low"].notna().sum() == 3
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["folds"][2]["evaluation"]["scorers"]["model"]["auroc"]["value"] == found.folds[2].evaluation.metrics()["auroc"]
    assert plain["metrics"]["folds"] == 4
    assert plain["metrics"]["auroc_lowest_fold"] <= plain["metrics"]["auroc_highest_fold"]
    assert "<table>" in found._repr_html_()


def test_left_out_folds_are_said():
    _, _, folds = folds_of()
    found = backtest_of(folds[1:], left_out=["fold tested at 2025-01-01 left out: 3 rows churned"], replicates=20)
    assert "fold tested at 2025-01-01 left out" in found.text()


def test_one_fold_has_no_ageing():
    _, _, folds = folds_of()
    found = backtest_of(folds[-1:], replicates=20)
    assert len(found.ages) == 1
    assert "the same models later" not in found.text()
    assert "By fold" not in found.headline


def test_a_baseline_that_some_folds_lack_stands_in_the_middle_there():
    truth, churned, rng = world()
    folds = [fold_at(number, truth, churned, rng) for number in range(4)]
    folds[0] = replace(folds[0], scores={"logistic regression": folds[0].scores["logistic regression"]})
    found = backtest_of(folds, replicates=20)
    assert found.pooled.scored["recency rule"] == pytest.approx(0.75)
    assert "recency rule" not in found.folds[0].evaluation.scorers


def test_nothing_to_evaluate_is_refused():
    with pytest.raises(UsageError, match="no fold to evaluate"):
        backtest_of([])
