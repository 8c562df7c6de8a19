"""A metric or a baseline that is declared once is shown everywhere."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from documentation.metrics import document_metrics
from made_folds import folds_of
from report_contents import made_report

from staypower.evaluation.assessment import evaluate
from staypower.evaluation.comparison import _measured
from staypower.evaluation.folds import backtest_of
from staypower.evaluation.measures import METRICS, Metric, paired_difference
from staypower.evaluation.result import quality_of
from staypower.evaluation.tier import TIER_METRICS, evaluate_tiers
from staypower.pipelines import tune
from staypower.reporting import card
from staypower.reporting.rendering import render_report
from staypower.tracking.contents import log_evaluation
from staypower.tuning import Trial, Tuning

NAME, LABEL = "half_way_gain", "planted"
PLANTED = Metric(NAME, LABEL, "higher", lambda score: score.tally.gain(0.5), "churned in the top half / all churned", "planted")


@pytest.fixture(autouse=True)
def planted(monkeypatch):
    monkeypatch.setitem(METRICS, NAME, PLANTED)


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    truth = rng.beta(1, 4, 400)
    return (rng.random(400) < truth).astype(int), truth, rng.beta(1, 4, 400)


@pytest.fixture
def evaluation(planted, rows):
    y, truth, other = rows
    return evaluate(
        y,
        {"model": truth, "other": other},
        accounts=range(400),
        cutoffs=[0] * 400,
        split="temporal",
        probability={"model"},
        segments={"half": np.arange(400) % 2},
        bootstrap=30,
    )


def squeezed(text):
    return " ".join(text.split())


def test_the_text_has_it_in_the_tables_of_scores_and_of_differences(evaluation):
    assert squeezed(evaluation.text()).count(LABEL) >= 2
    assert squeezed(evaluation._repr_html_()).count(LABEL) >= 2


def test_frames_json_and_slices_have_it(evaluation):
    for table in ("scorers", "differences", "groups"):
        assert {NAME, f"{NAME}_low"} <= set(evaluation.frame(table))
    assert evaluation.to_dict()["scorers"]["model"][NAME]["value"] == evaluation.metrics()[NAME]
    assert evaluation.to_dict()["groups"][0][NAME]["low"] is not None


def test_the_model_card_has_it(evaluation):
    section = card._test(SimpleNamespace(plan=SimpleNamespace(split="temporal", embargo=90)), evaluation)
    assert section.count(LABEL) == 2


def test_the_report_page_has_it(evaluation):
    page = render_report(replace(made_report(10), quality=quality_of(evaluation)))
    assert LABEL in page


def test_what_is_tracked_has_it(evaluation, tmp_path):
    logged = {}
    names = ("log_text", "log_artifacts", "log_table")
    run = SimpleNamespace(log_metrics=logged.update, **{name: lambda *_: None for name in names})
    log_evaluation(run, evaluation, scratch=tmp_path)
    assert logged[NAME] == evaluation.metrics()[NAME]


def test_two_scores_and_two_versions_are_compared_by_it(rows):
    y, truth, other = rows
    found = paired_difference(y, truth, other, range(400), NAME, replicates=30)
    comparison = _measured("2", "1", np.array([0]), np.arange(400), y.astype(np.int8), truth, other, seed=0)
    assert comparison.differences[NAME].value == found.value > 0
    assert LABEL in squeezed(comparison.text())


def test_a_backtest_has_it_by_fold_by_age_and_for_known_accounts():
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(METRICS, NAME)
        before = len(backtest_of(folds_of(halves=True)[2], replicates=20).plot("ageing").axes)
    found = backtest_of(folds_of(halves=True)[2], replicates=20)
    assert NAME in found.frame("folds")
    assert {NAME, f"{NAME}_change"} <= set(found.frame("ages"))
    assert NAME in found.known_accounts.difference
    assert LABEL in squeezed(found.text())
    assert len(found.plot("ageing").axes) == before + 1


def test_tuning_compares_by_it(rows, monkeypatch):
    y, truth, other = rows
    monkeypatch.setattr(tune, "_predict", lambda rows, settings, overrides: truth if overrides else other)
    settings = SimpleNamespace(model=SimpleNamespace(seed=0))
    found = tune._compare([SimpleNamespace(y=y, accounts=np.arange(400))], settings, {"l2": 2.0})
    trials = (Trial(0, {}, 0.3, "complete", 1.0), Trial(1, {"l2": 2.0}, 0.2, "complete", 1.0))
    text = Tuning(trials, ("2025-01-01",), found, {}, ()).text()
    assert found[NAME].value > 0
    assert LABEL in squeezed(text)


def test_the_docs_have_it():
    assert f"| `{NAME}` | churned in the top half / all churned | higher | planted |" in document_metrics()


def test_a_metric_of_the_tier_is_one_entry_too(monkeypatch):
    misses = Metric("misses", "missed tiers", "lower", lambda tiers: float(tiers.table[0, 2]))
    monkeypatch.setitem(TIER_METRICS, "misses", misses)
    likely = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]] * 10
    found = evaluate_tiers(
        [0, 1, 2] * 10, likely, accounts=range(30), cutoffs=[0] * 30, split="temporal", classes=["low", "mid", "high"]
    )
    assert found.metrics()["tier_misses"] == 0.0
    assert "missed tiers" in squeezed(found.text(120))
