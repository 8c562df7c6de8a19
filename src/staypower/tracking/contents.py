"""What is logged of data, evaluations and comparisons, now or later."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from staypower.cutoffs import text_of
from staypower.tracking.logged_data import LoggedData

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


def log_data(run: Run, settings: Mapping[str, Any], dataset: Dataset, *, chosen: Collection[str], data: str) -> None:
    """Log the settings, what the data were, who was in the population, and the feature list."""
    run.log_settings(settings, chosen)
    run.log_data(_inputs(settings, dataset, data))
    sample = {"sample": str(dataset.sampling)} if dataset.sampling.is_on else {}
    run.set_tags({"data_fingerprint": data, "split": dataset.plan.split, **sample})
    run.log_text(json.dumps(dataset.plan.to_dict(), indent=2), "data/cutoffs.json")
    run.log_text(json.dumps(dataset.sampling.to_dict(), indent=2), "data/sampling.json")
    run.log_text(dataset.labels.frame().to_csv(index=False), "data/population.csv")
    run.log_text(dataset.catalogue.frame().to_csv(index=False), "data/features.csv")


def _inputs(settings: Mapping[str, Any], dataset: Dataset, data: str) -> list[LoggedData]:
    """Describe the rows of each part as an input of the run; equal tables, settings and cutoffs have an equal digest."""
    sources = {
        name: [each["source"] for each in (table if isinstance(table, list) else [table]) if "source" in each]
        for name, table in settings["tables"].items()
    }
    found = []
    for part in ("training", "calibration", "test"):
        rows = dataset.part(part)
        if not len(rows):
            continue
        cutoffs = [text_of(at) for at in np.unique(rows.cutoffs).tolist()]
        profile = {"rows": len(rows), "accounts": rows.distinct_accounts, "churned": int(rows.y.sum()), "cutoffs": cutoffs}
        told = json.dumps([data, part, profile, settings["label"], settings["features"]], default=str)
        digest, names = sha256(told.encode()).hexdigest(), dataset.catalogue.names
        found.append(LoggedData(f"{settings['name']} {part}", digest, part, sources, profile, names))
    return found


def log_evaluation(run: Run, evaluation: Evaluation, *, scratch: Path) -> None:
    """Log the metrics, the tables and the pictures of an evaluation."""
    run.log_metrics(dict(evaluation.metrics()))
    for step, group in enumerate(each for each in evaluation.groups if each.partition == "cutoff"):
        measured = {name: each.value for name, each in group.measures.items()}
        run.log_metrics({"by_cutoff": {**measured, "observed": group.observed, "predicted": group.predicted}}, step=step)
    run.log_table(evaluation.frame(), "evaluation/baselines.json")
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


def log_monitoring(run: Run, monitoring: Monitoring) -> None:
    """Log what monitoring found."""
    run.log_metrics({name: value for name, value in monitoring.metrics().items() if isfinite(value)})
    run.log_text(json.dumps(monitoring.to_dict(), indent=2), "monitoring/monitoring.json")
    run.log_text(monitoring.text(), "monitoring/monitoring.txt")
