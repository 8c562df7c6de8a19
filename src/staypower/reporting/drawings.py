"""Drawings as inline SVG: they take the page's colours, need no script and say in words what they show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from staypower.results.numbers import short

__all__ = ["Line", "Point", "draw_curves", "draw_lines", "figure_of", "AxisScale", "scale_over"]

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 52, 26, 14, 30
_MOST_NAMES = 8


@dataclass(frozen=True)
class AxisScale:
    """A straight line from values to places.

    >>> AxisScale(0, 10, 100, 200)(5)
    150.0
    """

    low: float  # values at the ends
    high: float  # values at the ends
    first: float  # places of the ends
    last: float  # places of the ends

    def __call__(self, value: float) -> float:
        """Return the place of a value, rounded to a tenth."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.first + share * (self.last - self.first), 1)

    def ticks(self, most: int = 5) -> list[float]:
        """Return round values within the ends."""
        found = MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
        slack = 1e-9 * (self.high - self.low)
        return [float(value) for value in found if self.low - slack <= value <= self.high + slack]


def scale_over(values: Iterable[float], first: float, last: float, *, include: Iterable[float] = ()) -> AxisScale:
    """Return a scale that holds every finite value with a little room.

    >>> scale_over([float("nan")], 0, 1).low
    0.0
    """
    known = [value for value in (*values, *include) if math.isfinite(value)]
    if not known:
        return AxisScale(0.0, 1.0, first, last)
    low, high = min(known), max(known)
    if low == high:
        low, high = low - (abs(low) * 0.1 or 0.5), high + (abs(high) * 0.1 or 0.5)
    fixed = set(include)
    room = 0.06 * (high - low)
    return AxisScale(low if low in fixed else low - room, high if high in fixed else high + room, first, last)


@dataclass(frozen=True)
class Point:
    """One value of a line."""

    value: float  # NaN leaves a gap
    low: float = math.nan  # ends of its interval
    high: float = math.nan  # ends of its interval
    final: bool = True  # whether time can no longer change it; drawn hollow if not


@dataclass(frozen=True)
class Line:
    """A named line."""

    label: str
    points: Sequence[Point]  # one for every name of the axis


def figure_of(
    inner: Markup, title: str, words: str, *, width: int = WIDTH, height: int = HEIGHT, kind: str = "chart"
) -> Markup:
    """Wrap a drawing so that it scales, prints and is read out.

    >>> str(figure_of(Markup(""), "a < b", "")).count("&lt;")
    2
    """
    return Markup(
        '<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}" preserveAspectRatio="xMidYMid meet">'
        "<title>{}</title>{}</svg>"
    ).format(kind, width, height, f"{title}. {words}" if words else title, title, inner)


def draw_lines(title: str, names: Sequence[str], lines: Sequence[Line], *, unit: str = "", words: str = "") -> Markup:
    """Draw lines over named places, with their intervals as bands.

    >>> drawn = draw_lines("NPS", ["May", "June"], [Line("nps", [Point(10.0), Point(20.0, final=False)])])
    >>> "NPS. nps: 20 (June)" in drawn, drawn.count("<circle")
    (True, 2)
    """
    everything = [end for line in lines for each in line.points for end in (each.value, each.low, each.high)]
    y = scale_over(everything, HEIGHT - BOTTOM, TOP)
    x = AxisScale(0, max(len(names) - 1, 1), LEFT + 8, WIDTH - RIGHT - 8)
    parts = [_grid(y, unit), _names(x, names)]
    for number, line in enumerate(lines):
        parts += [_band(line, x, y, number), _path(line, x, y, number)]
        parts += [
            _dot(each, x(place), y, number, f"{line.label}, {names[place]}", unit) for place, each in enumerate(line.points)
        ]
    return figure_of(Markup("").join(parts), title, words or _last_words(names, lines, unit))


