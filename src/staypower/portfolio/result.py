"""The portfolio's result: every figure, as a frame, as JSON, in words and as pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from staypower.cutoffs import text_of
from staypower.portfolio.catalogue import BY_SEGMENT, METRICS, POOLED
from staypower.portfolio.figures import ALL, RUNNING, TOO_SMALL, Figure
from staypower.portfolio.periods import Periods
from staypower.results.numbers import count, decimal, interval, plain
from staypower.results.result import Block, Heading, Items, Result, TableBlock, Verbatim

__all__ = ["Portfolio"]

_PERIODS, _AGES, _NAMED = 3, 7, 3  # how many the text shows
_SMALL = "too small"
_COSTLY = "acquiring an account costs more than its lifetime value"


@dataclass(frozen=True, eq=False)
class Portfolio(Result, drawn_by="staypower.portfolio.drawing"):
    """The figures of a portfolio by period, segment and cohort.

    The text shows the latest periods, the segments of the last complete one, customer value and cohorts. The pictures are
    `customers`, `revenue`, `attitude`, `support`, `orders` and `cohorts`, as far as there are figures.

    Parameters
    ----------
    figures : tuple of Figure
    periods : Periods
    left_out : mapping of str to str
        What could not be measured, and why.
    files : tuple of Path, default ()
        Where the rows and the pictures were written.

    Examples
    --------
    >>> nothing = Portfolio((), Periods((), (), 0), {})
    >>> nothing.alerts
    ()
    """

    figures: tuple[Figure, ...]
    periods: Periods
    left_out: Mapping[str, str]
    files: tuple[Path, ...] = ()

    @property
    def alerts(self) -> tuple[str, ...]:
        """Where acquiring an account costs more than its lifetime value."""
        found = [each for each in self.figures if each.metric == "clv_to_cac" and each.value < 1]
        return tuple(f"{_who(each)}: CLV is {decimal(each.value, 2)} times CAC: {_COSTLY}" for each in found)

    def __repr__(self) -> str:
        return f"Portfolio of {len(self.periods.starts)} periods, {len(self.figures):,} figures"

    def frame(self) -> pd.DataFrame:
        """Return one row per figure.

        Returns
        -------
        DataFrame
            `metric`, `period_start`, `period_end` (exclusive, UTC), `complete`, `segment` and `segment_value` (both `all` for
            all accounts), `age` (cohorts: periods since the end of their first), `value`, `low` and `high` (95% interval),
            `n` (what the value is a share or mean of), `unit`, `note`.
        """
        columns = {name: [getattr(each, name) for each in self.figures] for name in Figure.__dataclass_fields__}
        frame = pd.DataFrame(columns)
        for name in ("period_start", "period_end"):
            moments = np.array(columns[name], dtype=np.int64).view("datetime64[us]")
            frame[name] = pd.DatetimeIndex(moments).tz_localize("UTC")
        for name in ("n", "age"):
            frame[name] = pd.array(columns[name], dtype="Int64")
        for name in ("value", "low", "high"):
            frame[name] = frame[name].astype("float64")
        frame["unit"] = [METRICS[name].unit for name in columns["metric"]]
        order = ["metric", "period_start", "period_end", "complete", "segment", "segment_value", "age"]
        return frame[[*order, "value", "low", "high", "n", "unit", "note"]]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; what is missing is None."""
        written = {"rows": str(self.files[0]), "pictures": [str(path) for path in self.files[1:]]} if self.files else {}
        return {
            **written,
            "observed_until": text_of(self.periods.observed_until),
            "period": self.periods.period,
            "alerts": list(self.alerts),
            "left_out": dict(self.left_out),
            "figures": [_plain(each) for each in self.figures],
        }

    def blocks(self) -> Sequence[Block]:
        """Return the latest periods, the segments of the last complete one, value, cohorts, alerts and notes."""
        until = text_of(self.periods.observed_until - 1)[:10]
        about = f"Portfolio by {self.periods.period}, data until {until}"
        found: list[Block] = [f"{about} (* still running; [..] 95% interval)", *_summary(self), *_segments(self)]
        found += [*_value(self), *_cohorts(self)]
        lists = {"Alerts": self.alerts, "Notes": _notes(self), "Left out": [f"{n}: {why}" for n, why in self.left_out.items()]}
        for title, lines in lists.items():
            found += [Heading(title), Items(lines)] if lines else []
        found += [Heading("Files"), Verbatim([str(path) for path in self.files])] if self.files else []
        return found


def _who(figure: Figure) -> str:
    return "all accounts" if figure.segment == ALL else f"{figure.segment} {figure.segment_value}"


def _plain(figure: Figure) -> dict[str, Any]:
    values = {name: plain(getattr(figure, name)) for name in Figure.__dataclass_fields__}
    dates = {name: text_of(getattr(figure, name)) for name in ("period_start", "period_end")}
    return {**values, **dates, "unit": METRICS[figure.metric].unit}


