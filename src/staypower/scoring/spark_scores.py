"""Scores on a cluster: their rows stay there, and workers count them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa

from staypower.gate.comparing import FeatureCounts
from staypower.portfolio.settings import QUADRANTS
from staypower.scoring.ranges import Beyond
from staypower.scoring.scores import ScoreSummary, note_of, riskiest, sum_notes

__all__ = ["SparkScores", "ToldOfScores"]

_MOST_ON_A_CLUSTER = 10


@dataclass(frozen=True)
class ToldOfScores:
    """What is told of the scores of some accounts, whose rows stay on a cluster."""

    statuses: Counter[str]  # how many accounts have each
    riskiest: pa.Table  # the ten accounts of highest risk, all columns
    placed: Mapping[str, tuple[int, float | None]]  # accounts and revenue of each quadrant
    note: bytes  # of what lies beyond the training range, and what is missing

    @classmethod
    def of(cls, rows: pa.Table) -> ToldOfScores:
        """Look at rows."""
        revenue = [("mrr", "sum")] if "mrr" in rows.column_names else []
        grouped = rows.group_by("quadrant").aggregate([([], "count_all"), *revenue]).to_pylist()
        placed = {one["quadrant"]: (one["count_all"], one.get("mrr_sum")) for one in grouped if one["quadrant"] is not None}
        top = riskiest([rows], _MOST_ON_A_CLUSTER).replace_schema_metadata(None)
        return cls(Counter(rows.column("status").to_pylist()), top, placed, note_of(rows.schema))


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
    lacking: FeatureCounts = field(default_factory=FeatureCounts)  # accounts that lack a value of each feature

    @classmethod
    def of(cls, parts: Sequence[ToldOfScores], cutoff: int) -> SparkScores:
        """Add up what is told of all parts."""
        statuses: Counter[str] = sum((part.statuses for part in parts), Counter())
        order = dict(sorted(statuses.items(), key=lambda entry: (-entry[1], entry[0])))
        placed = {}
        for name in QUADRANTS:
            found = [part.placed[name] for part in parts if name in part.placed]
            revenue = [each for _, each in found if each is not None]
            placed[name] = (sum(count for count, _ in found), math.fsum(revenue) if revenue else None)
        beyond, lacking = sum_notes(part.note for part in parts)
        top: pd.DataFrame = riskiest((part.riskiest for part in parts), _MOST_ON_A_CLUSTER).to_pandas()
        return cls(cutoff, order, top, placed, beyond=beyond, lacking=lacking)

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
