"""Which topics are worth saying: sums by topic, and the first few of each account, for many accounts at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staypower.explanation.topics import Topic

__all__ = ["NOTHING", "choose_topics", "leading_members", "sum_topics"]

NOTHING = -1
"""Stands where an account has no further reason."""

MATTERS = 0.1
"""A reason matters when it is at least this share of the account's strongest."""

_CHUNK = 4096
_FIRST, _OTHER, _LEFT, _SILENT = range(4)


def sum_topics(contributions: NDArray[np.float64], topics: Sequence[Topic]) -> NDArray[np.float64]:
    """Add up the contributions of each topic's features."""
    sums = np.zeros((len(contributions), len(topics)))
    for start in range(0, len(contributions), _CHUNK):
        # a chunk stays in the processor's cache while its columns are added one after the other
        chunk = np.asfortranarray(contributions[start : start + _CHUNK])
        for number, topic in enumerate(topics):
            target = sums[start : start + _CHUNK, number]
            for column in topic.columns:
                target += chunk[:, column]
    return sums


def choose_topics(
    sums: NDArray[np.float64],
    strength: NDArray[np.float64],
    topics: Sequence[Topic],
    *,
    count: int,
    per_lever: int,
    protective: int | None,
) -> NDArray[np.int64]:
    """Choose the topics that are said of each account."""
    chosen = np.full((len(sums), count), NOTHING, dtype=np.int64)
    levers = np.array([topic.lever or "" for topic in topics])
    for start in range(0, len(sums) if count else 0, _CHUNK):
        rows = slice(start, start + _CHUNK)
        order = np.argsort(-strength[rows], axis=1, kind="stable")
        sorted_sums = np.take_along_axis(sums[rows], order, axis=1)
        sorted_strength = np.take_along_axis(strength[rows], order, axis=1)
        counted = _ranks(sorted_sums, sorted_strength, levers[order], count, per_lever, protective)
        # by rank, within it by strength; then those chosen by strength
        places = np.sort(np.argsort(counted, axis=1, kind="stable")[:, :count], axis=1)
        picked = np.take_along_axis(order, places, axis=1)
        said = np.take_along_axis(sorted_sums, places, axis=1) != 0.0
        width = picked.shape[1]
        # what contributes nothing is weakest, so it stands at the end
        chosen[rows, :width] = np.where(said, picked, NOTHING)
    return chosen


def _ranks(
    sums: NDArray[np.float64],
    strength: NDArray[np.float64],
    levers: NDArray[np.str_],
    count: int,
    per_lever: int,
    protective: int | None,
) -> NDArray[np.int8]:
    """Rank sorted topics: first what fits the mix, then what else matters, then what is left, then what says nothing."""
    said = sums != 0.0
    matters = said & (strength >= MATTERS * strength[:, :1])
    allowed = matters.copy()
    for lever in set(levers.ravel().tolist()) - {""}:
        own = matters & (levers == lever)
        allowed &= ~own | (np.cumsum(own, axis=1) <= per_lever)
    first = allowed
    if protective is not None:
        kept = min(protective, count)
        raising, lowering = allowed & (sums > 0.0), allowed & (sums < 0.0)
        first = (raising & (np.cumsum(raising, axis=1) <= count - kept)) | (lowering & (np.cumsum(lowering, axis=1) <= kept))
    ranks = np.where(first, _FIRST, np.where(allowed, _OTHER, np.where(said, _LEFT, _SILENT)))
    return ranks.astype(np.int8)


def leading_members(
    contributions: NDArray[np.float64], sums: NDArray[np.float64], chosen: NDArray[np.int64], topics: Sequence[Topic]
) -> NDArray[np.int64]:
    """Find the feature that says most of each chosen topic: the one that pushes hardest the way the topic goes."""
    found = np.full(chosen.shape, NOTHING, dtype=np.int64)
    for number, topic in enumerate(topics):
        rows, places = np.nonzero(chosen == number)
        columns = np.array(topic.columns)
        if len(columns) == 1:
            found[rows, places] = columns[0]
        elif len(rows):
            way = np.sign(sums[rows, number])
            pushes = contributions[rows[:, None], columns[None, :]] * way[:, None]
            found[rows, places] = columns[np.argmax(pushes, axis=1)]
    return found
