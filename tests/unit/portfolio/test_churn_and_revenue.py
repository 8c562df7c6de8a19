"""Churn, retention and recurring revenue against examples worked out by hand."""

from __future__ import annotations

import math

import pytest

from staypower.labels.settings import ContractualLabel, GivenLabel, NonContractualLabel

FIXED = {"fixed": ["mrr"]}
# In February: a stays, b leaves by choice, c's payment fails, d leaves without a reason, e comes, f pauses for 23 days.
HISTORY = (
    "account_id,subscription_id,started_at,ended_at,end_reason,mrr\n"
    "a,1,2024-12-15,,,100\n"
    "b,2,2024-12-15,2025-02-10,too expensive,50\n"
    "c,3,2024-12-15,2025-02-20,payment failed,30\n"
    "d,4,2024-12-15,2025-02-25,,20\n"
    "e,5,2025-02-05,,,40\n"
    "f,6,2024-12-15,2025-02-15,paused,60\n"
    "f,7,2025-03-10,,,60\n"
)
LABEL = ContractualLabel(grace=30, involuntary=("payment",))


def test_customers_lost_by_kind(measure, pick):
    found = measure({"subscriptions": (HISTORY, FIXED)}, label=LABEL)
    rates = {
        name: pick(found, f"{name}_churn_rate", "2025-02-01")["value"]
        for name in ("customer", "voluntary", "involuntary", "unknown")
    }
    # five at the start: a b c d f; gone at the end: b c d
    assert rates == {"customer": 0.6, "voluntary": 0.2, "involuntary": 0.2, "unknown": 0.2}
    kept = pick(found, "customer_retention", "2025-02-01")
    assert (kept["value"], kept["n"]) == (0.4, 5)
    # Wilson by hand: (2 + 1.9208 -+ 1.96 sqrt(2 * 3 / 5 + 0.9604)) / (5 + 3.8416)
    assert kept["low"] == pytest.approx((2 + 1.9208 - 1.96 * math.sqrt(1.2 + 0.9604)) / 8.8416)
    assert kept["high"] == pytest.approx((2 + 1.9208 + 1.96 * math.sqrt(1.2 + 0.9604)) / 8.8416)
    assert kept["complete"]


def test_a_return_inside_the_grace_is_no_churn_and_one_after_it_is(measure, pick):
    inside = measure({"subscriptions": (HISTORY, FIXED)}, label=LABEL)
    # f is a customer on 1 March although no subscription covers that day
    assert pick(inside, "customers_at_end", "2025-02-01")["value"] == 3
    after = measure({"subscriptions": (HISTORY, FIXED)}, label=ContractualLabel(grace=10, involuntary=("payment",)))
    assert pick(after, "customer_churn_rate", "2025-02-01")["value"] == 0.8
    assert pick(after, "mrr_reactivated", "2025-03-01")["value"] == 60.0
    assert pick(after, "mrr_new", "2025-03-01")["value"] == 0.0


def test_revenue_retention_and_its_movements(measure, pick):
    grown = HISTORY.replace("mrr\n", "mrr,valid_from\n", 1).replace("\n", ",\n").replace("valid_from,", "valid_from")
    rows = [line.split(",") for line in grown.strip().split("\n")]
    text = "\n".join(
        [",".join(rows[0]), *(",".join([*row[:6], row[2]]) for row in rows[1:]), "a,1,2024-12-15,,,150,2025-02-12"]
    )
    found = measure({"subscriptions": text + "\n"}, label=LABEL)
    gross, net = (pick(found, f"{name}_revenue_retention", "2025-02-01") for name in ("gross", "net"))
    # start 100 + 50 + 30 + 20 + 60 = 260; a grew by 50, f's 60 is carried over the hole that the grace closes
    assert gross["value"] == 160 / 260
    assert net["value"] == 210 / 260
    names = ("at_start", "new", "reactivated", "expansion", "contraction", "churned", "at_end")
    moves = [pick(found, f"mrr_{name}", "2025-02-01")["value"] for name in names]
    assert moves == [260.0, 40.0, 0.0, 50.0, 0.0, 100.0, 250.0]
    # nothing happens to f in March: it is neither an expansion nor a return
    assert pick(found, "mrr_expansion", "2025-03-01")["value"] == 0.0
    assert pick(found, "net_revenue_retention", "2025-03-01")["value"] == 1.0


