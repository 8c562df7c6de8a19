"""How the tiers of all accounts differ from those of the accounts that answer, as far as earlier answers tell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from staypower.errors import UsageError
from staypower.hashing import folds_of
from staypower.log_odds import expit
from staypower.models.side_by_side import side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Silence", "find_silence"]

Floats = NDArray[np.float64]

_HALVES = 2
_TREES = 80
_SHAPE = {"learning_rate": 0.1, "num_leaves": 8, "min_data_in_leaf": 40, "feature_fraction": 0.3, "max_bin": 63}
# no more than this is believed of how readily a tier answers, in log-odds per tier
_STEEPEST = 1.5
_FEW = 100  # accounts that answered, and that did not: below this nothing is told
_DIGITS = 4


@dataclass(frozen=True)
class Silence:
    """How much more readily better tiers answer, given what the features show.

    >>> Silence(0.0, 0.4, 1.0).everybody(np.array([[0.5, 0.25, 0.25]])).tolist()
    [[0.5, 0.25, 0.25]]
    >>> Silence(math.log(2), 0.5, 1.0).everybody(np.array([[0.5, 0.25, 0.25]])).round(3).tolist()
    [[0.593, 0.222, 0.185]]
    """

    slope: float  # added to the log-odds of answering by each tier
    answering: float  # share of the invited rows that answered
    tilt: float  # mean over the answers of exp(-slope times tier)

    @classmethod
    def none(cls) -> Silence:
        """Return what changes nothing."""
        return cls(0.0, 1.0, 1.0)

    def words(self) -> list[str]:
        """Say what was found, in a sentence; nothing where nothing was."""
        if self.slope == 0.0:
            return []
        factor, word = math.exp(abs(self.slope)), "better" if self.slope > 0 else "worse"
        return [
            f"accounts of a {word} tier answer more readily (odds times {factor:.2f} per tier): "
            "probabilities are of all accounts, not only of those that answer"
        ]

    def everybody(self, probabilities: Floats) -> Floats:
        """Turn the probabilities of accounts that answer into those of all accounts.

        With log-odds of answering a + slope * tier, P(tier | all) is proportional to P(tier | answered) / P(answers | tier), so
        to P(tier | answered) (1 + exp(-a - slope * tier)): the selection model of Scharfstein, Rotnitzky and Robins (1999).
        """
        if self.slope == 0.0:
            return probabilities
        odds = (1.0 - self.answering) / self.answering / self.tilt
        factors = [1.0 + odds * math.exp(-self.slope * tier) for tier in range(probabilities.shape[1])]
        moved = probabilities * np.array(factors)
        # one column after the other: a sum along rows may add in another order for another number of them
        total = moved[:, 0].copy()
        for tier in range(1, moved.shape[1]):
            total += moved[:, tier]
        return np.asarray(moved / total[:, None])

    def to_dict(self) -> dict[str, float]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Silence:
        """Rebuild what `to_dict` wrote."""
        values = [plain.get(name) for name in ("slope", "answering", "tilt")]
        numbers = [float(value) for value in values if isinstance(value, int | float) and math.isfinite(value)]
        if len(numbers) != len(values) or not 0.0 < numbers[1] <= 1.0 or numbers[2] <= 0.0:
            raise UsageError.of("unusable tier calibration", f"silence {dict(plain)}", "train the model again")
        return cls(*numbers)


def find_silence(
    features: Floats,
    tier: NDArray[np.int64],
    accounts: NDArray[np.object_],
    *,
    answers: Sequence[int],
    seed: int = 0,
    threads: int | None = None,
) -> Silence:
    """Find how much more readily better tiers answered, from rows that were invited; `tier` is -1 where no answer came.

    What an account answered before tells its tier, but does not by itself make it answer. So the chance to answer is learned
    without the columns `answers`, the expected tier with them, each from the other half of the accounts; the slope is the
    expected tier's in a logistic regression on both. It is shrunk as far as chance explains it, by 1 - v / d^2 (James and
    Stein), with v the variance over accounts.
    """
    answered = tier >= 0
    if min(len(set(accounts[answered])), len(set(accounts[~answered]))) < _FEW:
        return Silence.none()
    halves = folds_of([str(account) for account in accounts], _HALVES)
    others = np.setdiff1d(np.arange(features.shape[1]), np.asarray(answers, dtype=np.int64))
    chance, expected = np.empty(len(tier)), np.empty(len(tier))

    def find_chance(half: int) -> None:
        here, there = halves == half, halves != half
        chance[here] = _grow("binary", features[there][:, others], answered[there], features[here][:, others], seed)

    def find_expected(half: int) -> None:
        here, known = halves == half, (halves != half) & answered
        expected[here] = _grow("regression", features[known], tier[known], features[here], seed)

    side_by_side(
        [partial(find, half) for half in range(_HALVES) for find in (find_chance, find_expected)], threads=threads or 0
    )
    from scipy.special import logit  # takes long to load, and scoring does without it

    slope, variance = _slope(logit(np.clip(chance, 1e-6, 1 - 1e-6)), expected, answered, accounts)
    kept = slope * max(0.0, 1.0 - variance / slope**2) if slope else 0.0
    kept = round(float(np.clip(kept, -_STEEPEST, _STEEPEST)), _DIGITS)
    if kept == 0.0:
        return Silence.none()
    tilt = float(np.exp(-kept * tier[answered]).mean())
    return Silence(kept, round(float(answered.mean()), _DIGITS), round(tilt, _DIGITS))


def _grow(objective: str, rows: Floats, labels: NDArray[Any], asked: Floats, seed: int) -> Floats:
    """Grow a few small trees on some rows and predict others, with one thread."""
    import lightgbm

    fixed = {"objective": objective, "seed": seed, "num_threads": 1, "deterministic": True, "verbosity": -1}
    data = lightgbm.Dataset(rows, labels.astype(np.float64), params={"max_bin": _SHAPE["max_bin"], "verbosity": -1})
    booster = lightgbm.train({**_SHAPE, **fixed, "force_col_wise": True}, data, num_boost_round=_TREES)
    return np.asarray(booster.predict(asked, num_threads=1), dtype=np.float64)


def _slope(base: Floats, expected: Floats, answered: NDArray[np.bool_], accounts: NDArray[np.object_]) -> tuple[float, float]:
    """Return what a tier adds to the log-odds of answering, and its variance over accounts (sandwich)."""
    rows = np.column_stack([np.ones(len(base)), base, expected])
    found = np.array([0.0, 1.0, 0.0])
    for _ in range(50):
        likely = expit(rows @ found)
        weight = likely * (1 - likely)
        information = rows.T @ (rows * weight[:, None]) + 1e-9 * np.eye(3)
        step = np.linalg.solve(information, rows.T @ (answered - likely))
        found = found + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    scores = rows * (answered - likely)[:, None]
    _, place = np.unique(accounts.astype(str), return_inverse=True)
    summed = np.column_stack([np.bincount(place, weights=column) for column in scores.T])
    inverse = np.linalg.inv(information)
    return float(found[2]), float((inverse @ (summed.T @ summed) @ inverse)[2, 2])
