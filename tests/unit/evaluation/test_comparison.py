"""Which cutoffs two versions are compared at, what decides, and when there is too little to decide."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from staypower.cutoffs import DAY, Outcome, instant_of, text_of
from staypower.dataset.settings import CutoffSettings
from staypower.evaluation.assessment import evaluate
from staypower.evaluation.comparison import _later_cutoffs, _measured, _wait, not_compared, unfit_because
from staypower.metrics.probability import log_losses

OUTCOME = Outcome(horizon=90, grace=30)


def measured(mine, theirs, churned, account=None):
    churned = np.asarray(churned, dtype=np.int8)
    account = np.arange(len(churned)) if account is None else np.asarray(account)
    return _measured("2", "1", np.array([0, 30 * DAY]), account, churned, np.asarray(mine), np.asarray(theirs), seed=0)


@pytest.mark.parametrize(
    ("learned", "until", "chosen", "found"),
    [
        # learned until 1 January, 120 days of outcome and grace: the first cutoff is 30 April, complete on 28 August
        ("2024-01-01", "2024-08-28", {}, ["2024-04-30"]),
        ("2024-01-01", "2024-08-27", {}, []),
        ("2024-01-01", "2024-10-27", {}, ["2024-04-30", "2024-05-30", "2024-06-29"]),
        # the grid ends at the last mature midnight
        ("2024-01-01", "2024-09-07", {}, ["2024-05-10"]),
        ("2024-01-01", "2024-10-27", {"every": 45}, ["2024-05-15", "2024-06-29"]),
        # or keeps in step with the date that the config tests from, and never begins before the embargo's end
        ("2024-01-01", "2024-10-27", {"test": "2024-05-01"}, ["2024-05-01", "2024-05-31"]),
        ("2024-01-01", "2024-10-27", {"test": "2024-02-15"}, ["2024-05-15", "2024-06-14"]),
    ],
)
def test_which_cutoffs_are_later(learned, until, chosen, found):
    cutoffs = _later_cutoffs(OUTCOME, CutoffSettings(**chosen), instant_of(learned), instant_of(until))
    assert [text_of(cutoff) for cutoff in cutoffs.tolist()] == found


def test_no_later_cutoff_says_how_long_to_wait():
    said = _wait(OUTCOME, instant_of("2024-01-01"), instant_of("2024-08-18"))
    assert "the first, 2024-04-30, is complete once the data reach 2024-08-28: wait for 10 more days of data" in said
    found = not_compared("2", "1", said)
    assert not found.wins
    assert found.verdict == " ".join(found.text().split()) == f"version 2 was not compared with the champion, version 1: {said}"
    assert found.frame().empty
    assert found.to_dict()["metrics"] == {}


def test_the_difference_is_that_of_the_log_losses():
    churned = np.array([0, 0, 0, 1] * 25)
    mine, theirs = np.where(churned == 1, 0.8, 0.1), np.where(churned == 1, 0.6, 0.2)
    found = measured(mine, theirs, churned)
    expected = (25 * np.log(0.6 / 0.8) + 75 * np.log(0.8 / 0.9)) / 100
    assert found.differences["log_loss"].value == pytest.approx(expected)
    assert found.values["log_loss"] == pytest.approx((log_losses(churned, theirs).mean(), log_losses(churned, mine).mean()))
    assert found.wins
    assert found.verdict.startswith("version 2 is better than the champion, version 1: log loss -0.16")
    assert (found.rows, found.accounts, found.churned) == (100, 100, 25)
    worse = measured(theirs, mine, churned)
    assert not worse.wins
    assert worse.verdict.startswith("version 2 is worse than")
    assert json.loads(json.dumps(found.to_dict()))["wins"] is True


def test_a_model_does_not_win_against_itself_or_by_luck():
    rng = np.random.default_rng(0)
    churned = (rng.random(400) < 0.3).astype(np.int8)
    one = np.clip(0.3 + rng.normal(0, 0.05, 400), 0.01, 0.99)
    assert measured(one, one, churned).verdict.endswith("; the 95% interval includes 0")
    lucky = np.clip(one + np.where(churned == 1, 0.002, -0.002) + rng.normal(0, 0.05, 400), 0.01, 0.99)
    found = measured(lucky, one, churned)
    assert not found.wins


def test_rows_of_one_account_are_drawn_together():
    """Five hundred copies of twenty accounts are evidence of twenty accounts."""
    rng = np.random.default_rng(1)
    churned = (np.arange(40) < 12).astype(np.int8)
    mine, theirs = rng.uniform(0.2, 0.5, 40), rng.uniform(0.2, 0.5, 40)
    few = measured(mine, theirs, churned).differences["log_loss"]
    copies = np.repeat(np.arange(40), 50)
    many = measured(mine[copies], theirs[copies], churned[copies], copies).differences["log_loss"]
    assert many.value == pytest.approx(few.value)
    assert many.high - many.low == pytest.approx(few.high - few.low, rel=1e-6)


def test_a_model_that_has_seen_the_outcomes_never_wins():
    y = np.array([0, 0, 0, 1] * 25)
    fair = measured(np.where(y == 1, 0.8, 0.1), np.where(y == 1, 0.6, 0.2), y)
    found = replace(fair, seen_by="2", against_champion=False)
    assert fair.wins
    assert not found.wins
    assert found.verdict == (
        "version 2 cannot be compared fairly with version 1: version 2 was trained on outcomes of these cutoffs, so its "
        "figures are too good"
    )
    assert "neither was trained on" in " ".join(fair.text().split())
    assert "neither was trained on" not in " ".join(found.text().split())
    assert found.to_dict()["seen_by"] == "2"


@pytest.mark.parametrize(
    ("accounts", "churned", "lacking"),
    [
        (29, 15, "only 29 accounts to test on, at least 30"),
        (60, 9, "only 9 churned accounts to test on, at least 10"),
        (60, 10, ""),
    ],
)
def test_too_little_decides_nothing(accounts, churned, lacking):
    y = (np.arange(accounts) < churned).astype(np.int8)
    found = measured(np.where(y == 1, 0.9, 0.1), np.full(accounts, 0.5), y)
    assert found.too_little.startswith(lacking) if lacking else not found.too_little
    assert found.wins is not bool(lacking)
    if lacking:
        assert found.verdict == f"version 2 is not significantly better than the champion, version 1: {found.too_little}"


def test_one_class_still_compares_probabilities():
    found = measured(np.full(50, 0.1), np.full(50, 0.2), np.zeros(50))
    assert set(found.differences) == {"log_loss", "calibration_error"}
    assert not found.wins


def evaluated(score, y):
    return evaluate(y, {"model": score}, accounts=range(len(y)), cutoffs=[0] * len(y), split="temporal", probability={"model"})


def test_what_makes_a_first_model_unfit():
    rng = np.random.default_rng(3)
    y = (np.arange(300) % 3 == 0).astype(int)
    good = evaluated(np.clip(0.3 + 0.3 * y + rng.normal(0, 0.1, 300), 0.01, 0.99), y)
    assert unfit_because(good, churned_accounts=100) == ""
    assert "its test has only 9 churned accounts" in unfit_because(good, churned_accounts=9)
    assert unfit_because(good, churned_accounts=9, lacking="only 12 accounts left").endswith(
        "automatically: only 12 accounts left"
    )
    chance = evaluated(rng.uniform(0.1, 0.9, 300), y)
    said = unfit_because(chance, churned_accounts=100)
    assert said.startswith("cannot be promoted automatically: not significantly better than chance, AUROC 0.")


def test_without_intervals_nothing_is_said_about_chance():
    y = np.array([0, 1] * 60)
    found = evaluate(
        y,
        {"model": 0.2 + 0.6 * y},
        accounts=range(120),
        cutoffs=[0] * 120,
        split="temporal",
        probability={"model"},
        bootstrap=0,
    )
    said = unfit_because(found, churned_accounts=60)
    assert said.startswith("cannot be promoted automatically: not tested against chance, 0 bootstrap samples give no intervals")
