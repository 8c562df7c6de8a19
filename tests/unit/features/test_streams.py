"""Each derived column by hand."""

from __future__ import annotations

import gc
import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from drawn_tables import Case

from staypower.cutoffs import MISSING, instant_of, text_of
from staypower.features.settings import FeatureSettings
from staypower.features.streams.columns import NEVER, arrivals, group_numbers, in_order, least_later, text_ranks
from staypower.features.streams.making import _MADE, STREAMS, make_stream, source_of
from staypower.schemas import SCHEMAS
from staypower.tables import Table, Tables


def tables(drawn: str, **mapping: dict) -> Tables:
    return Case(title="", says="", drawn=drawn, mapping=mapping).tables()


def stream(name: str, drawn: str, settings: dict | None = None, **mapping: dict) -> Table:
    return make_stream(name, tables(drawn, **mapping), FeatureSettings.model_validate(settings or {}))


def numbers(table: Table, column: str) -> list[float | None]:
    return [None if math.isnan(value) else value for value in table.numbers(column).tolist()]


def times(table: Table, column: str) -> list[str | None]:
    return [None if value == MISSING else text_of(value)[:16] for value in table.instants(column).tolist()]


def known_from(table: Table, column: str) -> str | None:
    return table.schema.column(column).known_from


def test_usage():
    drawn = "accounts | signed_up_at\na | 2025-06-07T12:00\nb | -\n\n"
    drawn += "usage | at\na | 2025-06-06T12:00\na | 2025-06-07T12:00\na | 2025-06-09T00:00\nb | 2025-06-08T12:00"
    made = stream("usage", drawn, {"key_events": ["x"]})
    assert numbers(made, "weekend") == [0.0, 1.0, 0.0, 1.0]  # Friday, Saturday, Monday, Sunday
    assert numbers(made, "days_since_signup") == [None, 0.0, 1.5, None]
    assert known_from(made, "days_since_signup") == "sign_up_known_at"
    assert not stream("usage", drawn).has("days_since_signup")


def test_the_sign_up_is_that_of_the_first_version_known():
    drawn = """
accounts | signed_up_at     | valid_from
a        | 2025-06-05T00:00 | 2025-06-20T00:00
a        | 2025-06-01T00:00 | 2025-06-10T00:00

usage | at
a     | 2025-06-08T00:00
"""
    made = stream("usage", drawn, {"key_events": ["x"]})
    assert numbers(made, "days_since_signup") == [7.0]
    assert times(made, "sign_up_known_at") == ["2025-06-10"]


TICKETS = """
tickets | opened_at        | first_response_at | resolved_at      | agent | category
a       | 2025-06-01T00:00 | 2025-06-01T06:00  | 2025-06-03T00:00 | kim   | x
a       | 2025-06-05T00:00 | 2025-06-07T00:00  | -                | lee   | x
a       | 2025-06-10T00:00 | -                 | 2025-06-10T12:00 | -     | x
b       | 2025-06-10T01:00 | -                 | -                | lee   | -
"""


def test_tickets():
    made = stream("tickets", TICKETS, tickets={"fixed": ["category"]})
    assert numbers(made, "first_response_hours") == [6.0, 48.0, None, None]
    assert numbers(made, "resolution_hours") == [48.0, None, 12.0, None]
    assert times(made, "waiting_until") == ["2025-06-01T06:00", "2025-06-07", "2025-06-10T12:00", None]
    assert numbers(made, "within_sla") == [1.0, 0.0, 1.0, 0.0]
    assert times(made, "sla_decided_at") == ["2025-06-01T06:00", "2025-06-06", "2025-06-10T12:00", "2025-06-11T01:00"]
    # no agent is noted on the third ticket: nothing was handed over
    assert numbers(made, "handed_over") == [None, 1.0, None, None]
    assert numbers(made, "repeat") == [None, 1.0, 1.0, None]
    assert times(made, "repeated_at") == [None, "2025-06-05", "2025-06-10", None]
    assert [known_from(made, name) for name in ("within_sla", "repeat", "category", "first_response_hours")] == [
        "sla_decided_at",
        "repeated_at",
        None,
        "first_response_at",
    ]


def test_a_repeat_is_known_when_both_categories_are():
    made = stream("tickets", TICKETS)
    # the second ticket is never resolved; the third repeats the first, whose category was known on 06-03
    assert times(made, "repeated_at") == [None, None, "2025-06-10T12:00", None]
    assert known_from(made, "category") == "resolved_at"


def test_a_repeat_reaches_back_thirty_days_to_the_microsecond():
    drawn = (
        "tickets | opened_at | category\na | 2025-06-01T00:00 | x\na | 2025-07-01T00:00 | x\na | 2025-07-31T00:00:00.000001 | x"
    )
    made = stream("tickets", drawn, tickets={"fixed": ["category"]})
    assert numbers(made, "repeat") == [None, 1.0, None]


