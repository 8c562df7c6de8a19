import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from staypower import metrics
from staypower.cutoffs import DAY, instant_of
from staypower.errors import UsageError
from staypower.evaluation import wording
from staypower.evaluation.assessment import evaluate
from staypower.evaluation.result import Evaluation
from staypower.evaluation.rows import BASE_RATE
from staypower.evaluation.settings import CostSettings
from staypower.results.result import as_text

FIRST = instant_of("2025-01-01")


def history(accounts=200, times=3, seed=5):
    """Rows sorted by account and cutoff, with the true probability as `truth`."""
    rng = np.random.default_rng(seed)
    number = np.repeat(np.arange(accounts), times)
    drive = np.repeat(rng.normal(size=accounts), times) + 0.5 * rng.normal(size=accounts * times)
    truth = 1 / (1 + np.exp(1.5 - 1.5 * drive))
    return {
        "y": (rng.random(len(truth)) < truth).astype(int),
        "truth": truth,
        "noise": rng.random(len(truth)),
        "accounts": np.array([f"a{at:04d}" for at in number]),
        "cutoffs": FIRST + 30 * DAY * np.tile(np.arange(times), accounts),
    }


def evaluated(rows, scores, **settings):
    given = {"split": "temporal", "bootstrap": 60, "accounts": rows["accounts"], "cutoffs": rows["cutoffs"]}
    return evaluate(rows["y"], scores, **{**given, **settings})


@pytest.fixture(scope="module")
def rows():
    return history()


@pytest.fixture(scope="module")
def full(rows) -> Evaluation:
    silent = np.arange(len(rows["y"])) % 4 == 0
    return evaluated(
        rows,
        {
            "model": rows["truth"],
            "recency rule": np.round(rows["truth"] * 4 + rows["noise"]),
            "last survey answer": np.where(silent, np.nan, rows["noise"]),
            "logistic regression": 0.6 * rows["truth"] + 0.4 * rows["noise"],
        },
        split="snapshot",
        probability={"model", "logistic regression"},
        train_base_rate=0.10,
        segments={"plan": np.where(np.arange(600) < 15, "tiny", np.where(np.arange(600) < 300, "basic", "pro"))},
        tenure_days=np.repeat(np.arange(200) * 5.0, 3),
        capacity=20,
        costs=CostSettings(clv=1200, incentive=60, contact=10),
        account_values=np.full(600, 1200.0),
    )


def test_values_are_those_of_the_plain_metrics(rows, full):
    y, p = rows["y"], rows["truth"]
    found = full.metrics()
    assert found["auroc"] == pytest.approx(metrics.auroc(y, p))
    assert found["average_precision"] == pytest.approx(metrics.average_precision(y, p))
    assert found["log_loss"] == pytest.approx(metrics.log_loss(y, p))
    assert found["brier"] == pytest.approx(metrics.brier(y, p))
    assert found["brier_skill"] == pytest.approx(metrics.brier_skill(y, p, base_rate=0.10))
    assert found["calibration_error"] == pytest.approx(metrics.calibration_error(y, p))
    assert found["mean_score"] == pytest.approx(p.mean())
    assert found["lift_10"] == pytest.approx(metrics.lift_at(y, p, 0.1))
    assert found["gain_20"] == pytest.approx(metrics.gain_at(y, p, 0.2))
    money = {"clv": 1200, "incentive_cost": 60, "contact_cost": 10}
    assert found["empc"] == pytest.approx(metrics.expected_maximum_profit(y, p, **money).profit)
    assert found["maximum_profit"] == pytest.approx(metrics.maximum_profit(y, p, **money).profit)
    assert found["instance_dependent_maximum_profit"] == pytest.approx(found["maximum_profit"])


def test_capacity_is_per_cutoff(rows, full):
    hits, churned = 0.0, 0
    for cutoff in np.unique(rows["cutoffs"]):
        here = rows["cutoffs"] == cutoff
        hits += 20 * metrics.precision_at(rows["y"][here], rows["truth"][here], 20)
        churned += rows["y"][here].sum()
    assert full.metrics()["precision_at_capacity"] == pytest.approx(hits / 60)
    assert full.metrics()["recall_at_capacity"] == pytest.approx(hits / churned)


