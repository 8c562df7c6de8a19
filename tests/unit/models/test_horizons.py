from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pydantic import ValidationError
from simulated_company import company, expected_log_loss

from staypower.cutoffs import DAY, MISSING, instant_of
from staypower.errors import UsageError
from staypower.labels.settings import GivenLabel, NonContractualLabel
from staypower.models import secondary as secondary_module
from staypower.models.bundle import read_bundle, write_bundle
from staypower.models.churn import ChurnClassifier
from staypower.models.secondary import HorizonModel, horizons_of, horizons_to_fit
from staypower.models.settings import HorizonSettings, ModelSettings
from staypower.tables import Tables

MODEL = ModelSettings(threads=1)
NOTHING = pd.DataFrame({"seats": [0.0]})


@dataclass(frozen=True)
class Given:
    """A step whose answers are given."""

    answers: np.ndarray | float

    def predict(self, X, *, threads=None):
        return np.broadcast_to(np.asarray(self.answers, dtype=np.float64), (len(X),))


def fit_horizons(dataset, tables, label, settings, model):
    """Fit the steps one after the other: the models by name, and the notes."""
    fits, notes = horizons_to_fit(dataset, tables, label, settings, model)
    found = [fit() for fit in fits]
    return {name: sealed for name, sealed, _ in found}, (*notes, *(note for *_, more in found for note in more))


@pytest.fixture(scope="module")
def here():
    return company(800, 5)


@pytest.fixture(scope="module")
def fitted(here):
    return fit_horizons(here.dataset, here.tables, here.label, HorizonSettings(), MODEL)


@pytest.fixture(scope="module")
def bundle(model, fitted):
    return replace(model.to_bundle(), secondary=fitted[0])


def test_the_curve_by_hand():
    steps = {30: Given(0.5), 60: Given(0.4), 180: Given(0.25), 360: Given(0.5)}
    model = HorizonModel(own=90, gap=0, days=(30, 60, 90, 180, 360), steps=steps)
    curve = model.curve(NOTHING, np.array([0.2]))
    assert list(curve) == [30, 60, 90, 180, 360]
    assert [round(float(value[0]), 12) for value in curve.values()] == [0.04, 0.08, 0.2, 0.4, 0.7]
    days = 30 * 0.98 + 30 * 0.94 + 30 * 0.86 + 90 * 0.7 + 180 * 0.45
    frame = model.columns(NOTHING, np.array([0.2]))
    assert frame["expected_days_to_churn"].tolist() == pytest.approx([days])
    late = replace(model, gap=14, days=(180,)).columns(NOTHING, np.array([0.2]))
    assert list(late) == ["churn_probability_180d", "expected_days_to_churn"]
    assert late["expected_days_to_churn"].tolist() == pytest.approx([14 + days])


def test_expected_days_are_bounded_by_the_longest_horizon():
    model = HorizonModel(own=90, gap=0, days=(90, 180), steps={180: Given(0.0)})
    assert model.columns(NOTHING, np.array([0.0]))["expected_days_to_churn"].tolist() == [180.0]
    at_once = HorizonModel(own=2, gap=0, days=(1, 2), steps={1: Given(1.0)})
    assert at_once.columns(NOTHING, np.array([1.0]))["expected_days_to_churn"].tolist() == [0.5]


def test_the_curve_never_falls_to_the_last_bit():
    rng = np.random.default_rng(0)
    count = 200_000
    near_one = 1 - 10 ** -rng.uniform(0, 17, count)
    own = np.where(rng.random(count) < 0.5, rng.random(count), np.where(rng.random(count) < 0.5, near_one, 1 - near_one))
    own[:3] = [0.0, 1.0, 0.5]
    steps = {days: Given(10 ** -rng.uniform(0, 20, count)) for days in (7, 30, 60, 120, 180, 360)}
    steps[120] = Given(1 - 10 ** -rng.uniform(0, 17, count))
    model = HorizonModel(own=90, gap=0, days=(30, 90, 180), steps=steps)
    values = np.array(list(model.curve(pd.DataFrame({"a": np.zeros(count)}), own).values()))
    assert (np.diff(values, axis=0) >= 0).all()
    assert values.min() >= 0
    assert values.max() <= 1
    assert (values[3] == own).all()


def test_an_account_that_is_not_scored_has_no_curve(bundle, here):
    probability = np.array([np.nan, 0.1])
    found = pd.DataFrame(horizons_of(bundle, here.X_test.iloc[:2], probability))
    assert found.iloc[0].isna().all()
    assert found.iloc[1].notna().all()
    assert [len(each) for each in horizons_of(bundle, here.X_test.iloc[:0], np.zeros(0)).values()] == [0] * 4
    with pytest.raises(UsageError, match="1 for 2 rows"):
        horizons_of(bundle, here.X_test.iloc[:2], np.zeros(1))


def test_what_is_sealed_is_what_was_fitted(bundle, here, tmp_path):
    again = read_bundle(tmp_path / "b", digest=write_bundle(bundle, tmp_path / "b"))
    probability = here.truth["churn_probability"].to_numpy()
    found = pd.DataFrame(horizons_of(again, here.X_test, probability))
    assert found.columns.tolist() == [
        *("churn_probability_30d", "churn_probability_90d", "churn_probability_180d", "expected_days_to_churn")
    ]
    assert found.equals(pd.DataFrame(horizons_of(bundle, here.X_test, probability, threads=2)))
    assert (found["churn_probability_90d"] == probability).all()
    assert (found["churn_probability_30d"] <= probability).all()
    assert (found["churn_probability_180d"] >= probability).all()
    rows = [3, 50, 400]
    each = [pd.DataFrame(horizons_of(again, here.X_test.iloc[[row]], probability[[row]])) for row in rows]
    alone = pd.concat(each, ignore_index=True)
    assert alone.equals(found.iloc[rows].reset_index(drop=True))


