"""The branches of a tree, and every factor of a Shapley value that does not depend on the row.

Of one leaf of value v, let o_j in {0, 1} say of feature j whether the row takes every branch on j that leads to the leaf, and
let z_j be the share of training rows that do (the product of the branches' shares). The Shapley value of feature i is ::

    phi_i = v * integral over t from 0 to 1 of (o_i - z_i) * product over j other than i of (t * o_j + (1 - t) * z_j)

with t the chance that another feature is known when i is asked for. Under the integral stands a polynomial in t of degree
d - 1, d being the number of different features on the path, so Gauss-Legendre quadrature with d / 2 points, rounded up, is
exact. Every factor lies in (0, 1]: nothing cancels, whatever the depth.

At a point t the factor of a feature is t + (1 - t) z where the row follows the path (o = 1) and (1 - t) z where it does not.
Going down, a branch multiplies its factor on; a feature met again has its factor replaced. Going up, the sum over the leaves
below, times (o - z) / factor, is what the branch adds to its feature; where a feature is met again, what the earlier branch
adds there is taken back. So a branch has two numbers a point (down and up) for each of three states of a row:

- hot: it takes the branch and every earlier one on the same feature,
- warm: every earlier one but not this,
- cold: not even those; without an earlier one this does not occur.

At a leaf the way up follows at once, so its numbers are multiplied out, value and weight of the point included. Two leaves
under one split see the same row in swapped states, so their numbers are added and the two are one branch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from staypower.errors import UsageError

__all__ = [
    "Branch",
    "Forest",
    "IN_SET",
    "MISSING_LEFT",
    "MISSING_RIGHT",
    "OutsideError",
    "Tree",
    "ZERO_LEFT",
    "ZERO_RIGHT",
    "numbers_of",
    "plant",
    "points_for",
    "read_trees",
    "starts_of",
    "walk",
]

_CATEGORICAL, _DEFAULT_LEFT, _MISSING_SHIFT = 1, 2, 2
_MISSING = ("none", "zero", "nan", "unknown")
_START = re.compile(r"\n\nTree=\d+\n")
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
_Path = Mapping[int, tuple[int, float]]
MISSING_RIGHT, MISSING_LEFT, ZERO_RIGHT, ZERO_LEFT, IN_SET = range(5)


class OutsideError(Exception):
    """A model that only LightGBM itself explains; the message says why."""


@dataclass(frozen=True, eq=False)
class Split:
    """One decision of a tree."""

    feature: int
    threshold: float  # A row goes left when its value is at most this. Not read by a categorical split
    # categorical split: bit c of these 32-bit words says whether category c goes left. None: numeric
    words: tuple[int, ...] | None
    missing: str  # what counts as missing: "none" (a missing value is read as 0), "zero" (0 and missing values) or "nan"
    default_left: bool  # where missing values go
    left: int  # number of the split below; leaves are counted -1, -2, ...
    right: int  # number of the split below; leaves are counted -1, -2, ...
    rows: int  # training rows that came here


@dataclass(frozen=True, eq=False)
class Tree:
    """One tree."""

    splits: tuple[Split, ...]  # every split after the one above it; none: a single leaf
    leaf_values: tuple[float, ...]  # log-odds, shrinkage included
    leaf_rows: tuple[int, ...]  # training rows in each leaf

    @property
    def expected(self) -> float:
        """The mean of the leaves, by their training rows: what the tree predicts for an unknown row."""
        if not self.splits:
            return self.leaf_values[0]
        rows = self.splits[0].rows
        # LightGBM's own order of operations, so that the base is the same to the last bit
        total = 0.0
        for count, value in zip(self.leaf_rows, self.leaf_values, strict=True):
            total += count / rows * value
        return total

    def rows_at(self, child: int) -> int:
        """Return how many training rows came to a child, as `left` and `right` number them."""
        return self.splits[child].rows if child >= 0 else self.leaf_rows[~child]


def read_trees(text: str) -> tuple[Tree, ...]:
    """Read the trees of a model."""
    head, *blocks = _START.split(text.partition("\nend of trees")[0])
    lines = head.split("\n")
    if not blocks:
        raise OutsideError("no trees")
    if "num_class=1" not in lines or "num_tree_per_iteration=1" not in lines:
        raise _unexplained("more than one output", "explain each of them by a model of its own")
    if "average_output" in lines:
        raise OutsideError("a forest whose trees are averaged")
    return tuple(_tree(dict(line.split("=", 1) for line in block.split("\n") if "=" in line)) for block in blocks)


def _unexplained(what: str, fix: str) -> UsageError:
    return UsageError.of("a model whose scores cannot be explained", what, fix)


def _tree(values: Mapping[str, str]) -> Tree:
    if values.get("is_linear", "0") != "0":
        raise _unexplained("linear leaves", "train with linear_tree=False")
    leaf_values = tuple(float(word) for word in values["leaf_value"].split(" "))
    if values["num_leaves"] == "1":
        return Tree((), leaf_values, (0,))
    leaf_rows = tuple(_whole(values, "leaf_count"))
    node_rows = _whole(values, "internal_count")
    if min(leaf_rows) < 1 or min(node_rows) < 1:
        raise OutsideError("a branch that no training row took")
    named = ("split_feature", "decision_type", "left_child", "right_child")
    columns = [_whole(values, name) for name in named]
    thresholds = [float(word) for word in values["threshold"].split(" ")]
    if any(map(math.isnan, thresholds)):
        raise OutsideError("a threshold that is not a number")
    bounds, words = (_whole(values, name) if name in values else [] for name in ("cat_boundaries", "cat_threshold"))
    splits = []
    for feature, decision, left, right, threshold, rows in zip(*columns, thresholds, node_rows, strict=True):
        allowed = None
        if decision & _CATEGORICAL:
            number = int(threshold)
            allowed = tuple(words[bounds[number] : bounds[number + 1]])
        missing = _MISSING[(decision >> _MISSING_SHIFT) & 3]
        splits.append(Split(feature, threshold, allowed, missing, bool(decision & _DEFAULT_LEFT), left, right, rows))
    return Tree(tuple(splits), leaf_values, leaf_rows)


def _whole(values: Mapping[str, str], name: str) -> list[int]:
    return [int(word) for word in values[name].split(" ")]


class Branch(NamedTuple):
    """A way from a split to what lies below it, or to both of its leaves."""

    split: int  # number of the split in its tree
    level: int  # branches above it
    feature: int
    right: bool  # whether it is the right one. Both leaves: no
    child: int  # what lies below, as in `Split.left`
    earlier: int  # level of the branch before it on the same feature; -1: none
    earlier_share: float  # share of training rows that took all earlier branches on the feature; 1: none
    share: float  # the same, this branch included
    value: float  # value of the leaf, if it is one
    other_share: float  # share of the leaf on the right when the branch stands for both; else 1
    other_value: float  # value of the leaf on the right when the branch stands for both; else 0
    features: int  # different features on the path, this one included


def walk(tree: Tree) -> list[Branch]:
    """List the branches of a tree from the root on, left first.

    >>> from staypower.models.forest import Split
    >>> split = Split(7, 0.5, None, "nan", False, -1, -2, 4)
    >>> branch, = walk(Tree((split,), (-1.0, 1.0), (3, 1)))
    >>> branch.share, branch.other_share
    (0.75, 0.25)
    """
    found = []
    waiting = _below(tree, 0, 0, {}) if tree.splits else []
    while waiting:
        branch, path = waiting.pop()
        found.append(branch)
        if branch.child >= 0:
            waiting += _below(tree, branch.child, branch.level + 1, path)
    return found


def _below(tree: Tree, number: int, level: int, path: _Path) -> list[tuple[Branch, _Path]]:
    """Return the branches of one split, the left one last, each with its path: the last branch on every feature."""
    split = tree.splits[number]
    earlier, earlier_share = path.get(split.feature, (-1, 1.0))
    features = len(path) + (split.feature not in path)
    both = split.left < 0 and split.right < 0
    found: list[tuple[Branch, _Path]] = []
    for right, child in ((False, split.left),) if both else ((True, split.right), (False, split.left)):
        share = earlier_share * (tree.rows_at(child) / split.rows)
        value = tree.leaf_values[~child] if child < 0 else 0.0
        other_share, other_value = 1.0, 0.0
        if both:
            other_share = earlier_share * (tree.rows_at(split.right) / split.rows)
            other_value = tree.leaf_values[~split.right]
        origin = (number, level, split.feature, right, child, earlier, earlier_share)
        branch = Branch(*origin, share, value, other_share, other_value, features)
        found.append((branch, {**path, split.feature: (level, share)}))
    return found


def points_for(branches: Iterable[Branch]) -> int:
    """Return how many points of quadrature make the integrals of a tree exact."""
    return (max((branch.features for branch in branches), default=1) + 1) // 2


def numbers_of(branches: Sequence[Branch], points: Integers) -> tuple[Floats, Floats]:
    """Return every branch's numbers down and up at each of its points."""
    owner = np.repeat(np.arange(len(branches)), points)
    t, rest, weight = _quadrature(points)

    def of(name: str) -> Floats:
        return np.array([getattr(branch, name) for branch in branches], dtype=np.float64)[owner]

    earlier = of("earlier_share")  # 1 where there is none, and every number of an earlier branch falls out
    factor, gain = t + rest * earlier, (1 - earlier) / (t + rest * earlier)

    def numbers(share: Floats) -> tuple[Floats, Floats]:
        hot, warm = t + rest * share, rest * share
        down = np.column_stack([hot / factor, warm / factor, share / earlier])
        return down, np.column_stack([(1 - share) / hot - gain, -1 / rest - gain, np.zeros(len(owner))])

    down, up = numbers(of("share"))
    leaf = of("child") < 0
    ended = down * (of("value") * weight)[:, np.newaxis]
    other, other_up = numbers(of("other_share"))
    other *= (of("other_value") * weight)[:, np.newaxis]
    swapped = [1, 0, 2]
    summed, gained = ended + other[:, swapped], up * ended + (other_up * other)[:, swapped]
    return np.where(leaf[:, np.newaxis], summed, down), np.where(leaf[:, np.newaxis], gained, up)


