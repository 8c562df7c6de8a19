"""A linear margin under the trees: a logistic regression on signed logs, whose log-odds the trees start from.

Trees are flat outside the range that they saw: an account that has been silent for a year is, to them, like the most silent
of training. A line goes on. It is a sum over features, so what each of them adds is exact.

A value x is read as ``sign(x) log(1 + |x|)``, held within six deviations of training. A missing value adds a number of its own,
and so does every category code that is frequent enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from staypower.errors import UsageError
from staypower.log_odds import expit
from staypower.models.seal import RESTORE
from staypower.models.side_by_side import one_blas_thread

if TYPE_CHECKING:
    from staypower.models.training_rows import TrainingRows

__all__ = ["LinearMargin", "choose_strength", "fit_margin", "signed_log"]

Floats = NDArray[np.float64]

STRENGTHS = (1_000.0, 200.0, 40.0, 8.0)
"""Penalties on half the squared weights, strongest first: of the sum over rows, for features of deviation 1."""

_FOLDS = 3
_CHOOSING_ROWS = 5_000
_MOST_ROWS = 100_000
_FEWEST_OF_A_CODE = 20
_WIDEST = 6.0
_FLAT = 1e-12
_STEPS = 50
_TOLERANCE = 1e-6
_LISTS = ("weight", "shift", "missing", "low", "high")


def signed_log(values: Floats) -> Floats:
    """Return ``sign(x) log(1 + |x|)``.

    >>> signed_log(np.array([-1.0, 0.0, 1.0])).round(3).tolist()
    [-0.693, 0.0, 0.693]
    """
    return np.asarray(np.copysign(np.log1p(np.abs(values)), values))


@dataclass(frozen=True)
class LinearMargin:
    """What each feature adds to the log-odds, and the base: their mean over the training rows.

    >>> margin = LinearMargin(-2.0, (0.5,), (0.0,), (0.3,), (-9.0,), (9.0,))
    >>> margin.raw(np.array([[0.0], [np.e - 1.0], [np.nan]])).tolist()
    [-2.0, -1.5, -1.7]
    """

    base: float
    # of each feature: what a present value x adds is weight * signed_log(x), held between low and high, + shift
    weight: tuple[float, ...]
    shift: tuple[float, ...]
    missing: tuple[float, ...]  # what a missing value adds
    low: tuple[float, ...]
    high: tuple[float, ...]
    # of features that are codes: what each frequent code adds; others add `shift`
    codes: Mapping[int, Mapping[int, float]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.weight)

    def contributions(self, features: Floats) -> Floats:
        """Return what each feature adds to each row."""
        found = np.empty(features.shape)
        for at in range(features.shape[1]):
            found[:, at] = self._of(at, np.ascontiguousarray(features[:, at]))
        return found

    def raw(self, features: Floats) -> Floats:
        """Return the log-odds of rows, feature after feature, so that no row's bits depend on the other rows."""
        return self.sum_of(self.contributions(features))

    def sum_of(self, contributions: Floats) -> Floats:
        """Add up what `contributions` returned, in the order of the features."""
        total = np.full(len(contributions), self.base)
        for at in range(contributions.shape[1]):
            total += contributions[:, at]
        return total

    def _of(self, at: int, values: Floats) -> Floats:
        # exactly `fmin(fmax())`: a missing value is replaced below
        held = np.minimum(np.maximum(signed_log(values), self.low[at]), self.high[at])
        found = self.weight[at] * held + self.shift[at]
        for code, value in self.codes.get(at, {}).items():
            found[values == code] = value
        found[np.isnan(values)] = self.missing[at]
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        lists = {name: list(getattr(self, name)) for name in _LISTS}
        codes = {str(at): {str(code): value for code, value in values.items()} for at, values in self.codes.items()}
        return {"base": self.base, **lists, "codes": codes}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], *, features: int) -> Self:
        """Rebuild what `to_dict` wrote; refuse what no fit wrote."""
        lists = {name: plain.get(name) for name in _LISTS}
        codes, base = plain.get("codes"), plain.get("base")
        fine = set(plain) == {"base", "codes", *_LISTS} and _numbers([base]) and isinstance(codes, dict)
        fine = fine and all(isinstance(each, list) and len(each) == features and _numbers(each) for each in lists.values())
        if not fine or not _codes_fit(codes or {}, features):
            raise UsageError.of("unusable bundle", "the linear margin is not whole", RESTORE)
        read = {int(at): {int(code): float(value) for code, value in each.items()} for at, each in (codes or {}).items()}
        return cls(float(base or 0.0), **{name: tuple(map(float, lists[name] or ())) for name in _LISTS}, codes=read)


