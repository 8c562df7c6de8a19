"""Models: the churn classifier, the loyalty tier, their calibration maps and the sealed bundle that scoring reads."""

from __future__ import annotations

from staypower.models.bundle import Bundle, read_bundle, write_bundle
from staypower.models.churn import ChurnClassifier
from staypower.models.propensity import AnswerWeights, answer_weights, tilt_for_silence
from staypower.models.rows import FitError
from staypower.models.settings import ModelSettings
from staypower.models.tier import LoyaltyTierClassifier
from staypower.models.tier_prediction import UNKNOWN, predict_tiers, settle_tiers, tier_companions, tier_probabilities

__all__ = [
    "UNKNOWN",
    "AnswerWeights",
    "Bundle",
    "ChurnClassifier",
    "FitError",
    "LoyaltyTierClassifier",
    "ModelSettings",
    "answer_weights",
    "predict_tiers",
    "read_bundle",
    "settle_tiers",
    "tier_companions",
    "tier_probabilities",
    "tilt_for_silence",
    "write_bundle",
]
