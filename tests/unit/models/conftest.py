"""A small company's history: several cutoffs an account, missing values, a categorical column."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from staypower.cutoffs import DAY, instant_of
from staypower.models.churn import ChurnClassifier

FIRST = instant_of("2024-01-01")


@dataclass(frozen=True)
class History:
    X: pd.DataFrame
    y: np.ndarray
    accounts: np.ndarray
    cutoffs: np.ndarray

    def take(self, order):
        return History(self.X.iloc[order], self.y[order], self.accounts[order], self.cutoffs[order])

    def fit(self, **parameters):
        model = ChurnClassifier(
            **{"n_jobs": 1, "max_trees": 40, "margin": False, "categorical_features": ["plan"], **parameters}
        )
        return model.fit(self.X, self.y, accounts=self.accounts, cutoffs=self.cutoffs)


def simulated(accounts=150, cutoffs=8, seed=0):
    rng = np.random.default_rng(seed)
    names = np.repeat([f"a{number:04d}" for number in range(accounts)], cutoffs)
    times = np.tile(FIRST + 30 * DAY * np.arange(cutoffs), accounts)
    rows = len(names)
    X = pd.DataFrame(
        {
            "days_since_last_order": rng.exponential(30, rows),
            "odd, [name]: {really}": rng.normal(size=rows),
            "plan": rng.integers(0, 6, rows).astype(float),
            "noise": rng.normal(size=rows),
        }
    )
    score = (X["days_since_last_order"] - 30) / 20 + np.isin(X["plan"], [1, 4]) * 1.5 + X["odd, [name]: {really}"] - 1.0
    y = (rng.random(rows) < 1 / (1 + np.exp(-score))).astype(np.int8)
    X.loc[rng.random(rows) < 0.1, "days_since_last_order"] = np.nan
    X.loc[rng.random(rows) < 0.1, "plan"] = np.nan
    return History(X, y, names, times)


@pytest.fixture(scope="session")
def make_history():
    return simulated


@pytest.fixture(scope="session")
def history():
    return simulated()


@pytest.fixture(scope="session")
def model(history):
    return history.fit()
