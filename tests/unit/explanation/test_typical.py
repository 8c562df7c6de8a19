"""What is usual, among all accounts and among those alike."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from staypower.errors import UsageError
from staypower.explanation.learned import TypicalValues, find_typical_values


def plans(counts: dict[float, int]) -> pd.DataFrame:
    code = np.repeat(list(counts), list(counts.values()))
    return pd.DataFrame({"plan_now": code, "seats": code * 10 + np.arange(len(code)) / 1000, "account_segment": 1.0})


def test_usual_values_are_of_the_latest_cutoff_and_need_a_majority():
    X = pd.DataFrame({"a": [9.0, 1.0, 3.0, 5.0], "b": [1.0, np.nan, np.nan, 2.0], "c": [5.0, 2.0, 2.0, 1.0]})
    usual = find_typical_values(X, np.array([0, 1, 1, 1]), ("c",))
    assert usual["a"] == 3.0
    assert math.isnan(usual["b"])
    assert usual["c"] == 2.0


def test_a_plan_of_thirty_accounts_is_compared_with_itself_and_a_smaller_one_with_all():
    X = plans({1.0: 30, 2.0: 29, 3.0: 40, 0.0: 35})
    usual = find_typical_values(X, np.zeros(len(X), dtype=np.int64), ("account_segment", "plan_now"))
    assert usual.by == "plan_now"
    assert sorted(usual.groups) == [1.0, 3.0]
    assert usual.of("seats", 3.0) == pytest.approx(30.078, abs=0.001)
    assert usual.of("seats", 2.0) == usual["seats"]
    assert usual.of("plan_now", 3.0) == usual["plan_now"]
    codes = usual.codes(pd.DataFrame({"plan_now": [3.0, 2.0, 0.0, np.nan]}))
    assert codes[0] == 3.0
    assert np.isnan(codes[1:]).all()


def test_only_the_last_training_cutoff_says_who_is_alike():
    X = pd.concat([plans({1.0: 40, 2.0: 40}), plans({1.0: 40, 2.0: 5})], ignore_index=True)
    usual = find_typical_values(X, np.repeat([0, 1], [80, 45]), ("plan_now",))
    assert sorted(usual.groups) == [1.0]


def test_a_category_of_ones_own_choice():
    X = plans({1.0: 40, 2.0: 40})
    usual = find_typical_values(X, np.zeros(80, dtype=np.int64), ("plan_now", "account_segment"), by="account_segment")
    assert (usual.by, sorted(usual.groups)) == ("account_segment", [1.0])
    with pytest.raises(UsageError, match="write `plan_now`"):
        find_typical_values(X, np.zeros(80, dtype=np.int64), ("plan_now",), by="plan")


def test_neither_what_a_person_is_nor_yes_and_no_makes_accounts_alike():
    X = pd.DataFrame(
        {
            "account_gender": np.repeat([1.0, 2.0, 3.0], 40),
            "account_partner": np.tile([1.0, 2.0], 60),
            "seats": np.arange(120.0),
        }
    )
    at = np.zeros(120, dtype=np.int64)
    assert find_typical_values(X, at, ("account_gender", "account_partner")).by is None
    named = X.assign(account_size=X["account_gender"])
    assert find_typical_values(named, at, ("account_gender", "account_partner", "account_size")).by == "account_size"
    assert find_typical_values(X, at, ("account_gender",), by="account_gender").by == "account_gender"


def test_without_a_category_all_are_alike():
    usual = find_typical_values(pd.DataFrame({"a": [1.0, 2.0, 3.0]}), np.zeros(3, dtype=np.int64), ())
    assert (usual.by, dict(usual.groups)) == (None, {})
    assert np.isnan(usual.codes(pd.DataFrame({"a": [1.0]}))).all()


def test_they_are_read_as_they_were_written():
    X = plans({1.0: 40, 2.0: 40}).assign(never=np.nan)
    usual = find_typical_values(X, np.zeros(80, dtype=np.int64), ("plan_now",))
    again = TypicalValues.from_dict(json.loads(json.dumps(usual.to_dict())))
    assert again.of("seats", 2.0) == usual.of("seats", 2.0) != again["seats"]
    assert math.isnan(again["never"])
    assert math.isnan(again.of("never", 1.0))


def test_a_model_sealed_before_accounts_were_compared_to_like_ones_is_read():
    usual = TypicalValues.from_dict({"a": 3.0, "b": None, "all": 2.0})
    assert (usual["a"], usual["all"], usual.by) == (3.0, 2.0, None)
    assert math.isnan(usual["b"])
