"""Pictures of a portfolio: attitude, customers, revenue, support and cohorts over time, each a PNG file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from staypower.portfolio.drawing import pictures_of
from staypower.results.pictures import write_pictures

if TYPE_CHECKING:
    from staypower.portfolio.result import Portfolio

__all__ = ["plot_portfolio"]


def plot_portfolio(portfolio: Portfolio, folder: str | Path) -> list[Path]:
    """Draw a portfolio into a folder.

    >>> import tempfile
    >>> from staypower.portfolio.figures import Figure
    >>> from staypower.portfolio.periods import Periods
    >>> from staypower.portfolio.result import Portfolio
    >>> from staypower.portfolio.settings import PortfolioSettings
    >>> figure = Figure("nps", 0, 2_678_400_000_000, True, "all", "all", 30.0, 10.0, 50.0, n=80)
    >>> periods = Periods((0,), (2_678_400_000_000,), 2_678_400_000_000)
    >>> with tempfile.TemporaryDirectory() as place:
    ...     [path.name for path in plot_portfolio(Portfolio((figure,), periods, PortfolioSettings(), {}), place)]
    ['attitude.png']
    """
    return write_pictures({name: draw(portfolio) for name, draw in pictures_of(portfolio).items()}, folder)
