"""The churn model: a scikit-learn classifier over LightGBM, early-stopped on held-out accounts or cutoffs and calibrated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from staypower.hashing import folds_of
from staypower.models.bundle import FOLD, Accounts, Bundle, explain_by_fold, fold_models, score_by_fold
from staypower.models.calibration import shift_map
from staypower.models.settings import Calibration, ModelSettings, Refit, Split
from staypower.models.shapley_values import explain_on_margin, mean_sizes
from staypower.models.training import train
from staypower.models.training_rows import ordered_rows, two_classes
from staypower.models.tree_classifier import TreeClassifier
from staypower.models.trees import booster_of, on_margin, raw_scores_of

if TYPE_CHECKING:
    import lightgbm
    from sklearn.utils import Tags

    from staypower.models.calibration import CalibrationMap
    from staypower.models.margin import LinearMargin

__all__ = ["ChurnClassifier"]

Floats = NDArray[np.float64]


class ChurnClassifier(TreeClassifier):
    """Predict the calibrated probability of the second class, by default 1: churned.

    Parameters
    ----------
    split : {"auto", "temporal", "grouped"}, default "auto"
        What calibrates the trees. "temporal": the latest cutoffs, an embargo apart. "grouped": cross-fitting over accounts.
        "auto": temporal when `embargo_days` is given, the trees keep at least half of the cutoffs, 3 of them and 100 accounts
        of each class, and the later cutoffs have 200 of each class; else grouped.
    embargo_days : float or None, default None
        Gap + horizon + grace: rows whose cutoff lies less than this before the first calibration cutoff are not used by the
        temporal split, which is refused without it: outcomes of one account that overlap on both sides hide overfitting.
    calibration : {"auto", "sigmoid", "beta", "temperature"}, default "auto"
        The calibration map, strictly rising; "auto" takes the simplest unless another is better by more than chance.
    calibration_cutoffs : int or None, default None
        How many of the latest cutoffs calibrate in the temporal split. None: one in six.
    refit : {"all", "training", "none"} or bool, default "training"
        "none" (or False) keeps the trees of the earlier cutoffs where later ones calibrate; else the final trees are refitted
        on all rows. An estimator has no test: "all" is "training" here.
    folds : int, default 5
        Folds of the cross-fitting, 2 to 20.
    margin : bool, default True
        Whether trees may start from a linear margin, which is taken where it lowers the held-out log loss clearly.
    categorical_features : sequence of str or int, or None, default None
        Columns that hold category codes (whole numbers from 0, NaN missing) or texts; not needed for a categorical type.
    max_trees : int or None, default None
        Most trees. None: 1000, and 4000 where the held-out loss still falls there. Larger shapes are tried only with None.
    patience : int, default 50
        Stop when the held-out log loss has not fallen for this many trees.
    num_leaves, max_depth, min_child_samples : int or None, default None
        Shape of the trees. None: by the number of churners, see `TreeShape.by_evidence`.
    learning_rate, l2, feature_fraction, bagging_fraction : float or None, default None
        Restraint of the trees. None: by the number of churners.
    random_state : int, RandomState instance or None, default 0
    n_jobs : int or None, default None
        Threads. None: all cores for large data, one for small; -1: all cores. The model is the same for any number.

    Attributes
    ----------
    classes_ : array, shape (2,)
        The two labels; the second is the one whose probability is the churn probability.
    n_features_in_ : int
    feature_names_in_ : array of str, shape (n_features,)
        Only when X has names.
    categories_ : dict of str to dict of str to int
        Code of each category of each column of X that came as texts. One never seen in `fit` is missing.
    booster_, model_text_ : lightgbm.Booster and str
        The trees, with feature names f0, f1, ...; the text has equal bytes for equal rows.
    margin_ : LinearMargin or None
        The linear margin that the trees start from; None where trees alone are as good.
    folds_ : tuple of SealedModel
        Trees that saw no account of their fold, when `fit` was to keep them; else empty.
    calibration_ : CalibrationMap
        From raw score to probability.
    best_iteration_ : int
        Number of trees.
    held_out_loss_ : float or None
        Log loss of the uncalibrated trees on rows they had not seen.
    split_, notes_ : str and list of str
        How tree count and calibration were found, and what a reader of the results should know.
    lacking_ : str
        Why there is too little to trust the model with, such as fewer than 20 accounts of the rarer label; else empty.

    Notes
    -----
    The order of the input does not change the model. Rows of weight 0 are left out. Every row counts once unless weighted: an
    account at twelve cutoffs is twelve chances to leave; folds never split an account.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 3))
    >>> y = (X[:, 0] + rng.normal(size=400) > 0).astype(int)
    >>> model = ChurnClassifier(max_trees=50).fit(X, y, accounts=np.arange(400) // 2)
    >>> probability = model.predict_proba(X)[:, 1]
    >>> bool(probability[y == 1].mean() > probability[y == 0].mean())
    True
    >>> model.split_
    'grouped: tree count and calibration from 5-fold cross-fitting, no account on both sides of a fold; final trees
    refitted on all 400 rows'
    """

    def __init__(
        self,
        *,
        split: Split = "auto",
        embargo_days: float | None = None,
        calibration: Calibration = "auto",
        calibration_cutoffs: int | None = None,
        refit: Refit | bool = "training",
        folds: int = 5,
        margin: bool = True,
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
        self.split = split
        self.embargo_days = embargo_days
        self.calibration = calibration
        self.calibration_cutoffs = calibration_cutoffs
        self.refit = refit
        self.folds = folds
        self.margin = margin
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
        embargo_days: float | None = None,
        calibration_cutoffs: int | None = None,
        categorical_features: Sequence[str] | None = None,
    ) -> Self:
        """Build the estimator that the settings describe.

        Parameters
        ----------
        settings : ModelSettings
        embargo_days : float or None, default None
            Gap + horizon + grace of the label.
        calibration_cutoffs : int or None, default None
            How many of the latest cutoffs calibrate in the temporal split.
        categorical_features : sequence of str or None, default None

        Returns
        -------
        ChurnClassifier
        """
        return cls(
            **cls._parameters_of(settings),
            embargo_days=embargo_days,
            calibration_cutoffs=calibration_cutoffs,
            categorical_features=categorical_features,
        )

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn what the estimator takes: two classes, missing values."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        cutoffs: ArrayLike | None = None,
        accounts: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        keep_folds: bool = False,
    ) -> Self:
        """Grow the trees, choose their number and fit the calibration map.

        Parameters
        ----------
        X : array, or pandas, polars or Arrow table, of float, shape (n, k)
            One row per account and cutoff; NaN is missing.
        y : array, shape (n,)
            Two labels of any type.
        cutoffs : array of int64 or datetime, shape (n,), optional
            Instants (microseconds UTC) or times. Without them, and without `embargo_days`, the split is grouped.
        accounts : array, shape (n,), optional
            Account of each row. Without them every row is its own account.
        sample_weight : array of float, shape (n,), optional
        keep_folds : bool, default False
            Whether cross-fitting deals accounts by a hash of their id and `folds_` keeps its trees. It needs `accounts`.

        Returns
        -------
        ChurnClassifier
            Itself.

        Raises
        ------
        FitError
            A `UsageError` and `ValueError`: one class, codes that are not codes, settings out of bounds.
        """
        settings = self._settings()
        features, given, weights, categorical = self._checked(X, y, sample_weight)
        self.classes_, labels = two_classes(given, weights)
        folds = folds_of([str(each) for each in np.asarray(accounts)], settings.folds) if keep_folds else None
        rows = ordered_rows(features, labels, weights, accounts=accounts, cutoffs=cutoffs, folds=folds)
        trained = train(rows, settings, embargo_days=self.embargo_days, categorical=categorical)
        self.model_text_ = trained.text
        self.booster_: lightgbm.Booster = booster_of(trained.text)
        self.margin_: LinearMargin | None = trained.margin
        self.folds_ = fold_models(trained.fold_trees, self._names())
        if trained.margin is not None:
            self.sizes_ = mean_sizes(trained.text, trained.margin, rows.features)
        self.calibration_: CalibrationMap = trained.calibration
        self.best_iteration_: int = self.booster_.num_trees()
        self.held_out_loss_ = trained.held_out_loss
        self.split_ = trained.split
        self.notes_ = list(trained.notes)
        self.lacking_ = trained.lacking
        self._grower, self._trees = trained.grower, self.best_iteration_
        return self

    def correct_odds(self, log_odds: float) -> Self:
        """Move the calibration map to make up for rows of one class that were left out of training at random.

        Parameters
        ----------
        log_odds : float
            Added to the calibrated log-odds: log(q) where a share q of the first class's rows was kept.

        Returns
        -------
        ChurnClassifier
            Itself. The trees, and so the raw score and its reasons, stay as they are; no two rows change places.
        """
        check_is_fitted(self)
        self.calibration_ = shift_map(self.calibration_, log_odds)
        return self

    def raw_score(self, X: ArrayLike, accounts: Accounts | None = None) -> Floats:
        """Return the raw score: uncalibrated log-odds, what the contributions add up to.

        Parameters
        ----------
        X : array, or pandas, polars or Arrow table, of float, shape (n, k)
        accounts : sequence of str, shape (n,), optional
            Ids: where there are `folds_`, each row is scored by the trees that never saw its account.

        Returns
        -------
        array of float, shape (n,)
        """
        features = self._features(X)
        if self.folds_ and accounts is not None:
            return score_by_fold(self.folds_, features, accounts, threads=self._threads())
        return on_margin(self.margin_, features, raw_scores_of(self.booster_, features, threads=self._threads()))

    def decision_function(self, X: ArrayLike) -> Floats:
        """Return the calibrated log-odds of the second class: above 0 where `predict` gives it.

        Parameters
        ----------
        X : array, or pandas, polars or Arrow table, of float, shape (n, k)

        Returns
        -------
        array of float, shape (n,)
        """
        raw = self.raw_score(X)
        return self.calibration_.log_odds(raw)

    def predict_proba(self, X: ArrayLike, accounts: Accounts | None = None) -> Floats:
        """Return the calibrated probabilities of both classes.

        Parameters
        ----------
        X : array, or pandas, polars or Arrow table, of float, shape (n, k)
        accounts : sequence of str, shape (n,), optional
            As in `raw_score`.

        Returns
        -------
        array of float, shape (n, 2)
            In the order of `classes_`.
        """
        raw = self.raw_score(X, accounts)
        churned = self.calibration_.apply(raw)
        return np.column_stack([1.0 - churned, churned])

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the likelier label of each row.

        Parameters
        ----------
        X : array, or pandas, polars or Arrow table, of float, shape (n, k)

        Returns
        -------
        array, shape (n,)
            Values of `classes_`.
        """
        log_odds = self.decision_function(X)
        return np.asarray(self.classes_[(log_odds > 0).astype(np.intp)])

    def contributions(self, X: ArrayLike, accounts: Accounts | None = None) -> tuple[Floats, float | Floats]:
        """Return what each feature adds to each row's raw score: exact TreeSHAP, and the part of the linear margin.

        Parameters
        ----------
        X : array, or pandas, polars or Arrow table, of float, shape (n, k)
        accounts : sequence of str, shape (n,), optional
            As in `raw_score`.

        Returns
        -------
        array of float, shape (n, k)
            In log-odds of the raw score.
        float or array of float, shape (n,)
            The base, of each row when folds score them: base + sum of a row's contributions = its raw score, to 1e-6.
        """
        features = self._features(X)
        if self.folds_ and accounts is not None:
            found = explain_by_fold(self.folds_, features, accounts, threads=self._threads())
        else:
            found = explain_on_margin(self.model_text_, self.margin_, features, threads=self._threads())
        return found.contributions, found.base

    @property
    def feature_importances_(self) -> Floats:
        """Share of the fall in training loss, with a margin of the contributions' sizes; sums to 1, or all 0 without splits."""
        check_is_fitted(self)
        alone = self.margin_ is None
        gains = np.asarray(self.booster_.feature_importance("gain"), dtype=np.float64) if alone else self.sizes_
        total = gains.sum()
        return gains / total if total > 0 else gains

    def to_bundle(
        self,
        *,
        categories: Mapping[str, Mapping[str, int]] | None = None,
        learned: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        card: str = "",
    ) -> Bundle:
        """Seal what scoring needs into a bundle.

        Parameters
        ----------
        categories : mapping of str to mapping of str to int, optional
            Codes of each categorical feature that was not learned from texts in `fit`.
        learned, metadata : mapping, optional
            Learned definitions, and what the reader should find: both JSON-able.
        card : str, default ""

        Returns
        -------
        Bundle
            Predicts bit for bit what the estimator predicts.
        """
        check_is_fitted(self)
        return Bundle(
            model_text=self.model_text_,
            calibration=self.calibration_,
            feature_names=self._names(),
            categories={**self.categories_, **(categories or {})},
            learned=learned or {},
            metadata=metadata or {},
            card=card,
            margin=self.margin_,
            secondary={FOLD.format(number): fold for number, fold in enumerate(self.folds_)},
        )
