"""What a reader must know so as not to misread an evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from staypower.evaluation.groups import FEWEST_ACCOUNTS, Group

if TYPE_CHECKING:
    from staypower.evaluation.resampling import Estimate
    from staypower.evaluation.rows import Rows
    from staypower.evaluation.settings import CostSettings
    from staypower.metrics.profit import Profit

__all__ = ["notes_of"]

_MOST_NAMED = 8


def notes_of(
    rows: Rows,
    *,
    base_rate: Estimate,
    train_base_rate: float | None,
    costs: CostSettings,
    profit_threshold: Profit | None,
    groups: Sequence[Group],
) -> tuple[str, ...]:
    """Collect the notes of an evaluation, the weightiest first."""
    return (
        *_about_rows(rows),
        *_about_base_rate(base_rate, train_base_rate),
        *_about_scores(rows),
        *_about_money(costs, profit_threshold),
        *_about_groups(groups),
    )


def _about_rows(rows: Rows) -> Iterator[str]:
    accounts = int(rows.account_number.max()) + 1
    if accounts < FEWEST_ACCOUNTS:
        yield f"Only {accounts} accounts: too few to judge anything."
    if rows.churned.all() or not rows.churned.any():
        yield "Only one class among the rows: AUROC does not exist and is left blank."


def _about_base_rate(here: Estimate, trained: float | None) -> Iterator[str]:
    if trained is None:
        yield "The base rate is that of these rows, known only afterwards: training's was not given."
    elif here.excludes(trained):
        yield (
            f"The base rate has shifted: {100 * here.value:.1f} % here against {100 * trained:.1f} % in training. "
            "Probabilities are made for training's; ranking does not suffer from it."
        )


def _about_scores(rows: Rows) -> Iterator[str]:
    for name, share in rows.scored.items():
        if share < 1:
            yield f"{name} is known on {100 * share:.1f} % of the rows; the others stand at its middle."
    for name in rows.unscored:
        yield f"{name} is known on no row and is left out."


def _about_money(costs: CostSettings, threshold: Profit | None) -> Iterator[str]:
    clv, incentive, contact = costs.amounts
    if threshold is None:
        given = "costs are incomplete" if {costs.clv, costs.incentive, costs.contact} != {None} else "no costs are given"
        yield (
            f"EMPC is at the published amounts (clv {clv:g}, incentive {incentive:g}, contact {contact:g}) because {given}: it "
            "compares scores and is nobody's money."
        )
    elif not threshold.fraction:
        yield "At these costs no contact pays: the profit curve is highest at nobody."


def _about_groups(groups: Sequence[Group]) -> Iterator[str]:
    small = [f"{group.partition} {group.name} ({group.accounts})" for group in groups if group.note == "too small"]
    one_class = [f"{group.partition} {group.name}" for group in groups if group.note.endswith("churned")]
    off = [group for group in groups if group.calibration_gap.excludes(0.0)]
    if off:
        worst = sorted(off, key=lambda group: -abs(group.calibration_gap.value))[:_MOST_NAMED]
        named = [f"{g.partition} {g.name} ({100 * g.predicted:.1f} % against {100 * g.observed:.1f} %)" for g in worst]
        more = f" and {len(off) - len(worst)} more" if len(off) > len(worst) else ""
        measured = sum(group.calibration_gap.bounded for group in groups)
        yield f"Predicted and observed churn differ beyond chance in {len(off)} of {measured} groups: {', '.join(named)}{more}."
    if small:
        yield f"Too small to measure, under {FEWEST_ACCOUNTS} accounts: {_named(small)}."
    if one_class:
        yield f"AUROC does not exist where only one class is present: {_named(one_class)}."


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
