"""The charts of the page: the portfolio over time, the test of the model, and each account's timeline and waterfall."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from staypower.cutoffs import DAY, text_of
from staypower.evaluation.rows import BASE_RATE
from staypower.portfolio.catalogue import CHARTS, METRICS
from staypower.portfolio.figures import ALL
from staypower.reporting.contents import AccountTimeline, Lane
from staypower.reporting.drawings import AxisScale, Line, Point, draw_curves, draw_lines, figure_of, scale_over
from staypower.results.numbers import decimal, money, short

if TYPE_CHECKING:
    from staypower.portfolio.figures import Figure
    from staypower.portfolio.result import Portfolio

__all__ = ["Chart", "MARKS", "draw_timeline", "draw_waterfall", "monitoring_charts", "portfolio_charts", "quality_charts"]

_FEWEST_MONTHS = 2


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
    for title, drawn in CHARTS.items():
        metrics = [METRICS[name] for name in drawn]
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


def monitoring_charts(months: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """Draw what was expected and what came true at the cutoffs that were monitored; from two of them on."""
    if len(months) < _FEWEST_MONTHS:
        return []
    names, made = [str(month["cutoff"]) for month in months], []
    for name, title in (("auroc", "AUROC"), ("churn_rate", "Churn rate")):
        expected = [_point(month["expected"].get(name)) for month in months]
        observed = [Point(_number((month.get("observed") or {}).get(name))) for month in months]
        lines = [Line("expected", expected), Line("observed", observed)]
        drawing = draw_lines(title, names, lines, unit="share" if name == "churn_rate" else "")
        words = "Expected from the scores before outcomes are known, with the 95% interval of what will be observed."
        made.append(Chart(title, drawing, ("expected", "observed"), words))
    return made


def _point(figure: Mapping[str, Any] | None) -> Point:
    value, low, high = (_number((figure or {}).get(each)) for each in ("value", "low", "high"))
    return Point(value, low, high)


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan


def _gain(quality: Mapping[str, Any]) -> Chart | None:
    curves = _model_first(quality["gain"], quality["model"])
    if not curves:
        return None
    share = next((y for x, y in curves[0][1] if x >= 0.1), math.nan)
    lift = decimal(share / 0.1, 1)
    reached = f"{short(share, share=True)} of all churned accounts (lift {lift})"
    words = f"Contacting the 10% of accounts with the highest risk reaches {reached}."
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
    words = "On the dashed line, predictions match outcomes: of the accounts with a predicted risk of 20%, 20% churned."
    words += f" On average the two differ by {decimal(100 * error, 1)} percentage points." if error is not None else ""
    drawing = draw_curves(
        "Reliability", [("model", points)], axes=("predicted", "churned"), straight=True, dotted=True, words=words
    )
    return Chart("Predicted and observed churn", drawing, ("model",), words)


def _profit(quality: Mapping[str, Any]) -> Chart | None:
    points = [(x, y) for x, y in quality["profit"]]
    if not points or not quality["costs"]["given"]:
        return None
    # the curve is drawn through few points: its own highest one is the evaluation's, never one of these
    best = quality["profit_threshold"] or {"fraction": 0.0}
    words = "At your costs, contacting anyone loses money."
    if best["fraction"] > 0:
        most, contacted = money(best["profit"], 2), short(best["fraction"], share=True)
        words = f"At your costs, profit is highest, {most} per account, when {contacted} of the accounts are contacted."
    drawing = draw_curves(
        "Profit",
        [("model", points)],
        axes=("share contacted, highest risk first", "profit per account"),
        units=("share", ""),
        words=words,
    )
    return Chart("Profit of a campaign", drawing, ("model",), words)


_WIDTH, _NAMES, _RIGHT = 680, 96, 14
_BARS, _MARKS, _AXIS = 54, 26, 26
_SHAPES = {"risk": "M-5 4L0 -5L5 4Z", "good": "M-4 0A4 4 0 1 0 4 0A4 4 0 1 0 -4 0Z", "plain": "M-4 -4H4V4H-4Z"}
MARKS = (("risk", "bad sign", _SHAPES["risk"]), ("good", "good sign", _SHAPES["good"]), ("plain", "neutral", _SHAPES["plain"]))
"""What the marks of a timeline mean: class, words and outline."""


def draw_timeline(timeline: AccountTimeline) -> Markup:
    """Draw the weeks before a cutoff: bars for what is counted, marks for what happens once.

    >>> from staypower.reporting.contents import Mark
    >>> lanes = [Lane("usage", counts=[3, 1]), Lane("surveys", marks=[Mark(DAY, "NPS 2")])]
    >>> drawn = draw_timeline(AccountTimeline(0, 14 * DAY, lanes))
    >>> drawn.count("v-"), "NPS 2" in drawn
    (2, True)
    """
    x = AxisScale(timeline.start, timeline.cutoff, _NAMES, _WIDTH - _RIGHT)
    top, parts = 8.0, []
    for lane in timeline.lanes:
        height = _BARS if lane.counts else _MARKS
        parts.append(Markup('<text class="lane" x="0" y="{}">{}</text>').format(round(top + height / 2 + 4, 1), lane.name))
        parts.append(_bars(lane, x, top, height) if lane.counts else _marks(lane, x, top + height / 2))
        top += height
        parts.append(Markup('<line class="grid" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(_NAMES, top, _WIDTH - _RIGHT, top))
    parts.append(_axis(timeline, x, top))
    words = "; ".join(_lane_words(lane) for lane in timeline.lanes)
    return figure_of(Markup("").join(parts), "Timeline", words, width=_WIDTH, height=round(top + _AXIS), kind="chart timeline")


def _bars(lane: Lane, x: AxisScale, top: float, height: float) -> Markup:
    """Draw all weeks as one path: thousands of accounts have a timeline."""
    most = max([*lane.counts, 1])
    width = (x.last - x.first) / len(lane.counts)
    wide, foot = round(max(width - 1, 0.8), 1), round(top + height, 1)
    drawn = [
        f"M{round(x.first + week * width + 0.5, 1):g} {foot:g}v{-round((height - 8) * count / most, 1):g}h{wide:g}V{foot:g}z"
        for week, count in enumerate(lane.counts)
        if count
    ]
    return Markup('<path class="bar" d="{}"><title>{}</title></path>').format("".join(drawn), _lane_words(lane))


def _marks(lane: Lane, x: AxisScale, middle: float) -> Markup:
    """Draw each mark as a copy of a shape that the page defines once."""
    made = [
        Markup('<use href="#{}" x="{}" y="{}"><title>{}</title></use>').format(
            f"mark-{mark.tone}", f"{x(mark.at):g}", f"{round(middle, 1):g}", f"{text_of(mark.at)[:10]}: {mark.words}"
        )
        for mark in lane.marks
    ]
    return Markup("").join(made)


def _axis(timeline: AccountTimeline, x: AxisScale, top: float) -> Markup:
    step = max(1, round((timeline.cutoff - timeline.start) / (4 * 7 * DAY))) * 7 * DAY
    made = [
        Markup('<text class="tick mid" x="{}" y="{}">{}</text>').format(x(at), round(top + 14, 1), text_of(at)[:10])
        for at in range(timeline.cutoff - step, timeline.start, -step)
    ]
    made.append(
        Markup(
            '<line class="cutoff" x1="{0}" y1="2" x2="{0}" y2="{1}"/>'
            '<text class="tick end strong" x="{0}" y="{2}">cutoff</text>'
        ).format(x(timeline.cutoff), round(top, 1), round(top + 14, 1))
    )
    return Markup("").join(made)


def _lane_words(lane: Lane) -> str:
    if lane.counts:
        half = len(lane.counts) // 2
        return f"{lane.name}: {sum(lane.counts[half:]):,} in the second half, {sum(lane.counts[:half]):,} in the first"
    return f"{lane.name}: {len(lane.marks)}"


def draw_waterfall(parts: Sequence[tuple[str, float]], *, base: float, raw: float) -> Markup:
    """Draw how contributions lead from the base to the raw score.

    >>> drawn = draw_waterfall([("usage", 0.5), ("tickets", -0.2)], base=-2.0, raw=-1.7)
    >>> drawn.count("<rect"), "+0.50" in drawn, "-0.20" in drawn
    (4, True, True)
    """
    names, right, row = 250, 60, 24
    ends, at = [], base
    for _, contribution in parts:
        ends.append((at, at + contribution))
        at += contribution
    scale = scale_over([base, raw, *(end for pair in ends for end in pair)], names, _WIDTH - right)
    rows = [("base", base, base, "total"), *_rows(parts, ends), ("score", raw, raw, "total")]
    made = []
    for number, (name, low, high, kind) in enumerate(rows):
        y = number * row + 4
        left, end = scale(min(low, high)), scale(max(low, high))
        shown = f"{low:.2f}" if kind == "total" else f"{high - low:+.2f}"
        wide = 3.0 if kind == "total" else max(round(end - left, 1), 1.0)
        made.append(
            Markup(
                '<text class="lane" x="0" y="{}">{}<title>{}</title></text>'
                '<rect class="fall {}" x="{}" y="{}" width="{}" height="{}"/><text class="tick" x="{}" y="{}">{}</text>'
            ).format(
                y + 13,
                _short(name),
                name,
                kind,
                left,
                y,
                wide,
                row - 7,
                round(max(end, left + wide) + 5, 1),
                y + 13,
                shown,
            )
        )
    words = f"from {base:.2f} to {raw:.2f} in log-odds; " + "; ".join(f"{name} {value:+.2f}" for name, value in parts)
    return figure_of(
        Markup("").join(made),
        "What makes up the score",
        words,
        width=_WIDTH,
        height=row * len(rows) + 6,
        kind="chart waterfall",
    )


def _rows(parts: Sequence[tuple[str, float]], ends: Sequence[tuple[float, float]]) -> list[tuple[str, float, float, str]]:
    return [(name, low, high, "risk" if value > 0 else "good") for (name, value), (low, high) in zip(parts, ends, strict=True)]


def _short(name: str, most: int = 42) -> str:
    return name if len(name) <= most else f"{name[: most - 3]}..."