def test_model_stands_first_and_the_base_rate_is_added(full):
    assert list(full.scorers)[:2] == ["model", BASE_RATE]
    assert full.scorers[BASE_RATE]["auroc"].value == 0.5
    assert full.scorers[BASE_RATE]["mean_score"].value == pytest.approx(0.10)
    assert full.scorers[BASE_RATE]["brier_skill"].value == pytest.approx(0.0)
    assert list(full.differences) == [BASE_RATE, "recency rule", "last survey answer", "logistic regression"]


def test_scores_that_only_rank_get_no_probability_metrics(full):
    for name in ("log_loss", "brier", "brier_skill", "calibration_error", "mean_score"):
        assert not full.scorers["recency rule"][name].known
        assert not full.differences["recency rule"][name].known
        assert full.scorers["logistic regression"][name].known
    assert "recency rule" not in {each.scorer for each in full.reliability}


def test_differences_are_paired(rows):
    nearly = rows["truth"] + 1e-4 * rows["noise"]
    found = evaluated(rows, {"model": rows["truth"], "twin": nearly, "noise": rows["noise"]})
    own = found.scorers["model"]["auroc"]
    twin = found.differences["twin"]["auroc"]
    assert twin.high - twin.low < 0.1 * (own.high - own.low)
    assert found.differences["noise"]["auroc"].value == pytest.approx(own.value - found.scorers["noise"]["auroc"].value)


def test_rows_of_one_account_do_not_narrow_the_interval():
    once = history(accounts=150, times=1)
    many = {name: np.repeat(values, 9) for name, values in once.items()}
    many["cutoffs"] = FIRST + DAY * np.tile(np.arange(9), 150)
    single, repeated = (evaluated(each, {"model": each["truth"]}).scorers["model"]["auroc"] for each in (once, many))
    assert repeated.value == pytest.approx(single.value)
    assert (repeated.low, repeated.high) == pytest.approx((single.low, single.high))


def test_interval_is_as_wide_as_theory_says():
    rows = history(accounts=1500, times=1)
    found = evaluated(rows, {"model": rows["truth"]}, bootstrap=300)
    rate = found.base_rate
    theory = 2 * 1.96 * np.sqrt(rate.value * (1 - rate.value) / 1500)
    assert rate.high - rate.low == pytest.approx(theory, rel=0.15)


def test_values_lie_within_their_intervals(full):
    for row in full.scorers.values():
        for name, each in row.items():
            if each.bounded:
                assert each.low - 1e-12 <= each.value <= each.high + 1e-12, name


def test_order_of_rows_changes_no_value(rows, full):
    order = np.random.default_rng(0).permutation(600)
    shuffled = {name: values[order] for name, values in rows.items()}
    silent = np.arange(600) % 4 == 0
    found = evaluated(
        shuffled,
        {"model": shuffled["truth"], "last survey answer": np.where(silent, np.nan, rows["noise"])[order]},
        probability={"model"},
        train_base_rate=0.10,
        capacity=20,
    )
    for name in ("model", "last survey answer"):
        for metric in ("auroc", "average_precision", "log_loss", "calibration_error", "lift_5", "precision_at_capacity"):
            mine, theirs = found.scorers[name][metric].value, full.scorers[name][metric].value
            assert mine == pytest.approx(theirs, nan_ok=True), (name, metric)
            assert found.scorers["model"][metric].low == pytest.approx(full.scorers["model"][metric].low)


def test_same_seed_same_intervals_other_seed_others(rows):
    first, again, other = (evaluated(rows, {"model": rows["truth"]}, seed=seed).scorers["model"]["auroc"] for seed in (1, 1, 2))
    assert first == again
    assert first.low != other.low


def test_headline_of_a_model_that_beats_all(full):
    assert full.headline.startswith("The model beats every baseline in AUROC")
    assert "Split: snapshot (not a temporal test)." in full.headline


