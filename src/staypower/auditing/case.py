"""What is audited: the tables, the settings, and the data set that was built from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from staypower.dataset.building import Dataset
from staypower.features.settings import FeatureSettings
from staypower.labels.settings import LabelSettings
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Case"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Everything that the checks look at.

    >>> sorted(Case.__dataclass_fields__)[:3]
    ['dataset', 'every_cutoff', 'features']
    """

    name: str  # what the report calls it
    tables: Tables  # whole, as exported
    dataset: Dataset  # built from them
    label: LabelSettings
    features: FeatureSettings
    every_cutoff: bool = False  # travel to every cutoff of the plan instead of the first, the middle and the last
    seed: int = 0  # seeds every random choice of the audit
    threads: int = 2  # threads that build features; no number depends on it

    @property
    def hidden(self) -> tuple[str, ...]:
        """The attribute or table that tells the outcome."""
        return self.label.hidden

    @property
    def audited_cutoffs(self) -> NDArray[np.int64]:
        """The cutoffs that are travelled to."""
        every = self.dataset.plan.all
        if self.every_cutoff:
            return every
        return np.unique(every[[0, len(every) // 2, len(every) - 1]])