def draw_curves(
    title: str,
    curves: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    *,
    axes: tuple[str, str],
    units: tuple[str, str] = ("share", "share"),
    straight: bool = False,
    dotted: bool = False,
    within: Sequence[float] = (),
    words: str = "",
) -> Markup:
    """Draw curves of one number over another, on a scale that reaches over `within`, too.

    >>> "<polyline" in draw_curves("gain", [("model", [(0, 0), (1, 1)])], axes=("contacted", "reached"), straight=True)
    True
    """
    points = [point for _, curve in curves for point in curve]
    origin = [0.0] if straight else []
    x = scale_over(
        [p[0] for p in points], LEFT, WIDTH - RIGHT, include=[*origin, *([max(p[0] for p in points)] if points else [])]
    )
    y = scale_over([*within, *(p[1] for p in points)], HEIGHT - BOTTOM - 12, TOP, include=origin)
    parts = [_grid(y, units[1]), _numbers(x, units[0]), _axis_words(axes)]
    if straight:
        end = min(x.high, y.high)
        parts.append(Markup('<line class="chance" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(x(0), y(0), x(end), y(end)))
    for number, (label, curve) in enumerate(curves):
        if dotted:
            parts += [_dot(Point(b), x(a), y, number, f"{label}, {_written(a, units[0])}", units[1]) for a, b in curve]
        drawn = " ".join(f"{x(a)},{y(b)}" for a, b in curve if math.isfinite(a) and math.isfinite(b))
        parts.append(Markup('<polyline class="line c{}" points="{}"/>').format(number % 4, drawn))
    return figure_of(Markup("").join(parts), title, words)


def _written(value: float, unit: str) -> str:
    return short(value, share=unit == "share")


def _grid(y: AxisScale, unit: str) -> Markup:
    made = [
        Markup('<line class="grid" x1="{}" y1="{}" x2="{}" y2="{}"/><text class="tick end" x="{}" y="{}">{}</text>').format(
            LEFT, y(value), WIDTH - RIGHT, y(value), LEFT - 6, y(value) + 3.5, _written(value, unit)
        )
        for value in y.ticks()
    ]
    return Markup("").join(made)


def _names(x: AxisScale, names: Sequence[str]) -> Markup:
    step = max(1, -(-len(names) // _MOST_NAMES))
    made = [
        Markup('<text class="tick mid" x="{}" y="{}">{}</text>').format(x(place), HEIGHT - 10, names[place])
        for place in range(len(names) - 1, -1, -step)
    ]
    return Markup("").join(made)


def _numbers(x: AxisScale, unit: str) -> Markup:
    made = [
        Markup('<text class="tick mid" x="{}" y="{}">{}</text>').format(x(value), HEIGHT - BOTTOM + 4, _written(value, unit))
        for value in x.ticks(8)
    ]
    return Markup("").join(made)


def _axis_words(axes: tuple[str, str]) -> Markup:
    return Markup('<text class="axis mid" x="{}" y="{}">{}</text><text class="axis" x="{}" y="{}">{}</text>').format(
        (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, axes[0], LEFT + 6, TOP + 4, axes[1]
    )


def _path(line: Line, x: AxisScale, y: AxisScale, number: int) -> Markup:
    steps, drawing = [], False
    for place, each in enumerate(line.points):
        if math.isfinite(each.value):
            steps.append(f"{'L' if drawing else 'M'}{x(place)} {y(each.value)}")
        drawing = math.isfinite(each.value)
    return Markup('<path class="line c{}" d="{}"/>').format(number % 4, "".join(steps))


def _band(line: Line, x: AxisScale, y: AxisScale, number: int) -> Markup:
    known = [(place, each) for place, each in enumerate(line.points) if math.isfinite(each.low) and math.isfinite(each.high)]
    if len(known) < 2:
        return Markup("")
    above = [f"{x(place)},{y(each.high)}" for place, each in known]
    below = [f"{x(place)},{y(each.low)}" for place, each in reversed(known)]
    return Markup('<polygon class="band c{}" points="{}"/>').format(number % 4, " ".join([*above, *below]))


def _dot(each: Point, place: float, y: AxisScale, number: int, label: str, unit: str) -> Markup:
    if not math.isfinite(each.value):
        return Markup("")
    interval = f" ({_written(each.low, unit)} to {_written(each.high, unit)})" if math.isfinite(each.low) else ""
    running = "" if each.final else "; may still change"
    return Markup('<circle class="dot c{}{}" cx="{}" cy="{}" r="3.5"><title>{}</title></circle>').format(
        number % 4,
        "" if each.final else " hollow",
        place,
        y(each.value),
        f"{label}: {_written(each.value, unit)}{interval}{running}",
    )


def _last_words(names: Sequence[str], lines: Sequence[Line], unit: str) -> str:
    words = []
    for line in lines:
        known = [(place, each) for place, each in enumerate(line.points) if math.isfinite(each.value)]
        if known:
            place, last = known[-1]
            words.append(f"{line.label}: {_written(last.value, unit)} ({names[place]})")
    return "; ".join(words)
