"""List the features that the tables allow, or write the matrix."""

from __future__ import annotations

import secrets
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from staypower.config.settings import Settings
from staypower.cutoffs import midnight_after, text_of
from staypower.dataset.bucketed_matrix import KEYS, MatrixRows, seen_in, varying
from staypower.dataset.building import Dataset, require_features
from staypower.dataset.building import build_dataset as dataset_of
from staypower.dataset.cutoff_plan import CutoffPlan, choose_plan
from staypower.engines.local import map_to_parts, sorted_parts
from staypower.engines.opening import buckets_of, database_memory, fingerprint_of, load_of, open_tables, working_folder
from staypower.features.builder import FeatureMatrix, build_matrix
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.outputs.kinds import probed_place
from staypower.outputs.place import Place, Rows
from staypower.pipelines.arguments import (
    Moment,
    SettingsLike,
    TablesLike,
    frames_from,
    instant_from,
    place_from,
    progress_from,
    read_tables,
    require_flags,
    settings_from,
    tables_from,
)
from staypower.pipelines.preparing import engine_of_cluster
from staypower.progress import Progress
from staypower.results.numbers import plural
from staypower.results.result import Block, Head, Heading, Items, Result, TableBlock, Verbatim
from staypower.tables import BucketedTables
from staypower.writing import require_room

__all__ = ["FeatureResult", "build_dataset", "build_features", "list_features"]

_HEADS = [Head(head, "left") for head in ("feature", "meaning", "lever", "without data")]
# how many columns to expect before the tables are read
_EXPECTED = 200
# what a number takes in a file of features, measured: 1.8; they are there twice, in parts and as one file
_BYTES_ON_DISK = 2 * 4


@dataclass(frozen=True)
class FeatureResult(Result):
    """The features of a company."""

    catalogue: Catalogue
    path: Path | str | None = None  # the matrix, when it was written; on a cluster a folder or a table
    rows: int = 0

    def frame(self) -> pd.DataFrame:
        """Return one row per feature."""
        return self.catalogue.frame()

    def blocks(self) -> list[Block]:
        """Return the list and what is not built, or the path of what was written."""
        if self.path is not None:
            return [Verbatim([f"{plural(self.rows, 'row')} of {plural(len(self.catalogue.names), 'feature')}: {self.path}"])]
        listed = self.catalogue.frame()
        shown: list[Block] = []
        for table, rows in listed.groupby("table", sort=False):
            shown += [Heading(str(table)), TableBlock(_HEADS, [_row(row) for row in rows.to_dict("records")])]
        shown.append(plural(len(listed), "feature"))
        if self.catalogue.left_out:
            shown += [Heading("Not built"), Items([f"{why}: {', '.join(names)}" for why, names in self._not_built().items()])]
        return shown

    def _not_built(self) -> dict[str, list[str]]:
        grouped: dict[str, list[str]] = {}
        for name, why in self.catalogue.left_out.items():
            grouped.setdefault(why, []).append(name)
        return grouped

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "features": self.catalogue.frame().to_dict("records"),
            "left_out": dict(self.catalogue.left_out),
            "path": None if self.path is None else str(self.path),
            "rows": self.rows,
        }


def _row(row: Mapping[Hashable, str]) -> list[str]:
    """Write a feature, and what it is where there is no data."""
    window = "" if row["window"] == "ever" else row["window"]
    unit = f" [{row['unit']}]" if row["unit"] else ""
    words = ", ".join(part for part in (row["description"], window) if part) + unit
    return [row["name"], words, row["lever"], row["empty"]]


def list_features(
    settings: SettingsLike,
    tables: TablesLike = None,
    *,
    build: bool = False,
    output: str | Path | None = None,
    progress: Progress | None = None,
) -> FeatureResult:
    """List the features that the tables allow, or build them with labels and write them; as `staypower features`.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes. With `engine: spark` the active session is used, else one is started.
    tables : Tables, or mapping of str to table, optional
        From `read_tables`, or pandas, polars or Arrow tables by the names that `source` gives (with `engine: spark` Spark
        DataFrames); by default the sources are read.
    build : bool, default False
        Whether to compute the features of every account at every cutoff of the plan, with labels, and write them. Rows are
        made, sorted and written some accounts at a time, so neither they nor the tables need to fit in memory.
    output : str or Path, optional
        A name that ends in `.parquet`, `.csv` or `.xlsx`, or a table of a database (`postgresql://host/db#schema.table`,
        `sqlite:///file#table`), where rows of the same cutoffs are replaced; with `engine: spark` a folder or `table:NAME`. By
        default `features.parquet` in the output folder, on Spark the folder `features`.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    FeatureResult
        One row per feature in `.frame()`; `.path` is what was written.

    Examples
    --------
    >>> import staypower
    >>> listed = staypower.list_features("demo/staypower.yaml").frame()
    >>> listed.loc[listed["name"] == "active_days_28d", "lever"].item()
    'engagement'
    """
    require_flags(build=build)
    settings, progress, output = settings_from(settings), progress_from(progress), place_from(output)
    if settings.engine.kind == "spark":
        cluster, frames = engine_of_cluster(tables=tables), frames_from(tables)
        return FeatureResult(
            *cluster.features_on_spark(settings, progress=progress, build=build, output=output, objects=frames)
        )
    goal = probed_place(output or settings.output_folder / "features.parquet") if build else None
    given = tables_from(settings, tables, progress)
    size = {"cutoffs": settings.cutoffs.count if build else 0, "features": _EXPECTED}
    buckets, files = (1, ()) if given is not None else buckets_of(settings.sources, settings.engine, **size)
    run = secrets.token_hex(12) if buckets == 1 else fingerprint_of(settings.to_dict(), files, buckets)
    cache = settings.output_folder / "cache"
    if build and files:
        require_room(cache, load_of(files, **size).cells * _BYTES_ON_DISK, "the features of every account")
    with working_folder(cache, "features", run) as folder:
        opened = given or open_tables(
            settings.sources, settings.engine, progress=progress, buckets=buckets, folder=folder / "tables"
        )
        if goal is None:
            cutoff = midnight_after(opened.observed_until)
            return FeatureResult(declare(opened, settings.features, cutoff=cutoff, hidden=settings.label.hidden))
        with progress.step("building features and labels"):
            plan, catalogue, parts = _build(settings, opened, folder / "parts")
        with progress.step("writing the matrix"):
            rows = _write(settings, parts, catalogue, goal, plan.all.tolist(), folder)
    return FeatureResult(catalogue, goal.shown, rows)


