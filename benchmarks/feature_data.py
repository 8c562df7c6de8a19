"""Usage of a made-up company as large as one likes: one Parquet file of events in the order of time, and one of accounts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["COUNTED", "CUTOFFS_END", "DAY", "EVENTS", "TOP", "WINDOWS", "make_usage", "months_back"]

DAY = 86_400_000_000
START = int(np.datetime64("2022-01-01", "us").astype(np.int64))
CUTOFFS_END = int(np.datetime64("2024-12-30", "us").astype(np.int64))
DAYS = 1095
# commonest first: the first eight get features of their own
EVENTS = (
    "login", "open", "edit", "share", "search", "export", "import", "comment", "upload", "download", "invite", "print",
    "report", "filter", "sort", "archive", "restore", "rename", "move", "copy", "merge", "approve", "reject", "configure",
)  # fmt: skip
TOP = EVENTS[:8]
WINDOWS = (7, 28, 90, 365)
# the windows in which single events are counted
COUNTED = (28, 90)
_USERS = 8
_ROWS_AT_ONCE = 10_000_000


def months_back(count: int) -> np.ndarray:
    """Return so many cutoffs, 30 days apart (13 days when they would reach too far back), the latest at the end of the data."""
    every = 30 if count * 30 < DAYS - 60 else 13
    return np.array([CUTOFFS_END - every * DAY * back for back in range(count)][::-1], dtype=np.int64)


def make_usage(folder: Path, events: int, accounts: int, seed: int = 1) -> Path:
    """Write `usage.parquet` and `accounts.parquet` into a folder of their own, unless they are there."""
    place = folder / f"{events}-events-{accounts}-accounts"
    if (place / "accounts.parquet").exists():
        return place
    place.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    weights = rng.gamma(0.8, 1.0, accounts) + 0.02
    ids = pa.array([f"acct-{number:07d}" for number in range(accounts)])
    users = pa.array([f"u{number:08d}" for number in range(accounts * _USERS)])
    words = pa.array(EVENTS)
    times = np.sort(rng.integers(START, START + DAYS * DAY, events))
    with pq.ParquetWriter(place / "usage.parquet", _schema()) as writer:
        for first in range(0, events, _ROWS_AT_ONCE):
            at = times[first : first + _ROWS_AT_ONCE]
            account = rng.choice(accounts, len(at), p=weights / weights.sum())
            user = account * _USERS + (rng.random(len(at)) ** 2 * _USERS).astype(np.int64)
            event = (rng.random(len(at)) ** 1.7 * len(EVENTS)).astype(np.int64)
            columns = {
                "account_id": ids.take(pa.array(account)),
                "at": pa.array(at).cast(pa.timestamp("us", "UTC")),
                "event": words.take(pa.array(event)),
                "user_id": users.take(pa.array(user)),
                "quantity": pa.array(np.round(rng.gamma(1.2, 8.0, len(at)), 2)),
            }
            writer.write_table(pa.table(columns, schema=_schema()), row_group_size=1_000_000)
    signed_up = pa.array(np.full(accounts, START)).cast(pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"account_id": ids, "signed_up_at": signed_up}), place / "accounts.parquet")
    return place


def _schema() -> pa.Schema:
    time = pa.timestamp("us", "UTC")
    fields = {"account_id": pa.string(), "at": time, "event": pa.string(), "user_id": pa.string(), "quantity": pa.float64()}
    return pa.schema(list(fields.items()))
