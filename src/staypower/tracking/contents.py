"""What is logged of data, evaluations and comparisons, now or later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from staypower.dataset.building import Dataset
    from staypower.evaluation.comparison import Comparison
    from staypower.evaluation.result import Evaluation
    from staypower.evaluation.tier import TierEvaluation
    from staypower.monitoring.result import Monitoring
    from staypower.tracking.runs import TrackedRun
    from staypower.tracking.waiting import WrittenRun

__all__ = ["log_comparison", "log_data", "log_evaluation", "log_monitoring", "log_tier"]

Run: TypeAlias = "TrackedRun | WrittenRun"


def log_data(run: Run, settings: Mapping[str, Any], dataset: Dataset, *, data: str) -> None:
    """Log the settings, what the data were, who was in the population, and the feature list."""
    run.log_settings(settings)
    sample = {"sample": str(dataset.sampling)} if dataset.sampling.is_on else {}
    run.set_tags({"data_fingerprint": data, "split": dataset.plan.split, **sample})
    run.log_text(json.dumps(dataset.plan.to_dict(), indent=2), "data/cutoffs.json")
    run.log_text(json.dumps(dataset.sampling.to_dict(), indent=2), "data/sampling.json")
    run.log_text(dataset.labels.frame().to_csv(index=False), "data/population.csv")
    run.log_text(dataset.catalogue.frame().to_csv(index=False), "data/features.csv")


def log_evaluation(run: Run, evaluation: Evaluation, *, scratch: Path) -> None:
    """Log the metrics, the tables and the pictures of an evaluation."""
    run.log_metrics(dict(evaluation.metrics()))
    run.log_text(json.dumps(evaluation.to_dict(), indent=2), "evaluation/evaluation.json")
    run.log_text(evaluation.text(), "evaluation/evaluation.txt")
    pictures = scratch / "pictures"
    evaluation.write_pictures(pictures)
    run.log_artifacts(pictures, "evaluation")


def log_tier(run: Run, evaluation: TierEvaluation | None) -> None:
    """Log the metrics and tables of the loyalty tier, when there is one."""
    if evaluation is None:
        return
    run.log_metrics(dict(evaluation.metrics()))
    run.log_text(json.dumps(evaluation.to_dict(), indent=2), "evaluation/tier.json")
    run.log_text(evaluation.text(), "evaluation/tier.txt")


def log_comparison(run: Run, comparison: Comparison | None) -> None:
    """Log how a challenger compares with the champion, when there was one."""
    if comparison is None:
        return
    run.log_metrics({f"difference_{name}": found.value for name, found in comparison.differences.items()})
    run.log_text(json.dumps(comparison.to_dict(), indent=2), "comparison/comparison.json")
    run.log_text(comparison.text(), "comparison/comparison.txt")


def log_monitoring(run: Run, monitoring: Monitoring | None) -> None:
    """Log what monitoring found, when there was any."""
    if monitoring is None:
        return
    run.log_metrics({name: value for name, value in monitoring.metrics().items() if isfinite(value)})
    run.log_text(json.dumps(monitoring.to_dict(), indent=2), "monitoring/monitoring.json")
    run.log_text(monitoring.text(), "monitoring/monitoring.txt")
