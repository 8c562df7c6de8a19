from __future__ import annotations

import pyarrow as pa
import pytest

from staypower.cutoffs import DAY, instant_of
from staypower.features.settings import FeatureSettings
from staypower.reporting.account_pages import WEEKS, timelines_of
from staypower.schemas import SCHEMAS
from staypower.tables import Table, Tables

CUTOFF = instant_of("2025-07-01")


def table(name: str, **columns: list) -> Table:
    made = {}
    for column, values in columns.items():
        time = column.endswith("_at") or column == "at"
        made[column] = pa.array(values, pa.timestamp("us", "UTC")) if time else pa.array(values)
    return Table(SCHEMAS[name], pa.table(made))


def told(*, cutoff: int = CUTOFF, **tables: Table) -> dict[str, list[tuple[str, str]]]:
    people = Table(SCHEMAS["accounts"], pa.table({"account_id": ["a", "b"]}))
    made = timelines_of(Tables({"accounts": people, **tables}, CUTOFF + 400 * DAY), ["a"], cutoff, FeatureSettings())["a"]
    return {lane.name: [(mark.words, mark.tone) for mark in lane.marks] for lane in made.lanes}


def test_weeks_are_counted_back_from_the_cutoff():
    ages = [0.5, 6.9, 7.1, 7 * WEEKS - 0.5, 7 * WEEKS + 0.5]
    usage = table("usage", account_id=["a"] * 5 + ["b"], at=[CUTOFF - round(age * DAY) for age in ages] + [CUTOFF - DAY])
    people = Table(SCHEMAS["accounts"], pa.table({"account_id": ["a", "b"]}))
    lanes = timelines_of(Tables({"accounts": people, "usage": usage}, CUTOFF), ["a"], CUTOFF, FeatureSettings())["a"].lanes
    assert list(lanes[0].counts[-2:]) == [1, 2]
    assert lanes[0].counts[0] == 1
    assert sum(lanes[0].counts) == 4


def test_what_comes_later_is_not_told():
    tickets = table(
        "tickets",
        account_id=["a", "a"],
        opened_at=[CUTOFF - 10 * DAY, CUTOFF + DAY],
        resolved_at=[CUTOFF + DAY, None],
        priority=["high", "high"],
    )
    fixed = Table(tickets.schema, tickets.data, fixed=frozenset({"priority"}))
    assert told(tickets=fixed)["tickets"] == [("ticket (high)", "risk")]
    # a priority that is not declared fixed is known when the ticket is resolved
    assert told(tickets=tickets)["tickets"] == [("ticket", "plain")]
    late = table("tickets", account_id=["a"], opened_at=[CUTOFF - DAY], known_at=[CUTOFF + DAY])
    assert told(tickets=late)["tickets"] == []


@pytest.mark.parametrize(
    ("value", "words", "tone"), [(3.0, "NPS 3", "risk"), (8.0, "NPS 8", "good"), (None, "NPS sent, no answer", "plain")]
)
def test_answers_and_silence(value, words, tone):
    surveys = table(
        "surveys",
        account_id=["a"],
        sent_at=[CUTOFF - 9 * DAY],
        answered_at=[CUTOFF - 8 * DAY if value is not None else None],
        instrument=["nps"],
        value=pa.array([value], pa.float64()),
        low=[0.0],
        high=[10.0],
    )
    assert told(surveys=surveys)["surveys"] == [(words, tone)]


def test_an_answer_that_comes_after_the_cutoff_is_still_silence():
    surveys = table(
        "surveys",
        account_id=["a"],
        sent_at=[CUTOFF - 9 * DAY],
        answered_at=[CUTOFF + DAY],
        instrument=["nps"],
        value=[9.0],
        low=[0.0],
        high=[10.0],
    )
    assert told(surveys=surveys)["surveys"] == [("NPS sent, no answer", "plain")]


def test_payments_and_contracts():
    payments = table(
        "payments", account_id=["a", "a"], at=[CUTOFF - 3 * DAY, CUTOFF - 2 * DAY], status=["failed", "paid"], amount=[9.5, 9.5]
    )
    contracts = table(
        "subscriptions",
        account_id=["a", "a"],
        started_at=[CUTOFF - 90 * DAY, CUTOFF - 90 * DAY],
        ended_at=[None, CUTOFF - DAY],
        plan=["pro", "pro"],
    )
    fixed = Table(contracts.schema, contracts.data, fixed=frozenset({"plan"}))
    found = told(payments=payments, subscriptions=fixed)
    assert found["payments"] == [("payment failed (9.50)", "risk")]
    assert found["subscriptions"] == [("pro started", "good"), ("pro ended", "risk")]
