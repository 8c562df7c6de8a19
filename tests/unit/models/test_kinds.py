from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from simulated_company import company, expected_log_loss

from staypower.errors import UsageError
from staypower.labels.population import ChurnKind
from staypower.labels.settings import NonContractualLabel
from staypower.models import secondary as secondary_module
from staypower.models.bundle import read_bundle, write_bundle
from staypower.models.secondary import KINDS, fit_kinds, kinds_of, split_by_kind
from staypower.models.settings import ModelSettings

MODEL = ModelSettings(threads=1)


@pytest.fixture(scope="module")
def here():
    return company(800, 5)


@pytest.fixture(scope="module")
def fitted(here):
    return fit_kinds(here.dataset, here.label, MODEL)


def with_kinds(here, change):
    """The data set with other kinds: `change` gets the kinds and which of them belong to rows that may teach."""
    labels, plan = here.dataset.labels, here.dataset.plan
    places = here.dataset.places(labels.population.accounts, plan.all)
    teaching = np.zeros(labels.kind.shape, dtype=bool)
    teaching[places] = here.dataset.rows("training", "calibration") & (here.dataset.y == 1)
    return replace(here.dataset, labels=replace(labels, kind=change(labels.kind.copy(), teaching)))


def test_the_parts_add_up_to_the_last_bit():
    rng = np.random.default_rng(0)
    whole = np.concatenate([rng.random(200_000), 10 ** -rng.uniform(0, 300, 50_000), [0.0, 1.0, np.nextafter(1, 0)]])
    share = rng.random(len(whole))
    share[:4] = [0.0, 1.0, 0.5, np.nextafter(0.5, 0)]
    voluntary, involuntary = split_by_kind(whole, share)
    assert (voluntary + involuntary == whole).all()
    assert np.minimum(voluntary, involuntary).min() >= 0
    assert np.allclose(voluntary, whole * share, rtol=1e-9, atol=1e-16)
    # the plain way does not add up, which is why it is not taken
    assert not (whole * share + (whole - whole * share) == whole).all()


def test_an_account_that_is_not_scored_has_no_parts():
    voluntary, involuntary = split_by_kind(np.array([np.nan]), np.array([0.3]))
    assert np.isnan(voluntary[0])
    assert np.isnan(involuntary[0])


def test_kinds_are_learned_from_churners_of_known_kind(fitted, here):
    sealed, notes = fitted
    labels = here.dataset.labels
    kind = labels.kind[here.dataset.places(labels.population.accounts, here.dataset.plan.all)]
    teaching = here.dataset.rows("training", "calibration") & (here.dataset.y == 1)
    voluntary, involuntary, unknown = (int((teaching & (kind == each)).sum()) for each in (1, 2, 3))
    assert sealed.metadata["method"] == "trees"
    assert sealed.metadata["rows"] == {"voluntary": voluntary, "involuntary": involuntary}
    total = voluntary + involuntary + unknown
    assert notes == (f"kinds of churn: {unknown} of {total} churned rows have no end reason and were not used",)
    assert unknown > 0


def test_kinds_are_nearer_the_truth_than_one_share_for_all(fitted, here, model, tmp_path):
    bundle = replace(model.to_bundle(), secondary={KINDS: fitted[0]})
    again = read_bundle(tmp_path / "b", digest=write_bundle(bundle, tmp_path / "b"))
    whole = np.clip(here.truth["churn_probability"].to_numpy(), 1e-12, 1)
    found = pd.DataFrame(kinds_of(again, here.X_test, whole))
    assert found.columns.tolist() == ["p_voluntary", "p_involuntary"]
    assert (found["p_voluntary"] + found["p_involuntary"] == whole).all()
    assert found.equals(pd.DataFrame(kinds_of(bundle, here.X_test, whole, threads=2)))
    truth = np.clip(here.truth["p_voluntary"].to_numpy() / whole, 0, 1)
    rows = fitted[0].metadata["rows"]
    everybody = np.full(len(whole), rows["voluntary"] / sum(rows.values()))
    learned = expected_log_loss(found["p_voluntary"].to_numpy() / whole, truth, whole)
    assert learned < expected_log_loss(everybody, truth, whole)


def test_no_kind_of_a_stayer_or_of_the_test_is_learned(fitted, here):
    def scramble(kind, teaching):
        kind[~teaching] = np.random.default_rng(0).integers(0, 4, kind.shape)[~teaching]
        return kind

    assert fit_kinds(with_kinds(here, scramble), here.label, MODEL) == fitted


def test_the_kinds_of_the_churners_are_what_is_learned(fitted, here):
    def turn(kind, teaching):
        turned = kind.copy()
        turned[kind == ChurnKind.VOLUNTARY], turned[kind == ChurnKind.INVOLUNTARY] = 2, 1
        return turned

    sealed, _ = fit_kinds(with_kinds(here, turn), here.label, MODEL)
    forth, back = (found.predict(here.X_test) for found in (fitted[0], sealed))
    assert np.corrcoef(forth, back)[0, 1] < -0.9


def test_too_few_of_a_kind_get_the_share_of_the_training_rows_and_it_is_said(here, monkeypatch, fitted):
    monkeypatch.setattr(secondary_module, "LEAST_OF_A_KIND", 1000)
    sealed, notes = fit_kinds(here.dataset, here.label, MODEL)
    rows = fitted[0].metadata["rows"]
    share = (rows["voluntary"] + 1) / (sum(rows.values()) + 2)
    assert sealed.predict(here.X_test).tolist() == pytest.approx([share] * len(here.X_test), rel=1e-12)
    rarer = fitted[0].metadata["rarer_accounts"]
    assert notes[-1] == (
        f"kinds of churn: only {rarer} accounts churned in the rarer way (1000 are needed): {100 * share:.0f}% of churn is "
        "taken as voluntary for every account"
    )


def test_one_kind_alone_is_never_certain(here):
    sealed, notes = fit_kinds(with_kinds(here, lambda kind, _: np.where(kind == 2, 1, kind).astype(np.int8)), here.label, MODEL)
    share = sealed.predict(here.X_test.iloc[:1])[0]
    assert 0.99 < share < 1
    assert "only 0 accounts" in notes[-1]


def test_kinds_that_cannot_be_told(here, model):
    none = lambda kind, _: np.where(kind > 0, 3, 0).astype(np.int8)  # noqa: E731
    assert fit_kinds(with_kinds(here, none), here.label, MODEL)[0] is None
    for label, why in (
        (here.label.model_copy(update={"involuntary": ()}), "names no end reasons"),
        (here.label.model_copy(update={"of": "voluntary"}), "about voluntary churn only"),
        (NonContractualLabel(), "names no end reasons"),
    ):
        sealed, notes = fit_kinds(here.dataset, label, MODEL)
        assert sealed is None
        assert why in notes[0]
    assert kinds_of(model.to_bundle(), here.X_test, np.zeros(len(here.X_test))) == {}
    with pytest.raises(UsageError, match="1 for 2 rows"):
        kinds_of(model.to_bundle(), pd.DataFrame({"a": [1, 2]}), np.zeros(1))
