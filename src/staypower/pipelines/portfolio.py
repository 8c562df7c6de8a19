"""Measure the portfolio: satisfaction, churn, revenue, cohorts, value and support, by period and segment."""

from __future__ import annotations

from dataclasses import replace

from staypower.outputs.files import write_table
from staypower.pipelines.arguments import SettingsLike, TablesLike, opened, progress_from, settings_from, tables_from
from staypower.portfolio.building import measure_portfolio
from staypower.portfolio.result import Portfolio
from staypower.progress import Progress

__all__ = ["portfolio"]


def portfolio(settings: SettingsLike, tables: TablesLike = None, *, progress: Progress | None = None) -> Portfolio:
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
    Portfolio
        One row per figure in `.frame()`; pictures by name in `.plot(name)`. Rows and pictures are written to the output folder.

    Examples
    --------
    >>> import staypower
    >>> measured = staypower.portfolio("demo/staypower.yaml").frame()
    >>> measured.loc[measured["metric"] == "customers_at_start", "unit"].unique().tolist()
    ['accounts']
    """
    settings, progress = settings_from(settings), progress_from(progress)
    given = tables_from(settings, tables, progress)
    with opened(settings, given, name="portfolio", progress=progress) as found, progress.step("measuring the portfolio"):
        measured = measure_portfolio(found.tables, settings.portfolio, label=settings.label, features=settings.features)
    folder = settings.output_folder / "portfolio"
    rows = write_table(measured.frame(), folder / f"portfolio.{settings.output.format}")
    with progress.step("drawing"):
        pictures = measured.write_pictures(folder)
    return replace(measured, files=(rows, *pictures))
