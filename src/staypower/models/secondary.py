"""How a secondary model is fitted: trees on some rows of a data set, or one probability where there are too few accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import logit

from staypower.dataset.building import Dataset
from staypower.models.bundle import SealedModel
from staypower.models.calibration import SigmoidMap
from staypower.models.churn import ChurnClassifier
from staypower.models.settings import ModelSettings, TreeShape
from staypower.models.training_rows import TrainingRows
from staypower.models.trees import Grower, portable_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["constant_model", "fit_secondary"]


def fit_secondary(
    dataset: Dataset,
    rows: NDArray[np.bool_],
    ones: NDArray[np.bool_],
    settings: ModelSettings,
    *,
    least: int,
    names: tuple[str, str],
    metadata: Mapping[str, Any],
) -> SealedModel:
    """Fit a model of `ones` among some rows; with fewer than `least` accounts on the rarer side, take the share of the rows.

    The metadata name the method (`trees` or `share`), the rows of both sides by their names, and the accounts of the rarer one.
    """
    chosen, features = dataset.where(rows), dataset.catalogue.names
    sides = [chosen.where(ones[chosen.index] == side) for side in (True, False)]
    counts = {name: len(side) for name, side in zip(names, sides, strict=True)}
    rarer = min(side.distinct_accounts for side in sides)
    known = {**metadata, "rows": counts, "rarer_accounts": rarer}
    if rarer < least:
        return constant_model(*counts.values(), feature=features[0], metadata=known)
    model = ChurnClassifier.from_settings(settings, categorical_features=list(dataset.matrix.categories) or None)
    model.fit(chosen.X, ones[chosen.index].astype(np.int8), cutoffs=chosen.cutoffs, accounts=chosen.accounts)
    known |= {"method": "trees", "fit": model.split_}
    return SealedModel(model.model_text_, model.calibration_, tuple(features), known)


def constant_model(ones: int, zeros: int, *, feature: str, metadata: Mapping[str, Any]) -> SealedModel:
    """Make a model that predicts the same for every row, in the same form as any other model.

    >>> constant_model(8, 0, feature="seats", metadata={}).predict(np.array([[1.0], [np.nan]])).round(6).tolist()
    [0.9, 0.9]
    """
    share = (ones + 1) / (ones + zeros + 2)
    shape = TreeShape.by_evidence(churners=1, accounts=2, rows=2)
    rows = TrainingRows(np.zeros((2, 1)), np.array([0, 1], dtype=np.int8), None, np.arange(2), None)
    # one leaf of value 0; the calibration map alone gives the share
    text = portable_text(Grower(shape, max_trees=1, patience=1, seed=0, threads=1).grow(rows, trees=1), trees=1)
    calibration = SigmoidMap(slope=1.0, intercept=float(logit(share)))
    return SealedModel(text, calibration, (feature,), {**metadata, "method": "share", "share": share})
