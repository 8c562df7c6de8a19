"""Measures of churn predictions: plain functions of labels and scores, the same for any order of rows.

Ranking (`auroc`, `average_precision`, `lift_at`, `gain_at`, `precision_at`, `recall_at`), probability (`log_loss`, `brier`,
`brier_skill`, `calibration_error`, `reliability_curve`), ordered classes (`ranked_probability_score`,
`quadratic_weighted_kappa`, `macro_f1`, `accuracy`, `confusion`) and money (`expected_maximum_profit`, `maximum_profit`,
`profit_curve`, `instance_dependent_maximum_profit`). A `Ranking` sorts once and counts under any weights.
"""

from __future__ import annotations

from staypower.metrics.expected_profit import expected_maximum_profit, expected_maximum_profit_of
from staypower.metrics.ordinal import (
    accuracy,
    confusion,
    macro_f1,
    quadratic_weighted_kappa,
    ranked_probability_score,
    ranked_probability_scores,
)
from staypower.metrics.probability import (
    ReliabilityCurve,
    brier,
    brier_skill,
    calibration_error,
    equal_mass_bins,
    log_loss,
    log_losses,
    reliability_curve,
)
from staypower.metrics.profit import (
    Profit,
    ProfitCurve,
    campaign_earnings,
    instance_dependent_maximum_profit,
    instance_dependent_maximum_profit_of,
    maximum_profit,
    maximum_profit_of,
    profit_curve,
    profit_curve_of,
)
from staypower.metrics.ranking import auroc, average_precision, gain_at, lift_at, precision_at, recall_at
from staypower.metrics.tally import Ranking, Tally

__all__ = [
    "Profit",
    "ProfitCurve",
    "Ranking",
    "ReliabilityCurve",
    "Tally",
    "accuracy",
    "auroc",
    "average_precision",
    "brier",
    "brier_skill",
    "calibration_error",
    "campaign_earnings",
    "confusion",
    "equal_mass_bins",
    "expected_maximum_profit",
    "expected_maximum_profit_of",
    "gain_at",
    "instance_dependent_maximum_profit",
    "instance_dependent_maximum_profit_of",
    "lift_at",
    "log_loss",
    "log_losses",
    "macro_f1",
    "maximum_profit",
    "maximum_profit_of",
    "precision_at",
    "profit_curve",
    "profit_curve_of",
    "quadratic_weighted_kappa",
    "ranked_probability_score",
    "ranked_probability_scores",
    "recall_at",
    "reliability_curve",
]
