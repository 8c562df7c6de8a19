"""What a sealed model predicts from features: the churn probability with its band and reasons, and the secondary outputs.

Secondary outputs are the kinds of churn, other horizons and the loyalty tier. Those who bring rows of features instead of
tables are served here, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.errors import Problem, UsageError, readable
from staypower.explanation.learned import LeaverReasons, TypicalValues
from staypower.explanation.reasons import Explanation
from staypower.features.catalogue import Catalogue
from staypower.labels.tier_settings import TIERS, Told
from staypower.metrics.risk import RiskBands, high_risk_above
from staypower.models.bundle import take_features
from staypower.models.secondary import horizons_of, kinds_of
from staypower.models.tier_prediction import UNKNOWN, choose_tiers, predict_tiers, tier_models

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staypower.models.bundle import Bundle

__all__ = ["ACCOUNT", "FeatureRowScorer", "Predictor"]

_NEEDED = ("catalogue", "usual")


@dataclass(frozen=True)
class Predictor:
    """A sealed model with everything that predicting from features needs."""

    bundle: Bundle
    catalogue: Catalogue  # the model's features
    typical: TypicalValues
    leavers: LeaverReasons | None

    @cached_property
    def _of_nobody(self) -> Explanation:
        """An explanation without accounts: it holds what those of all accounts share."""
        features = pd.DataFrame(np.empty((0, len(self.bundle.feature_names))), columns=list(self.bundle.feature_names))
        nobody = np.empty(0, dtype=object), features, features.to_numpy(), 0.0
        return Explanation(*nobody, self.catalogue, self.typical, self.leavers)

    @classmethod
    def of(cls, bundle: Bundle) -> Predictor:
        """Read what a bundle holds."""
        missing = [name for name in _NEEDED if name not in bundle.learned]
        missing += [] if "base_rate" in bundle.metadata else ["base_rate"]
        if missing:
            raise UsageError(
                [Problem("the bundle is missing what scoring needs", name, "train the model again") for name in missing]
            )
        catalogue = Catalogue.of(bundle.learned)
        with readable("learned.json"):
            typical, leavers = TypicalValues.from_dict(bundle.learned["usual"]), LeaverReasons.of(bundle.learned)
            # asked here, before the long work, for what every row needs
            if unknown := set(bundle.feature_names) - set(catalogue.names):
                raise LookupError(f"{min(unknown)} is not described")
            _ = [float(typical[name]) for name in bundle.feature_names]
        return cls(bundle, catalogue, typical, leavers)

    def bands(self, high_above: float | None = None) -> RiskBands:
        """Return the bands of risk; without a threshold high risk begins by the rule of the base rate."""
        base_rate = float(self.bundle.metadata["base_rate"])
        return RiskBands(base_rate, high_risk_above(base_rate) if high_above is None else high_above)

    @cached_property
    def tiers(self) -> tuple[str, ...]:
        """The loyalty tiers that the model predicts, lowest first; empty when it predicts none."""
        names = tier_models(self.bundle.secondary)
        return tuple(map(str, self.bundle.secondary[names[0]].metadata["tiers"])) if names else ()

    def churn(
        self, features: pd.DataFrame, accounts: NDArray[np.object_], *, threads: int | None = None
    ) -> tuple[NDArray[np.float64], Explanation]:
        """Return the churn probability of each row, and what contributes to it; `features` are the model's, in their order."""
        explained = self.bundle.explain(features.to_numpy(dtype=np.float64), accounts, threads=threads)
        explanation = self._of_nobody.of(accounts, features, explained.contributions, explained.base)
        return self.bundle.calibration.apply(explained.raw_score), explanation

    def secondary(
        self, features: pd.DataFrame, churn_probability: NDArray[np.float64], *, threads: int | None = None
    ) -> dict[str, NDArray[np.float64]]:
        """Return the kinds of churn and the probabilities of other horizons, by column."""
        X = self._read_by_others(features)
        kinds = kinds_of(self.bundle, X, churn_probability, threads=threads)
        return kinds | horizons_of(self.bundle, X, churn_probability, threads=threads)

    def _read_by_others(self, features: pd.DataFrame) -> pd.DataFrame | NDArray[np.float64]:
        """Return the features as the secondary models read them: one array where all read what the churn model does."""
        return np.ascontiguousarray(features.to_numpy(dtype=np.float64)) if self._alike else features

    @cached_property
    def _alike(self) -> bool:
        return all(model.feature_names == self.bundle.feature_names for model in self.bundle.secondary.values())

    def loyalty(
        self,
        features: pd.DataFrame,
        *,
        previous: NDArray[np.int64] | None = None,
        told: Told = "median",
        abstain_below: float = 0.0,
        withheld: NDArray[np.bool_] | None = None,
        threads: int | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Return the tier and the probability of each, by column; nothing when the model predicts no tier."""
        tiers = self.tiers
        if not tiers:
            return {}
        probabilities = predict_tiers(self.bundle.secondary, self._read_by_others(features), threads=threads)
        number = choose_tiers(probabilities, previous, told=told, abstain_below=abstain_below, withheld=withheld)
        names = np.array([*tiers, "unknown"], dtype=object)
        each = {f"p_{name}": probabilities[:, place] for place, name in enumerate(tiers)}
        return {"tier": names[np.where(number == UNKNOWN, len(tiers), number)], **each}

    @property
    def quadrant_tiers(self) -> tuple[str, ...]:
        """The tiers that quadrants are made of."""
        return self.tiers or TIERS


ACCOUNT = "account_id"
_WHY_ACCOUNTS = "each account is scored by trees that never saw its outcome"


class FeatureRowScorer:
    """Scores rows of features with a sealed model.

    Columns that need more than the features are missing: the status, the quadrant, whether an account was ever invited. Tiers
    are not compared with earlier ones. The numbers are bit for bit those of a `Scorer` on the same features.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        reasons: int = 5,
        told: Told = "median",
        abstain_below: float = 0.0,
        high_above: float | None = None,
    ) -> None:
        self.bundle = bundle
        self._reasons = reasons
        self._told: Told = told
        self._abstain_below = abstain_below
        self._predictor = Predictor.of(bundle)
        self._bands = self._predictor.bands(high_above)

    @property
    def example(self) -> pd.DataFrame:
        """One row of no account: every feature at its typical value, missing where most accounts have none."""
        typical = self._predictor.typical
        example = pd.DataFrame([[typical[name] for name in self.bundle.feature_names]], columns=self.bundle.feature_names)
        return example.assign(**{ACCOUNT: ""}) if self.bundle.folds else example

    @property
    def columns(self) -> Mapping[str, type]:
        """Name and type (float or str) of every column that `score` returns, without `account_id`."""
        scored = self.score(self.example).drop(columns=ACCOUNT, errors="ignore")
        return {str(name): float if scored[name].dtype.kind == "f" else str for name in scored.columns}

    def score(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Score rows of features."""
        features, predictor = self._features(rows), self._predictor
        probability, explanation = predictor.churn(features, self._accounts(rows))
        churn = {"churn_probability": probability, "churn_risk_band": self._bands.of(probability)}
        secondary = predictor.secondary(features, probability)
        tiers = predictor.loyalty(features, told=self._told, abstain_below=self._abstain_below)
        scored = pd.DataFrame(churn | secondary | tiers | explanation.columns(self._reasons))
        # without rows a column of contributions would be taken for texts
        numbers = [name for name in scored.columns if str(name).startswith(("contribution_", "total_"))]
        scored = scored.astype(dict.fromkeys(numbers, np.float64))
        if ACCOUNT in rows:
            scored.insert(0, ACCOUNT, rows[ACCOUNT].to_numpy())
        return scored

    def _accounts(self, rows: pd.DataFrame) -> NDArray[np.object_]:
        """Take the accounts; a model of folds needs them, others score rows of nobody too."""
        if ACCOUNT in rows:
            if self.bundle.folds and rows[ACCOUNT].isna().any():
                blank = f"{int(rows[ACCOUNT].isna().sum())} of {len(rows)} rows"
                raise UsageError.of("rows without an account", blank, f"fill `{ACCOUNT}`: {_WHY_ACCOUNTS}")
            known = rows[ACCOUNT].dropna()
            if not all(isinstance(one, str) for one in known):
                fix = "give ids as text, as the tables have them"
                raise UsageError.of("an account id is not text", f"column `{ACCOUNT}`", fix)
            return rows[ACCOUNT].to_numpy(dtype=object)
        if self.bundle.folds:
            raise UsageError.of("rows without an account", f"no column `{ACCOUNT}`", f"add it: {_WHY_ACCOUNTS}")
        return np.arange(len(rows)).astype(object)

    def _features(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Take the model's features as numbers."""
        names = self.bundle.feature_names
        return pd.DataFrame(take_features(rows, names), columns=list(names))
