"""The two ways of training that the classifiers share.

Calibration on later cutoffs shows best whether probabilities hold over time, cross-fitting over groups of accounts shows best
how many trees to grow. So where history allows, trees of earlier cutoffs are calibrated on later ones, an embargo apart, and
the final trees are then refitted on the rows of all cutoffs, with as many trees and the same calibration.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from staypower.cutoffs import text_of
from staypower.models.calibration import CalibrationMap, TemperatureMap, choose_map, fit_map, follow_level
from staypower.models.choosing import Candidate, climb
from staypower.models.evidence import clear_gain, level_shift, row_losses
from staypower.models.margin import LinearMargin
from staypower.models.margin_choice import MarginChoice, choose_margin
from staypower.models.partition import CrossFit, TemporalPartition, cross_fit, deal_folds, latest_cutoffs, partition_by_time
from staypower.models.settings import FEW, LADDER, LEAST_ACCOUNTS, FitSettings, TreeShape
from staypower.models.side_by_side import side_by_side
from staypower.models.training_rows import FitError, TrainingRows
from staypower.models.trees import Grower, portable_text

if TYPE_CHECKING:
    from staypower.models.growing import HeldOut

__all__ = ["Trained", "allows_temporal", "recalibrate", "shape_for", "train"]

Floats = NDArray[np.float64]

_BLIND_TREES = 20
_BLIND = f"too few accounts of one class to hold any out: {_BLIND_TREES} trees without calibration"
# The curve of the held-out loss is flat around its lowest point: three folds place it as well as five.
_COUNTING_FOLDS = 3
_BY_FOLD = "; each account is scored by the trees that never saw it"
_USUAL_TREES, _MOST_TREES = 1_000, 4_000
_SAID = 0.05  # a move of the level by less, in log-odds, is not worth a note


@dataclass(frozen=True)
class Trained:
    """What training leaves behind."""

    text: str  # the trees, as LightGBM text
    calibration: CalibrationMap
    split: str  # what stopped and calibrated them, in words
    # log loss of the uncalibrated trees on rows they had not seen; None when there were too few rows to hold any out
    held_out_loss: float | None
    notes: tuple[str, ...] = field(default=())  # what a reader should know: few churners, a fallback taken
    # shape (n,): Raw score of each row by trees that had not seen its account; None when no account could be held out
    held_out_raw: Floats | None = None
    # why there is too little to trust the model: too few accounts of the rarer label. Empty when there is enough
    lacking: str = ""
    margin: LinearMargin | None = None  # what the trees start from; None: from nothing
    # text and margin of the trees of each fold, where the caller dealt the folds: no account's own outcome is in its fold's
    fold_trees: tuple[tuple[str, LinearMargin | None], ...] = ()
    grower: Grower | None = None  # what grew the final trees


def allows_temporal(rows: TrainingRows, settings: FitSettings, *, embargo_days: float | None) -> bool:
    """Say whether `train` would take the temporal split for these rows."""
    return _partition(rows, settings, embargo_days) is not None


def train(rows: TrainingRows, settings: FitSettings, *, embargo_days: float | None, categorical: tuple[int, ...]) -> Trained:
    """Train by the split that the settings ask for, or that history allows; `categorical` are positions of features."""
    partition = _partition(rows, settings, embargo_days)
    if partition is not None and settings.refit == "none":
        return _train_early(rows, partition, settings, categorical)
    given = rows.usable_folds(settings.folds) if partition is None else None
    folds = min(settings.folds if partition is None else _COUNTING_FOLDS, rows.rarer_accounts)
    # the trees of folds that the caller dealt score, too; others only count, compare and calibrate
    pace = Grower.hastened if given is None else _as_it_is
    ladder = _ladder(rows, settings, categorical, pace)
    notes, lacking = _notes(rows, ladder[0].grower.shape), _lacking(rows)
    if folds < 2:
        blind = _train_blind(rows, ladder[0].grower)
        return replace(blind, notes=(*notes, _BLIND), lacking=lacking or _BLIND, grower=ladder[0].grower)
    dealt = deal_folds(rows.alike, rows.labels, folds=folds, seed=settings.seed) if given is None else given
    holder = climb(rows, ladder, dealt)
    grower, cross = holder.candidate.grower, holder.cross
    if holder.candidate is not ladder[0]:
        notes += (f"{holder.candidate.words}: held-out log loss {cross.loss:.4f}, clearly below that of smaller ones",)
    choice = choose_margin(rows, grower, dealt) if settings.margin else MarginChoice(None)
    if choice.strength is not None:
        grower = replace(grower, margin=choice.strength)
        cross, notes = cross_fit(rows, pace(grower), dealt), (*notes, choice.words)
    if cross.at_the_limit and settings.max_trees is None:
        grower = replace(grower, max_trees=_MOST_TREES)
        cross = cross_fit(rows, pace(grower), dealt)
    if cross.at_the_limit:
        notes += (f"the held-out loss still fell at {grower.max_trees} trees: raise `max_trees` or `learning_rate`",)
    trees = grower.trees_for(cross.trees, of=pace(grower))
    jobs: list[Callable[[], Any]] = [
        partial(_map_of, rows, partition, cross, pace(grower), settings),
        partial(grower.grow, rows, trees=trees),
    ]
    (calibration, more), grown = side_by_side(jobs, threads=grower.threads)
    split = _words(partition, len(cross.grown))
    split += f"; final trees refitted on all {len(rows)} rows" if given is None else _BY_FOLD
    return Trained(
        *(portable_text(grown.booster, trees=trees), calibration, split, cross.loss, notes + more, cross.raw, lacking),
        margin=grown.margin,
        fold_trees=() if given is None else cross.sealed(),
        grower=grower,
    )


def _as_it_is(grower: Grower) -> Grower:
    return grower


def _words(partition: TemporalPartition | None, folds: int) -> str:
    if partition is None:
        return f"grouped: tree count and calibration from {folds}-fold cross-fitting, no account on both sides of a fold"
    return f"{partition.text}; tree count found by {folds}-fold cross-fitting over accounts"


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


def shape_for(settings: FitSettings, *, churners: int, accounts: int, rows: int) -> TreeShape:
    """Return the shape that so much evidence allows; what is set stays as it is."""
    found = TreeShape.by_evidence(churners=churners, accounts=accounts, rows=rows)
    asked = {name: getattr(settings, name) for name in TreeShape.model_fields}
    return found.model_copy(update={name: value for name, value in asked.items() if value is not None})


def _shape(rows: TrainingRows, settings: FitSettings) -> TreeShape:
    return shape_for(settings, churners=rows.rarer_accounts, accounts=len(np.unique(rows.accounts)), rows=len(rows))


def _notes(rows: TrainingRows, shape: TreeShape) -> tuple[str, ...]:
    rarer = rows.rarer_accounts
    if rarer >= FEW:
        return ()
    return (
        f"only {rarer} accounts have the rarer label (under {FEW}): trees are limited to {shape.num_leaves} leaves and depth "
        f"{shape.max_depth}; expect wide intervals",
    )


def _ladder(
    rows: TrainingRows, settings: FitSettings, categorical: tuple[int, ...], pace: Callable[[Grower], Grower]
) -> list[Candidate]:
    """Return growers from the shape of the evidence upwards; only that one where a shape is given or few churned."""
    shapes = [_shape(rows, settings)]
    given = [name for name in (*TreeShape.model_fields, "max_trees") if getattr(settings, name) is not None]
    if not given and rows.rarer_accounts >= LADDER:
        shapes += shapes[0].larger()
    growers = [_grower(rows, settings, categorical, shape) for shape in shapes]
    return [Candidate(f"trees of {each.shape.num_leaves} leaves were taken", each, pace(each)) for each in growers]


def _grower(rows: TrainingRows, settings: FitSettings, categorical: tuple[int, ...], shape: TreeShape) -> Grower:
    trees = settings.max_trees or _USUAL_TREES
    return Grower(shape, trees, settings.patience, settings.seed, settings.threads or 0, categorical)


def _lacking(rows: TrainingRows) -> str:
    rarer = rows.rarer_accounts
    if rarer >= LEAST_ACCOUNTS:
        return ""
    have = "account has" if rarer == 1 else "accounts have"
    return f"only {rarer} {have} the rarer label in training, {LEAST_ACCOUNTS} are needed"


def _map_of(
    rows: TrainingRows, partition: TemporalPartition | None, cross: CrossFit, grower: Grower, settings: FitSettings
) -> tuple[CalibrationMap, tuple[str, ...]]:
    """Find the map: its spread from the later cutoffs where these tell enough, its level from the trees it is used with."""
    found, notes = _calibrate(settings, cross.raw, rows, cross.folds)
    if partition is not None:
        later, more = _over_time(rows, partition, cross, grower, settings)
        found, notes = _checked(later, more, found, notes, rows.take(partition.calibration), cross.raw[partition.calibration])
    latest = np.zeros(len(rows), dtype=np.bool_)
    if rows.cutoffs is not None:
        latest = latest_cutoffs(rows.cutoffs, settings.calibration_cutoffs) if partition is None else partition.calibration
    return _at_level(found, notes, cross.raw, rows, latest)


def recalibrate(settings: FitSettings, own: CalibrationMap, rows: HeldOut) -> tuple[CalibrationMap, tuple[str, ...]]:
    """Fit a map to scores of accounts that other trees have not seen, its level that of the latest cutoffs.

    The map that was found for the first trees stays unless the new one is clearly better; then its level moves as far as chance
    does not explain it.
    """
    folds = deal_folds(rows.accounts, rows.labels, folds=settings.folds, seed=settings.seed)
    found, notes = _calibrate(settings, rows.raw, rows, folds)
    losses = _losses_at_level((own, found), rows.raw, rows)
    stays = not clear_gain(losses[1], losses[0], rows.accounts)
    latest = latest_cutoffs(rows.cutoffs, settings.calibration_cutoffs)
    return _at_level(own, (), rows.raw, rows, latest, known=True) if stays else _at_level(found, notes, rows.raw, rows, latest)


def _at_level(
    found: CalibrationMap,
    notes: tuple[str, ...],
    raw: Floats,
    rows: TrainingRows | HeldOut,
    latest: NDArray[np.bool_],
    *,
    known: bool = False,
) -> tuple[CalibrationMap, tuple[str, ...]]:
    found, moved = follow_level(
        *(found, raw, rows.labels, rows.accounts), weights=rows.weights, latest=latest, cutoffs=rows.cutoffs, known=known
    )
    if abs(moved) > _SAID:
        first = text_of(int(rows.cutoffs[latest].min())) if rows.cutoffs is not None else ""
        notes += (f"more or fewer churn than before: odds times {np.exp(moved):.2f}, as at the cutoffs from {first}",)
    return found, notes


def _losses_at_level(maps: Sequence[CalibrationMap], raw: Floats, rows: TrainingRows | HeldOut) -> list[Floats]:
    """Return the log loss of each row by each map, at the level that is right there."""
    losses = []
    for each in maps:
        shift, _ = level_shift(each.log_odds(raw), rows.labels, rows.weights, rows.accounts)
        losses.append(row_losses(each.log_odds(raw) + shift, rows.labels, rows.weights))
    return losses


def _over_time(
    rows: TrainingRows, partition: TemporalPartition, cross: CrossFit, grower: Grower, settings: FitSettings
) -> tuple[CalibrationMap, tuple[str, ...]]:
    """Fit a map to scores of the later cutoffs by as many trees of the earlier ones."""
    growing, held = rows.take(partition.trees), rows.take(partition.calibration)
    early = replace(grower, shape=_rows_in_leaf(grower.shape, growing, rows))
    raw = early.grow(growing, trees=cross.trees).raw(held.features, trees=cross.trees, threads=grower.threads)
    return _calibrate(settings, raw, held, cross.folds[partition.calibration])


def _checked(
    later: CalibrationMap,
    more: tuple[str, ...],
    own: CalibrationMap,
    notes: tuple[str, ...],
    held: TrainingRows,
    raw: Floats,
) -> tuple[CalibrationMap, tuple[str, ...]]:
    """Keep the map of the earlier trees unless the one of all cutoffs is clearly better for trees that saw the later ones.

    Both are compared at the level that is right there, which is found anew.
    """
    losses = _losses_at_level((later, own), raw, held)
    if not clear_gain(losses[1], losses[0], held.accounts):
        return later, more
    first, second = (float(each.sum()) / held.total_weight for each in losses)
    note = (
        f"recalibrated: the calibration from the first fit did not hold after refitting (log loss {first:.5f} against "
        f"{second:.5f} with a calibration fitted to cross-fitted scores)"
    )
    return own, (*notes, note)


def _rows_in_leaf(shape: TreeShape, some: TrainingRows, rows: TrainingRows) -> TreeShape:
    """Ask for as many accounts in a leaf of some of the rows, which have fewer cutoffs."""
    cutoffs = [len(each) / len(np.unique(each.accounts)) for each in (some, rows)]
    return shape.model_copy(update={"min_child_samples": max(1, round(shape.min_child_samples * cutoffs[0] / cutoffs[1]))})


def _train_early(
    rows: TrainingRows, partition: TemporalPartition, settings: FitSettings, categorical: tuple[int, ...]
) -> Trained:
    """Keep the trees of the earlier cutoffs, stopped and calibrated on the later ones."""
    growing, held = rows.take(partition.trees), rows.take(partition.calibration)
    grower = _grower(growing, settings, categorical, _shape(growing, settings))
    grown, losses = grower.grow_watched(growing, held)
    trees = int(np.argmin(losses)) + 1
    raw = grown.raw(held.features, trees=trees, threads=grower.threads)
    dealt = deal_folds(np.unique(held.alike, return_inverse=True)[1], held.labels, folds=settings.folds, seed=settings.seed)
    calibration, more = _calibrate(settings, raw, held, dealt)
    everywhere = np.full(len(rows), np.nan)
    everywhere[partition.calibration] = raw
    return Trained(
        portable_text(grown.booster, trees=trees),
        calibration,
        f"{partition.text}; tree count found on those later cutoffs",
        float(losses[trees - 1]),
        (*_notes(rows, grower.shape), *more),
        held_out_raw=everywhere,
        lacking=_lacking(rows),
        margin=grown.margin,
        grower=grower,
    )


def _train_blind(rows: TrainingRows, grower: Grower) -> Trained:
    trees = min(_BLIND_TREES, grower.max_trees)
    split = f"none: all {len(rows)} rows grow the trees"
    return Trained(portable_text(grower.grow(rows, trees=trees).booster, trees=trees), TemperatureMap(1.0), split, None)


def _calibrate(
    settings: FitSettings, raw: Floats, rows: TrainingRows | HeldOut, folds: NDArray[np.int64]
) -> tuple[CalibrationMap, tuple[str, ...]]:
    if settings.calibration != "auto":
        return fit_map(settings.calibration, raw, rows.labels, rows.weights, rows.accounts), ()
    found, losses = choose_map(raw, rows.labels, folds, rows.weights, rows.accounts)
    if not losses:
        return found, (f"too few held-out accounts to compare calibrations: {found.kind} was used",)
    compared = ", ".join(f"{kind} {loss:.5f}" for kind, loss in losses.items())
    return found, (f"calibration {found.kind} chosen by held-out log loss ({compared})",)
