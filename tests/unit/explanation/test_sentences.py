"""Reasons in words, from declarations alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from staypower.explanation.learned import TypicalValues
from staypower.explanation.sentences import change_sentence, round_as_written, sentence, write
from staypower.features.catalogue import Catalogue
from staypower.features.definition import Combination, Feature
from staypower.features.settings import FeatureSettings


def feature(name, aggregation, unit, description, *, window=None, until=None, column="value", category=False):
    return Feature(name=name, table="usage", aggregation=aggregation, window=window, until=until, column=column, unit=unit,
                   description=description, lever=None, category=category)  # fmt: skip


def combined(name, how, unit, description):
    return Combination(name=name, how=how, inputs=("a", "b"), unit=unit, description=description, lever=None)


FEATURES = (
    feature("tickets_28d", "count", "tickets", "support tickets opened", window=28),
    feature("tickets_open_now", "count", "tickets", "tickets open", until="resolved_at"),
    feature("features_used_28d", "distinct", "features", "different product features used", window=28),
    feature("days_since_last_use", "days_since_last", "days", "days since the last use"),
    feature("days_since_first_use", "days_since_first", "days", "days since the first use"),
    feature("days_since_failed_payment", "days_since_last", "days", "days since a payment failed"),
    feature("days_since_setup_completed", "days_since_last", "days", "days since set-up was completed"),
    feature("days_to_renewal", "days_until_next", "days", "days to the next renewal"),
    feature("days_to_method_expiry", "days_until_last", "days", "days until the payment method expires"),
    feature("within_sla_share_90d", "mean", "share", "share of tickets answered in time", window=90),
    feature("first_response_hours_worst_28d", "maximum", "hours", "longest wait for a first response", window=28),
    feature("term_months_now", "maximum", "months", "contract length", until="until_at"),
    feature("mrr_now", "sum", "per month", "monthly recurring revenue", until="until_at"),
    feature("nps_answers_365d", "count", "answers", "NPS answers", window=365),
    feature("wait_hours_total_28d", "sum", "hours", "total hours waited", window=28),
    feature("usage_slope_90d", "rate_slope", "events per day", "change of the daily use per 30 days", window=90),
    feature("mean_pause_90d", "gap_mean", "days", "mean pause", window=90),
    feature("days_since_owner_change", "days_since_last", "days", "days since the last change of owner"),
    feature("gap_change", "gap_trend", "days", "mean change from one pause to the next"),
    feature("account_cost", "last", "", "cost of the account"),
    Feature(
        name="discount_before",
        table="subscriptions",
        aggregation="maximum",
        column="discount",
        until="until_at",
        offset=90,
        unit="",
        description="discount",
        lever="billing",
    ),
    combined("method_expires_before_renewal", "is_before", "", "the payment method expires before the renewal (1) or not (0)"),
    combined("pause_over_usual", "ratio", "times", "present pause against its mean"),
    combined("quiet_and_idle_90d", "both_fall", "", "tickets and use falling together"),
    feature("plan_now", "last_code", "", "plan", until="until_at", category=True),
    feature("account_segment", "last_code", "", "segment of the account", category=True),
    feature("nps_detractor_last", "last", "", "last NPS answer was a detractor's (1) or not (0)"),
    combined("use_trend", "change", "", "change in usage compared with the 28 days before"),
    combined("survey_response_rate_90d", "ratio", "share", "share of survey invitations answered"),
    combined("tickets_per_active_user_28d", "ratio", "tickets", "tickets per active person in the last 28 days"),
)
CODES = {"plan_now": {"pro": 1, "basic": 2}, "account_segment": {"small": 1}}
CATALOGUE = Catalogue(FeatureSettings(), FEATURES, codes=CODES)
VALUES = {
    "tickets_28d": 1.0,
    "tickets_open_now": 0.0,
    "features_used_28d": 9.0,
    "days_since_last_use": 2.0,
    "days_since_first_use": 400.0,
    "days_since_failed_payment": math.nan,
    "days_since_setup_completed": 300.0,
    "days_to_renewal": 40.0,
    "days_to_method_expiry": 500.0,
    "within_sla_share_90d": 0.9,
    "first_response_hours_worst_28d": 6.0,
    "term_months_now": 12.0,
    "mrr_now": 1200.0,
    "plan_now": 2.0,
    "account_segment": 1.0,
    "nps_detractor_last": 0.0,
    "use_trend": 0.0,
    "survey_response_rate_90d": 0.4,
    "tickets_per_active_user_28d": 0.5,
    "nps_answers_365d": 2.0,
    "wait_hours_total_28d": 1.5,
    "usage_slope_90d": 0.0081,
    "mean_pause_90d": math.nan,
    "days_since_owner_change": math.nan,
    "account_cost": 500.0,
    "gap_change": 1.0,
    "discount_before": 0.0,
    "method_expires_before_renewal": math.nan,
    "pause_over_usual": 0.26,
    "quiet_and_idle_90d": 0.0,
}
USUAL = TypicalValues(VALUES)
ALIKE = TypicalValues(VALUES, "plan_now", {1.0: {**VALUES, "tickets_28d": 4.0, "days_since_last_use": 0.5}})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("tickets_28d", 7.0, "Support tickets opened in the last 28 days: 7; typical: 1"),
        ("tickets_28d", 1.0, "Support tickets opened in the last 28 days: 1; typical"),
        ("tickets_28d", 0.0, "No support tickets opened in the last 28 days; typical: 1"),
        ("tickets_open_now", 0.0, "No tickets open now; typical"),
        ("features_used_28d", 0.0, "No product features used in the last 28 days; typical: 9"),
        ("days_since_last_use", 41.2, "No use in 41 days; typical: 2 days"),
        ("days_since_last_use", 1.4, "Last use 1 day ago; typical: 2 days ago"),
        ("pause_over_usual", math.nan, "Present pause against its mean: not enough data; typical: 26%"),
        ("gap_change", -38.2, "Mean change from one pause to the next: -38 days; typical: +1 day"),
        ("days_since_last_use", 1.0, "Last use 1 day ago; typical: 2 days ago"),
        ("days_since_last_use", 0.4, "Last use less than a day ago; typical: 2 days ago"),
        ("days_since_last_use", 2.0, "Last use 2 days ago; typical"),
        ("days_since_last_use", math.nan, "No use yet; typical: 2 days ago"),
        ("days_since_first_use", 30.0, "First use 30 days ago; typical: 400 days ago"),
        ("days_since_failed_payment", 3.0, "A payment failed 3 days ago; most accounts: never"),
        ("days_since_failed_payment", math.nan, "No payment failed yet"),
        ("days_since_setup_completed", math.nan, "Set-up was not completed yet; typical: 300 days ago"),
        ("days_to_renewal", 12.0, "Next renewal in 12 days; typical: in 40 days"),
        ("days_to_renewal", -3.0, "Next renewal was due 3 days ago; typical: in 40 days"),
        ("days_to_renewal", math.nan, "No upcoming renewal; typical: in 40 days"),
        ("days_to_method_expiry", 12.0, "The payment method expires in 12 days; typical: in 500 days"),
        ("days_to_method_expiry", -0.4, "The payment method expired less than a day ago; typical: in 500 days"),
        ("days_to_method_expiry", math.nan, "Days until the payment method expires: not recorded; typical: in 500 days"),
        ("days_since_owner_change", 3.0, "Last change of owner 3 days ago; most accounts: never"),
        ("days_since_owner_change", math.nan, "No change of owner yet"),
        ("within_sla_share_90d", 0.254, "Share of tickets answered in time in the last 90 days: 25%; typical: 90%"),
        (
            "first_response_hours_worst_28d",
            30.7,
            "Longest wait for a first response in the last 28 days: 31 hours; typical: 6 hours",
        ),
        ("term_months_now", 1.0, "Contract length now: 1 month; typical: 12 months"),
        ("mrr_now", 12345.4, "Monthly recurring revenue now: 12,345; typical: 1,200"),
        ("plan_now", 1.0, "Plan: pro; most accounts: basic"),
        ("plan_now", 0.0, "Plan: other; most accounts: basic"),
        ("account_segment", 1.0, "Segment of the account: small; typical"),
        ("nps_detractor_last", 1.0, "Last NPS answer was a detractor's; typical: no"),
        ("nps_detractor_last", 0.0, "Last NPS answer was not a detractor's; typical"),
        ("use_trend", -0.5, "Usage fell by 67% compared with the 28 days before; typical: no change"),
        ("use_trend", 0.25, "Usage rose by 67% compared with the 28 days before; typical: no change"),
        ("use_trend", 0.6, "Usage rose 4-fold compared with the 28 days before; typical: no change"),
        ("use_trend", math.nan, "Change in usage compared with the 28 days before: nothing to compare; typical: no change"),
        ("use_trend", -1.0, "Usage fell to zero compared with the 28 days before; typical: no change"),
        ("use_trend", 1.0, "Usage started from zero compared with the 28 days before; typical: no change"),
        ("survey_response_rate_90d", 0.0, "Share of survey invitations answered in the last 90 days: 0%; typical: 40%"),
        (
            "survey_response_rate_90d",
            math.nan,
            "Share of survey invitations answered in the last 90 days: no data to measure; typical: 40%",
        ),
        ("nps_answers_365d", 0.0, "No NPS answers in the last 365 days; typical: 2"),
        ("wait_hours_total_28d", 0.0, "Total hours waited in the last 28 days: 0; typical: 1.5"),
        ("usage_slope_90d", -0.234, "Change of the daily use per 30 days in the last 90 days: -0.23; typical: +0.01"),
        ("discount_before", 0.25, "Discount 90 days earlier: 0.25; typical: 0"),
        (
            "method_expires_before_renewal",
            0.0,
            "The payment method does not expire before the renewal; most accounts: does not apply",
        ),
        ("method_expires_before_renewal", math.nan, "The payment method expires before the renewal: does not apply"),
        ("mean_pause_90d", 4.0, "Mean pause in the last 90 days: 4 days; most accounts: not enough data"),
        ("pause_over_usual", 1.0, "Present pause against its mean: 100%; typical: 26%"),
        ("quiet_and_idle_90d", 0.3, "Tickets and use falling together in the last 90 days: by 46% or more; typical: no"),
        ("account_cost", math.nan, "Cost of the account: not recorded; typical: 500"),
        ("tickets_per_active_user_28d", 2.0, "Tickets per active person in the last 28 days: 2; typical: 0.5"),
    ],
)
def test_sentences(name, value, words):
    assert sentence(CATALOGUE, USUAL, name, value) == words


@pytest.mark.parametrize(
    ("name", "value", "code", "words"),
    [
        ("tickets_28d", 7.0, 1.0, "Support tickets opened in the last 28 days: 7; typical for Pro accounts: 4"),
        ("tickets_28d", 4.0, 1.0, "Support tickets opened in the last 28 days: 4; typical for Pro accounts"),
        ("days_since_last_use", 41.0, 1.0, "No use in 41 days; typical for Pro accounts: less than a day"),
        ("days_since_failed_payment", 3.0, 1.0, "A payment failed 3 days ago; most Pro accounts: never"),
        ("account_segment", 0.0, 1.0, "Segment of the account: other; most Pro accounts: small"),
        ("plan_now", 1.0, 1.0, "Plan: pro; most accounts: basic"),
    ],
)
def test_what_is_typical_for_similar_accounts(name, value, code, words):
    assert sentence(CATALOGUE, ALIKE, name, value, code) == words


def test_a_value_that_most_lack():
    words = "Support tickets opened in the last 28 days: 2; most accounts have none"
    assert sentence(CATALOGUE, TypicalValues({}), "tickets_28d", 2.0) == words


def test_values_that_are_written_alike_are_rounded_alike():
    shares = round_as_written(CATALOGUE["within_sla_share_90d"], np.array([0.251, 0.249, np.nan]))
    assert shares[:2].tolist() == [25.0, 25.0]
    assert math.isnan(shares[2])
    numbers = round_as_written(
        CATALOGUE["tickets_per_active_user_28d"], np.array([0.0, -0.04, 3.14159, 31.4159, 314.159, 1234.5])
    )
    assert numbers.tolist() == [0.0, -0.04, 3.1, 31.4, 314.0, 1234.0]
    assert write(CATALOGUE, CATALOGUE["first_response_hours_worst_28d"], 0.25) == "0.25 hours"


@pytest.mark.parametrize(
    ("name", "before", "after", "words"),
    [
        ("tickets_28d", 1.0, 7.0, "Support tickets opened in the last 28 days: from 1 to 7"),
        ("plan_now", 1.0, 2.0, "Plan: from pro to basic"),
        ("days_since_last_use", math.nan, 3.0, "Days since the last use: 3 now, none before"),
        ("survey_response_rate_90d", 0.4, math.nan,
         "Share of survey invitations answered in the last 90 days: no data to measure now, 40% before"),
        ("quiet_and_idle_90d", 0.25, 0.0,
         "Tickets and use falling together in the last 90 days: no now, by 40% or more before"),
        ("use_trend", 1.0, 0.0, "Change in usage compared with the 28 days before: no change now, started from zero before"),
        ("use_trend", 0.2, -0.2, "Change in usage compared with the 28 days before: from +50% to -33%"),
    ],
)  # fmt: skip
def test_changes_in_words(name, before, after, words):
    assert change_sentence(CATALOGUE, CATALOGUE[name], before, after) == words
