"""Write a table so that a reader sees the old file or the whole new one, never a part."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from staypower.errors import UsageError

__all__ = ["harmless", "read_table", "write_atomically", "write_table"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_table(frame: pd.DataFrame, path: Path) -> Path:
    r"""Write a frame as Parquet or CSV, by the ending of the path.

    Parameters
    ----------
    frame : pandas.DataFrame
    path : Path
        Ends in `.parquet` or `.csv`; missing folders are made. In CSV, text that a spreadsheet would run as a formula
        gets a quote before it.

    Returns
    -------
    Path
        The same path.

    Raises
    ------
    UsageError
        When the ending is another, or the place cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_table(pd.DataFrame({"a": ["=1+1"]}), folder / "a.csv").read_text()
    '"a"\n"\'=1+1"\n'
    """
    if path.suffix not in (".parquet", ".csv"):
        raise UsageError.of("unknown kind of output", path, "let the name end in `.parquet` or `.csv`")
    if path.suffix == ".csv":
        table = pa.Table.from_pandas(harmless(frame), preserve_index=False)
        return write_atomically(path, lambda temporary: pa_csv.write_csv(table, temporary))
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return write_atomically(path, lambda temporary: pq.write_table(table, temporary))


def read_table(path: Path) -> pd.DataFrame:
    """Read what `write_table` wrote.

    Parameters
    ----------
    path : Path
        Ends in `.parquet` or `.csv`.

    Returns
    -------
    pandas.DataFrame
        Ids stay text; the quote before a defused formula is taken off again.

    Raises
    ------
    UsageError
        When the file is not there or cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> path = write_table(pd.DataFrame({"account_id": ["=007"]}), Path(tempfile.mkdtemp()) / "a.csv")
    >>> read_table(path)["account_id"].tolist()
    ['=007']
    """
    if not path.is_file():
        raise UsageError.of("file not found", path, "check the path")
    try:
        if path.suffix == ".csv":
            frame = pd.read_csv(path, dtype={"account_id": str, "cutoff": str, "tier": str, "quadrant": str})
        else:
            frame = pd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise UsageError.of("not a table", f"{path}: {error}", "give a file that `staypower score` wrote") from None
    if "account_id" in frame:
        frame["account_id"] = frame["account_id"].str.replace(r"^'(?=[=+\-@\t\r])", "", regex=True)
    return frame


def harmless(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with a quote before every text cell that a spreadsheet would run as a formula."""
    made = frame.copy()
    for name in made.columns:
        if made[name].dtype == object or pd.api.types.is_string_dtype(made[name]):
            made[name] = [f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell for cell in made[name]]
    return made


def write_atomically(path: Path, write: Callable[[Path], object]) -> Path:
    """Write to a temporary name in the same folder, flush to disk and rename."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    except OSError as error:
        raise UsageError.of("cannot write", f"{path}: {error.strerror}", "name a place that can be written to") from error
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
