"""Judge a model: the same rows for it and for every baseline, intervals by account, and the verdict in words.

Names are resolved when first used, so that settings can be read without loading pandas or scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from staypower.evaluation.assessment import evaluate
    from staypower.evaluation.baselines import last_answer_rule, recency_rule, tenure_rule
    from staypower.evaluation.contacting import ContactPlan
    from staypower.evaluation.fairness import FairnessGap
    from staypower.evaluation.groups import Group
    from staypower.evaluation.logistic import logistic_baseline
    from staypower.evaluation.memory import AccountMemory, account_memory
    from staypower.evaluation.paired import PAIRED_METRICS, paired_difference
    from staypower.evaluation.resampling import Estimate
    from staypower.evaluation.result import Evaluation, ReliabilityBin
    from staypower.evaluation.rows import BASE_RATE
    from staypower.evaluation.settings import CostSettings, EvaluationSettings, HealthScore
    from staypower.evaluation.slices import WorstSlice
    from staypower.evaluation.tier import TierEvaluation, evaluate_tiers

__all__ = [
    "BASE_RATE",
    "PAIRED_METRICS",
    "AccountMemory",
    "ContactPlan",
    "CostSettings",
    "Estimate",
    "Evaluation",
    "EvaluationSettings",
    "FairnessGap",
    "Group",
    "HealthScore",
    "ReliabilityBin",
    "TierEvaluation",
    "WorstSlice",
    "account_memory",
    "evaluate",
    "evaluate_tiers",
    "last_answer_rule",
    "logistic_baseline",
    "paired_difference",
    "recency_rule",
    "tenure_rule",
]

_HOMES = {
    "BASE_RATE": "rows",
    "PAIRED_METRICS": "paired",
    "AccountMemory": "memory",
    "ContactPlan": "contacting",
    "CostSettings": "settings",
    "Estimate": "resampling",
    "Evaluation": "result",
    "EvaluationSettings": "settings",
    "FairnessGap": "fairness",
    "Group": "groups",
    "HealthScore": "settings",
    "ReliabilityBin": "result",
    "TierEvaluation": "tier",
    "WorstSlice": "slices",
    "account_memory": "memory",
    "evaluate": "assessment",
    "evaluate_tiers": "tier",
    "last_answer_rule": "baselines",
    "logistic_baseline": "logistic",
    "paired_difference": "paired",
    "recency_rule": "baselines",
    "tenure_rule": "baselines",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
