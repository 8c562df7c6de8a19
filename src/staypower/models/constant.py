"""The model for too few examples: one probability for everybody, in the same form as any other model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import logit

from staypower.models.bundle import SealedModel
from staypower.models.calibration import SigmoidMap
from staypower.models.rows import Rows
from staypower.models.settings import TreeShape
from staypower.models.trees import Grower, portable_text

__all__ = ["constant_model"]


def constant_model(ones: int, zeros: int, *, feature: str, metadata: Mapping[str, Any]) -> SealedModel:
    """Make a model that predicts the same for every row.

    >>> constant_model(8, 0, feature="seats", metadata={}).predict(np.array([[1.0], [np.nan]])).round(6).tolist()
    [0.9, 0.9]
    """
    share = (ones + 1) / (ones + zeros + 2)
    shape = TreeShape.by_evidence(churners=1, accounts=2, rows=2)
    rows = Rows(np.zeros((2, 1)), np.array([0, 1], dtype=np.int8), None, np.arange(2), None)
    # one leaf of value 0; the calibration map alone says the share
    text = portable_text(Grower(shape, max_trees=1, patience=1, seed=0, threads=1).grow(rows, trees=1), trees=1)
    calibration = SigmoidMap(slope=1.0, intercept=float(logit(share)))
    return SealedModel(text, calibration, (feature,), {**metadata, "method": "share", "share": share})
