"""The loyalty tier: an ordinal classifier of cumulative boosters, one for each step of the ladder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from staypower.models.bundle import SealedModel
from staypower.models.settings import Calibration, ModelSettings, Split
from staypower.models.shapley_values import explainer_of
from staypower.models.side_by_side import side_by_side
from staypower.models.tier_prediction import TIER_MODEL, Blend, fit_blend, tier_probabilities
from staypower.models.training import Trained, allows_temporal, train
from staypower.models.training_rows import FitError, TrainingRows, ordered_rows
from staypower.models.tree_classifier import TreeClassifier
from staypower.models.trees import booster_of, raw_scores_of

if TYPE_CHECKING:
    import lightgbm

    from staypower.models.calibration import CalibrationMap

__all__ = ["LoyaltyTierClassifier"]

Floats = NDArray[np.float64]

_MOST_CLASSES = 50


class LoyaltyTierClassifier(TreeClassifier):
    """Predict calibrated probabilities of ordered classes, by default detractor < passive < promoter.

    Parameters
    ----------
    classes_order : sequence or None, default None
        The classes from worst to best. None: as they sort, which is right for detractor, passive and promoter.
    split, embargo_days, calibration, calibration_cutoffs, folds, categorical_features
        As in `ChurnClassifier`; the embargo is the tier horizon. "auto" takes the temporal split when every step of the
        ladder allows it.
    max_trees, patience, num_leaves, max_depth, learning_rate, min_child_samples, l2, feature_fraction, bagging_fraction
        As in `ChurnClassifier`, for each booster. The shape follows from the number of accounts on the rarer side of its step.
    random_state : int, RandomState instance or None, default 0
        Seeds every random choice.
    n_jobs : int or None, default None
        Threads; the model is the same for any number.

    Attributes
    ----------
    classes_ : array, shape (K,)
        The classes from worst to best.
    n_features_in_ : int
    feature_names_in_ : array of str, shape (n_features,)
        Only when X has names.
    categories_ : dict of str to dict of str to int
        Code of each category of each column of X that came as texts. One never seen in `fit` is missing.
    boosters_ : list of lightgbm.Booster, K - 1
        Booster k knows whether the class lies above `classes_[k]`.
    model_texts_ : list of str
        The trees as LightGBM text, equal bytes for equal rows.
    calibrations_ : list of CalibrationMap
        From each booster's raw score to its own probability.
    blend_ : Blend
        From the log-odds of each step by itself to those of all steps together.
    best_iterations_ : list of int
    held_out_losses_ : list of float or None
        Log loss of each uncalibrated booster on rows it had not seen.
    split_ : str
        What stopped and calibrated the trees, in words.
    notes_ : list of str
        What a reader of the results should know.

    Notes
    -----
    K - 1 binary boosters predict P(class > k), the cumulative form of ordinal regression (Frank and Hall 2001): a mistake by
    two steps costs twice, and each booster uses every row. Each is calibrated by a strictly rising map on held-out rows, then
    all together (see `fit_blend`), since steps that are right one by one need not be right about the classes between them.
    Where two still contradict each other they change places (see `tier_probabilities`), so cumulative probabilities never
    cross.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(600, 3))
    >>> tier = np.array(["detractor", "passive", "promoter"])[np.digitize(X[:, 0] + rng.normal(size=600) / 2, [-0.5, 0.5])]
    >>> model = LoyaltyTierClassifier(max_trees=50).fit(X, tier, accounts=np.arange(600) // 2)
    >>> model.classes_.tolist()
    ['detractor', 'passive', 'promoter']
    >>> bool(np.allclose(model.predict_proba(X).sum(axis=1), 1))
    True
    """

    def __init__(
        self,
        classes_order: Sequence[Any] | None = None,
        *,
        split: Split = "auto",
        embargo_days: float | None = None,
        calibration: Calibration = "auto",
        calibration_cutoffs: int | None = None,
        folds: int = 5,
        categorical_features: Sequence[str] | Sequence[int] | None = None,
        max_trees: int | None = None,
        patience: int = 50,
        num_leaves: int | None = None,
        max_depth: int | None = None,
        learning_rate: float | None = None,
        min_child_samples: int | None = None,
        l2: float | None = None,
        feature_fraction: float | None = None,
        bagging_fraction: float | None = None,
        random_state: int | np.random.RandomState | None = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.classes_order = classes_order
        self.split = split
        self.embargo_days = embargo_days
        self.calibration = calibration
        self.calibration_cutoffs = calibration_cutoffs
        self.folds = folds
        self.categorical_features = categorical_features
        self.max_trees = max_trees
        self.patience = patience
        self.num_leaves = num_leaves
        self.max_depth = max_depth
        self.learning_rate = learning_rate
        self.min_child_samples = min_child_samples
        self.l2 = l2
        self.feature_fraction = feature_fraction
        self.bagging_fraction = bagging_fraction
        self.random_state = random_state
        self.n_jobs = n_jobs

    @classmethod
    def from_settings(
        cls,
        settings: ModelSettings,
        *,
        classes_order: Sequence[Any] | None = None,
        embargo_days: float | None = None,
        categorical_features: Sequence[str] | None = None,
    ) -> Self:
        """Build the estimator that the settings describe.

        Parameters
        ----------
        settings : ModelSettings
        classes_order : sequence or None, default None
        embargo_days : float or None, default None
            The tier horizon.
        categorical_features : sequence of str or None, default None

        Returns
        -------
        LoyaltyTierClassifier

        Examples
        --------
        >>> LoyaltyTierClassifier.from_settings(ModelSettings(max_trees=300), embargo_days=90)
        LoyaltyTierClassifier(embargo_days=90, max_trees=300)
        """
        return cls(
            classes_order=classes_order,
            **cls._parameters_of(settings),
            embargo_days=embargo_days,
            categorical_features=categorical_features,
        )

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        cutoffs: ArrayLike | None = None,
        accounts: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Grow, stop and calibrate one booster for each step of the ladder.

        Parameters
        ----------
        X : array, or pandas, polars or Arrow table, of float, shape (n, k)
            One row per account and cutoff that answered; NaN is missing.
        y : array, shape (n,)
            Classes of any type.
        cutoffs : array of int64 or datetime, shape (n,), optional
        accounts : array, shape (n,), optional
            Account of each row. Without them every row is its own account.
        sample_weight : array of float, shape (n,), optional

        Returns
        -------
        LoyaltyTierClassifier
            Itself.

        Raises
        ------
        FitError
            A `UsageError` and `ValueError`: one class, a class that is not in the order, settings out of bounds.
        """
        settings = self._settings()
        features, given, weights, categorical = self._checked(X, y, sample_weight)
        self.classes_, ranks = _ranked(given, weights, self.classes_order)
        rows = ordered_rows(features, ranks, weights, accounts=accounts, cutoffs=cutoffs)
        steps = [replace(rows, labels=(rows.labels > step).astype(np.int8)) for step in range(len(self.classes_) - 1)]
        if settings.split == "auto" and not all(allows_temporal(s, settings, embargo_days=self.embargo_days) for s in steps):
            # One split for the whole ladder: steps calibrated on other rows would contradict each other more often.
            settings = settings.model_copy(update={"split": "grouped"})
        jobs = [partial(train, step, settings, embargo_days=self.embargo_days, categorical=categorical) for step in steps]
        trained = side_by_side(jobs, threads=settings.threads or 0)
        self.model_texts_ = [each.text for each in trained]
        self.boosters_: list[lightgbm.Booster] = [booster_of(text) for text in self.model_texts_]
        self._growers = [each.grower for each in trained]
        self.calibrations_: list[CalibrationMap] = [each.calibration for each in trained]
        self.best_iterations_ = [booster.num_trees() for booster in self.boosters_]
        self.blend_: Blend = _blend(rows, trained)
        self.held_out_losses_ = [each.held_out_loss for each in trained]
        self.split_ = "; ".join(dict.fromkeys(each.split for each in trained))
        self.notes_ = [
            f"above {name}: {note}" for name, each in zip(self.classes_, trained, strict=False) for note in each.notes
        ]
        return self

    def raw_scores(self, X: ArrayLike) -> Floats:
        """Return the raw score of each booster: uncalibrated log-odds, what its contributions add up to.

        Parameters
        ----------
        X : array, or pandas, polars or Arrow table, of float, shape (n, k)

        Returns
        -------
        array of float, shape (n, K - 1)
        """
        features = self._features(X)
        threads = self._threads()
        return np.column_stack([raw_scores_of(booster, features, threads=threads) for booster in self.boosters_])

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Return the calibrated probability of each class.

        Parameters
        ----------
        X : array, or pandas, polars or Arrow table, of float, shape (n, k)

        Returns
        -------
        array of float, shape (n, K)
            In the order of `classes_`; each row sums to 1.
        """
        raw = self.raw_scores(X)
        own = [calibration.log_odds(raw[:, step]) for step, calibration in enumerate(self.calibrations_)]
        return tier_probabilities(self.blend_.above(np.column_stack(own)))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable class of each row, as scikit-learn asks of a classifier; of equal ones the worse.

        Scores tell the median of the ordered probabilities instead: `tell_tiers(model.predict_proba(X))`.

        Parameters
        ----------
        X : array, or pandas, polars or Arrow table, of float, shape (n, k)

        Returns
        -------
        array, shape (n,)
            Values of `classes_`.
        """
        likely = self.predict_proba(X)
        return np.asarray(self.classes_[likely.argmax(axis=1)])

    def contributions(self, X: ArrayLike) -> tuple[Floats, Floats]:
        """Return what each feature adds to each booster's raw score: exact TreeSHAP.

        Parameters
        ----------
        X : array, or pandas, polars or Arrow table, of float, shape (n, k)

        Returns
        -------
        array of float, shape (K - 1, n, k)
            In log-odds of the raw score of lying above `classes_[step]`.
        array of float, shape (K - 1,)
            The bases: base + sum of a row's contributions = its raw score, to 1e-6.
        """
        features = self._features(X)
        found = [explainer_of(text).explain(features, threads=self._threads()) for text in self.model_texts_]
        return np.stack([each.contributions for each in found]), np.array([each.base for each in found])

    @property
    def feature_importances_(self) -> Floats:
        """Share of the fall in training loss that each feature brought, averaged over the boosters."""
        check_is_fitted(self)
        gains = np.array([booster.feature_importance("gain") for booster in self.boosters_], dtype=np.float64)
        totals = gains.sum(axis=1, keepdims=True)
        mean: Floats = np.divide(gains, totals, out=np.zeros_like(gains), where=totals > 0).mean(axis=0)
        return mean

    def to_secondary_models(self, *, metadata: Mapping[str, Any] | None = None) -> dict[str, SealedModel]:
        """Give each booster with its calibration, to be sealed into the churn model's bundle.

        Parameters
        ----------
        metadata : mapping, optional
            What the reader should find in each, JSON-able, besides `classes`, `above`, `split` and `blend`.

        Returns
        -------
        dict of str to SealedModel
            `tier_above_0`, `tier_above_1`, ...; `predict_tiers` turns them into probabilities.
        """
        check_is_fitted(self)
        classes = [str(name) for name in self.classes_]
        return {
            TIER_MODEL.format(step): SealedModel(
                text,
                calibration,
                self._names(),
                {
                    **(metadata or {}),
                    "classes": classes,
                    "above": classes[step],
                    "split": self.split_,
                    "blend": self.blend_.step(step),
                },
            )
            for step, (text, calibration) in enumerate(zip(self.model_texts_, self.calibrations_, strict=True))
        }


def _blend(rows: TrainingRows, trained: list[Trained]) -> Blend:
    """Fit the blend where every step has held-out scores; else keep each as it is."""
    raw = [each.held_out_raw for each in trained if each.held_out_raw is not None]
    held = np.isfinite(raw).all(axis=0) if len(raw) == len(trained) > 1 else np.zeros(len(rows), dtype=bool)
    if not held.any():
        return Blend.apart(len(trained))
    own = np.column_stack([each.calibration.log_odds(scores[held]) for each, scores in zip(trained, raw, strict=True)])
    return fit_blend(own, rows.labels[held], None if rows.weights is None else rows.weights[held])


def _ranked(given: NDArray[Any], weights: Floats | None, order: Sequence[Any] | None) -> tuple[NDArray[Any], NDArray[np.int8]]:
    """Return the classes from worst to best, and each row's place among them."""
    counted = given if weights is None else given[weights > 0]
    found = np.unique(counted)
    if len(found) < 2:
        value = f"all {len(counted)} rows are labelled {found[0]!r}" if len(found) else "every row has weight 0"
        raise FitError.of("one class only, cannot train", value, "use more cutoffs or a longer tier horizon")
    if len(found) > _MOST_CLASSES:
        raise FitError.of("too many classes for a ladder", f"{len(found)}", f"give at most {_MOST_CLASSES}")
    if order is None:
        return found, np.searchsorted(found, given).clip(0, len(found) - 1).astype(np.int8)
    listed = list(order)
    if len(set(listed)) != len(listed):
        raise FitError.of("a class is given twice in `classes_order`", str(listed), "name each class once, from worst to best")
    strange = [repr(label) for label in found.tolist() if label not in listed]
    if strange:
        raise FitError.of("classes that are not in `classes_order`", ", ".join(strange), "name every class, from worst to best")
    unseen = [repr(label) for label in listed if label not in found.tolist()]
    if unseen:
        fix = "use more cutoffs or a longer tier horizon, or leave it out of `classes_order`"
        raise FitError.of("no row of a class", ", ".join(unseen), fix)
    place = {label: number for number, label in enumerate(listed)}
    # rows of weight 0 may have other labels: they are dropped before training
    return np.asarray(listed, dtype=given.dtype), np.array([place.get(label, 0) for label in given.tolist()], dtype=np.int8)
