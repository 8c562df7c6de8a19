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
    """Arrays that the compiled routine walks, tree by tree."""

    used: Integers  # shape (columns,): Features that some split reads. A column is a place in this list
    tree_splits: Integers  # shape (trees + 1,): Where each tree's splits and branches begin
    tree_branches: Integers  # shape (trees + 1,): Where each tree's splits and branches begin
    tree_points: Integers  # shape (trees,): Points of quadrature
    tree_value: Floats  # shape (trees,): What a tree without splits says; else 0
    split_column: Integers  # shape (splits,)
    split_rule: Integers  # shape (splits,)
    split_threshold: Floats  # shape (splits,)
    split_words: Integers  # shape (splits, 2): Begin and end in `words`
    words: NDArray[np.uint32]  # categories that go left, a bit each
    # shape (branches,): A branch's split within its tree, its depth and the column it decides on. Branches stand in the order
    # of a walk from the root, left first
    branch_split: Integers
    # shape (branches,): A branch's split within its tree, its depth and the column it decides on. Branches stand in the order
    # of a walk from the root, left first
    branch_level: Integers
    # shape (branches,): A branch's split within its tree, its depth and the column it decides on. Branches stand in the order
    # of a walk from the root, left first
    branch_column: Integers
    branch_right: NDArray[np.bool_]  # shape (branches,): Whether it goes right, and whether it ends in leaves
    branch_leaf: NDArray[np.bool_]  # shape (branches,): Whether it goes right, and whether it ends in leaves
    branch_earlier: Integers  # shape (branches,): The depth of the branch before it on the same feature; -1: none
    branch_numbers: Integers  # shape (branches,): Where its numbers begin in `down` and `up`
    branch_values: Floats  # shape (branches, 2): What the leaf says to a row that takes the branch, and to one that does not
    down: Floats  # shape (numbers, 3): Numbers of each branch at each point: hot, warm, cold
    up: Floats  # shape (numbers, 3): Numbers of each branch at each point: hot, warm, cold
    splits: int  # most splits, branches in a row, and points of any tree
    levels: int  # most splits, branches in a row, and points of any tree
    points: int  # most splits, branches in a row, and points of any tree
    base: float  # the mean of the model over the training rows, as the trees count them


def plant(trees: Sequence[Tree]) -> Forest:
    """Lay the trees out for the compiled routine.

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
