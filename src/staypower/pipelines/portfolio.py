"""Measure the portfolio: attitude, churn, revenue, cohorts, worth and support, by period and segment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from staypower.config.settings import Settings
from staypower.pipelines.loading import load_tables, refuse_errors
from staypower.portfolio.building import measure_portfolio
from staypower.portfolio.result import Portfolio
from staypower.progress import Progress
from staypower.tables import Tables
from staypower.writing import write_table

__all__ = ["PortfolioResult", "portfolio_of", "run_portfolio"]


@dataclass(frozen=True)
class PortfolioResult:
    """The figures, and where they were written."""

    portfolio: Portfolio
    rows: Path
    pictures: tuple[Path, ...]

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


def portfolio_of(settings: Settings, *, progress: Progress, tables: Tables | None = None) -> Portfolio:
    """Measure the portfolio of a config and write nothing."""
    if tables is None:
        tables, findings = load_tables(settings, progress=progress)
        refuse_errors(findings)
    with progress.step("measuring the portfolio"):
        return measure_portfolio(tables, settings.portfolio, label=settings.label, features=settings.features)


def run_portfolio(settings: Settings, *, progress: Progress) -> PortfolioResult:
    """Measure the portfolio of a config, write every figure and draw them."""
    portfolio = portfolio_of(settings, progress=progress)
    folder = settings.output_folder / "portfolio"
    rows = write_table(portfolio.frame(), folder / f"portfolio.{settings.output.format}")
    with progress.step("drawing"):
        pictures = portfolio.write_pictures(folder)
    return PortfolioResult(portfolio, rows, tuple(pictures))
