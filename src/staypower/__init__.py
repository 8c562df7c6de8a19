"""Who stays, who leaves, why, and what to do about it.

Public names are resolved when they are first used: `import staypower` alone loads nothing heavy.

Examples
--------
>>> import staypower
>>> "load_config" in dir(staypower)
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from staypower.lazy import lazily

if TYPE_CHECKING:
    from staypower import features as features
    from staypower import metrics as metrics
    from staypower.config.loading import load_config as load_config
    from staypower.errors import UsageError as UsageError
    from staypower.models.churn import ChurnClassifier as ChurnClassifier
    from staypower.models.tier import LoyaltyTierClassifier as LoyaltyTierClassifier
    from staypower.pipelines.cluster import features_on_spark as features_on_spark
    from staypower.pipelines.cluster import score_on_spark as score_on_spark
    from staypower.pipelines.notebook import actions as actions
    from staypower.pipelines.notebook import audit as audit
    from staypower.pipelines.notebook import backtest as backtest
    from staypower.pipelines.notebook import build_dataset as build_dataset
    from staypower.pipelines.notebook import build_features as build_features
    from staypower.pipelines.notebook import check as check
    from staypower.pipelines.notebook import evaluate as evaluate
    from staypower.pipelines.notebook import explain as explain
    from staypower.pipelines.notebook import portfolio as portfolio
    from staypower.pipelines.notebook import read_tables as read_tables
    from staypower.pipelines.notebook import report as report
    from staypower.pipelines.notebook import score as score
    from staypower.pipelines.notebook import train as train
    from staypower.simulation.company import simulate as simulate

__version__ = "0.1.0"

_NOTEBOOK = "staypower.pipelines.notebook"
_HOMES = {
    "ChurnClassifier": "staypower.models.churn",
    "LoyaltyTierClassifier": "staypower.models.tier",
    "UsageError": "staypower.errors",
    "actions": _NOTEBOOK,
    "audit": _NOTEBOOK,
    "backtest": _NOTEBOOK,
    "build_dataset": _NOTEBOOK,
    "build_features": _NOTEBOOK,
    "check": _NOTEBOOK,
    "evaluate": _NOTEBOOK,
    "explain": _NOTEBOOK,
    "features_on_spark": "staypower.pipelines.cluster",
    "load_config": "staypower.config.loading",
    "portfolio": _NOTEBOOK,
    "read_tables": _NOTEBOOK,
    "report": _NOTEBOOK,
    "score": _NOTEBOOK,
    "score_on_spark": "staypower.pipelines.cluster",
    "simulate": "staypower.simulation.company",
    "features": "staypower.features",
    "metrics": "staypower.metrics",
    "train": _NOTEBOOK,
}

__all__ = [  # pyright: ignore[reportUnsupportedDunderAll] - resolved by `__getattr__`
    "ChurnClassifier",
    "LoyaltyTierClassifier",
    "UsageError",
    "__version__",
    "actions",
    "audit",
    "backtest",
    "build_dataset",
    "build_features",
    "check",
    "evaluate",
    "explain",
    "features",
    "features_on_spark",
    "load_config",
    "metrics",
    "portfolio",
    "read_tables",
    "report",
    "score",
    "score_on_spark",
    "simulate",
    "train",
]


__getattr__, __dir__ = lazily(__name__, _HOMES)
