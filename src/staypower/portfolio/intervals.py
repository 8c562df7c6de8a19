"""95 % intervals: Wilson's for shares, the multinomial one of the NPS, and the bootstrap over accounts."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "LEAST_ANSWERS",
    "NONE",
    "Z",
    "Interval",
    "Resampler",
    "first_over_last",
    "nps_interval",
    "sums_by_account",
    "wilson_interval",
]

Z = 1.96
LEAST_ANSWERS = 30
Interval = tuple[float, float]
NONE: Interval = (math.nan, math.nan)
_MOST_PATTERNS = 2_000
_MOST_ACCOUNTS, _GROUPS = 10_000, 1_500


def wilson_interval(successes: int, n: int) -> Interval:
    """Return Wilson's score interval of a share.

    With s successes of n and z = 1.96: (s + z^2/2 -+ z sqrt(s (n - s) / n + z^2/4)) / (n + z^2). Wilson 1927, JASA 22.

    >>> [round(end, 4) for end in wilson_interval(8, 10)]
    [0.4902, 0.9433]
    >>> wilson_interval(0, 0)
    (nan, nan)
    """
    if n == 0:
        return NONE
    middle = successes + Z**2 / 2
    reach = Z * math.sqrt(successes * (n - successes) / n + Z**2 / 4)
    return max(0.0, (middle - reach) / (n + Z**2)), min(1.0, (middle + reach) / (n + Z**2))


def nps_interval(promoters: int, detractors: int, n: int) -> Interval:
    """Return the interval of a Net Promoter Score in points; none under 30 answers.

    100 (p - d -+ 1.96 sqrt((p + d - (p - d)^2) / n)) with p, d the shares, held within -100 and 100.

    >>> [round(end, 2) for end in nps_interval(50, 20, 100)]
    [14.69, 45.31]
    >>> nps_interval(20, 5, 29)
    (nan, nan)
    """
    if n < LEAST_ANSWERS:
        return NONE
    up, down = promoters / n, detractors / n
    reach = Z * math.sqrt(max(up + down - (up - down) ** 2, 0.0) / n)
    return max(-100.0, 100 * (up - down - reach)), min(100.0, 100 * (up - down + reach))


def sums_by_account(
    account: NDArray[np.int64], *columns: NDArray[np.int64] | NDArray[np.float64]
) -> NDArray[np.int64] | NDArray[np.float64]:
    """Sum columns over the rows of each account; one more column counts the rows.

    >>> sums_by_account(np.array([7, 3, 7]), np.array([1, 0, 1])).tolist()
    [[0, 1], [2, 2]]
    """
    _, number = np.unique(account, return_inverse=True)
    kind = np.result_type(np.int64, *columns)
    sums = np.zeros((int(number.max(initial=-1)) + 1, len(columns) + 1), dtype=kind)
    np.add.at(sums, number, np.column_stack([*columns, np.ones(len(account), dtype=np.int64)]))
    return sums


def first_over_last(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide the first sum by the last: a share or a mean."""
    return sums[:, 0] / sums[:, -1]


class Resampler:
    """Draw accounts with replacement.

    >>> accounts = np.array([[1, 1], [0, 1]] * 50)
    >>> low, high = Resampler(200, 0).interval(accounts, lambda sums: sums[:, 0] / sums[:, 1], name="example")
    >>> 0.38 < low < 0.45, 0.55 < high < 0.62
    (True, True)
    """

    def __init__(self, replicates: int, seed: int) -> None:
        self.replicates = replicates
        self.seed = seed

    def interval(
        self,
        accounts: NDArray[np.int64] | NDArray[np.float64],
        statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
        *,
        name: str,
    ) -> Interval:
        """Return the 2.5 % and 97.5 % points of a statistic of sums over accounts."""
        if not self.replicates or len(accounts) < LEAST_ANSWERS:
            return NONE
        generator = np.random.default_rng([self.seed, zlib.crc32(name.encode())])
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.asarray(statistic(self._sums(accounts, generator)), dtype=np.float64)
        real = values[np.isfinite(values)]
        if len(real) * 2 < self.replicates:
            return NONE
        low, high = np.quantile(real, [0.025, 0.975])
        return float(low), float(high)

    def share(self, account: NDArray[np.int64], good: NDArray[np.bool_], *, name: str) -> Interval:
        """Return the interval of a share of rows: Wilson's, or by accounts where accounts have several rows."""
        per_account = sums_by_account(account, good.astype(np.int64))
        if len(per_account) == len(account):
            return wilson_interval(int(good.sum()), len(good))
        return self.interval(per_account, first_over_last, name=name)

    def _sums(self, accounts: NDArray[np.int64] | NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
        n = len(accounts)
        if n > _MOST_ACCOUNTS:
            accounts = _random_groups(accounts, generator)
            n = len(accounts)
        # accounts that add the same are one pattern: drawing how often each pattern comes is the same bootstrap, and cheap
        patterns, counts = np.unique(accounts, axis=0, return_counts=True)
        if len(patterns) <= _MOST_PATTERNS:
            return (generator.multinomial(n, counts / n, size=self.replicates) @ patterns).astype(np.float64)
        drawn = [accounts[generator.integers(0, n, n)].sum(axis=0) for _ in range(self.replicates)]
        return np.stack(drawn).astype(np.float64)


def _random_groups(
    accounts: NDArray[np.int64] | NDArray[np.float64], generator: np.random.Generator
) -> NDArray[np.int64] | NDArray[np.float64]:
    """Sum accounts within random groups: drawing groups spreads as drawing accounts does, at a fraction of the cost."""
    shuffled = accounts[generator.permutation(len(accounts))]
    return np.asarray(np.add.reduceat(shuffled, np.linspace(0, len(accounts), _GROUPS, endpoint=False).astype(np.int64)))