def test_a_category_of_which_nobody_knows_since_when_makes_no_repeats():
    made = stream("tickets", "tickets | opened_at | category\na | 2025-06-01 | x\na | 2025-06-02 | x")
    assert not made.has("repeat")
    assert made.has("category")


def test_hand_overs_follow_the_order_of_arrival():
    drawn = "tickets | opened_at | known_at | agent\na | 2025-06-01 | 2025-06-09 | kim\na | 2025-06-02 | 2025-06-03 | lee"
    made = stream("tickets", drawn)
    assert numbers(made, "handed_over") == [1.0, None]


def test_surveys():
    drawn = """
surveys | answered_at | instrument | value | scale
a       | 2025-06-01  | nps        | 6     | 0-10
a       | 2025-06-01  | nps        | 9     | 0-10
a       | 2025-06-01  | nps        | -     | 0-10
a       | 2025-06-01  | csat       | 4     | 1-4
a       | 2025-06-01  | ces1       | 2     | 1-5
"""
    made = stream("surveys", drawn)
    assert numbers(made, "answer") == [0.6, 0.9, None, 1.0, 0.75]
    assert numbers(made, "detractor") == [1.0, 0.0, None, None, None]
    assert numbers(made, "promoter") == [0.0, 1.0, None, None, None]
    assert known_from(made, "answer") == "answered_at"


def test_a_blank_ticket_number_belongs_to_no_ticket():
    drawn = "tickets | ticket_id | opened_at | first_response_at\na | - | 2025-06-01T00:00 | 2025-06-05T00:00\n\n"
    drawn += "surveys | answered_at | instrument | value | scale | ticket_id\na | 2025-06-10 | csat | 1 | 1-5 | -"
    given = tables(drawn.replace("| - | 2025-06-01", "| t | 2025-06-01"))
    tickets = given["tickets"]
    blank = tickets.data.set_column(tickets.data.column_names.index("ticket_id"), "ticket_id", pa.array([None], pa.string()))
    given = replace(given, tables={**given.tables, "tickets": replace(tickets, data=blank)})
    assert numbers(make_stream("surveys", given, FeatureSettings()), "after_slow_ticket") == [None]


def test_subscription_versions():
    drawn = """
subscriptions | subscription_id | started_at | valid_from | ended_at   | mrr | seats
a             | s               | 2025-01-01 | 2025-03-01 | 2025-05-01 | 20  | 5
a             | s               | 2025-01-01 | 2025-01-01 | -          | 10  | 5
a             | t               | 2025-02-01 | 2025-02-01 | -          | 7   | 1
"""
    made = stream("subscriptions", drawn)
    day = [time and time[:10] for time in times(made, "from_at")]
    assert day == ["2025-01-01", "2025-03-01", "2025-02-01"]
    assert [time and time[:10] for time in times(made, "until_at")] == ["2025-03-01", "2025-05-01", None]
    assert numbers(made, "first_state") == [1.0, 0.0, 1.0]
    assert numbers(made, "mrr_change") == [None, 10.0, None]
    assert numbers(made, "seats_change") == [None, 0.0, None]
    ends = stream("subscription_ends", drawn)
    assert [time and time[:10] for time in times(ends, "ended_at")] == [None, "2025-05-01", None]
    assert [time and time[:10] for time in times(ends, "superseded_at")] == ["2025-03-01", None, None]


def test_a_version_that_arrives_out_of_date_never_speaks():
    drawn = """
subscriptions | subscription_id | started_at | valid_from | known_at   | mrr
a             | s               | 2025-01-01 | 2025-01-01 | 2025-06-01 | 10
a             | s               | 2025-01-01 | 2025-03-01 | 2025-03-01 | 20
"""
    made = stream("subscriptions", drawn)
    assert numbers(made, "mrr") == [20.0]
    assert numbers(made, "first_state") == [1.0]


def test_without_versions_only_fixed_columns_stay():
    drawn = "subscriptions | started_at | ended_at | mrr | seats\na | 2025-01-01 | 2025-02-01 | 10 | 3"
    made = stream("subscriptions", drawn, subscriptions={"fixed": ["seats"]})
    assert made.has("seats")
    assert not made.has("mrr")
    assert not made.has("seats_change")


def test_payments():
    drawn = """
payments | at               | status
a        | 2025-06-03T00:00 | paid
a        | 2025-06-01T00:00 | failed
a        | 2025-06-02T00:00 | failed
a        | 2025-06-04T00:00 | failed
b        | 2025-06-05T00:00 | paid
"""
    made = stream("payments", drawn)
    assert times(made, "recovered_at") == [None, "2025-06-03", "2025-06-03", None, None]


