"""The charts of the page: the portfolio over time, and the quality of the model in its test."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from staypower.evaluation.rows import BASE_RATE
from staypower.portfolio.catalogue import charts
from staypower.portfolio.figures import ALL
from staypower.reporting.drawings import Line, Point, draw_curves, draw_lines
from staypower.results.numbers import decimal, money, short

if TYPE_CHECKING:
    from staypower.portfolio.figures import Figure
    from staypower.portfolio.result import Portfolio

__all__ = ["Chart", "portfolio_charts", "quality_charts"]


@dataclass(frozen=True)
class Chart:
    """A drawing with its title, its keys, and the same numbers as a table."""

    title: str
    drawing: Markup
    keys: tuple[str, ...]
    words: str = ""
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def portfolio_charts(portfolio: Portfolio) -> list[Chart]:
    """Draw the known figures of the portfolio over time."""
    names = [portfolio.periods.name(start) for start in portfolio.periods.starts]
    place = {start: number for number, start in enumerate(portfolio.periods.starts)}
    overall = [each for each in portfolio.figures if each.segment == ALL and each.age is None]
    made = []
    for title, metrics in charts().items():
        lines = [_line(metric.label, [each for each in overall if each.metric == metric.name], place) for metric in metrics]
        there = [line for line in lines if any(math.isfinite(each.value) for each in line.points)]
        if there:
            unit = metrics[0].unit
            drawing = draw_lines(title, names, there, unit=unit)
            heads = ("period", *(line.label for line in there))
            rows = tuple(
                (name, *(short(line.points[number].value, share=unit == "share") for line in there))
                for number, name in enumerate(names)
            )
            made.append(Chart(title, drawing, tuple(line.label for line in there), heads=heads, rows=rows))
    return made


def _line(label: str, figures: Sequence[Figure], place: Mapping[int, int]) -> Line:
    points = [Point(math.nan)] * len(place)
    for each in figures:
        if each.period_start in place:
            points[place[each.period_start]] = Point(each.value, each.low, each.high, each.complete)
    return Line(label, points)


def quality_charts(quality: Mapping[str, Any]) -> list[Chart]:
    """Draw gain, reliability and profit of a model's test."""
    return [chart for chart in (_gain(quality), _reliability(quality), _profit(quality)) if chart is not None]


def _gain(quality: Mapping[str, Any]) -> Chart | None:
    curves = _model_first(quality["gain"], quality["model"])
    if not curves:
        return None
    share = next((y for x, y in curves[0][1] if x >= 0.1), math.nan)
    lift = decimal(share / 0.1, 1)
    words = f"Contacting the 10% of highest risk reaches {short(share, share=True)} of all churned accounts (lift {lift})."
    drawing = draw_curves(
        "Gain", curves, axes=("share contacted, highest risk first", "churned accounts reached"), straight=True, words=words
    )
    return Chart("Churned accounts reached", drawing, tuple(name for name, _ in curves), words)


def _model_first(gain: Mapping[str, Any], model: str, most: int = 4) -> list[tuple[str, list[tuple[float, float]]]]:
    names = [name for name in (model, *sorted(gain)) if name in gain and name != BASE_RATE]
    return [(name, [(x, y) for x, y in gain[name]]) for name in list(dict.fromkeys(names))[:most]]


def _reliability(quality: Mapping[str, Any]) -> Chart | None:
    bins = quality["reliability"]
    if not bins:
        return None
    points = [(each["predicted"], each["observed"]["value"]) for each in bins]
    error = quality["scorers"][quality["model"]].get("calibration_error", {}).get("value")
    words = "On the dashed line, 20% of the accounts with a predicted risk of 20% churned."
    words += f" On average the two differ by {decimal(100 * error, 1)} percentage points." if error is not None else ""
    drawing = draw_curves(
        "Reliability", [("model", points)], axes=("predicted", "churned"), straight=True, dotted=True, words=words
    )
    return Chart("Predicted and observed churn", drawing, ("model",), words)


def _profit(quality: Mapping[str, Any]) -> Chart | None:
    points = [(x, y) for x, y in quality["profit"]]
    if not points or not quality["costs"]["given"]:
        return None
    best = max(points, key=lambda point: point[1])
    most, contacted = money(best[1], 2), short(best[0], share=True)
    words = f"At your costs the campaign earns most, {most} per account, when {contacted} are contacted."
    drawing = draw_curves(
        "Profit",
        [("model", points)],
        axes=("share contacted, highest risk first", "profit per account"),
        units=("share", ""),
        words=words,
    )
    return Chart("Profit of a campaign", drawing, ("model",), words)
