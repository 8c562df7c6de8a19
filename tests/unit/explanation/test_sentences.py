"""Reasons in words, from declarations alone."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from staypower.explanation import UsualValues, explain_scores, learn_usual_values, sentence
from staypower.features import Catalogue, Combination, Feature, FeatureSettings

FEATURES = (
    Feature(name="tickets_28d", table="tickets", aggregation="count", window=28, unit="tickets",
            description="support tickets opened", lever="support"),
    Feature(name="tickets_90d", table="tickets", aggregation="count", window=90, unit="tickets",
            description="support tickets opened", lever="support"),
    Feature(name="days_since_last_use", table="usage", aggregation="days_since_last", unit="days",
            description="days since the last use", lever="engagement"),
    Feature(name="within_sla_share_90d", table="tickets", aggregation="mean", column="within_sla", window=90, unit="share",
            description="share of tickets answered in time", lever="support"),
    Feature(name="plan_now", table="subscriptions", aggregation="last_code", column="plan", until="until_at", unit="",
            description="plan", lever=None, category=True),
    Combination(name="use_trend", how="change", inputs=("tickets_28d", "tickets_90d"), unit="",
                description="change of use against the 28 days before", lever="engagement"),
)  # fmt: skip
CATALOGUE = Catalogue(FeatureSettings(), FEATURES, codes={"plan_now": {"pro": 1, "basic": 2}})
USUAL = UsualValues(
    {
        "tickets_28d": 1.0,
        "tickets_90d": 3.0,
        "days_since_last_use": 2.0,
        "within_sla_share_90d": 0.9,
        "plan_now": 2.0,
        "use_trend": 0.0,
    }
)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("tickets_28d", 7.0, "Support tickets opened in the last 28 days: 7 (usually 1)"),
        ("tickets_28d", 1.0, "Support tickets opened in the last 28 days: 1 (as usual)"),
        ("days_since_last_use", 41.0, "Days since the last use: 41 (usually 2)"),
        ("days_since_last_use", math.nan, "No use so far (usually 2)"),
        ("within_sla_share_90d", 0.25, "Share of tickets answered in time in the last 90 days: 25 % (usually 90 %)"),
        ("plan_now", 1.0, "Plan now: pro (usually basic)"),
        ("plan_now", 0.0, "Plan now: other (usually basic)"),
        ("use_trend", -1.0, "Change of use against the 28 days before: -100 % (usually no change)"),
        ("use_trend", 1.0, "Change of use against the 28 days before: begun from nothing (usually no change)"),
    ],
)
def test_sentences(name, value, words):
    assert sentence(CATALOGUE, USUAL, name, value) == words


def test_a_value_that_most_lack():
    nothing = UsualValues({})
    assert (
        sentence(CATALOGUE, nothing, "tickets_28d", 2.0)
        == "Support tickets opened in the last 28 days: 2 (most accounts have none)"
    )


def test_usual_values_are_of_the_latest_cutoff_and_need_a_majority():
    X = pd.DataFrame({"a": [9.0, 1.0, 3.0, 5.0], "b": [1.0, np.nan, np.nan, 2.0], "c": [5.0, 2.0, 2.0, 1.0]})
    usual = learn_usual_values(X, np.array([0, 1, 1, 1]), ("c",))
    assert usual["a"] == 3.0
    assert math.isnan(usual["b"])
    assert usual["c"] == 2.0
    again = UsualValues.from_dict(usual.to_dict())
    assert again["a"] == 3.0
    assert math.isnan(again["b"])


def explained():
    X = pd.DataFrame([[7.0, 9.0, 41.0, 0.25, 1.0, -1.0]] * 2, columns=[feature.name for feature in FEATURES])
    contributions = np.array([[0.5, 0.9, -0.2, 0.1, 0.0, 0.3], [0.0] * 6])
    return explain_scores(np.array(["a", "b"], dtype=object), X, contributions, -2.0, catalogue=CATALOGUE, usual=USUAL)


def test_windows_of_one_thing_are_said_once_and_the_strongest_comes_first():
    reasons = explained().reasons(0, count=5)
    assert [reason.feature for reason in reasons] == ["tickets_90d", "use_trend", "days_since_last_use", "within_sla_share_90d"]
    assert reasons[0].lever == "support"
    assert reasons[2].contribution == -0.2


def test_an_account_without_contributions_has_no_reasons():
    frame = explained().frame(2)
    assert frame.loc[1, ["reason_1", "lever_1", "reason_2"]].isna().all()
    assert frame.loc[0, "reason_1"].startswith("Support tickets opened in the last 90 days")


def test_levers_sum_every_contribution():
    levers = explained().levers()
    assert levers.loc["a", "support"] == pytest.approx(1.5)
    assert levers.loc["a"].sum() == pytest.approx(1.6)


def test_html_is_escaped():
    made = explain_scores(
        np.array(["<script>"], dtype=object), explained().features[:1], np.ones((1, 6)), 0.0, catalogue=CATALOGUE, usual=USUAL
    )
    assert "<script>" not in made._repr_html_()
