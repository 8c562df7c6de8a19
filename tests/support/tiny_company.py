"""A company so small that it is read, trained and scored within seconds, as files with their config."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

CONFIG = """
name: tiny
tables:
  accounts: {derive_from: orders}
  orders: {source: orders.csv}
label: {kind: non_contractual, table: orders, horizon: 30, activity_window: 60}
cutoffs: {every: 30, count: 6}
features: {windows: [28, 90]}
model: {max_trees: 20}
output: {folder: out}
"""
START = pd.Timestamp("2024-01-01")


def tiny_orders(accounts: int = 80, seed: int = 1) -> pd.DataFrame:
    """Return orders over 360 days; most accounts stop ordering at some time."""
    rng, rows = np.random.default_rng(seed), []
    for number in range(accounts):
        rate = rng.uniform(0.05, 0.5)
        end = int(rng.integers(60, 360)) if rng.random() < 0.6 else 360
        days = np.flatnonzero(rng.random(end) < rate)
        at = START + pd.to_timedelta(days * 24 + rng.integers(0, 24, len(days)), unit="h")
        amount = rng.integers(1, 9, len(days)).astype(float)
        rows.append(pd.DataFrame({"account_id": f"c{number:03d}", "at": at, "amount": amount}))
    return pd.concat(rows, ignore_index=True)


def tiny_company(folder: Path, orders: pd.DataFrame | None = None, more: str = "") -> Path:
    """Write the files and the config of a small company, and return the config's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (tiny_orders() if orders is None else orders).to_csv(folder / "orders.csv", index=False)
    config = folder / "staypower.yaml"
    config.write_text(CONFIG + more)
    return config