def test_a_recovery_is_known_when_the_first_later_payment_arrives():
    drawn = """
payments | at               | known_at         | status
a        | 2025-06-01T00:00 | 2025-06-01T00:00 | failed
a        | 2025-06-02T00:00 | 2025-06-20T00:00 | paid
a        | 2025-06-03T00:00 | 2025-06-10T00:00 | paid
"""
    assert times(stream("payments", drawn), "recovered_at") == ["2025-06-10", None, None]


ORDERS = """
orders | order_id | at               | amount | quantity | cancelled
a      | o1       | 2025-06-02T00:00 | 10     | 1        | false
a      | o1       | 2025-06-01T00:00 | 0.1    | 1        | false
a      | -        | 2025-06-03T00:00 | 5      | 1        | false
a      | -        | 2025-06-03T00:00 | 6      | 1        | false
a      | o2       | 2025-06-04T00:00 | -7     | -1       | false
b      | o1       | 2025-06-01T00:00 | 9      | 1        | true
b      | o1       | 2025-06-01T00:00 | 8      | 1        | false
"""


def test_orders_collapse_their_lines():
    made = stream("orders", ORDERS)
    rows = sorted(
        zip(made.texts("account_id"), times(made, "at"), numbers(made, "amount"), numbers(made, "lines"), strict=True)
    )
    assert rows == [
        ("a", "2025-06-01", 0.1, 1.0),
        ("a", "2025-06-01", 10.1, 2.0),
        ("a", "2025-06-03", 5.0, 1.0),
        ("a", "2025-06-03", 6.0, 1.0),
        ("b", "2025-06-01", 8.0, 1.0),
    ]
    grown = numbers(made, "lines").index(2.0)
    assert times(made, "known_at")[grown] == "2025-06-02"
    assert sorted(time for time in times(made, "superseded_at") if time) == ["2025-06-02"]


def test_orders_whose_lines_come_together_have_one_state():
    made = stream("orders", ORDERS.replace("2025-06-02T00:00", "2025-06-01T00:00"))
    assert len(made) == 4
    assert not made.has("superseded_at")
    assert not made.has("known_at")


def test_returns():
    made = stream("returns", ORDERS)
    assert sorted(numbers(made, "amount")) == [7.0, 9.0]
    assert len(stream("order_lines", ORDERS)) == 5
    later = "orders | at | amount | returned_at\na | 2025-06-01T00:00 | 5 | 2025-06-09T00:00\na | 2025-06-01T00:00 | 6 | -"
    made = stream("returns", later)
    assert times(made, "at") == ["2025-06-09"]
    assert numbers(made, "amount") == [5.0]


def test_accounts():
    drawn = """
accounts | signed_up_at     | setup_completed_at | valid_from       | owner
a        | 2025-01-01T00:00 | 2025-01-03T12:00   | 2025-02-01T00:00 | lee
a        | 2025-01-01T00:00 | 2025-01-03T12:00   | 2025-01-01T00:00 | kim
a        | 2025-01-01T00:00 | 2025-01-03T12:00   | 2025-03-01T00:00 | -
a        | 2025-01-01T00:00 | 2025-01-03T12:00   | 2025-04-01T00:00 | lee
b        | 2025-01-05T00:00 | 2025-01-03T12:00   | 2025-01-05T00:00 | kim
"""
    made = stream("accounts", drawn)
    assert numbers(made, "owner_changed") == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert numbers(made, "setup_days") == [2.5, 2.5, 2.5, 2.5, None]
    assert known_from(made, "setup_days") == "setup_completed_at"
    assert known_from(made, "owner") == "seen_at"


def test_accounts_without_versions_keep_static_attributes_only():
    made = stream("accounts", "accounts | plan | segment\na | pro | big", accounts={"static": ["plan"]})
    assert made.has("plan")
    assert not made.has("segment")


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_no_rows_give_no_rows(name):
    full = {
        "accounts": "accounts | signed_up_at | setup_completed_at | valid_from | owner\na | 2025-01-01 | - | 2025-01-01 | kim",
        "usage": "usage | at | event\na | 2025-01-01 | x",
        "tickets": TICKETS,
        "surveys": "surveys | answered_at | instrument | value | scale | ticket_id\na | 2025-01-01 | nps | 5 | 0-10 | t",
        "subscriptions": "subscriptions | subscription_id | started_at | valid_from | mrr\na | s | 2025-01-01 | 2025-01-01 | 1",
        "payments": "payments | at | status\na | 2025-01-01 | paid",
        "orders": ORDERS,
    }
    given = tables("\n\n".join(block.strip() for block in full.values()))
    empty = replace(given, tables={key: replace(table, data=table.data.slice(0, 0)) for key, table in given.items()})
    settings = FeatureSettings(key_events=("x",))
    made, filled = (make_stream(name, one, settings) for one in (empty, given))
    assert len(made) == 0
    assert len(filled) > 0
    lacking = set(filled.data.column_names) - set(made.data.column_names)
    assert lacking <= {"known_at", "superseded_at"}
    assert source_of(name) in full


