"""How a model grows old: the same model tested one, two, three cutoffs later, beside the one that was fresh then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from staypower.cutoffs import DAY
from staypower.evaluation.backtest.predictions import FoldPredictions
from staypower.evaluation.paired import paired_difference
from staypower.evaluation.resampling import Estimate
from staypower.metrics.probability import log_loss
from staypower.metrics.ranking import auroc

__all__ = ["AgePoint", "age_points"]

_METRICS = ("auroc", "log_loss")


@dataclass(frozen=True)
class AgePoint:
    """Models of one age, and the fresh ones of the same test cutoffs, on the same rows.

    >>> AgePoint(1, 30, 2, 100, 9, 0.7, 0.3, Estimate(-0.01), Estimate(0.002), 0.1, 0.09).age
    1
    """

    age: int  # cutoffs since the model was fresh; 0 is the fresh model itself
    days: int  # days since then
    cutoffs: int  # test cutoffs that have a model of this age, their rows, and how many churned
    rows: int  # test cutoffs that have a model of this age, their rows, and how many churned
    churned: int  # test cutoffs that have a model of this age, their rows, and how many churned
    auroc: float  # of the models of this age; NaN where only one class is there
    log_loss: float  # of the models of this age; NaN where only one class is there
    auroc_change: Estimate  # theirs minus the fresh models', paired over accounts
    log_loss_change: Estimate  # theirs minus the fresh models', paired over accounts
    predicted: float  # mean probability and share that churned
    observed: float  # mean probability and share that churned


def age_points(folds: Sequence[FoldPredictions], *, replicates: int, seed: int) -> tuple[AgePoint, ...]:
    """Compare models of every age with the fresh ones of the same test cutoffs.

    Each age is compared on its own test cutoffs, with the same rows on both sides: a month in which everybody is hard to
    predict counts for both.
    """
    return tuple(_point(folds, age, replicates, seed) for age in range(len(folds)))


def _point(folds: Sequence[FoldPredictions], age: int, replicates: int, seed: int) -> AgePoint:
    pairs = [(folds[at - age], folds[at]) for at in range(age, len(folds))]
    old = np.concatenate([model.probability[model.cutoffs == fresh.cutoff] for model, fresh in pairs])
    new = np.concatenate([fresh.probability[: fresh.fresh] for _, fresh in pairs])
    churned = np.concatenate([fresh.churned[: fresh.fresh] for _, fresh in pairs])
    accounts = np.concatenate([fresh.accounts[: fresh.fresh] for _, fresh in pairs]).astype(str)
    changes = {
        name: paired_difference(churned, old, new, accounts, name, replicates=replicates if age else 0, seed=seed)
        for name in _METRICS
    }
    return AgePoint(
        age=age,
        days=int((pairs[0][1].cutoff - pairs[0][0].cutoff) // DAY),
        cutoffs=len(pairs),
        rows=len(churned),
        churned=int(churned.sum()),
        auroc=auroc(churned, old) if 0 < churned.sum() < len(churned) else float("nan"),
        log_loss=log_loss(churned, old),
        auroc_change=changes["auroc"],
        log_loss_change=changes["log_loss"],
        predicted=float(old.mean()),
        observed=float(churned.mean()),
    )
