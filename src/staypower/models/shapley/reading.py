"""Read the trees of a LightGBM model from its text."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from staypower.errors import UsageError

__all__ = ["OutsideError", "Tree", "read_trees"]

_CATEGORICAL, _DEFAULT_LEFT, _MISSING_SHIFT = 1, 2, 2
_MISSING = ("none", "zero", "nan", "unknown")
_START = re.compile(r"\n\nTree=\d+\n")


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
    """Read the trees of a model.

    >>> read_trees("tree")
    Traceback (most recent call last):
        ...
    staypower.models.shapley.reading.OutsideError: no trees
    """
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
