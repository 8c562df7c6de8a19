"""Score rows of features: what depends on the features alone, for those who bring rows instead of tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staypower.errors import Problem, UsageError
from staypower.explanation.leaver_reasons import LeaverReasons
from staypower.explanation.reasons import Explanation
from staypower.explanation.typical import TypicalValues
from staypower.features.catalogue import Catalogue
from staypower.models.horizons import horizons_of
from staypower.models.kinds import kinds_of
from staypower.models.tier_prediction import UNKNOWN, predict_tiers, settle_tiers, tier_models
from staypower.scoring.bands import RiskBands

if TYPE_CHECKING:
    from staypower.models.bundle import Bundle

__all__ = ["ACCOUNT", "FeatureRowScorer"]

ACCOUNT = "account_id"
_NEEDED = ("catalogue", "usual")


class FeatureRowScorer:
    """Scores rows of features with a sealed model.

    A score that needs more than the features is not given: the status, the quadrant, what was never asked. A tier is not
    held steady against an earlier one. The numbers are bit for bit those of `score_accounts` on the same features.
    """

    def __init__(self, bundle: Bundle, *, reasons: int = 5, abstain_below: float = 0.0) -> None:
        missing = [name for name in _NEEDED if name not in bundle.learned]
        missing += [] if "base_rate" in bundle.metadata else ["base_rate"]
        if missing:
            raise UsageError([Problem("the bundle lacks what scoring needs", name, "train the model anew") for name in missing])
        self.bundle = bundle
        self._reasons = reasons
        self._abstain_below = abstain_below
        self._catalogue = Catalogue.from_dict(bundle.learned["catalogue"])
        self._typical = TypicalValues.from_dict(bundle.learned["usual"])
        self._leavers = LeaverReasons.of(bundle.learned)
        self._bands = RiskBands(float(bundle.metadata["base_rate"]))

    @property
    def example(self) -> pd.DataFrame:
        """One row that is nobody's: every feature at its usual value, missing where most accounts have none."""
        return pd.DataFrame([[self._typical[name] for name in self.bundle.feature_names]], columns=self.bundle.feature_names)

    @property
    def columns(self) -> Mapping[str, type]:
        """Name and type (float or str) of every column that `score` returns, `account_id` left out."""
        scored = self.score(self.example)
        return {str(name): float if scored[name].dtype.kind == "f" else str for name in scored.columns}

    def score(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Score rows of features."""
        features = self._features(rows)
        explained = self.bundle.explain(features)
        probability = self.bundle.calibration.apply(explained.raw_score)
        found = pd.DataFrame({"churn_probability": probability, "churn_risk_band": self._bands.of(probability)})
        beside = [kinds_of(self.bundle, features, probability), horizons_of(self.bundle, features, probability)]
        beside += [self._tiers(features)] if tier_models(self.bundle.secondary) else []
        told = Explanation(
            np.arange(len(features)).astype(object),
            features,
            explained.contributions,
            explained.base,
            catalogue=self._catalogue,
            typical=self._typical,
            leavers=self._leavers,
        )
        reasons = told.frame(self._reasons).drop(columns=ACCOUNT)
        scored = pd.concat([part.reset_index(drop=True) for part in (found, *beside, reasons)], axis=1)
        # without rows a column of contributions would be taken for texts
        scored = scored.astype({name: np.float64 for name in scored.columns if str(name).startswith("contribution_")})
        if ACCOUNT in rows:
            scored.insert(0, ACCOUNT, rows[ACCOUNT].to_numpy())
        return scored

    def _features(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Take the model's features as numbers."""
        there = {str(name) for name in rows.columns}
        missing = [name for name in self.bundle.feature_names if name not in there]
        problems = [Problem("a feature is missing", name, "build it as in training") for name in missing[:10]]
        if len(missing) > 10:
            problems.append(Problem("and more features", str(len(missing) - 10), "build them as in training"))
        if problems:
            raise UsageError(problems)
        found = {}
        for name in self.bundle.feature_names:
            try:
                found[name] = rows[name].to_numpy(dtype=np.float64, na_value=np.nan)
            except (TypeError, ValueError):
                problems.append(Problem("a feature that is no number", name, "give numbers; categories as their codes"))
        if problems:
            raise UsageError(problems)
        return pd.DataFrame(found, columns=list(self.bundle.feature_names))

    def _tiers(self, features: pd.DataFrame) -> pd.DataFrame:
        first = self.bundle.secondary[tier_models(self.bundle.secondary)[0]]
        classes = [str(name) for name in first.metadata["tiers"]]
        probabilities = predict_tiers(self.bundle.secondary, features)
        told = settle_tiers(probabilities, abstain_below=self._abstain_below)
        names = np.array([*classes, "unknown"], dtype=object)
        found = pd.DataFrame({"tier": names[np.where(told == UNKNOWN, len(classes), told)]})
        for number, name in enumerate(classes):
            found[f"p_{name}"] = probabilities[:, number]
        return found
