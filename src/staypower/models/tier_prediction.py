"""From cumulative probabilities to tiers: never crossing, unknown by a declared rule, and steady between runs."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from staypower.errors import Problem, UsageError
from staypower.log_odds import expit
from staypower.models.silence import Silence

if TYPE_CHECKING:
    import pandas as pd

    from staypower.labels.tier_settings import Told
    from staypower.models.bundle import SealedModel

__all__ = [
    "TIER_MODEL",
    "UNKNOWN",
    "Blend",
    "choose_tiers",
    "fit_blend",
    "predict_tiers",
    "tell_tiers",
    "tier_models",
    "tier_probabilities",
]

Floats = NDArray[np.float64]

#: The number of an unknown tier.
UNKNOWN = -1
# a tier changes only when the evidence against the previous one leads by this much
_MARGIN = 0.1
# differences of probabilities that are equal in decimals count as equal
_DUST = 1e-12
TIER_MODEL = "tier_above_{}"
_NAME = re.compile(r"tier_above_(\d+)")


def tier_probabilities(above: ArrayLike) -> Floats:
    """Turn the probabilities of lying above each tier into the probabilities of the tiers.

    Where two boosters contradict each other, P(tier > 1) above P(tier > 0), their values change places. Sorting never moves a
    row further from any answer it could get, in squared error, since every answer is a falling row of ones and zeros
    (Chernozhukov, Fernandez-Val and Galichon 2010), and unlike averaging it leaves no tier without probability.

    >>> tier_probabilities([[0.75, 0.25], [0.25, 0.5]]).tolist()
    [[0.25, 0.5, 0.25], [0.5, 0.25, 0.25]]
    """
    falling = -np.sort(-np.asarray(above, dtype=np.float64), axis=1)
    ends = np.ones((len(falling), 1)), np.zeros((len(falling), 1))
    between = np.hstack([ends[0], falling, ends[1]])
    found: Floats = between[:, :-1] - between[:, 1:]
    return found


def tier_models(secondary: Mapping[str, SealedModel]) -> tuple[str, ...]:
    """Name the tier's boosters among the secondary models of a bundle, P(tier > 0) first."""
    numbers = sorted(int(found.group(1)) for name in secondary if (found := _NAME.fullmatch(name)))
    if numbers != list(range(len(numbers))):
        raise UsageError.of("a booster of the tier model is missing", str(numbers), "train the model again")
    return tuple(TIER_MODEL.format(number) for number in numbers)


def predict_tiers(secondary: Mapping[str, SealedModel], X: pd.DataFrame | Floats, *, threads: int | None = None) -> Floats:
    """Return the probabilities of the tiers from the secondary models of a bundle: no estimator is needed."""
    names = tier_models(secondary)
    if not names:
        raise UsageError.of("the bundle predicts no tier", f"{len(secondary)} other models", "train with answers to surveys")
    blend = Blend.of_steps([secondary[name].metadata.get("blend") for name in names])
    own = np.column_stack([secondary[name].log_odds(X, threads=threads) for name in names])
    silence = Silence.from_dict(secondary[names[0]].metadata.get("silence") or Silence.none().to_dict())
    return silence.everybody(tier_probabilities(blend.above(own)))


def tell_tiers(probabilities: ArrayLike, told: Told = "median") -> NDArray[np.int64]:
    """Return the tier that is told of each row: the median of its ordered probabilities, or the most probable one.

    The tiers are trained on answers, which scatter around what the account thinks. The median is the tier in the middle of
    that scatter; the most probable one avoids a narrow middle tier. Of equal ones it is the worse.

    >>> tell_tiers([[0.4, 0.25, 0.35]]).tolist(), tell_tiers([[0.4, 0.25, 0.35]], "most_probable").tolist()
    ([1], [0])
    """
    given = np.asarray(probabilities, dtype=np.float64)
    if told == "most_probable":
        return np.asarray(given.argmax(axis=1), dtype=np.int64)
    return np.asarray((given[:, :-1].cumsum(axis=1) < 0.5 - _DUST).sum(axis=1), dtype=np.int64)


