"""List the features that the tables allow, or write the matrix."""

from __future__ import annotations

import secrets
import textwrap
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from staypower import __version__
from staypower.config.settings import Settings
from staypower.cutoffs import midnight_after
from staypower.dataset.building import require_features
from staypower.dataset.cutoff_plan import choose_plan
from staypower.dataset.matrix_rows import KEYS, MatrixRows, varying
from staypower.engines.embedded import map_to_parts
from staypower.engines.parts import sorted_parts
from staypower.engines.sizing import database_memory
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.pipelines.engine_choice import engine_of_cluster
from staypower.pipelines.loading import buckets_of, open_tables
from staypower.pipelines.working_folder import fingerprint_of, working_folder
from staypower.progress import Progress
from staypower.tables import BucketedTables
from staypower.writing import require_table_path, write_rows

__all__ = ["FeatureResult", "run_features"]

_WIDTH = 100
# how many columns are reckoned with before the tables are looked at
_EXPECTED = 200


@dataclass(frozen=True)
class FeatureResult:
    """The features of a company."""

    catalogue: Catalogue
    path: Path | str | None = None  # the matrix, when it was written; on a cluster a folder or a table
    rows: int = 0

    def text(self) -> str:
        """Return the list, what is not built, and the path."""
        if self.path is not None:
            return f"{self.rows:,} rows of {len(self.catalogue.names)} features: {self.path}"
        listed = self.catalogue.frame()
        lines = []
        for table, rows in listed.groupby("table", sort=False):
            lines += [f"{table}", *(line for row in rows.to_dict("records") for line in _two_lines(row)), ""]
        lines += [f"{len(listed)} features"]
        if self.catalogue.left_out:
            lines += ["", "not built:"]
            for why, names in self._not_built().items():
                lines += textwrap.wrap(
                    f"{why}: {', '.join(names)}",
                    _WIDTH,
                    initial_indent="  ",
                    subsequent_indent="      ",
                    break_on_hyphens=False,
                )
        return "\n".join(lines)

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


def _two_lines(row: Mapping[Hashable, str]) -> list[str]:
    """Say what a feature is under its name; 0 or missing is what it is where nothing is known."""
    window = "" if row["window"] == "ever" else row["window"]
    unit = f" [{row['unit']}]" if row["unit"] else ""
    said = ", ".join(part for part in (row["description"], window) if part) + unit
    beside = [f"lever {row['lever']}" if row["lever"] else "", f"{row['empty']} where nothing is known" if row["empty"] else ""]
    notes = ", ".join(part for part in beside if part)
    return [
        f"  {row['name']}" + (f"  ({notes})" if notes else ""),
        *textwrap.wrap(said, _WIDTH, initial_indent="      ", subsequent_indent="      "),
    ]


def run_features(settings: Settings, *, progress: Progress, build: bool = False, output: Path | None = None) -> FeatureResult:
    """List the features, or build them with labels for every cutoff of the plan and write them.

    The matrix is made, written and put in order some accounts at a time: it may be larger than memory, as the tables may.
    """
    if settings.engine.kind == "spark":
        cluster = engine_of_cluster()
        return FeatureResult(*cluster.features_on_spark(settings, progress=progress, build=build, output=output))
    path = require_table_path(output or settings.output_folder / "features.parquet")
    buckets, files = buckets_of(settings, cutoffs=settings.cutoffs.count if build else 0, features=_EXPECTED)
    said = (__version__, version("duckdb"), settings.to_dict(), files, buckets)
    run = secrets.token_hex(12) if buckets == 1 else fingerprint_of(*said)
    with working_folder(settings.output_folder / "cache", "features", run) as folder:
        tables = open_tables(settings, progress=progress, buckets=buckets, folder=folder / "tables")
        if not build:
            cutoff = midnight_after(tables.observed_until)
            return FeatureResult(declare(tables, settings.features, cutoff=cutoff, hidden=settings.label.hidden))
        with progress.step("building features and labels"):
            catalogue, parts = _build(settings, tables, folder / "parts")
        with progress.step("writing the matrix"):
            rows = _write(settings, parts, catalogue, path, folder)
    return FeatureResult(catalogue, path, rows)


def _build(settings: Settings, tables: BucketedTables, folder: Path) -> tuple[Catalogue, list[Path]]:
    """Build the rows of every bucket into a file of its own, and say which columns are worth keeping."""
    plan = choose_plan(tables, settings.label, settings.cutoffs)
    catalogue = declare(tables, settings.features, cutoff=plan.trained_until, hidden=settings.label.hidden)
    require_features(catalogue)
    rows = MatrixRows(settings.label, catalogue, plan)
    parts = map_to_parts(tables, rows, folder, threads=settings.engine.threads)
    return varying(catalogue, parts), parts


def _write(settings: Settings, parts: list[Path], catalogue: Catalogue, path: Path, folder: Path) -> int:
    memory = database_memory(settings.engine.memory_bytes)
    columns = (*KEYS, *catalogue.names)
    with sorted_parts(parts, temporary=folder / "sorting", memory=memory, threads=settings.engine.threads, columns=columns) as (
        schema,
        batches,
    ):
        write_rows(batches, schema, path, staging=folder)
    return sum(pq.read_metadata(part).num_rows for part in parts)
