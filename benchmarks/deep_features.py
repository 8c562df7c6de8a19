"""Hand a company over to Featuretools and take its features back: the two meet in Parquet files.

Featuretools is given what staypower sees: every table as events with the columns known at their times, a later time of a row
(an answer, a resolution, an end) as an event of its own, and the attributes that never change.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from staypower.cutoffs import ALWAYS, MISSING
from staypower.features.builder import FeatureMatrix
from staypower.tables import Table, Tables

__all__ = ["Featuretools"]


@dataclass(frozen=True)
class Featuretools:
    """Where Featuretools is installed, and where its features are kept between runs: they take longer than all the rest."""

    python: str
    keep: Path | None = None

    def features(self, name: str, tables: Tables, matrix: FeatureMatrix) -> pd.DataFrame:
        """Build the features of all rows of a matrix, in Featuretools' own environment; `name` is for messages."""
        with tempfile.TemporaryDirectory() as scratch:
            digest = _hand_over(tables, matrix, Path(scratch))
            kept = None if self.keep is None else self.keep / f"featuretools-{digest}.parquet"
            if kept is not None and kept.is_file():
                return pq.read_table(kept).to_pandas()
            script = Path(__file__).with_name("featuretools_matrix.py")
            done = subprocess.run([self.python, str(script), scratch], check=False, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"{name}: Featuretools failed:\n{done.stderr}")
            print(f"{name}: Featuretools: {done.stdout.strip()}", file=sys.stderr)
            if kept is not None:
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(Path(scratch) / "features.parquet", kept)
            return pq.read_table(Path(scratch) / "features.parquet").to_pandas()


def _hand_over(tables: Tables, matrix: FeatureMatrix, folder: Path) -> str:
    """Write what Featuretools reads, and return a digest of it."""
    cutoffs = pd.to_datetime(matrix.cutoffs, unit="us").as_unit("us")
    frames = {"cutoffs": pd.DataFrame({"account_id": matrix.accounts, "cutoff": cutoffs})}
    frames["accounts"] = _accounts(tables, matrix.accounts)
    frames |= {f"events-{name}": events for name, events in _streams(tables)}
    digest = hashlib.sha256(Path(__file__).with_name("featuretools_matrix.py").read_bytes())
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet")
        digest.update(name.encode() + pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return digest.hexdigest()[:16]


def _accounts(tables: Tables, asked: NDArray[np.object_]) -> pd.DataFrame:
    """Return one row an account with its attributes that never change."""
    table = tables["accounts"]
    frame = table.data.to_pandas()[["account_id", *sorted(table.fixed)]].drop_duplicates("account_id")
    return frame.set_index("account_id").reindex(sorted(set(asked))).reset_index()


def _streams(tables: Tables) -> list[tuple[str, pd.DataFrame]]:
    """Turn tables into events with the columns known at their times; a later time of a row is an event of its own."""
    found = []
    for name, table in tables.items():
        states = table.has("valid_from")
        first = "valid_from" if states else next(each for each in table.schema.times if table.has(each))
        at = table.instants(first) if states else table.own_instants()
        early, late = _columns(table, first)
        if name != "accounts" or (states and early):
            found.append((f"{name}_rows", _events_of(table, at, early)))
        for moment, columns in late.items():
            when = table.instants(moment)
            hours = np.where((when != MISSING) & (at > ALWAYS), (when - at) / 3.6e9, np.nan)
            later = _events_of(table, when, columns).assign(hours=hours[when > ALWAYS])
            found += _by_instrument(f"{name}_{moment}", table, when, later)
    return [(name, events) for name, events in found if len(events)]


def _by_instrument(name: str, table: Table, when: NDArray[np.int64], events: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Keep answers to different questions apart: a mean over NPS and CSAT means nothing."""
    if not table.has("instrument"):
        return [(name, events)]
    instrument = table.data.column("instrument").to_pandas().to_numpy()[when > ALWAYS]
    return [(f"{name}_{each}", events[instrument == each].reset_index(drop=True)) for each in sorted(set(instrument))]


def _columns(table: Table, first: str) -> tuple[list[str], dict[str, list[str]]]:
    """Tell apart the columns known at a row's first time and those known from a later one."""
    early, late = [], {}
    for column in table.schema.columns:
        if not table.has(column.name) or column.kind == "id" or column.name == first:
            continue
        moment = column.known_from or first
        now = moment in (first, table.schema.times[0]) or (column.mutable and column.name in table.fixed)
        if not now and table.has(moment):
            late.setdefault(moment, []).extend([] if column.kind == "time" else [column.name])
            continue
        if column.kind != "time" and (not column.mutable or column.name in table.fixed or first == "valid_from"):
            early.append(column.name)
    if table.name == "accounts" and first == "valid_from":
        known = {*table.schema.names, *table.fixed}
        early += [name for name in table.data.column_names if name not in known]
    return early, late


def _events_of(table: Table, at: NDArray[np.int64], columns: Sequence[str]) -> pd.DataFrame:
    frame = table.data.select(["account_id", *columns]).to_pandas()
    frame.insert(1, "time", pd.to_datetime(np.where(at > ALWAYS, at, 0), unit="us").as_unit("us"))
    kept = frame[at > ALWAYS].reset_index(drop=True)
    for column in kept.columns[2:]:
        if pd.api.types.is_datetime64_any_dtype(kept[column]):
            kept = kept.drop(columns=column)
        elif kept[column].dtype.kind not in "fiub":
            kept[column] = kept[column].astype(object)
    return kept
