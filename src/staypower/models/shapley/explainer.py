"""Explain rows by the fast routine, or by LightGBM where a model is outside of what the routine knows."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from staypower.models.shapley.forest import Forest, plant
from staypower.models.shapley.reading import OutsideError, read_trees
from staypower.models.shapley.routine import explain_rows
from staypower.models.trees import booster_of, contributions_of, raw_scores_of, threads_for

if TYPE_CHECKING:
    import lightgbm

__all__ = ["Explained", "Explainer", "explainer_of"]

Floats = NDArray[np.float64]

_LOG = logging.getLogger(__name__)

_CHUNK = 2048
_WIDTH = 256
_SCRATCH = 1 << 17
_KEPT = 8


class Explained(NamedTuple):
    """What the features add to the raw scores of rows."""

    contributions: Floats  # shape (n, k): In log-odds of the raw score
    base: float  # the same for all rows: base + sum of a row's contributions = its raw score, to rounding
    raw_score: Floats  # shape (n,): Bit for bit what LightGBM predicts


class Explainer:
    """Exact path-dependent TreeSHAP of one model.

    >>> from staypower.models.churn import ChurnClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))
    >>> model = ChurnClassifier(max_trees=5).fit(X, X[:, 0] > 0)
    >>> explainer = Explainer(model.model_text_)
    >>> explainer.way
    'quadrature'
    >>> found = explainer.explain(X)
    >>> bool(np.allclose(found.base + found.contributions.sum(axis=1), model.raw_score(X), rtol=0, atol=1e-12))
    True
    """

    # "lightgbm": by LightGBM's own, slower by an order of magnitude, because the routine does not know the model (averaged
    # trees, a branch that no training row took); the log says so
    way: Literal["quadrature", "lightgbm"]

    def __init__(self, text: str) -> None:
        self._text = text
        self.why = ""
        self.forest: Forest | None = None
        try:
            self.forest = plant(read_trees(text))
        except OutsideError as outside:
            self.why = str(outside)
            _LOG.warning("reasons come from LightGBM's own routine, which is slow: the model has %s", self.why)
        self.way = "quadrature" if self.forest else "lightgbm"

    @cached_property
    def _booster(self) -> lightgbm.Booster:
        return booster_of(self._text)

    def explain(self, features: Floats, *, threads: int | None = None) -> Explained:
        """Explain rows."""
        if self.forest is None:
            return self._explain_slowly(features, threads)
        return _explain(self.forest, features, threads)

    def _explain_slowly(self, features: Floats, threads: int | None) -> Explained:
        if not len(features):  # LightGBM takes no empty matrix, and the base is the same for any row
            one = self._explain_slowly(np.full((1, features.shape[1]), np.nan), threads)
            return Explained(one.contributions[:0], one.base, one.raw_score[:0])
        values, base = contributions_of(self._booster, features, threads=threads)
        return Explained(values, base, raw_scores_of(self._booster, features, threads=threads))


@lru_cache(maxsize=_KEPT)
def explainer_of(text: str) -> Explainer:
    """Return the explainer of a model, kept for the next call."""
    return Explainer(text)


def _explain(forest: Forest, features: Floats, threads: int | None) -> Explained:
    features = np.ascontiguousarray(features, dtype=np.float64)
    contributions, raw = np.zeros(features.shape), np.zeros(len(features))
    # as wide as the scratch of a deep tree still fits into the second-level cache, never wider than the rows
    width = max(1, min(_WIDTH, len(features), max(16, _SCRATCH // (2 * (forest.levels + 1) * forest.points))))

    def run(start: int) -> None:
        rows = slice(start, start + _CHUNK)
        explain_rows(features[rows], forest, width, contributions[rows], raw[rows])

    starts = range(0, len(features), _CHUNK)
    count = min(threads_for(threads, len(features) * len(forest.down)) or (os.cpu_count() or 1), len(starts))
    if count <= 1:
        for start in starts:
            run(start)
    else:
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(run, starts))
    return Explained(contributions, forest.base, raw)
