"""Path-dependent Shapley values from their definition, over all subsets of features: slow, plain, and only for the tests.

The trees are written down here, as LightGBM text and as nested nodes; nothing of the package reads them for the oracle.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

ZERO = float(np.float32(1e-35))
MISSING = {"none": 0, "zero": 1, "nan": 2}


@dataclass(frozen=True)
class Leaf:
    value: float
    rows: int


@dataclass(frozen=True)
class Node:
    """A split: `allowed` is the set of categories that go left, or None for a threshold."""

    feature: int
    threshold: float
    allowed: frozenset[int] | None
    missing: str
    default_left: bool
    left: Node | Leaf
    right: Node | Leaf

    @property
    def rows(self) -> int:
        return self.left.rows + self.right.rows

    def goes_left(self, value: float) -> bool:
        if self.allowed is not None:
            return not math.isnan(value) and value > -1 and int(value) in self.allowed
        if abs(value) <= ZERO or (math.isnan(value) and self.missing != "nan"):
            value = 0.0
        if (self.missing == "zero" and value == 0.0) or (self.missing == "nan" and math.isnan(value)):
            return self.default_left
        return value <= self.threshold


def expected(node: Node | Leaf, row: np.ndarray, known: frozenset[int]) -> float:
    """What the tree says when only some features are known: elsewhere both ways, by their training rows."""
    if isinstance(node, Leaf):
        return node.value
    left, right = expected(node.left, row, known), expected(node.right, row, known)
    if node.feature in known:
        return left if node.goes_left(row[node.feature]) else right
    return (node.left.rows * left + node.right.rows * right) / node.rows


def shapley(trees: list[Node | Leaf], row: np.ndarray) -> np.ndarray:
    """The average, over all orders in which features become known, of what each changes."""
    count = len(row)
    found = np.zeros(count)
    for feature in range(count):
        others = [other for other in range(count) if other != feature]
        for size in range(count):
            weight = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
            for chosen in itertools.combinations(others, size):
                known = frozenset(chosen)
                for tree in trees:
                    found[feature] += weight * (expected(tree, row, known | {feature}) - expected(tree, row, known))
    return found


def prediction(trees: list[Node | Leaf], row: np.ndarray) -> float:
    return sum(expected(tree, row, frozenset(range(len(row)))) for tree in trees)


def base(trees: list[Node | Leaf]) -> float:
    return sum(expected(tree, np.empty(0), frozenset()) for tree in trees)


def model_text(trees: list[Node | Leaf], features: int) -> str:
    """Write trees as LightGBM does."""
    blocks = [f"Tree={number}\n{_block(tree)}\n\n\n" for number, tree in enumerate(trees)]
    head = [
        "tree",
        "version=v4",
        "num_class=1",
        "num_tree_per_iteration=1",
        "label_index=0",
        f"max_feature_idx={features - 1}",
        "objective=binary sigmoid:1",
        "feature_names=" + " ".join(f"f{number}" for number in range(features)),
        "feature_infos=" + " ".join(["none"] * features),
        "tree_sizes=" + " ".join(str(len(block)) for block in blocks),
    ]
    return "\n".join(head) + "\n\n" + "".join(blocks) + "end of trees\n\nfeature_importances:\n"


def _block(tree: Node | Leaf) -> str:
    if isinstance(tree, Leaf):
        empty = ["split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child"]
        lines = ["num_leaves=1", "num_cat=0", *(f"{name}=" for name in empty), f"leaf_value={tree.value!r}"]
        rest = ["leaf_weight", "leaf_count", "internal_value", "internal_weight", "internal_count"]
        return "\n".join([*lines, *(f"{name}=" for name in rest), "is_linear=0", "shrinkage=1"])
    nodes, leaves = _number(tree)
    place = {id(node): number for number, node in enumerate(nodes)} | {id(leaf): ~number for number, leaf in enumerate(leaves)}
    bounds, words = [0], []
    thresholds = []
    for node in nodes:
        if node.allowed is None:
            thresholds.append(repr(node.threshold))
            continue
        thresholds.append(str(len(bounds) - 1))
        length = max(node.allowed) // 32 + 1
        words += [sum(1 << (code % 32) for code in node.allowed if code // 32 == word) for word in range(length)]
        bounds.append(len(words))
    kinds = [(node.allowed is not None) + 2 * node.default_left + 4 * MISSING[node.missing] for node in nodes]
    columns = {
        "num_leaves": [len(leaves)],
        "num_cat": [len(bounds) - 1],
        "split_feature": [node.feature for node in nodes],
        "split_gain": [1] * len(nodes),
        "threshold": thresholds,
        "decision_type": kinds,
        "left_child": [place[id(node.left)] for node in nodes],
        "right_child": [place[id(node.right)] for node in nodes],
        "leaf_value": [repr(leaf.value) for leaf in leaves],
        "leaf_weight": [leaf.rows for leaf in leaves],
        "leaf_count": [leaf.rows for leaf in leaves],
        "internal_value": [0] * len(nodes),
        "internal_weight": [node.rows for node in nodes],
        "internal_count": [node.rows for node in nodes],
        **({"cat_boundaries": bounds, "cat_threshold": words} if words else {}),
        "is_linear": [0],
        "shrinkage": [1],
    }
    return "\n".join(f"{name}={' '.join(map(str, values))}" for name, values in columns.items())


def _number(tree: Node) -> tuple[list[Node], list[Leaf]]:
    """Number nodes and leaves from the root on: each after the one above it."""
    nodes, leaves, waiting = [], [], [tree]
    while waiting:
        found = waiting.pop(0)
        if isinstance(found, Leaf):
            leaves.append(found)
        else:
            nodes.append(found)
            waiting += [found.left, found.right]
    return nodes, leaves
