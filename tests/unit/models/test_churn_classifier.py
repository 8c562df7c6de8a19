import pickle
from typing import ClassVar

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from staypower.cutoffs import DAY, instant_of
from staypower.errors import UsageError
from staypower.models import settings as settings_module
from staypower.models import training
from staypower.models import training_rows as rows_module
from staypower.models.calibration import SigmoidMap, fit_map, shift_map
from staypower.models.churn import ChurnClassifier
from staypower.models.settings import FitSettings, ModelSettings
from staypower.models.training_rows import FitError

FIRST = instant_of("2024-01-01")


class Watching(training.Grower):
    """A grower that keeps which rows it was given."""

    seen: ClassVar[list] = []

    def grow(self, rows, *, trees):
        Watching.seen.append((rows, None))
        return super().grow(rows, trees=trees)

    def grow_watched(self, rows, held):
        Watching.seen.append((rows, held))
        return super().grow_watched(rows, held)


@pytest.fixture
def watched(monkeypatch):
    monkeypatch.setattr(training, "Grower", Watching)
    Watching.seen = []
    return Watching.seen


def test_it_learns_and_is_calibrated(history, model, make_history):
    other = make_history(accounts=400, seed=5)
    probability = model.predict_proba(other.X)[:, 1]
    assert roc_auc_score(other.y, probability) > 0.75
    assert log_loss(other.y, probability) < log_loss(other.y, np.full(len(other.y), history.y.mean())) - 0.1
    assert probability.mean() == pytest.approx(other.y.mean(), abs=0.03)
    top = probability >= np.quantile(probability, 0.8)
    assert probability[top].mean() == pytest.approx(other.y[top].mean(), abs=0.06)


def test_grouped_folds_share_no_account_and_the_last_trees_see_all_rows(history, watched):
    fitted = history.fit(split="grouped", folds=4)
    folds, (final, nothing) = watched[:-1], watched[-1]
    assert len(folds) == 4
    assert nothing is None
    assert len(final) == len(history.y)
    for rows, held in folds:
        assert not set(rows.accounts) & set(held.accounts)
        assert len(rows) + len(held) == len(history.y)
    held_accounts = np.concatenate([np.unique(held.accounts) for _, held in folds])
    assert sorted(held_accounts) == list(range(150))
    assert fitted.split_.startswith("grouped: tree count and calibration from 4-fold cross-fitting")


def test_what_is_known_of_an_account_cannot_stop_or_calibrate_its_own_trees():
    # Each account has a signature of its own and one label for ever, and nothing else tells. Split by row, the signature
    # gives the label away; split by account, nothing is learned and the held-out loss stays that of a coin.
    rng = np.random.default_rng(3)
    accounts = np.repeat(np.arange(200), 6)
    X = rng.normal(size=(200, 3))[accounts]
    y = rng.integers(0, 2, 200)[accounts]
    by_account = ChurnClassifier(n_jobs=1, num_leaves=31, max_depth=6, max_trees=100, learning_rate=0.1).fit(
        X, y, accounts=accounts
    )
    by_row = ChurnClassifier(n_jobs=1, num_leaves=31, max_depth=6, max_trees=100, learning_rate=0.1).fit(
        X + rng.normal(scale=1e-6, size=X.shape), y
    )
    assert by_account.held_out_loss_ > 0.68
    assert by_row.held_out_loss_ < 0.4
    assert np.abs(by_account.predict_proba(X)[:, 1] - 0.5).mean() < 0.1


