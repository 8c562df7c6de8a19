"""Check that a model's text is whole before LightGBM reads it.

LightGBM trusts the text it is given: a truncated or altered model ends the interpreter instead of raising. The digests of a
bundle catch accidents; this check also stops a text that was altered and sealed again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from staypower.errors import UsageError
from staypower.models.seal import RESTORE

__all__ = ["check_model_text"]

_CATEGORICAL = 1
_TREE = (
    *("num_leaves", "num_cat", "split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child"),
    *("leaf_value", "leaf_weight", "leaf_count", "internal_value", "internal_weight", "internal_count"),
)
_TREE_CATEGORIES = ("cat_boundaries", "cat_threshold")
_TREE_END = ("is_linear", "shrinkage")
_REAL = r"-?(?:[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]{1,4})?|inf|nan)"
_REALS = re.compile(f"{_REAL}(?: {_REAL})*")
_WHOLE = "(?:-[0-9]{1,16}|[0-9]{1,17})"
_WHOLES = re.compile(f"{_WHOLE}(?: {_WHOLE})*")


def check_model_text(text: str, *, features: int) -> None:
    """Refuse a model text that LightGBM could not read safely."""
    try:
        _check(text, features)
    except _BrokenTextError as broken:
        raise UsageError.of("broken model text", str(broken), RESTORE) from None


class _BrokenTextError(Exception):
    pass


def _require(fine: object, what: str) -> None:
    if not fine:
        raise _BrokenTextError(what)


def _check(text: str, features: int) -> None:
    _require(text.isascii() and "\r" not in text and "\0" not in text, "characters that do not belong there")
    head, found, rest = text.partition("\n\nTree=0\n")
    _require(bool(found), "no list of trees")
    _check_head(head, features)
    sizes = [int(size) for size in _whole(_values(head)["tree_sizes"].split(" "), "tree_sizes")]
    start = len(head) + 2
    for number, size in enumerate(sizes):
        block = text[start : start + size]
        _require(block.startswith(f"Tree={number}\n") and block.endswith("\n\n\n"), f"tree {number} is not where it should be")
        _check_tree(_values(block.removesuffix("\n\n\n")), number, features)
        start += size
    _require(text[start:].startswith("end of trees\n"), "trees do not end where they should")
    _require("\nparameters:" not in rest and "\nTree=" not in text[start:], "something follows the trees")
    _check_tail(text[start:], features)


def _values(block: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for line in block.split("\n"):
        name, _, value = line.partition("=")
        _require("=" not in value, f"`{name[:40]}` has two values")
        _require(name not in found, f"`{name[:40]}` is there twice")
        found[name] = value
    return found


def _check_head(head: str, features: int) -> None:
    lines = head.split("\n")
    values = _values(head)
    expected = {
        "num_class": "1",
        "num_tree_per_iteration": "1",
        "label_index": "0",
        "max_feature_idx": str(features - 1),
        "objective": "binary sigmoid:1",
        "feature_names": " ".join(f"f{position}" for position in range(features)),
    }
    _require(lines[:2] == ["tree", "version=v4"], "not a LightGBM model of version 4")
    for name, value in expected.items():
        _require(values.get(name) == value, f"`{name}` is not `{value[:60]}`")
    known = {"tree", "version", "feature_infos", "tree_sizes", *expected}
    _require(set(values) == known, f"lines other than {sorted(known)}")
    _require(len(values["feature_infos"].split(" ")) == features, "`feature_infos` has another number of features")


def _check_tree(values: Mapping[str, str], number: int, features: int) -> None:
    where = f"in tree {number}"
    names = [*_TREE, *(_TREE_CATEGORIES if "cat_boundaries" in values else ()), *_TREE_END]
    _require(list(values) == ["Tree", *names], f"lines other than LightGBM writes {where}")
    leaves, categorical = (_whole([values.get(name, "")], f"{name} {where}")[0] for name in ("num_leaves", "num_cat"))
    _require(leaves >= 1 and categorical >= 0, f"no leaves {where}")
    _require(values.get("is_linear") == "0", f"linear leaves {where}")
    _require(np.isfinite(_real(values, "shrinkage", 1, where)).all(), f"shrinkage {where}")
    _require(np.isfinite(_real(values, "leaf_value", leaves, where)).all(), f"a leaf without a value {where}")
    if leaves == 1:
        _require(categorical == 0, f"categories without a split {where}")
        return
    _real(values, "leaf_weight", leaves, where)
    for name in ("split_gain", "internal_value", "internal_weight"):
        _real(values, name, leaves - 1, where)
    for name, count in (("leaf_count", leaves), ("internal_count", leaves - 1)):
        _require((_integers(values, name, count, where) >= 0).all(), f"{name} {where}")
    threshold = _real(values, "threshold", leaves - 1, where)
    used = _integers(values, "split_feature", leaves - 1, where)
    _require(((used >= 0) & (used < features)).all(), f"a split on a feature that is not there {where}")
    kinds = _integers(values, "decision_type", leaves - 1, where)
    _require(((kinds >= 0) & (kinds < 16)).all(), f"an unknown decision {where}")
    _check_shape(values, leaves, where)
    _check_categories(values, threshold[(kinds & _CATEGORICAL) > 0], categorical, where)


def _check_shape(values: Mapping[str, str], leaves: int, where: str) -> None:
    """Require that the nodes form one tree: every leaf and every node but the root is reached once, from above."""
    left, right = (_integers(values, name, leaves - 1, where) for name in ("left_child", "right_child"))
    children = np.concatenate([left, right])
    expected = np.concatenate([np.arange(-leaves, 0), np.arange(1, leaves - 1)])
    _require(np.array_equal(np.sort(children), expected), f"branches that lead nowhere {where}")
    parents = np.tile(np.arange(leaves - 1), 2)
    inner = children >= 0
    _require((children[inner] > parents[inner]).all(), f"branches that lead back {where}")


def _check_categories(values: Mapping[str, str], threshold: NDArray[np.float64], count: int, where: str) -> None:
    if count == 0:
        _require(len(threshold) == 0, f"a categorical split without categories {where}")
        return
    _require(np.isin(threshold, np.arange(count)).all(), f"a categorical split outside its categories {where}")
    bounds = _integers(values, "cat_boundaries", count + 1, where)
    _require(bounds[0] == 0 and (np.diff(bounds) > 0).all(), f"cat_boundaries {where}")
    words = _integers(values, "cat_threshold", int(bounds[-1]), where)
    _require(((words >= 0) & (words < 2**32)).all(), f"cat_threshold {where}")


def _check_tail(tail: str, features: int) -> None:
    lines = [line for line in tail.split("\n") if line]
    _require(lines[:2] == ["end of trees", "feature_importances:"], "no feature importances at the end")
    rest = lines[2:]
    if rest and rest[-1] == "pandas_categorical:null":
        rest = rest[:-1]
    names = {f"f{position}" for position in range(features)}
    for line in rest:
        name, _, value = line.partition("=")
        _require(name in names and value.isdecimal(), "something follows the trees")


def _integers(values: Mapping[str, str], name: str, count: int, where: str) -> NDArray[np.int64]:
    found = _whole(values.get(name, "").split(" "), f"{name} {where}")
    _require(len(found) == count, f"{name} has {len(found)} values, not {count} {where}")
    return np.asarray(found, dtype=np.int64)


def _whole(words: list[str], what: str) -> list[int]:
    together = " ".join(words)
    fine = _WHOLES.fullmatch(together) and together.count(" ") == len(words) - 1
    _require(fine, f"{what} holds no whole numbers")
    return [int(word) for word in words]


def _real(values: Mapping[str, str], name: str, count: int, where: str) -> NDArray[np.float64]:
    words = values.get(name, "").split(" ")
    _require(len(words) == count, f"{name} has {len(words)} values, not {count} {where}")
    # Stricter than Python's float, which takes `1_000`: LightGBM aborts on it.
    _require(_REALS.fullmatch(values.get(name, "")), f"{name} holds no numbers {where}")
    return np.array([float(word) for word in words])
