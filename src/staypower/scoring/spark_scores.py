"""Scores on a cluster: their rows stay there, and Spark counts them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.portfolio.settings import QUADRANTS
from staypower.scoring.ranges import Beyond
from staypower.scoring.scores import ScoreSummary

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["SparkScores"]

_MOST_ON_A_CLUSTER = 10


@dataclass(frozen=True)
class SparkScores(ScoreSummary):
    """Scores on a cluster.

    >>> len(SparkScores(0, {"scored": 3, "not_active": 1}, pd.DataFrame(), {}))
    4
    """

    cutoff: int  # instant
    statuses: Mapping[str, int]  # how many accounts have each
    riskiest: pd.DataFrame  # the ten accounts of highest risk, all columns
    placed: Mapping[str, tuple[int, float | None]]  # accounts and revenue of each quadrant
    movement: None = None
    beyond: tuple[Beyond, ...] = ()

    @classmethod
    def of(cls, written: DataFrame, cutoff: int, beyond: tuple[Beyond, ...] = ()) -> SparkScores:
        """Let Spark count what was written."""
        from pyspark.sql import functions  # an extra: this module is there without it

        from staypower.engines.spark.session import spark_errors_as_problems

        with spark_errors_as_problems("scores"):
            counted = written.groupBy("status").count().collect()
            risk, name = functions.col("churn_probability"), functions.col("account_id")
            top = written.where(risk.isNotNull()).orderBy(risk.desc(), name).limit(_MOST_ON_A_CLUSTER).collect()
            revenue: Any = functions.sum("mrr") if "mrr" in written.columns else functions.lit(None)
            grouped = written.groupBy("quadrant").agg(functions.count("*"), revenue)
            placed = {row[0]: (int(row[1]), row[2]) for row in grouped.collect() if row[0] is not None}
        statuses = {str(row["status"]): int(row["count"]) for row in counted}
        order = dict(sorted(statuses.items(), key=lambda entry: (-entry[1], entry[0])))
        return cls(cutoff, order, pd.DataFrame([row.asDict() for row in top], columns=written.columns), placed, beyond=beyond)

    @property
    def rows(self) -> pd.DataFrame:
        """The accounts of highest risk: the others stay on the cluster."""
        return self.riskiest

    def counts(self) -> dict[str, int]:
        """Return how many accounts have each status."""
        return dict(self.statuses)

    def watch_list(self, count: int = 10) -> pd.DataFrame:
        """Return the accounts of highest risk, at most 10."""
        return self.riskiest.head(count)

    def quadrants(self) -> pd.DataFrame:
        """Return accounts and revenue of each quadrant."""
        found = pd.DataFrame({"quadrant": list(QUADRANTS), "words": list(QUADRANTS.values())})
        accounts = np.array([self.placed.get(name, (0, None))[0] for name in QUADRANTS], dtype=np.int64)
        revenue = np.array([self.placed.get(name, (0, None))[1] for name in QUADRANTS], dtype=np.float64)
        nothing = bool(np.isnan(revenue).all())
        found["accounts"], found["share"] = accounts, accounts / max(int(accounts.sum()), 1)
        found["mrr"] = np.where((accounts == 0) & (not nothing), 0.0, revenue)
        total = float(np.nansum(revenue))
        found["mrr_share"] = found["mrr"] / total if total > 0 else np.nan
        return found