def test_gross_retention_never_exceeds_one_and_expansion_hides_no_loss(measure, pick):
    text = (
        "account_id,subscription_id,started_at,ended_at,mrr\n"
        "a,1,2024-12-01,,100\na,2,2025-02-10,,300\nb,3,2024-12-01,2025-02-10,100\n"
    )
    found = measure({"subscriptions": (text, FIXED)})
    assert pick(found, "gross_revenue_retention", "2025-02-01")["value"] == 0.5
    assert pick(found, "net_revenue_retention", "2025-02-01")["value"] == 2.0


def test_one_of_several_products_ending_is_contraction_not_churn(measure, pick):
    text = "account_id,subscription_id,started_at,ended_at,mrr\na,1,2024-12-01,,70\na,2,2024-12-01,2025-02-10,30\n"
    found = measure({"subscriptions": (text, FIXED)})
    assert pick(found, "customer_churn_rate", "2025-02-01")["value"] == 0.0
    assert pick(found, "mrr_contraction", "2025-02-01")["value"] == 30.0
    assert pick(found, "gross_revenue_retention", "2025-02-01")["value"] == 0.7


def test_money_is_summed_exactly(measure, pick):
    rows = "".join(f"a,{n},2024-12-01,,0.1\n" for n in range(3)) + "b,x,2024-12-01,,9007199254.7401\n"
    found = measure({"subscriptions": ("account_id,subscription_id,started_at,ended_at,mrr\n" + rows, FIXED)})
    assert pick(found, "mrr_at_start", "2025-02-01")["value"] == 9007199255.0401
    alone = "account_id,subscription_id,started_at,ended_at,mrr\n" + "".join(f"a,{n},2024-12-01,,0.1\n" for n in range(3))
    assert pick(measure({"subscriptions": (alone, FIXED)}), "mrr_at_start", "2025-02-01")["value"] == 0.3


def test_no_starters_has_no_rate_and_says_so(measure, pick):
    text = "account_id,subscription_id,started_at,ended_at,mrr\na,1,2025-02-10,,100\n"
    found = measure({"accounts": "account_id,signed_up_at\na,2025-01-20\n", "subscriptions": (text, FIXED)})
    row = pick(found, "customer_churn_rate", "2025-02-01")
    assert math.isnan(row["value"])
    assert (row["n"], row["note"]) == (0, "no customers at the start")
    assert pick(found, "gross_revenue_retention", "2025-02-01")["note"] == "no customers with `mrr` at the start"
    assert pick(found, "customer_churn_rate", "2025-03-01")["value"] == 0.0


def test_an_account_without_mrr_is_left_out_of_revenue_and_counted(measure, pick):
    text = (
        "account_id,subscription_id,started_at,ended_at,mrr\n"
        "a,1,2024-12-01,,100\nb,2,2024-12-01,,\nc,3,2024-12-01,2025-02-10,100\n"
    )
    found = measure({"subscriptions": (text, FIXED)})
    row = pick(found, "gross_revenue_retention", "2025-02-01")
    assert (row["value"], row["n"]) == (0.5, 2)
    assert row["note"] == "1 account without `mrr` left out"
    assert pick(found, "customer_churn_rate", "2025-02-01")["n"] == 3


def test_revenue_that_may_have_changed_since_is_not_read_back_into_the_past(measure):
    text = "account_id,subscription_id,started_at,ended_at,mrr\na,1,2024-12-01,,100\n"
    found = measure({"subscriptions": text})
    assert not set(found.frame()["metric"]) & {"mrr_at_start", "clv"}
    assert "declare it `fixed`" in found.left_out["revenue"]


def test_boundaries_are_half_open(measure, pick):
    text = (
        "account_id,subscription_id,started_at,ended_at,mrr\n"
        "a,1,2024-12-01T00:00,2025-02-01T00:00,10\n"  # ends with the first instant of February
        "b,2,2025-02-01T00:00,,10\n"  # begins with it
        "c,3,2024-12-01T00:00,2025-01-31T23:59:59,10\n"
    )
    found = measure({"subscriptions": (text, FIXED)}, label=ContractualLabel(grace=0))
    assert pick(found, "customer_churn_rate", "2025-01-01")["value"] == 0.5
    february = pick(found, "customer_churn_rate", "2025-02-01")
    assert (february["value"], february["n"]) == (1.0, 1)
    assert pick(found, "customers_at_end", "2025-02-01")["value"] == 1


