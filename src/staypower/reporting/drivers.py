"""What drives the risk of a whole company: the strongest topics account by account, and how risk depends on single features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from staypower.explanation.reasons import NO_LEVER, Explanation, lever_words
from staypower.explanation.sentences import kind_of, subject_of
from staypower.hashing import numbers_of_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SAMPLE", "Dependence", "Driver", "Drivers", "find_drivers", "sample_of"]

SAMPLE = 400  # accounts that are drawn
_MOST_DRIVERS, _MOST_DEPENDENCES = 10, 4
_PARTS, _FEWEST_VALUES = 8, 4


@dataclass(frozen=True)
class Driver:
    """One topic, account by account."""

    title: str
    lever: str
    feature: str  # what its values are of, in words
    contributions: NDArray[np.float64]  # shape (n,), log-odds
    places: NDArray[np.float64]  # shape (n,): share of accounts with a lower value; NaN where a value is missing or a text
    size: float  # mean absolute contribution


@dataclass(frozen=True)
class Dependence:
    """The risk of an account that is average in all else, over the values of one feature."""

    feature: str  # in words
    share: bool  # whether the values are shares
    points: Sequence[tuple[float, float]]  # value and probability


@dataclass(frozen=True)
class Drivers:
    """What drives risk here."""

    accounts: int  # that were looked at
    drivers: Sequence[Driver]  # strongest first
    dependences: Sequence[Dependence]


def sample_of(accounts: Sequence[str], most: int = SAMPLE) -> list[str]:
    """Choose accounts by a hash of their ids: the same ones each time, whatever their risk.

    >>> sample_of(["a", "b"]), len(sample_of([str(number) for number in range(900)], 10))
    (['a', 'b'], 10)
    """
    if len(accounts) <= most:
        return list(accounts)
    numbers = numbers_of_texts(pa.chunked_array([pa.array(accounts, pa.string())]))
    order = np.argsort(numbers, kind="stable")[:most]
    return [accounts[place] for place in np.sort(order)]


def find_drivers(explanation: Explanation, calibrated: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Drivers | None:
    """Find the topics with the largest mean absolute contribution, and what their main features do; None without accounts."""
    if not len(explanation):
        return None
    sizes = np.abs(explanation.sums).mean(axis=0)
    order = [number for number in np.argsort(-sizes, kind="stable").tolist() if sizes[number] > 0][:_MOST_DRIVERS]
    drivers: list[Driver] = []
    dependences: list[Dependence] = []
    for number in order:
        topic = explanation.topics[number]
        column = topic.columns[int(np.abs(explanation.contributions[:, list(topic.columns)]).mean(axis=0).argmax())]
        definition = explanation.definitions[str(explanation.features.columns[column])]
        values = explanation.matrix[:, column]
        numeric = kind_of(definition) != "category"
        places = _places(values) if numeric else np.full(len(values), np.nan)
        lever, words = lever_words(topic.lever or NO_LEVER), subject_of(definition)
        drivers.append(Driver(topic.title, lever, words, explanation.sums[:, number], places, float(sizes[number])))
        if kind_of(definition) in ("number", "share") and len(dependences) < _MOST_DEPENDENCES:
            points = _dependence(values, explanation.contributions[:, column], explanation.raw_scores, calibrated)
            if points:
                dependences.append(Dependence(words, kind_of(definition) == "share", points))
    return Drivers(len(explanation), drivers, dependences)


def _places(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of the other accounts with a lower value, half of the equal ones among them."""
    known = values[np.isfinite(values)]
    ordered = np.sort(known)
    below, upto = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return np.where(np.isfinite(values), (below + upto) / (2.0 * max(len(known), 1)), np.nan)


def _dependence(
    values: NDArray[np.float64],
    contributions: NDArray[np.float64],
    raw: NDArray[np.float64],
    calibrated: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> list[tuple[float, float]]:
    """Return the mean value of each part of the accounts, and the risk at the mean score with the part's mean contribution."""
    known = np.isfinite(values)
    if len(np.unique(values[known])) < _FEWEST_VALUES:
        return []
    part = np.minimum((_places(values[known]) * _PARTS).astype(np.int64), _PARTS - 1)
    found = []
    for number in np.unique(part).tolist():
        mine = part == number
        moved = contributions[known][mine].mean() - contributions.mean()
        found.append((float(values[known][mine].mean()), float(calibrated(np.array([raw.mean() + moved]))[0])))
    return found
