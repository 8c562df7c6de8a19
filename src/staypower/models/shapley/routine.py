"""The compiled routine: rows in, contributions and raw scores out.

Rows are taken in blocks, feature by feature, and every step is done for a whole block before the next, so the inner loops run
over neighbouring numbers and the processor does several rows at once. No step mixes rows and no sum depends on the block: a
row's numbers do not depend on the other rows.
"""

from __future__ import annotations

import numpy as np

from staypower.compiled import jit
from staypower.models.shapley.forest import IN_SET, MISSING_LEFT, MISSING_RIGHT, ZERO_LEFT, ZERO_RIGHT

__all__ = ["explain_rows"]

# LightGBM reads values this near to 0 as 0; the bound is a single-precision number
_ZERO = float(np.float32(1e-35))
_MOST_CATEGORIES = 2147483648.0


@jit
def explain_rows(features, forest, width, contributions, raw):  # type: ignore[no-untyped-def]
    """Explain rows."""
    values = _blocks(features, forest.used, width)
    sums = np.zeros(values.shape)
    scores = np.zeros((values.shape[0], width))
    goes_left = np.empty((forest.splits, width))
    takes = np.empty((forest.levels, width))
    arrived = np.ones((forest.levels + 1, width))
    product = np.ones((forest.levels + 1, forest.points, width))
    below = np.zeros((forest.levels + 1, forest.points, width))
    open_branch = np.empty(forest.levels + 1, np.int64)
    for tree in range(len(forest.tree_points)):
        points = forest.tree_points[tree]
        for block in range(len(values)):
            for row in range(width):
                scores[block, row] += forest.tree_value[tree]
            for split in range(forest.tree_splits[tree], forest.tree_splits[tree + 1]):
                begin, end = forest.split_words[split]
                _decide(
                    values[block, forest.split_column[split]],
                    forest.split_rule[split],
                    forest.split_threshold[split],
                    forest.words[begin:end],
                    goes_left[split - forest.tree_splits[tree]],
                )
            depth = 0
            for branch in range(forest.tree_branches[tree], forest.tree_branches[tree + 1]):
                level = forest.branch_level[branch]
                while depth > level:
                    depth -= 1
                    above = open_branch[depth]
                    number, column = forest.branch_numbers[above], forest.branch_column[above]
                    up = forest.up[number : number + points]
                    _go_up(depth, forest.branch_earlier[above], up, takes, below, sums[block, column])
                earlier, number = forest.branch_earlier[branch], forest.branch_numbers[branch]
                down, up = forest.down[number : number + points], forest.up[number : number + points]
                _take(level, earlier, forest.branch_right[branch], goes_left[forest.branch_split[branch]], takes)
                if forest.branch_leaf[branch]:
                    column = forest.branch_column[branch]
                    _end(level, earlier, down, up, takes, product, below, sums[block, column])
                    value, other = forest.branch_values[branch]
                    _score(value, other, takes[level], arrived[level], scores[block])
                else:
                    _go_down(level, earlier, down, takes, arrived, product, below)
                    open_branch[level] = branch
                    depth = level + 1
            while depth > 0:
                depth -= 1
                above = open_branch[depth]
                number, column = forest.branch_numbers[above], forest.branch_column[above]
                up = forest.up[number : number + points]
                _go_up(depth, forest.branch_earlier[above], up, takes, below, sums[block, column])
    for row in range(len(features)):
        raw[row] = scores[row // width, row % width]
        for column in range(len(forest.used)):
            contributions[row, forest.used[column]] = sums[row // width, column, row % width]


@jit
def _blocks(features, used, width):  # type: ignore[no-untyped-def]
    """Return the used features by block, column and row; the last block is filled with zeros."""
    values = np.zeros(((len(features) + width - 1) // width, len(used), width))
    for row in range(len(features)):
        for column in range(len(used)):
            value = features[row, used[column]]
            values[row // width, column, row % width] = 0.0 if abs(value) <= _ZERO else value
    return values


@jit
def _decide(values, rule, threshold, words, goes_left):  # type: ignore[no-untyped-def]
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
