"""What a reader must know so as not to misread an evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from staypower.evaluation.resampling import Estimate
from staypower.evaluation.rows import EvaluationRows
from staypower.evaluation.settings import CostSettings
from staypower.evaluation.slices import FEWEST_ACCOUNTS, Slice
from staypower.metrics.profit import Profit
from staypower.results.numbers import percent, plural

__all__ = ["notes_of"]

_MOST_NAMED = 8


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
        yield f"Predicted and observed churn differ significantly in {len(off)} of {measured} slices: {', '.join(named)}{more}."
    if small:
        yield f"Too small to measure (under {FEWEST_ACCOUNTS} accounts): {_named(small)}."
    if one_class:
        yield f"AUROC is undefined where only one class is present: {_named(one_class)}."


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
