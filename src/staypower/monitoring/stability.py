"""The population stability index of one feature, what chance alone makes of it, and several hundred of them at once.

PSI sums (p - q) ln(p / q) over bins, where q is the share of accounts in a bin then and p the share now. A missing value is a
bin of its own, because that is where a source that stops arriving shows first. As is common, a PSI under 0.1 is steady, and one
of 0.25 or more has moved. With few accounts chance alone makes a PSI of about (bins - 1) (1 / n then + 1 / n now) [1]_: the
p-value says how likely so much is when nothing moved. Of several hundred features some look moved by chance; their p-values are
adjusted so that of those called moved at most one in twenty is so by chance [2]_.

References
----------
.. [1] B. Yurdakul and J. Naranjo (2020), "Statistical properties of the population stability index", Journal of Risk Model
   Validation 14(4): the index times 1 / (1/n + 1/m) is near chi-squared with bins - 1 degrees of freedom when nothing moved.
.. [2] Y. Benjamini and Y. Hochberg (1995), "Controlling the false discovery rate", Journal of the Royal Statistical Society B
   57(1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import chi2

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LEVEL", "MOVED", "STEADY", "Stability", "adjusted", "population_stability"]

STEADY, MOVED = 0.1, 0.25
LEVEL = 0.05
_BINS = 10
_RARELY = 0.99


@dataclass(frozen=True)
class Stability:
    """How far the distribution of one feature moved."""

    psi: float
    by_chance: float  # what chance alone exceeds once in a hundred times
    p: float  # how likely so much is when nothing moved


def population_stability(then: NDArray[np.float64], now: NDArray[np.float64], *, category: bool = False) -> Stability:
    """Compare two distributions of a feature; NaN where one has no rows.

    >>> population_stability(np.arange(100.0), np.arange(100.0) + 50).psi > 1
    True
    """
    if not len(then) or not len(now):
        return Stability(float("nan"), float("nan"), float("nan"))
    edges = _edges(then, category=category)
    before, after = _counts(then, edges), _counts(now, edges)
    used = (before + after) > 0
    # half an account in an empty bin keeps the logarithm finite
    q = (before[used] + 0.5) / (before[used] + 0.5).sum()
    p = (after[used] + 0.5) / (after[used] + 0.5).sum()
    psi = float(((p - q) * np.log(p / q)).sum())
    freedom, unit = max(int(used.sum()) - 1, 1), 1 / len(then) + 1 / len(now)
    return Stability(psi, float(chi2.ppf(_RARELY, freedom) * unit), float(chi2.sf(psi / unit, freedom)))


def adjusted(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjust p-values for their number (Benjamini and Hochberg); missing ones stay missing and do not count.

    >>> adjusted(np.array([0.01, 0.04, 0.03, np.nan])).round(3).tolist()
    [0.03, 0.04, 0.04, nan]
    """
    found = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * len(order) / np.arange(1, len(order) + 1)
    found[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0)
    return found


def _edges(then: NDArray[np.float64], *, category: bool) -> NDArray[np.float64]:
    known = then[~np.isnan(then)]
    distinct = np.unique(known)
    if category or len(distinct) <= _BINS:
        return distinct
    return np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1]))


def _counts(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    missing = np.isnan(values)
    place = np.searchsorted(edges, values[~missing], side="left")
    return np.append(np.bincount(place, minlength=len(edges) + 1), missing.sum()).astype(np.float64)
