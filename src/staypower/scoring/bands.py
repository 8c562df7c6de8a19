"""Low, medium and high risk, against what was usual when the model was trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from staypower.metrics.risk import twice_the_base_rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RiskBands"]


@dataclass(frozen=True)
class RiskBands:
    """Bands of churn probability.

    >>> RiskBands(0.1).of(np.array([0.05, 0.1, 0.2, 0.21, np.nan])).tolist()
    ['low', 'medium', 'medium', 'high', None]
    """

    # share of accounts that churned where the model learned, in (0, 1). Low is under it, high above twice it, medium between.
    # Above a base rate of one third twice it comes so near certainty that nobody would be high: then high begins halfway
    # between the base rate and 1 (`metrics.risk.twice_the_base_rate`, which quadrants share)
    base_rate: float

    @property
    def high_above(self) -> float:
        """The probability above which risk is high."""
        return twice_the_base_rate(self.base_rate)

    def of(self, probability: NDArray[np.float64]) -> NDArray[np.object_]:
        """Return the band of each probability, None where it is missing."""
        bands = np.full(len(probability), "medium", dtype=object)
        bands[probability < self.base_rate] = "low"
        bands[probability > self.high_above] = "high"
        bands[np.isnan(probability)] = None
        return bands
