"""The ordinal classifier: order, calibration, determinism, bundles."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from staypower import LoyaltyTierClassifier
from staypower.cutoffs import DAY, instant_of
from staypower.errors import UsageError
from staypower.metrics.ordinal import ranked_probability_score
from staypower.models.bundle import Bundle, read_bundle, write_bundle
from staypower.models.churn import ChurnClassifier
from staypower.models.settings import ModelSettings
from staypower.models.tier_prediction import predict_tiers, tier_models, tier_probabilities
from staypower.models.training_rows import FitError

TIERS = np.array(["detractor", "passive", "promoter"])


def loyal(accounts=200, cutoffs=6, seed=0, flat=False):
    rng = np.random.default_rng(seed)
    rows = accounts * cutoffs
    X = pd.DataFrame(
        {
            "nps, last": rng.normal(size=rows),
            "silence": rng.exponential(20, rows),
            "plan": rng.integers(0, 4, rows).astype(float),
            "noise": rng.normal(size=rows),
        }
    )
    attitude = X["nps, last"] - X["silence"] / 20 + np.isin(X["plan"], [1, 3]) + rng.normal(size=rows)
    tier = np.digitize(rng.normal(size=rows) if flat else attitude, [-0.7, 0.6])
    X.loc[rng.random(rows) < 0.2, "nps, last"] = np.nan
    names = np.repeat([f"a{number:03d}" for number in range(accounts)], cutoffs)
    times = np.tile(instant_of("2024-01-01") + 30 * DAY * np.arange(cutoffs), accounts)
    return X, tier, names, times


@pytest.fixture(scope="module")
def history():
    return loyal()


def fitted(history, y=None, **parameters):
    X, tier, names, times = history
    model = LoyaltyTierClassifier(**{"n_jobs": 1, "max_trees": 60, "folds": 3, "categorical_features": ["plan"], **parameters})
    return model.fit(X, TIERS[tier] if y is None else y, accounts=names, cutoffs=times)


@pytest.fixture(scope="module")
def model(history):
    return fitted(history)


@pytest.fixture(scope="module")
def fresh():
    return loyal(seed=9)


def test_probabilities_are_ordered_sum_to_one_and_beat_the_frequencies(model, fresh):
    X, tier, *_ = fresh
    likely = model.predict_proba(X)

    assert model.classes_.tolist() == TIERS.tolist()
    assert (likely >= 0).all()
    assert likely.sum(axis=1) == pytest.approx(1)
    above = 1 - likely.cumsum(axis=1)[:, :-1]
    assert (np.diff(above, axis=1) <= 1e-12).all(), "cumulative probabilities never cross"
    shares = np.tile(np.bincount(tier) / len(tier), (len(tier), 1))
    assert ranked_probability_score(tier, likely) < 0.75 * ranked_probability_score(tier, shares)
    assert (model.predict(X) == TIERS[likely.argmax(axis=1)]).all()


def overconfidence(likely, tier):
    """By how much the fifth of rows that is surest of a class is too sure of it."""
    found = []
    for number in range(3):
        top = likely[:, number] > np.quantile(likely[:, number], 0.8)
        found.append(likely[top, number].mean() - (tier[top] == number).mean())
    return np.array(found)


def test_probabilities_are_calibrated_those_of_the_middle_class_too(model):
    X, tier, *_ = loyal(accounts=600, seed=9)
    likely = model.predict_proba(X)

    assert likely.mean(axis=0) == pytest.approx(np.bincount(tier) / len(tier), abs=0.04)
    assert overconfidence(likely, tier) == pytest.approx(np.zeros(3), abs=0.09)
    raw = model.raw_scores(X)
    alone = tier_probabilities(np.column_stack([c.apply(raw[:, k]) for k, c in enumerate(model.calibrations_)]))
    assert overconfidence(likely, tier)[1] < overconfidence(alone, tier)[1] - 0.02
    assert ranked_probability_score(tier, likely) < ranked_probability_score(tier, alone)


def test_crossing_boosters_change_places():
    found = tier_probabilities([[0.6, 0.7], [0.7, 0.6], [0.5, 0.5], [1.0, 0.0]])

    assert found == pytest.approx(np.array([[0.3, 0.1, 0.6], [0.3, 0.1, 0.6], [0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]))


def test_changing_places_never_moves_away_from_any_answer():
    rng = np.random.default_rng(0)
    above = rng.random((500, 3))
    falling = 1 - tier_probabilities(above).cumsum(axis=1)[:, :-1]

    for steps in range(4):
        answer = np.arange(3) < steps
        assert (((falling - answer) ** 2).sum(axis=1) <= ((above - answer) ** 2).sum(axis=1) + 1e-12).all()


def test_the_same_rows_give_the_same_bytes_in_any_order_on_any_threads(history):
    X, tier, names, times = history
    order = np.random.default_rng(3).permutation(len(X))

    few = {"max_trees": 8, "patience": 4}
    first, again = fitted(history, **few), fitted((X.iloc[order], tier[order], names[order], times[order]), n_jobs=2, **few)

    assert again.model_texts_ == first.model_texts_
    assert (again.calibrations_, again.blend_) == (first.calibrations_, first.blend_)
    assert (again.predict_proba(X) == first.predict_proba(X)).all()


def test_the_order_given_is_the_order_learned(history, model):
    X, tier, *_ = history
    words = np.array(["poor", "fair", "good"])[tier]

    ordered = fitted(history, words, classes_order=["poor", "fair", "good"])
    sorted_by_letter = fitted(history, words)

    assert ordered.classes_.tolist() == ["poor", "fair", "good"]
    assert (ordered.predict_proba(X) == model.predict_proba(X)).all(), "only the order counts, not the names"
    assert sorted_by_letter.classes_.tolist() == ["fair", "good", "poor"]
    assert sorted_by_letter.model_texts_ != ordered.model_texts_


def test_a_reversed_order_predicts_the_same_the_other_way_round(history):
    X, *_ = history
    up = fitted(history, calibration="sigmoid")
    down = fitted(history, calibration="sigmoid", classes_order=["promoter", "passive", "detractor"])

    assert np.abs(up.predict_proba(X) - down.predict_proba(X)[:, ::-1]).mean() < 0.02


def test_two_classes_are_a_ladder_of_one_step(history):
    X, tier, *_ = history
    model = fitted(history, tier > 0)

    assert len(model.boosters_) == 1
    assert model.predict_proba(X).shape == (len(X), 2)


def test_temporal_split_for_the_whole_ladder_or_not_at_all():
    history = loyal(accounts=900, cutoffs=8)
    X, tier, names, times = history
    model = fitted(history, split="auto", embargo_days=60)
    assert model.split_.startswith("temporal: trees from")
    assert model.split_.count("temporal") == 1, "one split for every step"

    rare = np.where((tier == 2) & (np.arange(len(tier)) % 20 > 0), 1, tier)  # few promoters: their step alone cannot
    assert fitted((X, rare, names, times), embargo_days=60).split_.startswith("grouped")


def test_weights_are_used_and_rows_of_weight_nought_are_not(history):
    X, tier, names, _ = history
    weight = np.where(tier == 0, 4.0, 1.0)
    heavy = LoyaltyTierClassifier(n_jobs=1, max_trees=40, folds=3).fit(X, tier, accounts=names, sample_weight=weight)
    light = LoyaltyTierClassifier(n_jobs=1, max_trees=40, folds=3).fit(X, tier, accounts=names)
    assert heavy.predict_proba(X)[:, 0].mean() > light.predict_proba(X)[:, 0].mean() + 0.15

    half = np.arange(len(X)) % 2 == 0
    masked = LoyaltyTierClassifier(n_jobs=1, max_trees=40, folds=3).fit(
        X, np.where(half, tier, 7), accounts=names, sample_weight=half.astype(float)
    )
    alone = LoyaltyTierClassifier(n_jobs=1, max_trees=40, folds=3).fit(
        X[half], tier[half], accounts=names[half], sample_weight=np.ones(half.sum())
    )
    assert masked.classes_.tolist() == [0, 1, 2]
    assert masked.model_texts_ == alone.model_texts_


def test_contributions_add_up_to_each_boosters_raw_score(model, fresh):
    X = fresh[0].head(50)
    values, bases = model.contributions(X)

    assert values.shape == (2, 50, 4)
    assert bases[:, None] + values.sum(axis=2) == pytest.approx(model.raw_scores(X).T, abs=1e-6)
    strongest = np.abs(values).mean(axis=1).argmax(axis=1)
    assert set(strongest) <= {0, 1, 2}, "not the noise"
    assert model.feature_importances_.sum() == pytest.approx(1)


def test_secondary_models_predict_the_same_from_a_sealed_folder(model, history, fresh, tmp_path):
    X, tier, names, _ = history
    churn = ChurnClassifier(n_jobs=1, max_trees=5, folds=3).fit(X, tier == 0, accounts=names)
    sealed = churn.to_bundle()
    bundle = Bundle(
        sealed.model_text,
        sealed.calibration,
        sealed.feature_names,
        secondary=model.to_secondary_models(metadata={"horizon": 90}),
    )
    digest = write_bundle(bundle, tmp_path / "bundle")

    read = read_bundle(tmp_path / "bundle", digest=digest)

    assert tier_models(read.secondary) == ("tier_above_0", "tier_above_1")
    assert read.secondary["tier_above_1"].metadata["classes"] == TIERS.tolist()
    assert read.secondary["tier_above_1"].metadata["above"] == "passive"
    assert read.secondary["tier_above_0"].metadata["horizon"] == 90
    assert (predict_tiers(read.secondary, fresh[0]) == model.predict_proba(fresh[0])).all()
    shuffled = fresh[0][["noise", "plan", "nps, last", "silence"]]
    assert (predict_tiers(read.secondary, shuffled) == model.predict_proba(fresh[0])).all(), "columns go by name"
    assert predict_tiers(read.secondary, fresh[0].head(0)).shape == (0, 3)


@pytest.mark.parametrize(
    "blend",
    [
        None,
        {"weights": [1.0], "intercept": 0.0},
        {"weights": [0.0, -1.0], "intercept": 0.0},
        {"weights": [0.5, 0.0], "intercept": 0.0},
        {"weights": ["1", 1.0], "intercept": 0.0},
        {"weights": [0.0, 1.0]},
    ],
)
def test_a_bundle_with_unusable_numbers_is_refused(model, blend):
    both = model.to_secondary_models()
    other = replace(both["tier_above_1"], metadata={**both["tier_above_1"].metadata, "blend": blend})

    with pytest.raises(UsageError, match="unusable tier calibration"):
        predict_tiers({**both, "tier_above_1": other}, np.zeros((1, 4)))


def test_a_bundle_without_a_whole_ladder_is_refused(model):
    both = model.to_secondary_models()
    with pytest.raises(UsageError, match="predicts no tier"):
        predict_tiers({}, np.zeros((1, 4)))
    with pytest.raises(UsageError, match="missing"):
        predict_tiers({"tier_above_1": both["tier_above_1"]}, np.zeros((1, 4)))


@pytest.mark.parametrize(
    ("y", "parameters", "said"),
    [
        (np.zeros(40, dtype=int), {}, "one class only"),
        (np.arange(40) % 3, {"classes_order": [0, 1]}, "classes that are not in `classes_order`: 2"),
        (np.arange(40) % 3, {"classes_order": [0, 1, 2, 3]}, "no row of a class: 3"),
        (np.arange(40) % 3, {"classes_order": [0, 1, 1, 2]}, "is given twice"),
        (np.arange(120) % 60, {}, "too many classes for a ladder: 60"),
        (np.arange(40) % 3, {"split": "temporal"}, "temporal split cannot be made"),
        (np.arange(40) % 3, {"folds": 1}, "unusable parameter: folds"),
    ],
)
def test_what_cannot_be_fitted_is_said(y, parameters, said):
    with pytest.raises(FitError) as error:
        LoyaltyTierClassifier(**parameters).fit(np.zeros((len(y), 2)), y)

    assert said in str(error.value)


def test_few_answers_still_give_probabilities():
    X, tier, names, _ = loyal(accounts=8, cutoffs=2, seed=2)
    tier[:3] = [0, 1, 2]
    model = LoyaltyTierClassifier(n_jobs=1).fit(X, tier, accounts=names)

    assert model.predict_proba(X).sum(axis=1) == pytest.approx(1)
    assert any("accounts have the rarer label" in note for note in model.notes_)


def test_settings_describe_the_estimator():
    model = LoyaltyTierClassifier.from_settings(
        ModelSettings(max_trees=40, seed=3), classes_order=TIERS.tolist(), embargo_days=90
    )

    assert (model.max_trees, model.random_state, model.embargo_days, model.classes_order) == (40, 3, 90, TIERS.tolist())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_signal_is_no_confidence(seed):
    X, tier, names, times = loyal(flat=True, seed=seed)
    likely = fitted((X, tier, names, times)).predict_proba(loyal(seed=5)[0])

    off = np.abs(likely - np.bincount(tier) / len(tier))
    assert off.mean() < 0.04
    assert off.max() < 0.15
