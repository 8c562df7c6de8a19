"""Strictly monotone maps from the trees' raw score to a calibrated probability.

Every map is a few numbers that are kept as JSON. Strictly monotone, so calibrating never changes a ranking and never makes
ties; an isotonic map has plateaus and would.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from staypower.cutoffs import DAY
from staypower.errors import UsageError, nearest
from staypower.log_odds import expit
from staypower.models.evidence import clear_gain, level_shift, row_losses

__all__ = [
    "MAPS",
    "BetaMap",
    "CalibrationMap",
    "SigmoidMap",
    "TemperatureMap",
    "calibration_from_dict",
    "choose_map",
    "fit_map",
    "follow_level",
    "shift_map",
]

Floats = NDArray[np.float64]
Labels = NDArray[np.int8]
Positions = NDArray[np.int64]

_FLATTEST, _STEEPEST = 1e-3, 1e3
# with fewer held-out accounts of a class the kinds of maps are not compared
_FEW = 50
# how far from 1 a temperature is expected to lie, as a standard deviation of its logarithm
_USUAL_SPREAD = 0.2
# a level that moved within less time than this may be a season
_SEASONS = 365 * DAY


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
    """Temperature around a centre, and a level: log-odds = centre + (raw - centre) / temperature + shift.

    The centre is the log-odds of the base rate, so that a temperature moves scores towards that rate and not towards 50 %.
    """

    kind: ClassVar[str] = "temperature"
    positive: ClassVar[tuple[str, ...]] = ("temperature",)
    temperature: float  # above 0. Above 1 tempers overconfident scores
    centre: float = 0.0  # the raw score that the temperature leaves where it is
    shift: float = 0.0  # added to every log-odds

    def log_odds(self, raw: Floats) -> Floats:
        """Return the calibrated log-odds of raw scores."""
        return (np.asarray(raw, dtype=np.float64) - self.centre) / self.temperature + (self.centre + self.shift)


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
    needed = {field.name for field in fields(found) if field.default is MISSING}  # type: ignore[arg-type]
    given = set(values) - {"kind"}
    if not needed <= given <= names:
        raise UsageError.of("wrong calibration numbers", f"{kind}: {sorted(given)}", f"give {sorted(names)}")
    built: CalibrationMap = found(**{name: values[name] for name in given})
    return built


def shift_map(found: CalibrationMap, log_odds: float) -> CalibrationMap:
    """Add the same to every calibrated log-odds.

    >>> shift_map(TemperatureMap(2.0), math.log(0.25)).apply(np.array([0.0])).round(6).tolist()
    [0.2]
    """
    if log_odds == 0.0:
        return found
    if isinstance(found, TemperatureMap):
        return replace(found, shift=found.shift + log_odds)
    if isinstance(found, SigmoidMap | BetaMap):
        return replace(found, intercept=found.intercept + log_odds)
    raise UsageError.of("no map that can be moved", type(found).__name__, f"give one of {', '.join(MAPS)}")


def fit_map(
    kind: str, raw: Floats, labels: Labels, weights: Floats | None = None, accounts: Positions | None = None
) -> CalibrationMap:
    """Fit one kind of map to held-out scores.

    Weighted log loss against Platt's targets, (P + 1) / (P + 2) and 1 / (N + 2), which keep the map finite when the scores
    separate the classes; P and N count accounts, of which each row is its own where none are given. A temperature is drawn
    towards 1 as far as there is little evidence. Sums avoid BLAS, so the numbers do not depend on its threads.

    >>> fit_map("sigmoid", np.array([-1.0, 1.0, -1.0, 1.0]), np.array([0, 1, 1, 0], dtype=np.int8)).intercept
    0.0
    """
    scores = np.asarray(raw, dtype=np.float64)
    weight = np.ones(len(scores)) if weights is None else np.asarray(weights, dtype=np.float64)
    churned = labels > 0
    many, few = (_evidence(side, weight, accounts) for side in (churned, ~churned))
    target = np.where(churned, (many + 1.0) / (many + 2.0), 1.0 / (few + 2.0))
    total = weight.sum()
    rate = float((weight * target).sum() / total)
    columns, fixed, start, build = _FORMS[kind](scores, math.log(rate / (1.0 - rate)))
    restraint = 1.0 / (_USUAL_SPREAD**2 * (many + few)) if kind == "temperature" else 0.0

    def loss(numbers: Floats) -> tuple[float, Floats]:
        score = fixed + sum(number * column for number, column in zip(numbers, columns, strict=True))
        residual = weight * (expit(score) - target)
        value = float((weight * (np.logaddexp(0.0, score) - target * score)).sum() / total)
        slopes = np.array([float((residual * column).sum() / total) for column in columns])
        spread = math.log(numbers[0]) if restraint else 0.0
        slopes[0] += restraint * spread / numbers[0]
        return value + 0.5 * restraint * spread**2, slopes

    # Intercepts are free, slopes are bounded away from zero: that is what keeps the map strictly rising.
    bounds = [(None, None) if name is None else (_FLATTEST, _STEEPEST) for name in start]
    first = np.array([0.0 if name is None else 1.0 for name in start])
    from scipy.optimize import minimize  # takes long to load, and scoring does without it

    found = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500, "ftol": 1e-14})
    return build([float(number) for number in found.x])


def _evidence(side: NDArray[np.bool_], weight: Floats, accounts: Positions | None) -> float:
    """Return the weight of some rows, counted once for each of their accounts."""
    rows = int(side.sum())
    if accounts is None or not rows:
        return float(weight[side].sum())
    return float(weight[side].sum()) * len(np.unique(accounts[side])) / rows


_Form = tuple[list[Floats], Floats | float, list[str | None], Callable[[list[float]], CalibrationMap]]


def _temperature(raw: Floats, centre: float) -> _Form:
    return [raw - centre, np.ones_like(raw)], centre, ["slope", None], lambda x: TemperatureMap(1.0 / x[0], centre, x[1])


def _sigmoid(raw: Floats, _: float) -> _Form:
    return [raw, np.ones_like(raw)], 0.0, ["slope", None], lambda x: SigmoidMap(x[0], x[1])


def _beta(raw: Floats, _: float) -> _Form:
    columns = [-np.logaddexp(0.0, -raw), np.logaddexp(0.0, raw), np.ones_like(raw)]
    return columns, 0.0, ["low", "high", None], lambda x: BetaMap(x[0], x[1], x[2])


_FORMS: Mapping[str, Callable[[Floats, float], _Form]] = {"temperature": _temperature, "sigmoid": _sigmoid, "beta": _beta}


def choose_map(
    raw: Floats, labels: Labels, folds: Positions, weights: Floats | None = None, accounts: Positions | None = None
) -> tuple[CalibrationMap, dict[str, float]]:
    """Choose the kind of map by held-out log loss, then fit it to all rows.

    The simplest is taken unless a freer one is better by more than chance, paired over accounts.

    >>> rng = np.random.default_rng(0)
    >>> raw = rng.normal(size=4000)
    >>> labels = (rng.random(4000) < expit(raw / 3)).astype(np.int8)
    >>> choose_map(raw, labels, np.arange(4000) % 5)[0].kind
    'temperature'
    """
    numbers = np.arange(len(labels)) if accounts is None else accounts
    if min(len(np.unique(numbers[(labels > 0) == side])) for side in (True, False)) < _FEW:
        return fit_map("temperature", raw, labels, weights, accounts), {}
    losses = {kind: _held_out_losses(kind, raw, labels, folds, weights, accounts) for kind in MAPS}
    chosen = next(iter(MAPS))
    for kind in MAPS:
        if clear_gain(losses[kind], losses[chosen], numbers):
            chosen = kind
    total = len(labels) if weights is None else float(weights.sum())
    return fit_map(chosen, raw, labels, weights, accounts), {kind: float(each.sum() / total) for kind, each in losses.items()}


def _held_out_losses(
    kind: str, raw: Floats, labels: Labels, folds: Positions, weights: Floats | None, accounts: Positions | None
) -> Floats:
    score = np.empty(len(raw))
    for fold in np.unique(folds):
        held = folds == fold
        others = [None if each is None else each[~held] for each in (weights, accounts)]
        score[held] = fit_map(kind, raw[~held], labels[~held], *others).log_odds(raw[held])
    return row_losses(score, labels, weights)


def follow_level(
    found: CalibrationMap,
    raw: Floats,
    labels: Labels,
    accounts: Positions,
    *,
    weights: Floats | None,
    latest: NDArray[np.bool_],
    cutoffs: Positions | None = None,
    known: bool = False,
) -> tuple[CalibrationMap, float]:
    """Set the level of a map: right over all rows, then moved to the latest ones as far as chance does not explain it.

    Where the level was `known` from other rows, it moves over all of these as far as chance does not explain it, too. Where
    the latest `cutoffs` come less than a year after the first, nothing tells a change from a season, and the level stays.

    Returns the map and what the latest rows added to its log-odds: their own difference d, shrunk to d (1 - v / d^2), where v
    is its variance over accounts, and none where d^2 is below v (James and Stein's estimate, held above zero).
    """
    whole, variance = level_shift(found.log_odds(raw), labels, weights, accounts)
    level = shift_map(found, _shrunk(whole, variance) if known else whole)
    if not latest.any() or latest.all() or (cutoffs is not None and cutoffs[latest].min() - cutoffs.min() < _SEASONS):
        return level, 0.0
    own = None if weights is None else weights[latest]
    apart, variance = level_shift(level.log_odds(raw[latest]), labels[latest], own, accounts[latest])
    moved = _shrunk(apart, variance)
    return shift_map(level, moved), moved


def _shrunk(apart: float, variance: float) -> float:
    return apart * max(0.0, 1.0 - variance / apart**2) if apart else 0.0
