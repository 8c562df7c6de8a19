"""Whether what a model sees now is still what it learnt from."""

from __future__ import annotations

from staypower.monitoring.drift import Drift, find_drift, population_stability

__all__ = ["Drift", "find_drift", "population_stability"]
