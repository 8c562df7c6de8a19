"""Measure how much better the model is on accounts that it was trained on.

The accounts are split into two halves and one model is trained on each. Every tested row is then predicted twice, by two models
of the same size: the one trained on the row's account at earlier cutoffs ("known accounts") and the one that was not ("unseen
accounts"). What the first is better by comes from recognising accounts, not from recognising churn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from staypower.errors import UsageError
from staypower.evaluation.measures import estimates_of, listed_in, measure_of_weights
from staypower.evaluation.resampling import Estimate, row_weights
from staypower.results.numbers import decimal, signed

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from staypower.dataset.building import Dataset

__all__ = ["KnownAccounts", "compare_known_accounts", "half_of", "predict_by_halves"]

_HALVES = (0, 1)


@dataclass(frozen=True)
class KnownAccounts:
    """The metrics of rows whose account was, and was not, in training; by the names of the metrics.

    >>> one = {"auroc": Estimate(0.7, 0.6, 0.8)}
    >>> KnownAccounts(one, one, {"auroc": Estimate(0.02, 0.01, 0.03)}).easier
    True
    """

    known: Mapping[str, Estimate]
    unseen: Mapping[str, Estimate]
    difference: Mapping[str, Estimate]  # known minus unseen, paired

    @property
    def easier(self) -> bool:
        """Whether known accounts are predicted better: the interval of the AUROC's difference lies above 0."""
        difference = self.difference["auroc"]
        return difference.bounded and difference.low > 0

    @property
    def words(self) -> str:
        """The comparison in words."""
        known, unseen, apart = (each["auroc"] for each in (self.known, self.unseen, self.difference))
        if not known.known:
            return "Known and unseen accounts cannot be compared: the rows have one class only."
        figures = (
            f"AUROC {decimal(known.value)} for accounts that the model was trained on, {decimal(unseen.value)} for unseen "
            f"accounts; difference {apart.written(signed)}, from two models trained on half of the accounts each."
        )
        if self.easier:
            return f"{figures} The model is better on accounts it was trained on; expect the lower figure for new accounts."
        return f"{figures} The model is not significantly better on accounts it was trained on."

    def metrics(self) -> dict[str, float]:
        """Return the two AUROCs, when they exist."""
        if not self.known["auroc"].known:
            return {}
        return {"auroc_known_accounts": self.known["auroc"].value, "auroc_unseen_accounts": self.unseen["auroc"].value}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        sides = {"known": self.known, "unseen": self.unseen, "difference": self.difference}
        found = {name: {metric: vars(each) for metric, each in side.items()} for name, side in sides.items()}
        return {**found, "easier": self.easier}


def compare_known_accounts(
    y_true: ArrayLike,
    known: ArrayLike,
    unseen: ArrayLike,
    accounts: ArrayLike,
    *,
    replicates: int = 200,
    seed: int = 0,
) -> KnownAccounts:
    """Compare predictions of the same rows with and without their accounts in training.

    >>> y = [0, 0, 0, 1] * 25
    >>> found = compare_known_accounts(y, [0.1, 0.1, 0.2, 0.8] * 25, [0.2, 0.3, 0.2, 0.25] * 25, accounts=range(100))
    >>> round(found.known["auroc"].value, 3), round(found.unseen["auroc"].value, 3), found.easier
    (1.0, 0.667, True)
    """
    lengths = [np.size(each) for each in (y_true, known, unseen, accounts)]
    if len(set(lengths)) > 1:
        raise UsageError.of("rows differ in number", ", ".join(map(str, lengths)), "give one value per row")
    number = np.unique(np.asarray(accounts), return_inverse=True)[1]
    churned, scores = np.asarray(y_true), [np.asarray(score, dtype=np.float64) for score in (known, unseen)]
    names = [metric.name for metric in listed_in("compared")]
    measures = [[measure_of_weights(name, churned, score) for score in scores] for name in names]

    def values(weight: NDArray[np.float64]) -> list[list[float]]:
        return [[measure(weight) for measure in pair] for pair in measures]

    once = np.array(values(np.ones(len(number))))
    drawn = np.array([values(weight) for weight in row_weights(number, replicates, seed)]).reshape(-1, *once.shape)
    apart = estimates_of(names, once[:, 0] - once[:, 1], drawn[:, :, 0] - drawn[:, :, 1], differences=True)
    return KnownAccounts(
        estimates_of(names, once[:, 0], drawn[:, :, 0]), estimates_of(names, once[:, 1], drawn[:, :, 1]), apart
    )


def half_of(accounts: NDArray[np.object_]) -> NDArray[np.int64]:
    """Assign accounts to two halves by a hash of their id, so that other accounts in the data make no difference.

    >>> half_of(np.array(["ann", "bob", "cal", "ann"], dtype=object)).tolist()
    [0, 0, 1, 0]
    """
    names, number = np.unique(accounts.astype(str), return_inverse=True)
    half = [hashlib.sha256(f"half {name}".encode()).digest()[0] % 2 for name in names]
    return np.array(half, dtype=np.int64)[number]


def predict_by_halves(
    dataset: Dataset,
    rows: NDArray[np.bool_],
    fit: Callable[[NDArray[np.bool_]], Any],
    *,
    fewest_churners: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | str:
    """Predict rows by two models, each fitted on one half of the accounts; where that is not possible, say why."""
    half = half_of(dataset.matrix.accounts)
    trained = dataset.part("training", "calibration").churned
    churners = [len(set(trained.accounts[half[trained.index] == side])) for side in _HALVES]
    if min(churners) < fewest_churners:
        few = f"half of the accounts hold {min(churners)} churned accounts, {fewest_churners} are needed"
        return f"Known and unseen accounts are not compared: {few}."
    own = half[rows]
    try:
        by_half = [fit(half == side).predict_proba(dataset.X[rows])[:, 1] for side in _HALVES]
    except UsageError as error:
        return f"Known and unseen accounts are not compared: {error.problems[0].problem}."
    return np.where(own == 0, *by_half), np.where(own == 0, *by_half[::-1])
