"""Trees that grow on rows on disk: the same bytes as from memory where every row was drawn, the same level where it was not."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from simulated_company import company

from staypower.dataset.all_rows import AllRows, AllTables
from staypower.dataset.building import Dataset, build_dataset
from staypower.dataset.sampling import Sampling
from staypower.dataset.settings import CutoffSettings
from staypower.engines.settings import EngineSettings
from staypower.features.settings import FeatureSettings
from staypower.models.churn import ChurnClassifier
from staypower.models.fitting import fit_classifier, fit_to_score
from staypower.models.growing import Mould
from staypower.models.refitting import _grower_of_all, _main_features, _ordered
from staypower.models.settings import ModelSettings, TreeShape
from staypower.models.trees import Grower, booster_of

# a shape that is given is the only one: nothing else is tried
MODEL = ModelSettings(max_trees=30, num_leaves=6, learning_rate=0.1, threads=1)
EVERYTHING = Sampling()


@pytest.fixture(scope="module")
def here():
    return company(300, 5)


def built(here, sampling=EVERYTHING) -> Dataset:
    shown = {"label": here.label, "features": FeatureSettings(), "cutoffs": CutoffSettings(count=12)}
    return build_dataset(sampling.of_tables(here.tables), **shown, sampling=sampling, between=True)


def every_row(here, dataset: Dataset, folder, buckets: int) -> AllRows:
    return AllTables(here.tables, folder, EngineSettings(buckets=buckets)).rows_like(dataset, here.label)


@pytest.fixture(scope="module")
def dataset(here):
    return built(here)


@pytest.fixture(scope="module")
def every(here, dataset, tmp_path_factory):
    return every_row(here, dataset, tmp_path_factory.mktemp("rows"), 4)


@pytest.fixture(scope="module")
def twin(dataset):
    return fit_classifier(dataset, MODEL)


def test_rows_come_in_the_order_of_account_and_cutoff_whatever_buckets_they_lie_in(here, dataset, every, tmp_path):
    whole = dataset.for_scoring().part("training", "calibration")
    order = np.lexsort((whole.cutoffs, whole.accounts.astype(str)))
    for rows in (every, every_row(here, dataset, tmp_path, 1)):
        assert (len(rows), rows.accounts) == (len(whole), whole.distinct_accounts)
        features, labels = zip(*rows.batches(900), strict=True)
        assert {len(each) for each in labels[:-1]} == {900}
        assert np.array_equal(np.concatenate(features), whole.X.to_numpy()[order], equal_nan=True)
        assert np.array_equal(np.concatenate(labels), whole.y[order])
    earlier = dataset.part("training")
    assert (len(every.at(dataset.plan.training)), len(every.at(earlier.cutoffs))) == (len(earlier), len(earlier))


def test_trees_of_all_rows_are_those_from_memory_where_every_row_was_drawn(dataset, every, twin):
    again = fit_classifier(dataset, MODEL, every=every)
    assert again.model_text_ == twin.model_text_
    assert again.calibration_ == twin.calibration_
    trained = dataset.part("training", "calibration")
    (kept,) = every.path.parent.glob("made-*")
    assert kept.read_text() == again.model_text_, "a run that is killed later does not grow them again"
    assert again.split_.endswith(f"grown on {len(trained):,} rows of {trained.distinct_accounts} accounts")


@pytest.mark.parametrize("strength", [None, 40.0])
def test_so_are_those_that_score_with_a_margin_or_without(dataset, every, twin, strength):
    other = copy(twin)
    other._grower = replace(twin._grower, margin=strength)
    found, expected = fit_to_score(dataset, other, MODEL, every=every), fit_to_score(dataset, other, MODEL)
    assert found.model.model_text_ == expected.model.model_text_
    assert found.model.margin_ == expected.model.margin_
    assert (found.model.margin_ is None) == (strength is None)
    assert found.model.calibration_ == expected.model.calibration_
    assert [part.model_text for part in found.parts] == [part.model_text for part in expected.parts]


@pytest.fixture(scope="module")
def sampled(here, tmp_path_factory):
    drawn = built(here, Sampling(accounts=0.8, negatives=0.3))
    return drawn, every_row(here, drawn, tmp_path_factory.mktemp("drawn"), 3), fit_classifier(drawn, MODEL)


@pytest.mark.parametrize("strength", [None, 40.0])
def test_where_stayers_were_left_out_the_level_is_still_the_true_one(here, dataset, every, sampled, strength):
    drawn, rows, twin = sampled
    assert len(rows) == len(every)
    sampled = copy(twin)
    sampled._grower = replace(twin._grower, margin=strength)
    grown = fit_to_score(drawn, sampled, MODEL, every=rows).model
    whole = built(here).X[list(drawn.catalogue.names)]
    assert grown.predict_proba(whole)[:, 1].mean() == pytest.approx(dataset.y.mean(), rel=0.15)
    # the raw score stays that of the sample, for which the map was found
    assert grown.calibration_ == fit_to_score(drawn, sampled, MODEL).model.calibration_
    assert grown.best_iteration_ == twin.best_iteration_


def test_a_tenth_of_the_accounts_is_held_out_whole(every):
    others, held = every.divided(10)
    assert len(others) + len(held) == len(every)
    assert others.accounts + held.accounts == every.accounts, "no account lies on both sides"
    assert 0.05 * every.accounts < held.accounts < 0.15 * every.accounts
    assert sum(len(labels) for _, labels in held.batches(500)) == len(held)


def test_accounts_that_are_held_out_choose_how_many_trees_of_all_rows(here, sampled):
    drawn, rows, _ = sampled
    free = MODEL.model_copy(update={"max_trees": 60})
    grown = fit_classifier(drawn, free, every=rows)
    _, held = rows.at(np.concatenate([drawn.plan.training, drawn.plan.calibration])).divided(10)
    X, y = map(np.concatenate, zip(*held.batches(10**6), strict=True))
    lost, level = {}, np.log(drawn.stayers_kept("training", "calibration"))
    for count in range(1, grown.best_iteration_ + 1):
        raw = grown.booster_.predict(X, raw_score=True, num_iteration=count) + level
        lost[count] = np.logaddexp(0, -np.where(y == 1, raw, -raw)).mean()
    assert min(lost, key=lost.get) == grown.best_iteration_ < 60
    assert fit_to_score(drawn, grown, free, every=rows).model.best_iteration_ == grown.best_iteration_


class Many:
    """So many rows of so many accounts, as far as a shape depends on them."""

    accounts, rarer_accounts = 200_000, 60_000

    def __len__(self) -> int:
        return 2_000_000


@pytest.mark.parametrize(
    ("given", "leaves", "rate"), [({}, 31, 0.08), ({"num_leaves": 8}, 15, 0.08), ({"learning_rate": 0.01}, 31, 0.01)]
)
def test_more_accounts_grow_larger_trees_in_larger_steps_unless_these_are_set(given, leaves, rate):
    twin = ChurnClassifier(**given)
    shape = TreeShape.by_evidence(churners=6_000, accounts=20_000, rows=200_000)
    twin._grower = Grower(shape, 1_000, 50, 0, 1)
    found = _grower_of_all(twin, Many(), 200_000, 10.0)
    assert (found.shape.num_leaves, found.max_trees) == (leaves, 1_000)
    assert found.shape.learning_rate == pytest.approx(rate)
    as_drawn = _grower_of_all(twin, Many(), len(Many()), 10.0)
    assert as_drawn == twin._grower, "where every row was drawn nothing is chosen anew"


def test_features_that_bring_next_to_nothing_to_the_sample_are_neither_read_nor_split_at(sampled):
    drawn, rows, twin = sampled
    gain = twin.booster_.feature_importance("gain")
    main = _main_features(twin.booster_)
    assert gain[main].sum() >= 0.999 * gain.sum() > gain[main].sum() - gain[main].min()
    assert gain[main].min() >= gain[~main].max()
    few = SimpleNamespace(feature_importance=lambda _: np.where(np.arange(len(gain)) % 3 == 0, gain, 0.0))
    used = _main_features(few)
    grown = Mould.of(twin._grower, _ordered(twin, drawn.part("training")), used=used).grow(rows, trees=5, kept=1.0)
    split = booster_of(grown).feature_importance("split")
    assert split[used].sum() > 0
    assert not split[~used].any()
    read, _ = next(rows.batches(100, used))
    whole, _ = next(rows.batches(100))
    assert np.array_equal(read, np.where(used, whole, 0.0), equal_nan=True)


def test_growing_ends_where_as_many_trees_as_the_patience_gain_too_little(dataset, twin):
    rows = _ordered(twin, dataset.part("training"))
    grower = replace(twin._grower, patience=7, max_trees=40)
    options = grower.dataset_options(rows.inputs.size)
    data, held = (rows.inputs.dataset(rows.labels, None, None, **options) for _ in range(2))
    for least, count in ((10.0, 8), (0.0, 40)):  # rows that are known gain with every tree
        _, losses = grower.train_watched(data, held, size=rows.inputs.size, least=least)
        assert len(losses) == count