def _quadrature(points: Integers) -> tuple[Floats, Floats, Floats]:
    """Return t, 1 - t and the weight of each point of each branch, between 0 and 1."""
    rules = {int(count): np.polynomial.legendre.leggauss(int(count)) for count in np.unique(points)}
    nodes, weights = (np.concatenate([rules[int(count)][part] for count in points] or [np.empty(0)]) for part in (0, 1))
    # 1 - t is taken from the node, not from t, which has lost its last digits near 1
    return (1 + nodes) / 2, (1 - nodes) / 2, weights / 2


def starts_of(lengths: Iterable[int]) -> Integers:
    """Return where each of several stretches begins in a list of all, and where the last ends.

    >>> starts_of([2, 3]).tolist()
    [0, 2, 5]
    """
    return np.cumsum([0, *lengths], dtype=np.int64)


class Forest(NamedTuple):
    """Arrays that the compiled routine walks, tree by tree."""

    used: Integers  # shape (columns,): Features that some split reads. A column is a place in this list
    tree_splits: Integers  # shape (trees + 1,): where each tree's splits begin
    tree_branches: Integers  # shape (trees + 1,): where each tree's branches begin
    tree_points: Integers  # shape (trees,): Points of quadrature
    tree_leaves: Integers  # shape (trees + 1,): where each tree's leaves begin
    tree_value: Floats  # shape (trees,): the value of a tree without splits; else 0
    split_column: Integers  # shape (splits,)
    split_rule: Integers  # shape (splits,)
    split_threshold: Floats  # shape (splits,)
    split_words: Integers  # shape (splits, 2): Begin and end in `words`
    split_children: (
        Integers  # shape (splits, 2): What lies left and right in its tree, whose leaves are numbered after its splits
    )
    leaf_value: Floats  # shape (leaves,)
    words: NDArray[np.uint32]  # categories that go left, a bit each
    # shape (branches,): in the order of a walk from the root, left first
    branch_split: Integers  # its split within its tree
    branch_level: Integers  # its depth
    branch_column: Integers  # the column it decides on
    branch_right: NDArray[np.bool_]  # whether it goes right
    branch_leaf: NDArray[np.bool_]  # whether it ends in leaves
    branch_earlier: Integers  # the depth of the branch before it on the same feature; -1: none
    branch_numbers: Integers  # where its numbers begin in `down` and `up`
    branch_values: Floats  # shape (branches, 2): leaf values for rows that take the branch and that do not
    # shape (numbers, 3): numbers of each branch at each point, for rows in the states hot, warm and cold
    down: Floats
    up: Floats
    splits: int  # most splits of any tree
    levels: int  # most branches in a row of any tree
    points: int  # most points of any tree
    base: float  # the mean of the model over the training rows, as the trees count them


def plant(trees: Sequence[Tree]) -> Forest:
    """Arrange the trees for the compiled routine.

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
        tree_leaves=starts_of(len(tree.leaf_values) for tree in trees),
        tree_value=np.array([0.0 if tree.splits else tree.leaf_values[0] for tree in trees]),
        split_column=_integers(column[split.feature] for split in splits),
        split_rule=_integers(_rule(split) for split in splits),
        split_threshold=np.array([split.threshold for split in splits], dtype=np.float64),
        split_words=np.column_stack([word_starts[:-1], word_starts[1:]]),
        split_children=_integers(child for tree in trees for child in _children(tree)).reshape(-1, 2),
        leaf_value=np.array([value for tree in trees for value in tree.leaf_values]),
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


def _children(tree: Tree) -> Iterator[int]:
    for split in tree.splits:
        for child in (split.left, split.right):
            yield child if child >= 0 else len(tree.splits) + ~child


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
