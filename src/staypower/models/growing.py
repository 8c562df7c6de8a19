"""Grow trees on more rows than memory holds: LightGBM keeps one byte of each value and is given the rows one after another.

Rows that were drawn choose the bins of each feature and the margin that trees start from. Then every labelled row is put into
those bins, but for a tenth of the accounts (more where few churned, at most half). On these it is found how many trees to
grow, unless that is told, and what their scores mean.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from staypower.models.binned import BinnedFeatures
from staypower.models.trees import Grown, booster_of, portable_text
from staypower.tables import numbered

if TYPE_CHECKING:
    from staypower.dataset.all_rows import AllRows, Batch
    from staypower.models.margin import LinearMargin
    from staypower.models.training_rows import TrainingRows
    from staypower.models.trees import Grower

__all__ = ["HeldOut", "Mould"]

Floats = NDArray[np.float64]

_AT_ONCE = 20_000
# many rows gain a little from ever more trees: growing ends where as many as the patience lower the held-out log loss by less
# than this share of what a constant loses
_WORTH = 0.0003
# of so many folds of the accounts one is held out; of fewer where it would hold too few accounts of the rarer label
_FOLDS, _ENOUGH = 10, 200


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What trees say of the rows of accounts that they have not seen."""

    raw: Floats
    labels: NDArray[np.int8]
    accounts: NDArray[np.int64]  # a number of each
    cutoffs: NDArray[np.int64]
    weights: None = None  # every row counts once


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

    def grow(self, rows: AllRows, *, trees: int | None = None, kept: float = 1.0) -> tuple[str, HeldOut]:
        """Return the text of trees of most accounts, and what these say of the others.

        Their raw score is that of trees of the drawn rows, of whose stayers the share `kept` was drawn, so that it means what
        it meant there: log-odds above the true ones by -log(kept). Without a number of `trees`, it is what serves the others
        best.
        """
        growing, held = rows.divided(max(2, min(_FOLDS, rows.rarer_accounts // _ENOUGH)))
        margin = None if self.margin is None else self.margin.to_dict()
        of = {name: value for name, value in vars(self.grower).items() if name not in ("shape", "threads")}
        made_from = (self.grower.shape.model_dump(), of, margin, None if self.used is None else self.used.tolist(), trees, kept)
        text = rows.keep(lambda: self._grow(growing, held, trees, float(np.log(kept))), *made_from)
        return text, self._scored(held, text)

    def _grow(self, growing: AllRows, held: AllRows, trees: int | None, lower: float) -> str:
        _give_memory_back()
        data = self._data(growing, lower, self.bins)
        if trees is None:
            known, worth = self._data(held, lower, data), _WORTH * _entropy(float(np.mean(np.asarray(data.get_label()))))
            booster, losses = self.grower.train_watched(data, known, size=_values(data), least=worth)
            trees = int(np.argmin(losses)) + 1
        else:
            booster = self.grower.train(data, size=_values(data), trees=trees)
        if self.margin is None and lower:
            _raise_first(booster, -lower)
        return portable_text(booster, trees=trees)

    def _data(self, rows: AllRows, lower: float, bins: lightgbm.Dataset) -> lightgbm.Dataset:
        data = _InOrder(rows, self.margin, lower, self._read(rows))
        made = lightgbm.Dataset(data, reference=bins, params=self.bins.params).construct()
        return made.set_label(data.labels).set_init_score(data.start)

    def _read(self, rows: AllRows) -> Iterator[Batch]:
        # a margin may count what no tree splits at
        return rows.batches(_AT_ONCE, self.used if self.margin is None else None)

    def _scored(self, rows: AllRows, text: str) -> HeldOut:
        grown, threads = Grown(booster_of(text), self.margin), self.grower.threads
        raw, *keys = zip(
            *(
                (grown.raw(each.features, threads=threads), each.labels, each.accounts, each.cutoffs)
                for each in self._read(rows)
            ),
            strict=True,
        )
        labels, accounts, cutoffs = keys
        ids = pa.chunked_array([chunk for each in accounts for chunk in each.chunks])
        return HeldOut(np.concatenate(raw), np.concatenate(labels), numbered(ids)[0].astype(np.int64), np.concatenate(cutoffs))


def _give_memory_back() -> None:
    """Return memory that was freed to the system: Arrow and glibc keep it, a gigabyte after trees of ten million rows."""
    pa.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError, TypeError):  # other systems do not have it
        ctypes.CDLL(None).malloc_trim(0)


def _entropy(share: float) -> float:
    return float(-share * np.log(share) - (1 - share) * np.log(1 - share))


def _values(data: lightgbm.Dataset) -> int:
    return data.num_data() * data.num_feature()


class _InOrder(lightgbm.Sequence):
    """Rows as LightGBM asks for them, once and in their order; their labels and starting scores stay here."""

    batch_size = _AT_ONCE

    def __init__(self, rows: AllRows, margin: LinearMargin | None, lower: float, batches: Iterator[Batch]) -> None:
        self.labels = np.empty(len(rows), dtype=np.int8)
        self.start = None if margin is None else np.empty(len(rows))
        self._margin, self._lower, self._batches = margin, lower, batches

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, where: Any) -> Floats:
        batch = next(self._batches)
        self.labels[where] = batch.labels
        if self.start is not None and self._margin is not None:
            self.start[where] = self._margin.raw(batch.features) + self._lower
        return batch.features


def _raise_first(booster: lightgbm.Booster, by: float) -> None:
    """Add the same to the scores of all rows: to each leaf of the first tree, which holds the base."""
    leaves = booster.dump_model(num_iteration=1)["tree_info"][0]["num_leaves"]
    for leaf in range(leaves):
        booster.set_leaf_output(0, leaf, booster.get_leaf_output(0, leaf) + by)
