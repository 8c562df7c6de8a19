"""Put everything that scoring needs into a bundle."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from staypower import __version__
from staypower.cutoffs import text_of
from staypower.dataset.building import Dataset
from staypower.dataset.cutoff_plan import PARTS
from staypower.evaluation.result import Evaluation, quality_of
from staypower.explanation.learned import find_typical_values
from staypower.explanation.topics import sum_topics, topics_of
from staypower.labels.settings import LabelSettings
from staypower.metrics.risk import RiskReference
from staypower.models.age import TWIN, ModelAge
from staypower.models.bundle import Bundle, SealedModel
from staypower.models.churn import ChurnClassifier
from staypower.models.fitting import calibrated_base_rate
from staypower.models.refitting import Refitted
from staypower.scoring.ranges import RANGES, find_ranges

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["seal"]


def seal(
    scoring: Refitted,
    twin: ChurnClassifier,
    dataset: Dataset,
    learned_from: Dataset,
    evaluation: Evaluation,
    *,
    name: str,
    label: LabelSettings,
    compare_by: str | None,
    data: str,
) -> Bundle:
    """Put everything that scoring needs into a bundle: the model that scores, and its twin where that was evaluated.

    The twin was trained and tested on `dataset`, the model that scores on `learned_from`. Typical values and base rates are of
    the latter's rows. What a capacity cuts off is found on the latest cutoff, by trees that have not seen the account.
    """
    # the whole population of the latest cutoff: no score depends on who else is in its batch
    latest, share = _reference(scoring, dataset, still_there=label.is_snapshot)
    blind = scoring.model is twin or label.is_snapshot
    everyday = learned_from.where(learned_from.rows("training", "calibration") & learned_from.drawn)
    model, age = scoring.model, ModelAge.planned(dataset, learned_from, label)
    contributions = _contributions_of(model, learned_from)
    typical = find_typical_values(
        everyday.X, everyday.cutoffs, dataset.matrix.categories, by=compare_by, contributions=contributions
    )
    metadata = {
        "name": name,
        "staypower": __version__,
        "data_fingerprint": data,
        "label": label.model_dump(mode="json"),
        "horizon_days": label.outcome_days,
        "base_rate": learned_from.base_rate("training", "calibration"),
        # the level was set over several cutoffs: at the latest one the probabilities add up to their own mean, not to its rate
        "calibrated_base_rate": calibrated_base_rate(learned_from) if blind else float(latest.mean()),
        "risk_reference": RiskReference.of(latest).to_dict(),
        "cutoffs": dataset.plan.to_dict(),
        "trained_until": text_of(age.trained_until),
        "fit": model.split_,
        "metrics": dict(evaluation.metrics()),
        "contact_plans": evaluation.to_dict()["contact_plans"],
        # what the report shows of the model, wherever the bundle goes
        "quality": quality_of(evaluation),
        **({"sampling": dataset.sampling.to_dict(), "risk_reference_share": share} if dataset.sampling.is_on else {}),
    }
    bundle = model.to_bundle(
        categories={column: dict(dataset.catalogue.codes.get(column, {})) for column in dataset.matrix.categories},
        learned={
            "catalogue": dataset.catalogue.to_dict(),
            "usual": typical.to_dict(),
            RANGES: find_ranges(learned_from.part("training", "calibration"), evaluation.importance),
        },
        metadata=metadata,
    )
    # the folds of a snapshot are evaluated themselves: each account is scored by trees that never saw it
    if model is twin or model.folds_:
        return bundle
    evaluated = SealedModel(
        *(twin.model_text_, twin.calibration_, bundle.feature_names),
        metadata={"trained_until": text_of(age.evaluated_until), "base_rate": calibrated_base_rate(dataset)},
        margin=twin.margin_,
    )
    return replace(bundle, secondary={**bundle.secondary, TWIN: evaluated})


def _contributions_of(model: ChurnClassifier, dataset: Dataset) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return a function that finds what each topic contributes."""
    topics = topics_of(dataset.catalogue, list(dataset.catalogue.names))

    def contributions(X: pd.DataFrame) -> pd.DataFrame:
        # the rows of a frame keep the numbers that they have in the data set
        values, _ = model.contributions(X, dataset.matrix.accounts[X.index])
        return pd.DataFrame(sum_topics(values, topics), columns=[topic.name for topic in topics])

    return contributions


def _reference(scoring: Refitted, dataset: Dataset, *, still_there: bool) -> tuple[NDArray[np.float64], float]:
    """Return probabilities that stand for the whole population of the latest cutoff, and what share of its accounts they are.

    With a flag that is known without a time, the population that is scored is those who do not carry it (`still_there`).
    """
    # where there is only one cutoff, only the test has kept every row
    thinned = dataset.plan.split == "snapshot" and dataset.sampling.negatives < 1.0
    rows = dataset.part("test") if thinned else dataset.part(*PARTS)
    last = rows.where(rows.cutoffs == dataset.plan.all[-1])
    counted = dataset.labels.churned[:, -1] == 0 if still_there else dataset.labels.churned[:, -1] >= 0
    if still_there:
        last = last.where(last.y == 0)
    latest = scoring.held_out(last)
    return latest, dataset.sampling.accounts * len(latest) / int(counted.sum())
