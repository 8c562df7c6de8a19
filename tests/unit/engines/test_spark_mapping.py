"""What chunks of a source tell, put together, is what the whole source tells: without Spark itself."""

from __future__ import annotations

from collections import Counter

import pytest

pytest.importorskip("pyspark", reason="pyspark is not installed: pip install 'staypower[spark]'")

import pyarrow as pa

from staypower.engines.spark.asking import Questions, RowsOfSources, SourceCounts
from staypower.engines.spark.mapping import facts_of, learn_rows, map_rows, plan_mapping, problems_of, typed_schema
from staypower.engines.spark.packing import buckets_in, packed, sliced, unpacked
from staypower.engines.spark.session import problems_in, sending_problems
from staypower.engines.spark.tables import Gathering, _as_agreed
from staypower.errors import Problem, UsageError
from staypower.sources.disk_tables import StoredSource, StoredTable
from staypower.sources.settings import TableSource
from staypower.tables import fingerprint


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


USAGE = {"account_id": "id", "at": "time", "quantity": "number"}
LISTED = {
    "accounts": StoredTable("accounts", "at", (StoredSource("0-0", {"account_id": "id"}, (), ()),)),
    "usage": StoredTable(
        "usage", "at", (StoredSource("1-0", {"account_id": "id", "at": "time", "quantity": "number"}, (), ()),)
    ),
}
SOURCES = RowsOfSources(LISTED, ("0-0", "1-0"))


def in_slices(buckets: int) -> list[pa.RecordBatch]:
    """Rows of two sources, cut into slices by two tasks each."""
    accounts = pa.table({"account_id": ["b", "a", "a"], "row order": ["3", "2", "1"]})
    at = pa.array([5, 99, 7, 8, None], pa.timestamp("us", "UTC"))
    usage = pa.table({"account_id": ["a", "a", "stranger", None, "a"], "at": at, "quantity": [1.5, 2.5, 9.0, 9.0, 9.0]})
    made = []
    for number, rows in enumerate((accounts, usage)):
        for part in (rows.slice(0, 2), rows.slice(2)):
            made += list(sliced(SOURCES.counting(number, part).to_batches(), number, buckets))
    return made


@pytest.mark.parametrize("buckets", [1, 3])
def test_slices_fall_back_into_the_tables_of_their_bucket(buckets):
    gathering = Gathering(50, SOURCES, None)
    parts = [(bucket, gathering.tables(parts)) for bucket, parts in buckets_in(in_slices(buckets))]
    again = [tables for bucket, each in parts for _, tables in unpacked(packed(bucket, each).to_batches(), 50)]
    accounts = sorted(row["account_id"] for tables in again for row in tables["accounts"].data.to_pylist())
    # of an account given twice one row is left; what lies in the future is not seen, nor what is of a stranger
    assert accounts == ["a", "b"]
    assert [value for tables in again for value in tables["usage"].data.column("quantity").to_pylist()] == [1.5]
    assert all(tables["usage"].changed == each["usage"].changed for tables, (_, each) in zip(again, parts, strict=True))


@pytest.mark.parametrize("buckets", [1, 3])
def test_what_is_asked_of_all_rows_does_not_depend_on_the_buckets(buckets):
    def ask(limit: int | None) -> dict[int, SourceCounts]:
        found: dict[int, SourceCounts] = {}
        for _, parts in buckets_in(in_slices(buckets)):
            for number, counts in SOURCES.counts(parts, limit).items():
                found[number] = found.get(number, SourceCounts()) + counts
        return found

    questions = Questions(SOURCES, ask)
    assert questions.of("usage", None) == SourceCounts(2, 1, 1, None, 99, Counter({0: 2}))
    assert questions.of("usage", 50).last == 5
    assert questions.until(None) == 100
    assert not questions.findings()


def test_a_large_table_lies_in_several_cells(monkeypatch):
    monkeypatch.setattr("staypower.engines.spark.packing._LONGEST", 100)
    tables = Gathering(50, SOURCES, None).tables(dict(next(buckets_in(in_slices(1)))[1]))
    cells = packed(3, tables)
    assert cells.num_rows > 4
    [(bucket, again)] = unpacked(cells.to_batches(max_chunksize=2), 50)
    assert bucket == 3
    assert fingerprint(again) == fingerprint(tables)


def test_problems_travel_whole():
    told = Problem("a problem: with\nlines", "where", "fix")

    with pytest.raises(RuntimeError) as caught, sending_problems():
        raise UsageError([told, told])
    assert problems_in(f"Traceback ...\n{caught.value}\nat org.apache") == (told, told)
    assert problems_in("java.lang.OutOfMemoryError") == ()


def test_workers_with_other_code_are_told_from_bad_data():
    with pytest.raises(UsageError, match=r"another version of staypower than the driver: clv\. Fix"):
        _as_agreed(pa.table({"account_id": ["a"], "clv": [1.0]}), pa.schema({"account_id": pa.string()}))
