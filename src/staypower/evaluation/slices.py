"""The slice of accounts on which the model ranks worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from staypower.evaluation.groups import ACCOUNTS, Group
from staypower.evaluation.resampling import LEVEL, Estimate, estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FEWEST_CHURNED", "WorstSlice", "worst_slice"]

# Under so many churned rows a slice's AUROC says more about chance than about the slice.
FEWEST_CHURNED = 10


@dataclass(frozen=True)
class WorstSlice:
    """The slice with the lowest AUROC among those that are large enough.

    >>> WorstSlice("plan", "free", 90, 20, Estimate(0.6), Estimate(-0.1), 5, False).words
    'plan free, 90 accounts: AUROC 0.600, -0.100 against all rows; the lowest of 5 slices; not shown to be worse than the rest.'
    """

    partition: str  # what rows are grouped by, and the group
    name: str  # what rows are grouped by, and the group
    accounts: int
    churned: int
    auroc: Estimate
    difference: Estimate  # AUROC of the slice minus that of all rows, on the same samples
    of: int  # how many slices were large enough: of many, the lowest is low by chance alone
    shown: bool  # whether the difference lies below 0 by more than chance, `of` slices having been looked at (Bonferroni)

    @property
    def words(self) -> str:
        """The slice in words."""
        interval = f" ({self.auroc.low:.3f} to {self.auroc.high:.3f})" if self.auroc.bounded else ""
        where = f"{self.partition} {self.name}, {self.accounts:,} accounts: AUROC {self.auroc.value:.3f}{interval}"
        apart = f"{self.difference.value:+.3f}"
        if self.difference.bounded:
            apart += f" ({self.difference.low:+.3f} to {self.difference.high:+.3f})"
        proof = "" if self.shown else "; not shown to be worse than the rest"
        return f"{where}, {apart} against all rows; the lowest of {self.of} slices{proof}."


def worst_slice(
    groups: Sequence[Group],
    replicates: NDArray[np.float64],
    overall: float,
    overall_replicates: NDArray[np.float64],
) -> WorstSlice | None:
    """Find the slice with the lowest AUROC.

    >>> nothing = Estimate(float("nan"))
    >>> def group(name, auroc):
    ...     return Group("plan", name, 300, 100, 50, 0.2, 0.2, Estimate(auroc), nothing, nothing, "")
    >>> worst_slice([group("a", 0.8), group("b", 0.6)], np.zeros((0, 2)), 0.75, np.zeros(0)).name
    'b'
    """
    usable = [
        at
        for at, group in enumerate(groups)
        if group.partition not in ("cutoff", ACCOUNTS) and group.auroc.known and group.churned >= FEWEST_CHURNED
    ]
    names = [groups[at].partition for at in usable]
    usable = [at for at in usable if names.count(groups[at].partition) > 1]
    if not usable:
        return None
    at = min(usable, key=lambda number: groups[number].auroc.value)
    worst = groups[at]
    drawn = replicates[:, at] - overall_replicates
    difference = estimate(worst.auroc.value - overall, drawn)
    # chosen because it is the lowest: each of the slices looked at had its chance of being so
    limit = float(ndtri((1 - LEVEL) / 2 / len(usable)))
    shown = difference.bounded and difference.value < limit * float(np.nanstd(drawn))
    return WorstSlice(worst.partition, worst.name, worst.accounts, worst.churned, worst.auroc, difference, len(usable), shown)
