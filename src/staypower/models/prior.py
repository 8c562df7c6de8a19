"""Prior correction: probabilities calibrated for one base rate, used at another.

The correction is one number, chosen once for a whole scoring run and stored with it; or, where rows of one class were left out
of training, sealed in the model's calibration map. A score therefore never depends on who else is in its batch, and the order
of accounts never changes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from staypower.errors import Problem, UsageError
from staypower.results.numbers import percent

__all__ = ["PriorCorrection", "estimate_prior", "prior_of"]

Source = Literal["given", "estimated"]

_MOST_STEPS = 1_000
_CONVERGED = 1e-9
_FEWEST = 30


@dataclass(frozen=True)
class PriorCorrection:
    """A shift of all log-odds by the same amount: from the base rate of training to that of the run.

    ``odds' = odds x [target / (1 - target)] / [trained / (1 - trained)]``: Bayes' rule when churners and stayers look as they
    did in training and only their shares have changed (label shift; Saerens, Latinne and Decaestecker 2002, Neural Computation
    14(1)). Where behaviour means something else than in training, the correction does harm.

    >>> correction = PriorCorrection(trained=0.08, target=0.16)
    >>> correction.apply([0.0, 0.08, 0.5, 1.0]).round(4).tolist()
    [0.0, 0.16, 0.6866, 1.0]
    """

    trained: float  # base rate that the probabilities were calibrated for, in (0, 1)
    target: float  # base rate of the population that is scored, in (0, 1)
    source: Source = "given"  # whether the target was given, or found by `estimate_prior`
    accounts: int = 0  # accounts that the estimate was made from

    def __post_init__(self) -> None:
        problems = [
            Problem(f"{name} base rate is not a share", f"{rate!r}", "give a number above 0 and below 1, such as 0.16")
            for name, rate in (("trained", self.trained), ("target", self.target))
            if not _is_rate(rate)
        ]
        if problems:
            raise UsageError(problems)

    @property
    def shift(self) -> float:
        """What is added to every log-odds."""
        from scipy.special import logit  # takes long to load, and is needed for this alone

        return float(logit(self.target) - logit(self.trained))

    def apply(self, probability: ArrayLike) -> NDArray[np.float64]:
        """Return probabilities at the target base rate."""
        given: NDArray[np.float64] = np.asarray(probability, dtype=np.float64)
        outside = (given < 0) | (given > 1)
        if outside.any():
            raise UsageError.of("not a probability", f"{given[outside].flat[0]:g}", "give numbers from 0 to 1")
        if self.trained == self.target:
            return given.copy()
        # Every step of this form is monotone in floating point too: rounding can never turn two accounts round.
        with np.errstate(divide="ignore", over="ignore"):
            against = (1.0 - given) / (given * math.exp(self.shift))
            moved: NDArray[np.float64] = 1.0 / (1.0 + against)
        return moved

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values, to be stored with the scoring run."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PriorCorrection:
        """Read it back."""
        return cls(float(values["trained"]), float(values["target"]), values["source"], int(values["accounts"]))

    @property
    def words(self) -> str:
        """The correction in words, for every output."""
        how = "as given" if self.source == "given" else f"estimated over {self.accounts:,} accounts"
        return f"probabilities moved from a base rate of {percent(self.trained)} to {percent(self.target)} ({how})"


def estimate_prior(probability: ArrayLike, trained: float) -> PriorCorrection:
    """Estimate the base rate of a whole population from its probabilities alone, by expectation maximisation.

    Saerens, Latinne and Decaestecker 2002: the target is raised or lowered until the mean of the corrected probabilities equals
    it. It assumes that only the shares of churners and stayers have changed; a change in behaviour would be mistaken for one.

    >>> rng = np.random.default_rng(0)
    >>> churns = rng.random(20_000) < 0.16
    >>> signal = rng.normal(np.where(churns, 1.5, 0.0))
    >>> made_at_8_percent = 1 / (1 + np.exp(-(1.5 * signal - 1.125 + np.log(0.08 / 0.92))))
    >>> round(estimate_prior(made_at_8_percent, 0.08).target, 2)
    0.16
    """
    given = np.asarray(probability, dtype=np.float64)
    start = PriorCorrection(trained, trained)
    start.apply(given)
    if len(given) < _FEWEST or np.isnan(given).any():
        value = f"{int((~np.isnan(given)).sum())} of {len(given)} accounts have a probability"
        raise UsageError.of("too few to estimate a base rate from", value, f"give it, or score at least {_FEWEST} accounts")
    from scipy.special import expit, logit

    odds, target = logit(np.clip(given, 1e-12, 1 - 1e-12)), trained
    for _ in range(_MOST_STEPS):
        moved = float(expit(odds + logit(target) - logit(trained)).mean())
        if abs(moved - target) < _CONVERGED:
            break
        target = moved
    return PriorCorrection(trained, min(max(target, 1e-9), 1 - 1e-9), "estimated", len(given))


def prior_of(chosen: float | Literal["estimate"] | None, trained: float, population: ArrayLike) -> PriorCorrection | None:
    """Turn a setting into the correction of a scoring run."""
    if chosen is None:
        return None
    return estimate_prior(population, trained) if chosen == "estimate" else PriorCorrection(trained, float(chosen))


def _is_rate(rate: object) -> bool:
    return isinstance(rate, int | float) and not isinstance(rate, bool) and math.isfinite(rate) and 0 < rate < 1
