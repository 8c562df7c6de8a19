"""Pictures of an evaluation, each a PNG file that names the split.

Drawn with figure objects alone: nothing global is set, so a notebook's own figures are left as they are.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from staypower.evaluation import BASE_RATE
from staypower.metrics import profit_curve_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from staypower.evaluation import Evaluation
    from staypower.metrics import Tally

__all__ = ["plot_evaluation"]

# Okabe and Ito's colours can be told apart with any colour vision, dashes in black and white. The model is the blue solid line.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
_GREY = "#777777"
_MOST_FEATURES = 20
_LONGEST_NAME = 44
_LEAST_LIFT_SHARE = 0.01


def plot_evaluation(evaluation: Evaluation, folder: str | Path, *, importance: Mapping[str, float] | None = None) -> list[Path]:
    """Draw an evaluation into a folder.

    Parameters
    ----------
    evaluation : Evaluation
        What `evaluate` returned.
    folder : str or Path
        Made if it is not there; files of the same name are replaced.
    importance : mapping of str to float, optional
        How much each feature matters, at least 0, in any unit; the 20 largest are drawn.

    Returns
    -------
    list of Path
        The files made: `precision_recall.png`, `roc.png`, `lift_and_gain.png` (these when both classes are present),
        `reliability.png` (when the model gives probabilities), `profit.png` and `importance.png` (when given).

    Examples
    --------
    >>> import tempfile
    >>> from staypower.evaluation import evaluate
    >>> y, risk = [0, 1] * 30, {"model": [0.2, 0.8] * 30}
    >>> found = evaluate(y, risk, accounts=range(60), cutoffs=[0] * 60, split="temporal", bootstrap=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in plot_evaluation(found, folder)]
    ['precision_recall.png', 'roc.png', 'lift_and_gain.png', 'profit.png']
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Figure] = {}
    if not evaluation.tallies[evaluation.model].one_class:
        figures["precision_recall"] = _precision_recall(evaluation)
        figures["roc"] = _roc(evaluation)
        figures["lift_and_gain"] = _lift_and_gain(evaluation)
    if any(each.scorer == evaluation.model for each in evaluation.reliability):
        figures["reliability"] = _reliability(evaluation)
    figures["profit"] = _profit(evaluation)
    if importance:
        figures["importance"] = _importance(evaluation, importance)
    return [_write(figure, place / f"{name}.png") for name, figure in figures.items()]


def _precision_recall(evaluation: Evaluation) -> Figure:
    figure, axes = _single(evaluation, "Precision and recall")
    for place, (name, tally) in enumerate(_ranked(evaluation)):
        recall = tally.positives[1:] / tally.positives[-1]
        precision = tally.positives[1:] / tally.reached[1:]
        score = evaluation.scorers[name]["average_precision"].value
        _line(axes, place, np.append(0.0, recall), np.append(precision[0], precision), f"{name} ({score:.3f})", step=True)
    axes.axhline(evaluation.base_rate.value, color=_GREY, linewidth=1, label=f"base rate ({evaluation.base_rate.value:.3f})")
    _label(axes, "share of all churners reached (recall)", "share of contacted that churn (precision)")
    _percent(axes, "xy")
    axes.set_ylim(0, 1.02)
    _legend(axes, "average precision", "upper right")
    return figure


def _roc(evaluation: Evaluation) -> Figure:
    figure, axes = _single(evaluation, "ROC curve")
    for place, (name, tally) in enumerate(_ranked(evaluation)):
        score = evaluation.scorers[name]["auroc"].value
        stayed, churned = tally.negatives / tally.negatives[-1], tally.positives / tally.positives[-1]
        _line(axes, place, stayed, churned, f"{name} ({score:.3f})")
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, label="no better than chance (0.500)")
    _label(axes, "share of stayed accounts reached (false positive rate)", "share of churners reached (true positive rate)")
    _percent(axes, "xy")
    axes.set_aspect("equal")
    _legend(axes, "area under the curve", "lower right")
    return figure


def _lift_and_gain(evaluation: Evaluation) -> Figure:
    figure = _figure(evaluation, "Lift and gain", width=10.5)
    gain, lift = figure.subplots(1, 2)
    for place, (name, tally) in enumerate(_ranked(evaluation)):
        share, reached = tally.reached / tally.total, tally.positives / tally.positives[-1]
        _line(gain, place, share, reached, name)
        # Left of 1 % lift is the fate of a handful of accounts.
        grid = np.linspace(_LEAST_LIFT_SHARE, 1, 400)
        _line(lift, place, grid, np.interp(grid, share, reached) / grid, name)
    gain.plot([0, 1], [0, 1], color=_GREY, linewidth=1, label="contacting at random")
    lift.axhline(1.0, color=_GREY, linewidth=1, label="contacting at random")
    _label(gain, "share of accounts contacted, highest scores first", "share of all churners reached (gain)")
    _label(lift, "share of accounts contacted, highest scores first", "times the base rate among them (lift)")
    _percent(gain, "xy")
    _percent(lift, "x")
    lift.set_ylim(bottom=0)
    _legend(gain, None, "lower right")
    return figure


