"""From log-odds to probabilities, with the bits of SciPy's function and mostly without loading it, which takes longer."""

from __future__ import annotations

import sys
from math import exp
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["expit"]

# so many values take less time one by one than loading SciPy, where nobody has loaded it
_FEW = 20_000
# below it `exp(-x)` is too large for a double, and the probability is 0
_LOWEST = -709.782712893384


def expit(log_odds: ArrayLike) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(-x)) of each value.

    >>> expit([0.0, -800.0, float("inf")]).tolist()
    [0.5, 0.0, 1.0]
    """
    values = np.asarray(log_odds, dtype=np.float64)
    if values.size > _FEW or "scipy.special" in sys.modules:
        from scipy import special

        return np.asarray(special.expit(values), dtype=np.float64)
    return _one_by_one(values)


def _one_by_one(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # both call the exponential of the C library, which NumPy's own may differ from in the last bit
    found = [1.0 / (1.0 + exp(-x)) if not x < _LOWEST else 0.0 for x in values.ravel().tolist()]
    return np.asarray(found, dtype=np.float64).reshape(values.shape)
