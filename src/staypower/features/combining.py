"""Compute combinations: columns that are made of other columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from staypower.features.definition import Combination

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["combine"]


def combine(definition: Combination, first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Combine two columns; where either is missing, so is the result.

    >>> share = Combination(name="share", how="ratio", inputs=("a", "b"), unit="", description="a by b", lever=None)
    >>> combine(share, np.array([1.0, 1.0]), np.array([4.0, 0.0])).tolist()
    [0.25, nan]
    """
    if definition.how == "ratio":
        share: NDArray[np.float64] = np.divide(first, second, out=np.full(len(first), np.nan), where=second != 0)
        return share
    if definition.how == "change":
        total = first + second
        made = np.divide(first - second, total, out=np.zeros(len(first)), where=total != 0)
    elif definition.how == "difference":
        return first - second
    elif definition.how == "both_fall":
        made = np.maximum(np.minimum(-first, -second), 0.0)
    else:
        made = (first < second).astype(np.float64)
    made[np.isnan(first) | np.isnan(second)] = np.nan
    return made
