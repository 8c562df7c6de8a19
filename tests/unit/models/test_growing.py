"""Trees that grow on rows on disk: the same bytes as from memory where every row was drawn, the same level where it was not."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
import pytest
from simulated_company import company

from staypower.dataset.all_rows import AllRows, AllTables
from staypower.dataset.building import Dataset, build_dataset
from staypower.dataset.sampling import Sampling
from staypower.dataset.settings import CutoffSettings
from staypower.engines.settings import EngineSettings
from staypower.features.settings import FeatureSettings
from staypower.models.fitting import fit_classifier, fit_to_score
from staypower.models.settings import ModelSettings, TreeShape
from staypower.models.trees import Grower

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
    (kept,) = every.parts[0].parent.glob("made-*")
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
    # more rows carry further: in more trees here, where the steps are large already
    known = drawn.for_scoring().part("training", "calibration")
    assert grown.best_iteration_ == round(twin.best_iteration_ * (len(rows) / len(known)) ** 0.36) > twin.best_iteration_


def test_trees_that_go_further_take_larger_steps_up_to_a_bound_then_more_of_them():
    shape = TreeShape.by_evidence(churners=1_000, accounts=5_000, rows=20_000)
    small = Grower(shape.model_copy(update={"learning_rate": 0.02}), 100, 5, 0, 1)
    for times, rate, trees in ((1.0, 0.02, 90), (2.0, 0.04, 90), (8.0, 0.08, 180)):
        further, count = small.going(times, 90)
        assert (further.shape.learning_rate, count) == (pytest.approx(rate), trees)
    # steps that a setting made larger stay as they are
    large = replace(small, shape=shape.model_copy(update={"learning_rate": 0.1}))
    assert large.going(1.5, 90)[1] == 135
    assert large.going(1.5, 90)[0].shape.learning_rate == pytest.approx(0.1)
