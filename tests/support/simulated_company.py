"""A small simulated company as a data set, made once for all tests that learn from it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from staypower import load_config, read_tables, simulate
from staypower.dataset.building import Dataset, build_dataset
from staypower.labels.settings import ContractualLabel
from staypower.tables import Tables

TEST = ("2025-01-02", "2025-02-01", "2025-03-03")
_CONFIG = """
name: simulated
observed_until: 2025-06-30
tables: {accounts: {source: accounts, static: [segment]}, usage: {source: usage}, tickets: {source: tickets},
  subscriptions: {source: subscriptions}, payments: {source: payments}, surveys: {source: surveys}}
label: {kind: contractual, involuntary: [payment, card]}
"""


@dataclass(frozen=True)
class Company:
    tables: Tables
    dataset: Dataset
    label: ContractualLabel
    truth: pd.DataFrame  # a row for every test row of the data set, in its order

    @property
    def X_test(self) -> pd.DataFrame:  # noqa: N802 - scikit-learn's name
        return self.dataset.part("test").X


@cache
def company(accounts: int, seed: int) -> Company:
    simulated = simulate(accounts, months=30, seed=seed, cutoffs=list(TEST), copies=32)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.yaml").write_text(_CONFIG)
        settings = load_config(Path(folder) / "config.yaml")
    names = list(settings.tables)
    tables = read_tables(settings, {name: simulated.tables[name] for name in names})
    dataset = build_dataset(tables, label=settings.label, features=settings.features, cutoffs=settings.cutoffs)
    truth = simulated.truth.set_index([simulated.truth["account_id"].astype(str), "cutoff"]).loc[dataset.part("test").keys]
    assert isinstance(settings.label, ContractualLabel)
    return Company(tables, dataset, settings.label, truth.reset_index(drop=True))


def expected_log_loss(predicted: np.ndarray, truth: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Log loss that predictions have on average over everything that could have happened."""
    inside = np.clip(predicted, 1e-9, 1 - 1e-9)
    return float(np.average(-(truth * np.log(inside) + (1 - truth) * np.log(1 - inside)), weights=weight))
