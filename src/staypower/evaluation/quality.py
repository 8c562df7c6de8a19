"""What of an evaluation is stored with its model, as plain values, so that a later report can draw it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from staypower.evaluation.measures import listed_in
from staypower.evaluation.result import Evaluation
from staypower.metrics.profit import profit_curve_of
from staypower.metrics.tally import Tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["quality_of"]

_POINTS = 101


def quality_of(evaluation: Evaluation) -> dict[str, Any]:
    """Return what a page about the quality of a model needs.

    >>> from staypower.evaluation.assessment import evaluate
    >>> found = evaluate([0, 1] * 30, {"model": [0.2, 0.8] * 30}, accounts=range(60), cutoffs=[0] * 60, split="temporal",
    ...                  bootstrap=0)
    >>> quality = quality_of(found)
    >>> quality["gain"]["model"][50]
    [0.5, 1.0]
    """
    plain = evaluation.to_dict()
    kept = {
        name: plain[name]
        for name in ("headline", "split", "rows", "accounts", "churned", "base_rate", "notes", "profit_threshold")
    }
    shown = [metric.name for metric in listed_in("page")]
    scorers = {name: {metric: row[metric] for metric in shown} for name, row in plain["scorers"].items()}
    ranked = {name: tally for name, tally in evaluation.tallies.items() if not tally.one_class}
    model = [each for each in plain["reliability"] if each["scorer"] == evaluation.model]
    return {
        **kept,
        "model": evaluation.model,
        "scorers": scorers,
        "groups": plain["groups"],
        "reliability": model,
        "gain": {name: _gain(tally) for name, tally in ranked.items()},
        "profit": _profit(evaluation) if evaluation.model in ranked else [],
        "costs": {**plain["costs"], "given": evaluation.costs.complete},
    }


def _grid() -> NDArray[np.float64]:
    return np.linspace(0.0, 1.0, _POINTS)


def _gain(tally: Tally) -> list[list[float]]:
    share, reached = tally.reached / tally.total, tally.positives / tally.positives[-1]
    return _pairs(np.interp(_grid(), share, reached))


def _profit(evaluation: Evaluation) -> list[list[float]]:
    clv, incentive, contact = evaluation.costs.amounts
    curve = profit_curve_of(
        evaluation.tallies[evaluation.model],
        clv=clv,
        incentive_cost=incentive,
        contact_cost=contact,
        acceptance=evaluation.costs.acceptance,
    )
    return _pairs(np.interp(_grid(), curve.fraction, curve.profit))


def _pairs(values: NDArray[np.float64]) -> list[list[float]]:
    return [[round(float(x), 4), round(float(y), 5)] for x, y in zip(_grid(), values, strict=True)]
