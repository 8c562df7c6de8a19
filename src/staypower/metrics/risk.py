"""From which churn probability on a risk is high: one rule for bands, quadrants and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from staypower.errors import UsageError

__all__ = ["RiskBands", "RiskReference", "high_risk_above", "profit_threshold", "twice_the_base_rate"]

_EXACT = 200
_STEP = 1.02


def twice_the_base_rate(base_rate: float) -> float:
    """Return twice the base rate of training, or halfway between it and 1 where twice it would leave no account above.

    >>> twice_the_base_rate(0.1), twice_the_base_rate(0.6)
    (0.2, 0.8)
    """
    return min(2.0 * base_rate, (1.0 + base_rate) / 2.0)


def profit_threshold(*, clv: float, incentive_cost: float, contact_cost: float, acceptance: float) -> float:
    """Return the churn probability above which acting on an account pays; 1 where acting never pays.

    Acting earns ``acceptance (clv - incentive) - contact`` on an account that would churn and costs ``incentive + contact``
    on one that would stay, as in `profit_curve`; the expected gain is zero at
    ``(incentive + contact) / (acceptance (clv - incentive) + incentive)``.

    >>> profit_threshold(clv=200, incentive_cost=10, contact_cost=1, acceptance=0.5)
    0.10476190476190476
    """
    if not (clv > incentive_cost >= 0 and contact_cost >= 0 and 0 <= acceptance <= 1):
        value = f"clv {clv}, incentive {incentive_cost}, contact {contact_cost}, acceptance {acceptance}"
        raise UsageError.of("impossible costs", value, "give a clv above the incentive, and costs of at least 0")
    earned = acceptance * (clv - incentive_cost) + incentive_cost
    return min(1.0, (incentive_cost + contact_cost) / earned) if earned > 0 else 1.0


def high_risk_above(base_rate: float, *, capacity_cut: float | None = None, profit: float | None = None) -> float:
    """Return the churn probability above which risk is high: the largest of twice the base rate and what is given.

    That is the probability at which the team's capacity is used up (see `RiskReference.cut`), and the one above which acting
    pays (see `profit_threshold`).

    >>> high_risk_above(0.1), high_risk_above(0.1, capacity_cut=0.35, profit=0.17)
    (0.2, 0.35)
    """
    return max(twice_the_base_rate(base_rate), *(each for each in (capacity_cut, profit) if each is not None), 0.0)


@dataclass(frozen=True)
class RiskBands:
    """Bands of churn probability: low below the base rate, high above the one threshold that quadrants use too.

    >>> RiskBands(0.1, high_above=0.2).of(np.array([0.05, 0.1, 0.2, 0.21, np.nan])).tolist()
    ['low', 'medium', 'medium', 'high', None]
    """

    base_rate: float  # share of accounts that churned in training, in (0, 1)
    high_above: float  # what `high_risk_above` returns

    def of(self, probability: NDArray[np.float64]) -> NDArray[np.object_]:
        """Return the band of each probability, None where it is missing."""
        bands = np.full(len(probability), "medium", dtype=object)
        bands[probability < self.base_rate] = "low"
        bands[probability > self.high_above] = "high"
        bands[np.isnan(probability)] = None
        return bands


@dataclass(frozen=True)
class RiskReference:
    """The upper end of a whole population's probabilities, kept so that no score depends on who else is in its batch.

    >>> reference = RiskReference.of([0.1, 0.5, 0.3, 0.9])
    >>> reference.cut(2), reference.cut(4)
    (0.3, 0.0)
    """

    accounts: int  # in the population
    highest: tuple[float, ...]  # probabilities at the ranks that are kept, falling: the 200 highest, then ranks 2% apart

    def __post_init__(self) -> None:
        if len(self.highest) != len(_ranks(self.accounts)) or list(self.highest) != sorted(self.highest, reverse=True):
            value = f"{len(self.highest)} probabilities for {self.accounts} accounts"
            raise UsageError.of("unusable risk reference", value, "make it with `RiskReference.of`")

    @classmethod
    def of(cls, probability: ArrayLike) -> RiskReference:
        """Keep the upper end of the probabilities of every account at one cutoff; missing ones are left out."""
        values: NDArray[np.float64] = np.asarray(probability, dtype=np.float64)
        ordered = np.sort(values[~np.isnan(values)])[::-1]
        return cls(len(ordered), tuple(ordered[_ranks(len(ordered))].tolist()))

    def cut(self, capacity: int) -> float:
        """Return the probability above which `capacity` accounts lie; 0 when all accounts fit in.

        That is the highest probability that no longer fits in, and accounts that tie with it are left out. Between the ranks
        that were kept it is interpolated.
        """
        if capacity >= self.accounts:
            return 0.0
        return float(np.interp(capacity, _ranks(self.accounts), self.highest))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return {"accounts": self.accounts, "highest": list(self.highest)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RiskReference:
        """Read it back.

        >>> RiskReference.from_dict(RiskReference.of([0.2, 0.1]).to_dict()).highest
        (0.2, 0.1)
        """
        highest: Sequence[float] = values["highest"]
        return cls(int(values["accounts"]), tuple(float(each) for each in highest))


def _ranks(count: int) -> NDArray[np.int64]:
    """Return the ranks that are kept, from 0: the first ones all, then each 2% further than the one before."""
    if count <= _EXACT:
        return np.arange(count, dtype=np.int64)
    steps = int(np.ceil(np.log(count / _EXACT) / np.log(_STEP)))
    beyond = np.floor(_EXACT * _STEP ** np.arange(steps)).astype(np.int64)
    return np.unique(np.concatenate([np.arange(_EXACT), beyond[beyond < count], [count - 1]]))
