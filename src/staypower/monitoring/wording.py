"""What monitoring says: whether to train again, what moved, what to expect, and what came true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from staypower.cutoffs import text_of
from staypower.monitoring.expected import FIGURES, Expected
from staypower.results.numbers import UNKNOWN, count, decimal, percent
from staypower.results.result import Block, Head, Heading, Items, TableBlock

if TYPE_CHECKING:
    from staypower.evaluation.resampling import Estimate
    from staypower.monitoring.result import Monitoring

__all__ = ["blocks"]

_MOST_SLICES = 12
_MOST_HISTORY = 12


def blocks(found: Monitoring) -> list[Block]:
    """Return the decision first, then its parts."""
    shown: list[Block] = [f"{found.headline}.", f"{found.age.said_at(found.cutoff)}."]
    if found.gate is not None:
        shown += found.gate.blocks()
    if found.drift is not None:
        headline, table = found.drift.blocks()
        shown += [Heading("What the model sees"), headline]
        inside = [f"in {name}: {', '.join(features)}" for name, features in found.drift.moved_in_segments.items()]
        shown += [Items(inside)] if inside else []
        shown.append(table)
    shown += [Heading(f"Expected of the scores at {text_of(found.cutoff)}, before outcomes are known"), _expected(found)]
    if found.mature:
        shown += [Heading("What came true"), _came_true(found)]
    if len(found.history) > 1:
        shown += [Heading("Earlier months"), _history(found.history)]
    return shown


def _write(name: str, value: float) -> str:
    return percent(value) if name == "churn_rate" else decimal(value)


def _estimate(name: str, figure: Estimate) -> str:
    return figure.written(lambda value: _write(name, value))


def _expected(found: Monitoring) -> TableBlock:
    rows = [_row("all accounts", found.now.all)]
    rows += [_row(name, each) for name, each in list(found.now.slices.items())[:_MOST_SLICES]]
    return TableBlock(("", "accounts", *FIGURES.values()), rows, "95% intervals are of what will be observed")


def _row(name: str, each: Expected) -> list[str]:
    return [name, count(each.accounts), *(_estimate(figure, value) for figure, value in each.figures.items())]


def _came_true(found: Monitoring) -> TableBlock:
    rows = []
    for month in found.mature:
        parts = {"all accounts": month.all}
        if month is found.mature[-1]:
            parts |= dict(list(month.slices.items())[:_MOST_SLICES])
        for name, each in parts.items():
            for figure in ("auroc", "log_loss", "churn_rate"):
                seen = UNKNOWN if each.observed is None else _write(figure, each.observed[figure])
                verdict = "outside" if each.outside(figure) else "as expected"
                rows.append(
                    [text_of(month.cutoff), name, FIGURES[figure], _estimate(figure, each.figures[figure]), seen, verdict]
                )
    return TableBlock(("cutoff", Head("accounts", "left"), Head("figure", "left"), "expected", "observed", "verdict"), rows)


def _history(entries: Sequence[Mapping[str, object]]) -> TableBlock:
    rows = []
    for entry in entries[-_MOST_HISTORY:]:
        expected, observed = (_value(entry, side) for side in ("expected", "observed"))
        moved = entry.get("moved")
        rows.append(
            [
                str(entry["cutoff"]),
                str(entry["version"]),
                decimal(expected),
                decimal(observed),
                count(len(moved)) if isinstance(moved, list) else UNKNOWN,
                "yes" if entry.get("retrain") else "no" if "retrain" in entry else UNKNOWN,
            ]
        )
    return TableBlock(("cutoff", "version", "AUROC expected", "AUROC observed", "features moved", "retrain"), rows)


def _value(entry: Mapping[str, object], side: str) -> float:
    found = entry.get(side)
    value = found.get("auroc") if isinstance(found, Mapping) else None
    value = value.get("value") if isinstance(value, Mapping) else value
    return float(value) if isinstance(value, (int, float)) else float("nan")
