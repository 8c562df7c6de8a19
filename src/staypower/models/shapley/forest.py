"""The trees of a model as flat arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from staypower.models.shapley.branches import numbers_of, points_for, starts_of, walk
from staypower.models.shapley.reading import Split, Tree

__all__ = ["IN_SET", "MISSING_LEFT", "MISSING_RIGHT", "ZERO_LEFT", "ZERO_RIGHT", "Forest", "plant"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MISSING_RIGHT, MISSING_LEFT, ZERO_RIGHT, ZERO_LEFT, IN_SET = range(5)


class Forest(NamedTuple):
    """Arrays that the compiled routine walks, tree by tree.

    Parameters
    ----------
    used : array of int64, shape (columns,)
        Features that some split reads. A column is a place in this list.
    tree_splits, tree_branches : array of int64, shape (trees + 1,)
        Where each tree's splits and branches begin.
    tree_points : array of int64, shape (trees,)
        Points of quadrature.
    tree_value : array of float, shape (trees,)
        What a tree without splits says; else 0.
    split_column, split_rule : array of int64, shape (splits,)
    split_threshold : array of float, shape (splits,)
    split_words : array of int64, shape (splits, 2)
        Begin and end in `words`.
    words : array of uint32
        Categories that go left, a bit each.
    branch_split, branch_level, branch_column : array of int64, shape (branches,)
        A branch's split within its tree, its depth and the column it decides on. Branches stand in the order of a walk from
        the root, left first.
    branch_right, branch_leaf : array of bool, shape (branches,)
        Whether it goes right, and whether it ends in leaves.
    branch_earlier : array of int64, shape (branches,)
        The depth of the branch before it on the same feature; -1: none.
    branch_numbers : array of int64, shape (branches,)
        Where its numbers begin in `down` and `up`.
    branch_values : array of float, shape (branches, 2)
        What the leaf says to a row that takes the branch, and to one that does not.
    down, up : array of float, shape (numbers, 3)
        Numbers of each branch at each point: hot, warm, cold.
    splits, levels, points : int
        Most splits, branches in a row, and points of any tree.
    base : float
        The mean of the model over the training rows, as the trees count them.
    """

    used: Integers
    tree_splits: Integers
    tree_branches: Integers
    tree_points: Integers
    tree_value: Floats
    split_column: Integers
    split_rule: Integers
    split_threshold: Floats
    split_words: Integers
    words: NDArray[np.uint32]
    branch_split: Integers
    branch_level: Integers
    branch_column: Integers
    branch_right: NDArray[np.bool_]
    branch_leaf: NDArray[np.bool_]
    branch_earlier: Integers
    branch_numbers: Integers
    branch_values: Floats
    down: Floats
    up: Floats
    splits: int
    levels: int
    points: int
    base: float


def plant(trees: Sequence[Tree]) -> Forest:
    """Lay the trees out for the compiled routine.

    Parameters
    ----------
    trees : sequence of Tree

    Returns
    -------
    Forest

    Examples
    --------
    >>> split = Split(0, 0.5, None, "nan", False, -1, -2, 4)
    >>> forest = plant([Tree((split,), (-1.0, 1.0), (3, 1))])
    >>> forest.base, forest.up.tolist()
    (-0.5, [[-0.5, 1.5, 0.0]])
    """
    walks = [walk(tree) for tree in trees]
    points = [points_for(branches) for branches in walks]
    branches = [branch for each in walks for branch in each]
    splits = [split for tree in trees for split in tree.splits]
    branch_points = np.repeat(np.array(points, dtype=np.int64), [len(each) for each in walks])
    down, up = numbers_of(branches, branch_points)
    used = sorted({split.feature for split in splits})
    column = {feature: place for place, feature in enumerate(used)}
    words = [split.words or () for split in splits]
    word_starts = starts_of(len(each) for each in words)
    return Forest(
        used=_integers(used),
        tree_splits=starts_of(len(tree.splits) for tree in trees),
        tree_branches=starts_of(len(each) for each in walks),
        tree_points=_integers(points),
        tree_value=np.array([0.0 if tree.splits else tree.leaf_values[0] for tree in trees]),
        split_column=_integers(column[split.feature] for split in splits),
        split_rule=_integers(_rule(split) for split in splits),
        split_threshold=np.array([split.threshold for split in splits], dtype=np.float64),
        split_words=np.column_stack([word_starts[:-1], word_starts[1:]]),
        words=np.array([word for each in words for word in each], dtype=np.uint32),
        branch_split=_integers(branch.split for branch in branches),
        branch_level=_integers(branch.level for branch in branches),
        branch_column=_integers(column[branch.feature] for branch in branches),
        branch_right=np.array([branch.right for branch in branches], dtype=np.bool_),
        branch_leaf=np.array([branch.child < 0 for branch in branches], dtype=np.bool_),
        branch_earlier=_integers(branch.earlier for branch in branches),
        branch_numbers=starts_of(branch_points)[:-1],
        branch_values=np.array([(branch.value, branch.other_value) for branch in branches], dtype=np.float64).reshape(-1, 2),
        down=down,
        up=up,
        splits=max(len(tree.splits) for tree in trees),
        levels=max((branch.level + 1 for branch in branches), default=0),
        points=max(points),
        base=_base(trees),
    )


def _rule(split: Split) -> int:
    if split.words is not None:
        return IN_SET
    if split.missing == "zero":
        return ZERO_LEFT if split.default_left else ZERO_RIGHT
    # where nothing counts as missing, a missing value is read as 0
    left = split.default_left if split.missing == "nan" else split.threshold >= 0
    return MISSING_LEFT if left else MISSING_RIGHT


def _base(trees: Iterable[Tree]) -> float:
    total = 0.0
    for tree in trees:
        total += tree.expected
    return total


def _integers(values: Iterable[int]) -> Integers:
    return np.array(list(values), dtype=np.int64)