def choose_tiers(
    probabilities: ArrayLike,
    previous: ArrayLike | None = None,
    *,
    told: Told = "median",
    margin: float = _MARGIN,
    abstain_below: float = 0.0,
    withheld: ArrayLike | None = None,
) -> NDArray[np.int8]:
    """Choose each row's tier: the one that is told, unless no tier is probable enough or the previous one is hardly refuted.

    The previous tier stays until it is `margin` more probable that the tier lies on one side of it than not (`median`), or
    until another tier is `margin` more probable (`most_probable`).

    >>> likely = [[0.52, 0.43, 0.05], [0.60, 0.35, 0.05], [0.36, 0.34, 0.30]]
    >>> choose_tiers(likely, [1, 1, -1], margin=0.1, abstain_below=0.4).tolist()
    [1, 0, -1]
    """
    given = np.asarray(probabilities, dtype=np.float64)
    before = np.full(len(given), UNKNOWN, dtype=np.int64) if previous is None else np.asarray(previous, dtype=np.int64)
    _check(given, before, margin, abstain_below)
    new = tell_tiers(given, told)
    had = before != UNKNOWN
    kept = np.where(had, before, new)
    tier = np.where(_lead(given, kept, new, told) >= margin - _DUST, new, kept)
    tier = np.where(given.max(axis=1) < abstain_below - margin * had, UNKNOWN, tier)
    if withheld is not None:
        tier = np.where(np.asarray(withheld, dtype=bool), UNKNOWN, tier)
    return tier.astype(np.int8)


def _lead(given: Floats, kept: NDArray[np.int64], new: NDArray[np.int64], told: Told) -> Floats:
    """Return by how much the evidence against the kept tiers leads."""
    row = np.arange(len(given))
    own = given[row, kept]
    if told == "most_probable":
        return np.asarray(given[row, new] - own, dtype=np.float64)
    below = given.cumsum(axis=1)[row, kept] - own
    return 2 * np.maximum(below, 1 - below - own) - 1


def _check(given: Floats, before: NDArray[np.int64], margin: float, abstain_below: float) -> None:
    problems = []
    if given.ndim != 2 or before.shape != given.shape[:1]:
        problems.append(Problem("previous tiers do not match", f"{before.shape} for {given.shape}", "give one tier per row"))
    elif ((before < UNKNOWN) | (before >= given.shape[1])).any():
        value = f"{int(((before < UNKNOWN) | (before >= given.shape[1])).sum())} rows"
        problems.append(
            Problem("unusable previous tier", value, f"give numbers from 0 to {given.shape[1] - 1}, -1 for unknown")
        )
    for name, share in (("margin", margin), ("abstain_below", abstain_below)):
        if not 0.0 <= share <= 1.0:
            problems.append(Problem(f"{name} is not a share", f"{share:g}", "give a number from 0 to 1"))
    if problems:
        raise UsageError(problems)


_LEAST_OWN = 1e-3
# As many pseudo-rows hold the blend at "each step as it is": it moves only where there are many more real ones.
_RESTRAINT = 5.0


