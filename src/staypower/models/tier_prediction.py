"""From cumulative probabilities to tiers: never crossing, unknown by a declared rule, and steady between runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from staypower.errors import Problem, UsageError
from staypower.models.tier_blend import Blend

if TYPE_CHECKING:
    import pandas as pd

    from staypower.models.bundle import SealedModel

__all__ = ["TIER_MODEL", "UNKNOWN", "predict_tiers", "choose_tiers", "tier_models", "tier_probabilities"]

Floats = NDArray[np.float64]

#: The number of an unknown tier.
UNKNOWN = -1
# a tier changes only when the new one is this much more probable than the previous one
_MARGIN = 0.1
TIER_MODEL = "tier_above_{}"
_NAME = re.compile(r"tier_above_(\d+)")


def tier_probabilities(above: ArrayLike) -> Floats:
    """Turn the probabilities of lying above each tier into the probabilities of the tiers.

    Where two boosters contradict each other, P(tier > 1) above P(tier > 0), their values change places. Sorting never moves a
    row further from any answer it could get, in squared error, since every answer is a falling row of ones and zeros
    (Chernozhukov, Fernandez-Val and Galichon 2010), and unlike averaging it leaves no tier without probability.

    >>> tier_probabilities([[0.75, 0.25], [0.25, 0.5]]).tolist()
    [[0.25, 0.5, 0.25], [0.5, 0.25, 0.25]]
    """
    falling = -np.sort(-np.asarray(above, dtype=np.float64), axis=1)
    ends = np.ones((len(falling), 1)), np.zeros((len(falling), 1))
    between = np.hstack([ends[0], falling, ends[1]])
    found: Floats = between[:, :-1] - between[:, 1:]
    return found


def tier_models(secondary: Mapping[str, SealedModel]) -> tuple[str, ...]:
    """Name the tier's boosters among the secondary models of a bundle, P(tier > 0) first.

    >>> tier_models({})
    ()
    """
    numbers = sorted(int(found.group(1)) for name in secondary if (found := _NAME.fullmatch(name)))
    if numbers != list(range(len(numbers))):
        raise UsageError.of("a booster of the tier model is missing", str(numbers), "train the model anew")
    return tuple(TIER_MODEL.format(number) for number in numbers)


def predict_tiers(secondary: Mapping[str, SealedModel], X: pd.DataFrame | Floats, *, threads: int | None = None) -> Floats:
    """Return the probabilities of the tiers from the secondary models of a bundle: no estimator is needed."""
    names = tier_models(secondary)
    if not names:
        raise UsageError.of("the bundle predicts no tier", f"{len(secondary)} other models", "train with answers to surveys")
    blend = Blend.of_steps([secondary[name].metadata.get("blend") for name in names])
    return tier_probabilities(blend.above(np.column_stack([secondary[name].log_odds(X, threads=threads) for name in names])))


def choose_tiers(
    probabilities: ArrayLike,
    previous: ArrayLike | None = None,
    *,
    margin: float = _MARGIN,
    abstain_below: float = 0.0,
    withheld: ArrayLike | None = None,
) -> NDArray[np.int8]:
    """Choose each row's tier: the most probable, unless it is too improbable, or hardly more probable than the previous one.

    >>> likely = [[0.50, 0.45, 0.05], [0.60, 0.35, 0.05], [0.36, 0.34, 0.30]]
    >>> choose_tiers(likely, [1, 1, -1], margin=0.1, abstain_below=0.4).tolist()
    [1, 0, -1]
    """
    given = np.asarray(probabilities, dtype=np.float64)
    before = np.full(len(given), UNKNOWN, dtype=np.int64) if previous is None else np.asarray(previous, dtype=np.int64)
    _check(given, before, margin, abstain_below)
    row = np.arange(len(given))
    likeliest, highest = given.argmax(axis=1), given.max(axis=1)
    had = before != UNKNOWN
    kept = np.where(had, before, likeliest)
    # a hair's breadth, so that a difference that is the margin in decimals counts as the margin
    passes = given[row, likeliest] - given[row, kept] >= margin - 1e-12
    tier = np.where(passes, likeliest, kept)
    tier = np.where(highest < abstain_below - margin * had, UNKNOWN, tier)
    if withheld is not None:
        tier = np.where(np.asarray(withheld, dtype=bool), UNKNOWN, tier)
    return tier.astype(np.int8)


def _check(given: Floats, before: NDArray[np.int64], margin: float, abstain_below: float) -> None:
    problems = []
    if given.ndim != 2 or before.shape != given.shape[:1]:
        problems.append(
            Problem("previous tiers do not match", f"{before.shape} for {given.shape}", "give one tier for every row")
        )
    elif ((before < UNKNOWN) | (before >= given.shape[1])).any():
        value = f"{int(((before < UNKNOWN) | (before >= given.shape[1])).sum())} rows"
        problems.append(
            Problem("a previous tier is no tier", value, f"give numbers from 0 to {given.shape[1] - 1}, -1 for unknown")
        )
    for name, share in (("margin", margin), ("abstain_below", abstain_below)):
        if not 0.0 <= share <= 1.0:
            problems.append(Problem(f"{name} is no share", f"{share:g}", "give a number from 0 to 1"))
    if problems:
        raise UsageError(problems)
