"""Strictly monotone maps from the trees' raw score to a calibrated probability.

Every map is a few numbers that are kept as JSON. Strictly monotone, so calibrating never changes a ranking and never makes
ties; an isotonic map has plateaus and would.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from staypower.errors import UsageError, nearest

__all__ = [
    "MAPS",
    "BetaMap",
    "CalibrationMap",
    "SigmoidMap",
    "TemperatureMap",
    "calibration_from_dict",
    "choose_map",
    "fit_map",
]

Floats = NDArray[np.float64]

_FLATTEST, _STEEPEST = 1e-3, 1e3
_FEW = 50
_MARGIN = 1e-3


@runtime_checkable
class CalibrationMap(Protocol):
    """What every calibration map can do."""

    kind: ClassVar[str]

    def log_odds(self, raw: Floats) -> Floats:
        """Return the calibrated log-odds of raw scores, strictly rising."""

    def apply(self, raw: Floats) -> Floats:
        """Return the calibrated probability of raw scores."""

    def to_dict(self) -> dict[str, Any]:
        """Return the map as JSON-able values."""


class _Map:
    """What the maps share: probability from log-odds, checked numbers, JSON."""

    kind: ClassVar[str]
    positive: ClassVar[tuple[str, ...]]

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():  # type: ignore[call-overload]
            usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if not usable or (name in self.positive and value <= 0):
                wanted = "a positive number" if name in self.positive else "a finite number"
                raise UsageError.of("unusable calibration", f"{self.kind} {name} = {value!r}", f"give {wanted}")

    def log_odds(self, raw: Floats) -> Floats:
        raise NotImplementedError

    def apply(self, raw: Floats) -> Floats:
        """Return the calibrated probability of raw scores."""
        return np.asarray(expit(self.log_odds(raw)), dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return the map as JSON-able values."""
        return {"kind": self.kind, **asdict(self)}  # type: ignore[call-overload]


@dataclass(frozen=True)
class SigmoidMap(_Map):
    """Platt's sigmoid: log-odds = slope * raw + intercept."""

    kind: ClassVar[str] = "sigmoid"
    positive: ClassVar[tuple[str, ...]] = ("slope",)
    slope: float  # above 0. Below 1 tempers overconfident scores
    intercept: float

    def log_odds(self, raw: Floats) -> Floats:
        """Return the calibrated log-odds of raw scores."""
        return self.slope * np.asarray(raw, dtype=np.float64) + self.intercept


@dataclass(frozen=True)
class TemperatureMap(_Map):
    """Temperature: log-odds = raw / temperature."""

    kind: ClassVar[str] = "temperature"
    positive: ClassVar[tuple[str, ...]] = ("temperature",)
    temperature: float  # above 0. Above 1 tempers overconfident scores

    def log_odds(self, raw: Floats) -> Floats:
        """Return the calibrated log-odds of raw scores."""
        return np.asarray(raw, dtype=np.float64) / self.temperature


@dataclass(frozen=True)
class BetaMap(_Map):
    """Beta calibration: log-odds = low * ln(q) - high * ln(1 - q) + intercept, where q is the uncalibrated probability.

    Kull, Silva Filho and Flach, "Beta calibration", 2017. Both slopes are held above zero, which makes the map strictly
    rising.

    >>> BetaMap(low=1.0, high=1.0, intercept=0.0).apply(np.array([0.0])).tolist()
    [0.5]
    """

    kind: ClassVar[str] = "beta"
    positive: ClassVar[tuple[str, ...]] = ("low", "high")
    low: float  # above 0: the slope at the low and at the high end of the scores
    high: float  # above 0: the slope at the low and at the high end of the scores
    intercept: float

    def log_odds(self, raw: Floats) -> Floats:
        """Return the calibrated log-odds of raw scores."""
        scores = np.asarray(raw, dtype=np.float64)
        return -self.low * np.logaddexp(0.0, -scores) + self.high * np.logaddexp(0.0, scores) + self.intercept


MAPS: Mapping[str, type[_Map]] = {"temperature": TemperatureMap, "sigmoid": SigmoidMap, "beta": BetaMap}


