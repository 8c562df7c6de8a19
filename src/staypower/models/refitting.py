"""Grow the model that scores: as many trees, of the same shape, as its twin that was evaluated, on all labelled rows.

The twin never saw the months that it is tested on; the model that scores has to know them. Its trees are others, so the
level of the twin's calibration is found anew: trees grown without one half of the accounts (or, in a snapshot, without a fold
of them) score that half, and the map moves as `follow_level` says.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from staypower.hashing import folds_of
from staypower.models.bundle import SealedModel, fold_models, score_by_fold
from staypower.models.calibration import follow_level
from staypower.models.churn import ChurnClassifier
from staypower.models.growing import Mould, RowsInOrder
from staypower.models.shapley_values import mean_sizes
from staypower.models.side_by_side import side_by_side
from staypower.models.tier import LoyaltyTierClassifier
from staypower.models.training import shape_for
from staypower.models.training_rows import TrainingRows, ordered_rows
from staypower.models.trees import Grower, Grown, booster_of, portable_text
from staypower.results.numbers import plural

if TYPE_CHECKING:
    import lightgbm
    import pandas as pd

    from staypower.dataset.building import DatasetRows
    from staypower.models.calibration import CalibrationMap
    from staypower.models.margin import LinearMargin

__all__ = ["Refitted", "grow_on_all", "refit", "refit_tier"]

Floats = NDArray[np.float64]

_HALVES = 2
_NEARLY_ALL = 0.999  # of the fall in loss that all features bring to trees of the drawn rows

Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Refitted:
    """The model that scores, and what it would say of accounts that it was not trained on."""

    model: ChurnClassifier
    # trees without the accounts of each half, or of each fold of a snapshot; none where a part has one class only
    parts: tuple[SealedModel, ...] = ()

    def held_out(self, X: pd.DataFrame, accounts: NDArray[np.object_]) -> Floats:
        """Return the probability of each row by trees that have not seen its account; by all of them where there are none."""
        if not self.parts:
            return np.asarray(self.model.predict_proba(X, accounts)[:, 1], dtype=np.float64)
        raw = score_by_fold(self.parts, self.model._features(X), accounts, threads=self.model._threads())
        return self.model.calibration_.apply(raw)


def refit(
    twin: ChurnClassifier,
    rows: DatasetRows,
    latest: NDArray[np.int64],
    *,
    rows_per_account: float,
    every: RowsInOrder | None = None,
    kept: float = 1.0,
) -> Refitted:
    """Grow the churn model on rows of all labelled cutoffs, its level right at the `latest`.

    The twin had so many rows per account: a leaf holds as many accounts as there, and so as many more rows as there are.
    Where the rows were drawn, with the share `kept` of the stayers', the trees that score grow on `every` row.
    """
    trees = twin._trees
    if every is None:
        model, parts, grown = _with_level(twin, rows, latest, partial(Grower.grow, trees=trees), rows_per_account)
        return Refitted(_with_trees(model, portable_text(grown.booster, trees=trees), grown.margin), parts)
    # what the trees of all rows split at was found with the twin's
    used = None if len(every) <= len(rows) else twin.booster_.feature_importance("gain") > 0
    model, parts, mould = _with_level(twin, rows, latest, partial(Mould.of, used=used), rows_per_account)
    grower = _grower_of_all(twin, every, len(rows), rows_per_account)
    text = replace(mould, grower=grower).grow(every, trees=twin.best_iteration_, kept=kept)
    return Refitted(_with_trees(model, text, mould.margin), parts)


def grow_on_all(twin: ChurnClassifier, rows: DatasetRows, every: RowsInOrder, *, kept: float) -> ChurnClassifier:
    """Give a model that was fitted to drawn rows trees of every row, from the same margin.

    Margin and calibration stay those of the rows that were drawn, with the share `kept` of the stayers'; so does the number
    of trees where every row was drawn.
    """
    grower = _grower_of_all(twin, every, len(rows), len(rows) / rows.distinct_accounts)
    more = len(every) > len(rows)
    mould = Mould.of(grower, _ordered(twin, rows), used=_main_features(twin.booster_) if more else None)
    text = mould.grow(every, trees=None if more else twin._trees, kept=kept)
    model = _with_trees(copy(twin), text, mould.margin)
    if model.margin_ is not None:
        model.sizes_ = mean_sizes(model.model_text_, model.margin_, model._features(rows.X))
    model.split_ += f"; these trees then grown on {plural(len(every), 'row')} of {plural(every.accounts, 'account')}"
    return model


def _main_features(booster: lightgbm.Booster) -> NDArray[np.bool_]:
    """Return which features bring nearly all of the fall in loss; others cost as much and change little."""
    gain = np.asarray(booster.feature_importance("gain"), dtype=np.float64)
    order = np.argsort(-gain, kind="stable")
    found = np.zeros(len(gain), dtype=np.bool_)
    found[order[np.cumsum(gain[order]) - gain[order] < _NEARLY_ALL * gain.sum()]] = True
    return found


def _grower_of_all(twin: ChurnClassifier, every: RowsInOrder, drawn: int, rows_per_account: float) -> Grower:
    """Return what grows trees on every row: where these are more than were drawn, larger trees in larger steps."""
    assert twin._grower is not None
    grower = _of_as_many_accounts(twin._grower, len(every) / every.accounts / rows_per_account)
    if len(every) <= drawn:
        return grower
    shape = shape_for(twin._settings(), churners=every.rarer_accounts, accounts=every.accounts, rows=len(every))
    larger = replace(grower, shape=max(grower.shape, shape, key=lambda each: each.num_leaves))
    return larger if twin.learning_rate is not None else replace(larger.hastened(), max_trees=larger.max_trees)


def _with_trees(model: ChurnClassifier, text: str, margin: LinearMargin | None) -> ChurnClassifier:
    model.model_text_, model.booster_, model.margin_ = text, booster_of(text), margin
    model.best_iteration_ = model.booster_.num_trees()
    return model


def _with_level(
    twin: ChurnClassifier,
    rows: DatasetRows,
    latest: NDArray[np.int64],
    first: Callable[[Grower, TrainingRows], Made],
    rows_per_account: float,
) -> tuple[ChurnClassifier, tuple[SealedModel, ...], Made]:
    """Find the level of trees on some rows with trees that lack a part of them; beside that, do something `first` with all."""
    assert twin._grower is not None
    trees, count = twin._trees, len(twin.folds_) or _HALVES
    known = _ordered(twin, rows, folds=count)
    plain, more = replace(known, weights=None), len(known) / len(np.unique(known.accounts)) / rows_per_account
    grower = _of_as_many_accounts(twin._grower, more)
    # the trees of a snapshot's folds score, too; halves only find the level
    held = grower if twin.folds_ else grower.hastened()
    parts = _parts(held, plain, count, held.trees_for(trees, of=grower))
    jobs: list[Callable[[], Any]] = [partial(first, grower, plain), *parts]
    made, *halves = side_by_side(jobs, threads=grower.threads)
    model = copy(twin)
    sealed = [(portable_text(each.booster, trees=each.booster.num_trees()), each.margin) for each in halves]
    found = fold_models(sealed, twin._names())
    model.folds_ = found if twin.folds_ else ()
    if found:
        model.calibration_ = _levelled(model, found, known, latest)
    return model, found, made


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
