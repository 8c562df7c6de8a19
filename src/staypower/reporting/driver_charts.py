"""The pictures of what drives risk: a swarm of accounts per topic, risk over a feature's values, survival by segment."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from staypower.portfolio.figures import ALL
from staypower.reporting.charts import Chart
from staypower.reporting.drawings import AxisScale, Line, Point, draw_curves, draw_lines, figure_of
from staypower.results.numbers import percent, plural, short

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staypower.portfolio.result import Portfolio
    from staypower.reporting.drivers import Dependence, Driver, Drivers

__all__ = ["dependence_charts", "survival_charts", "swarm_chart"]

_WIDTH, _NAMES, _RIGHT, _ROW, _FOOT = 700, 190, 12, 34, 30
_DOT = 4.0
_SHADES = 5
_MOST_SEGMENTS = 4


def swarm_chart(drivers: Drivers) -> Chart:
    """Draw a dot for every account on the row of each topic, coloured by the value of the topic's main feature."""
    every = np.concatenate([each.contributions for each in drivers.drivers])
    low, high = min(0.0, float(every.min())), max(0.0, float(every.max()))
    x = AxisScale(low, high, _NAMES + _DOT, _WIDTH - _RIGHT - _DOT)
    foot = _ROW * len(drivers.drivers)
    parts = [Markup('<line class="chance" x1="{0}" y1="0" x2="{0}" y2="{1}"/>').format(x(0.0), foot)]
    for row, driver in enumerate(drivers.drivers):
        middle = _ROW * (row + 0.5)
        parts.append(Markup('<text class="lane" x="0" y="{}">{}</text>').format(middle + 4, driver.title))
        parts.append(_dots(driver, x, middle))
    ends = ((_NAMES, "", "lowers the risk"), (_WIDTH - _RIGHT, " end", "raises the risk"))
    parts += [
        Markup('<text class="axis{}" x="{}" y="{}">{}</text>').format(how, at, foot + 18, words) for at, how, words in ends
    ]
    words = "; ".join(each.title for each in drivers.drivers[:5])
    title, inner = "Topic by topic", Markup("").join(parts)
    drawing = figure_of(inner, title, f"Strongest first: {words}", width=_WIDTH, height=foot + _FOOT, kind="chart swarm")
    most = drivers.drivers[0].size
    rows = tuple((each.title, each.lever, each.feature, percent(each.size / most, 0)) for each in drivers.drivers)
    said = (
        f"{plural(drivers.accounts, 'account')}, one dot each; strongest topic first. Blue: low values of the topic's main "
        "feature; orange: high ones; pale: in between; dark grey: no value, or a text."
    )
    return Chart(title, drawing, (), said, ("topic", "lever", "main feature", "strength"), rows)


def _dots(driver: Driver, x: AxisScale, middle: float) -> Markup:
    """Draw all dots of one shade as one path of points."""
    at = np.array([x(float(each)) for each in driver.contributions])
    y = middle + _stacked(at)
    place = np.minimum(np.nan_to_num(driver.places) * _SHADES, _SHADES - 1)
    shade = np.where(np.isfinite(driver.places), place, -1).astype(np.int64)
    made = []
    for number in np.unique(shade).tolist():
        mine = shade == number
        drawn = "".join(f"M{a:g} {b:g}h0" for a, b in zip(at[mine].tolist(), y[mine].tolist(), strict=True))
        made.append(Markup('<path class="dots {}" d="{}"/>').format("none" if number < 0 else f"d{number}", drawn))
    return Markup("").join(made)


def _stacked(at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move dots at the same place up and down, so that a crowd looks like one.

    >>> _stacked(np.array([1.0, 1.0, 1.0, 50.0])).tolist()
    [0.0, 2.0, -2.0, 0.0]
    """
    column = np.floor(at / _DOT).astype(np.int64)
    found, room = np.zeros(len(at)), _ROW / 2 - 3
    for number in np.unique(column).tolist():
        rows = np.flatnonzero(column == number)
        place = np.arange(len(rows))
        offset = np.where(place % 2 == 1, 1, -1) * ((place + 1) // 2)
        # a tall crowd is pressed together
        step = min(2.0, room / max(1, len(rows) // 2))
        found[rows] = np.round(offset * step, 1) + 0.0
    return found


def dependence_charts(drivers: Drivers) -> list[Chart]:
    """Draw the risk over the values of the strongest features, all on one scale of risk."""
    risks = [risk for each in drivers.dependences for _, risk in each.points]
    return [_dependence(each, (min(risks), max(risks))) for each in drivers.dependences]


def _dependence(found: Dependence, within: tuple[float, float]) -> Chart:
    unit = "share" if found.share else ""
    words = "Risk of an account that is average in all else. A dot stands for an eighth of the accounts, or for equal values."
    curves, axes = [("risk", found.points)], (found.feature, "risk")
    drawing = draw_curves(found.feature, curves, axes=axes, units=(unit, "share"), dotted=True, within=within, words=words)
    rows = tuple((short(value, share=found.share), percent(risk)) for value, risk in found.points)
    return Chart(found.feature, drawing, ("risk",), words, ("value", "risk"), rows)


def survival_charts(portfolio: Portfolio) -> list[Chart]:
    """Draw what share of each segment's customers stays at the churn rates of the periods; none without segments."""
    starts = list(portfolio.periods.starts)
    monthly = {
        (each.segment, each.segment_value, each.period_start): each.value
        for each in portfolio.figures
        if each.metric == "customer_churn_rate" and each.complete and each.age is None
    }
    made = []
    for column in sorted({segment for segment, _, _ in monthly if segment != ALL}):
        names = sorted({value for segment, value, _ in monthly if segment == column})
        lines = [Line(name, _survival([monthly.get((column, name, start), math.nan) for start in starts])) for name in names]
        lines = [line for line in lines if line.points][:_MOST_SEGMENTS]
        most = min((len(line.points) for line in lines), default=0)
        if len(lines) > 1 and most > 1:
            lines = [Line(line.label, line.points[:most]) for line in lines]
            made.append(_survival_chart(column, lines, most))
    return made


def _survival(rates: list[float]) -> list[Point]:
    """Return the share that stays after each known period, everybody at first; empty when any period is not known."""
    known = rates[next((place for place, rate in enumerate(rates) if math.isfinite(rate)), len(rates)) :]
    while known and not math.isfinite(known[-1]):
        known = known[:-1]
    if not known or not all(map(math.isfinite, known)):
        return []
    return [Point(float(share)) for share in np.cumprod([1.0, *(1.0 - rate for rate in known)])]


def _survival_chart(column: str, lines: list[Line], most: int) -> Chart:
    names = [str(number) for number in range(most)]
    title = f"Survival by {column}"
    words = "Share of customers left after so many periods, at the churn rates that were observed."
    drawing = draw_lines(title, names, lines, unit="share", words=words)
    rows = tuple((name, *(percent(line.points[place].value) for line in lines)) for place, name in enumerate(names))
    return Chart(title, drawing, tuple(line.label for line in lines), words, ("periods", *(line.label for line in lines)), rows)
