"""The model slice by slice: by cutoff, by tenure, by segment; and the slice on which it ranks worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from staypower.cutoffs import text_of
from staypower.evaluation.measures import listed_in
from staypower.evaluation.resampling import LEVEL, Estimate, estimate
from staypower.evaluation.score_meter import ScoreMeter, WeightedScore
from staypower.results.numbers import plural, signed

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "ACCOUNTS",
    "FEWEST_ACCOUNTS",
    "FEWEST_CHURNED",
    "MOST_SLICES",
    "Partition",
    "Slice",
    "SliceMeter",
    "WorstSlice",
    "partitions",
    "slice_measures",
    "worst_slice",
]

FEWEST_ACCOUNTS = 30
# Under so many churned rows the AUROC of a slice says more about chance than about the slice.
FEWEST_CHURNED = 10
MOST_SLICES = 20
ACCOUNTS, KNOWN, UNSEEN = "account", "known, later", "never seen"
_TENURE = ((90.0, "under 90 days"), (365.0, "90 days to 1 year"), (730.0, "1 to 2 years"), (np.inf, "over 2 years"))
_UNKNOWN, _TOO_SMALL = "unknown", "too small"
_GAP = "calibration_gap"


def slice_measures() -> list[str]:
    """Return what is measured on a slice: metrics, and predicted minus observed churn."""
    return [*(metric.name for metric in listed_in("slices")), _GAP]


@dataclass(frozen=True)
class Slice:
    """The model on one slice of the rows.

    >>> Slice("plan", "gold", 3, 3, 1, 1 / 3, 0.3, {}, "too small").auroc.known
    False
    """

    partition: str  # what rows are grouped by: `cutoff`, `tenure`, or the name of a segment
    name: str
    rows: int
    accounts: int
    churned: int
    observed: float  # share that churned
    predicted: float  # mean probability; NaN for a model that only ranks
    measures: Mapping[str, Estimate]  # by the names of `slice_measures`; NaN where the slice is too small or has one class
    note: str = ""  # why something is missing; empty when nothing is

    @property
    def auroc(self) -> Estimate:
        """The AUROC."""
        return self.measures.get("auroc", Estimate(float("nan")))

    @property
    def calibration_gap(self) -> Estimate:
        """Mean probability minus the share that churned: above 0, the model predicts too much."""
        return self.measures.get(_GAP, Estimate(float("nan")))

    def row(self) -> dict[str, Any]:
        """Return everything by name, measures as estimates."""
        plain = {name: value for name, value in vars(self).items() if name != "measures"}
        return {**plain, **self.measures}


@dataclass(frozen=True, eq=False)
class Partition:
    """A way of grouping rows.

    >>> Partition("plan", ("a", "b"), np.array([0, 1, 1])).labels
    ('a', 'b')
    """

    name: str
    labels: tuple[str, ...]  # groups in the order to show
    number: NDArray[np.intp]  # shape (n,): group of each row


def partitions(
    cutoffs: NDArray[np.int64],
    tenure_days: NDArray[np.float64] | None,
    segments: Mapping[str, NDArray[np.object_]],
    known: NDArray[np.bool_] | None = None,
) -> list[Partition]:
    """Group rows by cutoff (when there are several), by whether the account was in training, by tenure and by each segment.

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
    if len(labels) <= MOST_SLICES:
        return Partition(name, tuple(map(str, labels)), number)
    place = np.full(len(labels), MOST_SLICES)
    place[ranked[:MOST_SLICES]] = np.arange(MOST_SLICES)
    rest = f"{len(labels) - MOST_SLICES} smaller groups"
    return Partition(name, (*(str(labels[at]) for at in ranked[:MOST_SLICES]), rest), place[number])


def _used(name: str, labels: list[str], number: NDArray[np.intp]) -> Partition:
    used, renumbered = np.unique(number, return_inverse=True)
    return Partition(name, tuple(labels[at] for at in used), renumbered)


def _note(accounts: int, churned: NDArray[np.bool_]) -> str:
    if accounts < FEWEST_ACCOUNTS:
        return _TOO_SMALL
    if churned.all():
        return "all churned"
    return "" if churned.any() else "none churned"


