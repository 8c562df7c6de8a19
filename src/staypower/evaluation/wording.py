"""An evaluation in words: the verdict, the tables, the findings and the notes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from staypower.evaluation.measures import METRICS, Metric, Place, WeightedScore, listed_in
from staypower.evaluation.resampling import LEVEL
from staypower.evaluation.result import Evaluation
from staypower.evaluation.rows import describe_cutoffs
from staypower.evaluation.slices import Slice
from staypower.results.blocks import Block, Heading, Items, TableBlock
from staypower.results.numbers import count, percent, plural

__all__ = ["blocks"]

_TABLES: tuple[tuple[Place, str], ...] = (
    ("ranking", "Ranking"),
    ("top of the list", "Top of the list"),
    ("probabilities", "Probabilities (-: the score only ranks)"),
    ("acting", "Contacting at capacity"),
    ("money", "Profit per account"),
)
# more columns with intervals do not fit 100 characters
_MOST_COLUMNS = 3


def blocks(evaluation: Evaluation, *, slices: bool = True) -> list[Block]:
    """Return the verdict, what was tested on, the tables, the findings and the notes; the slices only if asked for."""
    found: list[Block] = [evaluation.headline, *_facts(evaluation)]
    for place, title in _TABLES:
        used = [m for m in listed_in(place) if any(row[m.name].known for row in evaluation.scorers.values())]
        found += _score_tables(evaluation, title, used)
    found += _difference_tables(evaluation)
    for title, lines in _findings(evaluation):
        found += [Heading(title), Items(lines)]
    if slices:
        found += [_slice_table(name, members) for name, members in _by_partition(evaluation.groups).items()]
    if evaluation.notes:
        found += [Heading("Notes"), Items(evaluation.notes)]
    return found


def _facts(evaluation: Evaluation) -> list[str]:
    trained = evaluation.train_base_rate
    rate = f"{count(evaluation.churned)} churned: {evaluation.base_rate.written(percent)}"
    against = "" if trained is None else f"; {percent(trained)} in training"
    rows = f"{plural(evaluation.rows, 'row')} of {plural(evaluation.accounts, 'account')}"
    capacity = evaluation.capacity
    contacted = f" Capacity: {plural(capacity, 'account')} contacted per cutoff." if capacity else ""
    return [
        f"Tested at {describe_cutoffs(evaluation.cutoffs)}: {rows}; {rate}{against}.",
        f"In brackets: {percent(LEVEL, 0)} intervals from {evaluation.replicates} bootstrap samples of accounts.{contacted}",
    ]


def _score_tables(evaluation: Evaluation, title: str, metrics: Sequence[Metric[WeightedScore]]) -> Iterator[TableBlock]:
    for number, shown in enumerate(_portions(metrics)):
        rows = [[name, *(m.write_estimate(row[m.name]) for m in shown)] for name, row in evaluation.scorers.items()]
        yield TableBlock(["", *(m.label for m in shown)], rows, "" if number else title)


def _difference_tables(evaluation: Evaluation) -> Iterator[TableBlock]:
    title = f"Difference: {evaluation.model} minus each baseline, on the same samples"
    for number, shown in enumerate(_portions(listed_in("differences"))):
        heads = ["", *(f"{m.label}{' (< 0: better)' if m.better == 'lower' else ''}" for m in shown)]
        rows = [[name, *(m.write_difference(row[m.name]) for m in shown)] for name, row in evaluation.differences.items()]
        yield TableBlock(heads, rows, "" if number else title)


def _portions(metrics: Sequence[Metric[WeightedScore]]) -> Iterator[Sequence[Metric[WeightedScore]]]:
    """Share the columns evenly among as few tables as fit the width."""
    tables = math.ceil(len(metrics) / _MOST_COLUMNS)
    size = math.ceil(len(metrics) / max(1, tables))
    return (metrics[number * size : (number + 1) * size] for number in range(tables))


def _findings(evaluation: Evaluation) -> Iterator[tuple[str, list[str]]]:
    worst = evaluation.worst_slice
    found = {
        "Worst slice": [worst.words] if worst else [],
        "Fairness: the two groups that differ most": [gap.words for gap in evaluation.fairness],
        "Whom to contact": [plan.words for plan in evaluation.contact_plans],
    }
    return ((title, lines) for title, lines in found.items() if lines)


def _slice_table(name: str, slices: Sequence[Slice]) -> TableBlock:
    auroc, lift = METRICS["auroc"], METRICS["lift_10"]
    rows = []
    for each in slices:
        counts = [count(each.accounts), count(each.churned), percent(each.observed), percent(each.predicted)]
        measured = [auroc.write_estimate(each.auroc), lift.write(each.measures[lift.name].value)]
        rows.append([each.name, *counts, *([each.note, ""] if each.note else measured)])
    return TableBlock(["", "accounts", "churned", "observed", "predicted", auroc.label, lift.label], rows, f"By {name}")


def _by_partition(slices: Iterable[Slice]) -> dict[str, list[Slice]]:
    found: dict[str, list[Slice]] = {}
    for each in slices:
        found.setdefault(each.partition, []).append(each)
    return found
