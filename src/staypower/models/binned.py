"""Features of training rows, which are put into bins once, whichever of the rows are trained on.

Bins are learned from the values of all rows of a fit, held-out rows included; no label is read for that. Making them takes as
long as growing many small trees, taking some rows of them next to nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import lightgbm

__all__ = ["BinnedFeatures"]

Floats = NDArray[np.float64]


class _Table:
    """All rows of a fit, and their bins once somebody asked for them."""

    def __init__(self, values: Floats) -> None:
        self.values = values
        self._made: dict[tuple[Any, ...], lightgbm.Dataset] = {}
        self._lock = threading.Lock()

    def bins(self, categorical: Sequence[int], parameters: dict[str, Any]) -> lightgbm.Dataset:
        import lightgbm  # it brings scikit-learn with it, which scoring does not need

        key = (tuple(categorical), parameters["seed"])
        with self._lock:
            if key not in self._made:
                made = lightgbm.Dataset(
                    self.values,
                    np.zeros(len(self.values)),
                    # LightGBM refuses `",[]{}:` in names and keeps names in the model text: ours stay outside it.
                    feature_name=[f"f{position}" for position in range(self.values.shape[1])],
                    categorical_feature=list(categorical),
                    params=dict(parameters),
                )
                self._made[key] = made.construct()
            # rows taken from it are made with its own number of threads, which depends on what runs beside
            found = self._made[key]
            found.params = {**parameters, "num_threads": parameters.get("num_threads", 1)}
            return found


class BinnedFeatures:
    """The values of some rows, and their bins.

    >>> features = BinnedFeatures(np.array([[1.0], [2.0], [3.0]]))
    >>> features.take(np.array([True, False, True])).matrix.tolist()
    [[1.0], [3.0]]
    """

    def __init__(self, values: Floats) -> None:
        self._table = _Table(values)
        self._place: NDArray[np.int64] | None = None

    @cached_property
    def matrix(self) -> Floats:
        """Shape (n, k)."""
        return self._table.values if self._place is None else self._table.values[self._place]

    @property
    def size(self) -> int:
        """How many values there are."""
        table = self._table.values
        return int(table.size) if self._place is None else len(self._place) * table.shape[1]

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> BinnedFeatures:
        """Return some of the rows; they are copied when their values are asked for."""
        place = np.arange(len(self._table.values)) if self._place is None else self._place
        taken = BinnedFeatures.__new__(BinnedFeatures)
        taken._table, taken._place = self._table, place[which]
        return taken

    def dataset(
        self,
        labels: NDArray[np.int8],
        weights: Floats | None,
        start: Floats | None,
        *,
        categorical: Sequence[int],
        parameters: dict[str, Any],
    ) -> lightgbm.Dataset:
        """Return LightGBM's form of the rows, with labels, weights and the scores that trees start from."""
        place = np.arange(len(self._table.values)) if self._place is None else self._place
        if np.any(np.diff(place) <= 0):
            raise ValueError("rows are taken in their order, each once")
        whole = self._table.bins(categorical, parameters)
        made = whole.subset(place.tolist(), params=whole.params).construct()
        made.set_label(labels).set_weight(weights).set_init_score(start)
        return made
