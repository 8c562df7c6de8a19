"""Renewals agree with a calendar walked month by month, whatever the tables name, on one machine and in buckets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import renewal_oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from staypower.cutoffs import instant_of
from staypower.features.builder import build_matrix
from staypower.features.declaring import declare
from staypower.features.settings import FeatureSettings
from staypower.schemas import SCHEMAS
from staypower.tables import Table, Tables

AHEAD = 45
CUTOFFS = [datetime(2023, 2, 28, tzinfo=UTC), datetime(2024, 2, 29, 12, tzinfo=UTC), datetime(2025, 3, 31, tzinfo=UTC)]
ACCOUNTS = ["a", "b"]
NEVER = datetime(2040, 1, 1, tzinfo=UTC)
# month ends and the cutoffs themselves are where a wrong step shows
ends_of_months = st.sampled_from(
    [
        datetime(year, month, day, tzinfo=UTC)
        for year in (2023, 2024)
        for month, day in ((1, 29), (1, 31), (2, 28), (8, 31), (11, 30))
    ]
)
moments = st.one_of(
    ends_of_months, st.sampled_from(CUTOFFS), st.builds(renewal_oracle.at, st.integers(0, 800), st.sampled_from([0, 1, 43_200]))
)
contracts = st.fixed_dictionaries(
    {
        "account_id": st.sampled_from(ACCOUNTS),
        "started_at": moments,
        "ended_at": st.one_of(st.none(), moments),
        "renews_at": st.one_of(st.none(), moments),
        "term_months": st.sampled_from([None] * 5 + [0.0, 1.0, 1.5, 3.0, 12.0]),
        "billing_period": st.sampled_from([None] * 5 + list(renewal_oracle.WORDS)),
        "mrr": st.sampled_from([0.0, 0.01, 10.0, 12.5, 1e6]),
    }
)
payments = st.fixed_dictionaries(
    {
        "account_id": st.sampled_from(ACCOUNTS),
        "at": st.one_of(st.builds(lambda n: renewal_oracle.at(31 * n), st.integers(0, 25)), moments),
        "known_at": st.one_of(st.just(renewal_oracle.at(0)), moments),
        "amount": st.sampled_from([5.0, 5.0, 0.0]),
        "status": st.sampled_from(["paid", "paid", "failed", "refunded"]),
    }
)


@st.composite
def rhythms(draw: st.DrawFn) -> list[dict]:
    """Draw payments of one account at equal distances, some of which arrive late."""
    account, step = draw(st.sampled_from(ACCOUNTS)), draw(st.sampled_from([30, 91]))
    late = draw(st.lists(st.sampled_from([0, 0, 10, 60, 300]), min_size=2, max_size=8))
    # the last of them shortly before a cutoff, so that what arrives late arrives after it
    last = (draw(st.sampled_from(CUTOFFS[1:])) - renewal_oracle.at(0)).days - draw(st.integers(0, 40))
    days = [last - step * number for number in reversed(range(len(late)))]
    return [
        {
            "account_id": account,
            "at": renewal_oracle.at(day),
            "known_at": renewal_oracle.at(day + delay),
            "amount": 5.0,
            "status": "paid",
        }
        for day, delay in zip(days, late, strict=True)
    ]


KINDS = {"number": pa.float64(), "text": pa.string(), "id": pa.string(), "time": pa.timestamp("us", "UTC")}


def as_table(name: str, rows: list[dict], without: frozenset[str] = frozenset(), fixed: tuple[str, ...] = ()) -> Table:
    kinds = {"account_id": "id", "known_at": "time"} | {column.name: column.kind for column in SCHEMAS[name].columns}
    names = [one for one in COLUMNS[name] if one not in without]
    data = {one: pa.array([row[one] for row in rows], KINDS[kinds[one]]) for one in names}
    return Table(SCHEMAS[name], pa.table(data), fixed=frozenset(fixed))


COLUMNS = {
    "subscriptions": ["account_id", "started_at", "ended_at", "renews_at", "term_months", "billing_period", "mrr"],
    "payments": ["account_id", "at", "known_at", "amount", "status"],
}


def company(subscriptions: list[dict], paid: list[dict], without: frozenset[str]) -> Tables:
    tables = {
        "accounts": Table(SCHEMAS["accounts"], pa.table({"account_id": pa.array(ACCOUNTS)})),
        "subscriptions": as_table("subscriptions", subscriptions, without, fixed=("mrr", "renews_at")),
    }
    if "payments" not in without:
        tables["payments"] = as_table("payments", paid)
    return Tables(tables, instant_of("2026-01-01"))


@settings(deadline=None)
@given(
    subscriptions=st.lists(contracts, max_size=6),
    paid=st.builds(lambda one, more: [*one, *more], rhythms(), st.lists(payments, max_size=6)),
    without=st.sets(st.sampled_from(["renews_at", "term_months", "billing_period", "payments"]), max_size=3).map(frozenset),
    buckets=st.sampled_from([1, 2]),
    seed=st.randoms(use_true_random=False),
)
def test_renewals_are_those_of_the_calendar(subscriptions, paid, without, buckets, seed):
    tables = company(subscriptions, paid, without)
    catalogue = declare(tables, FeatureSettings(renewal_days=AHEAD), cutoff=instant_of("2026-01-01"))
    instants = np.array([instant_of(cutoff) for cutoff in CUTOFFS])
    mixed = company(seed.sample(subscriptions, len(subscriptions)), seed.sample(paid, len(paid)), without)
    matrix = build_matrix(mixed, catalogue, accounts=ACCOUNTS, cutoffs=instants, buckets=buckets)
    blank = dict.fromkeys(without & set(COLUMNS["subscriptions"]))
    for row, (account, cutoff) in enumerate((account, cutoff) for account in ACCOUNTS for cutoff in CUTOFFS):
        mine = [{**contract, **blank} for contract in subscriptions if contract["account_id"] == account]
        theirs = [] if "payments" in without else [payment for payment in paid if payment["account_id"] == account]
        for name, value in renewal_oracle.expected(mine, theirs, cutoff, AHEAD).items():
            np.testing.assert_allclose(
                matrix.features[name][row], value, rtol=1e-9, atol=1e-9, err_msg=f"{name} {account} {cutoff}"
            )


def test_a_day_of_the_month_does_not_drift():
    """From 31 January a contract renews on the last day of each shorter month and on the 31st of each longer one."""
    start = datetime(2023, 1, 31, tzinfo=UTC)
    tables = company(
        [{**dict.fromkeys(COLUMNS["subscriptions"]), "account_id": "a", "started_at": start, "term_months": 1.0}],
        [],
        frozenset(),
    )
    cutoffs = [datetime(2023, month, 1, tzinfo=UTC) for month in range(2, 13)]
    catalogue = declare(tables, FeatureSettings(), cutoff=instant_of("2026-01-01"))
    matrix = build_matrix(tables, catalogue, accounts=["a"], cutoffs=np.array([instant_of(one) for one in cutoffs]))
    days = [(one + timedelta(days=wait)).day for one, wait in zip(cutoffs, matrix.features["days_to_renewal"], strict=True)]
    assert days == [28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


def test_a_date_without_a_clock_renews_at_the_end_of_its_day():
    row = {**dict.fromkeys(COLUMNS["subscriptions"]), "account_id": "a", "started_at": datetime(2025, 1, 15, tzinfo=UTC)}
    tables = company([{**row, "billing_period": "monthly"}], [], frozenset({"payments"}))
    dated = replace(tables["subscriptions"], date_only=frozenset({"started_at"}))
    tables = replace(tables, tables={**tables.tables, "subscriptions": dated})
    catalogue = declare(tables, FeatureSettings(), cutoff=instant_of("2026-01-01"))
    matrix = build_matrix(
        tables, catalogue, accounts=["a"], cutoffs=np.array([instant_of("2025-03-01"), instant_of("2025-03-16")])
    )
    np.testing.assert_allclose(matrix.features["days_to_renewal"], [15, 31], atol=1e-9)
