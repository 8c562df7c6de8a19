"""Write a table so that readers see either the old file or the complete new one."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from staypower.errors import UsageError, at_place

_FORMULA = r"\A([=+\-@\t\r])"
_ENDINGS = (".parquet", ".csv")
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


def require_table_path(path: Path) -> Path:
    """Return a path whose ending is that of a table.

    >>> require_table_path(Path("a.csv")).suffix
    '.csv'
    """
    if path.suffix not in _ENDINGS:
        raise UsageError.of("unknown kind of output", path, "let the name end in `.parquet` or `.csv`")
    return path


def write_rows(batches: Iterable[pa.Table], schema: pa.Schema, path: Path, *, staging: Path | None = None) -> Path:
    """Write batches of rows as Parquet or CSV, depending on the ending of the path; only one batch is in memory.

    >>> import tempfile
    >>> rows = pa.table({"a": [1, 2, 3]})
    >>> path = write_rows([rows[:1], rows[1:]], rows.schema, Path(tempfile.mkdtemp()) / "a.parquet")
    >>> path.read_bytes() == write_rows([rows], rows.schema, path.with_name("b.parquet")).read_bytes()
    True
    """
    as_csv = require_table_path(path).suffix == ".csv"
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


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold a file lock; the system frees it when the process dies."""
    with at_place(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_atomically(path: Path, write: Callable[[Path], object], *, staging: Path | None = None) -> Path:
    """Write to a temporary name, flush to disk and rename."""
    with at_place(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=staging or path.parent, prefix=f".{path.name}.", suffix=".tmp")
        os.close(handle)
        temporary = Path(name)
        try:
            write(temporary)
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o644)
            _rename(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    return path


def _rename(temporary: Path, path: Path) -> None:
    try:
        temporary.replace(path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # the staging folder is on another disk: a copy next to the path is renamed instead
        write_atomically(path, lambda place: shutil.copyfile(temporary, place))
