"""Everything that is measured on one set of rows, once and again on every bootstrap sample."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from staypower.evaluation.groups import GROUP_MEASURES, GroupMeter, partitions
from staypower.evaluation.measures import BINS, METRICS, Scorer
from staypower.evaluation.resampling import row_weights
from staypower.evaluation.rows import BASE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staypower.evaluation.measures import Campaign
    from staypower.evaluation.rows import Rows

__all__ = ["Panel", "Samples"]


@dataclass(frozen=True, eq=False)
class Samples:
    """The measures of r bootstrap samples (r = 1: of the rows themselves)."""

    base_rate: NDArray[np.float64]  # shape (r,)
    metrics: NDArray[np.float64]  # shape (r, scorers, metrics)
    groups: NDArray[np.float64]  # shape (r, groups, measures)
    # shape (r, scorers, 3, bins): Rows, mean probability and churned share; NaN for scores that only rank
    reliability: NDArray[np.float64]


class Panel:
    """The scorers and groups of an evaluation, ready to be measured under any weights."""

    def __init__(self, rows: Rows, campaign: Campaign) -> None:
        self._rows = rows
        model, *others = rows.scores.items()
        constant = (BASE_RATE, np.full(len(rows), campaign.reference))
        given = [model, *([] if BASE_RATE in rows.scores else [constant]), *others]
        probability = rows.probability | ({BASE_RATE} - rows.scores.keys())
        self.scorers = {
            name: Scorer(rows.churned, score, is_probability=name in probability, campaign=campaign) for name, score in given
        }
        self.meters = [
            GroupMeter(
                partition,
                at,
                rows.churned,
                rows.scores[rows.model],
                rows.account_number,
                is_probability=rows.model in probability,
            )
            for partition in partitions(rows.cutoffs, rows.tenure_days, rows.segments, rows.known)
            for at in range(len(partition.labels))
        ]

    def measure(self) -> Samples:
        """Measure the rows as they are."""
        return self._stacked([np.ones(len(self._rows))], 1)

    def resample(self, replicates: int, seed: int) -> Samples:
        """Measure samples of accounts, the same samples for every scorer and group."""
        return self._stacked(row_weights(self._rows.account_number, replicates, seed), replicates)

    def _stacked(self, weights: Iterable[NDArray[np.float64]], replicates: int) -> Samples:
        samples = Samples(
            np.empty(replicates),
            np.empty((replicates, len(self.scorers), len(METRICS))),
            np.empty((replicates, len(self.meters), len(GROUP_MEASURES))),
            np.full((replicates, len(self.scorers), 3, BINS), np.nan),
        )
        for draw, weight in enumerate(weights):
            samples.base_rate[draw] = (weight * self._rows.churned).sum() / weight.sum()
            for at, scorer in enumerate(self.scorers.values()):
                samples.metrics[draw, at] = scorer.measure(weight)
                if scorer.is_probability:
                    samples.reliability[draw, at] = scorer.reliability(weight)
            for at, meter in enumerate(self.meters):
                samples.groups[draw, at] = meter.measure(weight)
        return samples
