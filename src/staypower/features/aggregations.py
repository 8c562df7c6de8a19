"""The ways to turn the rows of a window into a number; each owns its value on no rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

__all__ = ["AGGREGATIONS", "Aggregation"]

NAN = math.nan


@dataclass(frozen=True)
class Aggregation:
    """One way to turn rows into a number.

    >>> AGGREGATIONS["count"].empty
    0.0
    """

    name: str  # what a definition calls it
    kernel: Literal["additive", "distinct", "ordered", "renewal"]  # the routine that computes it
    empty: float  # the value on no rows
    # kind of column it reads, False when it looks at rows or their times only
    needs_column: Literal[False, "number", "code", "time", "renewal"]
    meaning: str  # definition in words


_ALL = (
    Aggregation("count", "additive", 0.0, False, "number of rows"),
    Aggregation("sum", "additive", 0.0, "number", "sum, to four decimals"),
    Aggregation("mean", "additive", NAN, "number", "mean of the recorded values, each to four decimals"),
    Aggregation("distinct", "distinct", 0.0, "code", "number of different values"),
    Aggregation("top_share", "distinct", NAN, "code", "share of the rows with a value that hold the most frequent one"),
    Aggregation(
        "top_seen_since",
        "distinct",
        NAN,
        "code",
        "1 when a most frequent value of the window is seen between the end of the window and the cutoff, else 0",
    ),
    Aggregation("active_days", "distinct", 0.0, False, "number of different UTC calendar days with a row"),
    Aggregation("minimum", "ordered", NAN, "number", "smallest value"),
    Aggregation("maximum", "ordered", NAN, "number", "largest value"),
    Aggregation(
        "last", "ordered", NAN, "number", "value of the latest row that has one; of several at one instant, the smallest"
    ),
    Aggregation("last_code", "ordered", NAN, "code", "text of the latest row, as a code"),
    Aggregation("spread", "ordered", NAN, "number", "standard deviation (n - 1), missing under two values"),
    Aggregation("trend", "ordered", NAN, "number", "least-squares slope per 30 days, missing under three values"),
    Aggregation("days_since_last", "ordered", NAN, False, "days from the latest row to the cutoff"),
    Aggregation("days_since_first", "ordered", NAN, False, "days from the earliest row to the cutoff"),
    Aggregation(
        "longest_silence", "ordered", NAN, False, "longest stretch without a row, the one up to the cutoff included, in days"
    ),
    Aggregation("gap_mean", "ordered", NAN, False, "mean days between successive days with a row, missing under two such days"),
    Aggregation("gap_spread", "ordered", NAN, False, "standard deviation of those gaps, missing under three days"),
    Aggregation(
        "gap_trend",
        "ordered",
        NAN,
        False,
        "days by which each gap exceeds the one before on average (slope), missing under four days",
    ),
    Aggregation(
        "gap_quantile", "ordered", NAN, False, "share of the account's earlier gaps that were shorter than the current one"
    ),
    Aggregation("unanswered_in_a_row", "ordered", 0.0, "time", "latest rows in a row whose second time is missing"),
    Aggregation(
        "days_until_next", "ordered", NAN, "time", "days from the cutoff to the nearest named time, negative when past"
    ),
    Aggregation(
        "days_until_last",
        "ordered",
        NAN,
        "time",
        "days from the cutoff to the time named by the latest row, negative when past",
    ),
    Aggregation(
        "rate_slope", "ordered", 0.0, False, "least-squares slope of the daily number of rows over the window, per 30 days"
    ),
    Aggregation("mean_age", "ordered", NAN, False, "mean days since the rows started"),
    Aggregation("days_to_renewal", "renewal", NAN, "renewal", "days to the nearest renewal, negative when past"),
    Aggregation("days_since_renewal", "renewal", NAN, "renewal", "days since the latest renewal of any contract"),
    Aggregation("share_of_term", "renewal", NAN, "renewal", "elapsed share of the term of the contract that renews first"),
    Aggregation("days_to_renewal_weighted", "renewal", NAN, "renewal", "mean days to the next renewal, weighted by an amount"),
    Aggregation("renewals_due", "renewal", 0.0, "renewal", "contracts that renew within the days ahead"),
    Aggregation("amount_due", "renewal", 0.0, "renewal", "sum of an amount over these contracts"),
)
AGGREGATIONS: Mapping[str, Aggregation] = MappingProxyType({how.name: how for how in _ALL})