class SliceMeter:
    """One slice of the rows, measured under many weights."""

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
        self._churned, self._score = churned[self._rows], score[self._rows]
        self._accounts = len(np.unique(account_number[self._rows]))
        self._meter = ScoreMeter(self._churned, self._score, is_probability=is_probability)
        self._gaps = self._score - self._churned
        self._note = _note(self._accounts, self._churned)

    def measure(self, weight: NDArray[np.float64]) -> tuple[float, ...]:
        """Return the values of `slice_measures` under weights of all rows."""
        own, unknown = weight[self._rows], float("nan")
        if self._note == _TOO_SMALL or not own.any():
            return (unknown,) * len(slice_measures())
        weighted = WeightedScore(self._meter, own)
        # with one class only probabilities can be measured
        given = self._meter.given - ({""} if self._note else set())
        measured = (each.of(weighted) if each.needs in given else unknown for each in listed_in("slices"))
        return (*measured, weighted.mean(self._gaps) if self._meter.is_probability else unknown)

    def slice(self, replicates: NDArray[np.float64]) -> Slice:
        """Put intervals around the measures, given their replicates, shape (r, measures)."""
        values = self.measure(np.ones(int(self._rows.max()) + 1))
        return Slice(
            self._partition,
            self._name,
            len(self._rows),
            self._accounts,
            int(self._churned.sum()),
            float(self._churned.mean()),
            float(self._score.mean()) if self._meter.is_probability else float("nan"),
            {name: estimate(values[at], replicates[:, at]) for at, name in enumerate(slice_measures())},
            self._note,
        )


@dataclass(frozen=True)
class WorstSlice:
    """The slice with the lowest AUROC among those that are large enough.

    >>> WorstSlice("plan", "free", 90, 20, Estimate(0.6), Estimate(-0.1), 5, False).words
    'plan free (90 accounts): AUROC 0.600, -0.100 from all rows; the lowest of 5 slices, not tested: no intervals.'
    """

    partition: str
    name: str
    accounts: int
    churned: int
    auroc: Estimate
    difference: Estimate  # AUROC of the slice minus that of all rows, on the same samples
    of: int  # how many slices were large enough: of many, the lowest is low by chance alone
    shown: bool  # whether the difference is below 0 by more than chance, for `of` slices looked at (Bonferroni)

    @property
    def words(self) -> str:
        """The slice in words."""
        figures = f"AUROC {self.auroc.written()}, {self.difference.written(signed)} from all rows"
        accounts = plural(self.accounts, "account")
        return f"{self.partition} {self.name} ({accounts}): {figures}; the lowest of {self.of} slices, {self._proof}."

    @property
    def _proof(self) -> str:
        """Say what its interval proves, of one slice among so many."""
        if not self.difference.bounded:
            return "not tested: no intervals"
        if self.shown:
            return f"worse than all rows, also when {self.of} slices are tested at once (Bonferroni)"
        if self.difference.excludes(0.0):
            return (
                f"worse than all rows by itself (its interval excludes 0), but {self.of} slices were tested: one of so many "
                "can be this low by chance (Bonferroni)"
            )
        return "not significantly worse than all rows"


def worst_slice(
    slices: Sequence[Slice],
    replicates: NDArray[np.float64],
    overall: float,
    overall_replicates: NDArray[np.float64],
) -> WorstSlice | None:
    """Find the slice with the lowest AUROC; `replicates` are those of the AUROC, shape (r, slices).

    >>> def slice_of(name, auroc):
    ...     return Slice("plan", name, 300, 100, 50, 0.2, 0.2, {"auroc": Estimate(auroc)})
    >>> worst_slice([slice_of("a", 0.8), slice_of("b", 0.6)], np.zeros((0, 2)), 0.75, np.zeros(0)).name
    'b'
    """
    usable = [
        at
        for at, each in enumerate(slices)
        if each.partition not in ("cutoff", ACCOUNTS) and each.auroc.known and each.churned >= FEWEST_CHURNED
    ]
    names = [slices[at].partition for at in usable]
    usable = [at for at in usable if names.count(slices[at].partition) > 1]
    if not usable:
        return None
    at = min(usable, key=lambda number: slices[number].auroc.value)
    worst = slices[at]
    drawn = replicates[:, at] - overall_replicates
    difference = estimate(worst.auroc.value - overall, drawn)
    # the lowest of several: each of the slices could have been it by chance
    from scipy.special import ndtri  # takes long to load, and scoring does without it

    limit = float(ndtri((1 - LEVEL) / 2 / len(usable)))
    shown = difference.bounded and difference.value < limit * float(np.nanstd(drawn))
    return WorstSlice(worst.partition, worst.name, worst.accounts, worst.churned, worst.auroc, difference, len(usable), shown)
