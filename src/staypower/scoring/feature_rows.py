"""Score rows of features: what depends on the features alone, for those who bring rows instead of tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staypower.errors import Problem, UsageError
from staypower.scoring.predictions import Predictor

if TYPE_CHECKING:
    from staypower.models.bundle import Bundle

__all__ = ["ACCOUNT", "FeatureRowScorer"]

ACCOUNT = "account_id"
_LISTED = 10


class FeatureRowScorer:
    """Scores rows of features with a sealed model.

    Columns that need more than the features are missing: the status, the quadrant, whether an account was ever invited. Tiers
    are not compared with earlier ones. The numbers are bit for bit those of a `Scorer` on the same features.
    """

    def __init__(self, bundle: Bundle, *, reasons: int = 5, abstain_below: float = 0.0) -> None:
        self.bundle = bundle
        self._reasons = reasons
        self._abstain_below = abstain_below
        self._predictor = Predictor.of(bundle)

    @property
    def example(self) -> pd.DataFrame:
        """One row of no account: every feature at its typical value, missing where most accounts have none."""
        typical = self._predictor.typical
        return pd.DataFrame([[typical[name] for name in self.bundle.feature_names]], columns=self.bundle.feature_names)

    @property
    def columns(self) -> Mapping[str, type]:
        """Name and type (float or str) of every column that `score` returns, without `account_id`."""
        scored = self.score(self.example)
        return {str(name): float if scored[name].dtype.kind == "f" else str for name in scored.columns}

    def score(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Score rows of features."""
        features, predictor = self._features(rows), self._predictor
        probability, explanation = predictor.churn(features, np.arange(len(features)).astype(object))
        churn = pd.DataFrame({"churn_probability": probability, "churn_risk_band": predictor.bands.of(probability)})
        secondary = predictor.secondary(features, probability)
        tiers = predictor.loyalty(features, abstain_below=self._abstain_below)
        reasons = explanation.frame(self._reasons).drop(columns=ACCOUNT)
        scored = pd.concat([churn, secondary, tiers, reasons], axis=1)
        # without rows a column of contributions would be taken for texts
        scored = scored.astype({name: np.float64 for name in scored.columns if str(name).startswith("contribution_")})
        if ACCOUNT in rows:
            scored.insert(0, ACCOUNT, rows[ACCOUNT].to_numpy())
        return scored

    def _features(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Take the model's features as numbers."""
        there = {str(name) for name in rows.columns}
        missing = [name for name in self.bundle.feature_names if name not in there]
        problems = [Problem("a feature is missing", name, "build it as in training") for name in missing[:_LISTED]]
        if len(missing) > _LISTED:
            problems.append(Problem("and more features", str(len(missing) - _LISTED), "build them as in training"))
        if problems:
            raise UsageError(problems)
        found = {}
        for name in self.bundle.feature_names:
            try:
                found[name] = rows[name].to_numpy(dtype=np.float64, na_value=np.nan)
            except (TypeError, ValueError):
                problems.append(Problem("a feature is not a number", name, "give numbers; categories as their codes"))
        if problems:
            raise UsageError(problems)
        return pd.DataFrame(found, columns=list(self.bundle.feature_names))
