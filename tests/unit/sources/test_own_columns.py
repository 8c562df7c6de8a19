"""Columns of the user's own in canonical tables, tables of persons in `key_via`, and the days between two times."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from staypower.cutoffs import instant_of
from staypower.errors import UsageError
from staypower.features.builder import build_matrix
from staypower.features.declaring import declare
from staypower.features.settings import FeatureSettings
from staypower.sources.disk_writing import write_buckets
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource
from staypower.tables import Tables

PERSONS = "pid,company\np1,ann\np2,bob\np3,ann\np1,bob\n"
USAGE = "user,day\np1,2025-06-01\np2,2025-06-02\np3,2025-06-03\np9,2025-06-04\n"
KEYED = {
    "persons": {"source": "persons.csv", "account_id": "company", "person": "pid", "columns": {"person": "id"}},
    "usage": {"source": "usage.csv", "key_via": "persons", "person": "user", "user_id": "user", "at": "day"},
}


def sources(tables: dict[str, dict]) -> dict[str, list[TableSource]]:
    return {name: [TableSource.model_validate(given)] for name, given in tables.items()}


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def rows(tables: Tables) -> list[tuple]:
    return sorted((row["account_id"], row["user_id"]) for row in tables["usage"].data.to_pylist())


def test_persons_say_whose_rows_they_are(tmp_path):
    """The table of persons needs no time, and is no table of events."""
    folder = written(tmp_path, persons=PERSONS, usage=USAGE)
    tables, findings = read_tables(sources(KEYED), folder=folder)
    assert rows(tables) == [("ann", "p1"), ("ann", "p3"), ("bob", "p2")]
    assert sorted(tables) == ["accounts", "usage"]
    said = {(one.table, one.problem) for one in findings}
    assert ("usage", "rows whose `person` is not in persons") in said
    assert ("persons", "ids that belong to several accounts") in said


def test_they_say_the_same_on_disk(tmp_path):
    folder = written(tmp_path, persons=PERSONS, usage=USAGE)
    stored, found = write_buckets(
        sources(KEYED), folder=folder, into=tmp_path / "stored", buckets=2, memory=200_000_000, thorough=True
    )
    tables, findings = read_tables(sources(KEYED), folder=folder)
    assert rows(stored.together()) == rows(tables)
    assert sorted(stored.names) == ["usage"]
    assert {(one.table, one.problem, one.rows) for one in found} == {(one.table, one.problem, one.rows) for one in findings}


def test_a_table_of_persons_with_a_time_stays_a_table(tmp_path):
    folder = written(tmp_path, persons="pid,company,at\np1,ann,2025-06-02\n", usage="user,day\np1,2025-06-01\n")
    tables, findings = read_tables(sources(KEYED), folder=folder)
    assert "persons" in tables
    assert any(one.problem == "rows before the start of the person that they belong to" for one in findings)


def test_a_table_without_an_id_is_refused_with_what_to_declare(tmp_path):
    folder = written(tmp_path, persons=PERSONS, usage=USAGE)
    plain = {**KEYED, "persons": {"source": "persons.csv", "account_id": "company", "columns": {"pid": "text"}}}
    with pytest.raises(UsageError, match=r"declare its id in `tables.persons`, such as `columns: {person_id: id}`"):
        read_tables(sources(plain), folder=folder)


def company(mapping: dict[str, dict]) -> Tables:
    objects = {
        "subscriptions": pd.DataFrame(
            {
                "who": ["ann", "ann", "bob"],
                "start": ["2025-01-01", "2025-03-01", "2025-01-01"],
                "stop": [None, None, "2025-05-01"],
                "limit": ["10", "25", "40"],
            }
        ),
        "payments": pd.DataFrame({"who": ["ann", "ann"], "day": ["2025-02-01", "2025-06-01"], "agreed": [5.0, 7.0]}),
        "tickets": pd.DataFrame(
            {"who": ["ann", "ann"], "in": ["2025-02-01", "2025-06-01"], "out": ["2025-02-02", None], "effort": [1.0, 9.0]}
        ),
    }
    plain = {
        "subscriptions": {"account_id": "who", "started_at": "start", "ended_at": "stop", "plan_limit": "limit"},
        "payments": {"account_id": "who", "at": "day", "columns": {"agreed": "number"}},
        "tickets": {"account_id": "who", "opened_at": "in", "resolved_at": "out", "columns": {"effort": "number"}},
    }
    plain["subscriptions"]["columns"] = {"plan_limit": "number"}
    given = {name: {"source": name, **one, **mapping.get(name, {})} for name, one in plain.items()}
    return read_tables(sources(given), folder=Path(), objects=objects, observed_until="2025-12-31")[0]


def measures(tables: Tables, *names: str) -> dict[str, list[float]]:
    cutoffs = pa.array([instant_of("2025-02-15"), instant_of("2025-07-01")]).to_numpy()
    catalogue = declare(tables, FeatureSettings(), cutoff=int(cutoffs[-1]))
    missing = [name for name in names if name not in catalogue.names]
    assert not missing, catalogue.left_out
    matrix = build_matrix(tables, catalogue.only(names), accounts=["ann", "bob"], cutoffs=cutoffs)
    return {name: [None if math.isnan(one) else one for one in matrix.features[name]] for name in names}


def test_columns_of_ones_own_are_measures_at_the_cutoff():
    found = measures(
        company({"subscriptions": {"fixed": ["plan_limit"]}}), "subscription_plan_limit", "payment_agreed", "ticket_effort"
    )
    # ann at both cutoffs, then bob, whose subscription has ended at the second
    assert found["subscription_plan_limit"] == [10, 25, 40, None]
    assert found["payment_agreed"] == [5, 7, None, None]
    # the effort of a ticket is known when it is resolved
    assert found["ticket_effort"] == [1, 1, None, None]


def test_a_column_that_may_change_needs_its_date_or_fixed():
    catalogue = declare(company({}), FeatureSettings(), cutoff=instant_of("2025-07-01"))
    assert "subscription_plan_limit" not in catalogue.names
    assert "plan_limit" in catalogue.left_out["subscription_plan_limit"]
    found = measures(company({"tickets": {"fixed": ["effort"]}}), "ticket_effort")
    assert found["ticket_effort"] == [1, 9, None, None]


def test_the_difference_of_two_times_is_days():
    stays = {"in": ["2025-01-01 12:00"] * 3, "out": ["2025-01-03 00:00", None, "2025-01-01 00:00"]}
    objects = {"visits": pd.DataFrame({"who": ["ann", "bob", "cid"], **stays})}
    given = {
        "source": "visits",
        "account_id": "who",
        "at": '"in"',
        "stay": 'days_between("in", out)',
        "plain": 'out::timestamp - "in"::timestamp',
        "twice": '2 * (out::timestamp - "in"::timestamp)',
        "long": 'out::timestamp - "in"::timestamp > 1',
        "later": '"in" + (out::timestamp - "in"::timestamp)',
        "columns": {"stay": "number"},
    }
    tables, _ = read_tables(sources({"visits": given}), folder=Path(), objects=objects)
    data = tables["visits"].data
    assert data.column("stay").to_pylist() == data.column("plain").to_pylist() == [1.5, None, -0.5]
    assert data.column("twice").to_pylist() == [3.0, None, -1.0]
    assert data.column("long").to_pylist() == [True, None, False]
    assert str(data.column("later").to_pylist()[0]) == "2025-01-03 00:00:00+00:00"


def test_two_texts_that_are_times_are_not_subtracted_but_named():
    objects = {"orders": pd.DataFrame({"who": ["ann"], "day": ["2025-01-03"], "due": ["2025-01-08"]})}
    plain = {"source": "orders", "account_id": "who", "at": "day"}
    with pytest.raises(UsageError, match=r"write `days_between\(earlier, later\)`"):
        read_tables(sources({"orders": {**plain, "quantity": "due - day"}}), folder=Path(), objects=objects)
    kept = {**plain, "where": "days_between(day, due) < 6", "quantity": "days_between(day, due)"}
    tables, _ = read_tables(sources({"orders": kept}), folder=Path(), objects=objects)
    assert tables["orders"].data.column("quantity").to_pylist() == [5.0]
    with pytest.raises(UsageError, match="takes two times"):
        read_tables(sources({"orders": {**plain, "quantity": "days_between(day)"}}), folder=Path(), objects=objects)
