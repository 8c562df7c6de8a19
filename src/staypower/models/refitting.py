"""Grow the model that scores: as many trees, of the same shape, as its twin that was evaluated, on all labelled rows.

The twin never saw the months that it is tested on; the model that scores has to know them. Its trees are others, so the
level of the twin's calibration is found anew: trees grown without one half of the accounts (or, in a snapshot, without a fold
of them) score that half, and the map moves as `follow_level` says. Trees of all rows leave out a part of the accounts for that.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from staypower.hashing import folds_of
from staypower.models.bundle import SealedModel, fold_models, score_by_fold
from staypower.models.calibration import follow_level
from staypower.models.churn import ChurnClassifier
from staypower.models.growing import HeldOut, Mould
from staypower.models.shapley_values import mean_sizes
from staypower.models.side_by_side import side_by_side
from staypower.models.tier import LoyaltyTierClassifier
from staypower.models.training import recalibrate, shape_for
from staypower.models.training_rows import TrainingRows, ordered_rows
from staypower.models.trees import Grower, Grown, booster_of, portable_text
from staypower.results.numbers import plural

if TYPE_CHECKING:
    import lightgbm

    from staypower.dataset.all_rows import AllRows
    from staypower.dataset.building import DatasetRows
    from staypower.models.calibration import CalibrationMap
    from staypower.models.margin import LinearMargin

__all__ = ["Refitted", "grow_on_all", "refit", "refit_on_all", "refit_tier"]

Floats = NDArray[np.float64]

_HALVES = 2
# features that bring less than this share of the fall in loss, together, to trees of so many rows are left out; of fewer rows,
# which tell less of what many rows can use, an accordingly smaller share
_NEXT_TO_NOTHING, _ROWS = 0.001, 200_000


@dataclass(frozen=True, eq=False)
class Refitted:
    """The model that scores, and what it would say of accounts that it was not trained on."""

    model: ChurnClassifier
    # trees without the accounts of each half, or of each fold of a snapshot; none where a part has one class only
    parts: tuple[SealedModel, ...] = ()
    left_out: HeldOut | None = None  # the rows of accounts that trees of all rows have not seen

    def held_out(self, rows: DatasetRows) -> Floats:
        """Return the probability of each row of one cutoff by trees that have not seen its account.

        Of trees of all rows it is that of the accounts that were left out; where there is nothing blind, that of all trees.
        """
        if self.left_out is not None:
            return self.model.calibration_.apply(self.left_out.raw[np.isin(self.left_out.cutoffs, rows.cutoffs)])
        if not self.parts:
            return np.asarray(self.model.predict_proba(rows.X, rows.accounts)[:, 1], dtype=np.float64)
        raw = score_by_fold(self.parts, self.model._features(rows.X), rows.accounts, threads=self.model._threads())
        return self.model.calibration_.apply(raw)


def refit(twin: ChurnClassifier, rows: DatasetRows, latest: NDArray[np.int64], *, rows_per_account: float) -> Refitted:
    """Grow the churn model on rows of all labelled cutoffs, its level right at the `latest`.

    The twin had so many rows per account: a leaf holds as many accounts as there, and so as many more rows as there are.
    """
    assert twin._grower is not None
    trees, count = twin._trees, len(twin.folds_) or _HALVES
    known = _ordered(twin, rows, folds=count)
    plain, more = replace(known, weights=None), len(known) / len(np.unique(known.accounts)) / rows_per_account
    grower = _of_as_many_accounts(twin._grower, more)
    # the trees of a snapshot's folds score, too; halves only find the level
    held = grower if twin.folds_ else grower.hastened()
    parts = _parts(held, plain, count, held.trees_for(trees, of=grower))
    grown, *halves = side_by_side([partial(grower.grow, plain, trees=trees), *parts], threads=grower.threads)
    model = _with_trees(copy(twin), portable_text(grown.booster, trees=trees), grown.margin)
    sealed = [(portable_text(each.booster, trees=each.booster.num_trees()), each.margin) for each in halves]
    found = fold_models(sealed, twin._names())
    model.folds_ = found if twin.folds_ else ()
    if found:
        model.calibration_ = _levelled(model, found, known, latest)
    return Refitted(model, found)


def refit_on_all(
    twin: ChurnClassifier,
    rows: DatasetRows,
    latest: NDArray[np.int64],
    *,
    rows_per_account: float,
    every: AllRows,
    kept: float,
) -> Refitted:
    """Grow the churn model on every row, where `rows` were drawn and the twin's trees grew on all rows, too.

    It has the twin's features, and as many trees; the level is that of accounts that are left out. The share `kept` of the
    stayers was drawn.
    """
    # what the trees of all rows split at was found with the twin's
    used = twin.booster_.feature_importance("gain") > 0
    mould = Mould.of(_grower_of_all(twin, every, rows_per_account), _ordered(twin, rows), used=used)
    text, held = mould.grow(every, trees=twin.best_iteration_, kept=kept)
    model = _with_trees(copy(twin), text, mould.margin)
    there = np.isin(held.cutoffs, latest)
    model.calibration_, _ = follow_level(
        *(twin.calibration_, held.raw, held.labels, held.accounts), weights=None, latest=there, cutoffs=held.cutoffs, known=True
    )
    return Refitted(model, left_out=held)


def grow_on_all(twin: ChurnClassifier, rows: DatasetRows, every: AllRows, *, kept: float) -> ChurnClassifier:
    """Give a model that was fitted to drawn rows trees of every row, and the map that their scores need.

    Some accounts are left out: they tell how many trees to grow, and what their scores mean. The share `kept` of the
    stayers was drawn.
    """
    grower = _grower_of_all(twin, every, len(rows) / rows.distinct_accounts)
    mould = Mould.of(grower, _ordered(twin, rows), used=_main_features(twin.booster_, len(rows)))
    text, held = mould.grow(every, kept=kept)
    model = _with_trees(copy(twin), text, mould.margin)
    if model.margin_ is not None:
        model.sizes_ = mean_sizes(model.model_text_, model.margin_, model._features(rows.X))
    model.calibration_, notes = recalibrate(twin._settings(), twin.calibration_, held)
    model.notes_ = [*(f"on the sample: {note}" for note in twin.notes_), *(f"on all rows: {note}" for note in notes)]
    model.split_ += (
        f"; these trees then grown on {plural(len(every), 'row')} of {plural(every.accounts, 'account')}, but for a "
        "part of them on which their number was found and their calibration tested"
    )
    return model


def _main_features(booster: lightgbm.Booster, rows: int) -> NDArray[np.bool_]:
    """Return which features bring nearly all of the fall in loss to trees of so many rows; others cost as much."""
    gain = np.asarray(booster.feature_importance("gain"), dtype=np.float64)
    order = np.argsort(-gain, kind="stable")
    nearly = 1.0 - _NEXT_TO_NOTHING * min(1.0, rows / _ROWS)
    found = np.zeros(len(gain), dtype=np.bool_)
    found[order[np.cumsum(gain[order]) - gain[order] < nearly * gain.sum()]] = True
    return found


def _grower_of_all(twin: ChurnClassifier, every: AllRows, rows_per_account: float) -> Grower:
    """Return what grows trees on every row: larger trees in larger steps than on the rows that were drawn."""
    assert twin._grower is not None
    grower = _of_as_many_accounts(twin._grower, len(every) / every.accounts / rows_per_account)
    shape = shape_for(twin._settings(), churners=every.rarer_accounts, accounts=every.accounts, rows=len(every))
    larger = replace(grower, shape=max(grower.shape, shape, key=lambda each: each.num_leaves))
    return larger if twin.learning_rate is not None else replace(larger.hastened(), max_trees=larger.max_trees)


def _with_trees(model: ChurnClassifier, text: str, margin: LinearMargin | None) -> ChurnClassifier:
    model.model_text_, model.booster_, model.margin_ = text, booster_of(text), margin
    model.best_iteration_ = model.booster_.num_trees()
    return model


def _ordered(twin: ChurnClassifier, rows: DatasetRows, *, folds: int = 0) -> TrainingRows:
    """Return rows as the twin's `fit` had them; where folds are asked for, with their weights and the fold of each account."""
    number = folds_of([str(account) for account in rows.accounts], folds) if folds else None
    weights = rows.weights if folds else None
    return ordered_rows(twin._features(rows.X), rows.y, weights, accounts=rows.accounts, cutoffs=rows.cutoffs, folds=number)


