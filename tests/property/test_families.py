"""Year ago, persons and price agree with an oracle that reads the rows of one account in plain Python, and never look ahead."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from staypower.cutoffs import DAY
from staypower.features.builder import build_matrix
from staypower.features.declaring import declare
from staypower.features.settings import FeatureSettings
from staypower.schemas import SCHEMAS
from staypower.tables import Table, Tables

TIME = pa.timestamp("us", "UTC")
CUTOFFS = np.array([1000 * DAY, 1030 * DAY + 5], dtype=np.int64)
ACCOUNTS = ["ann", "bob"]
# days before a cutoff at which a window begins or ends
BACK = (0, 28, 90, 118, 180, 274, 364, 392, 454)
EDGES = sorted({int(cutoff) - days * DAY + step for cutoff in CUTOFFS for days in BACK for step in (-1, 0, 1)})
times = st.one_of(st.sampled_from(EDGES), st.integers(500 * DAY, 1040 * DAY))
account, amount = st.sampled_from(ACCOUNTS), st.sampled_from([0.0, 1.0, 2.0, 5.0])
person = st.sampled_from(["p", "q", "r", None])


def rows_of(**columns: st.SearchStrategy) -> st.SearchStrategy[list[dict]]:
    return st.lists(st.fixed_dictionaries({"account_id": account, **columns}), max_size=14)


company = st.fixed_dictionaries(
    {
        "usage": rows_of(at=times, quantity=amount, user_id=person),
        "tickets": rows_of(opened_at=times, user_id=person),
        "orders": rows_of(at=times, amount=amount, quantity=amount),
        "payments": rows_of(at=times, amount=amount, status=st.sampled_from(["paid", "failed", "refunded"])),
        "subscriptions": rows_of(started_at=times, ended_at=st.one_of(st.none(), times), mrr=amount, seats=amount),
    }
)
KINDS = {"at": TIME, "opened_at": TIME, "started_at": TIME, "ended_at": TIME}
TEXTS = ("account_id", "user_id", "status")


def as_tables(drawn: dict[str, list[dict]]) -> Tables:
    columns = {
        "usage": ("at", "quantity", "user_id"),
        "tickets": ("opened_at", "user_id"),
        "orders": ("at", "amount", "quantity"),
        "payments": ("at", "amount", "status"),
        "subscriptions": ("started_at", "ended_at", "mrr", "seats"),
    }
    tables = {"accounts": Table(SCHEMAS["accounts"], pa.table({"account_id": ACCOUNTS}))}
    for name, rows in drawn.items():
        data = {}
        for column in ("account_id", *columns[name]):
            values = [row[column] for row in rows]
            kind = KINDS.get(column, pa.string() if column in TEXTS else pa.float64())
            data[column] = pa.array(values, pa.int64()).cast(TIME) if kind == TIME else pa.array(values, kind)
        tables[name] = Table(SCHEMAS[name], pa.table(data), fixed=frozenset({"mrr", "seats"}))
    return Tables(tables, int(CUTOFFS[-1]) + 100 * DAY)


class Account:
    """The rows of one account before a cutoff."""

    def __init__(self, drawn: dict[str, list[dict]], name: str, cutoff: int) -> None:
        self.drawn = {table: [row for row in rows if row["account_id"] == name] for table, rows in drawn.items()}
        self.cutoff = cutoff

    def rows(self, table: str, window: int, back: int = 0) -> list[dict]:
        """The rows of `window` days that end `back` days before the cutoff."""
        end = self.cutoff - back * DAY
        time = "opened_at" if table == "tickets" else "at"
        return [row for row in self.drawn[table] if end - window * DAY <= row[time] < end]

    def total(self, table: str, column: str | None, window: int, back: int = 0) -> float:
        rows = self.rows(table, window, back)
        if table == "payments":
            rows = [row for row in rows if row["status"] != "failed"]
        return float(len(rows) if column is None else sum(row[column] for row in rows))

    def contracts(self, column: str, back: int = 0) -> float:
        now = self.cutoff - back * DAY
        open_then = [
            row
            for row in self.drawn["subscriptions"]
            if row["started_at"] < now and (row["ended_at"] is None or row["ended_at"] >= now)
        ]
        return float(sum(row[column] for row in open_then))

    def persons(self, table: str, window: int, back: int = 0) -> Counter:
        return Counter(row["user_id"] for row in self.rows(table, window, back) if row["user_id"] is not None)


def ratio(a: float, b: float) -> float:
    return a / b if b else math.nan


def change(a: float, b: float) -> float:
    if math.isnan(a) or math.isnan(b):
        return math.nan
    return (a - b) / (abs(a) + abs(b)) if a or b else 0.0


def year_ago(one: Account) -> dict[str, float]:
    found = {}
    compared = {
        "usage_events": ("usage", None),
        "usage_quantity": ("usage", "quantity"),
        "orders": ("orders", None),
        "order_amount": ("orders", "amount"),
        "tickets": ("tickets", None),
    }
    for name, (table, column) in compared.items():
        for days in (28, 90):
            known = one.rows(table, 10_000, 364 + days)
            then = one.total(table, column, days, 364) if known else math.nan
            found[f"{name}_against_year_ago_{days}d"] = change(one.total(table, column, days), then)
    for name, table in (("usage", "usage"), ("orders", "orders")):
        known = one.rows(table, 10_000, 364)
        found[f"{name}_ahead_year_ago_90d"] = one.total(table, None, 90, 274) if known else math.nan
    return found


def persons(one: Account) -> dict[str, float]:
    found = {}
    for table, single, several in (("usage", "user", "active_users"), ("tickets", "requester", "requesters")):
        now, before, quarter = one.persons(table, 90), one.persons(table, 90, 90), one.persons(table, 90, 28)
        since = one.persons(table, 28)
        found[f"busiest_{single}_share_90d"] = ratio(max(now.values(), default=0), now.total())
        top = {name for name, count in quarter.items() if count == max(quarter.values())}
        found[f"busiest_{single}_still_seen_90d"] = float(bool(top & set(since))) if top else math.nan
        lost = len(set(before) - set(now))
        found[f"{several}_lost_90d"], found[f"{several}_won_90d"] = lost, len(set(now) - set(before))
        found[f"{several}_lost_share_90d"] = ratio(lost, len(before))
    return {**found, "requesters_90d": len(one.persons("tickets", 90))}


def price(one: Account) -> dict[str, float]:
    def paid(back: int) -> float:
        return one.total("payments", "amount", 90, back)

    def mrr(back: int) -> float:
        return one.contracts("mrr", back)

    def events(back: int) -> float:
        return one.total("usage", None, 90, back)

    def units(back: int) -> float:
        return one.total("usage", "quantity", 90, back)

    def ordered(back: int) -> float:
        return one.total("orders", "amount", 90, back)

    def items(back: int) -> float:
        return one.total("orders", "quantity", 90, back)

    found = {}
    for name, amount_of, bought in (
        ("mrr_per_event", mrr, events),
        ("mrr_per_unit", mrr, units),
        ("paid_per_event", paid, events),
        ("paid_per_unit", paid, units),
        (
            "price_per_item",
            lambda back: one.total("orders", "amount", 90, back),
            lambda back: one.total("orders", "quantity", 90, back),
        ),
        ("paid_over_fee", paid, mrr),
    ):
        now, before = (ratio(amount_of(back), bought(back)) for back in (0, 90))
        found |= {f"{name}_90d": now, f"{name}_change_90d": change(now, before)}
    seats = [ratio(mrr(back), one.contracts("seats", back)) for back in (0, 90)]
    return {**found, "mrr_per_seat_change_90_days": change(*seats), "amount_paid_trend_90d": change(paid(0), paid(90))}


def built(drawn: dict[str, list[dict]], **how: int) -> tuple[list[str], np.ndarray]:
    tables = as_tables(drawn)
    catalogue = declare(tables, FeatureSettings(rare=1), cutoff=int(CUTOFFS[-1]))
    names = [name for name in catalogue.names if name in NAMES]
    matrix = build_matrix(tables, catalogue.only(names), accounts=ACCOUNTS, cutoffs=CUTOFFS, **how)
    return names, matrix.features[names].to_numpy()


EMPTY = Account({name: [] for name in ("usage", "tickets", "orders", "payments", "subscriptions")}, "ann", int(CUTOFFS[0]))
NAMES = {**year_ago(EMPTY), **persons(EMPTY), **price(EMPTY)}


def test_the_oracle_knows_every_feature_of_the_families():
    tables = as_tables({name: [] for name in EMPTY.drawn})
    families = ("year_ago", "persons", "price", "usage", "orders", "support", "billing", "payments")
    every = declare(tables, FeatureSettings(families=families), cutoff=0).names
    others = declare(tables, FeatureSettings(families=families[3:]), cutoff=0).names
    assert set(every) - set(others) == set(NAMES)


@settings(deadline=None)
@given(drawn=company)
def test_the_families_agree_with_the_oracle(drawn):
    names, fast = built(drawn)
    asked = [(name, int(cutoff)) for name in ACCOUNTS for cutoff in CUTOFFS]
    for values, (name, cutoff) in zip(fast, asked, strict=True):
        one = Account(drawn, name, cutoff)
        slow = {**year_ago(one), **persons(one), **price(one)}
        np.testing.assert_allclose(values, [slow[each] for each in names], rtol=1e-12, equal_nan=True)


@settings(deadline=None)
@given(drawn=company)
def test_hiding_the_future_changes_nothing_and_neither_do_buckets(drawn):
    _, whole = built(drawn)
    assert built(drawn, buckets=3)[1].tobytes() == whole.tobytes()
    for k, cutoff in enumerate(CUTOFFS.tolist()):
        past = {}
        for table, rows in drawn.items():
            time = {"tickets": "opened_at", "subscriptions": "started_at"}.get(table, "at")
            kept = [row for row in rows if row[time] < cutoff]
            ends = [row.get("ended_at") for row in kept]
            past[table] = [
                {**row, "ended_at": None} if end is not None and end >= cutoff else row
                for row, end in zip(kept, ends, strict=True)
            ]
        assert built(past)[1][k :: len(CUTOFFS)].tobytes() == whole[k :: len(CUTOFFS)].tobytes()
