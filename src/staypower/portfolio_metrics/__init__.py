"""The portfolio's own numbers: NPS, CSAT, CES, churn, revenue retention, cohorts, worth and support, exactly defined."""

from __future__ import annotations

from staypower.portfolio_metrics.building import has_a_past, measure_portfolio
from staypower.portfolio_metrics.catalogue import METRICS, Metric
from staypower.portfolio_metrics.figures import Figure
from staypower.portfolio_metrics.periods import Periods, make_periods
from staypower.portfolio_metrics.result import Portfolio
from staypower.portfolio_metrics.settings import PortfolioSettings

__all__ = [
    "METRICS",
    "Figure",
    "Metric",
    "Periods",
    "Portfolio",
    "PortfolioSettings",
    "has_a_past",
    "make_periods",
    "measure_portfolio",
]