def test_headline_says_first_what_is_not_beaten(rows):
    found = evaluated(
        rows, {"model": rows["noise"], "recency rule": rows["truth"]}, probability={"model"}, train_base_rate=0.25
    )
    assert found.headline.startswith("The model does not beat ")
    assert "recency rule in AUROC" in found.headline.split(".")[0] + found.headline
    assert "the base rate in log loss" in found.headline


def test_a_tie_is_not_a_win(rows):
    found = evaluated(rows, {"model": rows["truth"], "recency rule": rows["truth"]})
    assert found.headline.startswith("The model does not beat recency rule in AUROC")


def test_headline_says_when_a_lead_is_not_shown(rows):
    better, worse = rows["truth"] + 0.30 * rows["noise"], rows["truth"] + 0.31 * rows["noise"][::-1]
    if metrics.auroc(rows["y"], better) < metrics.auroc(rows["y"], worse):
        better, worse = worse, better
    found = evaluated(rows, {"model": better, "health score": worse})
    assert found.headline.startswith("The model is not significantly better than health score in AUROC")


def test_shift_of_the_base_rate_is_reported(full, rows):
    assert "10.0% in training" in full.text()
    assert any("base rate has shifted" in note for note in full.notes)
    same = evaluated(rows, {"model": rows["truth"]}, train_base_rate=float(rows["y"].mean()))
    assert not any("shifted" in note for note in same.notes)
    unknown = evaluated(rows, {"model": rows["truth"]})
    assert any("the training churn rate was not given" in note for note in unknown.notes)


def test_rows_without_a_score_are_counted_and_stand_in_the_middle(rows, full):
    assert full.scored["last survey answer"] == pytest.approx(0.75)
    note = "last survey answer is known for 75.0% of the rows; missing values were set to the median."
    assert note in full.notes
    half = np.where(np.arange(5) < 3, [1.0, 2.0, 3.0, 0, 0], np.nan)
    found = evaluate(
        [0, 0, 1, 1, 0],
        {"model": [1, 2, 3, 4, 5], "rule": half},
        accounts=range(5),
        cutoffs=[0] * 5,
        split="temporal",
        bootstrap=0,
    )
    assert found.scorers["rule"]["auroc"].value == pytest.approx(metrics.auroc([0, 0, 1, 1, 0], [1, 2, 3, 2, 2]))


def test_a_rule_that_knows_no_row_is_left_out_and_said(rows):
    found = evaluated(rows, {"model": rows["truth"], "last survey answer": np.full(600, np.nan)}, bootstrap=0)
    assert list(found.scorers) == ["model", BASE_RATE]
    assert "last survey answer is missing on every row and left out." in found.notes


def test_groups_under_thirty_accounts_are_named_and_not_measured(full):
    tiny = next(group for group in full.groups if group.name == "tiny")
    assert (tiny.accounts, tiny.rows, tiny.note) == (5, 15, "too small")
    assert not tiny.auroc.known
    assert any("plan tiny (5)" in note for note in full.notes)


def test_groups_measure_their_own_rows(rows, full):
    pro = next(group for group in full.groups if group.name == "pro")
    assert pro.auroc.value == pytest.approx(metrics.auroc(rows["y"][300:], rows["truth"][300:]))
    assert pro.measures["lift_10"].value == pytest.approx(metrics.lift_at(rows["y"][300:], rows["truth"][300:], 0.1))
    assert (pro.observed, pro.predicted) == pytest.approx((rows["y"][300:].mean(), rows["truth"][300:].mean()))
    assert pro.auroc.bounded


def test_groups_by_cutoff_and_tenure(full):
    names = {partition: [g.name for g in full.groups if g.partition == partition] for partition in ("cutoff", "tenure")}
    assert names["cutoff"] == ["2025-01-01", "2025-01-31", "2025-03-02"]
    assert names["tenure"] == ["under 90 days", "90 days to 1 year", "1 to 2 years", "over 2 years"]
    # Tenure is 0, 5, ... days: 18 accounts lie under 90.
    assert [g.accounts for g in full.groups if g.partition == "tenure"] == [18, 55, 73, 54]


