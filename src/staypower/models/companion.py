"""One more booster in a bundle, and the one way in which a bundle's models take their features."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from staypower.errors import Problem, UsageError
from staypower.models.calibration import CalibrationMap, calibration_from_dict
from staypower.models.model_text import check_model_text
from staypower.models.seal import json_bytes
from staypower.models.shapley.explainer import explainer_of
from staypower.models.trees import booster_of, raw_scores_of

if TYPE_CHECKING:
    import lightgbm

__all__ = ["CompanionModel", "name_problems", "take_features"]

Floats = NDArray[np.float64]

_PARTS = {"calibration", "features", "metadata"}


def name_problems(names: Sequence[object]) -> Iterator[Problem]:
    """Say what makes feature names unusable.

    >>> [problem.value for problem in name_problems(["a", "a"])]
    ["['a', 'a']"]
    """
    if not names or not all(isinstance(name, str) and name for name in names) or len(set(names)) != len(names):
        yield Problem("unusable feature names", str(list(names[:5])), "give every feature a name of its own")


def take_features(X: pd.DataFrame | Floats, names: Sequence[str], *, more: bool = False) -> Floats:
    """Return features in the order in which trees read them.

    >>> take_features(pd.DataFrame({"b": [1.0], "a": [2.0]}), ["a", "b"]).tolist()
    [[2.0, 1.0]]
    """
    if hasattr(X, "columns") and not isinstance(X, pd.DataFrame):  # a polars frame: never take its columns by position
        X = pd.DataFrame({str(name): np.asarray(X[name], dtype=np.float64) for name in X.columns})
    if isinstance(X, pd.DataFrame):
        known = [str(column) for column in X.columns]
        missing = [name for name in names if name not in set(known)]
        extra = [] if more else [name for name in known if name not in set(names)]
        problems = [Problem("a feature is missing", name, "build it as in training") for name in missing[:10]]
        problems += [Problem("a feature the model does not know", name, "leave the column out") for name in extra[:10]]
        if problems:
            raise UsageError(problems)
        X = X.set_axis(known, axis=1)[list(names)].to_numpy(dtype=np.float64, na_value=np.nan)
    features = np.ascontiguousarray(X, dtype=np.float64)
    if features.ndim != 2 or features.shape[1] != len(names):
        raise UsageError.of("wrong shape", str(features.shape), f"give {len(names)} features a row")
    if np.isinf(features).any():
        raise UsageError.of("infinite feature value", f"{int(np.isinf(features).sum())} values", "give a missing value")
    return features


@dataclass(frozen=True)
class CompanionModel:
    """One more booster, sealed in the same folder as the churn model.

    >>> from staypower.models.churn import ChurnClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(200, 2)), columns=["seats", "tickets"])
    >>> model = ChurnClassifier(max_trees=5).fit(X, X["seats"] > 0)
    >>> companion = CompanionModel(model.model_text_, model.calibration_, ("seats", "tickets"))
    >>> bool((companion.predict(X.assign(more=1.0)) == model.predict_proba(X)[:, 1]).all())
    True
    """

    model_text: str  # lightGBM text of the trees, with feature names f0, f1, ...
    calibration: CalibrationMap | None  # from raw score to probability; None: the trees' own, 1 / (1 + exp(-raw))
    # our names of the features, in the order of the trees. They may be fewer than the churn model's, or others
    feature_names: tuple[str, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)  # what its reader needs, JSON-able

    def __post_init__(self) -> None:
        problems = list(name_problems(list(self.feature_names)))
        if problems:
            raise UsageError(problems)
        check_model_text(self.model_text, features=len(self.feature_names))
        object.__setattr__(self, "feature_names", tuple(self.feature_names))
        # A copy as JSON would give it back: what is written is what is read, whatever the caller does to his own.
        object.__setattr__(self, "metadata", json.loads(json_bytes(self.metadata, "metadata of a companion")))

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the trees as JSON-able values."""
        return {
            "calibration": None if self.calibration is None else self.calibration.to_dict(),
            "features": list(self.feature_names),
            "metadata": self.metadata,
        }

    @classmethod
    def from_dict(cls, model_text: str, values: Mapping[str, Any], *, file: str) -> CompanionModel:
        """Build a companion from its checked files."""
        calibration, names, metadata = (values.get(part) for part in sorted(_PARTS))
        fine = set(values) == _PARTS and isinstance(names, list) and isinstance(metadata, dict)
        if not fine or not (calibration is None or isinstance(calibration, dict)):
            raise UsageError.of("unusable bundle", file, "fetch the bundle again or train it anew")
        found = None if calibration is None else calibration_from_dict(calibration)
        return cls(model_text, found, tuple(names or ()), metadata or {})

    @cached_property
    def booster(self) -> lightgbm.Booster:
        """The trees, read when first used."""
        return booster_of(self.model_text)

    def matrix(self, X: pd.DataFrame | Floats) -> Floats:
        """Return the features in the order of the trees; a frame may hold other columns besides."""
        return take_features(X, self.feature_names, more=True)

    def raw_score(self, X: pd.DataFrame | Floats, *, threads: int | None = None) -> Floats:
        """Return the raw score of the trees, in uncalibrated log-odds."""
        features = self.matrix(X)
        if not len(features):
            return np.empty(0)
        return raw_scores_of(self.booster, features, threads=threads)

    def predict(self, X: pd.DataFrame | Floats, *, threads: int | None = None) -> Floats:
        """Return the calibrated probability of each row."""
        raw = self.raw_score(X, threads=threads)
        return np.asarray(expit(raw)) if self.calibration is None else self.calibration.apply(raw)

    def contributions(self, X: pd.DataFrame | Floats, *, threads: int | None = None) -> tuple[Floats, float]:
        """Return what each feature adds to each row's raw score, and the base: exact TreeSHAP."""
        found = explainer_of(self.model_text).explain(self.matrix(X), threads=threads)
        return found.contributions, found.base
