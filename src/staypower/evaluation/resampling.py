"""Intervals from a bootstrap over accounts: an account is drawn with all its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from staypower.results.numbers import decimal, interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LEVEL", "Estimate", "estimate", "row_weights"]

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value and its interval; NaN where there is none.

    Parameters
    ----------
    value : float
    low, high : float
        Ends of the 95 % interval.

    Examples
    --------
    >>> Estimate(0.1, 0.05, 0.2).excludes(0.0)
    True
    """

    value: float
    low: float = float("nan")
    high: float = float("nan")

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return bool(np.isfinite(self.value))

    @property
    def bounded(self) -> bool:
        """Whether there is an interval."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))

    def written(self, write: Callable[[float], str] = decimal) -> str:
        """Write the value and, in brackets, the interval.

        >>> Estimate(0.7465, 0.73, 0.766).written(), Estimate(0.5, 0.5, 0.5).written()
        ('0.747 (0.730 to 0.766)', '0.500')
        """
        ends = "" if self.low == self.high else interval(self.low, self.high, write)
        return f"{write(self.value)} ({ends})" if ends else write(self.value)

    def excludes(self, number: float) -> bool:
        """Say whether the interval exists and leaves a number outside."""
        return self.bounded and not self.low <= number <= self.high


def row_weights(account_number: NDArray[np.intp], replicates: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Draw how often each row counts in each replicate.

    >>> next(row_weights(np.array([0, 0, 1]), 1, seed=1)).tolist()
    [1.0, 1.0, 1.0]
    """
    generator = np.random.default_rng(seed)
    accounts = int(account_number.max()) + 1
    for _ in range(replicates):
        drawn = np.bincount(generator.integers(accounts, size=accounts), minlength=accounts)
        yield drawn[account_number].astype(np.float64)


def estimate(value: float, replicates: NDArray[np.float64], *, recentre: bool = False) -> Estimate:
    """Put an interval around a value: the percentiles of its replicates.

    >>> estimate(1.0, np.linspace(0, 2, 201)).high
    1.95
    """
    known = replicates[np.isfinite(replicates)]
    if not np.isfinite(value) or len(known) < max(20, len(replicates) / 2):
        return Estimate(float(value))
    if recentre:
        known = np.maximum(known - (known.mean() - value), 0.0)
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(value), float(low), float(high))
