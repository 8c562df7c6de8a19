"""The logistic regression that a model is compared with, on the same features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from staypower.errors import UsageError, nearest
from staypower.metrics.probability import log_loss
from staypower.models.side_by_side import one_blas_thread

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

__all__ = ["logistic_baseline", "require_fitting_rows"]

_STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)
_FOLDS = 3
_CHOOSING_ROWS = 10_000
_SKEWED = 2.0
_FEWEST_ROWS = 20
_WIDEST = 6.0


def logistic_baseline(
    X_train: pd.DataFrame,
    y_train: ArrayLike,
    X_test: pd.DataFrame,
    categorical: Sequence[str] = (),
    *,
    accounts: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Predict churn with a regularised logistic regression.

    Everything is fitted on the training rows: missing numbers become the median and get an indicator; columns with an absolute
    skewness above 2 are passed through ``sign(x) log(1 + |x|)``; all are standardised and clipped at 6 deviations; codes that
    occur in at least 20 rows become indicators. The L2 strength is the best of five by log loss over three folds of whole
    accounts, on about 10,000 evenly spaced rows. Nothing is random.

    >>> import pandas as pd
    >>> X = pd.DataFrame({"silence": [1.0, 2, 3, 10, 11, 12], "plan": [0.0, 0, 1, 1, 0, 1]})
    >>> risk = logistic_baseline(X, [0, 0, 0, 1, 1, 1], X, ["plan"])
    >>> bool(risk[5] > risk[0])
    True
    """
    churned = np.asarray(y_train, dtype=np.float64)
    require_fitting_rows(X_train, churned, X_test, categorical)
    groups = np.unique(np.asarray(accounts), return_inverse=True)[1] if accounts is not None else np.arange(len(churned))
    weight = np.ones(len(churned)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    design, inputs = _Design.fit(X_train, categorical)
    # one thread: same bits on any machine, and for such small products waiting threads cost more than they save
    with one_blas_thread():
        model = _unfitted(C=_chosen_strength(inputs, churned, weight, groups)).fit(inputs, churned, sample_weight=weight)
        return np.asarray(model.predict_proba(design.apply(X_test))[:, 1], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class _Design:
    """How columns become inputs, fitted on the training rows alone."""

    numbers: tuple[str, ...]
    medians: NDArray[np.float64]
    skewed: NDArray[np.bool_]
    indicated: tuple[int, ...]
    codes: tuple[tuple[str, NDArray[np.float64]], ...]
    means: NDArray[np.float64]
    deviations: NDArray[np.float64]

    @classmethod
    def fit(cls, X: pd.DataFrame, categorical: Sequence[str]) -> tuple[_Design, NDArray[np.float64]]:
        """Return the design and the inputs of its own rows."""
        numbers = tuple(str(name) for name in X if name not in set(categorical) and np.isfinite(X[name]).any())
        values = _finite(X, numbers)
        medians = np.nanmedian(values, axis=0) if len(numbers) else np.empty(0)
        missing = np.isnan(values)
        filled = np.where(missing, medians, values)
        seen: set[bytes] = set()
        indicated = []
        for at in np.flatnonzero(missing.any(axis=0)):
            # columns of one table are missing together: one indicator is enough for all of them
            pattern = np.packbits(missing[:, at]).tobytes()
            if pattern not in seen:
                seen.add(pattern)
                indicated.append(int(at))
        codes = tuple((name, _frequent(X[name].to_numpy(dtype=np.float64))) for name in categorical)
        nothing = np.empty(0)
        draft = cls(numbers, medians, _skewness(filled) > _SKEWED, tuple(indicated), codes, nothing, nothing)
        raw = draft._raw(X)
        deviations = raw.std(axis=0)
        deviations[deviations < 1e-12] = np.inf
        design = cls(numbers, medians, draft.skewed, draft.indicated, codes, raw.mean(axis=0), deviations)
        return design, design._standardised(raw)

    def apply(self, X: pd.DataFrame) -> NDArray[np.float64]:
        return self._standardised(self._raw(X))

    def _standardised(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        inputs: NDArray[np.float64] = np.clip((raw - self.means) / self.deviations, -_WIDEST, _WIDEST)
        return inputs

    def _raw(self, X: pd.DataFrame) -> NDArray[np.float64]:
        values = _finite(X, self.numbers)
        missing = np.isnan(values)
        filled = np.where(missing, self.medians, values)
        filled[:, self.skewed] = np.sign(filled[:, self.skewed]) * np.log1p(np.abs(filled[:, self.skewed]))
        kinds = [_indicators(X[name].to_numpy(dtype=np.float64), codes) for name, codes in self.codes]
        raw: NDArray[np.float64] = np.hstack([filled, missing[:, list(self.indicated)], *kinds])
        return raw


def _finite(X: pd.DataFrame, numbers: Sequence[str]) -> NDArray[np.float64]:
    values = X[list(numbers)].to_numpy(dtype=np.float64)
    finite: NDArray[np.float64] = np.where(np.isfinite(values), values, np.nan)
    return finite


def _frequent(codes: NDArray[np.float64]) -> NDArray[np.float64]:
    found, counts = np.unique(codes, return_counts=True)
    kept: NDArray[np.float64] = found[counts >= min(_FEWEST_ROWS, len(codes) // 4)]
    return kept


def _indicators(values: NDArray[np.float64], codes: NDArray[np.float64]) -> NDArray[np.float64]:
    same: NDArray[np.bool_] = (values[:, None] == codes) | (np.isnan(values)[:, None] & np.isnan(codes))
    return same.astype(np.float64)


def _skewness(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = values - values.mean(axis=0)
    squared = centred * centred
    spread = np.sqrt(squared.mean(axis=0))
    # a product of three: `centred**3` takes forty times as long
    cubed = np.multiply(squared, centred, out=squared).mean(axis=0)
    skewness: NDArray[np.float64] = np.divide(cubed, spread**3, out=np.zeros(values.shape[1]), where=spread > 1e-12)
    return np.abs(skewness, out=skewness)


def _unfitted(**options: Any) -> LogisticRegression:
    return LogisticRegression(solver="newton-cholesky", max_iter=200, tol=1e-5, **options)


def _chosen_strength(
    inputs: NDArray[np.float64], churned: NDArray[np.float64], weight: NDArray[np.float64], groups: NDArray[np.intp]
) -> float:
    """Return the strength of the smallest log loss over folds of whole accounts, the default 0.1 where folds cannot be made."""
    step = -(-len(np.unique(groups)) // _CHOOSING_ROWS)
    step = max(step, -(-len(churned) // _CHOOSING_ROWS))
    rows = np.flatnonzero(groups % step == 0)
    if len(np.unique(groups[rows])) < 10 * _FOLDS:
        return 0.1
    folds = list(GroupKFold(_FOLDS).split(rows, groups=groups[rows]))
    if any(len(np.unique(churned[rows[train]])) < 2 for train, _ in folds):
        return 0.1
    found = np.empty((len(_STRENGTHS), len(rows)))
    for train, test in folds:
        model, chosen = _unfitted(warm_start=True), rows[train]
        for at, strength in enumerate(_STRENGTHS):
            # a weaker penalty starts where the stronger one ended
            model.set_params(C=strength).fit(inputs[chosen], churned[chosen], sample_weight=weight[chosen])
            found[at, test] = model.predict_proba(inputs[rows[test]])[:, 1]
    losses = [log_loss(churned[rows], each, sample_weight=weight[rows]) for each in found]
    return _STRENGTHS[int(np.argmin(losses))]


def require_fitting_rows(
    X_train: pd.DataFrame, churned: NDArray[np.float64], X_test: pd.DataFrame, categorical: Sequence[str]
) -> None:
    """Refuse rows that no baseline can be fitted to."""
    if list(X_train.columns) != list(X_test.columns):
        raise UsageError.of(
            "training and test differ in columns", len(X_test.columns), "give both the same columns in the same order"
        )
    for name in categorical:
        if name not in X_train:
            raise UsageError.of("no such column", name, nearest(name, [str(column) for column in X_train]))
    if len(np.unique(churned)) < 2 or len(churned) != len(X_train):
        raise UsageError.of(
            "training rows have one class only", f"{len(churned)} rows", "train on rows that churned and that stayed"
        )
