"""The generated parts of `docs/evaluation.md`, `portfolio.md` and `actions.md`: metrics, baselines, measures of a playbook."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from staypower.actions.playbook import FEATURE_MEASURES, MEASURES
from staypower.evaluation.baselines import BASELINES
from staypower.evaluation.measures import METRICS
from staypower.portfolio.catalogue import FAMILIES

__all__ = ["document_baselines", "document_family", "document_measures", "document_metrics"]


def document_baselines() -> str:
    """Write every baseline with how it scores."""
    rows = [(each.name, each.description, each.missing) for each in BASELINES.values()]
    return _table(("baseline", "score", "where its values are missing"), rows)


def document_metrics() -> str:
    """Write every metric of an evaluation."""
    return _metrics(METRICS.values())


def document_family(family: str) -> str:
    """Write every metric of a family of the portfolio."""
    return _metrics(FAMILIES[family])


def document_measures() -> str:
    """Write every measure that a condition of a playbook may use."""
    rows = [(f"`{name}`", words, "features" if name in FEATURE_MEASURES else "scores") for name, words in MEASURES.items()]
    return _table(("measure", "meaning", "from"), rows)


def _metrics(metrics: Iterable[Any]) -> str:
    """Write metrics with their formulas; neighbours of one formula share a row."""
    rows = []
    for (formula, better, source), members in groupby(metrics, key=lambda each: (each.formula, each.better, each.source)):
        rows.append((", ".join(f"`{each.name}`" for each in members), formula, better, source))
    return _table(("metric", "formula", "better", "convention and source"), rows)


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(heads)]
    lines += [["---"] * len(lines[0]), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
