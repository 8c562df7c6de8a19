"""Which rows each pair of account and cutoff sees; hand-drawn, days instead of instants."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest

from staypower.cutoffs import DAY
from staypower.features.definition import Feature, Filter
from staypower.features.parts import SequencePart
from staypower.features.rows import MOST_FILTERS, StreamRows, plan_sequences
from staypower.features.sequences import AskedPairs, RowSequence
from staypower.schemas import Column, TableSchema
from staypower.tables import Table

TIME = pa.timestamp("us", "UTC")
SCHEMA = TableSchema(
    "events",
    ("at",),
    (
        Column("at", "time", "at"),
        Column("late", "time", "late"),
        Column("x", "number"),
        Column("y", "number", "late"),
        Column("word", "text", "late"),
        Column("kind", "text"),
    ),
)
CUTOFFS = np.array([10, 20, 30, 40], dtype=np.int64) * DAY
# account a: days 5 and 15; account b: day 5; what is late of a's second and b's row comes on day 25, of a's first never
GIVEN = {
    "account_id": ["b", "a", "stranger", "a"],
    "at": [5, 15, 1, 5],
    "late": [25, 25, None, None],
    "x": [1.0, 2.0, 3.0, None],
    "y": [1.0, 2.0, 3.0, 4.0],
    "word": ["One", "two", None, "one"],
    "kind": ["One", "two", None, "one"],
}


def stream_of(**changes: list) -> StreamRows:
    columns = {}
    for name, values in {**GIVEN, **changes}.items():
        time = name in ("at", "late", "known_at", "superseded_at")
        columns[name] = pa.array([None if v is None else v * DAY for v in values], TIME) if time else pa.array(values)
    return StreamRows(Table(SCHEMA, pa.table(columns)), pa.array(["a", "b"]))


def feature(**changes) -> Feature:
    plain = {"name": "n", "table": "events", "aggregation": "count", "unit": "", "description": "n", "lever": None}
    return Feature(**{**plain, **changes})


def seen(one: Feature, **changes: list) -> dict[str, list[list[int]]]:
    """For each account the days of the rows that each cutoff sees in the feature's window."""
    stream = stream_of(**changes)
    (plan,) = plan_sequences([(0, one)], stream, CUTOFFS)
    asked = AskedPairs.of(np.repeat([0, 1], 4), np.tile(np.arange(4), 2), 2)
    with ThreadPoolExecutor(1) as pool:
        sequence = RowSequence(stream, plan, CUTOFFS, {}, asked, pool)
        assert list(next(sequence.rounds())) == [0]
        part = SequencePart(sequence, 0)
    (group,) = plan.groups
    listed = part.list_of(group)
    (output,) = group.operations[0].outputs
    bounds = zip(listed.ends[output.low].tolist(), listed.ends[output.high].tolist(), strict=True)
    days = [(listed.times[low:high] // DAY).tolist() for low, high in bounds]
    return {"a": days[:4], "b": days[4:]}


def test_every_row_is_seen_from_the_first_cutoff_after_it():
    assert seen(feature()) == {"a": [[5], [5, 15], [5, 15], [5, 15]], "b": [[5], [5], [5], [5]]}


def test_rows_come_in_any_order_and_are_listed_by_time():
    moved = {name: [values[n] for n in (1, 2, 0, 3)] for name, values in GIVEN.items()}
    assert seen(feature(), **moved) == seen(feature())


@pytest.mark.parametrize(
    "changes",
    [
        {"aggregation": "sum", "column": "y"},
        {"aggregation": "distinct", "column": "word"},
        {"where": (Filter("y", at_least=0.0),)},
        {"where": (Filter("word", ("one", "two")),)},
        {"after": "late"},
        {"aggregation": "days_until_next", "column": "late"},
    ],
)
def test_every_late_column_delays_its_row(changes):
    """Known on day 25, seen by the cutoff on day 30, whatever reads the column; unknown, never seen."""
    assert seen(feature(**changes)) == {"a": [[], [], [15], [15]], "b": [[], [], [5], [5]]}


def test_placed_by_a_later_time_the_row_itself_must_have_come_too():
    found = seen(feature(time="late"), late=[3, 25, None, None])
    # account b: placed on day 3, but its row came on day 5; both are before the first cutoff
    assert found == {"a": [[], [], [25], [25]], "b": [[3], [3], [3], [3]]}
    found = seen(feature(time="late"), late=[3, 25, None, None], at=[15, 15, 1, 5])
    assert found["b"] == [[], [3], [3], [3]]


def test_known_at_delays_every_row():
    found = seen(feature(), known_at=[35, 15, 1, None])
    assert found == {"a": [[], [15], [15], [15]], "b": [[], [], [], [5]]}


def test_the_last_ones_answer_is_no_gate():
    assert seen(feature(aggregation="unanswered_in_a_row", column="late")) == seen(feature())


def test_windows_and_offsets():
    assert seen(feature(name="n_10d", window=10)) == {"a": [[5], [15], [], []], "b": [[5], [], [], []]}
    moved = seen(feature(name="n_10d", window=10, offset=10))
    assert moved == {"a": [[], [5], [15], []], "b": [[], [5], [], []]}
    # the first instant of a window is in it, its end is not
    assert seen(feature(name="n_5d", window=5)) == {"a": [[5], [15], [], []], "b": [[5], [], [], []]}
    assert seen(feature(name="n_5d", window=5, offset=5))["a"] == [[], [], [], []]


def test_until_ends_a_row():
    open_now = seen(feature(until="late"))
    assert open_now == {"a": [[5], [5, 15], [5], [5]], "b": [[5], [5], [], []]}


def test_a_state_of_some_days_ago_is_told_with_the_knowledge_of_then():
    ago = seen(feature(until="late", offset=10), known_at=[12, 15, 1, 5])
    # account b: known on day 12, so 10 days ago it is seen by the cutoff on day 30 (day 20), not on day 20 (day 10)
    assert ago["b"] == [[], [], [5], []]
    assert ago["a"] == [[], [5], [5, 15], [5]]


def test_a_superseded_row_leaves():
    found = seen(feature(), superseded_at=[None, 35, None, 15])
    assert found == {"a": [[5], [15], [15], []], "b": [[5], [5], [5], [5]]}


def test_filters_know_no_case_and_no_missing_value():
    every = {"a": [[5], [5], [5], [5]], "b": [[5], [5], [5], [5]]}
    assert seen(feature(where=(Filter("kind", ("ONE",)),))) == every
    assert seen(feature(where=(Filter("x", at_least=2.0),)))["a"] == [[], [15], [15], [15]]
    assert seen(feature(where=(Filter("x", below=2.0),)))["b"] == [[5], [5], [5], [5]]
    both = (Filter("kind", ("one", "two")), Filter("x", at_least=2.0))
    assert seen(feature(where=both)) == {"a": [[], [15], [15], [15]], "b": [[], [], [], []]}


def test_rows_without_an_instant_are_left_out():
    assert seen(feature(), at=[None, 15, None, None]) == {"a": [[], [15], [15], [15]], "b": [[], [], [], []]}


def test_more_filters_than_bits_make_more_sequences():
    filters = [feature(where=(Filter("x", at_least=float(n)),)) for n in range(MOST_FILTERS + 1)]
    plans = plan_sequences(enumerate([*filters, filters[0], feature()]), stream_of(), CUTOFFS)
    assert [len(plan.filters) for plan in plans] == [MOST_FILTERS, 1]
    assert [sum(len(group.operations[0].outputs) for group in plan.groups) for plan in plans] == [MOST_FILTERS + 2, 1]


def test_accounts_of_which_nothing_is_asked_cost_nothing():
    stream = stream_of()
    (plan,) = plan_sequences([(0, feature())], stream, CUTOFFS)
    with ThreadPoolExecutor(1) as pool:
        sequence = RowSequence(stream, plan, CUTOFFS, {}, AskedPairs.of(np.array([1]), np.array([2]), 2), pool)
        next(sequence.rounds())
        part, target = SequencePart(sequence, 0), np.zeros((1, 1))
    assert len(part.at) == 1
    part.compute(target)
    assert target.tolist() == [[1.0]]
