"""Which topics an account's reasons are about, in which order, and what they are said with.

Contributions alone decide what matters. A topic is said with the feature that contributes most to it, among those whose value
tells something: not the one that it is compared with, and not on the side from which the feature is expected to do the
opposite. A topic without such a feature is not said. Among those that matter, the levers of the largest totals come first, then
what else somebody can change, then what nobody can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from staypower.explanation.sentences import round_as_written
from staypower.explanation.topics import NOTHING, Topic
from staypower.features.definition import Definition

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LEADING", "MATTERS", "PER_LEVER", "choose_topics", "find_members", "leading_topics", "tells", "which_matter"]

MATTERS = 0.05  # a reason matters when it is at least this share of the strongest of its kind: with a lever, or without
PER_LEVER = 2  # reasons of one lever at most, unless nothing else matters
LEADING = 3  # levers that come first, each with one reason

_CHUNK = 4096
_FEW = 16  # so many rows are looked at one by one: what a column costs is more than what a row does
_LEADS, _FIRST, _LEFT, _SILENT = range(4)
_NEAR = 0.1  # values that are written the same differ by less than 1, or by less than this share

Compared = Callable[[slice], "NDArray[np.float64]"]


def tells(
    definition: Definition, values: NDArray[np.float64], compared: NDArray[np.float64], way: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Say which values tell something beside what they are compared with; `way` is above 0 where the risk rises.

    >>> from staypower.features.definition import Feature
    >>> use = Feature(name="uses_7d", table="usage", aggregation="count", window=7, unit="uses", description="uses", lever=None,
    ...               direction=-1)
    >>> tells(use, np.array([1.0, 3.0, 9.0, 9.0]), np.full(4, 3.0), np.array([1.0, 1.0, 1.0, -1.0])).tolist()
    [True, False, False, True]
    """
    with np.errstate(invalid="ignore"):
        apart = values - compared
        near = np.flatnonzero(np.abs(apart) <= 1.0 + _NEAR * np.abs(compared))
    different = ~((values == compared) | (np.isnan(values) & np.isnan(compared)))
    near = near[different[near]]
    if len(near):
        different[near] = round_as_written(definition, values[near]) != round_as_written(definition, compared[near])
    if definition.direction is None or definition.category:
        return np.asarray(different)
    # without a value on one of the sides there is no direction
    return np.asarray(different & ~(definition.direction * apart * way < 0.0))


def find_members(
    contributions: NDArray[np.float64],
    sums: NDArray[np.float64],
    topics: Sequence[Topic],
    definitions: Sequence[Definition],
    values: NDArray[np.float64],
    compared: Compared,
) -> NDArray[np.int32]:
    """Find the feature that each topic is said with, -1 where there is nothing to say.

    `definitions` and the columns of `values` are those of the contributions; `compared` returns what some rows of them are
    compared with.
    """
    found = np.full(sums.shape, NOTHING, dtype=np.int32)
    if len(sums) <= _FEW:
        for row, typical in enumerate(compared(slice(0, len(sums)))):
            found[row] = _members_of(contributions[row], sums[row], topics, definitions, values[row], typical)
        return found
    for start in range(0, len(sums), _CHUNK):
        rows = slice(start, start + _CHUNK)
        way, typical = np.sign(sums[rows]), compared(rows)
        for number, topic in enumerate(topics):
            best = np.zeros(len(way))
            for column in topic.columns:
                along = contributions[rows, column] * way[:, number]
                better = np.flatnonzero(along > best)
                if len(better):
                    told = tells(
                        definitions[column],
                        values[rows, column][better],
                        typical[better, column],
                        way[better, number],
                    )
                    better = better[told]
                    best[better] = along[better]
                    found[start + better, number] = column
    return found


def _members_of(
    contributions: NDArray[np.float64],
    sums: NDArray[np.float64],
    topics: Sequence[Topic],
    definitions: Sequence[Definition],
    values: NDArray[np.float64],
    compared: NDArray[np.float64],
) -> list[int]:
    """Find the features of one row: those that contribute most are asked first, so that few are asked."""
    along, value, typical, found = contributions.tolist(), values.tolist(), compared.tolist(), []
    for topic, total in zip(topics, sums.tolist(), strict=True):
        way = 1.0 if total > 0.0 else -1.0 if total < 0.0 else 0.0
        able = [column for column in topic.columns if along[column] * way > 0.0]
        if len(able) > 1:
            # of equal ones the first
            able.sort(key=lambda column: -along[column] * way)
        told = (column for column in able if _tells(definitions[column], value[column], typical[column], way))
        found.append(next(told, NOTHING))
    return found


def _tells(definition: Definition, value: float, compared: float, way: float) -> bool:
    """Say what `tells` says of one value."""
    if value == compared or (value != value and compared != compared):
        return False
    apart = value - compared
    if abs(apart) <= 1.0 + _NEAR * abs(compared):
        written = round_as_written(definition, np.array([value, compared]))
        if written[0] == written[1]:
            return False
    if definition.direction is None or definition.category:
        return True
    return not definition.direction * apart * way < 0.0


