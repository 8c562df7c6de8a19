"""Files that workers read themselves hold what the database of one machine reads in them: without Spark itself."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("pyspark", reason="pyspark is not installed: pip install 'staypower[spark]'")

import pyarrow as pa
import pyarrow.parquet as pq

from staypower.engines.spark.files import ORDER, FilesOfWorkers
from staypower.errors import UsageError
from staypower.sources.opening import files_of, open_source
from staypower.sources.settings import TableSource

SESSION = SimpleNamespace(sparkContext=SimpleNamespace(defaultParallelism=2))
MOMENT = 1_700_000_000_123_456_000


def opened(folder: Path) -> FilesOfWorkers | None:
    return FilesOfWorkers.of(SESSION, files_of(str(folder), "tables.usage", Path(), {}), "tables.usage")


def rows_of(files: FilesOfWorkers, order: int | None = None) -> pa.Table:
    schema = files.schema if order is None else files.schema.append(pa.field(ORDER, pa.string()))
    stretches = [one for task in files.tasks for one in task]
    return pa.Table.from_batches([batch for one in stretches for batch in one.read(schema, order)], schema)


def values(table: pa.Table, folder: Path) -> dict[str, object]:
    """What the database makes of rows that a worker read, and of the files themselves."""
    told = {}
    for name, source, objects in (("worker", "given", {"given": table}), ("files", str(folder), {})):
        with open_source(TableSource.model_validate({"source": source}), "tables.usage", Path(), objects) as found:
            columns = ", ".join(f'"{column}"' for column in sorted(found.columns))
            told[name] = found.connection.sql(f"SELECT {columns} FROM {found.relation}").to_arrow_table().to_pydict()
            told[f"{name} kinds"] = [found.columns[column].kind for column in sorted(found.columns)]
    return told


def test_what_workers_read_is_what_the_database_reads(tmp_path):
    many = {
        "id": ["a", None, "b"],
        "word": pa.array(["x", "y", "x"]).dictionary_encode(),
        "fine": pa.array([MOMENT, None, 0], pa.timestamp("ns")),
        "zoned": pa.array([5, 6, None], pa.timestamp("us", "Europe/Berlin")),
        "day": [date(2025, 1, 1), None, date(2025, 1, 3)],
        "number": pa.array([1, 2, None], pa.uint8()),
        "a.b": [True, None, False],
    }
    one = tmp_path / "at=2025%2F01" / "one.parquet"
    two = tmp_path / "at=__HIVE_DEFAULT_PARTITION__" / "two.parquet"
    for file, names in ((one, [*many]), (two, ["id", "zoned", "number"])):
        file.parent.mkdir()
        pq.write_table(pa.table({name: many[name] for name in names}), file, row_group_size=2)
    found = opened(tmp_path)
    told = values(rows_of(found), tmp_path)
    assert told["worker kinds"] == told["files kinds"]
    assert told["worker"] == told["files"]
    assert set(told["worker"]["at"]) == {"2025/01", None}


def test_times_of_old_writers_are_read_as_the_database_reads_them(tmp_path):
    table = pa.table({"at": pa.array([MOMENT // 1_000, 95_617_584_000_000_000], pa.timestamp("us"))})
    pq.write_table(table, tmp_path / "old.parquet", use_deprecated_int96_timestamps=True)
    told = values(rows_of(opened(tmp_path)), tmp_path)
    assert told["worker"] == told["files"]


def test_the_order_of_rows_is_that_of_the_sources_the_files_and_the_rows_in_them(tmp_path):
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        pq.write_table(pa.table({"n": list(range(1_200))}), tmp_path / str(number) / "part.parquet", row_group_size=500)
    files = opened(tmp_path)
    parts = [rows_of(files, source).column(ORDER).to_pylist() for source in (1, 2)]
    assert [*parts[0], *parts[1]] == sorted({*parts[0], *parts[1]})
    assert len(parts[0]) == 3_600


def test_row_groups_are_shared_out_among_tasks(tmp_path, monkeypatch):
    monkeypatch.setattr("staypower.engines.spark.files._LEAST", 1)
    pq.write_table(pa.table({"n": list(range(1_000))}), tmp_path / "part.parquet", row_group_size=100)
    files = opened(tmp_path)
    assert 2 <= len(files.tasks) <= 3
    assert [one.first for task in files.tasks for one in task] == list(range(0, 1_000, 100))


@pytest.mark.parametrize(
    ("folder", "columns"),
    [
        ("two", {"n": ["text"]}),
        ("two", {"N": [1]}),
        ("day=1", {"n": [1]}),
        ("n=1", {"n": [1]}),
        ("day=a=b", {"n": [1]}),
    ],
)
def test_files_that_do_not_agree_are_left_to_spark(tmp_path, folder, columns):
    for place, given in (("one", {"n": [1]}), (folder, columns)):
        (tmp_path / place).mkdir()
        pq.write_table(pa.table(given), tmp_path / place / "part.parquet")
    assert opened(tmp_path / "one") is not None
    assert opened(tmp_path) is None


def test_a_file_that_is_not_parquet_is_left_to_spark(tmp_path):
    (tmp_path / "part.parquet").write_text("no")
    assert opened(tmp_path) is None


@pytest.mark.parametrize(("then", "said"), [("grown", "changed while it was read"), ("gone", "cannot be read")])
def test_a_file_that_is_another_when_a_task_reads_it_is_told(tmp_path, then, said):
    file = tmp_path / "part.parquet"
    pq.write_table(pa.table({"n": [1]}), file)
    files = opened(tmp_path)
    if then == "gone":
        file.unlink()
    else:
        pq.write_table(pa.table({"n": list(range(9))}), file)
    with pytest.raises(UsageError, match=said):
        rows_of(files)
