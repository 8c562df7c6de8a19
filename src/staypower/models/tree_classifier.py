"""What the classifiers share: parameters and input as scikit-learn expects them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, check_random_state, validate_data

from staypower.errors import Problem
from staypower.models.settings import FitSettings, ModelSettings
from staypower.models.training_rows import FitError, categorical_positions, encode, learn_categories

if TYPE_CHECKING:
    from sklearn.utils import Tags

__all__ = ["TreeClassifier"]

Floats = NDArray[np.float64]


class TreeClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The base of the classifiers: its subclasses store the parameters that `FitSettings` names."""

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that missing values are allowed."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    @classmethod
    def _parameters_of(cls, settings: ModelSettings) -> dict[str, Any]:
        """Return the parameters that the settings of a config name, under scikit-learn's names."""
        shared = set(type(settings).model_fields) & set(cls._get_param_names())
        given = settings.model_dump(include=shared)
        if given.get("refit") == "all":  # an estimator knows no test: what is beyond its rows is the caller's
            given["refit"] = "training"
        return {**given, "random_state": settings.seed, "n_jobs": settings.threads}

    def _checked(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
    ) -> tuple[Floats, NDArray[Any], Floats | None, tuple[int, ...]]:
        """Return features, labels and weights as arrays, and the positions of the categorical features."""
        declared = list(self.categorical_features) if self.categorical_features is not None else []
        self.categories_ = learn_categories(X, declared)
        coded = encode(X, self.categories_)
        features, given = validate_data(self, coded, y, dtype=np.float64, ensure_all_finite="allow-nan")
        check_classification_targets(given)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, features, dtype=np.float64, ensure_non_negative=True)
        names = [str(name) for name in getattr(self, "feature_names_in_", [])]
        return features, given, weights, categorical_positions([*declared, *self.categories_], names, features)

    def _settings(self) -> FitSettings:
        values = {name: getattr(self, name) for name in set(FitSettings.model_fields) & set(self._get_param_names())}
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = int(check_random_state(seed).randint(2**31 - 1))
        try:
            return FitSettings(**values, seed=int(seed), threads=self._threads())
        except ValidationError as error:
            problems = [
                Problem("unusable parameter", f"{problem['loc'][0]} = {problem['input']!r}", problem["msg"])
                for problem in error.errors()
            ]
            raise FitError(problems) from None

    def _threads(self) -> int | None:
        return os.cpu_count() if self.n_jobs == -1 else self.n_jobs

    def _features(self, X: ArrayLike) -> Floats:
        check_is_fitted(self)
        coded = encode(X, self.categories_)
        return np.asarray(validate_data(self, coded, dtype=np.float64, ensure_all_finite="allow-nan", reset=False))

    def _names(self) -> tuple[str, ...]:
        """Our names of the features, f0, f1, ... where they have none."""
        names = getattr(self, "feature_names_in_", [f"f{position}" for position in range(self.n_features_in_)])
        return tuple(str(name) for name in names)
