"""The pictures of a backtest: ranking and calibration fold by fold, and what age costs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import PercentFormatter

from staypower.cutoffs import text_of
from staypower.evaluation.backtest import Backtest
from staypower.evaluation.measures import listed_in
from staypower.evaluation.resampling import Estimate
from staypower.evaluation.rows import BASE_RATE
from staypower.results.pictures import COLOURS, DASHES, GREY, Picture, label_axes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes

__all__ = ["pictures"]

_MARKS = "oshv^D*"


def pictures(backtest: Backtest) -> dict[str, Callable[[], Picture]]:
    """Return what draws each picture that a backtest has."""
    found = {"folds": _folds, "ageing": _ageing} if len(backtest.ages) > 1 else {"folds": _folds}
    return {name: partial(draw, backtest) for name, draw in found.items()}


def _folds(backtest: Backtest) -> Picture:
    figure = _figure(f"Backtest: {len(backtest.folds)} folds, each tested on the first cutoff after its training", 11.0)
    ranking, calibration = figure.subplots(1, 2)
    dates = [text_of(fold.cutoff) for fold in backtest.folds]
    names = [name for name in backtest.pooled.scorers if name != BASE_RATE]
    for place, name in enumerate(names):
        rows = [fold.evaluation.scorers.get(name) for fold in backtest.folds]
        values = [None if row is None else row["auroc"] for row in rows]
        _series(ranking, place, values, name, bars=not place)
    _label(ranking, dates, "AUROC on the test cutoff")
    ranking.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    predicted = [fold.evaluation.scorers[fold.evaluation.model]["mean_score"].value for fold in backtest.folds]
    trained = [fold.evaluation.train_base_rate for fold in backtest.folds]
    _series(calibration, 1, [fold.evaluation.base_rate for fold in backtest.folds], "observed (95% interval)", bars=True)
    at = np.arange(len(dates))
    calibration.plot(at, predicted, color=COLOURS[0], marker="o", markersize=5, linewidth=2, label="predicted, mean")
    calibration.plot(at, [np.nan if rate is None else rate for rate in trained], color=GREY, linestyle=":", label="in training")
    _label(calibration, dates, "share that churned")
    calibration.set_ylim(bottom=0)
    calibration.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    calibration.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    return figure


def _ageing(backtest: Backtest) -> Picture:
    figure = _figure("The same models later, minus the fresh models on the same rows", 11.0)
    points = backtest.ages[1:]
    days = [f"{point.days}" for point in points]
    metrics = listed_in("ages")
    for axes, metric in zip(figure.subplots(1, len(metrics)), metrics, strict=True):
        _series(axes, 0, [point.changes[metric.name] for point in points], "older minus fresh", bars=True)
        axes.axhline(0, color=GREY, linewidth=1)
        worse = "above" if metric.better == "lower" else "below"
        _label(axes, days, f"change of {metric.label} ({worse} 0: worse)", "days older than the fresh model")
    return figure


def _series(axes: Axes, place: int, values: Sequence[Estimate | None], label: str, *, bars: bool) -> None:
    at = np.arange(len(values))
    middle = np.array([np.nan if each is None else each.value for each in values])
    colour, dash = COLOURS[place % len(COLOURS)], DASHES[place % len(DASHES)]
    axes.plot(
        at,
        middle,
        label=label.lstrip("_"),
        color=colour,
        linestyle=dash,
        marker=_MARKS[place % len(_MARKS)],
        markersize=5,
        linewidth=2 if bars else 1.3,
        zorder=3 if bars else 2,
    )
    if bars:
        ends = [(each.low, each.high) if each is not None and each.bounded else (np.nan, np.nan) for each in values]
        axes.vlines(at, [low for low, _ in ends], [high for _, high in ends], color=colour, linewidth=1.2)


def _figure(title: str, width: float) -> Picture:
    figure = Picture(figsize=(width, 4.8), dpi=130, layout="constrained")
    figure.suptitle(title, fontsize=11, parse_math=False)
    return figure


def _label(axes: Axes, ticks: Sequence[str], what: str, under: str = "") -> None:
    axes.set_xticks(range(len(ticks)), ticks, rotation=30 if len(ticks) > 3 else 0, ha="right" if len(ticks) > 3 else "center")
    label_axes(axes, under, what)