def _numbers(values: Sequence[Any]) -> bool:
    return all(isinstance(each, int | float) and not isinstance(each, bool) and np.isfinite(each) for each in values)


def _codes_fit(codes: Mapping[Any, Any], features: int) -> bool:
    return all(
        str(at).isdecimal()
        and int(at) < features
        and isinstance(each, dict)
        and all(str(code).isdecimal() for code in each)
        and _numbers(list(each.values()))
        for at, each in codes.items()
    )


def fit_margin(rows: TrainingRows, categorical: Sequence[int] = (), *, strength: float) -> LinearMargin:
    """Fit a margin to at most 100,000 evenly spaced rows: a few hundred numbers need no more."""
    rows = _spaced(rows, _MOST_ROWS)
    design = _Design.of(rows.features, categorical)
    with one_blas_thread():
        weights = _newton(design.inputs, rows.labels, rows.weights, strength, None)
    return design.margin(weights)


def choose_strength(rows: TrainingRows, categorical: Sequence[int] = ()) -> float:
    """Choose the penalty by log loss over folds of whole accounts, on about 5,000 evenly spaced rows."""
    rows = _spaced(rows, _CHOOSING_ROWS)
    folds = np.unique(rows.accounts, return_inverse=True)[1] % _FOLDS
    weight = np.ones(len(rows)) if rows.weights is None else rows.weights
    losses = np.zeros(len(STRENGTHS))
    for fold in range(_FOLDS):
        trained, held = rows.take(folds != fold), folds == fold
        if not held.any() or len(np.unique(trained.labels)) < 2:
            return STRENGTHS[len(STRENGTHS) // 2]
        design, found = _Design.of(trained.features, categorical), None
        for at, strength in enumerate(STRENGTHS):
            with one_blas_thread():
                # a weaker penalty starts where the stronger one ended
                found = _newton(design.inputs, trained.labels, trained.weights, strength, found)
            raw = design.margin(found).raw(rows.features[held])
            losses[at] += float((weight[held] * (np.logaddexp(0.0, raw) - (rows.labels[held] > 0) * raw)).sum())
    return STRENGTHS[int(np.argmin(losses))]


def _spaced(rows: TrainingRows, most: int) -> TrainingRows:
    step = -(-len(rows) // most)
    return rows if step <= 1 else rows.take(np.arange(0, len(rows), step, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class _Design:
    """How features become inputs of mean 0, learned from the training rows."""

    inputs: Floats  # shape (n, inputs)
    # of each input from a number: the feature, the mean and deviation of its logs, and the mean of what is left when held
    logs: tuple[tuple[int, float, float, float], ...]
    # of each input from missing values: the features that are missing together, and the share of rows without them
    gaps: tuple[tuple[tuple[int, ...], float], ...]
    codes: tuple[tuple[int, int, float], ...]  # of each input from a code: the feature, the code and its share
    features: int

    @classmethod
    def of(cls, features: Floats, categorical: Sequence[int]) -> Self:
        missing = np.isnan(features)
        columns: list[Floats] = []
        logs, codes = [], []
        for at in range(features.shape[1]):
            values, known = features[:, at], ~missing[:, at]
            if at in categorical:
                for code, share in _frequent(values):
                    codes.append((at, code, share))
                continue
            read = signed_log(np.ascontiguousarray(values[known]))
            mean, deviation = (float(read.mean()), float(read.std())) if len(read) else (0.0, 0.0)
            if deviation < _FLAT:
                continue
            column = np.zeros(len(values))
            column[known] = np.clip((read - mean) / deviation, -_WIDEST, _WIDEST)
            centre = float(column.mean())
            logs.append((at, mean, deviation, centre))
            columns.append(column - centre)
        gaps = tuple(_gaps(missing))
        columns += [missing[:, together[0]] - share for together, share in gaps]
        columns += [(features[:, at] == code) - share for at, code, share in codes]
        inputs = np.column_stack(columns) if columns else np.empty((len(features), 0))
        return cls(np.ascontiguousarray(inputs), tuple(logs), gaps, tuple(codes), features.shape[1])

    def margin(self, weights: Floats) -> LinearMargin:
        """Turn the weights of the inputs into what each feature adds."""
        weight, shift, missing, low, high = (np.zeros(self.features) for _ in _LISTS)
        base, *others = weights.tolist()
        for (at, mean, deviation, centre), found in zip(self.logs, others, strict=False):
            weight[at] = found / deviation
            shift[at], missing[at] = -mean * weight[at] - centre * found, -centre * found
            low[at], high[at] = mean - _WIDEST * deviation, mean + _WIDEST * deviation
        for (together, share), found in zip(self.gaps, others[len(self.logs) :], strict=False):
            # features that are always missing together share what their absence says
            for at in together:
                shift[at] -= share * found / len(together)
                missing[at] += (1.0 - share) * found / len(together)
        codes: dict[int, dict[int, float]] = {}
        by_code = list(zip(self.codes, others[len(self.logs) + len(self.gaps) :], strict=True))
        for (at, _, share), found in by_code:
            shift[at] -= share * found
            missing[at] -= share * found
        for (at, code, _), found in by_code:
            codes.setdefault(at, {})[code] = float(shift[at] + found)
        lists = zip(_LISTS, (weight, shift, missing, low, high), strict=True)
        return LinearMargin(base, **{name: tuple(each.tolist()) for name, each in lists}, codes=codes)


def _frequent(values: Floats) -> list[tuple[int, float]]:
    found, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    kept = counts >= min(_FEWEST_OF_A_CODE, max(1, len(values) // 4))
    return [(int(code), count / len(values)) for code, count in zip(found[kept].tolist(), counts[kept].tolist(), strict=True)]


def _gaps(missing: NDArray[np.bool_]) -> list[tuple[tuple[int, ...], float]]:
    """Group the features that are missing in the same rows: those of one table mostly are."""
    groups: dict[bytes, list[int]] = {}
    for at in np.flatnonzero(missing.any(axis=0) & ~missing.all(axis=0)).tolist():
        groups.setdefault(np.packbits(missing[:, at]).tobytes(), []).append(at)
    return [(tuple(together), float(missing[:, together[0]].mean())) for together in groups.values()]


def _newton(inputs: Floats, labels: NDArray[np.int8], weights: Floats | None, strength: float, start: Floats | None) -> Floats:
    """Minimise the penalised log loss; the intercept comes first and is not penalised."""
    weight, churned = (np.ones(len(labels)) if weights is None else weights), (labels > 0).astype(np.float64)
    X = np.column_stack([np.ones(len(inputs)), inputs])
    penalty = np.full(X.shape[1], strength)
    penalty[0] = 0.0

    def loss(w: Floats) -> tuple[float, Floats]:
        raw = X @ w
        return float((weight * (np.logaddexp(0.0, raw) - churned * raw)).sum() + 0.5 * (penalty * w * w).sum()), raw

    w = np.zeros(X.shape[1]) if start is None else start
    if start is None:
        share = float((weight * churned).sum() / weight.sum())
        w[0] = np.log(share / (1.0 - share))
    value, raw = loss(w)
    for _ in range(_STEPS):
        p = np.asarray(expit(raw))
        gradient = X.T @ (weight * (p - churned)) + penalty * w
        curvature = (X * (weight * p * (1.0 - p))[:, np.newaxis]).T @ X + np.diag(penalty + _FLAT)
        step = np.linalg.solve(curvature, gradient)
        fall, size = float(gradient @ step), 1.0
        following, moved = loss(w - step)
        while following > value - 1e-4 * size * fall and size > 1e-6:
            size /= 2.0
            following, moved = loss(w - size * step)
        if following >= value:
            break
        w, raw, gained, value = w - size * step, moved, value - following, following
        if gained < _TOLERANCE * abs(value):
            break
    return w
