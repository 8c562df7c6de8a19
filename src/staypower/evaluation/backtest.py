"""A backtest: fold by fold, pooled, by age of the model, and how much better known accounts are predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import pandas as pd

from staypower.cutoffs import text_of
from staypower.evaluation.health_score import Caught, caught_table
from staypower.evaluation.measures import METRICS, listed_in
from staypower.evaluation.resampling import Estimate
from staypower.evaluation.result import Evaluation, flat, nested
from staypower.results.numbers import UNKNOWN, count, decimal, percent, plain, signed
from staypower.results.result import Block, Heading, Items, Result, TableBlock

__all__ = ["AgePoint", "Backtest", "FoldResult", "KnownAccounts"]


@dataclass(frozen=True)
class KnownAccounts:
    """The metrics of rows whose account was, and was not, in training; by the names of the metrics.

    >>> one = {"auroc": Estimate(0.7, 0.6, 0.8)}
    >>> KnownAccounts(one, one, {"auroc": Estimate(0.02, 0.01, 0.03)}).easier
    True
    """

    known: Mapping[str, Estimate]
    unseen: Mapping[str, Estimate]
    difference: Mapping[str, Estimate]  # known minus unseen, paired

    @property
    def easier(self) -> bool:
        """Whether known accounts are predicted better: the interval of the AUROC's difference lies above 0."""
        difference = self.difference["auroc"]
        return difference.bounded and difference.low > 0

    @property
    def words(self) -> str:
        """The comparison in words."""
        known, unseen, apart = (each["auroc"] for each in (self.known, self.unseen, self.difference))
        if not known.known:
            return "Known and unseen accounts cannot be compared: the rows have one class only."
        figures = (
            f"AUROC {decimal(known.value)} for accounts that the model was trained on, {decimal(unseen.value)} for unseen "
            f"accounts; difference {apart.written(signed)}, from two models trained on half of the accounts each."
        )
        if self.easier:
            return f"{figures} The model is better on accounts it was trained on; expect the lower figure for new accounts."
        if not apart.bounded:
            return f"{figures} Not tested whether that is chance: there are no intervals."
        return f"{figures} The model is not significantly better on accounts it was trained on."

    def metrics(self) -> dict[str, float]:
        """Return the two AUROCs, when they exist."""
        if not self.known["auroc"].known:
            return {}
        return {"auroc_known_accounts": self.known["auroc"].value, "auroc_unseen_accounts": self.unseen["auroc"].value}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        sides = {"known": self.known, "unseen": self.unseen, "difference": self.difference}
        found = {name: {metric: vars(each) for metric, each in side.items()} for name, side in sides.items()}
        return {**found, "easier": self.easier}


@dataclass(frozen=True, eq=False)
class FoldResult:
    """One fold: what the model was trained on, and how it did on the cutoff after."""

    cutoff: int  # its test cutoff
    learned_from: int  # first and last training cutoff
    trained_until: int
    learned_rows: int
    learned_accounts: int
    split: str  # `temporal` or `grouped`: what tree count and calibration were found on
    how: str  # the same in words
    evaluation: Evaluation  # the model and its baselines on the rows of the test cutoff

    @property
    def model(self) -> Mapping[str, Estimate]:
        """The metrics of the model."""
        return self.evaluation.scorers[self.evaluation.model]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        instants = {"cutoff": self.cutoff, "learned_from": self.learned_from, "learned_until": self.trained_until}
        values = {name: getattr(self, name) for name in ("learned_rows", "learned_accounts", "split", "how")}
        dates = {name: text_of(instant) for name, instant in instants.items()}
        return {**dates, **values, "evaluation": self.evaluation.to_dict()}

    def calibration(self) -> dict[str, Any]:
        """Return what was predicted and what was observed."""
        return {
            "cutoff": text_of(self.cutoff),
            "trained_base_rate": self.evaluation.train_base_rate,
            "predicted": self.model["mean_score"].value,
            **flat({"observed": self.evaluation.base_rate, "calibration_error": self.model["calibration_error"]}),
        }


@dataclass(frozen=True)
class AgePoint:
    """Models of one age, and the fresh ones of the same test cutoffs, on the same rows.

    >>> AgePoint(1, 30, 2, 100, 9, {"auroc": 0.7}, {"auroc": Estimate(-0.01)}, 0.1, 0.09).row()["auroc_change"].value
    -0.01
    """

    age: int  # cutoffs since the model was fresh; 0 is the fresh model itself
    days: int  # days since then
    cutoffs: int  # test cutoffs that have a model of this age
    rows: int
    churned: int
    metrics: Mapping[str, float]  # of the models of this age; NaN for ranking metrics where only one class is there
    changes: Mapping[str, Estimate]  # theirs minus those of the fresh models, paired over accounts
    predicted: float  # mean probability
    observed: float  # share that churned

    def row(self) -> dict[str, Any]:
        """Return everything by name, changes as estimates."""
        simple = {name: value for name, value in vars(self).items() if name not in ("metrics", "changes")}
        return {**simple, **self.metrics, **{f"{name}_change": each for name, each in self.changes.items()}}


