"""Grow boosted trees with LightGBM so that the same rows give the same bytes on any number of threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from staypower.errors import UsageError
from staypower.models.margin import LinearMargin, fit_margin
from staypower.models.seal import RESTORE
from staypower.models.settings import TreeShape
from staypower.models.side_by_side import at_most, stop_where_asked

if TYPE_CHECKING:
    import lightgbm

    from staypower.models.training_rows import TrainingRows

__all__ = ["Grower", "Grown", "booster_of", "contributions_of", "portable_text", "raw_scores_of", "threads_for"]

Floats = NDArray[np.float64]

_WORTH_SHARING = 4_000_000
_CONTRIBUTION_COST = 50
_HASTE, _COARSEST = 3.0, 0.08


@dataclass(frozen=True, eq=False)
class Grown:
    """Trees, and the margin that they start from."""

    booster: lightgbm.Booster
    margin: LinearMargin | None = None  # None: they start from nothing

    def raw(self, features: Floats, *, threads: int, trees: int | None = None) -> Floats:
        """Return the raw score of rows by the margin and the first trees, by default all."""
        found = self.booster.predict(features, raw_score=True, num_iteration=trees, num_threads=at_most(threads))
        return on_margin(self.margin, features, np.asarray(found, dtype=np.float64))


def on_margin(margin: LinearMargin | None, features: Floats, trees: Floats) -> Floats:
    """Return the raw score: the margin, where there is one, and what the trees add."""
    return trees if margin is None else margin.raw(features) + trees


@dataclass(frozen=True)
class Grower:
    """Grows trees of one shape."""

    shape: TreeShape
    max_trees: int
    patience: int  # stop when the held-out log loss has not fallen for this many trees
    seed: int
    threads: int  # most threads of one training, which small data do not share; 0: all cores
    categorical: Sequence[int] = ()  # positions of the features that are codes
    # penalty of a linear margin, fitted to the same rows, that the trees start from; None: no margin
    margin: float | None = None

    @property
    def haste(self) -> float:
        """How many trees one tree stands for where trees only count, compare and calibrate."""
        return min(_HASTE, max(1.0, _COARSEST / self.shape.learning_rate))

    def hastened(self) -> Grower:
        """Return what grows fewer trees in larger steps: they count, compare and calibrate as well as small steps."""
        shape = self.shape.model_copy(update={"learning_rate": self.shape.learning_rate * self.haste})
        patience, most = (max(1, round(each / self.haste)) for each in (self.patience, self.max_trees))
        return replace(self, shape=shape, patience=patience, max_trees=most)

    def trees_for(self, count: int, *, of: Grower) -> int:
        """Return how many trees go as far as so many of another grower's."""
        return max(1, min(self.max_trees, round(count * of.shape.learning_rate / self.shape.learning_rate)))

    def grow(self, rows: TrainingRows, *, trees: int) -> Grown:
        """Grow a set number of trees on all rows."""
        margin = self.margin_of(rows)
        return Grown(self.train(self._dataset(rows, margin), size=rows.inputs.size, trees=trees), margin)

    def train(self, data: lightgbm.Dataset, *, size: int, trees: int) -> lightgbm.Booster:
        """Grow a set number of trees on a data set of LightGBM with so many values."""
        import lightgbm  # it brings scikit-learn with it, which scoring does not need

        return lightgbm.train(self._parameters(size), data, trees, callbacks=[stop_where_asked])

    def grow_watched(self, rows: TrainingRows, held: TrainingRows) -> tuple[Grown, Floats]:
        """Grow trees until the log loss on held-out rows stops falling."""
        margin = self.margin_of(rows)
        booster, losses = self.train_watched(self._dataset(rows, margin), self._dataset(held, margin), size=rows.inputs.size)
        return Grown(booster, margin), losses

    def train_watched(
        self, data: lightgbm.Dataset, held: lightgbm.Dataset, *, size: int, least: float = 0.0
    ) -> tuple[lightgbm.Booster, Floats]:
        """Grow trees on a data set of LightGBM until the log loss on a held-out one falls by no more than the `least`."""
        import lightgbm

        seen: dict[str, Any] = {}
        callbacks: list[Any] = [
            stop_where_asked,
            lightgbm.early_stopping(self.patience, verbose=False, min_delta=least),
            lightgbm.record_evaluation(seen),
        ]
        booster = lightgbm.train(
            self._parameters(size),
            data,
            self.max_trees,
            valid_sets=[held],
            valid_names=["held"],
            callbacks=callbacks,
        )
        return booster, np.asarray(seen["held"]["binary_logloss"], dtype=np.float64)

    def margin_of(self, rows: TrainingRows) -> LinearMargin | None:
        """Fit the margin that trees on these rows start from; None where they start from nothing."""
        return None if self.margin is None else fit_margin(rows, self.categorical, strength=self.margin)

    def _dataset(self, rows: TrainingRows, margin: LinearMargin | None) -> lightgbm.Dataset:
        start = None if margin is None else margin.raw(rows.features)
        return rows.inputs.dataset(rows.labels, rows.weights, start, **self.dataset_options(rows.inputs.size))

    def dataset_options(self, size: int) -> dict[str, Any]:
        """Return what a data set of so many values is made with."""
        return {"categorical": self.categorical, "parameters": self._parameters(size)}

    def _parameters(self, size: int) -> dict[str, Any]:
        shape = self.shape
        return {
            "objective": "binary",
            "metric": "binary_logloss",
            "num_leaves": shape.num_leaves,
            "max_depth": shape.max_depth,
            "learning_rate": shape.learning_rate,
            "min_data_in_leaf": shape.min_child_samples,
            "lambda_l2": shape.l2,
            "feature_fraction": shape.feature_fraction,
            "bagging_fraction": shape.bagging_fraction,
            "bagging_freq": 1,
            "feature_pre_filter": False,
            "seed": self.seed,
            "num_threads": 1 if size < _WORTH_SHARING else at_most(self.threads),
            # Column-wise histograms are what makes the trees independent of the number of threads; row-wise ones do not.
            "deterministic": True,
            "force_col_wise": True,
            "verbosity": -1,
        }


