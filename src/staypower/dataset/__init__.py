"""Features and labels joined, split in time."""

from __future__ import annotations

from staypower.dataset.building import SAME_FOR_ALL, Dataset, Part, build_dataset, choose_plan, told_by
from staypower.dataset.cache import MatrixCache
from staypower.dataset.cutoff_plan import CutoffPlan, Split, plan_cutoffs, plan_snapshot
from staypower.dataset.settings import CutoffSettings

__all__ = [
    "SAME_FOR_ALL",
    "CutoffPlan",
    "CutoffSettings",
    "Dataset",
    "MatrixCache",
    "Part",
    "Split",
    "build_dataset",
    "choose_plan",
    "plan_cutoffs",
    "plan_snapshot",
    "told_by",
]
