"""The model group by group: by cutoff, by tenure band, by segment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import text_of
from staypower.evaluation.resampling import Estimate, estimate
from staypower.metrics.probability import log_losses
from staypower.metrics.tally import Ranking

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ACCOUNTS", "FEWEST_ACCOUNTS", "GROUP_MEASURES", "MOST_GROUPS", "Group", "GroupMeter", "Partition", "partitions"]

FEWEST_ACCOUNTS = 30
MOST_GROUPS = 20
GROUP_MEASURES = ("auroc", "average_precision", "lift_10", "log_loss", "calibration_gap")
_TENURE = ((90.0, "under 90 days"), (365.0, "90 days to 1 year"), (730.0, "1 to 2 years"), (np.inf, "over 2 years"))
_UNKNOWN = "unknown"
ACCOUNTS, KNOWN, UNSEEN = "account", "known, later", "never seen"
_NOTHING = Estimate(float("nan"))


@dataclass(frozen=True)
class Group:
    """The model on one group of rows.

    >>> nothing = Estimate(float("nan"))
    >>> Group("plan", "gold", 3, 3, 1, 1 / 3, 0.3, nothing, nothing, nothing, "too small").note
    'too small'
    """

    partition: str  # what rows are grouped by: `cutoff`, `tenure`, or a segment's name
    name: str  # the group
    rows: int
    accounts: int
    churned: int
    observed: float  # share that churned
    predicted: float  # mean probability; NaN for a model that only ranks
    auroc: Estimate  # NaN where the group is too small or has one class
    average_precision: Estimate  # NaN where the group is too small or has one class
    lift_10: Estimate  # NaN where the group is too small or has one class
    note: str  # why something is missing; empty when nothing is
    # of a model that gives probabilities. The gap is the mean probability minus the share that churned: above 0 the model
    # says too much
    log_loss: Estimate = _NOTHING
    # of a model that gives probabilities. The gap is the mean probability minus the share that churned: above 0 the model
    # says too much
    calibration_gap: Estimate = _NOTHING


@dataclass(frozen=True, eq=False)
class Partition:
    """A way of grouping rows.

    >>> Partition("plan", ("a", "b"), np.array([0, 1, 1])).labels
    ('a', 'b')
    """

    name: str
    labels: tuple[str, ...]  # groups in the order to show
    number: NDArray[np.intp]  # shape (n,): Group of each row


def partitions(
    cutoffs: NDArray[np.int64],
    tenure_days: NDArray[np.float64] | None,
    segments: Mapping[str, NDArray[np.object_]],
    known: NDArray[np.bool_] | None = None,
) -> list[Partition]:
    """Group rows by cutoff (when there are several), by whether training knew the account, tenure band and each segment.

    >>> [p.labels for p in partitions(np.array([0, 0]), np.array([400.0, np.nan]), {})]
    [('1 to 2 years', 'unknown')]
    """
    found = []
    instants, number = np.unique(cutoffs, return_inverse=True)
    if len(instants) > 1:
        found.append(Partition("cutoff", tuple(text_of(int(instant)) for instant in instants), number))
    if known is not None:
        found.append(_used(ACCOUNTS, [KNOWN, UNSEEN], np.where(known, 0, 1)))
    if tenure_days is not None:
        band = np.searchsorted([edge for edge, _ in _TENURE], tenure_days, side="right")
        band = np.where(np.isnan(tenure_days), len(_TENURE), np.minimum(band, len(_TENURE) - 1))
        found.append(_used("tenure", [*(name for _, name in _TENURE), _UNKNOWN], band))
    found += [_segment(name, values) for name, values in segments.items()]
    return found


def _segment(name: str, values: NDArray[np.object_]) -> Partition:
    texts = np.array([_UNKNOWN if value is None else str(value) for value in values], dtype=object)
    labels, number, counts = np.unique(texts, return_inverse=True, return_counts=True)
    ranked = np.argsort(-counts, kind="stable")
    if len(labels) <= MOST_GROUPS:
        return Partition(name, tuple(map(str, labels)), number)
    place = np.full(len(labels), MOST_GROUPS)
    place[ranked[:MOST_GROUPS]] = np.arange(MOST_GROUPS)
    rest = f"{len(labels) - MOST_GROUPS} smaller groups"
    return Partition(name, (*(str(labels[at]) for at in ranked[:MOST_GROUPS]), rest), place[number])


def _used(name: str, labels: list[str], number: NDArray[np.intp]) -> Partition:
    used, renumbered = np.unique(number, return_inverse=True)
    return Partition(name, tuple(labels[at] for at in used), renumbered)


def _note(accounts: int, churned: NDArray[np.bool_]) -> str:
    if accounts < FEWEST_ACCOUNTS:
        return "too small"
    if churned.all():
        return "all churned"
    return "" if churned.any() else "nobody churned"


class GroupMeter:
    """One group of rows, measured under many weights."""

    def __init__(
        self,
        partition: Partition,
        at: int,
        churned: NDArray[np.bool_],
        score: NDArray[np.float64],
        account_number: NDArray[np.intp],
        *,
        is_probability: bool,
    ) -> None:
        self._partition, self._name = partition.name, partition.labels[at]
        self._rows = np.flatnonzero(partition.number == at)
        self._churned, score = churned[self._rows], score[self._rows]
        self._accounts = len(np.unique(account_number[self._rows]))
        self._predicted = float(score.mean()) if is_probability else float("nan")
        self._losses = log_losses(self._churned, score) if is_probability else None
        self._gaps = score - self._churned
        self._ranking = Ranking(self._churned, score)
        self._note = _note(self._accounts, self._churned)

    def measure(self, weight: NDArray[np.float64]) -> tuple[float, ...]:
        """Return the values of `GROUP_MEASURES` under weights of all rows."""
        own = weight[self._rows]
        if self._note == "too small" or not own.any():
            return (float("nan"),) * len(GROUP_MEASURES)
        total = own.sum()
        told = (float("nan"), float("nan"))
        if self._losses is not None:
            told = float((own * self._losses).sum() / total), float((own * self._gaps).sum() / total)
        if self._note:
            return float("nan"), float("nan"), float("nan"), *told
        tally = self._ranking.tally(own)
        return tally.auroc(), tally.average_precision(), tally.lift(0.1), *told

    def group(self, replicates: NDArray[np.float64]) -> Group:
        """Put intervals around the measures, given their replicates, shape (r, measures)."""
        values = self.measure(np.ones(int(self._rows.max()) + 1))
        auroc, precision, lift, loss, gap = (estimate(value, replicates[:, at]) for at, value in enumerate(values))
        return Group(
            self._partition,
            self._name,
            len(self._rows),
            self._accounts,
            int(self._churned.sum()),
            float(self._churned.mean()),
            self._predicted,
            auroc,
            precision,
            lift,
            self._note,
            loss,
            gap,
        )
