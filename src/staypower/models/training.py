"""The two ways of training: later cutoffs stop and calibrate, or account-grouped cross-fitting does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from staypower.models.calibration import CalibrationMap, TemperatureMap, choose_map, fit_map
from staypower.models.partition import TemporalPartition, deal_folds, partition_by_time
from staypower.models.rows import FitError, Rows
from staypower.models.settings import FEW, ModelSettings, TreeShape
from staypower.models.trees import Grower, portable_text, threads_for

if TYPE_CHECKING:
    import lightgbm

__all__ = ["CrossFit", "Trained", "allows_temporal", "train"]

Floats = NDArray[np.float64]

_BLIND_TREES = 20


@dataclass(frozen=True)
class Trained:
    """What training leaves behind.

    Parameters
    ----------
    text : str
        The trees, as LightGBM text.
    calibration : CalibrationMap
    split : str
        What stopped and calibrated them, in words.
    held_out_loss : float or None
        Log loss of the uncalibrated trees on rows they had not seen; None when there were too few rows to hold any out.
    notes : tuple of str
        What a reader should know: few churners, a fallback taken.
    held_out_raw : array of float or None, shape (n,)
        Raw score of each row by trees that had not seen its account (grouped) or its cutoff (temporal); NaN where every
        tree has seen the row.
    cross : CrossFit or None
        Grouped split only: the boosters of the folds.
    """

    text: str
    calibration: CalibrationMap
    split: str
    held_out_loss: float | None
    notes: tuple[str, ...] = field(default=())
    held_out_raw: Floats | None = None
    cross: CrossFit | None = None


@dataclass(frozen=True, eq=False)
class CrossFit:
    """The boosters of the folds, each without the accounts of its fold.

    Parameters
    ----------
    boosters : tuple of lightgbm.Booster
    trees : int
        How many trees of each count.
    fold_of_account : array of int64
        The fold of each account number of the training rows.

    Examples
    --------
    >>> CrossFit((), 5, np.array([0, 1])).trees
    5
    """

    boosters: tuple[lightgbm.Booster, ...]
    trees: int
    fold_of_account: NDArray[np.int64]

    def raw(self, features: Floats, accounts: NDArray[np.int64], *, threads: int) -> Floats:
        """Return the raw score of rows by the booster that has not seen their account.

        Parameters
        ----------
        features : array of float, shape (n, k)
        accounts : array of int64, shape (n,)
            Account numbers as in training; larger ones were not in training, and any booster will do.
        threads : int

        Returns
        -------
        array of float, shape (n,)
        """
        known = accounts < len(self.fold_of_account)
        fold = np.where(known, self.fold_of_account[np.where(known, accounts, 0)], accounts % len(self.boosters))
        raw = np.empty(len(features))
        for number, booster in enumerate(self.boosters):
            here = fold == number
            if here.any():
                found = booster.predict(features[here], raw_score=True, num_iteration=self.trees, num_threads=threads)
                raw[here] = np.asarray(found, dtype=np.float64)
        return raw


def allows_temporal(rows: Rows, settings: ModelSettings, *, embargo_days: float | None) -> bool:
    """Say whether `train` would take the temporal split for these rows.

    Parameters
    ----------
    rows : Rows
    settings : ModelSettings
    embargo_days : float or None

    Returns
    -------
    bool
    """
    return _partition(rows, settings, embargo_days) is not None


def train(rows: Rows, settings: ModelSettings, *, embargo_days: float | None, categorical: tuple[int, ...]) -> Trained:
    """Train by the split that the settings ask for, or that history allows.

    Parameters
    ----------
    rows : Rows
        Sorted by account and cutoff.
    settings : ModelSettings
    embargo_days : float or None
        Days between a tree row's cutoff and the first calibration cutoff: gap + horizon + grace.
    categorical : tuple of int
        Positions of the features that are codes.

    Returns
    -------
    Trained
    """
    partition = _partition(rows, settings, embargo_days)
    growing = rows if partition is None else rows.take(partition.trees)
    shape = _shape(growing, settings)
    threads = threads_for(settings.threads, growing.features.size)
    grower = Grower(shape, settings.max_trees, settings.patience, settings.seed, threads, categorical)
    notes = _notes(growing, shape)
    if partition is not None:
        return _train_temporal(rows, partition, grower, settings, notes)
    folds = min(settings.folds, growing.rarer_accounts)
    return _train_blind(rows, grower, notes) if folds < 2 else _train_grouped(rows, folds, grower, settings, notes)


def _partition(rows: Rows, settings: ModelSettings, embargo_days: float | None) -> TemporalPartition | None:
    if settings.split == "grouped":
        return None
    asked = settings.split == "temporal"
    if rows.cutoffs is None or embargo_days is None:
        if asked:
            missing = "embargo_days" if rows.cutoffs is not None else "cutoffs"
            mend = "give the days of gap + horizon + grace" if rows.cutoffs is not None else "give `fit` each row's cutoff"
            raise FitError.of("the temporal split cannot be made", f"{missing} not given", f'{mend}, or split="grouped"')
        return None
    found = partition_by_time(rows.cutoffs, embargo_days=embargo_days, calibration_cutoffs=settings.calibration_cutoffs)
    if asked:
        _require_both_sides(rows, found)
        return found
    return found if found.has_history(rows.labels, rows.cutoffs) else None


def _require_both_sides(rows: Rows, partition: TemporalPartition) -> None:
    for side, which in (("trees", partition.trees), ("calibration", partition.calibration)):
        if len(np.unique(rows.labels[which])) < 2:
            raise FitError.of(
                "the temporal split cannot be made",
                f"{int(which.sum())} rows of {len(np.unique(rows.labels[which]))} class(es) for the {side}",
                'give more cutoffs, a shorter embargo, or split="grouped"',
            )


def _shape(rows: Rows, settings: ModelSettings) -> TreeShape:
    accounts = len(np.unique(rows.accounts))
    found = TreeShape.by_evidence(churners=rows.rarer_accounts, accounts=accounts, rows=len(rows))
    asked = {name: getattr(settings, name) for name in TreeShape.model_fields}
    return found.model_copy(update={name: value for name, value in asked.items() if value is not None})


def _notes(rows: Rows, shape: TreeShape) -> tuple[str, ...]:
    rarer = rows.rarer_accounts
    if rarer >= FEW:
        return ()
    return (
        f"only {rarer} accounts bear the rarer label (under {FEW}): trees held to {shape.num_leaves} leaves and depth "
        f"{shape.max_depth}; expect wide intervals",
    )


def _train_temporal(
    rows: Rows, partition: TemporalPartition, grower: Grower, settings: ModelSettings, notes: tuple[str, ...]
) -> Trained:
    held = rows.take(partition.calibration)
    booster, losses = grower.grow_watched(rows.take(partition.trees), held)
    trees = int(np.argmin(losses)) + 1
    raw = _raw(booster, held, trees, grower.threads)
    _, numbers = np.unique(held.accounts, return_inverse=True)
    folds = deal_folds(numbers, held.labels, folds=settings.folds, seed=settings.seed)
    calibration, more = _calibrate(settings, raw, held, folds)
    everywhere = np.full(len(rows), np.nan)
    everywhere[partition.calibration] = raw
    text = portable_text(booster, trees=trees)
    return Trained(text, calibration, partition.text, float(losses[trees - 1]), notes + more, held_out_raw=everywhere)


def _train_grouped(rows: Rows, count: int, grower: Grower, settings: ModelSettings, notes: tuple[str, ...]) -> Trained:
    folds = deal_folds(rows.accounts, rows.labels, folds=count, seed=settings.seed)
    watched = []
    for fold in range(count):
        held = folds == fold
        watched.append(grower.grow_watched(rows.take(~held), rows.take(held)))
    shortest = min(len(losses) for _, losses in watched)
    weights = [rows.take(folds == fold).total_weight for fold in range(count)]
    # The mean of the folds' curves is steadier than the mean of their lowest points. Every curve runs on past its lowest
    # point, so the common stretch holds the lowest point of the mean.
    curve = np.average([losses[:shortest] for _, losses in watched], axis=0, weights=weights)
    trees = int(np.argmin(curve)) + 1
    raw = np.empty(len(rows))
    for fold, (booster, _) in enumerate(watched):
        held = folds == fold
        raw[held] = _raw(booster, rows.take(held), trees, grower.threads)
    calibration, more = _calibrate(settings, raw, rows, folds)
    text = portable_text(grower.grow(rows, trees=trees), trees=trees)
    split = (
        f"grouped: tree count and calibration from {count}-fold cross-fitting, no account on both sides of a fold; final "
        f"trees refitted on all {len(rows)} rows"
    )
    by_account = np.zeros(int(rows.accounts.max()) + 1, dtype=np.int64)
    by_account[rows.accounts] = folds
    cross = CrossFit(tuple(booster for booster, _ in watched), trees, by_account)
    return Trained(text, calibration, split, float(curve[trees - 1]), notes + more, held_out_raw=raw, cross=cross)


def _train_blind(rows: Rows, grower: Grower, notes: tuple[str, ...]) -> Trained:
    trees = min(_BLIND_TREES, grower.max_trees)
    note = f"too few accounts of one class to hold any out: {trees} trees, uncalibrated"
    split = f"none: all {len(rows)} rows grow the trees"
    return Trained(portable_text(grower.grow(rows, trees=trees), trees=trees), TemperatureMap(1.0), split, None, (*notes, note))


def _calibrate(
    settings: ModelSettings, raw: Floats, rows: Rows, folds: NDArray[np.int64]
) -> tuple[CalibrationMap, tuple[str, ...]]:
    if settings.calibration != "auto":
        return fit_map(settings.calibration, raw, rows.labels, rows.weights), ()
    found, losses = choose_map(raw, rows.labels, folds, rows.weights)
    if not losses:
        return found, ("too few held-out rows to compare calibration maps: sigmoid taken",)
    compared = ", ".join(f"{kind} {loss:.5f}" for kind, loss in losses.items())
    return found, (f"calibration {found.kind} chosen by held-out log loss ({compared})",)


def _raw(booster: object, rows: Rows, trees: int, threads: int) -> Floats:
    found = booster.predict(rows.features, raw_score=True, num_iteration=trees, num_threads=threads)  # type: ignore[attr-defined]
    return np.asarray(found, dtype=np.float64)
