"""The whole catalogue over random canonical tables: what lies at or after the cutoff, deleted, changes nothing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from staypower.cutoffs import DAY, HOUR, MISSING, instant_of
from staypower.features.builder import build_matrix
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.features.settings import FeatureSettings
from staypower.schemas import SCHEMAS, TableSchema
from staypower.tables import Table, Tables

TIME = pa.timestamp("us", "UTC")
START = instant_of("2025-01-01")
CUTOFFS = np.array([START + 20 * DAY, START + 40 * DAY + 3 * HOUR, START + 60 * DAY], dtype=np.int64)
ACCOUNTS = ["a", "b", "c"]
# every example builds some 200 features several times; a failure names the features, so nothing needs to be shrunk
EXAMPLES = max(settings.default.max_examples // 2, 1)
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
# what each column may hold; times are drawn near the cutoffs, on them, and one microsecond off
WORDS = {
    "event": ["open", "save"],
    "user_id": ["u1", "u2"],
    "product": ["p", "q"],
    "priority": ["high", "low"],
    "category": ["x", "y"],
    "channel": ["mail", "phone"],
    "agent": ["kim", "lee", "moe"],
    "instrument": ["nps", "csat"],
    "respondent_id": ["r1", "r2"],
    "touchpoint": ["call"],
    "ticket_id": ["t1", "t2"],
    "subscription_id": ["s1", "s2"],
    "billing_period": ["monthly", "weekly"],
    "plan": ["basic", "pro"],
    "status": ["paid", "failed", "refunded"],
    "order_id": ["o1", "o2"],
    "kind": ["referral"],
    "owner": ["kim", "lee"],
    "action": ["call"],
}
TABLES = {
    "accounts": ["signed_up_at", "valid_from", "setup_completed_at", "owner", "seats"],
    "usage": ["at", "event", "user_id", "quantity"],
    "tickets": ["opened_at", "first_response_at", "resolved_at", "reopened_at", "priority", "category", "agent", "ticket_id"],
    "surveys": ["sent_at", "answered_at", "instrument", "value", "low", "high", "ticket_id", "touchpoint", "respondent_id"],
    "subscriptions": [
        "subscription_id",
        "started_at",
        "valid_from",
        "ended_at",
        "mrr",
        "seats",
        "plan",
        "product",
        "renews_at",
        "billing_period",
    ],
    "payments": ["at", "amount", "status", "refunded_at", "method_expires_at"],
    "orders": ["order_id", "at", "amount", "quantity", "product", "returned_at"],
    "goals": ["set_at", "due_at", "met_at"],
}
# without these, features follow from other columns
MEANT = {
    "accounts": ["signed_up_at"],
    "subscriptions": ["mrr", "seats", "renews_at", "billing_period"],
    "payments": ["status"],
}
# told with the row although they lie in the future
ANNOUNCED = {"due_at", "renews_at", "method_expires_at"}
# not known before another column's instant
LATE = {"value": "answered_at", "priority": "resolved_at", "category": "resolved_at"}

edges = st.sampled_from([int(c) + step for c in CUTOFFS for step in (-DAY, -1, 0, 1, DAY)])
instants = st.one_of(edges, st.integers(0, 70).map(lambda n: START + n * DAY))
NUMBERS = {"low": st.just(0.0), "high": st.just(10.0), "value": st.integers(0, 10).map(float)}


def row_of(name: str) -> st.SearchStrategy[dict]:
    fields: dict[str, st.SearchStrategy] = {"account_id": st.sampled_from(ACCOUNTS), "known_at": instants}
    for number, column in enumerate(TABLES[name]):
        if column in WORDS:
            fields[column] = st.one_of(st.none(), st.sampled_from(WORDS[column]))
        elif column.endswith(("_at", "_from")) or column == "at":
            # the time that places the row is there; what comes later may not be
            first = number == 0 or column in ("started_at", "valid_from")
            fields[column] = instants if first else st.one_of(st.just(MISSING), instants)
        else:
            fields[column] = NUMBERS.get(column, st.integers(-3, 9).map(float))
    return st.fixed_dictionaries(fields)


companies = st.fixed_dictionaries({name: st.lists(row_of(name), max_size=8) for name in TABLES})


def own_time(name: str, row: dict) -> int:
    if name == "accounts":
        return row["valid_from"]
    if name == "subscriptions":
        return max(row["started_at"], row["valid_from"])
    return next((row[time] for time in SCHEMAS[name].times if row[time] != MISSING), MISSING)


def seen(name: str, rows: list[dict], cutoff: int, *, arrival: bool) -> list[dict]:
    """Delete the rows that are not known before the cutoff, and blank the columns that are not."""
    kept = []
    for row in rows:
        if own_time(name, row) >= cutoff or (arrival and row["known_at"] >= cutoff):
            continue
        made = dict(row)
        for column, value in row.items():
            time = column.endswith(("_at", "_from")) or column == "at"
            if time and column not in ANNOUNCED and value >= cutoff:
                made[column] = MISSING
            if column in LATE and (row[LATE[column]] == MISSING or row[LATE[column]] >= cutoff):
                made[column] = None if column in WORDS else float("nan")
        kept.append(made)
    return kept


def as_table(name: str, rows: list[dict], *, arrival: bool, derived: bool) -> Table:
    columns: dict[str, pa.Array] = {}
    for column in ("account_id", *TABLES[name], *(["known_at"] if arrival else [])):
        if derived and column in MEANT.get(name, ()):
            continue
        values = [row[column] for row in rows]
        if column in WORDS or column == "account_id":
            columns[column] = pa.array(values, pa.string())
        elif column.endswith(("_at", "_from")) or column == "at":
            columns[column] = pa.array([None if v == MISSING else v for v in values], pa.int64()).cast(TIME)
        else:
            columns[column] = pa.array(values, pa.float64())
    return Table(SCHEMAS[name], pa.table(columns))


def as_tables(company: dict[str, list[dict]], **kind: bool) -> Tables:
    return Tables({name: as_table(name, rows, **kind) for name, rows in company.items()}, int(CUTOFFS[-1]) + DAY)


def everything(**kind: bool) -> Catalogue:
    """Declare all features once, from a company in which every word occurs."""
    full = {}
    for name, columns in TABLES.items():
        rows = []
        for n in range(4):
            row = {"account_id": ACCOUNTS[n % 3], "known_at": START}
            for column in columns:
                words = WORDS.get(column)
                time = column.endswith(("_at", "_from")) or column == "at"
                row[column] = words[n % len(words)] if words else START if time else 1.0
            rows.append(row)
        full[name] = rows
    own = FeatureSettings(windows=(7, 28, 90, 365), key_events=("save",), rare=1)
    return declare(as_tables(full, **kind), own, cutoff=int(CUTOFFS[-1]))


KINDS = [(False, False), (True, False), (False, True), (True, True)]
CATALOGUES = {kind: everything(arrival=kind[0], derived=kind[1]) for kind in KINDS}


def built(company: dict[str, list[dict]], cutoffs: np.ndarray, kind: tuple[bool, bool], **how: int) -> np.ndarray:
    tables = as_tables(company, arrival=kind[0], derived=kind[1])
    return build_matrix(tables, CATALOGUES[kind], accounts=ACCOUNTS, cutoffs=cutoffs, **how).features.to_numpy()


def differing(whole: np.ndarray, blind: np.ndarray, kind: tuple[bool, bool]) -> list[str]:
    unlike = ~((whole == blind) | (np.isnan(whole) & np.isnan(blind)))
    return [name for name, bad in zip(CATALOGUES[kind].names, unlike.any(axis=0), strict=True) if bad]


def test_the_catalogue_is_whole():
    for catalogue in CATALOGUES.values():
        assert len(catalogue.names) > 200
        assert {"days_to_renewal", "mrr_now", "seats_change_90_days", "tenure_days", "amount_paid_28d"} <= set(catalogue.names)


@pytest.mark.parametrize("kind", KINDS)
def test_no_feature_sees_what_comes_later(kind):
    @settings(deadline=None, max_examples=EXAMPLES, phases=PHASES)
    @given(company=companies)
    def check(company: dict[str, list[dict]]) -> None:
        whole = built(company, CUTOFFS, kind).reshape(len(ACCOUNTS), len(CUTOFFS), -1)
        for k, cutoff in enumerate(CUTOFFS.tolist()):
            past = {name: seen(name, rows, cutoff, arrival=kind[0]) for name, rows in company.items()}
            blind = built(past, CUTOFFS[k : k + 1], kind)
            assert differing(whole[:, k], blind, kind) == []

    check()


@pytest.mark.parametrize("kind", KINDS)
def test_neither_the_order_of_rows_nor_the_buckets_matter(kind):
    @settings(deadline=None, max_examples=EXAMPLES, phases=PHASES)
    @given(company=companies, seed=st.randoms())
    def check(company: dict[str, list[dict]], seed) -> None:
        first = built(company, CUTOFFS, kind)
        mixed = {name: seed.sample(rows, len(rows)) for name, rows in company.items()}
        again = built(mixed, CUTOFFS, kind, buckets=2)
        assert differing(first, again, kind) == []

    check()


def test_the_test_would_notice():
    """A feature that reads a late column as if it were known with its row is caught by the same masking."""
    schema = SCHEMAS["tickets"]
    loose = TableSchema("tickets", schema.times, tuple(c for c in schema.columns if c.name != "resolved_at"), schema.row_id)
    assert loose.column("resolved_at") is None
    rows = [{"account_id": "a", "known_at": START, "opened_at": START, "resolved_at": int(CUTOFFS[0])}]
    rows[0] |= dict.fromkeys(["first_response_at", "reopened_at"], MISSING)
    rows[0] |= {"priority": "high", "category": "x", "agent": "kim", "ticket_id": "t1"}
    past = seen("tickets", rows, int(CUTOFFS[0]), arrival=False)
    assert past[0]["resolved_at"] == MISSING
    assert past[0]["priority"] is None
    assert seen("tickets", rows, START, arrival=False) == []