def _reliability(evaluation: Evaluation) -> Figure:
    figure, axes = _single(evaluation, "Reliability: do probabilities come true?")
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
        error = evaluation.scorers[name]["calibration_error"].value
        _line(axes, place, predicted, observed, f"{name} ({error:.3f})", marker="o")
        axes.vlines(predicted, low, high, color=_COLOURS[place % len(_COLOURS)], linewidth=1)
        top = max(top, float(predicted.max()), float(high.max()))
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, label="perfect")
    limit = min(1.0, top * 1.05 + 0.01)
    axes.set_xlim(0, limit)
    axes.set_ylim(0, limit)
    axes.set_aspect("equal")
    _label(axes, "predicted probability of churn (mean of bin)", "share that churned")
    _percent(axes, "xy")
    _legend(axes, "calibration error; bars: 95 % intervals", "upper left")
    return figure


def _profit(evaluation: Evaluation) -> Figure:
    costs = evaluation.costs
    clv, incentive, contact = costs.amounts
    amounts = "your costs" if costs.complete else "published costs, for comparison only"
    figure, axes = _single(evaluation, f"Profit of a campaign ({amounts})")
    for place, (name, tally) in enumerate(_ranked(evaluation)):
        curve = profit_curve_of(tally, clv=clv, incentive_cost=incentive, contact_cost=contact, acceptance=costs.acceptance)
        best = curve.best()
        _line(axes, place, curve.fraction, curve.profit, f"{name} ({best.profit:,.2f} at {100 * best.fraction:.0f} %)")
        if name == evaluation.model:
            axes.plot([best.fraction], [best.profit], "o", color=_COLOURS[0])
    axes.axhline(0, color=_GREY, linewidth=1)
    _label(axes, "share of accounts contacted, highest scores first", "profit per account")
    _percent(axes, "x")
    money = f"clv {clv:g}, incentive {incentive:g}, contact {contact:g}, acceptance {100 * costs.acceptance:.0f} %"
    figure.legend(title=f"highest profit ({money})", loc="outside lower center", ncols=2, fontsize=8, title_fontsize=8)
    return figure


def _importance(evaluation: Evaluation, importance: Mapping[str, float]) -> Figure:
    largest = sorted(importance.items(), key=lambda entry: (-entry[1], entry[0]))[:_MOST_FEATURES][::-1]
    height = 1.4 + 0.27 * len(largest)
    figure = _figure(evaluation, "What the model uses", height=height)
    axes = figure.subplots()
    axes.barh(range(len(largest)), [value for _, value in largest], color=_COLOURS[0])
    axes.set_yticks(range(len(largest)), [_short(name) for name, _ in largest], parse_math=False, fontsize=8)
    axes.set_ylim(-0.7, len(largest) - 0.3)
    of = f" (the {len(largest)} largest of {len(importance)})" if len(importance) > len(largest) else ""
    _label(axes, f"importance{of}", "")
    axes.grid(visible=False, axis="y")
    return figure


def _ranked(evaluation: Evaluation) -> Iterator[tuple[str, Tally]]:
    """Yield what has a curve of its own: the base rate is a straight line in every picture."""
    return ((name, tally) for name, tally in evaluation.tallies.items() if name != BASE_RATE)


def _figure(evaluation: Evaluation, title: str, *, width: float = 6.8, height: float = 5.4) -> Figure:
    figure = Figure(figsize=(width, height), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    rows = f"{evaluation.rows:,} rows, {evaluation.churned:,} churned"
    figure.suptitle(f"{title}\nsplit: {evaluation.split}; {rows}", fontsize=11, parse_math=False)
    return figure


def _single(evaluation: Evaluation, title: str) -> tuple[Figure, Axes]:
    figure = _figure(evaluation, title)
    return figure, figure.subplots()


def _line(axes: Axes, place: int, x: np.ndarray, y: np.ndarray, label: str, *, step: bool = False, marker: str = "") -> None:
    axes.plot(
        x,
        y,
        label=label.lstrip("_"),  # a leading underscore would keep it out of the legend
        color=_COLOURS[place % len(_COLOURS)],
        linestyle=_DASHES[place % len(_DASHES)],
        linewidth=2.2 if place == 0 else 1.4,
        drawstyle="steps-pre" if step else "default",
        marker=marker,
        markersize=4,
        zorder=3 if place == 0 else 2,
    )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."


def _label(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(visible=True, color="#e5e5e5", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _percent(axes: Axes, which: str) -> None:
    for name in which:
        (axes.xaxis if name == "x" else axes.yaxis).set_major_formatter(PercentFormatter(1.0, decimals=None))


def _legend(axes: Axes, title: str | None, where: Literal["upper left", "upper right", "lower right"]) -> None:
    legend = axes.legend(title=title, loc=where, fontsize=8, title_fontsize=8, framealpha=0.85)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _write(figure: Figure, path: Path) -> Path:
    """Write beside the file and rename, so that nobody ever sees half a picture."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with warnings.catch_warnings():
        # A feature's name may be written in an alphabet that the font lacks; a box is drawn for it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure.savefig(draft, format="png")
    draft.replace(path)
    return path
