"""Pictures of monitoring: AUROC and churn rate month by month, expected and observed, and what moved most."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import text_of
from staypower.monitoring.stability import MOVED, STEADY
from staypower.results.pictures import COLOURS, GREY, Picture, label_axes

if TYPE_CHECKING:
    from staypower.monitoring.result import Monitoring

__all__ = ["pictures"]

_MOST_FEATURES = 15
_VERDICTS = {"moved": COLOURS[1], "shifting": COLOURS[4], "as usual": COLOURS[5], "steady": GREY}


def pictures(found: Monitoring) -> dict[str, Callable[[], Picture]]:
    """Return what draws each picture."""
    drawn = {"performance": _performance}
    if found.drift is not None:
        drawn["drift"] = _drift
    return {name: partial(draw, found) for name, draw in drawn.items()}


def _performance(found: Monitoring) -> Picture:
    figure = Picture(figsize=(9.0, 3.6), layout="constrained")
    months = [*found.mature, found.now]
    at = np.arange(len(months))
    for axes, name, label in zip(figure.subplots(1, 2), ("auroc", "churn_rate"), ("AUROC", "share that churns"), strict=True):
        expected = [month.all.figures[name] for month in months]
        values = np.array([each.value for each in expected])
        ends = np.array([[each.value - each.low, each.high - each.value] for each in expected]).T
        axes.errorbar(at, values, yerr=np.nan_to_num(ends), fmt="o", color=COLOURS[0], capsize=3, label="expected (95%)")
        observed = [np.nan if month.all.observed is None else month.all.observed[name] for month in months]
        axes.plot(at, observed, marker="D", linestyle="none", color=COLOURS[1], label="observed")
        label_axes(axes, "cutoff", label)
        axes.set_xticks(at, [text_of(month.cutoff) for month in months], rotation=45, ha="right", fontsize=8)
        axes.legend(fontsize=8, frameon=False)
    return figure


def _drift(found: Monitoring) -> Picture:
    figure = Picture(figsize=(8.0, 4.5), layout="constrained")
    axes = figure.subplots()
    assert found.drift is not None
    rows = found.drift.features.head(_MOST_FEATURES)[::-1]
    axes.barh(rows["feature"], rows["psi"], color=[_VERDICTS[verdict] for verdict in rows["verdict"]])
    axes.plot(rows["usual"], np.arange(len(rows)), marker="|", linestyle="none", color=COLOURS[6], label="usual in that time")
    for limit in (STEADY, MOVED):
        axes.axvline(limit, color=GREY, linestyle=":", linewidth=1)
    label_axes(axes, f"population stability index since {found.drift.then}", "")
    axes.tick_params(axis="y", labelsize=8)
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    return figure
