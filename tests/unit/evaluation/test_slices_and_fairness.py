"""The worst slice is named, and groups of a sensitive attribute are compared at the list that the team works through."""

import json
from dataclasses import replace

import numpy as np
import pytest

from staypower.evaluation.assessment import evaluate
from staypower.evaluation.contacting import contacted_share, fairness_gaps
from staypower.evaluation.resampling import Estimate
from staypower.evaluation.slices import Slice, worst_slice


def company(n=900, seed=0):
    """Three plans; in `legacy` the score says nothing."""
    rng = np.random.default_rng(seed)
    plan = np.array(["basic", "pro", "legacy"], dtype=object)[np.arange(n) % 3]
    truth = rng.beta(1, 4, n)
    churned = (rng.random(n) < truth).astype(int)
    score = np.where(plan == "legacy", rng.beta(1, 4, n), truth)
    return plan, churned, score


def evaluated(plan, churned, score, **more):
    return evaluate(
        churned,
        {"model": score},
        accounts=np.arange(len(plan)),
        cutoffs=np.zeros(len(plan), dtype=int),
        split="temporal",
        probability={"model"},
        segments={"plan": plan, "coin": np.array(["a", "b"], dtype=object)[np.arange(len(plan)) // 3 % 2]},
        bootstrap=100,
        **more,
    )


def test_the_planted_slice_is_the_worst():
    found = evaluated(*company())
    worst = found.worst_slice
    assert (worst.partition, worst.name, worst.accounts, worst.of) == ("plan", "legacy", 300, 5)
    assert worst.auroc.value == min(group.auroc.value for group in found.groups)
    assert worst.difference.value == pytest.approx(worst.auroc.value - found.metrics()["auroc"])
    assert worst.shown
    assert "Worst slice\n\n- plan legacy (300 accounts): AUROC" in found.text()


def test_without_a_bad_slice_some_slice_is_lowest_and_that_is_said():
    plan, churned, _ = company()
    truth = np.random.default_rng(0).beta(1, 4, len(plan))
    worst = evaluated(plan, churned, truth).worst_slice
    assert not worst.shown
    assert "the lowest of 5 slices, not significantly worse than all rows" in worst.words


def test_many_slices_make_the_lowest_less_remarkable():
    drawn = np.random.default_rng(0).normal(0.70, 0.02, (400, 40))

    def lowest(slices):
        groups = [
            Slice("city", str(at), 90, 90, 20, 0.2, 0.2, {"auroc": Estimate(0.70 if at else 0.645)}) for at in range(slices)
        ]
        return worst_slice(groups, drawn[:, :slices], 0.70, np.full(400, 0.70))

    assert lowest(2).shown
    assert "worse than all rows, also when 2 slices are tested at once" in lowest(2).words
    assert not lowest(40).shown
    alone = replace(lowest(40), difference=Estimate(-0.055, -0.1, -0.01))
    assert "worse than all rows by itself (its interval excludes 0), but 40 slices were tested" in alone.words


def test_few_churners_make_no_worst_slice():
    few = [Slice("plan", name, 90, 90, 9, 0.1, 0.1, {"auroc": Estimate(0.5)}) for name in "ab"]
    assert worst_slice(few, np.zeros((0, 2)), 0.7, np.zeros(0)) is None


def test_groups_tell_log_loss_and_calibration_gap():
    plan, churned, score = company()
    group = next(group for group in evaluated(plan, churned, np.clip(score + 0.1, 0, 1)).groups if group.name == "basic")
    rows = plan == "basic"
    assert group.calibration_gap.value == pytest.approx(np.clip(score + 0.1, 0, 1)[rows].mean() - churned[rows].mean())
    assert group.calibration_gap.excludes(0.0)
    assert group.measures["log_loss"].bounded


def test_groups_whose_probabilities_are_off_are_named():
    plan, churned, score = company()
    off = evaluated(plan, churned, np.where(plan == "pro", np.clip(score + 0.2, 0, 1), score))
    assert any("each by its own interval" in note and "plan pro (" in note for note in off.notes)


def test_the_contact_list_fills_the_capacity_of_each_cutoff_and_shares_ties():
    score = np.array([0.9, 0.8, 0.8, 0.8, 0.1, 0.5, 0.4])
    cutoff = np.array([0, 0, 0, 0, 0, 1, 1])
    found = contacted_share(score, cutoff, 2, 0.0)
    assert found.tolist() == pytest.approx([1, 1 / 3, 1 / 3, 1 / 3, 0, 1, 1])
    assert contacted_share(score, cutoff, None, 0.45).tolist() == [1, 1, 1, 1, 0, 1, 0]


def test_gaps_are_those_counted_by_hand():
    # f: 40 churned (30 contacted), 60 stayed (6 contacted); m: 40 churned (10 contacted), 60 stayed (12 contacted)
    churned = np.tile(np.repeat([True, False], [40, 60]), 2)
    contacted = np.concatenate([np.arange(40) < 30, np.arange(60) < 6, np.arange(40) < 10, np.arange(60) < 12]).astype(float)
    who = np.repeat(np.array(["f", "m"], dtype=object), 100)
    told = np.where(who == "f", 0.5, 0.3)
    found = fairness_gaps(churned, told, contacted, {"sex": who}, np.arange(200), replicates=200, seed=0)
    gaps = {gap.measure: gap for gap in found}
    assert gaps["recall"].gap.value == pytest.approx(30 / 40 - 10 / 40)
    assert (gaps["recall"].highest, gaps["recall"].lowest) == ("f", "m")
    assert gaps["false_positive_rate"].gap.value == pytest.approx(12 / 60 - 6 / 60)
    assert gaps["false_positive_rate"].highest == "m"
    assert gaps["contacted"].gap.value == pytest.approx(0.36 - 0.22)
    assert gaps["calibration_gap"].gap.value == pytest.approx(0.2)
    # two independent shares of 40: the theory of their difference
    spread = 1.96 * np.sqrt(0.75 * 0.25 / 40 + 0.25 * 0.75 / 40)
    assert gaps["recall"].gap.high - gaps["recall"].gap.low == pytest.approx(2 * spread, rel=0.25)


def test_small_groups_are_not_compared_and_blanks_are_no_group():
    who = np.array(["f"] * 60 + ["m"] * 29 + [None] * 60, dtype=object)
    churned = np.arange(149) % 2 == 0
    assert fairness_gaps(churned, None, churned.astype(float), {"sex": who}, np.arange(149), replicates=0, seed=0) == ()


def test_an_evaluation_compares_only_what_is_declared_sensitive():
    plan, churned, score = company()
    found = evaluated(plan, churned, score, sensitive={"coin"}, capacity=90)
    assert {gap.column for gap in found.fairness} == {"coin"}
    assert {gap.measure for gap in found.fairness} == {"contacted", "recall", "false_positive_rate", "calibration_gap"}
    assert "Fairness" in found.text()
    assert "Fairness" not in evaluated(plan, churned, score).text()
    assert max(map(len, found.text().splitlines())) <= 100
    assert len(found.frame("fairness")) == 4
    json.dumps(found.to_dict(), allow_nan=False)


def test_names_of_groups_are_harmless_in_a_notebook():
    plan, churned, score = company()
    found = evaluated(np.where(plan == "legacy", "<script>x", plan), churned, score)
    assert found.worst_slice.name == "<script>x"
    assert "<script>x" not in found._repr_html_()
    assert "&lt;script&gt;x" in found._repr_html_()
