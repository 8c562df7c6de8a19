"""A figure: one value of one metric for one segment in one period, with its interval; and money summed exactly.

Amounts to be summed are whole ten-thousandths: their sum is exact, in whatever order they are added.

The 95% intervals are Wilson's for shares, the multinomial one of the NPS, and the bootstrap over accounts.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from staypower.errors import UsageError
from staypower.tables import LARGEST_SUM, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "ALL",
    "Figure",
    "Interval",
    "LEAST_ANSWERS",
    "MONEY_SCALE",
    "NONE",
    "PortfolioCell",
    "RUNNING",
    "Resampler",
    "TOO_SMALL",
    "Z",
    "as_money",
    "censored_median",
    "first_over_last",
    "join_notes",
    "nps_interval",
    "require_exact_sum",
    "sums_by_account",
    "whole_amounts",
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


MONEY_SCALE = 10_000
_LARGEST = float(np.iinfo(np.int64).max)
ALL = "all"
RUNNING = "the period is still running"
TOO_SMALL = "too small to publish"


@dataclass(frozen=True)
class Figure:
    """One number of the portfolio.

    >>> Figure("nps", 0, 1, True, "all", "all", 30.0, n=100).note
    ''
    """

    metric: str
    period_start: int  # instant; of a cohort: the period in which its accounts began
    period_end: int  # instant, exclusive
    complete: bool  # false while time can still change the number
    segment: str  # attribute of the accounts; `all` for all accounts
    segment_value: str  # `all` for all accounts
    value: float  # NaN where there is none; the note says why
    low: float = math.nan  # ends of the 95% interval; NaN where there is none
    high: float = math.nan
    n: int | None = None  # what the value is a share or mean of; None where it is not published
    note: str = ""
    age: int | None = None  # of a cohort: whole periods since the end of its first


@dataclass(frozen=True)
class PortfolioCell:
    """The accounts of one segment in one period, and how figures of them are published.

    >>> cell = PortfolioCell(0, 0, 1, False, "region", "emea", np.ones(12, dtype=bool), 30)
    >>> cell.figure("nps", 50.0, n=12, accounts=12).note
    'too small to publish: fewer than 30 accounts'
    """

    position: int  # of the period
    start: int  # instants
    end: int
    running: bool
    segment: str  # attribute of the accounts; `all` for all accounts
    value: str
    members: NDArray[np.bool_]  # shape (n_accounts,)
    minimum: int  # accounts below which a segment shows no number

    @property
    def name(self) -> str:
        """A name of its own, for seeds."""
        return f"{self.start}|{self.segment}|{self.value}"

    def figure(
        self,
        metric: str,
        value: float,
        interval: Interval = NONE,
        *,
        n: int,
        accounts: int,
        complete: bool = True,
        note: str = "",
        age: int | None = None,
    ) -> Figure:
        """Publish a value, or say that the segment is too small."""
        made = Figure(metric, self.start, self.end, complete and not self.running, self.segment, self.value, math.nan, age=age)
        if self.segment != ALL and accounts < self.minimum:
            return replace(made, note=f"{TOO_SMALL}: fewer than {self.minimum} accounts")
        note = join_notes(RUNNING if self.running else "", note)
        return replace(made, value=float(value), low=interval[0], high=interval[1], n=int(n), note=note)


def join_notes(*notes: str) -> str:
    """Join the notes that say something."""
    return "; ".join(note for note in notes if note)


def whole_amounts(table: Table, column: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return a number column as whole ten-thousandths, and which rows have a number.

    >>> import pyarrow as pa
    >>> from staypower.schemas import SCHEMAS
    >>> rows = pa.table({"account_id": ["a", "a"], "amount": pa.array([0.1, None], pa.float64())})
    >>> amounts, known = whole_amounts(Table(SCHEMAS["orders"], rows), "amount")
    >>> amounts.tolist(), known.tolist()
    ([1000, 0], [True, False])
    """
    values = table.numbers(column)
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    with np.errstate(over="ignore"):
        total = np.abs(filled).sum()
    if total >= LARGEST_SUM:
        worst = int(np.abs(filled).argmax())
        where = f"{table.name}.{column}, row {worst + 1}: {values[worst]:g}"
        raise UsageError.of("numbers too large to be summed exactly", where, "map the column in a larger unit")
    return np.round(filled * MONEY_SCALE).astype(np.int64), known


def require_exact_sum(amounts: NDArray[np.int64], place: str) -> None:
    """Refuse whole ten-thousandths whose sum could be larger than a whole number can be."""
    if np.abs(amounts.astype(np.float64)).sum(axis=0).max(initial=0.0) >= _LARGEST:
        raise UsageError.of("numbers too large to be summed exactly", place, "map the column in a larger unit")


def as_money(amount: int | np.integer) -> float:
    """Turn whole ten-thousandths into money.

    >>> as_money(1_234_500)
    123.45
    """
    return int(amount) / MONEY_SCALE


def censored_median(hours: NDArray[np.float64], answered: NDArray[np.bool_]) -> float:
    """Return the Kaplan-Meier median of durations of which some have not ended.

    >>> censored_median(np.array([1.0, 2.0, 3.0, 9.0]), np.array([True, True, True, True]))
    2.0
    >>> censored_median(np.array([1.0, 2.0, 3.0, 9.0]), np.array([True, False, True, True]))
    3.0
    """
    if not len(hours):
        return math.nan
    times, count = np.unique(hours, return_counts=True)
    ended = np.bincount(np.searchsorted(times, hours), weights=answered)
    at_risk = len(hours) - np.append(0, np.cumsum(count)[:-1])
    left = np.cumprod(1 - ended / at_risk)
    # exact halves must not be lost to the last digit of the product
    reached = np.flatnonzero(left <= 0.5 + 1e-12)
    return float(times[reached[0]]) if len(reached) else math.nan
