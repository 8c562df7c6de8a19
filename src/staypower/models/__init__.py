"""Models: the churn classifier, its calibration maps and the sealed bundle that scoring reads."""

from __future__ import annotations

from staypower.models.bundle import Bundle, read_bundle, write_bundle
from staypower.models.churn import ChurnClassifier
from staypower.models.rows import FitError
from staypower.models.settings import ModelSettings

__all__ = ["Bundle", "ChurnClassifier", "FitError", "ModelSettings", "read_bundle", "write_bundle"]
