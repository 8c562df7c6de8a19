"""What is missing is said first, the most important for the model at the top, and not twice."""

from __future__ import annotations

import pyarrow as pa
import pytest

from staypower.checking.checks import CheckReport
from staypower.checking.missing import NO_GAP, absent, most_important
from staypower.schemas import SCHEMAS
from staypower.sources.findings import Finding
from staypower.tables import Table, Tables


def tables(fixed=(), **columns):
    """Return tables that have these columns, without rows."""
    listed = {"accounts": ["account_id"], **columns}
    made = {name: pa.table({column: pa.array([], pa.string()) for column in each}) for name, each in listed.items()}
    held = {name: frozenset(fixed) if name == "subscriptions" else frozenset() for name in made}
    return Tables({name: Table(SCHEMAS[name], data, fixed=held[name]) for name, data in made.items()}, 0)


def gaps(given, derived=()):
    found = [each.problem for each in absent(given, derived) if most_important(each) < NO_GAP]
    assert found == sorted(found, key=lambda problem: most_important(Finding("note", "", "", 0, problem, "")))
    return found


CONTRACT = ["account_id", "started_at", "ended_at"]
WHOLE = {
    "usage": ["account_id", "at", "user_id"],
    "subscriptions": [*CONTRACT, "end_reason", "mrr", "renews_at"],
    "tickets": ["account_id", "opened_at"],
    "surveys": ["account_id", "answered_at", "value"],
}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        ({"usage": None}, ["no use and no orders"]),
        ({"usage": ["account_id", "at"]}, ["no persons"]),
        ({"subscriptions": [*CONTRACT, "end_reason", "mrr"]}, ["no renewal date and no term"]),
        ({"subscriptions": [*CONTRACT, "end_reason", "renews_at"]}, ["no money"]),
        ({"subscriptions": [*CONTRACT, "mrr", "renews_at"]}, ["no reasons of ends"]),
        ({"tickets": None, "surveys": None}, ["no tickets", "no surveys"]),
    ],
)
def test_each_gap_is_named_once(changed, expected):
    given = {name: columns for name, columns in {**WHOLE, **changed}.items() if columns is not None}
    assert gaps(tables(fixed=("mrr", "renews_at"), **given)) == expected


def test_what_is_there_but_may_change_or_follows_is_told_apart():
    given = tables(fixed=("renews_at",), **WHOLE)
    assert gaps(given) == ["money that may change while its contract lives"]
    without = tables(fixed=("mrr",), **{**WHOLE, "subscriptions": [*CONTRACT, "end_reason", "mrr"]})
    assert gaps(without, derived={("subscriptions", "renews_at")}) == []


def test_one_flat_table_misses_nothing():
    assert gaps(tables()) == []


def test_a_gap_is_not_told_again_as_a_column_or_table_that_is_not_there():
    given = tables(subscriptions=CONTRACT, usage=["account_id", "at"])
    found = list(absent(given, ()))
    places = [(each.table, each.column) for each in found]
    assert len(places) == len(set(places))
    assert ("subscriptions", "renews_at") in places


def test_the_report_shows_gaps_before_other_notes_and_at_most_a_screen():
    notes = [Finding("note", f"t{number}", "", 0, f"remark {number}", "kept") for number in range(60)]
    gap = list(absent(tables(subscriptions=CONTRACT), ()))
    warning = Finding("warning", "usage", "at", 2, "odd dates", "kept", "fix them")
    text = CheckReport.of([*notes, *gap, warning], {}).text()
    assert text.index("odd dates") < text.index("no use and no orders") < text.index("no renewal date") < text.index("remark 1")
    assert len(text[text.index("Not in the data") :].splitlines()) < 40
    assert "more notes" in text
