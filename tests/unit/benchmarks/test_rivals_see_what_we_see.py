"""The rivals of the accuracy benchmark get the rows before the cutoff, and columns only from when they were known."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from staypower.cutoffs import DAY, instant_of
from staypower.schemas import SCHEMAS
from staypower.tables import Table, Tables

CUTOFF = instant_of("2024-06-01")


@pytest.fixture(scope="module")
def benchmark():
    folder = str(Path(__file__).parents[3] / "benchmarks")
    sys.path.insert(0, folder)
    try:
        yield SimpleNamespace(accuracy=importlib.import_module("accuracy"), deep=importlib.import_module("deep_features"))
    finally:
        sys.path.remove(folder)


def times(*texts):
    return pa.array([None if text is None else instant_of(text) for text in texts], pa.timestamp("us", "UTC"))


def table(name, **columns):
    return Table(SCHEMAS[name], pa.table(columns))


TABLES = Tables(
    {
        "accounts": table("accounts", account_id=["a", "b"], signed_up_at=times("2023-01-01", "2023-01-01")),
        "usage": table(
            "usage",
            account_id=["a", "a", "a", "b", "b"],
            # the last instant before the cutoff, the cutoff itself, just inside and just outside the 90 days
            at=times("2024-05-31T23:59:59", "2024-06-01", "2024-03-03", "2024-03-02T23:59:59", "2024-05-01"),
            event=["x", "y", "x", "x", "x"],
        ),
        "surveys": table(
            "surveys",
            account_id=["a", "b"],
            sent_at=times("2024-05-01", "2024-05-01"),
            answered_at=times("2024-05-11", None),
            instrument=["nps", "csat"],
            value=[9.0, None],
        ),
        "tickets": table(
            "tickets",
            account_id=["a"],
            opened_at=times("2024-05-01"),
            resolved_at=times("2024-05-02"),
            priority=["high"],
        ),
        "subscriptions": table(
            "subscriptions",
            account_id=["a"],
            started_at=times("2023-01-01"),
            ended_at=times("2024-07-01"),
            end_reason=["moved"],
            mrr=[10.0],
        ),
    },
    instant_of("2024-12-31"),
)


def test_counts_are_of_the_90_days_before_the_cutoff(benchmark, monkeypatch):
    matrix = SimpleNamespace(accounts=np.array(["a", "b"], dtype=object), cutoffs=np.array([CUTOFF, CUTOFF]))
    case = SimpleNamespace(tables=TABLES, dataset=SimpleNamespace(matrix=matrix))
    monkeypatch.setattr(benchmark.accuracy, "plain_lightgbm", lambda _, X: X)
    found = benchmark.accuracy.counts(case)
    assert found["usage"].tolist() == [2, 1]
    assert found["surveys"].tolist() == [1, 1]
    assert (CUTOFF - instant_of("2024-03-03")) == 90 * DAY


def test_what_is_known_later_is_an_event_of_its_own(benchmark):
    streams = dict(benchmark.deep._streams(TABLES))
    assert set(streams) == {
        *("usage_rows", "surveys_rows", "surveys_answered_at_nps", "tickets_rows", "tickets_resolved_at"),
        *("subscriptions_rows", "subscriptions_ended_at"),
    }
    assert "value" not in streams["surveys_rows"]
    answer = streams["surveys_answered_at_nps"].iloc[0]
    assert (answer["time"], answer["value"], answer["hours"]) == (pd.Timestamp("2024-05-11"), 9.0, 240.0)
    assert "priority" not in streams["tickets_rows"], "it may have been set while the ticket was open"
    assert streams["tickets_resolved_at"]["priority"].tolist() == ["high"]
    assert not {"end_reason", "mrr"} & set(streams["subscriptions_rows"])
    assert streams["subscriptions_ended_at"][["end_reason", "time"]].iloc[0].tolist() == ["moved", pd.Timestamp("2024-07-01")]


def test_what_is_declared_fixed_is_known_at_once(benchmark):
    fixed = {"tickets": frozenset({"priority"}), "subscriptions": frozenset({"mrr"})}
    tables = {name: Table(each.schema, each.data, fixed=fixed.get(name, frozenset())) for name, each in TABLES.items()}
    streams = dict(benchmark.deep._streams(Tables(tables, TABLES.observed_until)))
    assert streams["tickets_rows"]["priority"].tolist() == ["high"]
    assert streams["subscriptions_rows"]["mrr"].tolist() == [10.0]
    assert "priority" not in streams["tickets_resolved_at"]
