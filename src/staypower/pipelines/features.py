"""List the features that the tables allow, or write the matrix."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from staypower.config import Settings
from staypower.cutoffs import midnight_after
from staypower.dataset import build_dataset, told_by
from staypower.features import Catalogue, declare
from staypower.pipelines.loading import load_tables, refuse_errors
from staypower.progress import Progress
from staypower.writing import write_table

__all__ = ["FeatureResult", "run_features"]

_WIDTH = 100


@dataclass(frozen=True)
class FeatureResult:
    """The features of a company.

    Parameters
    ----------
    catalogue : Catalogue
    path : Path or None
        The matrix, when it was written.
    rows : int
    """

    catalogue: Catalogue
    path: Path | None = None
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

    Parameters
    ----------
    settings : Settings
    progress : Progress
    build : bool, default False
        Write the matrix.
    output : Path, optional
        File ending in `.parquet` or `.csv`; by default `features.parquet` in the output folder.

    Returns
    -------
    FeatureResult
    """
    tables, findings = load_tables(settings, progress=progress)
    refuse_errors(findings)
    if not build:
        cutoff = midnight_after(tables.observed_until)
        return FeatureResult(declare(tables, settings.features, cutoff=cutoff, hidden=told_by(settings.label)))
    with progress.step("building features and labels"):
        dataset = build_dataset(
            tables,
            label=settings.label,
            features=settings.features,
            cutoffs=settings.cutoffs,
            threads=settings.model.threads or 2,
        )
    path = write_table(dataset.frame(), output or settings.output_folder / "features.parquet")
    return FeatureResult(dataset.catalogue, path, len(dataset.y))
