"""Grow trees on more rows than memory holds: LightGBM keeps one byte of each value and is given the rows one after another.

What is chosen is learned from rows that were drawn: the shape, the bins of each feature, the margin that trees start from, how
many trees, the calibration. Then every labelled row is put into those bins. Where every row was drawn, the trees are those that
the rows in memory give, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import lightgbm
import numpy as np
from numpy.typing import NDArray

from staypower.models.trees import portable_text

if TYPE_CHECKING:
    from staypower.models.margin import LinearMargin
    from staypower.models.training_rows import TrainingRows
    from staypower.models.trees import Grower

__all__ = ["Mould", "RowsInOrder"]

Floats = NDArray[np.float64]

_AT_ONCE = 20_000


class RowsInOrder(Protocol):
    """Rows in the order of account and cutoff, from wherever they lie."""

    @property
    def accounts(self) -> int:
        """How many accounts have a row."""

    def __len__(self) -> int:
        """Count the rows."""

    def batches(self, size: int) -> Iterator[tuple[Floats, NDArray[np.int8]]]:
        """Return features and labels by so many rows."""

    def keep(self, text: Callable[[], str], *made_from: object) -> str:
        """Return a text that is made of these rows and some plain values; it need not be made again after a kill."""


@dataclass(frozen=True, eq=False)
class Mould:
    """What trees of all rows take from the rows that were drawn."""

    grower: Grower
    margin: LinearMargin | None
    bins: lightgbm.Dataset  # of one row, which is not trained on

    @classmethod
    def of(cls, grower: Grower, rows: TrainingRows) -> Mould:
        """Learn bins and margin from the rows that were drawn, and let go of them."""
        one = rows.inputs.take(np.array([0]))
        bins = one.dataset(rows.labels[:1], None, None, **grower.dataset_options(rows.inputs.size))
        return cls(grower, grower.margin_of(rows), bins)

    def grow(self, rows: RowsInOrder, *, trees: int, kept: float) -> str:
        """Return the text of trees of all rows, at the level of the drawn ones, of whose stayers the share `kept` was drawn.

        Their raw score is that of trees of the drawn rows, so that the calibration found with those holds: log-odds above the
        true ones by -log(kept).
        """
        margin = None if self.margin is None else self.margin.to_dict()
        shape, more = self.grower.shape.model_dump(), (self.grower.seed, self.grower.categorical)
        return rows.keep(lambda: self._grow(rows, trees, float(np.log(kept))), shape, more, margin, trees, kept)

    def _grow(self, rows: RowsInOrder, trees: int, lower: float) -> str:
        data = _InOrder(rows, self.margin, lower)
        made = lightgbm.Dataset(data, reference=self.bins, params=self.bins.params).construct()
        made.set_label(data.labels).set_init_score(data.start)
        booster = self.grower.train(made, size=len(rows) * made.num_feature(), trees=trees)
        if self.margin is None and lower:
            _raise_first(booster, -lower)
        return portable_text(booster, trees=trees)


class _InOrder(lightgbm.Sequence):
    """Rows as LightGBM asks for them, once and in their order; their labels and starting scores stay here."""

    batch_size = _AT_ONCE

    def __init__(self, rows: RowsInOrder, margin: LinearMargin | None, lower: float) -> None:
        self.labels = np.empty(len(rows), dtype=np.int8)
        self.start = None if margin is None else np.empty(len(rows))
        self._margin, self._lower, self._batches = margin, lower, rows.batches(_AT_ONCE)

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
