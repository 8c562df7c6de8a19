"""Runs, artifacts and the model registry: the only place that speaks MLflow, which is imported when it is first needed."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

from staypower.tracking.settings import TrackingSettings

if TYPE_CHECKING:
    from staypower.tracking.registry import ModelVersion as ModelVersion
    from staypower.tracking.runs import TrackedRun as TrackedRun
    from staypower.tracking.tracker import Tracker as Tracker

# read when mlflow is imported, which only modules of this package do: nothing is reported to anybody
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"

__all__ = ["ModelVersion", "TrackedRun", "Tracker", "TrackingSettings"]

_HOMES = {
    "ModelVersion": "staypower.tracking.registry",
    "TrackedRun": "staypower.tracking.runs",
    "Tracker": "staypower.tracking.tracker",
}


def __getattr__(name: str) -> object:
    """Import a name's home, and MLflow with it, when the name is first used: the config needs only the settings."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
