"""A small sealed model with declared features, made once a seed: enough to log, serve, promote and explain."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from staypower.explanation.learned import find_typical_values
from staypower.features.catalogue import Catalogue
from staypower.features.definition import Feature
from staypower.features.settings import FeatureSettings
from staypower.models.bundle import Bundle
from staypower.models.churn import ChurnClassifier

FEATURES = ("usage_events_28d", "csat_last", "plan_now")
CUTOFFS = {"split": "temporal", "training": ["2024-01-01"], "calibration": [], "test": ["2024-06-01"], "embargo_days": 120}
_CATALOGUE = Catalogue(
    FeatureSettings(),
    (
        Feature(name="usage_events_28d", table="usage", aggregation="count", window=28, unit="events",
                description="usage events", lever="engagement"),
        Feature(name="csat_last", table="surveys", aggregation="last", column="value", unit="",
                description="last satisfaction answer", lever="satisfaction"),
        Feature(name="plan_now", table="subscriptions", aggregation="last_code", column="plan", until="until_at", unit="",
                description="plan", lever=None, category=True),
    ),
    codes={"plan_now": {"pro": 1, "basic": 2}},
)  # fmt: skip


def feature_rows(seed: int, rows: int = 240) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    values = (rng.poisson(20, rows).astype(float), rng.random(rows), rng.integers(0, 3, rows).astype(float))
    frame = pd.DataFrame(dict(zip(FEATURES, values, strict=True)))
    return frame.mask(rng.random(frame.shape) < 0.1)


@cache
def small_bundle(seed: int = 0, name: str = "acme") -> Bundle:
    X = feature_rows(seed)
    rng = np.random.default_rng(seed + 1000)
    y = (X["usage_events_28d"].fillna(15).to_numpy() + rng.normal(0, 1, len(X)) < 20).astype(int)
    model = ChurnClassifier(max_trees=30, n_jobs=1, categorical_features=["plan_now"]).fit(X, y)
    return model.to_bundle(
        categories={"plan_now": {"pro": 1, "basic": 2}},
        learned={
            "catalogue": _CATALOGUE.to_dict(),
            "usual": find_typical_values(X, np.zeros(len(X), dtype=np.int64), ("plan_now",)).to_dict(),
        },
        metadata={"name": name, "seed": seed, "base_rate": float(y.mean()), "cutoffs": CUTOFFS},
    )
