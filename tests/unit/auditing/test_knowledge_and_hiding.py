"""What counts as the future, and that hiding hides exactly that."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from staypower.auditing.hiding import Place, hide_future, places_of
from staypower.auditing.knowledge import LATE, late_columns, rows_after, undated_columns
from staypower.cutoffs import DAY
from staypower.schemas import SCHEMAS
from staypower.tables import Table, Tables

CUTOFF = 100 * DAY


def times(*days):
    return pa.array([None if day is None else round(day * DAY) for day in days], pa.int64()).cast(pa.timestamp("us", "UTC"))


def at_instants(*instants):
    return pa.array(instants, pa.int64()).cast(pa.timestamp("us", "UTC"))


def table_of(name, **columns):
    fixed = frozenset(columns.pop("fixed", ()))
    date_only = frozenset(columns.pop("date_only", ()))
    return Table(SCHEMAS[name], pa.table(columns), date_only=date_only, fixed=fixed)


def company(**tables):
    accounts = tables.pop("accounts", table_of("accounts", account_id=["a", "b"], signed_up_at=times(1, 2)))
    return Tables({"accounts": accounts, **tables}, 200 * DAY)


def tickets(**changes):
    columns = {
        "account_id": ["a", "a", "b", "b"],
        "opened_at": times(10, 90, 99, 120),
        "resolved_at": times(20, 130, None, 121),
        "priority": ["low", "high", "high", "low"],
    }
    return table_of("tickets", **{**columns, **changes})


def test_the_statement_agrees_with_the_schemas():
    said = {
        name: {
            column.name: column.known_from for column in schema.columns if column.known_from and column.name != schema.times[0]
        }
        for name, schema in SCHEMAS.items()
    }
    assert {name: columns for name, columns in said.items() if columns} == {name: dict(late) for name, late in LATE.items()}


def test_a_row_at_the_cutoff_belongs_to_the_future():
    usage = table_of("usage", account_id=["a"] * 3, at=at_instants(CUTOFF - 1, CUTOFF, CUTOFF + 1))
    assert rows_after(usage, CUTOFF).tolist() == [False, True, True]


def test_a_date_belongs_to_the_future_until_its_day_is_over():
    usage = table_of("usage", account_id=["a", "a"], at=times(99, 100), date_only=["at"])
    assert rows_after(usage, CUTOFF).tolist() == [False, True]
    assert rows_after(usage, CUTOFF - 1).tolist() == [True, True]


def test_versions_are_hidden_by_valid_from_and_arrivals_by_known_at():
    versions = table_of("subscriptions", account_id=["a", "a"], started_at=times(1, 1), valid_from=times(1, 150))
    late = table_of("usage", account_id=["a", "a"], at=times(1, 2), known_at=times(99, 100))
    assert rows_after(versions, CUTOFF).tolist() == [False, True]
    assert rows_after(late, CUTOFF).tolist() == [False, False]
    assert rows_after(late, CUTOFF, arrival=True).tolist() == [False, True]


def test_a_fixed_column_is_not_late():
    assert late_columns(tickets())["priority"] == "resolved_at"
    assert "priority" not in late_columns(tickets(fixed=["priority"]))


def test_attributes_are_undated_unless_static_or_versioned():
    columns = {"account_id": ["a"], "signed_up_at": times(1), "plan": ["x"], "region": ["y"]}
    assert undated_columns(table_of("accounts", **columns, fixed=["region"])) == ["plan"]
    assert undated_columns(table_of("accounts", **columns, valid_from=times(1))) == []


def test_deleting_takes_later_rows_and_later_values_and_nothing_else():
    hidden = hide_future(company(tickets=tickets()), CUTOFF, how="deleted")
    made = hidden.tables["tickets"].data
    assert made.column("resolved_at").to_pylist()[0] is not None
    assert [value is None for value in made.column("resolved_at").to_pylist()] == [False, True, True]
    assert made.column("priority").to_pylist() == ["low", None, None]
    # one row; of the rows that stay one resolution and two priorities of tickets not resolved yet
    assert hidden.rows["tickets"] == 1
    assert hidden.values == 3
    assert hidden.tables.observed_until == CUTOFF


def test_one_place_can_be_hidden_alone():
    whole = company(tickets=tickets(), usage=table_of("usage", account_id=["a"], at=times(150)))
    only = hide_future(whole, CUTOFF, how="deleted", only=Place("tickets", "resolved_at")).tables
    assert len(only["tickets"]) == 4
    assert len(only["usage"]) == 1
    assert only["tickets"].data.column("resolved_at").null_count == 3
    assert only["tickets"].data.column("priority").null_count == 0
    assert Place("tickets", "priority") in places_of(whole)
    assert Place("usage") in places_of(whole)


@pytest.mark.parametrize("seed", range(4))
def test_scrambling_leaves_the_past_alone_and_changes_the_future(seed):
    rng = np.random.default_rng(seed)
    days = np.sort(rng.uniform(0, 200, 300))
    usage = table_of(
        "usage", account_id=[f"a{n % 7}" for n in range(300)], at=times(*days), quantity=rng.normal(size=300).tolist()
    )
    made = hide_future(company(usage=usage), CUTOFF, how="scrambled", seed=seed).tables["usage"]
    past = days < 100
    assert made.data.filter(pa.array(past)).equals(usage.data.filter(pa.array(past)))
    assert (made.instants("at")[~past] >= CUTOFF).all()
    assert (made.instants("at") == CUTOFF).any()
    assert (made.numbers("quantity")[~past] != usage.numbers("quantity")[~past]).mean() > 0.9
    assert (made.texts("account_id")[~past] != usage.texts("account_id")[~past]).any()


def test_scrambled_late_values_stay_in_the_future():
    many = pa.concat_tables([tickets().data] * 40)
    made = hide_future(company(tickets=replace(tickets(), data=many)), CUTOFF, how="scrambled").tables["tickets"]
    resolved = made.instants("resolved_at")
    assert (resolved[0::4] == 20 * DAY).all()
    open_then = np.concatenate([resolved[1::4], resolved[2::4]])
    assert ((open_then < 0) | (open_then >= CUTOFF)).all()
    assert (open_then >= CUTOFF).any()
    # a later row is resolved after it was opened, as every table's are
    opened, closed = made.instants("opened_at")[3::4], resolved[3::4]
    assert ((closed < 0) | (closed >= opened)).all()


def test_an_account_signed_up_later_goes_unless_rows_of_it_stay():
    accounts = table_of(
        "accounts", account_id=["early", "later", "odd"], signed_up_at=times(1, 150, 150), region=list("xyz"), fixed=["region"]
    )
    usage = table_of("usage", account_id=["early", "odd", "later"], at=times(5, 50, 160))
    hidden = hide_future(company(accounts=accounts, usage=usage), CUTOFF, how="deleted")
    assert hidden.tables.account_ids == ["early", "odd"]
    assert hidden.rows["accounts"] == 1


def test_of_an_account_whose_versions_all_come_later_only_the_id_and_sign_up_stay():
    accounts = table_of(
        "accounts", account_id=["a", "a", "b"], signed_up_at=times(1, 1, 1), valid_from=times(150, 160, 5), plan=list("xyz")
    )
    usage = table_of("usage", account_id=["a"], at=times(5))
    made = hide_future(company(accounts=accounts, usage=usage), CUTOFF, how="deleted").tables["accounts"].data
    assert made.column("account_id").to_pylist() == ["a", "b"]
    assert made.column("plan").to_pylist() == [None, "z"]


def test_a_refund_to_come_leaves_a_paid_payment_behind():
    payments = table_of(
        "payments",
        account_id=["a", "a", "a"],
        at=times(1, 2, 3),
        status=["refunded", "refunded", "failed"],
        refunded_at=times(50, 150, None),
    )
    made = hide_future(company(payments=payments), CUTOFF, how="deleted").tables["payments"].data
    assert made.column("status").to_pylist() == ["refunded", "paid", "failed"]
