"""Show results to people: pictures as files."""

from __future__ import annotations

from staypower.reporting.backtest_plots import plot_backtest
from staypower.reporting.plots import plot_evaluation

__all__ = ["plot_backtest", "plot_evaluation"]
