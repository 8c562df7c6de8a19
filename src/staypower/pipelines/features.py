"""List the features that the tables allow, or write the matrix."""

from __future__ import annotations

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
        shown = listed[["name", "table", "window", "unit", "empty", "lever", "description"]]
        lines = [str(shown.to_string(index=False, justify="left")), "", f"{len(listed)} features"]
        if self.catalogue.left_out:
            lines += ["", "not built:"]
            lines += [f"  {why}: {', '.join(names)}" for why, names in self._not_built().items()]
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