def months(rows):
    return sorted(set((rows.cutoffs - FIRST) // (30 * DAY)))


def test_temporal_calibration_is_later_by_the_embargo(watched, make_history):
    history = make_history(accounts=500, cutoffs=12)
    fitted = history.fit(embargo_days=90, refit=False)
    ((rows, held),) = watched
    assert rows.cutoffs.max() + 90 * DAY <= held.cutoffs.min()
    assert months(held) == [10, 11]
    assert months(rows) == list(range(8))
    assert fitted.split_.startswith("temporal: trees from 8 cutoffs")
    assert fitted.split_.endswith("in which 2 cutoffs are not used; tree count found on those later cutoffs")


def test_the_final_trees_see_every_cutoff_and_the_calibrated_ones_only_the_earlier(watched, make_history):
    history = make_history(accounts=500, cutoffs=12)
    fitted = history.fit(embargo_days=90)
    *folds, (early, nothing), (final, _) = watched
    assert (len(folds), nothing) == (3, None)
    for rows, held in folds:
        assert not set(rows.accounts) & set(held.accounts)
        assert months(rows) == list(range(12))
    assert months(early) == list(range(8))
    assert len(final) == len(history.y)
    assert "tree count found by 3-fold cross-fitting over accounts" in fitted.split_
    assert fitted.split_.endswith("final trees refitted on all 6000 rows")


def test_the_spread_is_that_of_the_earlier_trees_on_the_later_cutoffs(make_history):
    """What calibrates must not have been seen: scores of later rows by trees of earlier ones, and no others."""
    history = make_history(accounts=500, cutoffs=12)
    fitted = history.fit(embargo_days=90, calibration="sigmoid")
    month, X, y = (history.cutoffs - FIRST) // (30 * DAY), history.X.to_numpy(), np.asarray(history.y)
    later = month >= 10
    every = rows_module.ordered_rows(X, y, None, accounts=history.accounts, cutoffs=history.cutoffs)
    rows = every.take((every.cutoffs - FIRST) // (30 * DAY) < 8)
    settings = FitSettings(max_trees=40, threads=1)
    shape = training._rows_in_leaf(training._shape(every, settings), rows, every)
    grower = training._grower(rows, settings, (2,), shape)
    trees = round(fitted.best_iteration_ / grower.haste)
    raw = grower.hastened().grow(rows, trees=trees).raw(X[later], threads=1)
    expected = fit_map("sigmoid", raw, y[later], accounts=np.unique(history.accounts[later], return_inverse=True)[1])
    assert fitted.calibration_.slope == pytest.approx(expected.slope, rel=1e-9)


def test_the_level_is_that_of_the_trees_the_map_is_used_with(make_history, monkeypatch):
    """A map of the earlier trees that is off by far in its level gives the same probabilities as the right one."""
    history = make_history(accounts=500, cutoffs=12)
    honest = history.fit(embargo_days=90, calibration="sigmoid")
    assert not [note for note in honest.notes_ if "recalibrated" in note]
    real = training._over_time
    off = lambda *given: (shift_map(real(*given)[0], -3.0), ())  # noqa: E731
    monkeypatch.setattr(training, "_over_time", off)
    fixed = history.fit(embargo_days=90, calibration="sigmoid")
    np.testing.assert_allclose(fixed.predict_proba(history.X), honest.predict_proba(history.X), atol=1e-9)


def test_a_map_whose_spread_does_not_hold_for_the_final_trees_is_fitted_anew(make_history, monkeypatch):
    history = make_history(accounts=500, cutoffs=12)
    honest = history.fit(embargo_days=90, calibration="sigmoid")
    monkeypatch.setattr(training, "_over_time", lambda *_: (SigmoidMap(0.2, 0.0), ()))
    fixed = history.fit(embargo_days=90, calibration="sigmoid")
    assert [note for note in fixed.notes_ if "did not hold after refitting" in note]
    assert fixed.calibration_.slope == pytest.approx(honest.calibration_.slope, rel=0.2)


def test_earlier_and_final_trees_share_their_shape(make_history, monkeypatch):
    """Where the later cutoffs bring the churners over a threshold, both kinds of trees are of the larger shape."""
    history = make_history(accounts=500, cutoffs=12)
    early = (history.cutoffs - FIRST) // (30 * DAY) < 8
    some, all_of_them = (len(set(history.accounts[(history.y == 0) & which])) for which in (early, early | True))
    churned = len(set(history.accounts[(history.y == 1)]))
    monkeypatch.setattr(settings_module, "FEW", min(churned, all_of_them))
    shapes = []
    grow = training.Grower._parameters
    monkeypatch.setattr(
        training.Grower, "_parameters", lambda grower, rows: shapes.append(grower.shape.num_leaves) or grow(grower, rows)
    )
    history.fit(embargo_days=90)
    assert some <= all_of_them
    assert set(shapes) == {8}


def test_later_rows_with_few_churned_accounts_do_not_calibrate(make_history):
    """Sixty accounts that churn again and again are many rows and few stories."""
    few = make_history(accounts=60, cutoffs=12)
    assert few.fit(embargo_days=90).split_.startswith("grouped")
    assert make_history(accounts=500, cutoffs=12).fit(embargo_days=90).split_.startswith("temporal")


def test_auto_stays_grouped_without_embargo_or_history(history):
    assert history.fit().split_.startswith("grouped")
    assert history.fit(embargo_days=180).split_.startswith("grouped")
    assert history.fit(embargo_days=60, split="temporal").split_.startswith("temporal")


@pytest.mark.parametrize(
    ("parameters", "keep", "value"),
    [
        ({"split": "temporal"}, True, "embargo_days not given"),
        ({"split": "temporal", "embargo_days": 30}, False, "cutoffs not given"),
        ({"split": "temporal", "embargo_days": 3000}, True, "0 rows of 0 class(es) for the trees"),
    ],
)
def test_a_temporal_split_that_cannot_be_made_is_refused(history, parameters, keep, value):
    with pytest.raises(FitError, match="temporal split cannot be made") as caught:
        ChurnClassifier(**parameters).fit(history.X, history.y, cutoffs=history.cutoffs if keep else None)
    assert value in str(caught.value)


@pytest.mark.parametrize("embargo", [None, 60])
def test_threads_and_row_order_change_no_byte(history, embargo):
    once = history.fit(embargo_days=embargo, n_jobs=1)
    order = np.random.default_rng(0).permutation(len(history.y))
    for again in (history.fit(embargo_days=embargo, n_jobs=3), history.take(order).fit(embargo_days=embargo)):
        assert again.model_text_ == once.model_text_
        assert again.calibration_ == once.calibration_
        assert (again.predict_proba(history.X) == once.predict_proba(history.X)).all()


def test_row_order_changes_nothing_without_accounts_and_cutoffs(history):
    order = np.random.default_rng(1).permutation(len(history.y))
    X = history.X.to_numpy()
    once, again = (ChurnClassifier(max_trees=20, n_jobs=1).fit(X[rows], history.y[rows]) for rows in (slice(None), order))
    assert once.model_text_ == again.model_text_


def test_the_seed_changes_the_trees(history, model):
    assert history.fit(random_state=1).model_text_ != model.model_text_


def test_contributions_add_up_with_missing_values_and_categories(history, model):
    X = history.X.copy()
    X.loc[0] = np.nan
    X.loc[1, "plan"] = 99.0  # a plan never seen
    contributions, base = model.contributions(X)
    assert contributions.shape == X.shape
    np.testing.assert_allclose(base + contributions.sum(axis=1), model.raw_score(X), atol=1e-9)
    names = list(X.columns)
    assert np.abs(contributions[:, names.index("plan")]).mean() > 0.05
    assert np.abs(contributions[:, names.index("noise")]).mean() < 0.1


def test_scores_and_probabilities_agree(history, model):
    raw, odds = model.raw_score(history.X), model.decision_function(history.X)
    probability = model.predict_proba(history.X)
    np.testing.assert_array_equal(probability[:, 1], model.calibration_.apply(raw))
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    np.testing.assert_allclose(np.log(probability[:, 1] / probability[:, 0]), odds, atol=1e-9)
    assert (np.argsort(raw, kind="stable") == np.argsort(odds, kind="stable")).all()
    assert (model.predict(history.X) == (odds > 0)).all()


def test_importances_name_what_matters(model):
    shares = dict(zip(model.feature_names_in_, model.feature_importances_, strict=True))
    assert sum(shares.values()) == pytest.approx(1.0)
    assert min(shares, key=shares.get) == "noise"


def test_categories_are_sets_and_not_numbers(history):
    X, y = history.X[["plan"]].fillna(0.0), np.isin(history.X["plan"], [1, 4]).astype(int)
    fitted = ChurnClassifier(categorical_features=["plan"], n_jobs=1, max_depth=1, num_leaves=2).fit(X, y)
    # One split tells {1, 4} from {0, 2, 3, 5}: no single threshold could.
    assert (fitted.predict(X) == y).all()


def test_columns_in_another_order_are_refused(history, model):
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict_proba(history.X[history.X.columns[::-1]])


def test_polars_pandas_and_numpy_agree(history, model):
    expected = model.predict_proba(history.X)
    assert (model.predict_proba(pl.from_pandas(history.X)) == expected).all()
    fitted = history.fit(categorical_features=[2])
    again = ChurnClassifier(n_jobs=1, max_trees=40, margin=False, categorical_features=[2]).fit(
        history.X.to_numpy(), history.y, accounts=history.accounts, cutoffs=pd.to_datetime(history.cutoffs, unit="us")
    )
    assert (again.predict_proba(history.X.to_numpy()) == fitted.predict_proba(history.X)).all()


def test_text_labels(history):
    labels = np.where(history.y == 1, "left", "a stayer")
    fitted = ChurnClassifier(n_jobs=1, max_trees=20).fit(history.X, labels)
    assert fitted.classes_.tolist() == ["a stayer", "left"]
    assert set(fitted.predict(history.X)) == {"a stayer", "left"}
    assert fitted.predict_proba(history.X)[history.y == 1, 1].mean() > history.y.mean()


def test_it_clones_pickles_and_serves_in_pipelines(history, model):
    copied = clone(model)
    assert not hasattr(copied, "booster_")
    assert copied.get_params() == model.get_params()
    again = pickle.loads(pickle.dumps(model))
    assert (again.predict_proba(history.X) == model.predict_proba(history.X)).all()
    pipeline = make_pipeline(StandardScaler(), ChurnClassifier(max_trees=20, n_jobs=1))
    assert cross_val_score(pipeline, history.X, history.y, scoring="roc_auc", cv=2).mean() > 0.7


def test_rows_of_weight_zero_do_not_matter(history):
    half = np.arange(len(history.y)) % 2 == 0
    alone = history.take(np.flatnonzero(half))
    fitted = ChurnClassifier(n_jobs=1, max_trees=20).fit(alone.X, alone.y, accounts=alone.accounts, cutoffs=alone.cutoffs)
    weighted = ChurnClassifier(n_jobs=1, max_trees=20).fit(
        history.X, history.y, accounts=history.accounts, cutoffs=history.cutoffs, sample_weight=half.astype(float)
    )
    np.testing.assert_allclose(weighted.predict_proba(alone.X), fitted.predict_proba(alone.X), atol=1e-12)


def test_weights_move_the_base_rate(history):
    weights = np.where(history.y == 1, 3.0, 1.0)
    fitted = ChurnClassifier(n_jobs=1, max_trees=20).fit(history.X, history.y, sample_weight=weights)
    expected = np.average(history.y, weights=weights)
    probability = fitted.predict_proba(history.X)[:, 1]
    assert np.average(probability, weights=weights) == pytest.approx(expected, abs=0.03)


def test_few_churners_hold_the_trees_back_and_say_so(make_history):
    history = make_history(accounts=60, cutoffs=1)
    fitted = history.fit()
    assert "(under 100): trees are limited to 4 leaves and depth 2" in fitted.notes_[0]
    assert "num_leaves=8" not in fitted.model_text_
    assert make_history(accounts=150).fit().notes_ != fitted.notes_


@pytest.mark.parametrize("churners", [1, 2, 5])
def test_ten_rows(churners):
    X, y = np.arange(20.0).reshape(10, 2), (np.arange(10) < churners).astype(int)
    fitted = ChurnClassifier(n_jobs=1).fit(X, y)
    probability = fitted.predict_proba(X)[:, 1]
    assert np.isfinite(probability).all()
    assert ((probability > 0) & (probability < 1)).all()
    assert ("too few accounts of one class" in " ".join(fitted.notes_)) == (churners == 1)


def test_constant_features_give_the_base_rate():
    y = np.arange(300) % 3 == 0
    fitted = ChurnClassifier(n_jobs=1).fit(np.ones((300, 2)), y)
    assert fitted.predict_proba(np.ones((1, 2)))[0, 1] == pytest.approx(1 / 3, abs=0.01)
    assert fitted.best_iteration_ == 1
    assert fitted.feature_importances_.tolist() == [0.0, 0.0]
    assert fitted.contributions(np.ones((1, 2)))[0].tolist() == [[0.0, 0.0]]


def test_settings_give_the_estimator():
    fitted = ChurnClassifier.from_settings(ModelSettings(seed=3, threads=1, num_leaves=5), embargo_days=120)
    assert (fitted.random_state, fitted.n_jobs, fitted.num_leaves, fitted.embargo_days) == (3, 1, 5, 120)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"y": np.zeros(1200, dtype=int)}, "one class only"),
        ({"y": np.arange(1200) % 3}, "Only binary classification is supported"),
        ({"accounts": ["a"] * 7}, "accounts do not match X: 7 for 1200 rows"),
        ({"accounts": [None] + ["a"] * 1199}, "blank account: 1 rows"),
        ({"cutoffs": np.zeros(3, dtype=np.int64)}, "cutoffs do not match X: 3 for 1200 rows"),
        ({"cutoffs": np.array(["NaT"] * 1200, dtype="datetime64[us]")}, "blank cutoff: 1200 rows"),
    ],
)
def test_unusable_rows_are_refused_with_a_fix(history, change, problem):
    given = {"y": history.y, "accounts": history.accounts, "cutoffs": history.cutoffs, **change}
    y = given.pop("y")
    with pytest.raises(FitError, match="Fix: ") as caught:
        ChurnClassifier().fit(history.X, y, **given)
    assert problem in str(caught.value)
    assert isinstance(caught.value, UsageError)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"folds": 1, "calibration": "isotonic"}, ["folds = 1", "calibration = 'isotonic'"]),
        ({"categorical_features": ["paln", "noise"]}, ["no such categorical feature: 'paln'. Fix: write `plan`", "noise: -"]),
        ({"categorical_features": [9]}, ["no such categorical feature: 9"]),
    ],
)
def test_unusable_parameters_are_named_all_at_once(history, parameters, problem):
    with pytest.raises(FitError) as caught:
        ChurnClassifier(**parameters).fit(history.X, history.y)
    assert all(part in str(caught.value) for part in problem)