def calibration_from_dict(values: Mapping[str, Any]) -> CalibrationMap:
    """Read a calibration map back from JSON-able values."""
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in MAPS:
        raise UsageError.of("unknown calibration", repr(kind), nearest(str(kind), MAPS))
    found = MAPS[kind]
    names = {field.name for field in fields(found)}  # type: ignore[arg-type]
    if names != set(values) - {"kind"}:
        raise UsageError.of("wrong calibration numbers", f"{kind}: {sorted(set(values) - {'kind'})}", f"give {sorted(names)}")
    built: CalibrationMap = found(**{name: values[name] for name in names})
    return built


def fit_map(kind: str, raw: Floats, labels: NDArray[np.int8], weights: Floats | None = None) -> CalibrationMap:
    """Fit one kind of map to held-out scores.

    Weighted log loss against Platt's targets, (P + 1) / (P + 2) and 1 / (N + 2), which keep the map finite when the scores
    separate the classes. Sums avoid BLAS, so the numbers do not depend on its threads.

    >>> fit_map("sigmoid", np.array([-1.0, 1.0, -1.0, 1.0]), np.array([0, 1, 1, 0], dtype=np.int8)).intercept
    0.0
    """
    columns, start, build = _FORMS[kind](np.asarray(raw, dtype=np.float64))
    weight = np.ones(len(raw)) if weights is None else np.asarray(weights, dtype=np.float64)
    churned = labels > 0
    many, few = float(weight[churned].sum()), float(weight[~churned].sum())
    target = np.where(churned, (many + 1.0) / (many + 2.0), 1.0 / (few + 2.0))
    total = weight.sum()

    def loss(numbers: Floats) -> tuple[float, Floats]:
        score = sum(number * column for number, column in zip(numbers, columns, strict=True))
        residual = weight * (expit(score) - target)
        value = float((weight * (np.logaddexp(0.0, score) - target * score)).sum() / total)
        return value, np.array([float((residual * column).sum() / total) for column in columns])

    # Intercepts are free, slopes are bounded away from zero: that is what keeps the map strictly rising.
    bounds = [(None, None) if name is None else (_FLATTEST, _STEEPEST) for name in start]
    first = np.array([0.0 if name is None else 1.0 for name in start])
    found = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500, "ftol": 1e-14})
    return build([float(number) for number in found.x])


_Form = tuple[list[Floats], list[str | None], Callable[[list[float]], CalibrationMap]]


def _temperature(raw: Floats) -> _Form:
    return [raw], ["slope"], lambda x: TemperatureMap(1.0 / x[0])


def _sigmoid(raw: Floats) -> _Form:
    return [raw, np.ones_like(raw)], ["slope", None], lambda x: SigmoidMap(x[0], x[1])


def _beta(raw: Floats) -> _Form:
    columns = [-np.logaddexp(0.0, -raw), np.logaddexp(0.0, raw), np.ones_like(raw)]
    return columns, ["low", "high", None], lambda x: BetaMap(x[0], x[1], x[2])


_FORMS: Mapping[str, Callable[[Floats], _Form]] = {"temperature": _temperature, "sigmoid": _sigmoid, "beta": _beta}


def choose_map(
    raw: Floats, labels: NDArray[np.int8], folds: NDArray[np.int64], weights: Floats | None = None
) -> tuple[CalibrationMap, dict[str, float]]:
    """Choose the kind of map by held-out log loss, then fit it to all rows.

    >>> rng = np.random.default_rng(0)
    >>> raw = rng.normal(size=4000)
    >>> labels = (rng.random(4000) < expit(raw / 3)).astype(np.int8)
    >>> choose_map(raw, labels, np.arange(4000) % 5)[0].kind
    'temperature'
    """
    churners = int((labels > 0).sum())
    if min(churners, len(labels) - churners) < _FEW:
        return fit_map("sigmoid", raw, labels, weights), {}
    losses = {kind: _held_out_loss(kind, raw, labels, folds, weights) for kind in MAPS}
    limit = min(losses.values()) * (1.0 + _MARGIN)
    kind = next(kind for kind in MAPS if losses[kind] <= limit)
    return fit_map(kind, raw, labels, weights), losses


def _held_out_loss(kind: str, raw: Floats, labels: NDArray[np.int8], folds: NDArray[np.int64], weights: Floats | None) -> float:
    weight = np.ones(len(raw)) if weights is None else weights
    score = np.empty(len(raw))
    for fold in np.unique(folds):
        held = folds == fold
        score[held] = fit_map(kind, raw[~held], labels[~held], weight[~held]).log_odds(raw[held])
    return float((weight * (np.logaddexp(0.0, score) - (labels > 0) * score)).sum() / weight.sum())