@dataclass(frozen=True)
class Blend:
    """The log-odds of each step from the calibrated log-odds of all steps.

    >>> Blend(((0.75, 0.25), (0.5, 0.5)), (0.0, -1.0)).log_odds(np.array([[2.0, -2.0]])).tolist()
    [[1.0, -1.0]]
    """

    # row k: what each step counts for in P(class > k). None below 0, its own above 0: no probability falls when a booster's
    # score rises
    weights: tuple[tuple[float, ...], ...]
    intercepts: tuple[float, ...]

    def __post_init__(self) -> None:
        steps = len(self.intercepts)
        square = steps > 0 and len(self.weights) == steps and all(len(row) == steps for row in self.weights)
        if not square or not all(_usable(value) for row in (*self.weights, self.intercepts) for value in row):
            raise UsageError.of("unusable tier calibration", f"{self.weights}, {self.intercepts}", "train the model again")
        if any(value < 0 for row in self.weights for value in row) or any(self.weights[k][k] <= 0 for k in range(steps)):
            raise UsageError.of("unusable tier calibration", f"weights {self.weights}", "train the model again")

    @classmethod
    def apart(cls, steps: int) -> Blend:
        """Return the blend that leaves each step as it is."""
        return cls(tuple(tuple(float(k == j) for j in range(steps)) for k in range(steps)), (0.0,) * steps)

    def log_odds(self, own: Floats) -> Floats:
        """Return the joint log-odds."""
        joint = np.empty_like(own)
        for step, (row, intercept) in enumerate(zip(self.weights, self.intercepts, strict=True)):
            # One term after the other: a product of matrices may add in another order for another number of rows.
            joint[:, step] = intercept
            for other, weight in enumerate(row):
                joint[:, step] += weight * own[:, other]
        return joint

    def above(self, own: Floats) -> Floats:
        """Return P(class > k) for each step, before crossings are resolved."""
        return np.asarray(expit(self.log_odds(own)), dtype=np.float64)

    def step(self, number: int) -> dict[str, Any]:
        """Return one step's part as JSON-able values."""
        return {"weights": list(self.weights[number]), "intercept": self.intercepts[number]}

    @classmethod
    def of_steps(cls, parts: Sequence[Any]) -> Blend:
        """Read the blend back from the parts of its steps."""
        if not all(isinstance(part, dict) and isinstance(part.get("weights"), list) for part in parts):
            raise UsageError.of("unusable tier calibration", "a step without its part", "train the model again")
        return cls(tuple(tuple(part["weights"]) for part in parts), tuple(part.get("intercept") for part in parts))


def _usable(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def fit_blend(own: Floats, ranks: NDArray[np.int8], weights: Floats | None = None) -> Blend:
    """Fit the blend to held-out rows.

    A logistic regression for each step on the log-odds of all, with no negative coefficient, held at "each step as it is"
    by a squared penalty worth five rows. Steps calibrated apart are each right on average, but their difference, the
    probability of a middle class, is not: it is largest where one step's error is upwards and the other's downwards. What the
    steps share is signal, what they do not share is largely noise, and the blend weighs it so. Sums avoid BLAS.

    >>> rng = np.random.default_rng(0)
    >>> signal = rng.normal(size=4000)
    >>> ranks = np.digitize(signal + rng.logistic(size=4000), [-1, 1]).astype(np.int8)
    >>> own = np.column_stack([signal + 1, signal - 1]) + rng.normal(size=(4000, 2)) / 2
    >>> blend = fit_blend(own, ranks)
    >>> bool(min(blend.weights[0][1], blend.weights[1][0]) > 0.25)
    True
    """
    steps = own.shape[1]
    weight = np.ones(len(own)) if weights is None else weights
    rows = [_fit_step(own, ranks > step, weight, step) for step in range(steps)]
    return Blend(tuple(row for row, _ in rows), tuple(intercept for _, intercept in rows))


def _fit_step(own: Floats, above: NDArray[np.bool_], weight: Floats, step: int) -> tuple[tuple[float, ...], float]:
    steps, total = own.shape[1], float(weight.sum())
    start = np.zeros(steps + 1)
    start[step] = 1.0

    def loss(numbers: Floats) -> tuple[float, Floats]:
        score = numbers[steps] + sum(numbers[other] * own[:, other] for other in range(steps))
        residual = weight * (expit(score) - above)
        off = numbers - start
        value = float((weight * (np.logaddexp(0.0, score) - above * score)).sum()) + _RESTRAINT * float((off**2).sum())
        slopes = [float((residual * own[:, other]).sum()) for other in range(steps)]
        return value / total, (np.array([*slopes, float(residual.sum())]) + 2 * _RESTRAINT * off) / total

    bounds = [(_LEAST_OWN if other == step else 0.0, None) for other in range(steps)] + [(None, None)]
    from scipy.optimize import minimize  # takes long to load, and scoring does without it

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500, "ftol": 1e-14})
    return tuple(float(number) for number in found.x[:steps]), float(found.x[steps])
