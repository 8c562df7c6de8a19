"""How many of the scored rows lie beyond what the model saw in training, for the features that matter most to it.

Trees say the same of every value beyond their last split. Where many rows lie out there, a probability is less certain than the
evaluation says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from staypower.results.numbers import percent, plain, short

if TYPE_CHECKING:
    import pandas as pd

    from staypower.dataset.building import DatasetRows

__all__ = [
    "RANGES",
    "Beyond",
    "TrainedRange",
    "beyond_from_plain",
    "beyond_to_plain",
    "beyond_training",
    "beyond_words",
    "find_ranges",
    "sum_beyond",
]

RANGES = "ranges"  # in a bundle's learned definitions
_COUNTS = ("rows", "below", "above")
_MOST = 10
_SHOWN = 3
_NOTICEABLE = 0.01


@dataclass(frozen=True)
class TrainedRange:
    """The lowest and highest value of one feature in training."""

    feature: str
    low: float
    high: float
    unit: str = ""


@dataclass(frozen=True)
class Beyond:
    """How many of some rows lie below and above the training range of one feature."""

    range: TrainedRange
    rows: int
    below: int
    above: int

    @property
    def share(self) -> float:
        """The share of the rows that lies beyond the range."""
        return (self.below + self.above) / self.rows if self.rows else 0.0

    @property
    def words(self) -> str:
        """The share in words, with the end of the range that was passed.

        >>> Beyond(TrainedRange("days_since_last_order", 0, 181, "days"), 100, 0, 31).words
        'days_since_last_order: 31.0% of the rows lie beyond the training range (max 181 days)'
        """
        low, high = (short(value) for value in (self.range.low, self.range.high))
        span = f"{low} to {high}" if self.below and self.above else f"min {low}" if self.below else f"max {high}"
        unit = f" {self.range.unit}" if self.range.unit else ""
        return f"{self.range.feature}: {percent(self.share)} of the rows lie beyond the training range ({span}{unit})"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        limits = {"feature": self.range.feature, "low": self.range.low, "high": self.range.high, "unit": self.range.unit}
        return {**limits, "rows": self.rows, "below": self.below, "above": self.above}


def find_ranges(rows: DatasetRows, importance: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return the training ranges of the ten most important numbers, most important first, as a bundle keeps them."""
    X, catalogue = rows.dataset.X, rows.dataset.catalogue
    numbers = [name for name in importance if importance[name] > 0 and name not in catalogue.categories]
    found = []
    for name in sorted(numbers, key=lambda name: (-importance[name], name))[:_MOST]:
        values = X[name].to_numpy(dtype=np.float64)[rows.index]
        known = values[~np.isnan(values)]
        if len(known):
            limits = {"low": float(known.min()), "high": float(known.max())}
            found.append({"feature": name, **limits, "unit": catalogue[name].unit or ""})
    return found


def beyond_training(learned: Mapping[str, Any], X: pd.DataFrame) -> tuple[Beyond, ...]:
    """Count the rows beyond the training range of each feature that a bundle keeps one of; nothing for older bundles."""
    found = []
    for entry in learned.get(RANGES, ()):
        known = TrainedRange(**entry)
        values = X[known.feature].to_numpy(dtype=np.float64)
        found.append(Beyond(known, len(values), int((values < known.low).sum()), int((values > known.high).sum())))
    return tuple(found)


def sum_beyond(parts: Iterable[Sequence[Beyond]]) -> tuple[Beyond, ...]:
    """Add up what was counted for several parts of the rows.

    >>> one = Beyond(TrainedRange("a", 0, 1), 10, 1, 2)
    >>> sum_beyond([[one], [one]])[0].above
    4
    """
    total: list[Beyond] = []
    for part in parts:
        both = zip(total or [replace(each, rows=0, below=0, above=0) for each in part], part, strict=True)
        total = [replace(a, rows=a.rows + b.rows, below=a.below + b.below, above=a.above + b.above) for a, b in both]
    return tuple(total)


def beyond_words(beyond: Sequence[Beyond]) -> list[str]:
    """Say which features have one row in a hundred or more beyond their range, at most three, the largest share first."""
    told = [each for each in beyond if each.share >= _NOTICEABLE]
    return [each.words for each in sorted(told, key=lambda each: -each.share)[:_SHOWN]]


def beyond_to_plain(beyond: Sequence[Beyond]) -> list[Any]:
    """Return plain values for JSON."""
    return [plain(each.to_dict()) for each in beyond]


def beyond_from_plain(values: Sequence[Mapping[str, Any]]) -> tuple[Beyond, ...]:
    """Rebuild what `beyond_to_plain` wrote."""
    return tuple(
        Beyond(TrainedRange(*(each[name] for name in ("feature", "low", "high", "unit"))), *(each[name] for name in _COUNTS))
        for each in values
    )