def test_it_knows_more_than_the_passing_of_time(bundle, here):
    """Beside the same churn model, it is nearer the truth than a hazard that stays as it is."""
    matrix, learned = here.dataset.matrix, here.dataset.rows("training", "calibration")
    churn = ChurnClassifier(split="grouped", max_trees=150, n_jobs=1, categorical_features=list(matrix.categories))
    churn.fit(
        here.dataset.X[learned], here.dataset.y[learned], accounts=matrix.accounts[learned], cutoffs=matrix.cutoffs[learned]
    )
    own = churn.predict_proba(here.X_test)[:, 1]
    found = pd.DataFrame(horizons_of(bundle, here.X_test, own))
    for days, gain in ((30, 1.0), (180, 0.9)):
        truth = here.truth[f"churn_probability_{days}d"].to_numpy()
        constant = 1 - (1 - own) ** (days / 90)
        least = expected_log_loss(truth, truth)
        excess = expected_log_loss(found[f"churn_probability_{days}d"].to_numpy(), truth) - least
        assert excess < gain * (expected_log_loss(constant, truth) - least)
        assert found[f"churn_probability_{days}d"].mean() == pytest.approx(truth.mean(), rel=0.2)


def test_each_horizon_learns_from_cutoffs_that_are_mature_for_it(fitted, here):
    secondary, notes = fitted
    assert sorted(secondary) == ["horizon_180", "horizon_30"]
    assert notes == ()
    first_test = int(here.dataset.plan.test[0])
    last = {name: instant_of(sealed.metadata["cutoffs"][-1]) for name, sealed in secondary.items()}
    learned = [int(cutoff) for cutoff in (*here.dataset.plan.training, *here.dataset.plan.calibration)]
    assert last["horizon_30"] == max(learned)
    assert last["horizon_180"] == max(cutoff for cutoff in learned if cutoff + 210 * DAY <= first_test) < max(learned)


def test_nothing_that_happens_after_the_test_begins_is_learned(fitted, here):
    first_test = int(here.dataset.plan.test[0])
    table = here.tables["subscriptions"]
    ended = table.data.column("ended_at").to_pandas().astype("datetime64[us, UTC]")
    later = ended.astype("int64").where(ended.notna(), MISSING).to_numpy() >= first_test
    assert later.sum() > 20
    data = table.data
    for name in ("ended_at", "cancel_requested_at", "end_reason"):
        kept = [None if gone else cell for cell, gone in zip(data.column(name).to_pylist(), later, strict=True)]
        position = data.column_names.index(name)
        data = data.set_column(position, name, pa.array(kept, data.schema.field(name).type))
    blind = Tables({**here.tables, "subscriptions": replace(table, data=data)}, here.tables.observed_until)
    again = fit_horizons(here.dataset, blind, here.label, HorizonSettings(), MODEL)
    assert again == fitted


def test_too_few_on_a_side_get_one_share_and_it_is_said(here, monkeypatch):
    monkeypatch.setattr(secondary_module, "LEAST_OF_A_SIDE", 10**6)
    secondary, notes = fit_horizons(here.dataset, here.tables, here.label, HorizonSettings(), MODEL)
    for name, sealed in secondary.items():
        rows = sealed.metadata["rows"]
        share = (rows["churned"] + 1) / (rows["churned"] + rows["not"] + 2)
        assert sealed.predict(here.X_test.iloc[:3]).tolist() == pytest.approx([share] * 3, rel=1e-12)
        assert any(note.startswith(name.removeprefix("horizon_") + " days: only ") for note in notes)
    churners = here.dataset.y[here.dataset.rows("training", "calibration")].sum()
    rows = secondary["horizon_30"].metadata["rows"]
    assert rows["churned"] + rows["not"] == churners


def test_a_horizon_longer_than_history_is_left_out_and_said(here):
    secondary, notes = fit_horizons(here.dataset, here.tables, here.label, HorizonSettings(days=(90, 1500)), MODEL)
    assert secondary == {}
    assert notes == ("1500 days: no training cutoff has so long an outcome complete before the first test cutoff, 2025-01-02",)


def test_horizons_that_there_are_none_of(here, model):
    for label in (NonContractualLabel(), GivenLabel(flag="left")):
        secondary, notes = fit_horizons(here.dataset, here.tables, label, HorizonSettings(), MODEL)
        assert secondary == {}
        assert notes[0].startswith("other horizons: none, ")
    for days in ((), (90,)):
        assert fit_horizons(here.dataset, here.tables, here.label, HorizonSettings(days=days), MODEL) == ({}, ())
    assert horizons_of(model.to_bundle(), here.X_test, np.zeros(len(here.X_test))) == {}


@pytest.mark.parametrize("days", [(30, 30), (0,), (4000,), tuple(range(1, 15)), ("soon",)])
def test_days_that_cannot_be_meant_are_refused(days):
    with pytest.raises(ValidationError):
        HorizonSettings(days=days)
