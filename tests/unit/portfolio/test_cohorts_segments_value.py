"""Cohorts, segments over time, lifetime value and acquisition cost against examples worked out by hand."""

from __future__ import annotations

import math

import pytest

from staypower.errors import UsageError
from staypower.labels.settings import ContractualLabel

FIXED = {"fixed": ["mrr"]}
SUBSCRIPTIONS = "account_id,subscription_id,started_at,ended_at,mrr\n"
# Four begin in January: b leaves in February, c is gone from March to May (more than the grace) and back, d grows.
COHORT = SUBSCRIPTIONS + (
    "a,1,2025-01-10,,100\nb,2,2025-01-10,2025-02-10,100\nc,3,2025-01-10,2025-03-10,100\nc,4,2025-05-10,,100\n"
    "d,5,2025-01-10,,100\nd,6,2025-02-10,,50\n"
)


def test_cohorts_never_rise_and_end_with_what_is_fully_observed(measure, pick):
    found = measure({"subscriptions": (COHORT, FIXED)}, until="2025-06-30")
    shares = [pick(found, "cohort_retention", "2025-01-01", age=age)["value"] for age in range(5)]
    # c's return in May is a reactivation: it does not count
    assert shares == [1.0, 0.75, 0.5, 0.5, 0.5]
    # age 5 ends with June, whose grace runs until 30 July
    frame = found.frame()
    assert frame.query("metric == 'cohort_retention'")["age"].max() == 4
    last = pick(found, "cohort_retention", "2025-01-01", age=4)
    assert last["low"] == pytest.approx((2 + 1.9208 - 1.96 * math.sqrt(1 + 0.9604)) / 7.8416)
    assert last["complete"]


def test_revenue_cohorts(measure, pick):
    found = measure({"subscriptions": (COHORT, FIXED)}, until="2025-06-30")
    rows = {
        name: [pick(found, f"cohort_{name}", "2025-01-01", age=age)["value"] for age in range(4)]
        for name in ("mrr", "gross_revenue_retention", "net_revenue_retention")
    }
    assert rows["mrr"] == [400.0, 350.0, 250.0, 250.0]
    assert rows["gross_revenue_retention"] == [1.0, 0.75, 0.5, 0.5]
    assert rows["net_revenue_retention"] == [1.0, 0.875, 0.625, 0.625]


def test_who_left_in_the_first_month_is_in_the_cohort(measure, pick):
    text = SUBSCRIPTIONS + "a,1,2025-01-05,2025-01-20,10\nb,2,2025-01-05,,10\n"
    row = pick(measure({"subscriptions": (text, FIXED)}), "cohort_retention", "2025-01-01", age=0)
    assert (row["value"], row["n"]) == (0.5, 2)


def many(segment_of):
    """Write 40 accounts with a contract and the segments given for each."""
    accounts = "account_id,signed_up_at,valid_from,segment\n"
    for n in range(40):
        accounts += "".join(f"x{n:02},2024-01-01,{since},{name}\n" for since, name in segment_of(n))
    rows = SUBSCRIPTIONS + "".join(f"x{n:02},{n},2024-01-01,{'2025-02-10' if n < 4 else ''},10\n" for n in range(40))
    return {"accounts": accounts, "subscriptions": (rows, FIXED)}


def test_an_account_is_counted_in_the_segment_it_had_at_the_start(measure, pick):
    # everybody is small until 15 February, large from then on
    files = many(lambda n: [("2024-01-01", "small"), ("2025-02-15", "large")])
    found = measure(files)
    february = pick(found, "customer_churn_rate", "2025-02-01", of="small")
    assert (february["value"], february["n"]) == (0.1, 40)
    assert pick(found, "customer_churn_rate", "2025-03-01", of="large")["n"] == 36
    assert "too small" in pick(found, "customer_churn_rate", "2025-02-01", of="large")["note"]


