"""A backtest in words: the verdict, the folds, the model by age, and all folds together."""

from __future__ import annotations

from collections.abc import Sequence

from staypower.cutoffs import text_of
from staypower.evaluation import wording
from staypower.evaluation.backtest.result import AgePoint, Backtest, FoldResult
from staypower.evaluation.measures import METRICS, listed_in
from staypower.results.numbers import UNKNOWN, count, percent
from staypower.results.result import Block, Heading, Items, TableBlock

__all__ = ["blocks"]


def blocks(backtest: Backtest) -> list[Block]:
    """Return the verdict, the folds, the model by age, and the pooled evaluation."""
    found: list[Block] = [backtest.headline, _fold_table(backtest.folds), *_calibration(backtest.folds)]
    if backtest.known_accounts:
        found += [Heading("Known and unseen accounts"), backtest.known_accounts.words]
    if len(backtest.ages) > 1:
        found.append(_age_table(backtest.ages))
    if backtest.left_out:
        found.append(Items(backtest.left_out))
    return [*found, Heading("All folds together"), *wording.blocks(backtest.pooled)]


def _fold_table(folds: Sequence[FoldResult]) -> TableBlock:
    auroc, loss = METRICS["auroc"], METRICS["log_loss"]
    rows = []
    for fold in folds:
        found = fold.evaluation
        known = [found.scorers[name]["auroc"].value for name in found.baselines if found.scorers[name]["auroc"].known]
        rows.append(
            [
                text_of(fold.cutoff),
                text_of(fold.trained_until),
                count(fold.learned_rows),
                count(found.rows),
                count(found.churned),
                auroc.write_estimate(fold.model["auroc"]),
                auroc.write(max(known)) if known else UNKNOWN,
                loss.write(fold.model["log_loss"].value),
            ]
        )
    heads = ["tested at", "trained up to", "rows", "tested", "churned", auroc.label, "best baseline", loss.label]
    return TableBlock(heads, rows, "Folds: each model knows only what was known at its test cutoff")


def _calibration(folds: Sequence[FoldResult]) -> list[Block]:
    error, rows = METRICS["calibration_error"], []
    too_low: list[str] = []
    too_high: list[str] = []
    for fold in folds:
        rate, predicted, trained = fold.evaluation.base_rate, fold.model["mean_score"].value, fold.evaluation.train_base_rate
        if rate.excludes(predicted):
            (too_low if predicted < rate.value else too_high).append(text_of(fold.cutoff))
        rows.append(
            [
                text_of(fold.cutoff),
                UNKNOWN if trained is None else percent(trained),
                percent(predicted),
                rate.written(percent),
                error.write_estimate(fold.model["calibration_error"]),
            ]
        )
    heads = ["tested at", "in training", "predicted", "observed", error.label]
    found = [
        f"{which} accounts churned than predicted at {', '.join(dates)} (the prediction is outside the 95% interval)."
        for which, dates in (("More", too_low), ("Fewer", too_high))
        if dates
    ]
    steady = "In every fold the predicted rate lies within the interval of the observed rate."
    return [TableBlock(heads, rows, "Calibration over folds"), *(found or [steady])]


def _age_table(ages: Sequence[AgePoint]) -> TableBlock:
    metrics = listed_in("ages")
    rows = []
    for point in ages:
        cells = ["fresh" if not point.age else f"{point.days} days", count(point.cutoffs), count(point.rows)]
        for metric in metrics:
            change = metric.write_difference(point.changes[metric.name]) if point.age else ""
            cells += [metric.write(point.values[metric.name]), change]
        rows.append(cells)
    heads = ["older by", "cutoffs", "rows", *(head for metric in metrics for head in (metric.label, "minus fresh"))]
    return TableBlock(heads, rows, "Age: the same models later, minus the fresh model of that cutoff on the same rows")
