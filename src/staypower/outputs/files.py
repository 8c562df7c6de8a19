"""Rows as Parquet and CSV files, and reading them back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from staypower.errors import UsageError
from staypower.outputs.place import Kind, Place, Rows
from staypower.writing import probe_place, write_atomically

__all__ = ["CSV", "PARQUET", "harmless", "read_table", "write_rows", "write_table"]

_FORMULA = r"\A([=+\-@\t\r])"
# row groups of one size, however the rows arrive, so that equal rows give equal bytes
_ROWS_PER_GROUP = 50_000


def write_table(frame: pd.DataFrame, path: Path) -> Path:
    r"""Write a frame as Parquet or CSV, depending on the ending of the path.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_table(pd.DataFrame({"a": ["=1+1"]}), folder / "a.csv").read_text()
    '"a"\n"\'=1+1"\n'
    """
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return write_rows([table], table.schema, path)


def write_rows(batches: Iterable[pa.Table], schema: pa.Schema, path: Path, *, staging: Path | None = None) -> Path:
    """Write batches of rows as Parquet or CSV, depending on the ending of the path; only one batch is in memory.

    >>> import tempfile
    >>> rows = pa.table({"a": [1, 2, 3]})
    >>> path = write_rows([rows[:1], rows[1:]], rows.schema, Path(tempfile.mkdtemp()) / "a.parquet")
    >>> path.read_bytes() == write_rows([rows], rows.schema, path.with_name("b.parquet")).read_bytes()
    True
    """
    as_csv = path.suffix in CSV.endings
    if not as_csv and path.suffix not in PARQUET.endings:
        raise UsageError.of("unknown kind of output", path, "let the name end in `.parquet` or `.csv`")
    if as_csv:
        schema = harmless(schema.empty_table()).schema

    def write(temporary: Path) -> None:
        opened = pa_csv.CSVWriter(temporary, schema) if as_csv else pq.ParquetWriter(temporary, schema)
        with opened as writer:
            for group in _groups(batches):
                writer.write_table(harmless(group) if as_csv else group)

    return write_atomically(path, write, staging=staging)


def _groups(batches: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Cut rows into groups of one size."""
    waiting: list[pa.Table] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        while rows >= _ROWS_PER_GROUP:
            together = pa.concat_tables(waiting)
            yield together.slice(0, _ROWS_PER_GROUP).combine_chunks()
            waiting, rows = [together.slice(_ROWS_PER_GROUP)], rows - _ROWS_PER_GROUP
    if rows:
        yield pa.concat_tables(waiting).combine_chunks()


def read_table(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read what `write_table` wrote.

    >>> import tempfile
    >>> path = write_table(pd.DataFrame({"account_id": ["=007"]}), Path(tempfile.mkdtemp()) / "a.csv")
    >>> read_table(path)["account_id"].tolist()
    ['=007']
    """
    if not path.is_file():
        raise UsageError.of("file not found", path, "check the path")
    try:
        if path.suffix == ".csv":
            texts = {"account_id": str, "cutoff": str, "tier": str, "quadrant": str}
            frame = pd.read_csv(path, dtype=texts, usecols=None if columns is None else lambda name: name in columns)
        else:
            there = None if columns is None else [name for name in pq.read_schema(path).names if name in columns]
            frame = pd.read_parquet(path, columns=there)
    except (ValueError, OSError) as error:
        raise UsageError.of("not a table", f"{path}: {error}", "give a file that `staypower score` wrote") from None
    if "account_id" in frame:
        frame["account_id"] = frame["account_id"].str.replace(r"^'(?=[=+\-@\t\r])", "", regex=True)
    return frame


def harmless(rows: pa.Table) -> pa.Table:
    """Return the rows with a quote before every text that a spreadsheet would run as a formula.

    >>> harmless(pa.table({"a": ["=1+1", "b", None], "n": [-1, 0, 1]})).to_pydict()
    {'a': ["'=1+1", 'b', None], 'n': [-1, 0, 1]}
    """
    for number, field in enumerate(rows.schema):
        stored = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if pa.types.is_string(stored) or pa.types.is_large_string(stored):
            quoted = pc.replace_substring_regex(rows.column(number).cast(stored), _FORMULA, r"'\1")
            rows = rows.set_column(number, pa.field(field.name, stored), quoted)
    return rows


def _probe(place: Place) -> None:
    probe_place(Path(str(place.path)))


def _write(place: Place, rows: Rows, staging: Path | None) -> None:
    write_rows(rows.batches, rows.schema, Path(str(place.path)), staging=staging)


PARQUET = Kind("parquet", "Parquet", "`--output scores.parquet`", "the file is replaced", _probe, _write, (".parquet",))
CSV = Kind(
    name="csv",
    label="CSV",
    example="`--output scores.csv`",
    note="the file is replaced; texts that a spreadsheet would run as a formula get a quote in front",
    probe=_probe,
    write=_write,
    endings=(".csv",),
)