def _written(figure: Figure | None, *, ends: bool = True) -> str:
    """Write a figure, and the ends of its interval unless its sampling error says little, as of money."""
    if figure is None:
        return ""
    if figure.note.startswith(TOO_SMALL):
        return _SMALL
    metric = METRICS[figure.metric]
    value = metric.write(figure.value)
    bounds = interval(figure.low, figure.high, lambda end: metric.write(end).removesuffix("%"))
    return f"{value} [{bounds}]" if ends and bounds and metric.unit != "money" else value


def _over_time(portfolio: Portfolio) -> Iterator[Figure]:
    """Yield the figures of all accounts, a value per period."""
    for each in portfolio.figures:
        if each.segment == ALL and each.age is None and each.metric not in POOLED:
            yield each


def _summary(portfolio: Portfolio) -> Iterator[TableBlock]:
    latest = portfolio.periods.starts[-_PERIODS:]
    running = dict(zip(portfolio.periods.starts, portfolio.periods.running, strict=True))
    found = {(each.metric, each.period_start): each for each in _over_time(portfolio)}
    there = {metric for metric, _ in found}
    rows = [
        [metric.label, *(_written(found.get((name, start))) for start in latest)]
        for name, metric in METRICS.items()
        if name in there
    ]
    if rows:
        yield TableBlock(["", *(portfolio.periods.name(start) + "*" * bool(running[start]) for start in latest)], rows)


def _segments(portfolio: Portfolio) -> Iterator[TableBlock]:
    """Show the segments of the last complete period, a table per attribute."""
    complete = [start for start, busy in zip(portfolio.periods.starts, portfolio.periods.running, strict=True) if not busy]
    here = [each for each in portfolio.figures if complete and each.period_start == complete[-1] and each.age is None]
    for column in dict.fromkeys(each.segment for each in here if each.segment != ALL):
        own = {(each.metric, each.segment_value): each for each in here if each.segment == column}
        there = {metric for metric, _ in own}
        metrics = [name for name in BY_SEGMENT if name in there][:_PERIODS]
        values = dict.fromkeys(value for _, value in own)
        rows = [[value, *(_written(own.get((name, value))) for name in metrics)] for value in values]
        head = f"By {column}, {portfolio.periods.name(complete[-1])}"
        yield TableBlock([head, *(METRICS[name].label for name in metrics)], rows)


def _value(portfolio: Portfolio) -> Iterator[Block]:
    own = [each for each in portfolio.figures if each.metric in POOLED]
    if not own:
        return
    found = {(each.metric, _who(each)): each for each in own}
    metrics = [name for name in METRICS if any(name == metric for metric, _ in found)]
    rows = [
        [who, *(_written(found.get((name, who)), ends=False) for name in metrics)]
        for who in dict.fromkeys(who for _, who in found)
    ]
    head = f"Value, months until {text_of(own[0].period_end - 1)[:10]}"
    yield TableBlock([head, *(METRICS[name].label for name in metrics)], rows)
    yield f"CLV: {found['clv', 'all accounts'].note}"


def _cohorts(portfolio: Portfolio) -> Iterator[TableBlock]:
    own = [each for each in portfolio.figures if each.metric == "cohort_retention" and each.segment == ALL]
    rows = []
    for start in dict.fromkeys(each.period_start for each in own):
        ages = {each.age: each for each in own if each.period_start == start}
        shares = [_written(ages.get(age), ends=False) for age in range(1, _AGES + 1)]
        rows.append([portfolio.periods.name(start), count(ages[0].n or 0), *shares])
    if rows:
        columns = ["began", "n", *(f"age {age}" for age in range(1, _AGES + 1))]
        yield TableBlock(columns, rows, title="Cohorts: share still customers")


def _notes(portfolio: Portfolio) -> list[str]:
    """Write the notes of the periods shown; metrics and periods with the same note stand together."""
    shown = portfolio.periods.starts[-_PERIODS:]
    grouped: dict[str, list[Figure]] = {}
    for each in _over_time(portfolio):
        note = each.note.removeprefix(RUNNING).removeprefix("; ")
        if note and each.period_start in shown:
            grouped.setdefault(note, []).append(each)
    return [f"{_named(figures)}{_dated(portfolio.periods, figures, shown)}: {note}" for note, figures in grouped.items()]


def _named(figures: Iterable[Figure]) -> str:
    labels = list(dict.fromkeys(METRICS[each.metric].label for each in figures))
    return ", ".join(labels) if len(labels) <= _NAMED else f"{len(labels)} figures"


def _dated(periods: Periods, figures: Iterable[Figure], shown: Sequence[int]) -> str:
    names = list(dict.fromkeys(periods.name(each.period_start) for each in figures))
    return "" if len(names) == len(shown) else f" ({', '.join(names)})"