def test_infinite_features_are_refused(history, model):
    X = history.X.copy()
    X.iloc[0, 0] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        model.predict_proba(X)


def five_hundred(churners, seed):
    """Five hundred accounts at twelve cutoffs; some leave after the last of them, the likelier the less they are used."""
    rng = np.random.default_rng(seed)
    accounts = np.repeat(np.arange(500), 12)
    X = rng.normal(size=(500, 20))[accounts] + 0.3 * rng.normal(size=(6000, 20))
    leaves = np.argsort(X[::12, 0] + rng.gumbel(size=500))[:churners]
    last = rng.integers(3, 12, 500)
    month = np.tile(np.arange(12), 500)
    leaving = np.isin(accounts, leaves)
    y = (leaving & (month <= last[accounts]) & (month > last[accounts] - 3)).astype(np.int8)
    there = ~leaving | (month <= last[accounts])
    return X[there], y[there], accounts[there], (FIRST + 30 * DAY * month)[there]


def test_five_hundred_accounts_and_thirty_churners():
    X, y, accounts, cutoffs = five_hundred(30, 0)
    fitted = ChurnClassifier(embargo_days=120, n_jobs=1).fit(X, y, accounts=accounts, cutoffs=cutoffs)
    assert fitted.split_.startswith("grouped")
    assert "only 30 accounts have the rarer label (under 100): trees are limited to 4 leaves and depth 2" in fitted.notes_[0]
    assert fitted.lacking_ == ""
    new, happened, _, _ = five_hundred(30, 1)
    probability = fitted.predict_proba(new)[:, 1]
    assert roc_auc_score(happened, probability) > 0.55
    assert probability.mean() == pytest.approx(happened.mean(), abs=0.01)
    assert log_loss(happened, probability) < log_loss(happened, np.full(len(happened), y.mean()))
    assert probability.max() < 0.5  # thirty leavers make nobody certain to leave


