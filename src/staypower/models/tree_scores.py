"""The raw scores of rows by the trees of a model, bit for bit what LightGBM predicts, without loading it.

The compiled routines take rows in blocks, feature by feature: the inner loops run over neighbouring numbers, and the processor
does several rows at once. No step mixes rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from staypower.compiled import jit
from staypower.models.forest import IN_SET, MISSING_LEFT, MISSING_RIGHT, ZERO_LEFT, ZERO_RIGHT, Forest
from staypower.models.trees import threads_for

__all__ = ["CHUNK", "WIDTH", "by_chunks", "decide", "in_blocks", "raw_scores", "score_few", "score_rows"]

# LightGBM reads values this near to 0 as 0; the bound is a single-precision number
_ZERO = float(np.float32(1e-35))
_MOST_CATEGORIES = 2147483648.0
CHUNK = 2048
WIDTH = 256
_FEW = 16  # so many rows go down the trees one by one: what a split costs is more than what a row does
Floats = NDArray[np.float64]


def raw_scores(forest: Forest, features: Floats, threads: int | None) -> Floats:
    """Return the raw score of each row."""
    features, raw = np.ascontiguousarray(features, dtype=np.float64), np.zeros(len(features))
    if len(features) <= _FEW:
        score_few(features, forest, raw)
        return raw

    def score(rows: slice) -> None:
        score_rows(features[rows], forest, WIDTH, raw[rows])

    by_chunks(score, len(features), threads_for(threads, len(features) * len(forest.tree_splits)))
    return raw


def by_chunks(work: Callable[[slice], None], rows: int, threads: int) -> None:
    """Work on rows in chunks, several at once."""
    chunks = [slice(start, start + CHUNK) for start in range(0, rows, CHUNK)]
    count = min(threads or (os.cpu_count() or 1), len(chunks))
    if count <= 1:
        for chunk in chunks:
            work(chunk)
    else:
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(work, chunks))


@jit
def score_rows(features, forest, width, raw):  # type: ignore[no-untyped-def]
    """Write the raw scores of rows, with the bits of `explain_rows`.

    From the last split of a tree to its first, each row takes what was found on the side to which it goes.
    """
    # taken out of the forest once: a loop that asks for them each time takes longer to ask than to compute
    words, starts, leaves, values_of = forest.words, forest.tree_splits, forest.tree_leaves, forest.leaf_value
    columns, rules, thresholds, bounds = forest.split_column, forest.split_rule, forest.split_threshold, forest.split_words
    children, values = forest.split_children, in_blocks(features, forest.used, width)
    scores = np.zeros((len(values), width))
    goes_left, found = np.empty(width), np.empty((2 * forest.splits + 1, width))
    for tree in range(len(starts) - 1):
        first, count = starts[tree], starts[tree + 1] - starts[tree]
        for leaf in range(leaves[tree], leaves[tree + 1]):
            found[count + leaf - leaves[tree]] = values_of[leaf]
        for block in range(len(values)):
            for number in range(count - 1, -1, -1):
                split = first + number
                allowed = words[bounds[split, 0] : bounds[split, 1]]
                decide(values[block, columns[split]], rules[split], thresholds[split], allowed, goes_left)
                _choose(goes_left, found[children[split, 0]], found[children[split, 1]], found[number])
            scores[block] += found[0]
    for row in range(len(features)):
        raw[row] = scores[row // width, row % width]


@jit
def _choose(goes_left, left, right, found):  # type: ignore[no-untyped-def]
    """Take for each row what lies on its side."""
    for row in range(len(found)):
        found[row] = left[row] if goes_left[row] > 0.5 else right[row]


@jit
def score_few(features, forest, raw):  # type: ignore[no-untyped-def]
    """Write the raw scores of a few rows, each of which goes down to its leaf of every tree: the same bits."""
    words, starts, leaves, children = forest.words, forest.tree_splits, forest.tree_leaves, forest.split_children
    used, columns, rules, thresholds = forest.used, forest.split_column, forest.split_rule, forest.split_threshold
    bounds, values = forest.split_words, forest.leaf_value
    for row in range(len(features)):
        for tree in range(len(starts) - 1):
            count, node = starts[tree + 1] - starts[tree], 0
            while node < count:
                split = starts[tree] + node
                value, rule, threshold = features[row, used[columns[split]]], rules[split], thresholds[split]
                left = _goes_left(value, rule, threshold, words, bounds[split, 0], bounds[split, 1])
                node = children[split, 0 if left else 1]
            raw[row] += values[leaves[tree] + node - count]


@jit
def _goes_left(value, rule, threshold, words, begin, end):  # type: ignore[no-untyped-def]
    """Say where one row goes: `decide` for one value."""
    if abs(value) <= _ZERO:
        value = 0.0
    if rule == MISSING_RIGHT:
        return value <= threshold
    if rule == MISSING_LEFT:
        return not value > threshold
    if rule == ZERO_RIGHT:
        return value <= threshold and value != 0.0
    if rule == ZERO_LEFT:
        return not (value > threshold and value != 0.0)
    if not (value > -1.0 and value < _MOST_CATEGORIES):
        return False
    code = int(value)
    return code // 32 < end - begin and ((words[begin + code // 32] >> (code % 32)) & 1) == 1


@jit
def in_blocks(features, used, width):  # type: ignore[no-untyped-def]
    """Return the used features by block, column and row; the last block is filled with zeros."""
    values = np.zeros(((len(features) + width - 1) // width, len(used), width))
    for first in range(0, len(features), width):
        # column by column: places that lie a power of two apart would push each other out of the cache
        for column in range(len(used)):
            for row in range(first, min(first + width, len(features))):
                value = features[row, used[column]]
                values[first // width, column, row - first] = 0.0 if abs(value) <= _ZERO else value
    return values


@jit
def decide(values, rule, threshold, words, goes_left):  # type: ignore[no-untyped-def]
    """Write 1 where a row goes left and 0 where it goes right. A comparison with a missing value is false."""
    if rule == MISSING_RIGHT:
        for row in range(len(goes_left)):
            goes_left[row] = 1.0 if values[row] <= threshold else 0.0
    elif rule == MISSING_LEFT:
        for row in range(len(goes_left)):
            goes_left[row] = 0.0 if values[row] > threshold else 1.0
    elif rule == ZERO_RIGHT:
        for row in range(len(goes_left)):
            goes_left[row] = 1.0 if values[row] <= threshold and values[row] != 0.0 else 0.0
    elif rule == ZERO_LEFT:
        for row in range(len(goes_left)):
            goes_left[row] = 0.0 if values[row] > threshold and values[row] != 0.0 else 1.0
    elif rule == IN_SET:
        for row in range(len(goes_left)):
            goes_left[row] = 0.0
            if values[row] > -1.0 and values[row] < _MOST_CATEGORIES:
                code = int(values[row])
                if code // 32 < len(words) and (words[code // 32] >> (code % 32)) & 1:
                    goes_left[row] = 1.0
