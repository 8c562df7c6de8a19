"""The generated parts of `docs/evaluation.md`: what is measured, and what the model is compared with."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from staypower.evaluation.baselines import BASELINES
from staypower.evaluation.measures import METRICS

__all__ = ["document_baselines", "document_metrics"]


def document_baselines() -> str:
    """Write every baseline with how it scores."""
    rows = [(each.name, each.description, each.missing) for each in BASELINES.values()]
    return _table(("baseline", "score", "where its values are missing"), rows)


def document_metrics() -> str:
    """Write every metric with its formula; metrics of one formula share a row."""
    rows = []
    for (formula, source), members in groupby(METRICS.values(), key=lambda each: (each.formula, each.source)):
        named = list(members)
        rows.append((", ".join(f"`{each.name}`" for each in named), formula, named[0].better, source))
    return _table(("metric", "formula", "better", "convention and source"), rows)


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(heads)]
    lines += [["---"] * len(lines[0]), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
