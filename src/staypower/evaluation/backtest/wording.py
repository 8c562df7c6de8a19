"""A backtest in words: the verdict, and aligned tables of at most 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from staypower.cutoffs import text_of

if TYPE_CHECKING:
    from staypower.evaluation.backtest.result import Backtest, FoldResult
    from staypower.evaluation.resampling import Estimate

__all__ = ["headline_of", "text_of_backtest"]

WIDTH = 100


def headline_of(backtest: Backtest) -> str:
    """Say whether the model beats its baselines over all folds, and how steady it is."""
    sentences = [backtest.pooled.headline]
    ranked = [fold for fold in backtest.folds if fold.evaluation.scorers[fold.evaluation.model]["auroc"].known]
    if len(ranked) > 1:
        values = [_auroc(fold).value for fold in ranked]
        ahead = sum(_ahead(fold) for fold in ranked)
        sentences.append(
            f"By fold, AUROC is {min(values):.3f} to {max(values):.3f}; ahead of every baseline in {ahead} of {len(ranked)}."
        )
    return " ".join(sentences)


def _auroc(fold: FoldResult) -> Estimate:
    return fold.evaluation.scorers[fold.evaluation.model]["auroc"]


def _ahead(fold: FoldResult) -> bool:
    differences = fold.evaluation.differences.values()
    return all(not row["auroc"].known or row["auroc"].value > 0 for row in differences)


def text_of_backtest(backtest: Backtest) -> str:
    """Write the verdict, the folds, the model by age, and the pooled evaluation."""
    parts = [_wrapped(backtest.headline), _fold_table(backtest.folds)]
    parts += ["\n".join(["Calibration over folds", *_calibration(backtest.folds)])]
    if len(backtest.ages) > 1:
        parts.append(_age_table(backtest))
    parts += ["\n".join(_wrapped(f"- {said}", "  ") for said in backtest.left_out)] if backtest.left_out else []
    return "\n\n".join(parts) + "\n\nAll folds together\n\n" + backtest.pooled.text()


def _fold_table(folds: Sequence[FoldResult]) -> str:
    rows = [["tested at", "learned until", "rows", "tested", "churned", "AUROC", "baseline", "log loss"]]
    for fold in folds:
        found = fold.evaluation
        row = found.scorers[found.model]
        known = [(found.scorers[name]["auroc"].value, name) for name in found.baselines if found.scorers[name]["auroc"].known]
        best = "" if not known else f"{max(known)[0]:.3f}"
        rows.append(
            [
                text_of(fold.cutoff),
                text_of(fold.trained_until),
                f"{fold.learned_rows:,}",
                f"{found.rows:,}",
                f"{found.churned:,}",
                _shown(row["auroc"]),
                best,
                _shown(row["log_loss"]),
            ]
        )
    title = "Folds (each model learned only what was known at its test cutoff; baseline: AUROC of the best one)"
    return "\n".join([title, _aligned(rows)])


def _calibration(folds: Sequence[FoldResult]) -> list[str]:
    rows = [["tested at", "in training", "predicted", "happened", "calibration error"]]
    drifting = []
    for fold in folds:
        found = fold.evaluation
        row, rate = found.scorers[found.model], found.base_rate
        predicted = row["mean_score"].value
        if rate.excludes(predicted):
            drifting.append((text_of(fold.cutoff), predicted < rate.value))
        rows.append(
            [
                text_of(fold.cutoff),
                "" if found.train_base_rate is None else f"{100 * found.train_base_rate:.1f} %",
                f"{100 * predicted:.1f} %",
                f"{100 * rate.value:.1f} %" + (f" ({100 * rate.low:.1f} to {100 * rate.high:.1f})" if rate.bounded else ""),
                _shown(row["calibration_error"]),
            ]
        )
    low, high = ([when for when, too_little in drifting if too_little is side] for side in (True, False))
    said = []
    if low:
        said.append(f"More churned than predicted, beyond chance, at {', '.join(low)}.")
    if high:
        said.append(f"Fewer churned than predicted, beyond chance, at {', '.join(high)}.")
    if not said:
        said = ["At no fold does what happened leave what was predicted outside its interval."]
    return [_aligned(rows), *(_wrapped(line) for line in said)]


def _age_table(backtest: Backtest) -> str:
    rows = [["older by", "cutoffs", "rows", "AUROC", "minus fresh", "log loss", "minus fresh"]]
    for point in backtest.ages:
        rows.append(
            [
                "fresh" if not point.age else f"{point.days} days",
                f"{point.cutoffs}",
                f"{point.rows:,}",
                "" if point.auroc != point.auroc else f"{point.auroc:.3f}",
                _change(point.auroc_change) if point.age else "",
                f"{point.log_loss:.3f}",
                _change(point.log_loss_change) if point.age else "",
            ]
        )
    return "\n".join(["The same models later, each beside the model that was fresh then, on the same rows", _aligned(rows)])


def _change(estimate: Estimate) -> str:
    if not estimate.known:
        return ""
    return f"{estimate.value:+.3f}" + (f" ({estimate.low:+.3f} to {estimate.high:+.3f})" if estimate.bounded else "")


def _shown(estimate: Estimate) -> str:
    if not estimate.known:
        return ""
    return f"{estimate.value:.3f}" + (f" ({estimate.low:.3f}-{estimate.high:.3f})" if estimate.bounded else "")


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False)
