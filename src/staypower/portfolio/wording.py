"""The portfolio in words: aligned tables of at most 100 columns."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from staypower.cutoffs import text_of
from staypower.portfolio.catalogue import METRICS, Unit
from staypower.portfolio.figures import RUNNING
from staypower.portfolio.segments import ALL

if TYPE_CHECKING:
    from staypower.portfolio.figures import Figure
    from staypower.portfolio.result import Portfolio

__all__ = ["period_name", "say_value", "summary_frame", "text_of_portfolio"]

WIDTH = 100
_LABEL, _COLUMN, _COLUMNS, _AGES = 31, 23, 3, 7
_BY_SEGMENT = ("customer_churn_rate", "net_revenue_retention", "nps", "csat", "sla_attainment", "margin_per_active_account")
_POOLED = ("monthly_retention", "clv", "cac_of_months", "clv_to_cac")
_SMALL = "too small"


def period_name(start: int, period: str) -> str:
    """Name a calendar period.

    >>> period_name(0, "month"), period_name(0, "quarter")
    ('1970-01', '1970-Q1')
    """
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=start)
    return f"{moment:%Y-%m}" if period == "month" else f"{moment:%Y}-Q{(moment.month + 2) // 3}"


def say_value(value: float, unit: Unit) -> str:
    """Write a value with as many digits as its unit bears.

    >>> say_value(0.0312, "share"), say_value(12345.678, "money"), say_value(float("nan"), "share")
    ('3.1 %', '12,345.68', '-')
    """
    if not math.isfinite(value):
        return "-"
    if unit == "share":
        return f"{100 * value:.1f} %"
    if unit == "accounts":
        return f"{value:,.0f}"
    if unit == "money":
        return f"{value:,.2f}"
    return f"{value:.2f}" if unit in ("ratio", "scale") else f"{value:.1f}"


def _say(figure: Figure | None) -> str:
    if figure is None:
        return ""
    if figure.note.startswith(_SMALL):
        return _SMALL
    unit = METRICS[figure.metric].unit
    shown = say_value(figure.value, unit)
    if not math.isfinite(figure.low) or unit == "money":
        return shown
    low, high = (say_value(end, unit).removesuffix(" %") for end in (figure.low, figure.high))
    return f"{shown} [{low}, {high}]"


def summary_frame(portfolio: Portfolio) -> pd.DataFrame:
    """Return everybody's figures, a row a metric and a column a period; a running period carries a star."""
    return pd.DataFrame(_summary(portfolio, portfolio.periods.starts)).T


def _summary(portfolio: Portfolio, starts: Sequence[int]) -> dict[str, dict[str, str]]:
    found = {
        (each.metric, each.period_start): each
        for each in portfolio.figures
        if each.segment == ALL and each.age is None and each.metric not in _POOLED
    }
    running = dict(zip(portfolio.periods.starts, portfolio.periods.running, strict=True))
    names = {start: period_name(start, portfolio.settings.period) + ("*" if running[start] else "") for start in starts}
    there = {metric for metric, _ in found}
    return {
        METRICS[metric].label: {names[start]: _say(found.get((metric, start))) for start in starts}
        for metric in METRICS
        if metric in there
    }


def text_of_portfolio(portfolio: Portfolio) -> str:
    """Write the latest periods, the segments of the last complete one, worth, cohorts, alerts and what is missing."""
    until = text_of(portfolio.periods.observed_until - 1)[:10]
    lines = [f"Portfolio by {portfolio.settings.period}, known until {until} (* still running; [..] 95 % interval)", ""]
    latest = portfolio.periods.starts[-_COLUMNS:]
    summary = _summary(portfolio, latest)
    if summary:
        heads = list(next(iter(summary.values())))
        lines += [_row("", heads), *(_row(label, [cells[head] for head in heads]) for label, cells in summary.items())]
    lines += [*_segments(portfolio), *_worth(portfolio), *_cohorts(portfolio)]
    if portfolio.alerts:
        lines += ["", "Alerts", *_wrapped(portfolio.alerts)]
    notes = _notes(portfolio, latest)
    if notes:
        lines += ["", "Notes", *_wrapped(notes)]
    if portfolio.left_out:
        lines += ["", "Left out", *_wrapped(f"{name}: {why}" for name, why in portfolio.left_out.items())]
    return "\n".join(line.rstrip() for line in lines)