def test_a_group_of_one_class_has_no_auroc_and_says_so(rows):
    y = np.where(np.arange(600) < 300, 0, rows["y"])
    half = np.where(np.arange(600) < 300, "quiet", None)
    found = evaluated({**rows, "y": y}, {"model": rows["truth"]}, segments={"side": half})
    quiet = next(group for group in found.groups if group.name == "quiet")
    assert quiet.note == "none churned"
    assert any("AUROC is undefined where only one class is present: side quiet" in note for note in found.notes)
    assert [g.name for g in found.groups if g.partition == "side"] == ["quiet", "unknown"]


def test_many_small_segments_are_gathered(rows):
    found = evaluated(rows, {"model": rows["truth"]}, segments={"city": np.repeat(np.arange(200), 3) % 37}, bootstrap=0)
    cities = [group for group in found.groups if group.partition == "city"]
    assert len(cities) == 21
    assert cities[-1].name == "17 smaller groups"
    assert sum(group.rows for group in cities) == 600


def test_one_class_overall_is_said_and_left_blank():
    found = evaluate(
        np.zeros(40),
        {"model": np.linspace(0, 0.4, 40)},
        accounts=range(40),
        cutoffs=[0] * 40,
        split="grouped",
        probability={"model"},
    )
    assert found.headline.startswith("The ranking cannot be evaluated: none of the 40 rows churned")
    assert not found.scorers["model"]["auroc"].known
    assert found.scorers["model"]["log_loss"].known
    json.dumps(found.to_dict(), allow_nan=False)
    assert "AUROC" in found.text()


def test_published_costs_are_said_and_give_no_threshold(rows):
    found = evaluated(rows, {"model": rows["truth"]}, bootstrap=0)
    assert found.profit_threshold is None
    assert not found.scorers["model"]["maximum_profit"].known
    expected = metrics.expected_maximum_profit(rows["y"], rows["truth"]).profit
    assert found.metrics()["empc"] == pytest.approx(expected)
    assert any("published amounts" in note and "no costs are given" in note for note in found.notes)
    partly = evaluated(rows, {"model": rows["truth"]}, bootstrap=0, costs=CostSettings(clv=5000))
    assert partly.metrics()["empc"] == pytest.approx(expected)
    assert any("costs are incomplete" in note for note in partly.notes)


def test_given_costs_give_a_threshold(rows, full):
    best = metrics.maximum_profit(rows["y"], rows["truth"], clv=1200, incentive_cost=60, contact_cost=10)
    assert full.profit_threshold == best
    hopeless = evaluated(rows, {"model": rows["truth"]}, bootstrap=0, costs=CostSettings(clv=10, incentive=5, contact=50))
    assert any("At these costs, contacting anyone loses money." in note for note in hopeless.notes)


def test_every_output_names_the_split(full):
    for table in ("scorers", "differences", "groups", "reliability"):
        assert set(full.frame(table)["split"]) == {"snapshot (not a temporal test)"}
    assert full.to_dict()["split"] == "snapshot (not a temporal test)"
    assert "not a temporal test" in full.text()
    assert "not a temporal test" in full._repr_html_()


def test_text_fits_100_columns_even_with_large_amounts(full, rows):
    assert max(map(len, full.text().splitlines())) <= 100
    rich = evaluated(
        rows,
        {"model": rows["truth"], "a health score with a very long name": rows["noise"]},
        costs=CostSettings(clv=900_000, incentive=2000, contact=100),
    )
    assert max(map(len, rich.text().splitlines())) <= 100
    assert "(" in rich.text().split("EMPC")[1]


def test_text_without_groups_is_shorter(full):
    assert "By plan" in full.text()
    assert "By plan" not in as_text(wording.blocks(full, slices=False))
    assert str(full) == full.text()


def test_frame_has_a_row_per_scorer_with_interval_columns(full):
    frame = full.frame()
    assert frame["scorer"].tolist() == list(full.scorers)
    assert {"auroc", "auroc_low", "auroc_high", "lift_5", "empc"} <= set(frame)
    assert pd.isna(frame.set_index("scorer").loc["recency rule", "brier"])
    assert len(full.frame("reliability")) == 10 + 10 + 1