def test_a_table_of_ones_own_is_its_own_stream():
    given = tables("goals | set_at\na | 2025-01-01")
    assert make_stream("goals", given, FeatureSettings()) is given["goals"]
    assert source_of("visits") == "visits"


def test_groups_and_ranks():
    one, two = pa.chunked_array([["x", None, "x", None]]), pa.chunked_array([["1", "1", "2", "1"]])
    numbered = group_numbers(one, two).tolist()
    assert numbered[1] == numbered[3]
    assert len(set(numbered)) == 3
    assert text_ranks(pa.chunked_array([["b", "a", None]]).dictionary_encode()).tolist() == [1, 0, -1]
    assert least_later(np.array([4, 2, 9]), np.array([0, 0, 1])).tolist() == [2, NEVER, NEVER]
    assert least_later(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)).tolist() == []


def test_arrivals():
    rows = {"account_id": ["a"] * 3, "at": [5, 5, None], "known_at": [9, None, 9]}
    made = pa.table({k: v if k == "account_id" else pa.array(v, pa.timestamp("us", "UTC")) for k, v in rows.items()})
    table = Table(SCHEMAS["usage"], made)
    assert arrivals(table, table.instants("at")).tolist() == [9, MISSING, MISSING]
    bare = replace(table, data=made.drop_columns(["known_at"]))
    assert arrivals(bare, np.array([instant_of("1970-01-01")])).tolist() == [0]


def test_a_survey_asks_about_a_ticket_of_its_own_account():
    """Two accounts whose desks number from 1 each: the slow ticket of one says nothing about the other's answer."""
    time = pa.timestamp("us", "UTC")

    def hours(*values):
        return pa.array([value * 3_600_000_000 for value in values], pa.int64()).cast(time)

    tickets = pa.table(
        {
            "account_id": ["slow", "fast"],
            "ticket_id": ["1", "1"],
            "opened_at": hours(0, 0),
            "first_response_at": hours(50, 1),
        }
    )
    surveys = pa.table(
        {
            "account_id": ["fast", "slow", "other"],
            "ticket_id": ["1", "1", "1"],
            "answered_at": hours(60, 60, 60),
            "instrument": ["csat"] * 3,
            "value": [5.0, 1.0, 3.0],
            "low": [1.0] * 3,
            "high": [5.0] * 3,
        }
    )
    tables = Tables({"tickets": Table(SCHEMAS["tickets"], tickets), "surveys": Table(SCHEMAS["surveys"], surveys)}, 0)
    stream = make_stream("surveys", tables, FeatureSettings())
    np.testing.assert_array_equal(stream.numbers("after_slow_ticket"), [0.0, 1.0, np.nan])


def test_a_stream_is_made_once_for_its_tables_and_settings_and_let_go_of_with_them():
    given = tables("accounts | signed_up_at\na | 2025-06-07T12:00\n\nusage | at\na | 2025-06-09T00:00")
    plain, keyed = FeatureSettings(), FeatureSettings(key_events=("x",))
    made = make_stream("usage", given, plain)
    assert make_stream("usage", replace(given, tables=dict(given.tables)), FeatureSettings()) is made
    assert make_stream("usage", given, keyed).has("days_since_signup")
    assert not make_stream("usage", given, plain).has("days_since_signup")
    other = Tables(
        {**given.tables, "usage": replace(given["usage"], data=given["usage"].data.slice(0, 0))}, given.observed_until
    )
    assert len(make_stream("usage", other, plain)) == 0
    keys = [key for key in _MADE if id(given["usage"]) in key]
    assert keys
    del given, other
    gc.collect()
    assert not _MADE.keys() & set(keys)


@pytest.mark.parametrize("groups", [1, 40, 100_000])
@pytest.mark.parametrize("instants", [3, 10**15])
def test_rows_are_listed_as_a_sort_by_all_keys_lists_them(groups, instants):
    rng = np.random.default_rng(groups)
    group, at = rng.integers(0, groups, 3_000), rng.integers(-instants, instants, 3_000)
    ties = rng.choice([1.0, 2.0, np.nan], 3_000), rng.integers(0, 2, 3_000)
    assert (in_order(group, at, *ties) == np.lexsort((*ties, at, group))).all()
    assert in_order(group[:0], at[:0]).tolist() == []
