"""Measures of churn predictions: plain functions of labels and scores, the same for any order of rows.

Ranking (`auroc`, `average_precision`, `lift_at`, `gain_at`, `precision_at`, `recall_at`), probability (`log_loss`, `brier`,
`brier_skill`, `calibration_error`, `reliability_curve`), ordered classes (`ranked_probability_score`,
`quadratic_weighted_kappa`, `macro_f1`, `accuracy`, `confusion`) and money (`expected_maximum_profit`, `maximum_profit`,
`profit_curve`, `instance_dependent_maximum_profit`).

>>> from staypower.metrics import auroc, lift_at
>>> left, scores = [0, 1, 0, 0, 1], [0.1, 0.7, 0.2, 0.4, 0.9]
>>> auroc(left, scores), lift_at(left, scores, 0.4)
(1.0, 2.5)
"""

from __future__ import annotations

from staypower.metrics.ordinal import accuracy, confusion, macro_f1, quadratic_weighted_kappa, ranked_probability_score
from staypower.metrics.probability import brier, brier_skill, calibration_error, log_loss, reliability_curve
from staypower.metrics.profit import (
    expected_maximum_profit,
    instance_dependent_maximum_profit,
    maximum_profit,
    profit_curve,
)
from staypower.metrics.ranking import auroc, average_precision, gain_at, lift_at, precision_at, recall_at

__all__ = [
    "accuracy",
    "auroc",
    "average_precision",
    "brier",
    "brier_skill",
    "calibration_error",
    "confusion",
    "expected_maximum_profit",
    "gain_at",
    "instance_dependent_maximum_profit",
    "lift_at",
    "log_loss",
    "macro_f1",
    "maximum_profit",
    "precision_at",
    "profit_curve",
    "quadratic_weighted_kappa",
    "ranked_probability_score",
    "recall_at",
    "reliability_curve",
]
