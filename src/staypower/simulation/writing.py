"""Tables into files, block by block, under their final names only when all is there."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, get_args

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from staypower.errors import UsageError, nearest

__all__ = ["Format", "TableFiles"]

Format = Literal["parquet", "csv"]


class TableFiles:
    """One growing file per table.

    >>> import tempfile
    >>> with TableFiles(Path(tempfile.mkdtemp()), "csv") as files:
    ...     files.add("goals", pa.table({"account_id": ["a"]}))
    >>> files.paths["goals"].read_text().split()
    ['"account_id"', '"a"']
    """

    def __init__(self, folder: Path, format: Format) -> None:
        if format not in get_args(Format):
            raise UsageError.of("unknown format", format, nearest(format, get_args(Format)))
        if folder.exists() and not folder.is_dir():
            raise UsageError.of("not a folder", folder, "choose a folder to write the tables into")
        self.folder = folder
        self.format = format
        self.paths: dict[str, Path] = {}
        self._writers: dict[str, Any] = {}

    def __enter__(self) -> Self:
        (self.folder / "truth").mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for name, writer in self._writers.items():
            writer.close()
            unfinished = self._unfinished(self.paths[name])
            if kind is None:
                os.replace(unfinished, self.paths[name])
            else:
                with contextlib.suppress(FileNotFoundError):
                    unfinished.unlink()

    @staticmethod
    def _unfinished(path: Path) -> Path:
        return path.with_name(f".{path.name}.unfinished")

    def add(self, name: str, table: pa.Table, *, folder: Path | None = None) -> None:
        """Append rows to a table's file."""
        if name not in self._writers:
            path = (folder or self.folder) / f"{name}.{self.format}"
            self.paths[name] = path
            unfinished = self._unfinished(path)
            if self.format == "parquet":
                self._writers[name] = pq.ParquetWriter(unfinished, table.schema)
            else:
                self._writers[name] = pacsv.CSVWriter(unfinished, table.schema)
        self._writers[name].write_table(table)

    def add_truth(self, truth: pd.DataFrame) -> None:
        """Append rows to the truth's file."""
        table = pa.Table.from_pandas(truth, preserve_index=False)
        kind = table.schema.get_field_index("churn_kind")
        # A block without churn would give the column no type of its own.
        table = table.set_column(kind, "churn_kind", table.column(kind).cast(pa.string()))
        self.add("truth", table.replace_schema_metadata(None), folder=self.folder / "truth")
