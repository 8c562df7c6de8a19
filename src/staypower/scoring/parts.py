"""Scores that lie on disk, bucket by bucket: what can be said of them without holding their rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from staypower.portfolio.quadrants import Movement, movement, sizes_of

__all__ = ["ScoredParts"]

_NARROW = ("account_id", "cutoff", "status", "tier", "quadrant", "mrr")
_MOST_WATCHED = 100


@dataclass(frozen=True)
class ScoredParts:
    """Scores as files, of which only a few narrow columns are read."""

    parts: tuple[Path, ...]  # parquet files; each account is in exactly one
    cutoff: int  # instant
    # `account_id, cutoff, status, tier, quadrant, mrr` of every account where they are told, sorted by `account_id`
    narrow: pd.DataFrame
    watched: pd.DataFrame  # the accounts of highest risk, all columns
    movement: Movement | None = None  # who moved between quadrants since the previous scores, when those were given

    @classmethod
    def of(cls, parts: Sequence[Path], cutoff: int, previous: pd.DataFrame | None = None) -> ScoredParts:
        """Read what is needed of the parts."""
        narrow = _columns(parts, _NARROW)
        moved = None if previous is None else movement(previous, narrow)
        return cls(tuple(parts), cutoff, narrow, _riskiest(parts), moved)

    def __len__(self) -> int:
        return len(self.narrow)

    def frame(self, columns: Sequence[str] = ()) -> pd.DataFrame:
        """Read columns of all rows, sorted by `account_id`; only while the parts are there."""
        return _columns(self.parts, columns)

    @property
    def tells_tiers(self) -> bool:
        """Whether any account has a tier."""
        return "tier" in self.narrow and bool(self.narrow["tier"].notna().any())

    def counts(self) -> dict[str, int]:
        """Return how many accounts have each status."""
        return {str(status): int(n) for status, n in self.narrow["status"].value_counts().items()}

    def watch_list(self, count: int = 10) -> pd.DataFrame:
        """Return the accounts of highest risk, at most 100."""
        return self.watched.head(count)

    def quadrants(self) -> pd.DataFrame:
        """Return accounts and revenue of each quadrant."""
        return sizes_of(self.narrow)


def _columns(parts: Sequence[Path], columns: Sequence[str]) -> pd.DataFrame:
    there = [name for name in pq.read_schema(parts[0]).names if name in columns or not columns]
    rows = pa.concat_tables([pq.read_table(part, columns=there, partitioning=None) for part in parts])
    frame: pd.DataFrame = rows.sort_by("account_id").to_pandas()
    return frame


def _riskiest(parts: Sequence[Path]) -> pd.DataFrame:
    order = [("churn_probability", "descending"), ("account_id", "ascending")]
    best: list[pa.Table] = []
    for part in parts:
        together = pa.concat_tables([*best, pq.read_table(part, partitioning=None)])
        best = [together.take(pc.sort_indices(together, sort_keys=order)[:_MOST_WATCHED])]
    frame: pd.DataFrame = best[0].to_pandas()
    return frame
