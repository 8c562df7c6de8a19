"""What chunks of a source tell, put together, is what the whole source tells: without Spark itself."""

from __future__ import annotations

import pytest

pytest.importorskip("pyspark", reason="pyspark is not installed: pip install 'staypower[spark]'")

import pyarrow as pa

from staypower.engines.spark.mapping import facts_of, learn_rows, map_rows, plan_mapping, problems_of, typed_schema
from staypower.engines.spark.session import problems_in, sending_problems
from staypower.engines.spark.tables import Gathering, _as_agreed, slots_of
from staypower.errors import Problem, UsageError
from staypower.sources.disk_tables import StoredSource, StoredTable
from staypower.sources.settings import TableSource


def rows(acct: list, when: list, level: list) -> pa.Table:
    return pa.table(
        {"acct": pa.array(acct, pa.string()), "when": pa.array(when, pa.string()), "level": pa.array(level, pa.string())}
    )


def told_of(chunks: list[pa.Table], mapping: dict | None = None):
    source = TableSource.model_validate(
        {"source": "any", **(mapping or {"account_id": "acct", "signed_up_at": "when", "level": "level"})}
    )
    mapped, known = plan_mapping("accounts", source, "tables.accounts", chunks[0].schema)
    told = [batch.column("answer")[0].as_py() for chunk in chunks for batch in learn_rows(mapped, 0, chunk.to_batches())]
    return mapped, known, told


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        (["1", "2"], ["3", None], "number"),
        (["1"], ["x"], "text"),
        ([None], [None], "text"),
        ([None], ["7"], "number"),
        (["1"], ["07"], "text"),
    ],
)
def test_texts_are_numbers_when_they_are_in_every_chunk(first, second, kind):
    chunks = [rows(["a"] * len(each), ["2024-01-01"] * len(each), each) for each in (first, second)]
    mapped, known, told = told_of(chunks)
    assert facts_of(mapped.plan, known, told)["level"].kind == kind


@pytest.mark.parametrize(
    ("first", "second", "days"),
    [
        ("2024-01-01", "2024-02-01", True),
        ("2024-01-01", "2024-02-01 10:00", False),
        ("2024-01-01", None, True),
        (None, None, False),
    ],
)
def test_a_column_has_no_clock_when_no_chunk_has_one(first, second, days):
    mapped, known, told = told_of([rows(["a"], [first], ["x"]), rows(["b"], [second], ["x"])])
    assert facts_of(mapped.plan, known, told)["signed_up_at"].date_only is days


def test_ids_written_as_fractions_are_so_in_every_chunk():
    for second, fractions in (("8.0", True), ("8", False)):
        mapped, known, told = told_of([rows(["7.0"], ["2024-01-01"], ["x"]), rows([second], ["2024-01-01"], ["x"])])
        assert facts_of(mapped.plan, known, told)["account_id"].fractions is fractions


def test_problems_of_chunks_are_counted_together():
    chunks = [
        rows(["a", "b"], ["never", "2024-01-01"], ["x", "x"]),
        rows(["c"], ["soon"], ["x"]),
        rows(["d"], ["2024-01-01"], ["x"]),
    ]
    _, _, told = told_of(chunks)
    (problem,) = problems_of(told)
    assert problem.problem == "when holds values that are not times"
    assert "2 of 4 values, such as 'never'" in problem.value


def test_rows_are_mapped_with_what_all_of_them_told():
    chunks = [rows(["a"], ["2024-01-01"], ["1"]), rows([" "], ["2024-02-01"], ["x"])]
    mapped, known, told = told_of(chunks)
    facts = facts_of(mapped.plan, known, told)
    schema = typed_schema(mapped.plan, {name: each.kind for name, each in facts.items()})
    made = [
        batch for chunk in chunks for batch in map_rows(mapped, facts, frozenset({"signed_up_at"}), schema, chunk.to_batches())
    ]
    table = pa.Table.from_batches(made)
    assert table.column("account_id").to_pylist() == ["a", None]
    assert table.column("level").to_pylist() == ["1", "x"]
    assert str(table.column("signed_up_at")[1].as_py())[:10] == "2024-02-01"


def test_local_times_are_those_of_the_zone_and_dates_name_days():
    mapping = {"account_id": "acct", "signed_up_at": "when", "zone": "America/New_York"}
    chunks = [rows(["a", "b"], ["2024-07-01 10:00", "2024-07-02"], ["", ""]), rows(["c"], ["2024-11-03 01:30"], [""])]
    mapped, known, told = told_of(chunks, mapping)
    facts = facts_of(mapped.plan, known, told)
    schema = typed_schema(mapped.plan, {name: each.kind for name, each in facts.items()})
    made = [batch for chunk in chunks for batch in map_rows(mapped, facts, frozenset(), schema, chunk.to_batches())]
    times = [str(time) for time in pa.Table.from_batches(made).column("signed_up_at").to_pylist()]
    assert times == ["2024-07-01 14:00:00+00:00", "2024-07-02 23:59:59.999999+00:00", "2024-11-03 06:30:00+00:00"]


def test_a_bucket_falls_back_into_its_tables():
    accounts = pa.schema({"account_id": pa.string(), "row order": pa.string()})
    usage = pa.schema({"account_id": pa.string(), "at": pa.timestamp("us", "UTC"), "quantity": pa.float64()})
    slots = {"0-0": slots_of(accounts), "1-0": slots_of(usage)}
    listed = {
        "accounts": StoredTable("accounts", "at", (StoredSource("0-0", {"account_id": "id"}, (), ()),)),
        "usage": StoredTable(
            "usage", "at", (StoredSource("1-0", {"account_id": "id", "at": "time", "quantity": "number"}, (), ()),)
        ),
    }
    together = pa.table(
        {
            "source": pa.array([1, 0, 0, 0, 1], pa.int32()),
            "text 0": ["a", "b", "a", "a", "a"],
            "text 1": [None, "3", "2", "1", None],
            "time 0": pa.array([5, None, None, None, 99], pa.timestamp("us", "UTC")),
            "number 0": [1.5, None, None, None, 2.5],
        }
    )
    tables = Gathering(50, listed, None, slots).tables(together)
    # of an account given twice one row is left; what lies in the future is not seen
    assert tables["accounts"].data.to_pylist() == [{"account_id": "a"}, {"account_id": "b"}]
    assert tables["usage"].data.column("quantity").to_pylist() == [1.5]


def test_problems_travel_whole():
    told = Problem("a problem: with\nlines", "where", "fix")

    @sending_problems
    def fail() -> None:
        raise UsageError([told, told])

    with pytest.raises(RuntimeError) as caught:
        fail()
    assert problems_in(f"Traceback ...\n{caught.value}\nat org.apache") == (told, told)
    assert problems_in("java.lang.OutOfMemoryError") == ()


def test_workers_with_other_code_are_told_from_bad_data():
    with pytest.raises(UsageError, match=r"another version of staypower than the driver: clv\. Fix"):
        _as_agreed(pa.table({"account_id": ["a"], "clv": [1.0]}), pa.schema({"account_id": pa.string()}))
