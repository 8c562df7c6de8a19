"""The model that scores: which rows it knows, how it is grown, at which level, and which of the two models is evaluated."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from simulated_company import company
from small_bundle import small_bundle

from staypower.cutoffs import instant_of, text_of
from staypower.dataset.building import build_dataset
from staypower.dataset.cutoff_plan import CutoffPlan
from staypower.dataset.sampling import Sampling
from staypower.dataset.settings import CutoffSettings
from staypower.errors import UsageError
from staypower.evaluation import comparison
from staypower.features.settings import FeatureSettings
from staypower.labels.settings import ContractualLabel
from staypower.models.age import TWIN, ModelAge
from staypower.models.agreement import evaluated_by
from staypower.models.fitting import fit_classifier, fit_to_score, rows_to_score
from staypower.models.settings import ModelSettings

MODEL = ModelSettings(max_trees=40, threads=1)
LABEL = ContractualLabel(grace=30)


@pytest.fixture(scope="module")
def here():
    return company(800, 5)


def built(here, **options):
    return build_dataset(
        here.tables, label=here.label, features=FeatureSettings(), cutoffs=CutoffSettings(), between=True, **options
    )


@pytest.fixture(scope="module")
def dataset(here):
    return built(here)


@pytest.fixture(scope="module")
def twin(dataset):
    return fit_classifier(dataset, MODEL)


@pytest.fixture(scope="module")
def scoring(dataset, twin):
    return fit_to_score(dataset, twin, MODEL)


def test_the_cutoffs_between_are_trained_on_by_the_model_that_scores_alone(here, dataset):
    steps = [text_of(int(cutoff)) for cutoff in dataset.plan.between]
    assert steps == ["2024-10-04", "2024-11-03", "2024-12-03"]
    assert dataset.plan.trained_until == here.dataset.plan.trained_until == instant_of("2024-09-04")
    before = here.dataset.part("training", "calibration")
    assert dataset.part("training", "calibration").keys.equals(before.keys)
    # what is trained and tested on is the same to the last bit, whether those cutoffs were built or not
    assert dataset.catalogue.names == here.dataset.catalogue.names
    assert dataset.part("training", "calibration", "test").X.equals(
        here.dataset.X.set_axis(dataset.part("training", "calibration", "test").X.index)
    )
    whole = dataset.for_scoring()
    assert len(whole.part("training", "calibration")) == len(dataset.y)
    assert set(whole.part("calibration").cutoffs) == set(dataset.plan.test)
    assert not len(whole.part("test"))


def test_of_the_tests_stayers_as_many_are_left_out_as_of_the_others(here):
    few = built(here, sampling=Sampling(negatives=0.4))
    whole, tested = few.for_scoring(), few.rows("test")
    kept = whole.rows("training", "calibration")
    assert (kept[tested & (few.y == 1)]).all()
    assert kept[tested & (few.y == 0)].mean() == pytest.approx(0.4, abs=0.05)
    assert whole.base_rate("training", "calibration") == pytest.approx(built(here).y.mean())
    weights = whole.part("training", "calibration").weights
    assert set(np.unique(weights)) == {0.4, 1.0}


def test_it_has_as_many_trees_of_the_same_shape_and_knows_what_the_twin_does_not(dataset, twin, scoring):
    assert scoring.model.best_iteration_ == twin.best_iteration_
    assert scoring.model.booster_.num_trees() == twin.booster_.num_trees()
    assert scoring.model.model_text_ != twin.model_text_
    test = dataset.part("test")
    losses = {}
    for name, model in {"twin": twin, "scoring": scoring.model}.items():
        inside = np.clip(model.predict_proba(test.X)[:, 1], 1e-9, 1 - 1e-9)
        losses[name] = -np.mean(np.where(test.y == 1, np.log(inside), np.log(1 - inside)))
    # it was trained on these very rows: nobody may evaluate it on them
    assert losses["scoring"] < losses["twin"]


def test_what_it_would_say_of_accounts_it_has_not_seen_is_no_better_than_that(dataset, scoring):
    test = dataset.part("test")
    known, unseen = scoring.model.predict_proba(test.X)[:, 1], scoring.held_out(test)
    apart = known[test.y == 1].mean() - known[test.y == 0].mean()
    assert unseen[test.y == 1].mean() - unseen[test.y == 0].mean() < apart


def test_the_level_follows_the_latest_cutoffs(dataset, twin):
    """From the embargo on, every second stayer churns, whatever it looks like."""
    later = np.isin(dataset.matrix.cutoffs, np.concatenate([dataset.plan.between, dataset.plan.test]))
    turned = later & (dataset.y == 0) & (np.arange(len(dataset.y)) % 2 == 0)
    changed = replace(dataset, y=np.where(turned, 1, dataset.y).astype(np.int8))
    scoring = fit_to_score(changed, twin, MODEL)
    latest = changed.part("test")
    observed = latest.y.mean()
    assert twin.predict_proba(latest.X)[:, 1].mean() < observed - 0.2
    assert scoring.held_out(latest).mean() == pytest.approx(observed, abs=0.03)


def test_without_a_refit_the_model_that_was_evaluated_scores(here, twin):
    for refit in ("training", "none"):
        settings = MODEL.model_copy(update={"refit": refit})
        assert fit_to_score(here.dataset, twin, settings).model is twin
        assert rows_to_score(here.dataset, settings) is here.dataset


def test_a_switch_of_an_earlier_version_is_read():
    assert [ModelSettings(refit=given).refit for given in (True, False, "all")] == ["training", "none", "all"]
    assert ModelSettings().refit == "all"
    with pytest.raises(ValueError, match="'all', 'training' or 'none'"):
        ModelSettings(refit="sometimes")


PLAN = {
    "split": "temporal",
    "training": ["2024-01-01"],
    "calibration": ["2024-05-30"],
    "between": ["2024-06-29"],
    "test": ["2024-09-27"],
}


def sealed(**more):
    plain = small_bundle()
    metadata = {**plain.metadata, "horizon_days": 90, "cutoffs": PLAN, **more}
    return replace(plain, metadata=metadata)


def with_twin():
    made = sealed(trained_until="2024-09-27")
    other = small_bundle(1)
    twin = replace(made, model_text=other.model_text, calibration=other.calibration)
    return replace(made, secondary={TWIN: twin})


def plan_of(test):
    none = np.zeros(0, dtype=np.int64)
    return CutoffPlan("temporal", none, none, np.array([instant_of(test)]), 120)


def test_the_model_that_scores_is_never_evaluated_on_what_it_was_trained_on():
    bundle = with_twin()
    twin = bundle.secondary[TWIN]
    # the twin's last outcome and grace end on 27 September, those of the model that scores on 25 January
    assert evaluated_by(bundle, plan_of("2024-09-27"), LABEL) is twin
    assert evaluated_by(bundle, plan_of("2025-01-24"), LABEL) is twin
    assert evaluated_by(bundle, plan_of("2025-01-25"), LABEL) is bundle
    with pytest.raises(UsageError, match="trained on outcomes of the test"):
        evaluated_by(bundle, plan_of("2024-09-26"), LABEL)
    alone = sealed()
    assert evaluated_by(alone, plan_of("2024-09-27"), LABEL) is alone
    with pytest.raises(UsageError, match="trained on outcomes of the test"):
        evaluated_by(alone, plan_of("2024-09-26"), LABEL)


def test_versions_are_compared_by_their_twins(monkeypatch):
    bundle = with_twin()
    X = pd.DataFrame({name: [1.0, 2.0] for name in bundle.feature_names})

    matrix = SimpleNamespace(features=X, accounts=np.array(["a", "b"], dtype=object))
    monkeypatch.setattr(comparison, "build_matrix", lambda *args, **options: matrix)
    population = SimpleNamespace(accounts=("a", "b"), cutoffs=np.array([0]))
    labels = SimpleNamespace(churned=np.zeros((2, 1)), population=population)
    found = comparison._predict(bundle, None, labels, 1, None)
    assert found.tolist() == bundle.secondary[TWIN].predict(X).tolist()
    assert found.tolist() != bundle.predict(X).tolist()


def test_a_version_says_which_data_it_knows_and_how_old_they_are():
    age = ModelAge.of(with_twin())
    assert str(age) == "evaluated on a twin trained on data up to 2024-05-30; this model is trained on data up to 2024-09-27"
    assert age.at(instant_of("2025-01-25")) == "newest outcome known: 2024-12-26, 30 days before the cutoff"
    assert "are no forecast" in age.at(instant_of("2024-12-01"))
    old = ModelAge.of(small_bundle())
    assert str(old) == "trained on data up to 2024-01-01"
    assert not old.has_twin
    flag = ModelAge.of(sealed(label={"kind": "given", "flag": "Exited"}))
    assert flag.at(instant_of("2025-01-25")) == ""