@dataclass(frozen=True, eq=False)
class Backtest(Result, drawn_by="staypower.evaluation.backtest_drawing"):
    """A rolling origin: every fold, all of them pooled, and the model by age.

    Its pictures are `folds` and, when there are several folds, `ageing`.

    Parameters
    ----------
    folds : tuple of FoldResult
        The earliest first.
    pooled : Evaluation
        The fresh predictions of all folds together.
    ages : tuple of AgePoint
        The same models tested later and later.
    known_accounts : KnownAccounts or None
        How much better the model is on accounts that it was trained on.
    left_out : tuple of str
        Folds that could not be made, and why.
    caught : tuple of Caught, default ()
        What the model and a health score would have caught at each cutoff, where a health score was given.
    """

    folds: tuple[FoldResult, ...]
    pooled: Evaluation
    ages: tuple[AgePoint, ...]
    known_accounts: KnownAccounts | None = None
    left_out: tuple[str, ...] = ()
    caught: tuple[Caught, ...] = ()

    @property
    def headline(self) -> str:
        """The verdict over all folds in words; what the model does not beat comes first."""
        ranked = [fold for fold in self.folds if fold.model["auroc"].known]
        if len(ranked) < 2:
            return self.pooled.headline
        auroc, values = METRICS["auroc"], [fold.model["auroc"].value for fold in ranked]
        ahead = sum(_beats_all(fold.evaluation) for fold in ranked)
        spread = f"By fold, AUROC is {auroc.write(min(values))} to {auroc.write(max(values))}"
        return f"{self.pooled.headline} {spread}; better than every baseline in {ahead} of {len(ranked)} folds."

    def metrics(self) -> Mapping[str, float]:
        """Return the pooled metrics that exist, the spread of AUROC over folds, and the change with age.

        Returns
        -------
        mapping of str to float
            With the AUROCs of two models on half of the accounts each: `auroc_known_accounts` and `auroc_unseen_accounts`.
        """
        found = dict(self.pooled.metrics()) | (self.known_accounts.metrics() if self.known_accounts else {})
        ranked = [fold.evaluation.metrics()["auroc"] for fold in self.folds if "auroc" in fold.evaluation.metrics()]
        if ranked:
            found |= {"folds": len(self.folds), "auroc_lowest_fold": min(ranked), "auroc_highest_fold": max(ranked)}
        if len(self.ages) > 1 and self.ages[1].changes["auroc"].known:
            found["auroc_change_one_cutoff_older"] = self.ages[1].changes["auroc"].value
        return MappingProxyType(found)

    def frame(self, table: Literal["folds", "scorers", "ages", "calibration", "health_score"] = "folds") -> pd.DataFrame:
        """Return a table of the backtest.

        Parameters
        ----------
        table : {"folds", "scorers", "ages", "calibration", "health_score"}, default "folds"
            One row per fold and score; per score, pooled; per age of the model; per fold, what was predicted and what was
            observed; or what the model and the health score would have caught. A measure with an interval takes three columns.

        Returns
        -------
        DataFrame
        """
        if table == "scorers":
            return self.pooled.frame()
        if table == "ages":
            return pd.DataFrame([flat(point.row()) for point in self.ages])
        if table == "health_score":
            return pd.DataFrame([row.to_dict() for row in self.caught])
        if table == "calibration":
            return pd.DataFrame([fold.calibration() for fold in self.folds])
        frames = [
            fold.evaluation.frame().assign(
                cutoff=text_of(fold.cutoff), learned_until=text_of(fold.trained_until), learned_rows=fold.learned_rows
            )
            for fold in self.folds
        ]
        found = pd.concat(frames, ignore_index=True)
        first = ["cutoff", "learned_until", "learned_rows", "scorer"]
        return found[[*first, *(name for name in found.columns if name not in first)]]

    def blocks(self) -> list[Block]:
        """Return the verdict, the folds, the model by age, and the pooled evaluation."""
        found: list[Block] = [self.headline, _fold_table(self.folds), *_calibration(self.folds)]
        if self.caught:
            found.append(caught_table(self.caught))
        if self.known_accounts:
            found += [Heading("Known and unseen accounts"), self.known_accounts.words]
        if len(self.ages) > 1:
            found.append(_age_table(self.ages))
        if self.left_out:
            found.append(Items(self.left_out))
        return [*found, Heading("All folds together"), *self.pooled.blocks()]

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the curves as JSON-able values; what is missing is None."""
        values = {
            "headline": self.headline,
            "folds": [fold.to_dict() for fold in self.folds],
            "pooled": self.pooled.to_dict(),
            "account_memory": self.known_accounts.to_dict() if self.known_accounts else None,
            "ages": [nested(point.row()) for point in self.ages],
            "calibration": [fold.calibration() for fold in self.folds],
            "left_out": self.left_out,
            "health_score": [row.to_dict() for row in self.caught],
            "metrics": self.metrics(),
        }
        return {name: plain(value) for name, value in values.items()}


def _beats_all(evaluation: Evaluation) -> bool:
    differences = evaluation.differences.values()
    return all(not row["auroc"].known or row["auroc"].value > 0 for row in differences)


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
            cells += [metric.write(point.metrics[metric.name]), change]
        rows.append(cells)
    heads = ["older by", "cutoffs", "rows", *(head for metric in metrics for head in (metric.label, "minus fresh"))]
    return TableBlock(heads, rows, "Age: the same models later, minus the fresh model of that cutoff on the same rows")
