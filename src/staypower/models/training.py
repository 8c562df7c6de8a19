"""What the classifiers share: parameters and input as scikit-learn expects, and the two ways of training.

Calibration on later cutoffs shows best whether probabilities hold over time, cross-fitting over groups of accounts shows best
how many trees to grow. So where history allows, trees of earlier cutoffs are calibrated on later ones, an embargo apart, and
the final trees are then refitted on the rows of all cutoffs, with as many trees and the same calibration.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, check_random_state, validate_data

from staypower.errors import Problem
from staypower.metrics.probability import log_loss
from staypower.models.calibration import CalibrationMap, TemperatureMap, choose_map, fit_map
from staypower.models.margin import LinearMargin
from staypower.models.partition import CrossFit, TemporalPartition, cross_fit, deal_folds, partition_by_time
from staypower.models.settings import FEW, LEAST_ACCOUNTS, SOME, FitSettings, ModelSettings, TreeShape
from staypower.models.training_rows import FitError, TrainingRows, categorical_positions, encode, learn_categories
from staypower.models.trees import Grower, portable_text, threads_for

if TYPE_CHECKING:
    from sklearn.utils import Tags

__all__ = ["Trained", "TreeClassifier", "allows_temporal", "train"]

Floats = NDArray[np.float64]

_BLIND_TREES = 20
_BLIND = f"too few accounts of one class to hold any out: {_BLIND_TREES} trees without calibration"
# The curve of the held-out loss is flat around its lowest point: three folds place it as well as five.
_COUNTING_FOLDS = 3
# The calibration may be this much worse than one fitted to the rows that it is tested on.
_WORSE = 0.02


@dataclass(frozen=True)
class Trained:
    """What training leaves behind."""

    text: str  # the trees, as LightGBM text
    calibration: CalibrationMap
    split: str  # what stopped and calibrated them, in words
    # log loss of the uncalibrated trees on rows they had not seen; None when there were too few rows to hold any out
    held_out_loss: float | None
    notes: tuple[str, ...] = field(default=())  # what a reader should know: few churners, a fallback taken
    # shape (n,): Raw score of each row by trees that had not seen its account (grouped) or its cutoff (temporal); NaN where
    # every tree has seen the row
    held_out_raw: Floats | None = None
    # why there is too little to trust the model: too few accounts of the rarer label. Empty when there is enough
    lacking: str = ""
    margin: LinearMargin | None = None  # what the trees start from; None: from nothing
    # text and margin of the trees of each fold, where the caller dealt the folds: no account's own outcome is in its fold's
    fold_trees: tuple[tuple[str, LinearMargin | None], ...] = ()


def allows_temporal(rows: TrainingRows, settings: FitSettings, *, embargo_days: float | None) -> bool:
    """Say whether `train` would take the temporal split for these rows."""
    return _partition(rows, settings, embargo_days) is not None


def train(rows: TrainingRows, settings: FitSettings, *, embargo_days: float | None, categorical: tuple[int, ...]) -> Trained:
    """Train by the split that the settings ask for, or that history allows; `categorical` are positions of features."""
    partition = _partition(rows, settings, embargo_days)
    if partition is not None:
        return _train_temporal(rows, partition, settings, categorical)
    folds = min(settings.folds, rows.rarer_accounts)
    grower = _grower(rows, settings, categorical, churners=rows.rarer_accounts)
    notes, lacking = _notes(rows, grower.shape), _lacking(rows)
    if folds < 2:
        return replace(_train_blind(rows, grower), notes=(*notes, _BLIND), lacking=lacking or _BLIND)
    return _train_grouped(rows, folds, grower, settings, notes, lacking)


def _partition(rows: TrainingRows, settings: FitSettings, embargo_days: float | None) -> TemporalPartition | None:
    if settings.split == "grouped":
        return None
    asked = settings.split == "temporal"
    if rows.cutoffs is None or embargo_days is None:
        if asked:
            missing = "embargo_days" if rows.cutoffs is not None else "cutoffs"
            fix = "give the days of gap + horizon + grace" if rows.cutoffs is not None else "give `fit` each row's cutoff"
            raise FitError.of("the temporal split cannot be made", f"{missing} not given", f'{fix}, or split="grouped"')
        return None
    found = partition_by_time(rows.cutoffs, embargo_days=embargo_days, calibration_cutoffs=settings.calibration_cutoffs)
    if asked:
        _require_both_sides(rows, found)
        return found
    return found if found.has_history(rows.labels, rows.cutoffs, rows.accounts) else None


def _require_both_sides(rows: TrainingRows, partition: TemporalPartition) -> None:
    for side, which in (("trees", partition.trees), ("calibration", partition.calibration)):
        if len(np.unique(rows.labels[which])) < 2:
            raise FitError.of(
                "the temporal split cannot be made",
                f"{int(which.sum())} rows of {len(np.unique(rows.labels[which]))} class(es) for the {side}",
                'give more cutoffs, a shorter embargo, or split="grouped"',
            )


def _shape(rows: TrainingRows, settings: FitSettings, churners: int) -> TreeShape:
    accounts = len(np.unique(rows.accounts))
    found = TreeShape.by_evidence(churners=churners, accounts=accounts, rows=len(rows))
    asked = {name: getattr(settings, name) for name in TreeShape.model_fields}
    return found.model_copy(update={name: value for name, value in asked.items() if value is not None})


def _notes(rows: TrainingRows, shape: TreeShape) -> tuple[str, ...]:
    rarer = rows.rarer_accounts
    if rarer >= FEW:
        return ()
    return (
        f"only {rarer} accounts have the rarer label (under {FEW}): trees are limited to {shape.num_leaves} leaves and depth "
        f"{shape.max_depth}; expect wide intervals",
    )


def _grower(rows: TrainingRows, settings: FitSettings, categorical: tuple[int, ...], *, churners: int) -> Grower:
    threads = threads_for(settings.threads, rows.features.size)
    return Grower(_shape(rows, settings, churners), settings.max_trees, settings.patience, settings.seed, threads, categorical)


def _lacking(rows: TrainingRows) -> str:
    rarer = rows.rarer_accounts
    if rarer >= LEAST_ACCOUNTS:
        return ""
    have = "account has" if rarer == 1 else "accounts have"
    return f"only {rarer} {have} the rarer label in training, {LEAST_ACCOUNTS} are needed"


def _train_temporal(
    rows: TrainingRows, partition: TemporalPartition, settings: FitSettings, categorical: tuple[int, ...]
) -> Trained:
    growing, held = rows.take(partition.trees), rows.take(partition.calibration)
    # Earlier and final trees share their shape, so that a count and a map found with the ones fit the others.
    churners = (rows if settings.refit else growing).rarer_accounts
    early = _grower(growing, settings, categorical, churners=churners)
    final = _grower(rows, settings, categorical, churners=churners)
    cross, counted = None, "on those later cutoffs"
    folds = min(_COUNTING_FOLDS, churners)
    if settings.refit and folds > 1 and churners < SOME:
        cross = cross_fit(rows, final, folds=folds, seed=settings.seed)
        trees, counted = cross.trees, f"by {folds}-fold cross-fitting over accounts"
        grown = early.grow(growing, trees=trees)
    else:
        grown, losses = early.grow_watched(growing, held)
        trees = int(np.argmin(losses)) + 1
    raw = grown.raw(held.features, trees=trees, threads=early.threads)
    _, numbers = np.unique(held.accounts, return_inverse=True)
    dealt = deal_folds(numbers, held.labels, folds=settings.folds, seed=settings.seed)
    calibration, more = _calibrate(settings, raw, held, dealt)
    loss = log_loss(held.labels, expit(raw), sample_weight=held.weights)
    everywhere = np.full(len(rows), np.nan)
    everywhere[partition.calibration] = raw
    split = f"{partition.text}; tree count found {counted}"
    if settings.refit:
        if cross is not None:
            calibration, found = _checked(calibration, cross, held, dealt, settings, early.threads)
            more += found
        grown = final.grow(rows, trees=trees)
        split += f"; final trees refitted on all {len(rows)} rows"
    notes = (*_notes(rows, final.shape), *more)
    return Trained(
        *(portable_text(grown.booster, trees=trees), calibration, split, loss, notes),
        held_out_raw=everywhere,
        lacking=_lacking(rows),
        margin=grown.margin,
    )


def _checked(
    calibration: CalibrationMap,
    cross: CrossFit,
    held: TrainingRows,
    dealt: NDArray[np.int64],
    settings: FitSettings,
    threads: int,
) -> tuple[CalibrationMap, tuple[str, ...]]:
    """Keep the map where it holds for trees that have seen the later cutoffs, though not the account; else fit it to those."""
    raw = cross.raw(held.features, held.accounts, threads=threads)
    own, more = _calibrate(settings, raw, held, dealt)
    as_it_is, at_best = (log_loss(held.labels, each.apply(raw), sample_weight=held.weights) for each in (calibration, own))
    if as_it_is <= at_best * (1.0 + _WORSE):
        return calibration, ()
    note = (
        f"recalibrated: the calibration from the first fit did not hold after refitting (log loss {as_it_is:.5f} against "
        f"{at_best:.5f} with a calibration fitted to cross-fitted scores of the same cutoffs)"
    )
    return own, (note, *more)


def _train_grouped(
    rows: TrainingRows, count: int, grower: Grower, settings: FitSettings, notes: tuple[str, ...], lacking: str
) -> Trained:
    given = rows.usable_folds(settings.folds)
    count = count if given is None else settings.folds
    cross = cross_fit(rows, grower, folds=count, seed=settings.seed, dealt=given)
    raw = cross.raw(rows.features, rows.accounts, threads=grower.threads)
    calibration, more = _calibrate(settings, raw, rows, cross.fold_of_account[rows.accounts])
    grown = grower.grow(rows, trees=cross.trees)
    text = portable_text(grown.booster, trees=cross.trees)
    last = f"final trees refitted on all {len(rows)} rows"
    if given is not None:
        last = "each account is scored by the trees that never saw it"
    split = f"grouped: tree count and calibration from {count}-fold cross-fitting, no account on both sides of a fold; {last}"
    return Trained(
        *(text, calibration, split, cross.loss, notes + more, raw, lacking, grown.margin),
        fold_trees=() if given is None else cross.sealed(),
    )


def _train_blind(rows: TrainingRows, grower: Grower) -> Trained:
    trees = min(_BLIND_TREES, grower.max_trees)
    split = f"none: all {len(rows)} rows grow the trees"
    return Trained(portable_text(grower.grow(rows, trees=trees).booster, trees=trees), TemperatureMap(1.0), split, None)


def _calibrate(
    settings: FitSettings, raw: Floats, rows: TrainingRows, folds: NDArray[np.int64]
) -> tuple[CalibrationMap, tuple[str, ...]]:
    if settings.calibration != "auto":
        return fit_map(settings.calibration, raw, rows.labels, rows.weights), ()
    found, losses = choose_map(raw, rows.labels, folds, rows.weights)
    if not losses:
        return found, ("too few held-out rows to compare calibrations: sigmoid was used",)
    compared = ", ".join(f"{kind} {loss:.5f}" for kind, loss in losses.items())
    return found, (f"calibration {found.kind} chosen by held-out log loss ({compared})",)


class TreeClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The base of the classifiers: its subclasses store the parameters that `FitSettings` names."""

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that missing values are allowed."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    @classmethod
    def _parameters_of(cls, settings: ModelSettings) -> dict[str, Any]:
        """Return the parameters that the settings of a config name, under scikit-learn's names."""
        shared = set(type(settings).model_fields) & set(cls._get_param_names())
        return {**settings.model_dump(include=shared), "random_state": settings.seed, "n_jobs": settings.threads}

    def _checked(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
    ) -> tuple[Floats, NDArray[Any], Floats | None, tuple[int, ...]]:
        """Return features, labels and weights as arrays, and the positions of the categorical features."""
        declared = list(self.categorical_features) if self.categorical_features is not None else []
        self.categories_ = learn_categories(X, declared)
        coded = encode(X, self.categories_)
        features, given = validate_data(self, coded, y, dtype=np.float64, ensure_all_finite="allow-nan")
        check_classification_targets(given)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, features, dtype=np.float64, ensure_non_negative=True)
        names = [str(name) for name in getattr(self, "feature_names_in_", [])]
        return features, given, weights, categorical_positions([*declared, *self.categories_], names, features)

    def _settings(self) -> FitSettings:
        values = {name: getattr(self, name) for name in set(FitSettings.model_fields) & set(self._get_param_names())}
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = int(check_random_state(seed).randint(2**31 - 1))
        try:
            return FitSettings(**values, seed=int(seed), threads=self._threads())
        except ValidationError as error:
            problems = [
                Problem("unusable parameter", f"{problem['loc'][0]} = {problem['input']!r}", problem["msg"])
                for problem in error.errors()
            ]
            raise FitError(problems) from None

    def _threads(self) -> int | None:
        return os.cpu_count() if self.n_jobs == -1 else self.n_jobs

    def _features(self, X: ArrayLike) -> Floats:
        check_is_fitted(self)
        coded = encode(X, self.categories_)
        return np.asarray(validate_data(self, coded, dtype=np.float64, ensure_all_finite="allow-nan", reset=False))

    def _names(self) -> tuple[str, ...]:
        """Our names of the features, f0, f1, ... where they have none."""
        names = getattr(self, "feature_names_in_", [f"f{position}" for position in range(self.n_features_in_)])
        return tuple(str(name) for name in names)
