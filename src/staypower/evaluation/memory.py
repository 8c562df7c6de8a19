"""Does the model know accounts, or churn? Rows predicted by trees that learned from their account, and by trees that did not.

Accounts are dealt into two halves and one model is grown on each. Every tested row is then predicted twice, by two models of
the same size: the one that saw the row's account at earlier cutoffs ("known accounts, later") and the one that never saw it
("accounts never seen"). What the first is better by is memory of accounts, not knowledge of churn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from staypower.errors import UsageError
from staypower.evaluation.paired import metric_of_weights
from staypower.evaluation.resampling import Estimate, estimate, row_weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["MEMORY_METRICS", "AccountMemory", "account_memory"]

MEMORY_METRICS = ("auroc", "average_precision", "log_loss", "calibration_error")


@dataclass(frozen=True)
class AccountMemory:
    """The metrics of rows whose account was known, and never seen, in training.

    >>> one = {"auroc": Estimate(0.7, 0.6, 0.8)}
    >>> AccountMemory(one, one, {"auroc": Estimate(0.02, 0.01, 0.03)}).easier
    True
    """

    known: Mapping[str, Estimate]  # by the names of `MEMORY_METRICS`; two models, each learned on half of the accounts
    unseen: Mapping[str, Estimate]  # by the names of `MEMORY_METRICS`; two models, each learned on half of the accounts
    difference: Mapping[str, Estimate]  # known minus unseen, paired

    @property
    def easier(self) -> bool:
        """Whether known accounts are shown to be easier: the interval of the AUROC's difference lies above 0."""
        difference = self.difference["auroc"]
        return difference.bounded and difference.low > 0

    @property
    def words(self) -> str:
        """The comparison in words."""
        known, unseen, apart = (each["auroc"] for each in (self.known, self.unseen, self.difference))
        if not known.known:
            return "Known and never seen accounts cannot be compared: only one class among the rows."
        interval = f" ({apart.low:+.3f} to {apart.high:+.3f})" if apart.bounded else ""
        start = f"Known accounts, later: AUROC {known.value:.3f}; accounts never seen: {unseen.value:.3f}"
        said = f"{start}; difference {apart.value:+.3f}{interval}, two models on half of the accounts each."
        if self.easier:
            return f"{said} The model remembers accounts: expect the lower figure for new ones."
        return f"{said} Known accounts are not shown to be easier."


def account_memory(
    y_true: ArrayLike,
    known: ArrayLike,
    unseen: ArrayLike,
    accounts: ArrayLike,
    *,
    replicates: int = 200,
    seed: int = 0,
) -> AccountMemory:
    """Compare predictions of the same rows with and without their accounts in training.

    >>> y = [0, 0, 0, 1] * 25
    >>> memory = account_memory(y, [0.1, 0.1, 0.2, 0.8] * 25, [0.2, 0.3, 0.2, 0.25] * 25, accounts=range(100))
    >>> round(memory.known["auroc"].value, 3), round(memory.unseen["auroc"].value, 3), memory.easier
    (1.0, 0.667, True)
    """
    lengths = [np.size(each) for each in (y_true, known, unseen, accounts)]
    if len(set(lengths)) > 1:
        raise UsageError.of("rows differ in number", ", ".join(map(str, lengths)), "give one value for every row")
    number = np.unique(np.asarray(accounts), return_inverse=True)[1]
    measures = {name: [metric_of_weights(name, y_true, score) for score in (known, unseen)] for name in MEMORY_METRICS}

    def values(weight: NDArray[np.float64]) -> list[list[float]]:
        return [[measure(weight) for measure in pair] for pair in measures.values()]

    once = np.array(values(np.ones(len(number))))
    drawn = np.array([values(weight) for weight in row_weights(number, replicates, seed)]).reshape(-1, *once.shape)
    return AccountMemory(
        _row(once[:, 0], drawn[:, :, 0]),
        _row(once[:, 1], drawn[:, :, 1]),
        _row(once[:, 0] - once[:, 1], drawn[:, :, 0] - drawn[:, :, 1], absolute=False),
    )


def _row(values: NDArray[np.float64], drawn: NDArray[np.float64], *, absolute: bool = True) -> Mapping[str, Estimate]:
    found = {
        name: estimate(float(values[at]), drawn[:, at], recentre=absolute and name == "calibration_error")
        for at, name in enumerate(MEMORY_METRICS)
    }
    return MappingProxyType(found)
