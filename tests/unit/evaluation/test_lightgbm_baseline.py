import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier

from staypower import metrics
from staypower.errors import UsageError
from staypower.evaluation import baselines
from staypower.evaluation.baselines import lightgbm_baseline


def company(rows=1200, seed=0):
    """Churn depends on two numbers together, and on a code whose values have no order."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(rows, 4)), columns=["use [7d]", "use, 28d", "tickets", "nps"])
    X["plan"] = rng.integers(0, 12, rows).astype(float)
    X.loc[rng.random(rows) < 0.3, "nps"] = np.nan
    drive = 1.5 * X["use [7d]"] * X["tickets"] + 1.5 * np.isin(X["plan"], [1, 4, 6, 9]) - 1.0
    return X, (rng.random(rows) < 1 / (1 + np.exp(-drive))).astype(int)


def test_it_is_lightgbm_without_any_setting():
    X, y = company()
    plain = LGBMClassifier(verbosity=-1, n_jobs=1).fit(X.to_numpy()[:800], y[:800], categorical_feature=[4])
    found = lightgbm_baseline(X[:800], y[:800], X[800:], ["plan"])
    assert np.allclose(found, plain.predict_proba(X.to_numpy()[800:])[:, 1], atol=1e-9)
    assert metrics.auroc(y[800:], found) > 0.7


def test_weights_count_and_threads_do_not(monkeypatch):
    X, y = company()
    found = lightgbm_baseline(X, y, X, ["plan"])
    monkeypatch.setattr(baselines, "threads_for", lambda asked, work: 2)
    assert lightgbm_baseline(X, y, X, ["plan"]).tolist() == found.tolist()
    lighter = lightgbm_baseline(X, y, X, ["plan"], sample_weight=np.where(y == 1, 0.25, 1.0))
    assert lighter.mean() < 0.85 * found.mean()


def test_rows_it_cannot_be_fitted_to_are_refused():
    X, y = company(60)
    with pytest.raises(UsageError, match="differ in columns"):
        lightgbm_baseline(X, y, X.drop(columns="plan"))
    with pytest.raises(UsageError, match="one class only"):
        lightgbm_baseline(X, np.ones(60), X)
