"""An evaluation in words: the verdict, the tables, the findings, and the notes that keep a reader from misreading them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from staypower.evaluation.measures import METRICS, Place, ScoreMetric, listed_in
from staypower.evaluation.resampling import LEVEL, Estimate
from staypower.evaluation.result import Evaluation
from staypower.evaluation.rows import EvaluationRows, describe_cutoffs
from staypower.evaluation.settings import CostSettings
from staypower.evaluation.slices import FEWEST_ACCOUNTS, Slice
from staypower.metrics.profit import Profit
from staypower.results.numbers import count, decimal, percent, plural
from staypower.results.result import Block, Heading, Items, TableBlock

__all__ = ["blocks", "notes_of"]

_TABLES: tuple[tuple[Place, str], ...] = (
    ("ranking", "Ranking"),
    ("top of the list", "Top of the list"),
    ("probabilities", "Probabilities (-: the score only ranks)"),
    ("acting", "Contacting at capacity"),
    ("money", "Profit per account"),
)
# more columns with intervals do not fit 100 characters
_MOST_COLUMNS = 3
_MOST_NAMED = 8


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
        f"{_intervals(evaluation)}{contacted}",
    ]


def _intervals(evaluation: Evaluation) -> str:
    if not evaluation.base_rate.bounded:
        drawn = plural(evaluation.replicates, "bootstrap sample")
        return f"No intervals: {drawn} of accounts are too few (`evaluation.bootstrap`)."
    return f"In brackets: {percent(LEVEL, 0)} intervals from {evaluation.replicates} bootstrap samples of accounts."


def _score_tables(evaluation: Evaluation, title: str, metrics: Sequence[ScoreMetric]) -> Iterator[TableBlock]:
    for number, shown in enumerate(_portions(metrics)):
        rows = [[name, *(m.write_estimate(row[m.name]) for m in shown)] for name, row in evaluation.scorers.items()]
        yield TableBlock(["", *(m.label for m in shown)], rows, "" if number else title)


def _difference_tables(evaluation: Evaluation) -> Iterator[TableBlock]:
    title = f"Difference: {evaluation.model} minus each baseline, on the same samples"
    for number, shown in enumerate(_portions(listed_in("differences"))):
        heads = ["", *(f"{m.label}{' (< 0: better)' if m.better == 'lower' else ''}" for m in shown)]
        rows = [[name, *(m.write_difference(row[m.name]) for m in shown)] for name, row in evaluation.differences.items()]
        yield TableBlock(heads, rows, "" if number else title)


def _portions(metrics: Sequence[ScoreMetric]) -> Iterator[Sequence[ScoreMetric]]:
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


def notes_of(
    rows: EvaluationRows,
    base_rate: Estimate,
    train_base_rate: float | None,
    costs: CostSettings,
    profit_threshold: Profit | None,
    slices: Sequence[Slice],
) -> tuple[str, ...]:
    """Collect the notes of an evaluation, the most important first."""
    return (
        *_about_rows(rows),
        *_about_base_rate(base_rate, train_base_rate),
        *_about_scores(rows),
        *_about_money(costs, profit_threshold),
        *_about_slices(slices),
    )


def _about_rows(rows: EvaluationRows) -> Iterator[str]:
    accounts = int(rows.account_number.max()) + 1
    if accounts < FEWEST_ACCOUNTS:
        yield f"Only {plural(accounts, 'account')}: too few for an evaluation."
    if rows.churned.all() or not rows.churned.any():
        yield "The rows have one class only: AUROC is undefined and left blank."


def _about_base_rate(here: Estimate, trained: float | None) -> Iterator[str]:
    if trained is None:
        yield "The base rate is that of these rows, known only afterwards: the training churn rate was not given."
    elif here.excludes(trained):
        yield (
            f"The base rate has shifted: {percent(here.value)} here, {percent(trained)} in training. Probabilities are "
            "calibrated to the training churn rate; ranking is not affected."
        )


def _about_scores(rows: EvaluationRows) -> Iterator[str]:
    for name, share in rows.scored.items():
        if share < 1:
            yield f"{name} is known for {percent(share)} of the rows; missing values were set to the median."
    for name in rows.unscored:
        yield f"{name} is missing on every row and left out."


def _about_money(costs: CostSettings, threshold: Profit | None) -> Iterator[str]:
    clv, incentive, contact = costs.amounts
    if threshold is None:
        given = "costs are incomplete" if {costs.clv, costs.incentive, costs.contact} != {None} else "no costs are given"
        yield (
            f"EMPC uses the published amounts (clv {clv:g}, incentive {incentive:g}, contact {contact:g}) because {given}. "
            "Use it to compare models only; the amounts are not yours."
        )
    elif not threshold.fraction:
        yield "At these costs, contacting anyone loses money."


def _about_slices(slices: Sequence[Slice]) -> Iterator[str]:
    small = [f"{each.partition} {each.name} ({each.accounts})" for each in slices if each.note == "too small"]
    one_class = [f"{each.partition} {each.name}" for each in slices if each.note.endswith("churned")]
    off = [each for each in slices if each.calibration_gap.excludes(0.0)]
    if off:
        worst = sorted(off, key=lambda each: -abs(each.calibration_gap.value))[:_MOST_NAMED]
        named = [f"{s.partition} {s.name} ({percent(s.predicted)} predicted, {percent(s.observed)} observed)" for s in worst]
        more = f" and {len(off) - len(worst)} more" if len(off) > len(worst) else ""
        measured = sum(each.calibration_gap.bounded for each in slices)
        yield (
            f"Predicted and observed churn differ in {len(off)} of {measured} slices, each by its own interval: "
            f"{', '.join(named)}{more}. By chance alone about {decimal(measured * (1 - LEVEL), 1)} of {measured} would."
        )
    if small:
        yield f"Too small to measure (under {FEWEST_ACCOUNTS} accounts): {_named(small)}."
    if one_class:
        yield f"AUROC is undefined where only one class is present: {_named(one_class)}."


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