def test_a_running_month_is_never_shown_as_a_full_one(measure, pick):
    found = measure({"subscriptions": (HISTORY, FIXED)}, label=LABEL, until="2025-02-12")
    row = pick(found, "customer_churn_rate", "2025-02-01")
    # until the 12th only b is gone
    assert row["value"] == 0.2
    assert not row["complete"]
    assert row["note"].startswith("the period is still running")
    assert pick(found, "customer_churn_rate", "2025-01-01")["complete"]
    assert "2025-02*" in found.text()


def test_an_end_that_could_still_be_undone_makes_a_past_month_provisional(measure, pick):
    found = measure({"subscriptions": (HISTORY, FIXED)}, label=LABEL, until="2025-03-05")
    row = pick(found, "customer_churn_rate", "2025-02-01")
    # b c d f are gone, and each could be back until 30 days after its end
    assert (row["value"], row["complete"]) == (0.8, False)
    assert row["note"] == "provisional: 4 churned customers may still come back within the grace of 30 days"
    later = pick(
        measure({"subscriptions": (HISTORY, FIXED)}, label=LABEL, until="2025-04-30"), "customer_churn_rate", "2025-02-01"
    )
    assert (later["value"], later["complete"]) == (0.6, True)


def test_ends_without_declared_words_are_not_told_apart(measure):
    found = measure({"subscriptions": (HISTORY, FIXED)}, label=ContractualLabel())
    assert not any(name.startswith("voluntary") for name in found.frame()["metric"])
    assert "label.involuntary" in found.left_out["voluntary and involuntary churn"]


def test_customers_without_contracts_are_those_active_in_the_window(measure, pick):
    orders = (
        "account_id,at,order_id,amount,quantity\n"
        "h,2024-06-01T10:00,0,5,1\na,2024-06-15T10:00,1,5,1\nb,2024-06-15T10:00,2,5,1\nb,2025-01-15T10:00,3,7.5,1\nb,2025-01-20T10:00,4,-2.5,-1\n"
    )
    label = NonContractualLabel(activity_window=200)
    found = measure({"orders": orders}, label=label, margin=0.5)
    # 15 June + 200 days = 1 January 10:00: a is active on the 1st, gone on 1 February; h was gone before
    row = pick(found, "customer_churn_rate", "2025-01-01")
    assert (row["n"], row["value"]) == (2, 0.5)
    too_short = pick(found, "customer_churn_rate", "2024-12-01")
    assert math.isnan(too_short["value"])
    assert "begin too late" in too_short["note"]
    assert pick(found, "order_revenue", "2025-01-01")["value"] == 5.0
    assert pick(found, "margin_per_active_account", "2025-01-01")["value"] == 2.5
    assert "margin_per_active_account" in found.left_out["lifetime value"]


def test_given_dates_and_a_given_flag(measure, pick):
    churn = ("account_id,churned_at\na,2025-02-10\n", {"time": "churned_at"})
    found = measure({"churn": churn}, label=GivenLabel())
    assert pick(found, "customer_churn_rate", "2025-02-01")["value"] == 1 / 8
    usage = "account_id,at\na,2025-02-10\n"
    flagged = measure(
        {"accounts": "account_id,signed_up_at,left\na,2024-01-01,Yes\n", "usage": usage}, label=GivenLabel(flag="left")
    )
    assert flagged.left_out["churn and retention"] == "a flag shows who left, but not when"


def test_referrals_are_shares_of_the_customers_at_the_start(measure, pick):
    advocacy = "account_id,at,kind\na,2025-02-03,referral\na,2025-02-04,Referral\nb,2025-02-03,review\ne,2025-02-20,referral\n"
    found = measure({"subscriptions": (HISTORY, FIXED), "advocacy": advocacy}, label=LABEL)
    row = pick(found, "referral_rate", "2025-02-01")
    assert (row["value"], row["n"]) == (0.2, 5)
