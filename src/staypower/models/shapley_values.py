"""What each feature adds to the raw score: path-dependent TreeSHAP, or LightGBM's own where the routine does not know a model.

The compiled routine takes rows in blocks, as `tree_scores` does, and does every step for a whole block before the next. No sum
depends on the block: a row's numbers do not depend on the other rows.
"""

from __future__ import annotations

import logging
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from staypower.compiled import jit
from staypower.models.forest import Forest, OutsideError, plant, read_trees
from staypower.models.tree_scores import CHUNK, WIDTH, by_chunks, decide, in_blocks, raw_scores
from staypower.models.trees import booster_of, contributions_of, raw_scores_of, threads_for

if TYPE_CHECKING:
    import lightgbm

    from staypower.models.margin import LinearMargin

__all__ = ["Explained", "Explainer", "explain_rows", "explain_on_margin", "explainer_of", "mean_sizes"]

Floats = NDArray[np.float64]
_LOG = logging.getLogger(__name__)
_SCRATCH = 1 << 17
_KEPT = 24


@jit
def explain_rows(features, forest, width, contributions, raw):  # type: ignore[no-untyped-def]
    """Explain rows."""
    # taken out of the forest once: a loop that asks for them each time takes longer to ask than to compute
    used, words, bounds, first_split = forest.used, forest.words, forest.split_words, forest.tree_splits
    read, rules, thresholds, downs, ups = forest.split_column, forest.split_rule, forest.split_threshold, forest.down, forest.up
    splits, levels, columns, earliers = forest.branch_split, forest.branch_level, forest.branch_column, forest.branch_earlier
    rights, leaf, numbers, values_of = forest.branch_right, forest.branch_leaf, forest.branch_numbers, forest.branch_values
    values = in_blocks(features, used, width)
    sums = np.zeros(values.shape)
    scores = np.zeros((values.shape[0], width))
    goes_left = np.empty((forest.splits, width))
    takes = np.empty((forest.levels, width))
    arrived = np.ones((forest.levels + 1, width))
    product = np.ones((forest.levels + 1, forest.points, width))
    below = np.zeros((forest.levels + 1, forest.points, width))
    open_branch = np.empty(forest.levels + 1, np.int64)
    for tree in range(len(forest.tree_points)):
        points, first_branch, end = forest.tree_points[tree], forest.tree_branches[tree], forest.tree_branches[tree + 1]
        for block in range(len(values)):
            for row in range(width):
                scores[block, row] += forest.tree_value[tree]
            for split in range(first_split[tree], first_split[tree + 1]):
                allowed = words[bounds[split, 0] : bounds[split, 1]]
                decide(
                    values[block, read[split]], rules[split], thresholds[split], allowed, goes_left[split - first_split[tree]]
                )
            depth = 0
            # after the last branch all that are open are closed
            for branch in range(first_branch, end + 1):
                level = levels[branch] if branch < end else 0
                while depth > level:
                    depth -= 1
                    above = open_branch[depth]
                    up = ups[numbers[above] : numbers[above] + points]
                    _go_up(depth, earliers[above], up, takes, below, sums[block, columns[above]])
                if branch == end:
                    break
                earlier, number = earliers[branch], numbers[branch]
                down, up = downs[number : number + points], ups[number : number + points]
                _take(level, earlier, rights[branch], goes_left[splits[branch]], takes)
                if leaf[branch]:
                    _end(level, earlier, down, up, takes, product, below, sums[block, columns[branch]])
                    _score(values_of[branch, 0], values_of[branch, 1], takes[level], arrived[level], scores[block])
                else:
                    _go_down(level, earlier, down, takes, arrived, product, below)
                    open_branch[level] = branch
                    depth = level + 1
    for row in range(len(features)):
        raw[row] = scores[row // width, row % width]
    for first in range(0, len(features), width):
        for column in range(len(used)):
            for row in range(first, min(first + width, len(features))):
                contributions[row, used[column]] = sums[first // width, column, row - first]


@jit
def _take(level, earlier, right, goes_left, takes):  # type: ignore[no-untyped-def]
    """Write 1 where a row takes the branch and every earlier one on its feature, else 0."""
    if right:
        for row in range(len(goes_left)):
            takes[level, row] = 1.0 - goes_left[row]
    else:
        for row in range(len(goes_left)):
            takes[level, row] = goes_left[row]
    if earlier >= 0:
        for row in range(len(goes_left)):
            takes[level, row] *= takes[earlier, row]


@jit
def _go_down(level, earlier, down, takes, arrived, product, below):  # type: ignore[no-untyped-def]
    """Multiply the branch's factor on."""
    width = takes.shape[1]
    for row in range(width):
        arrived[level + 1, row] = arrived[level, row] * takes[level, row]
    for point in range(len(down)):
        hot, warm, cold = down[point, 0], down[point, 1], down[point, 2]
        if earlier < 0:
            for row in range(width):
                factor = hot if takes[level, row] > 0.5 else warm
                product[level + 1, point, row] = product[level, point, row] * factor
                below[level + 1, point, row] = 0.0
        else:
            for row in range(width):
                factor = hot if takes[level, row] > 0.5 else (warm if takes[earlier, row] > 0.5 else cold)
                product[level + 1, point, row] = product[level, point, row] * factor
                below[level + 1, point, row] = 0.0


@jit
def _go_up(level, earlier, up, takes, below, sums):  # type: ignore[no-untyped-def]
    """Give the branch's feature its part of what lies below, and hand that on."""
    for point in range(len(up)):
        hot, warm, cold = up[point, 0], up[point, 1], up[point, 2]
        if earlier < 0:
            for row in range(len(sums)):
                part = hot if takes[level, row] > 0.5 else warm
                sums[row] += part * below[level + 1, point, row]
                below[level, point, row] += below[level + 1, point, row]
        else:
            for row in range(len(sums)):
                part = hot if takes[level, row] > 0.5 else (warm if takes[earlier, row] > 0.5 else cold)
                sums[row] += part * below[level + 1, point, row]
                below[level, point, row] += below[level + 1, point, row]


@jit
def _end(level, earlier, down, up, takes, product, below, sums):  # type: ignore[no-untyped-def]
    """Go down to a leaf and up again at once."""
    for point in range(len(down)):
        hot, warm, cold = down[point, 0], down[point, 1], down[point, 2]
        hot_part, warm_part, cold_part = up[point, 0], up[point, 1], up[point, 2]
        if earlier < 0:
            for row in range(len(sums)):
                here = product[level, point, row]
                follows = takes[level, row] > 0.5
                below[level, point, row] += here * (hot if follows else warm)
                sums[row] += here * (hot_part if follows else warm_part)
        else:
            for row in range(len(sums)):
                here = product[level, point, row]
                follows, followed = takes[level, row] > 0.5, takes[earlier, row] > 0.5
                below[level, point, row] += here * (hot if follows else (warm if followed else cold))
                sums[row] += here * (hot_part if follows else (warm_part if followed else cold_part))


@jit
def _score(value, other, takes, arrived, scores):  # type: ignore[no-untyped-def]
    """Add the leaf's value where the row arrived there; elsewhere 0, which changes no bit."""
    for row in range(len(scores)):
        scores[row] += arrived[row] * (value if takes[row] > 0.5 else other)


class Explained(NamedTuple):
    """What the features add to the raw scores of rows."""

    contributions: Floats  # shape (n, k): In log-odds of the raw score
    # base + sum of a row's contributions = its raw score, to rounding. One for all rows, or one each where folds score them
    base: float | Floats
    raw_score: Floats  # shape (n,): Bit for bit what LightGBM predicts


class Explainer:
    """Exact path-dependent TreeSHAP of one model.

    >>> from staypower.models.churn import ChurnClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))
    >>> model = ChurnClassifier(max_trees=5, margin=False).fit(X, X[:, 0] > 0)
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

    def raw_score(self, features: Floats, *, threads: int | None = None) -> Floats:
        """Return the raw score of each row, bit for bit what LightGBM predicts."""
        if self.forest is None:
            return raw_scores_of(self._booster, features, threads=threads)
        return raw_scores(self.forest, features, threads)

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


def explain_on_margin(text: str, margin: LinearMargin | None, features: Floats, *, threads: int | None = None) -> Explained:
    """Explain the raw scores of trees that start from a margin: what both add for one feature is one number."""
    found = explainer_of(text).explain(features, threads=threads)
    if margin is None:
        return found
    linear = margin.contributions(features)
    raw = margin.sum_of(linear) + found.raw_score
    return Explained(found.contributions + linear, found.base + margin.base, raw)


def mean_sizes(text: str, margin: LinearMargin | None, features: Floats) -> Floats:
    """Return the mean size of each feature's contribution, over at most 2,000 evenly spaced rows."""
    some = features[:: -(-len(features) // CHUNK)]
    return np.asarray(np.abs(explain_on_margin(text, margin, some).contributions).mean(axis=0))


def _width(forest: Forest, rows: int) -> int:
    """Say how many rows go together: the scratch of a deep tree still fits into the second-level cache."""
    return max(1, min(WIDTH, rows, max(16, _SCRATCH // (2 * (forest.levels + 1) * forest.points))))


def _explain(forest: Forest, features: Floats, threads: int | None) -> Explained:
    features = np.ascontiguousarray(features, dtype=np.float64)
    contributions, raw = np.zeros(features.shape), np.zeros(len(features))
    width = _width(forest, len(features))

    def explain(rows: slice) -> None:
        explain_rows(features[rows], forest, width, contributions[rows], raw[rows])

    by_chunks(explain, len(features), threads_for(threads, len(features) * len(forest.down)))
    return Explained(contributions, forest.base, raw)
