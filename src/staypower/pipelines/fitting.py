"""Predict accounts by models that saw them, and by models that did not."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from staypower.config.settings import Settings
from staypower.dataset.building import Dataset
from staypower.errors import UsageError
from staypower.evaluation.memory import AccountMemory, account_memory
from staypower.models.fitting import fit_classifier

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["half_of", "measure_memory", "predict_by_halves"]


def half_of(accounts: NDArray[np.object_]) -> NDArray[np.int64]:
    """Deal accounts into two halves by a hash of their id, whatever else is in the data.

    >>> half_of(np.array(["ann", "bob", "cal", "ann"], dtype=object)).tolist()
    [0, 0, 1, 0]
    """
    names, number = np.unique(accounts.astype(str), return_inverse=True)
    half = [hashlib.sha256(f"half {name}".encode()).digest()[0] % 2 for name in names]
    return np.array(half, dtype=np.int64)[number]


def predict_by_halves(
    dataset: Dataset, settings: Settings, rows: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | str:
    """Predict rows by two models, each grown on one half of the accounts."""
    half, learned = half_of(dataset.matrix.accounts), dataset.rows("training", "calibration")
    churners = [len(set(dataset.matrix.accounts[learned & (half == side) & (dataset.y == 1)])) for side in (0, 1)]
    if min(churners) < settings.model.min_churners:
        few = f"half of the accounts hold {min(churners)} churners, {settings.model.min_churners} are needed"
        return f"Known and never seen accounts are not compared: {few}."
    own = half[rows]
    try:
        by_half = [
            fit_classifier(dataset, settings.model, half == side).predict_proba(dataset.X[rows])[:, 1] for side in (0, 1)
        ]
    except UsageError as error:
        return f"Known and never seen accounts are not compared: {error.problems[0].problem}."
    return np.where(own == 0, *by_half), np.where(own == 0, *by_half[::-1])


def measure_memory(dataset: Dataset, settings: Settings) -> AccountMemory | str:
    """Measure on the test rows what known accounts are easier by than accounts never seen."""
    if dataset.plan.split == "snapshot":
        return "A snapshot tests accounts that were never seen; it has no known accounts, later."
    test = dataset.rows("test")
    found = predict_by_halves(dataset, settings, test)
    if isinstance(found, str):
        return found
    known, unseen = found
    return account_memory(
        dataset.y[test],
        known,
        unseen,
        dataset.matrix.accounts[test],
        replicates=settings.evaluation.bootstrap,
        seed=settings.model.seed,
    )