def refit_tier(
    twin: LoyaltyTierClassifier, rows: DatasetRows, tier: NDArray[np.int64], *, rows_per_account: float
) -> LoyaltyTierClassifier:
    """Grow the boosters of the tier on all labelled rows, each as many trees as the twin's; maps and blend stay."""
    features, weights = twin._features(rows.X), np.ones(len(rows)) if rows.weights is None else rows.weights
    known = ordered_rows(features, tier.astype(np.int8), weights, accounts=rows.accounts, cutoffs=rows.cutoffs)
    model, jobs = copy(twin), []
    for step, (grower, trees) in enumerate(zip(twin._growers, twin.best_iterations_, strict=True)):
        assert grower is not None
        above = replace(known, labels=(known.labels > step).astype(np.int8))
        more = len(above) / len(np.unique(above.accounts)) / rows_per_account
        each = _of_as_many_accounts(grower, more)
        jobs.append(partial(each.grow, above, trees=trees))
    grown = side_by_side(jobs, threads=grower.threads if grower else 0)
    counts = zip(grown, twin.best_iterations_, strict=True)
    model.model_texts_ = [portable_text(each.booster, trees=trees) for each, trees in counts]
    model.boosters_ = [booster_of(text) for text in model.model_texts_]
    return model


def _of_as_many_accounts(grower: Grower, more: float) -> Grower:
    """Return what asks for as many accounts in a leaf where each has so many times the rows."""
    least = max(1, round(grower.shape.min_child_samples * more))
    return replace(grower, shape=grower.shape.model_copy(update={"min_child_samples": least}))


def _parts(grower: Grower, rows: TrainingRows, count: int, trees: int) -> list[partial[Grown]]:
    """Return what grows trees without the accounts of each part; nothing where a part has one class only."""
    assert rows.folds is not None
    others = [rows.take(rows.folds != number) for number in range(count)]
    if any(len(np.unique(each.labels)) < 2 for each in others):
        return []
    return [partial(grower.grow, each, trees=trees) for each in others]


def _levelled(
    model: ChurnClassifier, parts: tuple[SealedModel, ...], rows: TrainingRows, latest: NDArray[np.int64]
) -> CalibrationMap:
    """Move the map of the twin to the level of the latest cutoffs, as trees see them that do not know the account."""
    assert rows.cutoffs is not None
    assert rows.folds is not None
    raw = np.empty(len(rows))
    for number, part in enumerate(parts):
        here = rows.folds == number
        raw[here] = part.raw_score(rows.features[here], threads=model._threads())
    there = np.isin(rows.cutoffs, latest)
    found, _ = follow_level(
        *(model.calibration_, raw, rows.labels, rows.accounts), weights=rows.weights, latest=there, cutoffs=rows.cutoffs
    )
    return found
