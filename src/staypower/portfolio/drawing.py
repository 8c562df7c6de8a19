"""Pictures of a portfolio: satisfaction, customers, revenue, support, orders and cohorts over time.

A period that still runs, or whose figure may change, is drawn hollow. Figures without a value leave a gap.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import PercentFormatter

from staypower.portfolio.catalogue import CHARTS, METRICS, PICTURES
from staypower.portfolio.figures import ALL, Figure
from staypower.portfolio.result import Portfolio
from staypower.results.pictures import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["pictures"]

# Okabe and Ito's colours can be told apart with any colour vision.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
_COHORTS = "cohort_retention"


def pictures(portfolio: Portfolio) -> dict[str, Callable[[], Picture]]:
    """Return what draws each picture that a portfolio has."""
    found: dict[str, Callable[[], Picture]] = {
        name: partial(_over_time, portfolio, name) for name in PICTURES if _lines(portfolio, name)
    }
    if _line_of(portfolio, _COHORTS):
        found["cohorts"] = partial(_cohorts, portfolio)
    return found


def _lines(portfolio: Portfolio, name: str) -> dict[str, list[Figure]]:
    """Return the figures of each metric of a picture that has a value at all."""
    metrics = [metric for chart in PICTURES[name].charts for metric in CHARTS[chart]]
    lines = {metric: _line_of(portfolio, metric) for metric in metrics}
    return {metric: line for metric, line in lines.items() if any(math.isfinite(each.value) for each in line)}


def _line_of(portfolio: Portfolio, metric: str) -> list[Figure]:
    return [each for each in portfolio.figures if each.metric == metric and each.segment == ALL]


def _over_time(portfolio: Portfolio, name: str) -> Picture:
    picture, axes = _single(PICTURES[name].title)
    place = {start: number for number, start in enumerate(portfolio.periods.starts)}
    for number, (metric, line) in enumerate(_lines(portfolio, name).items()):
        colour = _COLOURS[number % len(_COLOURS)]
        x = np.array([place[each.period_start] for each in line])
        value, low, high = (np.array([getattr(each, end) for each in line]) for end in ("value", "low", "high"))
        final = np.array([each.complete for each in line])
        label, whole = METRICS[metric].label, np.flatnonzero(final)
        axes.plot(x, value, color=colour, linewidth=1.6, label=label, marker="o", markersize=4, markevery=whole)
        axes.plot(x[~final], value[~final], "o", color=colour, markerfacecolor="white", markersize=5, zorder=4)
        bounded = np.isfinite(low) & np.isfinite(high)
        axes.fill_between(x, np.where(bounded, low, np.nan), np.where(bounded, high, np.nan), color=colour, alpha=0.12)
    names = [portfolio.periods.name(start) for start in place]
    step = max(1, len(names) // 8)
    axes.set_xticks(range(0, len(names), step), names[::step], fontsize=8)
    if PICTURES[name].axis == "share":
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylabel(PICTURES[name].axis)
    axes.legend(fontsize=8, title="hollow: may still change; band: 95% interval", title_fontsize=8, framealpha=0.85)
    return picture


def _cohorts(portfolio: Portfolio) -> Picture:
    cohorts = _line_of(portfolio, _COHORTS)
    starts = list(dict.fromkeys(each.period_start for each in cohorts))
    ages = max(each.age or 0 for each in cohorts) + 1
    grid = np.full((len(starts), ages), np.nan)
    for each in cohorts:
        grid[starts.index(each.period_start), each.age or 0] = each.value
    picture, axes = _single("Accounts still customers, by cohort", height=1.8 + 0.32 * len(starts))
    axes.grid(visible=False)
    axes.imshow(grid, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in zip(*np.nonzero(np.isfinite(grid)), strict=True):
        share = float(grid[row, column])
        axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7, color="w" if share > 0.6 else "k")
    axes.set_yticks(range(len(starts)), [portfolio.periods.name(start) for start in starts], fontsize=8)
    axes.set_xticks(range(ages))
    axes.set_xlabel(f"age, whole {portfolio.periods.period}s after the one in which they began (%)")
    axes.set_ylabel("began in")
    return picture


def _single(title: str, *, height: float = 4.6) -> tuple[Picture, Axes]:
    picture = Picture(figsize=(7.6, height), dpi=130, layout="constrained")
    picture.suptitle(title, fontsize=11, parse_math=False)
    axes = picture.subplots()
    axes.grid(visible=True, color="#e5e5e5", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return picture, axes
