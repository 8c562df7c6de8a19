"""What every test runs under: no window, no network, few generated examples unless more are asked for, threads that sleep."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

os.environ["MPLBACKEND"] = "Agg"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
# workers of pytest share the cores: threads that wait sleep at once, or trainings side by side take twice as long
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
os.environ.pop("MLFLOW_TRACKING_URI", None)

_SLOW_STARTS = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture)
settings.register_profile("default", max_examples=30, deadline=None, derandomize=True, suppress_health_check=_SLOW_STARTS)
settings.register_profile("deep", max_examples=1000, deadline=None, suppress_health_check=_SLOW_STARTS)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
