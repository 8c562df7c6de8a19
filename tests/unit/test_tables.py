"""Canonical tables: instants, durations, and what is a return from the start."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from staypower.cutoffs import DAY, HOUR, MISSING
from staypower.features.builder import build_matrix
from staypower.features.declaring import declare
from staypower.features.settings import FeatureSettings
from staypower.labels.churn import find_population
from staypower.labels.population import Status
from staypower.labels.settings import NonContractualLabel
from staypower.schemas import SCHEMAS
from staypower.tables import Table, Tables, fingerprint, is_return

TIME = pa.timestamp("us", "UTC")


def times(*instants: int | None) -> pa.Array:
    return pa.array(instants, pa.int64()).cast(TIME)


def orders(**more: pa.Array) -> pa.Table:
    return pa.table({"account_id": ["a", "a"], "at": times(10 * DAY, 100 * DAY), "cancelled": [True, False], **more})


def test_a_cancellation_of_its_own_is_never_activity():
    assert is_return(Table(SCHEMAS["orders"], orders())).tolist() == [True, False]
    negative = pa.table({"account_id": ["a"], "at": times(0), "quantity": [-1.0]})
    assert is_return(Table(SCHEMAS["orders"], negative)).tolist() == [True]


def test_a_flag_set_later_is_told_by_its_time_alone():
    later = orders(returned_at=times(40 * DAY, None))
    assert is_return(Table(SCHEMAS["orders"], later)).tolist() == [False, False]
    assert is_return(Table(SCHEMAS["orders"], later, fixed=frozenset({"cancelled"}))).tolist() == [True, False]


@pytest.mark.parametrize(("day", "returns"), [(20, 0.0), (41, 1.0)])
def test_an_order_cancelled_later_counts_until_then_and_is_activity(day, returns):
    """At day 20 nobody knew that the order of day 10 would be cancelled on day 40."""
    table = Table(SCHEMAS["orders"], orders(returned_at=times(40 * DAY, None)))
    accounts = Table(SCHEMAS["accounts"], pa.table({"account_id": ["a"], "signed_up_at": times(0)}))
    tables = Tables({"accounts": accounts, "orders": table}, 200 * DAY)
    cutoffs = np.array([day * DAY])
    catalogue = declare(tables, FeatureSettings(), cutoff=200 * DAY).only(["orders_90d", "returns_90d"])
    features = build_matrix(tables, catalogue, accounts=["a"], cutoffs=cutoffs).features
    assert features.loc[0, "orders_90d"] == 1.0
    assert features.loc[0, "returns_90d"] == returns
    population = find_population(tables, NonContractualLabel(too_new=0), cutoffs)
    assert population.status[0, 0] == Status.SCORED


def test_what_nobody_can_date_is_not_built():
    tickets = pa.table({"account_id": ["a"], "opened_at": times(0), "priority": ["high"]})
    accounts = Table(SCHEMAS["accounts"], pa.table({"account_id": ["a"]}))
    loose = declare(
        Tables({"accounts": accounts, "tickets": Table(SCHEMAS["tickets"], tickets)}, DAY), FeatureSettings(), cutoff=DAY
    )
    assert "high_priority_tickets_28d" not in loose.names
    assert "no date says from when" in loose.left_out["high_priority_tickets_28d"]
    fixed = Table(SCHEMAS["tickets"], tickets, fixed=frozenset({"priority"}))
    assert (
        "high_priority_tickets_28d"
        in declare(Tables({"accounts": accounts, "tickets": fixed}, DAY), FeatureSettings(), cutoff=DAY).names
    )


def test_hours_between_a_date_and_a_clock_count_whole_days():
    rows = pa.table(
        {
            "account_id": ["a"] * 4,
            "opened_at": times(0, 0, 5 * DAY, None),
            "resolved_at": times(15 * HOUR, 30 * HOUR, 4 * DAY, DAY),
        }
    )
    dated = Table(SCHEMAS["tickets"], rows, date_only=frozenset({"opened_at"}))
    np.testing.assert_array_equal(dated.hours_between("opened_at", "resolved_at"), [0.0, 24.0, np.nan, np.nan])
    clocked = Table(SCHEMAS["tickets"], rows)
    np.testing.assert_array_equal(clocked.hours_between("opened_at", "resolved_at"), [15.0, 30.0, np.nan, np.nan])


def test_own_time_is_the_first_that_is_filled_in():
    rows = pa.table({"account_id": ["a", "b", "c"], "sent_at": times(5, None, None), "answered_at": times(9, 7, None)})
    assert Table(SCHEMAS["surveys"], rows).own_instants().tolist() == [5, 7, MISSING]


def table_of(**columns: pa.Array) -> Tables:
    return Tables({"usage": Table(SCHEMAS["usage"], pa.table(columns))}, DAY)


def test_a_fingerprint_does_not_depend_on_the_order_or_the_chunks_of_rows():
    rng = np.random.default_rng(0)
    rows = pa.table(
        {
            "account_id": [f"a{number}" for number in rng.integers(0, 50, 1000)],
            "at": times(*rng.integers(0, DAY, 1000).tolist()),
            "event": pa.array(rng.choice(["x", "y", None], 1000), pa.string()),
            "quantity": pa.array(rng.random(1000), mask=rng.random(1000) < 0.1),
        }
    )
    whole = fingerprint(table_of(**{name: rows.column(name) for name in rows.column_names}))
    turned = rows.take(rng.permutation(1000))
    parts = pa.concat_tables([turned[:13], turned[13:]])
    coded = parts.set_column(2, "event", parts.column("event").dictionary_encode())
    for same in (turned, parts, coded):
        assert fingerprint(table_of(**{name: same.column(name) for name in same.column_names})) == whole


def test_a_fingerprint_tells_what_differs():
    one = {"account_id": pa.array(["a", "b"]), "at": times(0, 1), "quantity": pa.array([0.0, None])}
    others = [
        one | {"quantity": pa.array([None, 0.0])},
        one | {"quantity": pa.array([0.0, 0.0])},
        one | {"quantity": pa.array([0.0, 1e-300])},
        one | {"account_id": pa.array(["b", "a"])},
        one | {"account_id": pa.array(["a", "a"])},
        one | {"at": times(0, 0)},
        {name: pa.concat_arrays([column, column]) for name, column in one.items()},
        {"account_id": one["account_id"], "at": one["at"], "units": one["quantity"]},
    ]
    found = {fingerprint(table_of(**each)) for each in (one, *others)}
    assert len(found) == 1 + len(others)
