"""Features and labels joined, split in time."""

from __future__ import annotations

from staypower.dataset.building import (
    SAME_FOR_ALL,
    Dataset,
    begin_of_history,
    build_dataset,
    choose_plan,
    require_features,
    told_by,
)
from staypower.dataset.cache import MatrixCache
from staypower.dataset.cutoff_plan import CutoffPlan, Split, plan_cutoffs, plan_snapshot
from staypower.dataset.folds import build_folds
from staypower.dataset.matrix_rows import MatrixRows, varying
from staypower.dataset.pairs import Part, count_rows
from staypower.dataset.rolling import rolling_origins, rolling_plans
from staypower.dataset.sampling import Sampling, SamplingSettings
from staypower.dataset.settings import CutoffSettings

__all__ = [
    "SAME_FOR_ALL",
    "CutoffPlan",
    "CutoffSettings",
    "Dataset",
    "MatrixCache",
    "MatrixRows",
    "Part",
    "Sampling",
    "SamplingSettings",
    "Split",
    "begin_of_history",
    "build_dataset",
    "build_folds",
    "choose_plan",
    "count_rows",
    "plan_cutoffs",
    "plan_snapshot",
    "require_features",
    "rolling_origins",
    "rolling_plans",
    "told_by",
    "varying",
]
