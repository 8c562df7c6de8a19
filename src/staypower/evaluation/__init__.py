"""Judge a model: the same rows for it and for every baseline, intervals by account, and the verdict in words.

Names are resolved when first used, so that settings can be read without loading pandas or scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from staypower.evaluation.assessment import evaluate
    from staypower.evaluation.baselines import last_answer_rule, recency_rule, tenure_rule
    from staypower.evaluation.groups import Group
    from staypower.evaluation.logistic import logistic_baseline
    from staypower.evaluation.resampling import Estimate
    from staypower.evaluation.result import Evaluation, ReliabilityBin
    from staypower.evaluation.rows import BASE_RATE
    from staypower.evaluation.settings import CostSettings
    from staypower.evaluation.tier import TierEvaluation, evaluate_tiers

__all__ = [
    "BASE_RATE",
    "CostSettings",
    "Estimate",
    "Evaluation",
    "Group",
    "ReliabilityBin",
    "TierEvaluation",
    "evaluate",
    "evaluate_tiers",
    "last_answer_rule",
    "logistic_baseline",
    "recency_rule",
    "tenure_rule",
]

_HOMES = {
    "BASE_RATE": "rows",
    "CostSettings": "settings",
    "Estimate": "resampling",
    "Evaluation": "result",
    "Group": "groups",
    "ReliabilityBin": "result",
    "TierEvaluation": "tier",
    "evaluate": "assessment",
    "evaluate_tiers": "tier",
    "last_answer_rule": "baselines",
    "logistic_baseline": "logistic",
    "recency_rule": "baselines",
    "tenure_rule": "baselines",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