def which_matter(said: NDArray[np.float64], topics: Sequence[Topic]) -> NDArray[np.bool_]:
    """Say which topics matter: those with a twentieth of the strongest of their kind, with a lever or without."""
    size = np.abs(said)
    found = np.zeros(said.shape, dtype=bool)
    can = np.array([topic.lever is not None for topic in topics], dtype=bool)
    for kind in (can, ~can):
        part = size[:, kind]
        found[:, kind] = (part > 0.0) & (part >= MATTERS * part.max(axis=1, initial=0.0)[:, None])
    return found


def leading_topics(
    said: NDArray[np.float64], order: NDArray[np.float64], topics: Sequence[Topic], levers: Sequence[str]
) -> NDArray[np.int64]:
    """Return the topics that come first, -1 after the last: of each of the first levers the one that contributes most.

    `order` has a column for each of the levers; the largest come first. Only what matters and raises the risk can lead.
    """
    matters = (said > 0.0) & which_matter(said, topics)
    best = np.full(order.shape, NOTHING, dtype=np.int64)
    for place, columns in enumerate(_topics_of_levers(tuple(topic.lever for topic in topics), tuple(levers))):
        if len(columns):
            strongest = columns[said[:, columns].argmax(axis=1)]
            best[:, place] = np.where(matters[:, columns].any(axis=1), strongest, NOTHING)
    first = np.argsort(-np.where(best == NOTHING, -np.inf, order), axis=1, kind="stable")[:, :LEADING]
    return np.take_along_axis(best, first, axis=1)


@lru_cache(maxsize=8)
def _topics_of_levers(named: tuple[str | None, ...], levers: tuple[str, ...]) -> tuple[NDArray[np.int64], ...]:
    """Return the topics of each lever; kept, since every score of a model asks for the same."""
    return tuple(np.array([number for number, one in enumerate(named) if one == lever], dtype=np.int64) for lever in levers)


def choose_topics(
    said: NDArray[np.float64], leading: NDArray[np.int64] | None, topics: Sequence[Topic], count: int
) -> NDArray[np.int64]:
    """Choose the topics of each account's reasons in the order in which they are said, -1 after the last.

    `said` holds what each topic contributes, 0 where there is nothing to say; `leading` are the topics that come first,
    and after them what has a lever; None where size alone decides.
    """
    chosen = np.full((len(said), count), NOTHING, dtype=np.int64)
    levers = np.array([topic.lever or "" for topic in topics])
    for start in range(0, len(said) if count else 0, _CHUNK):
        rows = slice(start, start + _CHUNK)
        part = said[rows]
        place = np.full(part.shape, LEADING) if leading is None else _places(leading[rows], len(topics))
        ranks = np.where(place < LEADING, _LEADS, _ranks(part, which_matter(part, topics), place, levers))
        # by rank, those of the leading ones by place, the others by size
        size = np.where(place < LEADING, place, -np.abs(part))
        picked = np.lexsort((size, ranks), axis=1)[:, :count]
        free = np.broadcast_to((levers == "") & (leading is not None), part.shape)
        silent = ranks == _SILENT
        keys = [np.take_along_axis(key, picked, axis=1) for key in (-np.abs(part), free, place, silent)]
        # of equal ones the first topic
        picked = np.take_along_axis(picked, np.lexsort([picked, *keys], axis=1), axis=1)
        chosen[rows, : picked.shape[1]] = np.where(np.take_along_axis(silent, picked, axis=1), NOTHING, picked)
    return chosen


def _places(leading: NDArray[np.int64], topics: int) -> NDArray[np.int64]:
    """Return the place of each topic among the leading ones; those that do not lead come after them."""
    found = np.full((len(leading), topics + 1), LEADING, dtype=np.int64)
    for place in reversed(range(leading.shape[1])):
        found[np.arange(len(leading)), leading[:, place]] = place
    return found[:, :-1]


def _ranks(
    said: NDArray[np.float64], matters: NDArray[np.bool_], place: NDArray[np.int64], levers: NDArray[np.str_]
) -> NDArray[np.int64]:
    """Rank topics: first those that matter, at most two of a lever, then the rest, last those with nothing to say."""
    order = np.lexsort((-np.abs(said), place), axis=1)
    first = np.take_along_axis(matters, order, axis=1)
    kinds = levers[order]
    for lever in set(levers.tolist()) - {""}:
        own = first & (kinds == lever)
        first &= ~own | (np.cumsum(own, axis=1) <= PER_LEVER)
    ranked = np.empty_like(first)
    np.put_along_axis(ranked, order, first, axis=1)
    return np.where(ranked, _FIRST, np.where(said != 0.0, _LEFT, _SILENT))