def _row(label: str, cells: Iterable[str], width: int = _COLUMN) -> str:
    return f"{label[:_LABEL]:<{_LABEL}}" + "".join(f"{cell:>{width}}" for cell in cells)


def _wrapped(lines: Iterable[str]) -> list[str]:
    return [part for line in lines for part in textwrap.wrap(f"- {line}", WIDTH, subsequent_indent="  ")]


def _segments(portfolio: Portfolio) -> list[str]:
    complete = [start for start, busy in zip(portfolio.periods.starts, portfolio.periods.running, strict=True) if not busy]
    if not complete:
        return []
    here = [each for each in portfolio.figures if each.period_start == complete[-1] and each.age is None]
    lines: list[str] = []
    for column in dict.fromkeys(each.segment for each in here if each.segment != ALL):
        own = {(each.metric, each.segment_value): each for each in here if each.segment == column}
        metrics = [name for name in _BY_SEGMENT if any(metric == name for metric, _ in own)][:_COLUMNS]
        lines += ["", _row(f"By {column}, {period_name(complete[-1], portfolio.settings.period)}", _labels(metrics))]
        for value in dict.fromkeys(value for _, value in own):
            lines.append(_row(f"  {value}", [_say(own.get((metric, value))) for metric in metrics]))
    return lines


def _labels(metrics: Iterable[str]) -> list[str]:
    return [METRICS[name].label.replace("revenue retention", "rev. retention")[: _COLUMN - 1] for name in metrics]


def _worth(portfolio: Portfolio) -> list[str]:
    found = {(each.metric, each.segment, each.segment_value): each for each in portfolio.figures if each.metric in _POOLED}
    if not found:
        return []
    metrics = [name for name in _POOLED if any(metric == name for metric, _, _ in found)]
    first = next(iter(found.values()))
    until = text_of(first.period_end - 1)[:10]
    width = (WIDTH - _LABEL) // len(metrics)
    heads = [{"cac_of_months": "CAC", "clv": "CLV"}.get(name, METRICS[name].label) for name in metrics]
    lines = ["", _row(f"Worth, months until {until}", heads, width)]
    for segment, value in dict.fromkeys((segment, value) for _, segment, value in found):
        name = "all" if segment == ALL else f"  {segment} {value}"
        cells = [_say(found.get((metric, segment, value))).partition(" [")[0] for metric in metrics]
        lines.append(_row(name, cells, width))
    note = found[("clv", ALL, ALL)].note
    return [*lines, *textwrap.wrap(f"CLV: {note}", WIDTH, initial_indent="  ", subsequent_indent="  ")]


def _cohorts(portfolio: Portfolio) -> list[str]:
    own = [each for each in portfolio.figures if each.metric == "cohort_retention" and each.segment == ALL]
    if not own:
        return []
    width = (WIDTH - _LABEL) // (_AGES + 1)
    ages = [f"age {age}" for age in range(1, _AGES + 1)]
    lines = ["", _row("Cohorts: still customers", ["n", *ages], width)]
    for start in dict.fromkeys(each.period_start for each in own):
        row = {each.age: each for each in own if each.period_start == start}
        cells = [_say(row.get(age)).partition(" [")[0] for age in range(1, _AGES + 1)]
        lines.append(_row(f"  began {period_name(start, portfolio.settings.period)}", [str(row[0].n), *cells], width))
    return lines


def _notes(portfolio: Portfolio, starts: Sequence[int]) -> list[str]:
    """Say what must be known of the shown figures; metrics and periods with the same note stand together."""
    grouped: dict[str, list[Figure]] = {}
    for each in portfolio.figures:
        note = each.note.removeprefix(RUNNING).removeprefix("; ")
        if note and each.segment == ALL and each.age is None and each.period_start in starts and each.metric not in _POOLED:
            grouped.setdefault(note, []).append(each)
    found = []
    for note, figures in grouped.items():
        periods = list(dict.fromkeys(period_name(each.period_start, portfolio.settings.period) for each in figures))
        labels = list(dict.fromkeys(METRICS[each.metric].label.removeprefix("... ") for each in figures))
        named = ", ".join(labels) if len(labels) <= _COLUMNS else f"{len(labels)} figures"
        found.append(f"{named}{'' if len(periods) == len(starts) else ' (' + ', '.join(periods) + ')'}: {note}")
    return found
