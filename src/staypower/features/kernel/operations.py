"""Numbers for the operations that one routine answers together, and for what is not there."""

from __future__ import annotations

import numpy as np

__all__ = ["EXTREMES", "GAPS", "MISSING_AMOUNT", "TIMES"]

# an amount that is missing
MISSING_AMOUNT = int(np.iinfo(np.int64).min)

SMALLEST, LARGEST = range(2)
SINCE_LAST, SINCE_FIRST, SILENCE, MEAN_AGE, RATE_SLOPE = range(5)
GAP_MEAN, GAP_SPREAD, GAP_TREND, GAP_QUANTILE = range(4)

EXTREMES = {"minimum": SMALLEST, "maximum": LARGEST, "days_until_next": SMALLEST}
TIMES = {
    "days_since_last": SINCE_LAST,
    "days_since_first": SINCE_FIRST,
    "longest_silence": SILENCE,
    "mean_age": MEAN_AGE,
    "rate_slope": RATE_SLOPE,
}
GAPS = {"gap_mean": GAP_MEAN, "gap_spread": GAP_SPREAD, "gap_trend": GAP_TREND, "gap_quantile": GAP_QUANTILE}
