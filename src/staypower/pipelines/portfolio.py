"""Measure the portfolio: attitude, churn, revenue, cohorts, worth and support, by period and segment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from staypower.pipelines.arguments import SettingsLike, TablesLike, progress_from, read_tables, settings_from
from staypower.portfolio.building import measure_portfolio
from staypower.portfolio.result import Portfolio
from staypower.progress import Progress
from staypower.writing import write_table

if TYPE_CHECKING:
    from staypower.results.pictures import Picture

__all__ = ["PortfolioResult", "portfolio"]


@dataclass(frozen=True)
class PortfolioResult:
    """The figures, and where they were written."""

    portfolio: Portfolio
    rows: Path
    pictures: tuple[Path, ...]

    def frame(self) -> pd.DataFrame:
        """Return one row per figure."""
        return self.portfolio.frame()

    def plot(self, picture: str = "customers") -> Picture:
        """Draw a picture of the portfolio."""
        return self.portfolio.plot(picture)

    def _repr_html_(self) -> str:
        return self.portfolio._repr_html_()

    def text(self) -> str:
        """Return the tables, and where the rows and pictures are."""
        places = "\n".join(f"  {path}" for path in (self.rows, *self.pictures))
        return f"{self.portfolio.text()}\n\nwritten:\n{places}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "rows": str(self.rows),
            "pictures": [str(path) for path in self.pictures],
            **self.portfolio.to_dict(),
        }


def portfolio(settings: SettingsLike, tables: TablesLike = None, *, progress: Progress | None = None) -> PortfolioResult:
    """Measure NPS, churn, revenue retention, cohorts, lifetime value and support; as `staypower portfolio`.

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
    PortfolioResult
        One row per figure in `.frame()`; `.portfolio` holds tables and pictures.
    """
    settings, progress = settings_from(settings), progress_from(progress)
    read = read_tables(settings, tables, progress=progress)
    with progress.step("measuring the portfolio"):
        measured = measure_portfolio(read, settings.portfolio, label=settings.label, features=settings.features)
    folder = settings.output_folder / "portfolio"
    rows = write_table(measured.frame(), folder / f"portfolio.{settings.output.format}")
    with progress.step("drawing"):
        pictures = measured.write_pictures(folder)
    return PortfolioResult(measured, rows, tuple(pictures))
