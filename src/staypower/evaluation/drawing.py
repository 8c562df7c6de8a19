"""Pictures of an evaluation, each naming the split.

Drawn with figure objects alone: nothing global is set, so the figures of a notebook are left as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from matplotlib.ticker import PercentFormatter

from staypower.evaluation.measures import METRICS
from staypower.evaluation.result import Evaluation
from staypower.evaluation.rows import BASE_RATE
from staypower.metrics.profit import profit_curve_of
from staypower.metrics.ranking import Tally
from staypower.results.numbers import count, decimal, money, percent
from staypower.results.pictures import COLOURS, DASHES, GREY, Picture, label_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["pictures"]

_MOST_FEATURES = 20
_LONGEST_NAME = 44
_LEAST_LIFT_SHARE = 0.01


def pictures(evaluation: Evaluation) -> dict[str, Callable[[], Picture]]:
    """Return what draws each picture that an evaluation has."""
    found: dict[str, Callable[[Evaluation], Picture]] = {}
    if not evaluation.tallies[evaluation.model].one_class:
        found |= {"lift_and_gain": _lift_and_gain, "precision_recall": _precision_recall, "roc": _roc}
    if any(each.scorer == evaluation.model for each in evaluation.reliability):
        found["reliability"] = _reliability
    found["profit"] = _profit
    if any(group.auroc.bounded for group in evaluation.groups):
        found["slices"] = _slices
    if evaluation.importance:
        found["importance"] = _importance
    return {name: partial(draw, evaluation) for name, draw in found.items()}


def _precision_recall(evaluation: Evaluation) -> Picture:
    figure, axes = _single(evaluation, "Precision and recall")
    for place, (name, tally) in enumerate(_ranked(evaluation)):
        recall = tally.positives[1:] / tally.positives[-1]
        precision = tally.positives[1:] / tally.reached[1:]
        label = _labelled(evaluation, name, "average_precision")
        _line(axes, place, np.append(0.0, recall), np.append(precision[0], precision), label, step=True)
    base_rate = evaluation.base_rate.value
    axes.axhline(base_rate, color=GREY, linewidth=1, label=f"base rate ({decimal(base_rate)})")
    label_axes(axes, "share of churned accounts contacted (recall)", "share of contacted accounts that churned (precision)")
    _percent(axes, "xy")
    axes.set_ylim(0, 1.02)
    _legend(axes, "average precision", "upper right")
    return figure


def _roc(evaluation: Evaluation) -> Picture:
    figure, axes = _single(evaluation, "ROC curve")
    for place, (name, tally) in enumerate(_ranked(evaluation)):
        stayed, churned = tally.negatives / tally.negatives[-1], tally.positives / tally.positives[-1]
        _line(axes, place, stayed, churned, _labelled(evaluation, name, "auroc"))
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, label="random order (0.500)")
    label_axes(axes, "false positive rate (accounts that stayed)", "true positive rate (accounts that churned)")
    _percent(axes, "xy")
    axes.set_aspect("equal")
    _legend(axes, "area under the curve", "lower right")
    return figure


def _lift_and_gain(evaluation: Evaluation) -> Picture:
    figure = _figure(evaluation, "Lift and gain", width=10.5)
    gain, lift = figure.subplots(1, 2)
    for place, (name, tally) in enumerate(_ranked(evaluation)):
        share, reached = tally.reached / tally.total, tally.positives / tally.positives[-1]
        _line(gain, place, share, reached, name)
        # below 1% the lift depends on a handful of accounts
        grid = np.linspace(_LEAST_LIFT_SHARE, 1, 400)
        _line(lift, place, grid, np.interp(grid, share, reached) / grid, name)
    gain.plot([0, 1], [0, 1], color=GREY, linewidth=1, label="random order")
    lift.axhline(1.0, color=GREY, linewidth=1, label="random order")
    label_axes(gain, "share of accounts contacted, highest scores first", "share of churned accounts contacted (gain)")
    label_axes(lift, "share of accounts contacted, highest scores first", "churn rate of the contacted / base rate (lift)")
    _percent(gain, "xy")
    _percent(lift, "x")
    lift.set_ylim(bottom=0)
    _legend(gain, None, "lower right")
    return figure


def _reliability(evaluation: Evaluation) -> Picture:
    figure, axes = _single(evaluation, "Reliability: predicted and observed churn")
    top = 0.0
    names = [name for name, _ in _ranked(evaluation)]
    for place, name in enumerate(names):
        bins = [each for each in evaluation.reliability if each.scorer == name]
        if not bins:
            continue
        predicted = np.array([each.predicted for each in bins])
        observed = np.array([each.observed.value for each in bins])
        low, high = (np.array([getattr(each.observed, end) for each in bins]) for end in ("low", "high"))
        low, high = np.where(np.isnan(low), observed, low), np.where(np.isnan(high), observed, high)
        _line(axes, place, predicted, observed, _labelled(evaluation, name, "calibration_error"), marker="o")
        axes.vlines(predicted, low, high, color=COLOURS[place % len(COLOURS)], linewidth=1)
        top = max(top, float(predicted.max()), float(high.max()))
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, label="perfectly calibrated")
    limit = min(1.0, top * 1.05 + 0.01)
    axes.set_xlim(0, limit)
    axes.set_ylim(0, limit)
    axes.set_aspect("equal")
    label_axes(axes, "predicted churn probability (mean of the bin)", "share that churned")
    _percent(axes, "xy")
    _legend(axes, "calibration error; bars: 95% intervals", "upper left")
    return figure


def _profit(evaluation: Evaluation) -> Picture:
    costs = evaluation.costs
    clv, incentive, contact = costs.amounts
    amounts = "your costs" if costs.complete else "published costs, to compare models only"
    figure, axes = _single(evaluation, f"Profit of a campaign ({amounts})")
    for place, (name, tally) in enumerate(_ranked(evaluation)):
        curve = profit_curve_of(tally, clv=clv, incentive_cost=incentive, contact_cost=contact, acceptance=costs.acceptance)
        best = curve.best()
        _line(axes, place, curve.fraction, curve.profit, f"{name} ({money(best.profit, 2)} at {percent(best.fraction, 0)})")
        if name == evaluation.model:
            axes.plot([best.fraction], [best.profit], "o", color=COLOURS[0])
    axes.axhline(0, color=GREY, linewidth=1)
    label_axes(axes, "share of accounts contacted, highest scores first", "profit per account")
    _percent(axes, "x")
    assumed = f"clv {clv:g}, incentive {incentive:g}, contact {contact:g}, acceptance {percent(costs.acceptance, 0)}"
    figure.legend(title=f"highest profit ({assumed})", loc="outside lower center", ncols=2, fontsize=8, title_fontsize=8)
    return figure


def _slices(evaluation: Evaluation) -> Picture:
    shown = [group for group in evaluation.groups if group.auroc.bounded][::-1]
    figure = _figure(evaluation, "The model by slice (bars: 95% intervals)", height=1.8 + 0.24 * len(shown))
    axes = figure.subplots()
    place = np.arange(len(shown))
    worst = evaluation.worst_slice
    for at, group in enumerate(shown):
        lowest = worst is not None and (group.partition, group.name) == (worst.partition, worst.name)
        colour = COLOURS[1] if lowest else COLOURS[0]
        axes.hlines(at, group.auroc.low, group.auroc.high, color=colour, linewidth=1.4)
        axes.plot([group.auroc.value], [at], "D" if lowest else "o", color=colour, markersize=5)
    overall = evaluation.scorers[evaluation.model]["auroc"].value
    axes.axvline(overall, color=GREY, linewidth=1, label=f"all rows ({decimal(overall)})")
    names = [_short(f"{group.partition} {group.name} ({count(group.accounts)})") for group in shown]
    axes.set_yticks(place, names, parse_math=False, fontsize=8)
    axes.set_ylim(-0.7, len(shown) - 0.3)
    label_axes(axes, "AUROC (in brackets: accounts; diamond: worst slice)", "")
    axes.grid(visible=False, axis="y")
    _legend(axes, None, "upper left")
    return figure


def _importance(evaluation: Evaluation) -> Picture:
    importance = evaluation.importance
    largest = sorted(importance.items(), key=lambda entry: (-entry[1], entry[0]))[:_MOST_FEATURES][::-1]
    height = 1.4 + 0.27 * len(largest)
    figure = _figure(evaluation, "Feature importance", height=height)
    axes = figure.subplots()
    axes.barh(range(len(largest)), [value for _, value in largest], color=COLOURS[0])
    axes.set_yticks(range(len(largest)), [_short(name) for name, _ in largest], parse_math=False, fontsize=8)
    axes.set_ylim(-0.7, len(largest) - 0.3)
    of = f" (the largest {len(largest)} of {len(importance)})" if len(importance) > len(largest) else ""
    label_axes(axes, f"importance{of}", "")
    axes.grid(visible=False, axis="y")
    return figure


def _labelled(evaluation: Evaluation, name: str, metric: str) -> str:
    return f"{name} ({METRICS[metric].write(evaluation.scorers[name][metric].value)})"


def _ranked(evaluation: Evaluation) -> Iterator[tuple[str, Tally]]:
    """Yield the scores that have a curve; the base rate is a straight line in every picture."""
    return ((name, tally) for name, tally in evaluation.tallies.items() if name != BASE_RATE)


def _figure(evaluation: Evaluation, title: str, *, width: float = 6.8, height: float = 5.4) -> Picture:
    figure = Picture(figsize=(width, height), dpi=130, layout="constrained")
    rows = f"{count(evaluation.rows)} rows, {count(evaluation.churned)} churned"
    figure.suptitle(f"{title}\nsplit: {evaluation.split}; {rows}", fontsize=11, parse_math=False)
    return figure


def _single(evaluation: Evaluation, title: str) -> tuple[Picture, Axes]:
    figure = _figure(evaluation, title)
    return figure, figure.subplots()


def _line(axes: Axes, place: int, x: np.ndarray, y: np.ndarray, label: str, *, step: bool = False, marker: str = "") -> None:
    axes.plot(
        x,
        y,
        label=label.lstrip("_"),  # a leading underscore would keep it out of the legend
        color=COLOURS[place % len(COLOURS)],
        linestyle=DASHES[place % len(DASHES)],
        linewidth=2.2 if place == 0 else 1.4,
        drawstyle="steps-pre" if step else "default",
        marker=marker,
        markersize=4,
        zorder=3 if place == 0 else 2,
    )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."


def _percent(axes: Axes, which: str) -> None:
    for name in which:
        (axes.xaxis if name == "x" else axes.yaxis).set_major_formatter(PercentFormatter(1.0, decimals=None))


def _legend(axes: Axes, title: str | None, where: Literal["upper left", "upper right", "lower right"]) -> None:
    legend = axes.legend(title=title, loc=where, fontsize=8, title_fontsize=8, framealpha=0.85)
    for text in legend.get_texts():
        text.set_parse_math(False)
