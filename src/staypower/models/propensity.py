"""Who answers: the probability of answering an invitation, the weights that follow, and what they cannot correct."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares
from scipy.special import expit

from staypower.errors import Problem, UsageError
from staypower.models.rows import Rows, categorical_positions
from staypower.models.settings import ModelSettings
from staypower.models.training import Trained, train

__all__ = ["CAP", "AnswerWeights", "answer_weights", "tilt_for_silence"]

Floats = NDArray[np.float64]

CAP = 10.0
# Below this correlation the two equations of `by="answer"` say next to nothing about its slope.
_LEAST_TOLD = 0.2
_FARTHEST, _STEEPEST, _TOLERANCE = 8.0, 3.0, 1e-4


@dataclass(frozen=True)
class AnswerWeights:
    """How probable each invited row's answer was, and what each answer weighs.

    >>> one = np.array([0.5])
    >>> AnswerWeights(one, one, 0.5, 0, 1.0).rate
    0.5
    """

    # shape (n,): By features: P(answer | invited, features) from trees that had not seen the row's account; NaN where not
    # invited. By answer: P(answer | invited, the answer); NaN where none came
    propensity: Floats
    # shape (n,): Share that answered / propensity, at most `cap`: what an answer counts for. 1 where no propensity is known
    weight: Floats
    rate: float  # share of the invited that answered
    capped: int  # answers whose weight was cut to the cap
    effective: float  # kish's effective number of answers, (sum w)^2 / sum w^2
    # by answer: rise of the log-odds of answering with one standard deviation of the answer; NaN by features
    slope: float = float("nan")
    notes: tuple[str, ...] = ()


def answer_weights(
    X: pd.DataFrame | Floats,
    answered: ArrayLike,
    invited: ArrayLike,
    *,
    accounts: ArrayLike,
    cutoffs: ArrayLike,
    by: Literal["features", "answer"] = "features",
    value: ArrayLike | None = None,
    settings: ModelSettings | None = None,
    categorical_features: Sequence[str] | Sequence[int] | None = None,
    cap: float = CAP,
) -> AnswerWeights:
    """Weigh answers by how unlikely they were to come: stabilised inverse propensity, cross-fitted over accounts.

    *By features*: P(answer | features) from trees. Corrects what features explain (missing at random) and nothing else.

    *By answer*: log-odds of answering = a + b answer. The answers of the silent are not known, but their features are: weighted
    by 1 / P(answer), those who answered must come to as many rows, with the same mean expected answer, as all who were invited.
    These two equations give a and b (generalised calibration: Deville 2000; Kott and Chang 2010). The assumption is that given
    the answer, features do not matter for answering. It cannot be tested in the data.

    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(600, 2))
    >>> answers = rng.random(600) < 1 / (1 + np.exp(-2 * X[:, 0]))
    >>> asked = np.ones(600, dtype=bool)
    >>> found = answer_weights(X, answers, asked, accounts=np.arange(600), cutoffs=np.zeros(600, dtype=np.int64))
    >>> bool(found.weight[answers & (X[:, 0] < -1)].mean() > 2 * found.weight[answers & (X[:, 0] > 1)].mean())
    True
    """
    came, asked = np.asarray(answered, dtype=bool), np.asarray(invited, dtype=bool)
    values = X.to_numpy(dtype=np.float64) if isinstance(X, pd.DataFrame) else np.asarray(X, dtype=np.float64)
    given = np.full(len(came), np.nan) if value is None else np.asarray(value, dtype=np.float64)
    numbers, instants = pd.factorize(np.asarray(accounts), sort=True)[0], np.asarray(cutoffs, dtype=np.int64)
    _check(came, asked, given if by == "answer" else np.zeros(len(came)), [values, numbers, instants], cap)
    rate = float(came[asked].mean()) if asked.any() else float("nan")
    if not 0.0 < rate < 1.0:
        return _even(came, rate, "everybody who was invited answered, or nobody did: every answer weighs 1")
    names = [str(name) for name in X.columns] if isinstance(X, pd.DataFrame) else []
    trainer = _Trainer(
        values,
        numbers.astype(np.int64),
        instants,
        (settings or ModelSettings()).model_copy(update={"split": "grouped"}),
        categorical_positions(categorical_features, names, values),
    )
    if by == "features":
        return _by_features(trainer, came, asked, rate, cap)
    return _by_answer(trainer, came, asked, given, rate, cap)


@dataclass(frozen=True)
class _Trainer:
    """Trains on some of the rows."""

    features: Floats
    accounts: NDArray[np.int64]
    cutoffs: NDArray[np.int64]
    settings: ModelSettings
    categorical: tuple[int, ...]

    def train(
        self, labels: NDArray[np.bool_], which: NDArray[np.bool_]
    ) -> tuple[Trained, NDArray[np.int64], NDArray[np.int64]]:
        """Return what was trained, the positions of its rows in its order, and each row's account number in it."""
        order = np.flatnonzero(which)
        order = order[np.lexsort((self.cutoffs[order], self.accounts[order]))]
        known = np.unique(self.accounts[order])
        dense = np.searchsorted(known, self.accounts).clip(0, len(known) - 1)
        others = np.where(known[dense] == self.accounts, dense, len(known) + self.accounts)
        features = np.ascontiguousarray(self.features[order])
        rows = Rows(features, labels[order].astype(np.int8), None, others[order], self.cutoffs[order])
        return train(rows, self.settings, embargo_days=None, categorical=self.categorical), order, others


def _by_features(
    trainer: _Trainer, came: NDArray[np.bool_], asked: NDArray[np.bool_], rate: float, cap: float
) -> AnswerWeights:
    trained, order, _ = trainer.train(came, asked)
    if trained.held_out_raw is None:
        return _even(came, rate, *trained.notes)
    propensity = np.full(len(came), np.nan)
    propensity[order] = trained.calibration.apply(trained.held_out_raw)
    return _weighed(came, propensity, rate, cap, float("nan"), trained.notes)


