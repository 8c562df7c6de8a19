"""The versions of a model as a table: what each was learned from, how it did, and who promoted it when and why."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from staypower.models.champion import ChampionLock

__all__ = ["METRIC", "frame_of_versions"]

METRIC = "metric."
"""What the names of tags that hold a metric begin with."""

_TOLD = (
    *("split", "learned_from", "learned_rows", "tested_at", "tested_rows"),
    *("promoted_at", "promoted_by", "promoted_because", "promoted_by_force", "unfit", "digest"),
)


def frame_of_versions(versions: Iterable[Any], champion: ChampionLock | None) -> pd.DataFrame:
    """Return one row a version, the newest first.

    >>> frame_of_versions([], None).columns[:3].tolist()
    ['version', 'champion', 'created_at']
    """
    rows = [_row(version, champion) for version in sorted(versions, key=lambda version: -int(version.version))]
    return pd.DataFrame(rows, columns=["version", "champion", "created_at", *_TOLD, "run_id"] if not rows else None)


def _row(version: Any, champion: ChampionLock | None) -> dict[str, Any]:
    metrics = {tag: float(value) for tag, value in version.tags.items() if tag.startswith(METRIC)}
    seal = (str(version.version), version.tags.get("digest", ""))
    return {
        "version": seal[0],
        "champion": champion is not None and seal == (champion.version, champion.digest),
        "created_at": datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).isoformat(timespec="seconds"),
        **{name: version.tags.get(name, "") for name in _TOLD},
        "run_id": version.run_id,
        **dict(sorted(metrics.items())),
    }