def _build(settings: Settings, tables: BucketedTables, folder: Path) -> tuple[CutoffPlan, Catalogue, list[Path]]:
    """Build the rows of every bucket into a file of its own, and say which columns to keep."""
    plan = choose_plan(tables, settings.label, settings.cutoffs)
    catalogue = declare(tables, settings.features, cutoff=plan.trained_until, hidden=settings.label.hidden)
    require_features(catalogue)
    rows = MatrixRows(settings.label, catalogue, plan)
    parts = map_to_parts(tables, rows, folder, threads=settings.engine.threads)
    return plan, varying(catalogue, (seen_in(pq.read_schema(part)) for part in parts)), parts


def _write(
    settings: Settings, parts: list[Path], catalogue: Catalogue, goal: Place, cutoffs: Sequence[int], folder: Path
) -> int:
    """Write the rows of all buckets in order."""
    memory = database_memory(settings.engine.memory_bytes)
    columns = (*KEYS, *catalogue.names)
    with sorted_parts(parts, temporary=folder / "sorting", memory=memory, threads=settings.engine.threads, columns=columns) as (
        schema,
        batches,
    ):
        goal.write(Rows(batches, schema, "Features", {"cutoff": [text_of(cutoff) for cutoff in cutoffs]}), staging=folder)
    return sum(pq.read_metadata(part).num_rows for part in parts)


def build_features(
    settings: SettingsLike,
    tables: TablesLike = None,
    *,
    cutoffs: Moment | Sequence[Moment],
    catalogue: Catalogue | None = None,
    progress: Progress | None = None,
) -> FeatureMatrix:
    """Build the features of every account at some cutoffs, in memory.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes.
    tables : Tables, or mapping of str to table, optional
        From `read_tables`, or pandas, polars or Arrow tables by the names that `source` gives; by default the sources are read.
    cutoffs : str, date or datetime, or list of them
    catalogue : Catalogue, optional
        What to build; by default everything that the tables allow, learned at the first cutoff.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    FeatureMatrix
        One row per account and cutoff in `.frame()`.

    Examples
    --------
    >>> import staypower
    >>> matrix = staypower.build_features("demo/staypower.yaml", cutoffs=["2025-05-01", "2025-06-01"])
    >>> matrix.frame()["cutoff"].nunique()
    2
    """
    settings, tables = settings_from(settings), read_tables(settings, tables, progress=progress)
    asked = [cutoffs] if cutoffs is None or isinstance(cutoffs, (str, date)) else cutoffs
    instants = np.unique(np.array([instant_from("cutoffs", cutoff) for cutoff in asked], dtype=np.int64))
    declared = catalogue or declare(tables, settings.features, cutoff=int(instants[0]), hidden=settings.label.hidden)
    return build_matrix(tables, declared, accounts=tables.account_ids, cutoffs=instants)


def build_dataset(settings: SettingsLike, tables: TablesLike = None, *, progress: Progress | None = None) -> Dataset:
    """Build features and labels at every cutoff of the plan, in memory.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes.
    tables : Tables, or mapping of str to table, optional
        From `read_tables`, or pandas, polars or Arrow tables by the names that `source` gives; by default the sources are read.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    Dataset

    Examples
    --------
    >>> import staypower
    >>> dataset = staypower.build_dataset("demo/staypower.yaml")
    >>> test = dataset.part("test")
    >>> len(test.X) == len(test.y)
    True
    """
    settings, tables = settings_from(settings), read_tables(settings, tables, progress=progress)
    return dataset_of(tables, label=settings.label, features=settings.features, cutoffs=settings.cutoffs)
