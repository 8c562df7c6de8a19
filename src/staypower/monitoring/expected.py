"""How well a model ranks and how far it is calibrated before the outcomes are known, from its probabilities alone.

Calibrated probabilities say how often each account churns, and so how well any ranking of them will do. What is expected is an
average over everything that can happen [1]_; what will be observed lies within an interval of it, found by drawing outcomes,
and how far apart the risks are where that is estimated.
When outcomes are known, what came true is held against both. This holds as long as the probabilities do: where churn has
other reasons than in training (concept drift) only outcomes tell.

References
----------
.. [1] J. Bialek, W. Kuberski, N. Perrakis and A. Bifet (2024), "Estimating model performance under covariate shift without
   labels" (arXiv:2401.08348): confidence-based performance estimation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit
from scipy.stats import rankdata

from staypower.evaluation.resampling import Estimate
from staypower.metrics.probability import calibration_error, equal_mass_bins, log_losses
from staypower.metrics.ranking import auroc
from staypower.results.numbers import plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FIGURES", "Expected", "Spread", "expect", "observe"]

FIGURES: Mapping[str, str] = {
    "auroc": "AUROC",
    "log_loss": "log loss",
    "churn_rate": "churn rate",
    "calibration_error": "calibration error",
}
"""What is expected and observed, by name, with its label."""

_DRAWS, _AT_ONCE = 400, 2_000_000
_ENDS = (0.025, 0.975)
_FEWEST, _FEWEST_OUTCOMES = 30, 10
_STEPS, _LEVEL_SD = 25, 0.15


@dataclass(frozen=True)
class Expected:
    """What is expected of some accounts, and what came true of them once it is known."""

    accounts: int
    figures: Mapping[str, Estimate]  # by name of `FIGURES`; the interval is that of what will be observed
    observed: Mapping[str, float] | None = None
    churned: int | None = None

    def outside(self, name: str) -> bool:
        """Say whether what was observed lies outside the interval of what was expected."""
        found = None if self.observed is None else self.observed.get(name)
        return found is not None and bool(np.isfinite(found)) and self.figures[name].excludes(found)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        figures = {name: vars(each) for name, each in self.figures.items()}
        found: Any = plain({"accounts": self.accounts, "expected": figures, "observed": self.observed, "churned": self.churned})
        return dict(found)


@dataclass(frozen=True)
class Spread:
    """How much wider or narrower apart the risks are than their probabilities, in log-odds, on rows with known outcomes.

    A company with few churned accounts gets cautious probabilities: they rank well and lie too close together, so that too
    little would be expected of them.
    """

    shift: float = 0.0
    slope: float = 1.0
    covariance: NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, 2)), compare=False, repr=False)

    @classmethod
    def of(cls, probability: NDArray[np.float64], churned: NDArray[np.int8], *, weight: float = 1.0) -> Spread:
        """Fit it to outcomes, each of which counts `weight` times; as it is where fewer than ten churned or stayed.

        A slope of 1 and the level of the probabilities are believed until shown otherwise: their penalties are those of a
        standard deviation of 1, and of 0.15 in log-odds.

        >>> Spread.of(np.array([0.2] * 30), np.array([1] * 5 + [0] * 25))
        Spread(shift=0.0, slope=1.0)
        """
        y = churned.astype(np.float64)
        if min(y.sum(), len(y) - y.sum()) < _FEWEST_OUTCOMES:
            return cls()
        x = _log_odds(probability)
        centre = float(np.average(x, weights=expit(x)))
        start = np.array([centre, 1.0])
        beta, penalty = start, np.array([1 / _LEVEL_SD**2, 1.0])
        design = np.column_stack([np.ones(len(x)), x - centre])
        for _ in range(_STEPS):
            risk = expit(design @ beta)
            slope = weight * (design.T @ (risk - y)) + penalty * (beta - start)
            curve = weight * ((design * (risk * (1 - risk))[:, None]).T @ design) + np.diag(penalty)
            beta = beta - np.linalg.solve(curve, slope)
        if not np.isfinite(beta).all() or beta[1] <= 0:
            return cls()
        at_zero = np.array([[1.0, -centre], [0.0, 1.0]])
        return cls(float(beta[0] - beta[1] * centre), float(beta[1]), at_zero @ np.linalg.inv(curve) @ at_zero.T)

    def __call__(self, probability: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probabilities that outcomes are expected by."""
        if (self.shift, self.slope) == (0.0, 1.0):
            return probability
        moved: NDArray[np.float64] = expit(self.shift + self.slope * _log_odds(probability))
        return moved

    def draw(self, probability: NDArray[np.float64], rows: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return rows of such probabilities, each by a spread that the known outcomes allow."""
        if not self.covariance.any():
            return np.broadcast_to(self(probability), (rows, len(probability)))
        shift, slope = rng.multivariate_normal([self.shift, self.slope], self.covariance, rows).T
        moved: NDArray[np.float64] = expit(shift[:, None] + np.maximum(slope, 0.0)[:, None] * _log_odds(probability))
        return moved


def _log_odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(probability, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(inside) - np.log1p(-inside), dtype=np.float64)


def expect(probability: NDArray[np.float64], *, spread: Spread | None = None, seed: int = 0) -> Expected:
    """Say what to expect of accounts with these probabilities; nothing of fewer than 30.

    >>> found = expect(np.linspace(0.01, 0.5, 500))
    >>> found.figures["auroc"].low < found.figures["auroc"].value < found.figures["auroc"].high
    True
    """
    spread = spread or Spread()
    p = np.clip(np.asarray(probability, dtype=np.float64), 1e-9, 1 - 1e-9)
    if len(p) < _FEWEST:
        return Expected(len(p), {name: Estimate(float("nan")) for name in FIGURES})
    risk = np.clip(spread(p), 1e-9, 1 - 1e-9)
    drawn = _draw(p, spread, np.random.default_rng(seed))
    values = {
        "auroc": _expected_auroc(risk),
        "log_loss": float(-(risk * np.log(p) + (1 - risk) * np.log1p(-p)).mean()),
        "churn_rate": float(risk.mean()),
        "calibration_error": float(np.mean(drawn["calibration_error"])),
    }
    ends = {name: np.nanquantile(each, _ENDS) if np.isfinite(each).any() else (np.nan, np.nan) for name, each in drawn.items()}
    return Expected(len(p), {name: Estimate(value, *map(float, ends[name])) for name, value in values.items()})


def observe(expected: Expected, probability: NDArray[np.float64], churned: NDArray[np.int8]) -> Expected:
    """Add what came true."""
    p, y = np.clip(probability, 1e-9, 1 - 1e-9), churned.astype(np.int64)
    both = 0 < int(y.sum()) < len(y)
    observed = {
        "auroc": auroc(y, p) if both else float("nan"),
        "log_loss": float(log_losses(y, p).mean()) if len(y) else float("nan"),
        "churn_rate": float(y.mean()) if len(y) else float("nan"),
        "calibration_error": calibration_error(y, p) if len(y) else float("nan"),
    }
    return Expected(expected.accounts, expected.figures, observed, int(y.sum()))


def _expected_auroc(p: NDArray[np.float64]) -> float:
    """Return P(score of a churned > score of a stayed) + P(equal) / 2 over all pairs of two accounts."""
    order = np.argsort(p, kind="stable")
    ranked = p[order]
    stays = np.append(0.0, np.cumsum(1 - ranked))
    first, last = (np.searchsorted(ranked, ranked, side=side) for side in ("left", "right"))
    # of equal scores each other one counts half
    below, equal = stays[first], stays[last] - stays[first] - (1 - ranked)
    pairs = p.sum() * (1 - p).sum() - (p * (1 - p)).sum()
    return float((ranked * (below + equal / 2)).sum() / pairs)


def _draw(p: NDArray[np.float64], spread: Spread, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """Draw outcomes, and measure the probabilities by each of them."""
    ranks, gain = rankdata(p), np.log(p) - np.log1p(-p)
    base, bins = float(np.log1p(-p).sum()), _bins(p)
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in FIGURES}
    rows = max(1, _AT_ONCE // len(p))
    for start in range(0, _DRAWS, rows):
        shape = (min(rows, _DRAWS - start), len(p))
        y = (rng.random(shape) < spread.draw(p, shape[0], rng)).astype(np.float64)
        churned = y.sum(axis=1)
        stayed = len(p) - churned
        with np.errstate(divide="ignore", invalid="ignore"):
            found["auroc"].append((y @ ranks - churned * (churned + 1) / 2) / (churned * stayed))
        found["log_loss"].append(-(base + y @ gain) / len(p))
        found["churn_rate"].append(churned / len(p))
        found["calibration_error"].append(np.abs((y - p) @ bins).sum(axis=1) / len(p))
    return {name: np.concatenate(each) for name, each in found.items()}


def _bins(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return which of ten bins of equal mass each account is in, as columns of 0 and 1."""
    number = equal_mass_bins(p, 10)
    return np.eye(int(number.max()) + 1)[number]
