"""Put everything that scoring needs into a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from staypower import __version__
from staypower.dataset.building import Dataset, DatasetRows
from staypower.dataset.cutoff_plan import PARTS
from staypower.evaluation.result import Evaluation, quality_of
from staypower.explanation.learned import find_typical_values
from staypower.explanation.topics import sum_topics, topics_of
from staypower.labels.settings import LabelSettings
from staypower.metrics.risk import RiskReference
from staypower.models.bundle import Bundle
from staypower.models.churn import ChurnClassifier
from staypower.models.fitting import calibrated_base_rate
from staypower.scoring.ranges import RANGES, find_ranges

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["seal"]


def seal(
    model: ChurnClassifier,
    dataset: Dataset,
    evaluation: Evaluation,
    *,
    name: str,
    label: LabelSettings,
    compare_by: str | None,
    run_id: str,
    data: str,
) -> Bundle:
    """Put everything that scoring needs into a bundle."""
    # the whole population of the latest cutoff: no score depends on who else is in its batch
    last, share = _reference(dataset, still_there=label.is_snapshot)
    everyday = dataset.where(dataset.rows("training", "calibration") & dataset.drawn)
    typical = find_typical_values(
        everyday.X, everyday.cutoffs, dataset.matrix.categories, by=compare_by, contributions=_contributions_of(model, dataset)
    )
    metadata = {
        "name": name,
        "staypower": __version__,
        "run_id": run_id,
        "data_fingerprint": data,
        "label": label.model_dump(mode="json"),
        "horizon_days": label.outcome_days,
        "base_rate": dataset.base_rate("training", "calibration"),
        "calibrated_base_rate": calibrated_base_rate(dataset),
        "risk_reference": RiskReference.of(model.predict_proba(last.X, last.accounts)[:, 1]).to_dict(),
        "cutoffs": dataset.plan.to_dict(),
        "fit": model.split_,
        "metrics": dict(evaluation.metrics()),
        "contact_plans": evaluation.to_dict()["contact_plans"],
        # what the report shows of the model, wherever the bundle goes
        "quality": quality_of(evaluation),
        **({"sampling": dataset.sampling.to_dict(), "risk_reference_share": share} if dataset.sampling.is_on else {}),
    }
    return model.to_bundle(
        categories={column: dict(dataset.catalogue.codes.get(column, {})) for column in dataset.matrix.categories},
        learned={
            "catalogue": dataset.catalogue.to_dict(),
            "usual": typical.to_dict(),
            RANGES: find_ranges(dataset.part("training", "calibration"), evaluation.importance),
        },
        metadata=metadata,
    )


def _contributions_of(model: ChurnClassifier, dataset: Dataset) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return a function that finds what each topic contributes."""
    topics = topics_of(dataset.catalogue, list(dataset.catalogue.names))

    def contributions(X: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(sum_topics(model.contributions(X)[0], topics), columns=[topic.name for topic in topics])

    return contributions


def _reference(dataset: Dataset, *, still_there: bool) -> tuple[DatasetRows, float]:
    """Return the rows that stand for the whole population of the latest cutoff, and what share of its accounts they are.

    With a flag that is known without a time, the population that is scored is those who do not carry it (`still_there`).
    """
    # where there is only one cutoff, only the test has kept every row
    thinned = dataset.plan.split == "snapshot" and dataset.sampling.negatives < 1.0
    rows = dataset.part("test") if thinned else dataset.part(*PARTS)
    last = rows.where(rows.cutoffs == dataset.plan.all[-1])
    counted = dataset.labels.churned[:, -1] == 0 if still_there else dataset.labels.churned[:, -1] >= 0
    if still_there:
        last = last.where(last.y == 0)
    labelled = int(counted.sum())
    return last, dataset.sampling.accounts * len(last) / labelled
