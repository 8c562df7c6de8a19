"""Grow trees on more rows than memory holds: LightGBM keeps one byte of each value and is given the rows one after another.

Rows that were drawn choose the bins of each feature and the margin that trees start from. Then every labelled row is put into
those bins. How many trees to grow is found on rows of accounts that are held out, or told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

import lightgbm
import numpy as np
from numpy.typing import NDArray

from staypower.models.binned import BinnedFeatures
from staypower.models.trees import portable_text

if TYPE_CHECKING:
    from staypower.models.margin import LinearMargin
    from staypower.models.training_rows import TrainingRows
    from staypower.models.trees import Grower

__all__ = ["Mould", "RowsInOrder"]

Floats = NDArray[np.float64]

_AT_ONCE = 20_000
# many rows gain a little from ever more trees: growing ends where as many as the patience lower the held-out log loss by less
# than this share of what a constant loses
_WORTH = 0.0003
_FOLDS = 10  # of the accounts, one is held out to find how many trees serve it best


class RowsInOrder(Protocol):
    """Rows in the order of account and cutoff, from wherever they lie."""

    @property
    def accounts(self) -> int:
        """How many accounts have a row."""

    @property
    def rarer_accounts(self) -> int:
        """How many accounts have a row of the rarer label."""

    def __len__(self) -> int:
        """Count the rows."""

    def divided(self, folds: int) -> tuple[Self, Self]:
        """Return the rows of all accounts but one of so many folds, and those of that fold."""

    def batches(self, size: int, used: NDArray[np.bool_] | None) -> Iterator[tuple[Floats, NDArray[np.int8]]]:
        """Return features and labels by so many rows; features that are not `used` are 0."""

    def keep(self, text: Callable[[], str], *made_from: object) -> str:
        """Return a text that is made of these rows and some plain values; it need not be made again after a kill."""


@dataclass(frozen=True, eq=False)
class Mould:
    """What trees of all rows take from the rows that were drawn."""

    grower: Grower
    margin: LinearMargin | None
    bins: lightgbm.Dataset  # of one row, which is not trained on
    used: NDArray[np.bool_] | None  # features that trees may split at; None: all

    @classmethod
    def of(cls, grower: Grower, rows: TrainingRows, *, used: NDArray[np.bool_] | None = None) -> Mould:
        """Learn bins and margin from the rows that were drawn, and let go of them; trees split at features that are `used`."""
        # LightGBM holds nothing of a feature that is constant where its bins are learned
        inputs = rows.inputs if used is None else BinnedFeatures(np.where(used, rows.features, 0.0))
        one = inputs.take(np.array([0]))
        bins = one.dataset(rows.labels[:1], None, None, **grower.dataset_options(rows.inputs.size))
        return cls(grower, grower.margin_of(rows), bins, used)

    def grow(self, rows: RowsInOrder, *, trees: int | None, kept: float) -> str:
        """Return the text of trees of all rows, at the level of the drawn ones, of whose stayers the share `kept` was drawn.

        Their raw score is that of trees of the drawn rows, so that the calibration found with those holds: log-odds above the
        true ones by -log(kept). Without a number of `trees`, it is what serves best a part of the accounts, which is held
        out.
        """
        margin = None if self.margin is None else self.margin.to_dict()
        of = {name: value for name, value in vars(self.grower).items() if name not in ("shape", "threads")}
        made_from = (self.grower.shape.model_dump(), of, margin, None if self.used is None else self.used.tolist(), trees, kept)
        return rows.keep(lambda: self._grow(rows, trees, float(np.log(kept))), *made_from)

    def _grow(self, rows: RowsInOrder, trees: int | None, lower: float) -> str:
        if trees is None:
            growing, held = rows.divided(_FOLDS)
            data = self._data(growing, lower, self.bins)
            known, worth = self._data(held, lower, data), _WORTH * _entropy(float(np.mean(np.asarray(data.get_label()))))
            booster, losses = self.grower.train_watched(data, known, size=_values(data), least=worth)
            trees = int(np.argmin(losses)) + 1
        else:
            data = self._data(rows, lower, self.bins)
            booster = self.grower.train(data, size=_values(data), trees=trees)
        if self.margin is None and lower:
            _raise_first(booster, -lower)
        return portable_text(booster, trees=trees)

    def _data(self, rows: RowsInOrder, lower: float, bins: lightgbm.Dataset) -> lightgbm.Dataset:
        data = _InOrder(rows, self.margin, lower, self.used)
        made = lightgbm.Dataset(data, reference=bins, params=self.bins.params).construct()
        return made.set_label(data.labels).set_init_score(data.start)


def _entropy(share: float) -> float:
    return float(-share * np.log(share) - (1 - share) * np.log(1 - share))


def _values(data: lightgbm.Dataset) -> int:
    return data.num_data() * data.num_feature()


class _InOrder(lightgbm.Sequence):
    """Rows as LightGBM asks for them, once and in their order; their labels and starting scores stay here."""

    batch_size = _AT_ONCE

    def __init__(self, rows: RowsInOrder, margin: LinearMargin | None, lower: float, used: NDArray[np.bool_] | None) -> None:
        self.labels = np.empty(len(rows), dtype=np.int8)
        self.start = None if margin is None else np.empty(len(rows))
        # a margin may count what no tree splits at
        self._margin, self._lower, self._batches = margin, lower, rows.batches(_AT_ONCE, used if margin is None else None)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, where: Any) -> Floats:
        features, self.labels[where] = next(self._batches)
        if self.start is not None and self._margin is not None:
            self.start[where] = self._margin.raw(features) + self._lower
        return features


def _raise_first(booster: lightgbm.Booster, by: float) -> None:
    """Add the same to the scores of all rows: to each leaf of the first tree, which holds the base."""
    leaves = booster.dump_model(num_iteration=1)["tree_info"][0]["num_leaves"]
    for leaf in range(leaves):
        booster.set_leaf_output(0, leaf, booster.get_leaf_output(0, leaf) + by)
