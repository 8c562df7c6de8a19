"""Trees that grow on rows on disk: the same bytes as from memory, at the true level where stayers were left out."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from simulated_company import company

from staypower.cutoffs import DAY
from staypower.dataset.all_rows import AllRows, AllTables
from staypower.dataset.building import Dataset, build_dataset
from staypower.dataset.sampling import Sampling
from staypower.dataset.settings import CutoffSettings
from staypower.engines.settings import EngineSettings
from staypower.features.settings import FeatureSettings
from staypower.log_odds import expit
from staypower.models.calibration import SigmoidMap
from staypower.models.churn import ChurnClassifier
from staypower.models.evidence import level_shift
from staypower.models.fitting import fit_classifier, fit_on_all, fit_to_score
from staypower.models.growing import HeldOut, Mould
from staypower.models.refitting import _grower_of_all, _main_features, _ordered
from staypower.models.settings import FitSettings, ModelSettings, TreeShape
from staypower.models.training import recalibrate
from staypower.models.trees import Grower, Grown, booster_of, portable_text

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


def read(rows: AllRows, size: int, used=None) -> SimpleNamespace:
    """Every row, put together of batches of so many."""
    batches = list(rows.batches(size, used))
    assert {len(each.labels) for each in batches[:-1]} <= {size}
    return SimpleNamespace(
        features=np.concatenate([each.features for each in batches]),
        labels=np.concatenate([each.labels for each in batches]),
        cutoffs=np.concatenate([each.cutoffs for each in batches]),
        accounts=np.concatenate([each.accounts.to_pylist() for each in batches]),
    )


def test_rows_come_in_the_order_of_account_and_cutoff_whatever_buckets_they_lie_in(here, dataset, every, tmp_path):
    whole = dataset.for_scoring().part("training", "calibration")
    order = np.lexsort((whole.cutoffs, whole.accounts.astype(str)))
    for rows in (every, every_row(here, dataset, tmp_path, 1)):
        assert (len(rows), rows.accounts) == (len(whole), whole.distinct_accounts)
        found = read(rows, 900)
        assert np.array_equal(found.features, whole.X.to_numpy()[order], equal_nan=True)
        assert np.array_equal(found.labels, whole.y[order])
        assert np.array_equal(found.cutoffs, whole.cutoffs[order])
        assert found.accounts.tolist() == whole.accounts[order].tolist()
    earlier = dataset.part("training")
    assert (len(every.at(dataset.plan.training)), len(every.at(earlier.cutoffs))) == (len(earlier), len(earlier))


def test_rows_and_accounts_are_counted_where_an_account_lies_in_two_groups_of_the_file(tmp_path):
    labels = {"a": [0, 0, 0], "b": [0, 1], "c": [1], "d": [0]}
    keys = pa.table(
        {
            "account_id": [account for account, each in labels.items() for _ in each],
            "cutoff": pa.array([DAY * at for each in labels.values() for at in range(len(each))], pa.timestamp("us", "UTC")),
            "churned": pa.array([label for each in labels.values() for label in each], pa.int8()),
        }
    )
    pq.write_table(keys, tmp_path / "rows.parquet", row_group_size=2)
    rows = AllRows(tmp_path / "rows.parquet", (), np.array([0, DAY, 2 * DAY]))
    assert (len(rows), rows.accounts, rows.rarer_accounts) == (7, 4, 2)
    first = rows.at(np.array([0]))
    assert (len(first), first.accounts, first.rarer_accounts) == (4, 4, 1)


@pytest.mark.parametrize("strength", [None, 40.0])
def test_trees_of_rows_on_disk_are_those_of_the_same_rows_in_memory(dataset, every, twin, strength):
    grower = replace(twin._grower, margin=strength)
    known = _ordered(twin, dataset.for_scoring().part("training", "calibration"), folds=2)
    text, held = Mould.of(grower, known).grow(every, trees=20)
    others, left_out = known.take(known.folds != 0), known.take(known.folds == 0)
    margin = grower.margin_of(known)
    start = None if margin is None else margin.raw(others.features)
    options = grower.dataset_options(others.inputs.size)
    trees = grower.train(others.inputs.dataset(others.labels, None, start, **options), size=others.inputs.size, trees=20)
    assert text == portable_text(trees, trees=20)
    (kept,) = [path for path in every.path.parent.glob("made-*") if path.read_text() == text]
    assert kept, "a run that is killed later does not grow them again"
    # what is left out is scored by the model that comes of it
    scored = Grown(booster_of(text), margin).raw(left_out.features, threads=1)
    assert np.array_equal(held.raw, scored)
    assert np.array_equal(held.labels, left_out.labels)
    assert np.array_equal(held.cutoffs, left_out.cutoffs)
    assert np.array_equal(np.diff(held.accounts) != 0, np.diff(left_out.accounts) != 0)


@pytest.fixture(scope="module")
def sampled(here, tmp_path_factory):
    drawn = built(here, Sampling(accounts=0.8, negatives=0.3))
    return drawn, every_row(here, drawn, tmp_path_factory.mktemp("drawn"), 3), fit_classifier(drawn, MODEL)


@pytest.fixture(scope="module")
def grown(sampled):
    drawn, rows, twin = sampled
    return fit_on_all(drawn, twin, rows)


@pytest.mark.parametrize("strength", [None, 40.0])
def test_where_stayers_were_left_out_the_level_is_still_the_true_one(here, dataset, every, sampled, grown, strength):
    drawn, rows, _ = sampled
    assert len(rows) == len(every)
    twin = copy(grown)
    twin._grower = replace(grown._grower, margin=strength)
    scoring = fit_to_score(drawn, twin, MODEL, every=rows)
    whole = built(here).X[list(drawn.catalogue.names)]
    for model in (grown, scoring.model):
        assert model.predict_proba(whole)[:, 1].mean() == pytest.approx(dataset.y.mean(), rel=0.15)
    assert scoring.model.best_iteration_ == grown.best_iteration_
    assert (scoring.model.margin_ is None) == (strength is None)
    # raw scores stay at the level of the sample, for which the map was found
    level = np.log(drawn.for_scoring().stayers_kept("training", "calibration"))
    assert level < -1
    assert expit(scoring.left_out.raw + level).mean() == pytest.approx(scoring.left_out.labels.mean(), rel=0.3)


@pytest.mark.parametrize(
    ("own", "stays"), [(SigmoidMap(1.0, -0.4), True), (SigmoidMap(1.0, 0.6), True), (SigmoidMap(3.0, -0.4), False)]
)
def test_a_map_stays_at_its_level_unless_accounts_that_the_trees_have_not_seen_speak_against_it(own, stays):
    rng = np.random.default_rng(4)
    raw, accounts = np.repeat(rng.normal(-1, 1.5, 1_000), 3), np.repeat(np.arange(1_000), 3)
    labels = (rng.random(3_000) < expit(raw - 0.4)).astype(np.int8)
    rows = HeldOut(raw, labels, accounts, np.tile([DAY, 2 * DAY, 3 * DAY], 1_000))
    found, notes = recalibrate(FitSettings(), own, rows)
    assert found.apply(raw).mean() == pytest.approx(labels.mean(), rel=0.05)
    assert (isinstance(found, SigmoidMap) and found.slope == own.slope) == stays
    assert (not notes) == stays


def test_few_accounts_do_not_move_a_level_as_far_as_chance_explains_it():
    rng = np.random.default_rng(4)
    raw, own = rng.normal(-1, 1.5, 60), SigmoidMap(1.0, -0.4)
    labels = (rng.random(60) < expit(raw - 0.4)).astype(np.int8)
    found, _ = recalibrate(FitSettings(), own, HeldOut(raw, labels, np.arange(60), np.repeat(DAY, 60)))
    apart, _ = level_shift(own.log_odds(raw), labels, None, np.arange(60))
    assert abs(found.intercept - own.intercept) < 0.5 * abs(apart)


def test_a_map_that_does_not_hold_is_found_anew_from_accounts_that_the_trees_have_not_seen(sampled):
    drawn, rows, twin = sampled
    given = copy(twin)
    given.calibration_ = SigmoidMap(4.0, 1.5)
    grown = fit_on_all(drawn, given, rows)
    there = rows.at(np.concatenate([drawn.plan.training, drawn.plan.calibration]))
    left_out = read(there.divided(2)[1], 10**6)
    predicted = grown.predict_proba(pd.DataFrame(left_out.features, columns=list(rows.names)))[:, 1]
    assert predicted.mean() == pytest.approx(left_out.labels.mean(), rel=0.1)
    assert {note.split(":")[0] for note in grown.notes_} == {"on the sample", "on all rows"}
    assert "grown on" in grown.split_


@pytest.mark.parametrize(("rarer", "folds"), [(3, 2), (900, 4), (10**6, 10)])
def test_as_many_accounts_are_left_out_as_a_map_needs(rarer, folds):
    asked = []
    rows = SimpleNamespace(rarer_accounts=rarer, divided=lambda count: asked.append(count) or [][0])
    with pytest.raises(IndexError):
        Mould(None, None, None, None).grow(rows)
    assert asked == [folds]


def test_the_population_of_the_last_cutoff_is_those_left_out(sampled, grown):
    drawn, rows, _ = sampled
    scoring = fit_to_score(drawn, grown, MODEL, every=rows)
    last = int(drawn.plan.all[-1])
    known = read(rows.at(np.array([last])).divided(2)[1], 10**6)
    asked = drawn.part("test")
    found = scoring.held_out(asked.where(asked.cutoffs == last))
    expected = scoring.model.predict_proba(pd.DataFrame(known.features, columns=list(rows.names)))[:, 1]
    assert np.allclose(found, expected, rtol=0, atol=1e-12)


def test_a_tenth_of_the_accounts_is_held_out_whole(every):
    others, held = every.divided(10)
    assert len(others) + len(held) == len(every)
    assert others.accounts + held.accounts == every.accounts, "no account lies on both sides"
    assert 0.05 * every.accounts < held.accounts < 0.15 * every.accounts
    assert len(read(held, 500).labels) == len(held)


def test_accounts_that_are_held_out_choose_how_many_trees_of_all_rows(here, sampled):
    drawn, rows, _ = sampled
    free = MODEL.model_copy(update={"max_trees": 60})
    grown = fit_on_all(drawn, fit_classifier(drawn, free), rows)
    held = read(rows.at(np.concatenate([drawn.plan.training, drawn.plan.calibration])).divided(2)[1], 10**6)
    lost = {}
    for count in range(1, grown.best_iteration_ + 1):
        raw = grown.booster_.predict(held.features, raw_score=True, num_iteration=count)
        lost[count] = np.logaddexp(0, -np.where(held.labels == 1, raw, -raw)).mean()
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
    found = _grower_of_all(twin, Many(), 10.0)
    assert (found.shape.num_leaves, found.max_trees) == (leaves, 1_000)
    assert found.shape.learning_rate == pytest.approx(rate)


def test_features_that_bring_next_to_nothing_to_the_sample_are_neither_read_nor_split_at(sampled):
    drawn, rows, twin = sampled
    gain = twin.booster_.feature_importance("gain")
    main = _main_features(twin.booster_, 200_000)
    assert gain[main].sum() >= 0.999 * gain.sum() > gain[main].sum() - gain[main].min()
    assert gain[main].min() >= gain[~main].max()
    assert main.sum() < _main_features(twin.booster_, 1_000).sum() <= (gain > 0).sum(), "few rows tell less"
    few = SimpleNamespace(feature_importance=lambda _: np.where(np.arange(len(gain)) % 3 == 0, gain, 0.0))
    used = _main_features(few, 200_000)
    grown = Mould.of(twin._grower, _ordered(twin, drawn.part("training")), used=used).grow(rows, trees=5)[0]
    split = booster_of(grown).feature_importance("split")
    assert split[used].sum() > 0
    assert not split[~used].any()
    some, whole = (next(rows.batches(100, each)).features for each in (used, None))
    assert np.array_equal(some, np.where(used, whole, 0.0), equal_nan=True)


def test_growing_ends_where_as_many_trees_as_the_patience_gain_too_little(dataset, twin):
    rows = _ordered(twin, dataset.part("training"))
    grower = replace(twin._grower, patience=7, max_trees=40)
    options = grower.dataset_options(rows.inputs.size)
    data, held = (rows.inputs.dataset(rows.labels, None, None, **options) for _ in range(2))
    for least, count in ((10.0, 8), (0.0, 40)):  # rows that are known gain with every tree
        _, losses = grower.train_watched(data, held, size=rows.inputs.size, least=least)
        assert len(losses) == count