def test_a_segment_under_the_minimum_is_named_and_shows_no_number(measure, pick):
    files = many(lambda n: [("2024-01-01", "small" if n < 29 else "large")])
    row = pick(measure(files), "customer_churn_rate", "2025-01-01", of="small")
    assert row["note"] == "too small to publish: fewer than 30 accounts"
    assert row[["value", "low", "high", "n"]].isna().all()
    shown = pick(measure(files, minimum=29), "customer_churn_rate", "2025-01-01", of="small")
    assert shown["n"] == 29
    everybody = pick(measure(files), "customer_churn_rate", "2025-01-01")
    assert everybody["n"] == 40


def test_blank_segments_are_one_of_their_own(measure, pick):
    files = many(lambda n: [("2024-01-01", "small" if n < 5 else "")])
    assert pick(measure(files), "customer_churn_rate", "2025-01-01", of="(blank)")["n"] == 35


def test_attributes_that_cannot_be_segments_are_refused_together(measure):
    accounts = "account_id,signed_up_at,region,tier\na,2024-01-01,emea,x\n"
    mapping = {"static": ["tier"], "region": "region"}
    text = SUBSCRIPTIONS + "a,1,2024-01-01,,10\n"
    with pytest.raises(UsageError) as error:
        measure({"accounts": (accounts, mapping), "subscriptions": (text, FIXED)}, segments=["region", "tear", "tier"])
    problems = {problem.problem: problem.fix for problem in error.value.problems}
    assert problems["not an attribute of the accounts"] == "write `tier`"
    assert "static: [region]" in problems["the attribute may have changed since"]
    assert len(problems) == 2


def test_lifetime_value_cost_and_alert(measure, pick):
    accounts = "account_id,signed_up_at,acquisition_cost\na,2025-01-10,3000\nb,2025-01-10,1000\nc,2025-01-10,\n"
    text = SUBSCRIPTIONS + "a,1,2025-01-10,,100\nb,2,2025-01-10,2025-03-10,300\n"
    found = measure(
        {"accounts": (accounts, {"static": ["acquisition_cost"]}), "subscriptions": (text, FIXED)},
        until="2025-04-30", margin=0.8, discount_rate=0.01, label=ContractualLabel(grace=0),
    )  # fmt: skip
    # customer months January to April: none, a b, a b, a: 5, of which 4 were followed by another
    retention = pick(found, "monthly_retention", "2025-01-01")
    assert (retention["value"], retention["n"]) == (0.8, 5)
    value = pick(found, "clv", "2025-01-01")
    margin = 0.8 * (100 * 3 + 300 * 2) / 5
    assert value["value"] == pytest.approx(margin * 1.01 / (1.01 - 0.8))
    assert "m(1+d)/(1+d-r) per month, first payment counted now; m = 144.00, r = 0.8000, d = 0.01" in value["note"]
    assert pick(found, "cac_of_months", "2025-01-01")["value"] == 2000.0
    assert found.alerts == ("all accounts: CLV is 0.35 times CAC: acquiring an account costs more than its lifetime value",)
    assert "Alerts" in found.text()


def test_without_a_loss_and_without_discount_value_has_no_bound(measure, pick):
    found = measure({"subscriptions": (SUBSCRIPTIONS + "a,1,2024-01-10,,100\n", FIXED)}, discount_rate=0)
    row = pick(found, "clv", "2024-06-01")
    assert math.isnan(row["value"])
    assert row["note"] == "undefined: no churn and no discount rate, so lifetime value is infinite"


def test_value_of_revenue_says_so(measure, pick):
    found = measure({"subscriptions": (SUBSCRIPTIONS + "a,1,2024-01-10,,100\n", FIXED)})
    row = pick(found, "clv", "2024-06-01")
    assert row["value"] == pytest.approx(100 * 1.01 / 0.01)
    assert row["note"].startswith("of revenue, not of margin")


def test_acquisition_cost_that_may_have_changed_is_not_read(measure):
    accounts = "account_id,signed_up_at,acquisition_cost\na,2025-01-10,3000\n"
    found = measure({"accounts": accounts, "subscriptions": (SUBSCRIPTIONS + "a,1,2025-01-10,,1\n", FIXED)})
    assert "static: [acquisition_cost]" in found.left_out["acquisition cost"]
    assert "cac" not in set(found.frame()["metric"])