def _by_answer(
    trainer: _Trainer, came: NDArray[np.bool_], asked: NDArray[np.bool_], value: Floats, rate: float, cap: float
) -> AnswerWeights:
    own = value[came]
    above = np.zeros(len(came), dtype=bool)
    # the cut that halves the answers best: what is expected of the silent is on which side of it they would be
    cuts = np.unique(own)[:-1]
    if not len(cuts):
        return _even(came, rate, "everybody gave the same answer: every answer weighs 1")
    cut = min(cuts, key=lambda each: abs(float((own > each).mean()) - 0.5))
    above[came] = own > cut
    trained, _, numbers = trainer.train(above, came)
    if trained.cross is None:
        return _even(came, rate, *trained.notes)
    expected = np.full(len(came), np.nan)
    expected[asked] = expit(trained.cross.raw(trainer.features[asked], numbers[asked], threads=trainer.settings.threads or 1))
    scaled = np.zeros(len(came))
    scaled[came] = (own - own.mean()) / own.std()
    told = float(np.corrcoef(expected[came], scaled[came])[0, 1]) if expected[came].std() > 0 else 0.0
    if not told >= _LEAST_TOLD:
        note = (
            f"features tell too little of the answers (correlation {told:.2f}) to learn who stays silent: every answer weighs 1"
        )
        return _even(came, rate, note)
    start, slope, solved = _solve(expected[asked], scaled[asked], came[asked])
    if not solved:
        return _even(came, rate, "no dependence of answering on the answer fits the silent: every answer weighs 1")
    propensity = np.where(came, expit(start + slope * scaled), np.nan)
    note = f"log-odds of answering rise by {slope:.2f} with one standard deviation of the answer, if nothing else matters"
    return _weighed(came, propensity, rate, cap, slope, (note,))


def _solve(expected: Floats, scaled: Floats, came: NDArray[np.bool_]) -> tuple[float, float, bool]:
    shown = np.stack([np.ones(len(expected)), (expected - expected.mean()) / expected.std()])

    def off(numbers: Floats) -> Floats:
        weight = np.where(came, 1.0 + np.exp(-numbers[0] - numbers[1] * scaled), 0.0)
        found: Floats = ((weight - 1.0) * shown).mean(axis=1)
        return found

    found = least_squares(off, np.zeros(2), bounds=([-_FARTHEST, -_STEEPEST], [_FARTHEST, _STEEPEST]))
    inside = abs(found.x[0]) < 0.99 * _FARTHEST and abs(found.x[1]) < 0.99 * _STEEPEST
    return float(found.x[0]), float(found.x[1]), bool(inside and np.abs(found.fun).max() < _TOLERANCE)


def _weighed(
    came: NDArray[np.bool_], propensity: Floats, rate: float, cap: float, slope: float, notes: tuple[str, ...]
) -> AnswerWeights:
    full = np.where(np.isnan(propensity), 1.0, rate / np.where(np.isnan(propensity), 1.0, propensity))
    weight = np.minimum(full, cap)
    counted = weight[came]
    effective = float(counted.sum() ** 2 / (counted**2).sum())
    return AnswerWeights(propensity, weight, rate, int((full[came] > cap).sum()), effective, slope, notes)


def _even(came: NDArray[np.bool_], rate: float, *notes: str) -> AnswerWeights:
    size = len(came)
    return AnswerWeights(np.full(size, np.nan), np.ones(size), rate, 0, float(came.sum()), float("nan"), notes)


def _check(came: NDArray[np.bool_], asked: NDArray[np.bool_], value: Floats, others: Sequence[Sized], cap: float) -> None:
    lengths = [len(each) for each in (came, asked, value, *others)]
    if len(set(lengths)) > 1:
        raise UsageError.of("rows differ in number", ", ".join(map(str, lengths)), "give one value for every row")
    problems = []
    if (came & ~asked).any():
        problems.append(
            Problem("answers without an invitation", f"{int((came & ~asked).sum())} rows", "who answered was invited")
        )
    if not np.isfinite(value[came]).all():
        problems.append(Problem("answers without a value", f"{int((~np.isfinite(value[came])).sum())} rows", "give `value`"))
    if not cap >= 1.0:
        problems.append(Problem("the cap of the weights is too small", f"{cap:g}", "give at least 1"))
    if problems:
        raise UsageError(problems)


def tilt_for_silence(probabilities: ArrayLike, log_odds_per_tier: float, *, propensity: ArrayLike | None = None) -> Floats:
    """Say how the tiers of silent accounts would look if better tiers answered more readily than features show.

    With log-odds of answering a(x) + d tier, P(tier | x, silent) is proportional to P(tier | x, answered) exp(-d tier): the
    selection model of Scharfstein, Rotnitzky and Robins (1999).

    >>> tilt_for_silence([[0.25, 0.5, 0.25]], np.log(2)).round(3).tolist()
    [[0.444, 0.444, 0.111]]
    """
    given = np.asarray(probabilities, dtype=np.float64)
    if not np.isfinite(log_odds_per_tier):
        raise UsageError.of("no assumption about silence", f"{log_odds_per_tier}", "give a finite number, 0 for none")
    tilted: Floats = given * np.exp(-log_odds_per_tier * np.arange(given.shape[1]))
    tilted /= tilted.sum(axis=1, keepdims=True)
    if propensity is None:
        return tilted
    answers = np.asarray(propensity, dtype=np.float64)[:, None]
    mixed: Floats = answers * given + (1.0 - answers) * tilted
    return mixed
