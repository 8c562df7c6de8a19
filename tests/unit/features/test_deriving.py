"""What stands in for a column that is not there, and that a mapped column comes first."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from drawn_tables import Case

from staypower.config.loading import load_config
from staypower.cutoffs import DAY, instant_of
from staypower.features.builder import build_matrix
from staypower.features.declaring import declare
from staypower.features.deriving import derivations
from staypower.features.settings import FeatureSettings
from staypower.features.streams.rhythms import months_of, rhythms_of
from staypower.schemas import SCHEMAS
from staypower.tables import Table, Tables

CUTOFF = instant_of("2025-07-01")
ACCOUNTS = {"accounts": {"seats": "seats", "columns": {"seats": "number"}, "static": ["seats"]}}


def company(drawn: str, **mapping: dict) -> Tables:
    return Case(title="", says="", drawn=drawn, mapping=mapping).tables()


def derived(drawn: str, **mapping: dict) -> dict[str, str]:
    tables = company(drawn, **mapping)
    found = derivations(declare(tables, FeatureSettings(rare=1), cutoff=CUTOFF), tables)
    return {f"{one.table}.{one.column}": one.source for one in found}


PAYMENTS = "payments | at | amount\na | 2025-01-10 | 5\na | 2025-02-10 | 5\na | 2025-03-10 | 5\n\n"
PLAIN = "subscriptions | started_at\na | 2025-01-10"


def test_each_derivation_is_named():
    seats = "accounts | seats\na | 4\n\n"
    assert derived(PLAIN) == {"accounts.signed_up_at": "the first row of each account in any table"}
    assert derived(seats + PAYMENTS + PLAIN, **ACCOUNTS) == {
        "accounts.signed_up_at": "the first row of each account in any table",
        "subscriptions.renews_at": "the start and the rhythm of `payments`",
        "subscriptions.term_months": "the rhythm of `payments`",
        "subscriptions.billing_period": "the rhythm of `payments`",
        "subscriptions.seats": "`accounts.seats`",
        "subscriptions.mrr": "`payments.amount`, per month of what each payment pays for",
        "payments.status": "`payments`: every payment counts as one that went through",
    }


def test_without_events_there_is_no_tenure():
    tables = company("accounts | seats\na | 4", **ACCOUNTS)
    catalogue = declare(tables, FeatureSettings(), cutoff=CUTOFF)
    assert catalogue.names == ("account_seats",)
    assert catalogue.left_out["tenure_days"] == "no usable column `accounts.signed_up_at`"
    assert catalogue.derived == {"seats_now": "no table `subscriptions`"}


def test_what_is_mapped_is_not_derived():
    accounts = "accounts | signed_up_at | seats\na | 2025-01-01 | 4\n\n"
    paid = "payments | at | amount | status\na | 2025-01-10 | 5 | paid\n\n"
    mapped = "subscriptions | started_at | mrr | seats | term_months | billing_period\na | 2025-01-10 | 9 | 3 | 12 | monthly"
    found = derived(accounts + paid + mapped, **ACCOUNTS, subscriptions={"fixed": ["mrr", "seats"]})
    assert found == {
        "subscriptions.renews_at": "the start and `term_months`, else `billing_period`, else the rhythm of `payments`"
    }


def test_a_column_that_may_change_is_not_used_and_so_derived():
    mapped = "accounts | seats\na | 4\n\nusage | at\na | 2025-06-10\n\nsubscriptions | started_at | seats\na | 2025-01-10 | 3"
    assert derived(mapped, **ACCOUNTS)["subscriptions.seats"] == "`accounts.seats`"


def test_a_barred_attribute_stands_in_for_nothing():
    tables = company("accounts | seats\na | 4\n\nusage | at | user_id\na | 2025-01-10 | u", **ACCOUNTS)
    catalogue = declare(tables, FeatureSettings(sensitive="seats"), cutoff=CUTOFF)
    assert "seats_now" not in {one.name for one in catalogue.everything}
    assert catalogue.left_out["usage_per_seat_28d"] == "needs seats_now"


def test_seats_of_the_account_are_one_column_of_the_matrix():
    tables = company("accounts | seats\na | 4\n\nusage | at | user_id\na | 2025-01-10 | u", **ACCOUNTS)
    catalogue = declare(tables, FeatureSettings(), cutoff=CUTOFF)
    assert "account_seats" in catalogue.names
    assert "seats_now" not in catalogue.names
    assert catalogue.left_out["seats_now"] == "the same as `account_seats`"
    assert {"usage_per_seat_7d", "usage_per_seat_28d", "usage_per_seat_90d"} <= set(catalogue.names)


def test_the_horizon_is_the_label_s(tmp_path):
    text = "name: a\ntables: {accounts: {source: a.csv}, subscriptions: {source: s.csv}}\nlabel: {kind: contractual%s}\n%s"
    for label, more, days in (("", "", 90), (", gap: 14, horizon: 30", "", 44), ("", "features: {renewal_days: 7}", 7)):
        (tmp_path / "c.yaml").write_text(text % (label, more))
        assert load_config(tmp_path / "c.yaml").features.renewal_days == days


@pytest.mark.parametrize(
    ("words", "months"),
    [
        *(("Monthly", 1), ("month-to-month", 1), ("per month", 1), ("P1M", 1), ("1 mo", 1), ("Bimonthly", 2)),
        *(("QUARTERLY", 3), ("3 months", 3), ("semi-annual", 6), ("Half-yearly", 6), ("6-monthly", 6)),
        *(("annual", 12), ("Annually", 12), ("yearly", 12), ("One year", 12), ("12 months", 12), ("P1Y", 12)),
        *(("biennial", 24), ("Two year", 24), ("every 2 years", 24), ("3y", 36)),
        *(("weekly", 0), ("", 0), (None, 0), ("on demand", 0), ("many years", 0), ("12", 0)),
    ],
)
def test_words_of_a_billing_period(words, months):
    assert months_of(words) == months


def rhythm(*days: int) -> list[float]:
    times = pa.array([day * DAY for day in days], pa.timestamp("us", "UTC"))
    payments = Table(SCHEMAS["payments"], pa.table({"account_id": ["a"] * len(days), "at": times}))
    return rhythms_of(payments, ["a"])[2].tolist()


def test_the_rhythm_is_what_two_gaps_agree_on():
    assert rhythm(0) == []
    assert rhythm(0, 31, 59, 90) == [1]
    assert rhythm(0, 3, 31, 34, 62) == [1]  # a second invoice within the month
    assert rhythm(0, 31, 396) == [1]  # one long gap may be a pause
    assert rhythm(0, 31, 396, 761) == [1, 12]
    assert rhythm(0, 60, 365 + 60, 2 * 365 + 60) == [2, 12]
    assert rhythm(0, 7, 14, 21, 28, 35) == []  # weekly: no months


def test_a_mapped_date_ahead_is_kept_as_it_was():
    """Where `renews_at` lies ahead of the cutoff, days to renewal are the days to it, whatever the term says."""
    drawn = "subscriptions | started_at | renews_at | term_months\n"
    drawn += "a | 2025-01-31 | 2025-09-17 | 1\nb | 2025-01-31 | 2025-07-02 | 12"
    tables = company(drawn, subscriptions={"fixed": ["renews_at"]})
    catalogue = declare(tables, FeatureSettings(), cutoff=CUTOFF)
    matrix = build_matrix(tables, catalogue, accounts=["a", "b"], cutoffs=np.array([CUTOFF]))
    np.testing.assert_allclose(matrix.features["days_to_renewal"], [79, 2])