def test_json_has_null_for_what_is_missing(full):
    read = json.loads(json.dumps(full.to_dict(), allow_nan=False))
    assert read["scorers"]["recency rule"]["log_loss"] == {"value": None, "low": None, "high": None}
    assert read["scorers"]["model"]["auroc"]["value"] == full.metrics()["auroc"]
    assert read["groups"][0]["partition"] == "cutoff"
    assert read["costs"]["clv"] == 1200


def test_html_escapes_names():
    found = evaluate([0, 1] * 20, {"<b>x": [0.1, 0.2] * 20}, accounts=range(40), cutoffs=[0] * 40, split="<i>", bootstrap=0)
    assert "<b>x" not in found._repr_html_()
    assert "<i>" not in found._repr_html_()


def test_without_bootstrap_there_are_values_and_no_intervals(rows):
    found = evaluated(rows, {"model": rows["truth"], "rule": rows["noise"]}, bootstrap=0)
    assert found.scorers["model"]["auroc"].known
    assert not found.scorers["model"]["auroc"].bounded
    assert found.headline.startswith("AUROC: 0.836; the best baseline, rule, 0.508. Not tested: 0 bootstrap samples")
    assert "beat" not in found.headline
    assert "No intervals: 0 bootstrap samples of accounts are too few" in found.text()


def test_few_accounts_are_said():
    found = evaluate([0, 1, 1], {"model": [0.1, 0.2, 0.3]}, accounts=list("abc"), cutoffs=[0] * 3, split="temporal")
    assert found.notes[0] == "Only 3 accounts: too few for an evaluation."


def test_all_problems_come_at_once():
    with pytest.raises(UsageError) as caught:
        evaluate([0, 2, 1], {"model": [0.1, 0.2]}, accounts=["a"], cutoffs=[0.5, 1.5, 2.5], split="temporal")
    said = str(caught.value)
    assert len(caught.value.problems) == 4
    assert "model: 2 for 3 rows" in said
    assert "accounts: 1 for 3 rows" in said
    assert "cutoffs are not instants" in said


@pytest.mark.parametrize(
    ("scores", "probability", "said"),
    [
        ({}, (), "no score"),
        ({"model": [0.1, np.nan]}, (), "score is missing: model: 1 of 2"),
        ({"model": [0.1, 1.2]}, {"model"}, "not a probability: model"),
        ({"model": [0.1, 0.2]}, {"modl"}, "write `model`"),
        ({"model": [np.nan, np.nan], "rule": [0.1, 0.2]}, (), "score is missing: model: 2 of 2"),
        ({"model": [0.1, 0.2], "rule": [np.nan, 0.1]}, {"rule"}, "score is missing: rule"),
    ],
)
def test_unusable_scores_are_refused(scores, probability, said):
    with pytest.raises(UsageError, match=said):
        evaluate([0, 1], scores, accounts=["a", "b"], cutoffs=[0, 0], split="temporal", probability=probability)


@pytest.mark.parametrize("bad", [{"capacity": 0}, {"bootstrap": -1}, {"seed": -1}, {"train_base_rate": 1.5}])
def test_unusable_settings_are_refused(bad):
    with pytest.raises(UsageError, match=next(iter(bad))):
        evaluate([0, 1], {"model": [0.1, 0.2]}, accounts=["a", "b"], cutoffs=[0, 0], split="temporal", **bad)


@pytest.mark.parametrize(
    "bad", [{"clv": 0}, {"clv": 10, "incentive": 10}, {"contact": -1}, {"alpha": 0}, {"clv": float("inf")}, {"x": 1}]
)
def test_impossible_costs_are_refused(bad):
    with pytest.raises(ValidationError):
        CostSettings(**bad)


def test_settings_load_without_anything_heavy():
    code = "import sys, staypower.evaluation.settings; assert not {'pandas', 'sklearn', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_noise_of_resampling_is_taken_off_the_calibration_error(rows):
    # A constant equal to the observed rate is perfectly calibrated; no sample of accounts is.
    constant = evaluated(rows, {"model": rows["truth"]}).scorers[BASE_RATE]["calibration_error"]
    assert (constant.value, constant.low) == (pytest.approx(0.0), pytest.approx(0.0))
    assert 0 < constant.high < 0.05