def portable_text(booster: lightgbm.Booster, *, trees: int) -> str:
    """Write a model as text without the parameters it was trained with.

    The block of parameters holds the number of threads; without it the same trees are the same bytes everywhere.
    """
    text: str = booster.model_to_string(num_iteration=trees)
    return text.split("\nparameters:\n", 1)[0] + "\n"


def booster_of(text: str) -> lightgbm.Booster:
    """Read a model from text that `check_model_text` found whole."""
    import lightgbm

    try:
        return lightgbm.Booster(model_str=text)
    except lightgbm.basic.LightGBMError as error:
        raise UsageError.of("broken model text", str(error)[:200], RESTORE) from None


def threads_for(asked: int | None, work: int) -> int:
    """Say how many threads to use; no number depends on it.

    >>> threads_for(None, 1000), threads_for(None, 10**8) == threads_for(0, 1), threads_for(3, 1000)
    (1, True, 3)
    """
    return 1 if asked is None and work < _WORTH_SHARING else at_most(asked)


def raw_scores_of(booster: lightgbm.Booster, features: Floats, *, threads: int | None) -> Floats:
    """Return the raw score of each row."""
    count = threads_for(threads, len(features) * booster.num_trees())
    return np.asarray(booster.predict(features, raw_score=True, num_threads=count), dtype=np.float64)


def contributions_of(booster: lightgbm.Booster, features: Floats, *, threads: int | None) -> tuple[Floats, float]:
    """Return what each feature adds to each row's raw score, and the base."""
    count = threads_for(threads, _CONTRIBUTION_COST * len(features) * booster.num_trees())
    found = np.asarray(booster.predict(features, pred_contrib=True, num_threads=count), dtype=np.float64)
    return np.ascontiguousarray(found[:, :-1]), float(found[0, -1])
