"""Show results to people: pictures as files."""

from __future__ import annotations

from staypower.reporting.plots import plot_evaluation

__all__ = ["plot_evaluation"]
