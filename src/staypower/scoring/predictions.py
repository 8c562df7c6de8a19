"""What a sealed model predicts from features: the churn probability with its band and reasons, and the secondary outputs.

Secondary outputs are the kinds of churn, other horizons and the loyalty tier. Those who bring rows of features instead of
tables are served here, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staypower.errors import Problem, UsageError
from staypower.explanation.learned import LeaverReasons, TypicalValues
from staypower.explanation.reasons import Explanation
from staypower.features.catalogue import Catalogue
from staypower.labels.tier_settings import TIERS
from staypower.metrics.risk import twice_the_base_rate
from staypower.models.secondary import horizons_of, kinds_of
from staypower.models.tier_prediction import UNKNOWN, choose_tiers, predict_tiers, tier_models

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staypower.models.bundle import Bundle

__all__ = ["ACCOUNT", "FeatureRowScorer", "Predictor", "RiskBands"]

_NEEDED = ("catalogue", "usual")


@dataclass(frozen=True)
class RiskBands:
    """Bands of churn probability.

    >>> RiskBands(0.1).of(np.array([0.05, 0.1, 0.2, 0.21, np.nan])).tolist()
    ['low', 'medium', 'medium', 'high', None]
    """

    # share of accounts that churned in training, in (0, 1). Low is below it, high above twice it, medium between. Above a base
    # rate of one third twice it would be near certainty: then high begins halfway between the base rate and 1
    # (`metrics.risk.twice_the_base_rate`, which quadrants share)
    base_rate: float

    @property
    def high_above(self) -> float:
        """The probability above which risk is high."""
        return twice_the_base_rate(self.base_rate)

    def of(self, probability: NDArray[np.float64]) -> NDArray[np.object_]:
        """Return the band of each probability, None where it is missing."""
        bands = np.full(len(probability), "medium", dtype=object)
        bands[probability < self.base_rate] = "low"
        bands[probability > self.high_above] = "high"
        bands[np.isnan(probability)] = None
        return bands


@dataclass(frozen=True)
class Predictor:
    """A sealed model with everything that predicting from features needs."""

    bundle: Bundle
    catalogue: Catalogue  # the model's features
    typical: TypicalValues
    leavers: LeaverReasons | None

    @classmethod
    def of(cls, bundle: Bundle) -> Predictor:
        """Read what a bundle holds."""
        missing = [name for name in _NEEDED if name not in bundle.learned]
        missing += [] if "base_rate" in bundle.metadata else ["base_rate"]
        if missing:
            raise UsageError(
                [Problem("the bundle is missing what scoring needs", name, "train the model again") for name in missing]
            )
        return cls(
            bundle,
            Catalogue.from_dict(bundle.learned["catalogue"]),
            TypicalValues.from_dict(bundle.learned["usual"]),
            LeaverReasons.of(bundle.learned),
        )

    @property
    def bands(self) -> RiskBands:
        """The bands of risk."""
        return RiskBands(float(self.bundle.metadata["base_rate"]))

    @property
    def tiers(self) -> tuple[str, ...]:
        """The loyalty tiers that the model predicts, lowest first; empty when it predicts none."""
        names = tier_models(self.bundle.secondary)
        return tuple(map(str, self.bundle.secondary[names[0]].metadata["tiers"])) if names else ()

    def churn(
        self, features: pd.DataFrame, accounts: NDArray[np.object_], *, threads: int | None = None
    ) -> tuple[NDArray[np.float64], Explanation]:
        """Return the churn probability of each row, and what contributes to it."""
        explained = self.bundle.explain(features, threads=threads)
        explanation = Explanation(
            accounts, features, explained.contributions, explained.base, self.catalogue, self.typical, self.leavers
        )
        return self.bundle.calibration.apply(explained.raw_score), explanation

    def secondary(
        self, features: pd.DataFrame, churn_probability: NDArray[np.float64], *, threads: int | None = None
    ) -> pd.DataFrame:
        """Return the kinds of churn and the probabilities of other horizons."""
        parts = (made(self.bundle, features, churn_probability, threads=threads) for made in (kinds_of, horizons_of))
        return pd.concat([part.reset_index(drop=True) for part in parts], axis=1)

    def loyalty(
        self,
        features: pd.DataFrame,
        *,
        previous: NDArray[np.int64] | None = None,
        abstain_below: float = 0.0,
        withheld: NDArray[np.bool_] | None = None,
        threads: int | None = None,
    ) -> pd.DataFrame:
        """Return the tier and the probability of each; without columns when the model predicts no tier."""
        if not self.tiers:
            return pd.DataFrame(index=range(len(features)))
        probabilities = predict_tiers(self.bundle.secondary, features, threads=threads)
        number = choose_tiers(probabilities, previous, abstain_below=abstain_below, withheld=withheld)
        names = np.array([*self.tiers, "unknown"], dtype=object)
        found = pd.DataFrame({"tier": names[np.where(number == UNKNOWN, len(self.tiers), number)]})
        for place, name in enumerate(self.tiers):
            found[f"p_{name}"] = probabilities[:, place]
        return found

    @property
    def quadrant_tiers(self) -> tuple[str, ...]:
        """The tiers that quadrants are made of."""
        return self.tiers or TIERS


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
            problems.append(Problem("more features are missing", str(len(missing) - _LISTED), "build them as in training"))
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