def test_too_few_churners_are_said_to_be_too_few():
    X, y, accounts, cutoffs = five_hundred(12, 0)
    fitted = ChurnClassifier(embargo_days=120, n_jobs=1).fit(X, y, accounts=accounts, cutoffs=cutoffs)
    assert fitted.lacking_ == "only 12 accounts have the rarer label in training, 20 are needed"
    one = ChurnClassifier(n_jobs=1).fit(X[:400], accounts[:400] == 0, accounts=accounts[:400])
    assert one.lacking_.startswith("only 1 account has")


def quarrelsome(seed):
    """Five hundred accounts of which some 180 churn over twelve cutoffs; at the latest two the rate is far higher."""
    rng = np.random.default_rng(seed)
    accounts, month = np.repeat(np.arange(500), 12), np.tile(np.arange(12), 500)
    own = rng.normal(size=(500, 12))[accounts] + 0.4 * rng.normal(size=(6000, 12))
    truth = 1 / (1 + np.exp(3.3 - own[:, 0] - 0.6 * own[:, 1]))
    y = rng.random(6000) < np.where(month >= 10, 1.6 * truth, truth)
    gone = np.zeros(500, dtype=int) + 99
    np.minimum.at(gone, accounts[y], month[y])
    there = month <= gone[accounts] + 1  # leavers are there for one cutoff more, and churn at it too
    y |= month == gone[accounts] + 1
    return own[there], y[there].astype(np.int8), accounts[there], FIRST + 30 * DAY * month[there], truth[there]


def test_few_churned_accounts_at_the_latest_cutoffs_do_not_flatten_the_map():
    """Their higher rate moves the level a little; it never pulls everybody towards one half."""
    for seed in range(3):
        X, y, accounts, cutoffs, _ = quarrelsome(seed)
        assert 100 < len(set(accounts[y == 1])) < 260
        fitted = ChurnClassifier(embargo_days=60, calibration_cutoffs=2, n_jobs=1).fit(X, y, accounts=accounts, cutoffs=cutoffs)
        assert fitted.split_.startswith("grouped")
        assert fitted.calibration_.log_odds(np.array([-4.0]))[0] < -3.0
        latest = cutoffs >= FIRST + 300 * DAY
        rate, whole = y[latest].mean(), y.mean()
        mean = fitted.predict_proba(X[latest])[:, 1].mean()
        assert min(rate, whole) - 0.03 < mean < max(rate, whole) + 0.03
