"""Fit the churn model to a data set: which rows train it, and what its probabilities add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from staypower.dataset.building import Dataset
from staypower.models.churn import ChurnClassifier
from staypower.models.settings import ModelSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["calibrated_base_rate", "fit_classifier"]


def fit_classifier(dataset: Dataset, settings: ModelSettings, rows: NDArray[np.bool_] | None = None) -> ChurnClassifier:
    """Fit the churn classifier on the training and calibration rows of a data set."""
    trained = dataset.rows("training", "calibration")
    if rows is not None:
        trained = trained & rows
    plan, chosen = dataset.plan, settings
    if chosen.split == "auto" and plan.split != "temporal":
        chosen = chosen.model_copy(update={"split": "grouped"})
    # where the later cutoffs hold too few churners to calibrate on, `auto` cross-fits over accounts instead
    if plan.split == "temporal":
        chosen = chosen.model_copy(update={"calibration_cutoffs": len(plan.calibration)})
    model = ChurnClassifier.from_settings(
        chosen, embargo_days=plan.embargo, categorical_features=list(dataset.matrix.categories) or None
    )
    model.fit(
        dataset.X[trained],
        dataset.y[trained],
        cutoffs=dataset.matrix.cutoffs[trained],
        accounts=dataset.matrix.accounts[trained],
    )
    # all odds are too high by what was left out where the calibration map was fitted
    temporal = model.split_.startswith("temporal")
    kept = dataset.stayers_kept("calibration") if temporal else dataset.stayers_kept("training", "calibration")
    return model.correct_odds(float(np.log(kept)))


def calibrated_base_rate(dataset: Dataset) -> float:
    """Return the share that churned among the rows that the calibration map was fitted to: what the probabilities add up to."""
    if dataset.rows("calibration").any():
        return dataset.base_rate("calibration")
    return dataset.base_rate("training", "calibration")
