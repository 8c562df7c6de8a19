"""What leavers said: how often those who left with contributions like an account's named each lever.

A prediction leans on whatever shows the trouble best, mostly on use that falls, whatever made it fall. Those who left have
often said why. A small model (multinomial, linear in the contributions of the topics) learns which lever was named by leavers
like this one; reasons of a lever that was named more often than by leavers in general move up, others down. Contributions stay
as they are: only the order changes. It needs the reasons for leaving and which lever their words mean; without, it is not used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from staypower.features.definition import LEVERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staypower.explanation.topics import Topic

__all__ = ["LEAST_LEAVERS", "LeaverWords", "learn_leaver_words"]

Floats = "NDArray[np.float64]"

LEAST_LEAVERS = 100
"""With fewer accounts that said why they left nothing is learned from them."""

_LEAST_OF_A_LEVER = 10
_RESTRAINT = 0.01
_FLOOR = 0.02
_MOST = 16.0


@dataclass(frozen=True)
class LeaverWords:
    """How the levers that leavers named hang on the contributions of the topics.

    >>> said = LeaverWords(("support", "billing"), ("tickets",), (0.5, 0.5), (1.0,), (0.0, 0.0), ((1.0, -1.0),))
    >>> said.shares_for(np.array([[0.0], [1.0]])).round(2).tolist()
    [[0.5, 0.5], [0.88, 0.12]]
    """

    levers: tuple[str, ...]  # those that enough leavers named
    topics: tuple[str, ...]  # names of the topics
    share: tuple[float, ...]  # how often each lever was named, in (0, 1)
    scale: tuple[float, ...]  # what a contribution is divided by
    intercept: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]

    def shares_for(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how often leavers like each account named each lever."""
        # column by column, so that the bits do not depend on who else is asked about
        score = np.tile(np.asarray(self.intercept), (len(sums), 1))
        for topic, (scale, weights) in enumerate(zip(self.scale, self.weights, strict=True)):
            score += (sums[:, topic] / scale)[:, None] * np.asarray(weights)
        score -= score.max(axis=1, keepdims=True)
        chance = np.exp(score)
        total = np.zeros(len(sums))
        for lever in range(len(self.levers)):
            total += chance[:, lever]
        found: NDArray[np.float64] = chance / total[:, None]
        return found

    def emphasis(self, sums: NDArray[np.float64], topics: Sequence[Topic]) -> NDArray[np.float64]:
        """Return what the strength of each topic is multiplied by where it raises the risk; 1 for levers nobody named.

        The square of how much oftener than in general its lever is named: on simulated companies it was better than the plain
        ratio.
        """
        ratio = self.shares_for(sums) / np.asarray(self.share)
        factor = np.clip(ratio * ratio, 1.0 / _MOST, _MOST)
        found = np.ones(sums.shape)
        for number, topic in enumerate(topics):
            if topic.lever in self.levers:
                found[:, number] = factor[:, self.levers.index(topic.lever)]
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "levers": list(self.levers),
            "topics": list(self.topics),
            "share": list(self.share),
            "scale": list(self.scale),
            "intercept": list(self.intercept),
            "weights": [list(row) for row in self.weights],
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> LeaverWords:
        """Rebuild what `to_dict` wrote."""
        lists = {name: tuple(plain[name]) for name in ("levers", "topics", "share", "scale", "intercept")}
        return cls(**lists, weights=tuple(tuple(row) for row in plain["weights"]))


def learn_leaver_words(
    sums: NDArray[np.float64],
    named: NDArray[np.object_],
    accounts: NDArray[np.object_],
    topics: Sequence[Topic],
) -> LeaverWords | None:
    """Learn from those who left and said why."""
    counted = {lever: len(set(accounts[named == lever])) for lever in LEVERS}
    levers = tuple(lever for lever in LEVERS if counted[lever] >= _LEAST_OF_A_LEVER)
    chosen = np.isin(named.astype(str), levers)
    if len(levers) < 2 or len(set(accounts[chosen])) < LEAST_LEAVERS:
        return None
    # only learning needs scikit-learn; who only explains does not wait for it
    from sklearn.linear_model import LogisticRegression

    rows, said = sums[chosen], np.array([levers.index(lever) for lever in named[chosen]])
    _, number, times = np.unique(accounts[chosen].astype(str), return_inverse=True, return_counts=True)
    weight = 1.0 / times[number]
    weight *= len(weight) / weight.sum()
    scale = rows.std(axis=0) + _FLOOR
    model = LogisticRegression(C=_RESTRAINT, max_iter=2000).fit(rows / scale, said, sample_weight=weight)
    coefficients, intercept = model.coef_, model.intercept_
    if len(levers) == 2:
        coefficients, intercept = np.vstack([-coefficients, coefficients]) / 2, np.array([-intercept[0], intercept[0]]) / 2
    share = np.bincount(said, weights=weight, minlength=len(levers)) / weight.sum()
    return LeaverWords(
        levers,
        tuple(topic.name for topic in topics),
        tuple(share.tolist()),
        tuple(scale.tolist()),
        tuple(intercept.tolist()),
        tuple(map(tuple, coefficients.T.tolist())),
    )
