"""The two rules of leak suspects: what they catch, and what they must leave alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from staypower.checking.leaks import leak_suspects, suspicious_name
from staypower.errors import UsageError


@pytest.mark.parametrize(
    "name",
    [
        "Churn Score",
        "churn_value",
        "ChurnReason",
        "cancelled_at",
        "cancellation reason",
        "Exit Survey",
        "lost",
        "left",
        "left_at",
        "has left",
        "attrition_flag",
        "CLTV",
        "clv",
        "Customer Status",
        "customerStatus",
        "Satisfaction Score",
        "end_date",
        "reason",
        "lifetime_value",
        "deactivated",
        "terminated_on",
    ],
)
def test_names_made_after_the_fact(name):
    assert suspicious_name(name) is not None


@pytest.mark.parametrize(
    "name",
    [
        "Contract",
        "Tenure in Months",
        "Monthly Charge",
        "City",
        "Zip Code",
        "seats_left",
        "days left",
        "trend_date",
        "score",
        "season",
        "reasonable_use",
        "Payment Method",
        "status",
        "Total Refunds",
        "leftover",
        "excited",
        "lastname",
        "health_score",
        "Offer",
        "ended",
    ],
)
def test_ordinary_names(name):
    assert suspicious_name(name) is None


def suspects(y, **columns):
    return {found.column: found.problem for found in leak_suspects(pd.DataFrame(columns), y)}


def outcome(n=2000, rate=0.25):
    return (np.arange(n) < n * rate).astype(int)


def test_one_column_that_separates():
    y, noise = outcome(), np.random.default_rng(1).normal(size=2000)
    found = suspects(y, up=y + 0.3 * noise, down=-y + 0.3 * noise, weak=y + noise, word=np.where(y == 1, "gone", "here"))
    assert set(found) == {"up", "down", "word"}
    assert "AUROC of 1.000" in found["word"]


def test_the_border_of_separation():
    # 100 positives, of which 10 have the value of the negatives: 0.9 + 0.1 / 2 = 0.95; one fewer is below
    y = np.array([1] * 100 + [0] * 100)
    at, below = np.array([1] * 90 + [0] * 110, float), np.array([1] * 89 + [0] * 111, float)
    assert set(suspects(y, at=at, below=below)) == {"at"}


def test_a_code_that_nearly_names_its_account_is_no_suspect():
    y = outcome()
    rng = np.random.default_rng(0)
    codes = rng.permutation(2000) // 2
    found = suspects(y, code=[f"Z{code}" for code in codes], own=[f"id{i}" for i in range(2000)])
    assert found == {}


def test_missingness_that_gives_the_label_away():
    y = outcome()
    rng = np.random.default_rng(0)
    exact = np.where(y == 1, "why", None)
    partly = np.where((y == 1) & (rng.random(2000) < 0.3), "why", None)
    chance = np.where(rng.random(2000) < 0.3, "x", None)
    few = np.array(["x"] * 5 + [None] * 1995, dtype=object)
    found = suspects(y, exact=exact, partly=partly, chance=chance, few=few)
    assert set(found) == {"exact", "partly"}
    assert "whether it is missing" in found["exact"]
    assert "accounts for which it is filled in left" in found["partly"]


def test_constancy_that_chance_explains_is_no_suspect():
    y = np.zeros(5000, dtype=int)
    y[:25] = 1  # half a percent left: 100 blank accounts that all stayed are no news
    blank = np.array([1.0] * 4900 + [np.nan] * 100)
    assert suspects(y, blank=blank) == {}


def test_a_middle_value_that_separates_is_found():
    rng = np.random.default_rng(0)
    value = rng.integers(0, 5, 3000)
    assert set(suspects((value == 2).astype(int), value=value)) == {"value"}


def test_odd_columns_do_not_stop_the_check():
    y = outcome(100)
    dates = pd.Series(pd.date_range("2024-01-01", periods=100))
    found = suspects(y, empty=[None] * 100, same=[1] * 100, dates=dates, flags=[True, False] * 50, mixed=[1, "a"] * 50)
    assert set(found) == {"dates"}


def test_without_a_target_only_names_speak():
    frame = pd.DataFrame({"churn": [1, 0], "x": [1, 0]})
    assert [found.column for found in leak_suspects(frame)] == ["churn"]
    assert [found.column for found in leak_suspects(frame, [1, 1])] == ["churn"]


def test_what_is_left_out_already_is_said():
    (finding,) = leak_suspects(pd.DataFrame({"churn": [1, 0]}), left_out={"churn"})
    assert "left out already" in finding.meaning
    assert finding.severity == "warning"


@pytest.mark.parametrize("target", [[0, 1, 1], [0, 2]])
def test_a_wrong_target_is_refused(target):
    with pytest.raises(UsageError):
        leak_suspects(pd.DataFrame({"a": [1, 2]}), target)
