"""An evaluation in words: the verdict, and aligned tables of at most 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from staypower.cutoffs import text_of
from staypower.evaluation.measures import METRICS, Metric, position
from staypower.evaluation.resampling import LEVEL, Estimate
from staypower.evaluation.rows import BASE_RATE

if TYPE_CHECKING:
    from staypower.evaluation.groups import Group
    from staypower.evaluation.result import Evaluation

__all__ = ["findings_of", "headline_of", "split_in_words", "text_of_evaluation"]

WIDTH = 100
_NAME, _SHORTEST = 20, 12
_BLOCKS = (
    ("Ranking", ("auroc", "average_precision", "lift_5", "lift_10")),
    ("Probabilities (blank: the score only ranks)", ("log_loss", "brier", "brier_skill", "calibration_error")),
    ("Acting{capacity}", ("lift_20", "precision_at_capacity", "recall_at_capacity", "empc")),
    ("Money, per account", ("maximum_profit", "instance_dependent_maximum_profit")),
)
_DIFFERENCES = ("auroc", "average_precision", "log_loss")


def split_in_words(split: str) -> str:
    """Name a split; a snapshot says itself that it is no temporal test.

    >>> split_in_words("snapshot")
    'snapshot (not a temporal test)'
    >>> split_in_words("temporal")
    'temporal'
    """
    said = "not a temporal test" in split
    return split if said or not split.strip().startswith("snapshot") else f"{split.strip()} (not a temporal test)"


def headline_of(evaluation: Evaluation) -> str:
    """Say whether the model beats its baselines; what it does not beat comes first."""
    model = evaluation.scorers[evaluation.model]
    if not model["auroc"].known:
        which = "every row churned" if evaluation.churned else "no row churned"
        return f"The ranking cannot be judged: {which} among {evaluation.rows:,}. Split: {evaluation.split}."
    failures = _failures(evaluation)
    unproven = [name for name in evaluation.baselines if _unproven(evaluation.differences[name]["auroc"])]
    sentences = []
    if failures:
        sentences.append(f"The model does not beat {_listed(failures)}.")
    if unproven:
        who = "It" if failures else "The model"
        sentences.append(f"{who} is not shown to beat {_listed(unproven)} in AUROC: the interval of the difference holds 0.")
    sentences.append(_standing(evaluation, beaten_all=not failures and not unproven))
    sentences.append(f"Split: {evaluation.split}.")
    return " ".join(sentences)


def _failures(evaluation: Evaluation) -> list[str]:
    model = evaluation.scorers[evaluation.model]
    found = []
    for name in evaluation.baselines:
        if evaluation.differences[name]["auroc"].value <= 0:
            theirs = evaluation.scorers[name]["auroc"].value
            found.append(f"{name} in AUROC ({model['auroc'].value:.3f} against {theirs:.3f})")
    constant = evaluation.differences.get(BASE_RATE, {}).get("log_loss")
    if constant is not None and constant.known and constant.value >= 0:
        theirs = evaluation.scorers[BASE_RATE]["log_loss"].value
        found.append(f"the base rate in log loss ({model['log_loss'].value:.4f} against {theirs:.4f})")
    return found


def _unproven(difference: Estimate) -> bool:
    return difference.bounded and difference.value > 0 and not difference.excludes(0.0)


def _standing(evaluation: Evaluation, *, beaten_all: bool) -> str:
    auroc = evaluation.scorers[evaluation.model]["auroc"]
    known = [name for name in evaluation.baselines if evaluation.scorers[name]["auroc"].known]
    best = max(known, key=lambda name: evaluation.scorers[name]["auroc"].value, default=None)
    start = "The model beats every baseline in AUROC" if beaten_all else "AUROC"
    against = f"; the best baseline, {best}, {evaluation.scorers[best]['auroc'].value:.3f}" if best else ""
    return f"{start}: {_shown(auroc, 3, ' to ')}{against}."


def text_of_evaluation(evaluation: Evaluation, *, groups: bool) -> str:
    """Write the verdict and the tables."""
    parts = ["\n".join([_wrapped(evaluation.headline), "", *(_wrapped(line) for line in _facts(evaluation))])]
    for title, names in _BLOCKS:
        metrics = [METRICS[position(name)] for name in names]
        used = [m for m in metrics if any(row[m.name].known for row in evaluation.scorers.values())]
        if used:
            parts.append(_scorer_table(evaluation, title, used))
    parts.append(_difference_table(evaluation))
    found = findings_of(evaluation).items()
    parts += ["\n".join([title, *(_wrapped(f"  {line}", "    ") for line in lines)]) for title, lines in found]
    if groups:
        parts += [_group_table(name, list(members)) for name, members in _by_partition(evaluation.groups).items()]
    if evaluation.notes:
        parts.append("\n".join(["Notes", *(_wrapped(f"- {note}", "  ") for note in evaluation.notes)]))
    return "\n\n".join(parts) + "\n"


def findings_of(evaluation: Evaluation) -> dict[str, list[str]]:
    """Say what was found about accounts, slices, fairness and money, under a title each."""
    worst, memory = evaluation.worst_slice, evaluation.memory
    told = {
        "Accounts known and never seen": [memory.words] if memory else [],
        "Worst slice": [worst.words] if worst else [],
        "Fairness: the two groups farthest apart": [gap.words for gap in evaluation.fairness],
        "Whom to contact": [plan.words for plan in evaluation.contact_plans],
    }
    return {title: lines for title, lines in told.items() if lines}


def _facts(evaluation: Evaluation) -> list[str]:
    dates = [text_of(cutoff) for cutoff in evaluation.cutoffs]
    when = dates[0] if len(dates) == 1 else f"{len(dates)} cutoffs, {dates[0]} to {dates[-1]}"
    base, trained = evaluation.base_rate, evaluation.train_base_rate
    rate = f"{evaluation.churned:,} churned: {_percent(base)}"
    against = "" if trained is None else f"; {100 * trained:.1f} % in training"
    return [
        f"Split {evaluation.split}; {when}; {evaluation.rows:,} rows of {evaluation.accounts:,} accounts; {rate}{against}.",
        f"In brackets: {100 * LEVEL:.0f} % intervals, {evaluation.replicates} bootstrap samples of accounts.",
    ]


def _scorer_table(evaluation: Evaluation, title: str, metrics: Sequence[Metric]) -> str:
    capacity = f" (precision and recall: {evaluation.capacity:,} accounts a cutoff)" if evaluation.capacity else ""
    header = [title.format(capacity=capacity)]
    rows = [[name, *(_shown(row[m.name], m.digits) for m in metrics)] for name, row in evaluation.scorers.items()]
    return "\n".join([*header, _aligned([["", *(m.label for m in metrics)], *rows], 20)])


def _difference_table(evaluation: Evaluation) -> str:
    metrics = [METRICS[position(name)] for name in _DIFFERENCES]
    heads = ["", *(f"{m.label}{' (< 0 better)' if m.better == 'lower' else ''}" for m in metrics)]
    rows = [[name, *(_shown(row[m.name], m.digits, sign="+") for m in metrics)] for name, row in evaluation.differences.items()]
    return "\n".join([f"Difference: {evaluation.model} minus each, on the same samples", _aligned([heads, *rows], 26)])


def _group_table(name: str, groups: Sequence[Group]) -> str:
    rows = [["", "accounts", "churned", "observed", "predicted", "AUROC", "lift at 10 %"]]
    for group in groups:
        predicted = "" if group.predicted != group.predicted else f"{100 * group.predicted:.1f} %"
        measured = [group.note, ""] if group.note else [_shown(group.auroc, 3), f"{group.lift_10.value:.2f}"]
        counts = [f"{group.accounts:,}", f"{group.churned:,}", f"{100 * group.observed:.1f} %", predicted]
        rows.append([group.name, *counts, *measured])
    return "\n".join([f"By {name}", _aligned(rows, 11, wide={5: 21, 6: 14})])


def _by_partition(groups: Iterable[Group]) -> dict[str, list[Group]]:
    found: dict[str, list[Group]] = {}
    for group in groups:
        found.setdefault(group.partition, []).append(group)
    return found


def _aligned(rows: Sequence[Sequence[str]], width: int, wide: dict[int, int] | None = None) -> str:
    longest = [max(len(row[at]) for row in rows) + 1 for at in range(1, len(rows[0]))]
    widths = [max((wide or {}).get(at, width), least) for at, least in enumerate(longest, start=1)]
    room = _NAME
    if room + sum(widths) > WIDTH:
        # wide intervals: columns no wider than they must be, and if need be shorter names
        widths, room = longest, max(_SHORTEST, min(_NAME, WIDTH - sum(longest)))
    lines = []
    for name, *cells in rows:
        kept = name if len(name) < room else f"{name[: room - 4]}..."
        lines.append((kept.ljust(room) + "".join(c.rjust(w) for c, w in zip(cells, widths, strict=True))).rstrip())
    return "\n".join(lines)


def _shown(estimate: Estimate, digits: int, join: str = "-", *, sign: str = "") -> str:
    if not estimate.known:
        return ""
    # Amounts of money have two digits, unless they are so large that cents only widen the table.
    digits = 0 if digits == 2 and abs(estimate.value) >= 1000 else digits
    value = f"{estimate.value:{sign},.{digits}f}"
    if not estimate.bounded or estimate.low == estimate.high:
        return value
    if sign or estimate.low < 0:
        join = " to "
    return f"{value} ({estimate.low:,.{digits}f}{join}{estimate.high:,.{digits}f})"


def _percent(estimate: Estimate) -> str:
    interval = f" ({100 * estimate.low:.1f} to {100 * estimate.high:.1f})" if estimate.bounded else ""
    return f"{100 * estimate.value:.1f} %{interval}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False)
