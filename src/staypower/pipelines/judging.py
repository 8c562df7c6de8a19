"""Judge probabilities on the test rows, beside the rules that a team would use without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from staypower.config import Settings
from staypower.dataset import Dataset
from staypower.evaluation import Evaluation, evaluate, last_answer_rule, logistic_baseline, recency_rule, tenure_rule

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["judge"]

_RECENCY = ("days_since_last_use", "days_since_last_order")
_TENURE = ("tenure_days", "days_since_first_order", "days_since_first_use")
_ANSWERS = ("nps_last", "csat_last", "ces2_last", "ces1_last")
_MOST_GROUPS = 12
_MOST_SEGMENTS = 3


def judge(dataset: Dataset, probability: NDArray[np.float64], settings: Settings) -> Evaluation:
    """Evaluate a model's probabilities on the test rows.

    Parameters
    ----------
    dataset : Dataset
    probability : array of float, shape (n_test,)
        For the rows of the part `test`, in order.
    settings : Settings
        Capacity, costs and seed.

    Returns
    -------
    Evaluation
        The model first, then the baselines that the features allow.
    """
    test, learnt = dataset.rows("test"), dataset.rows("training", "calibration")
    X_test, y_learnt = dataset.X[test], dataset.y[learnt]
    scores: dict[str, NDArray[np.float64]] = {"model": probability}
    for name, rule, columns in (
        ("recency rule", recency_rule, _RECENCY),
        ("tenure rule", tenure_rule, _TENURE),
        ("last survey answer", last_answer_rule, _ANSWERS),
    ):
        present = [column for column in columns if column in X_test]
        if present:
            scores[name] = rule(X_test, present)
    scores["logistic regression"] = logistic_baseline(
        dataset.X[learnt], y_learnt, X_test, dataset.matrix.categories, accounts=dataset.matrix.accounts[learnt]
    )
    tenure = next((X_test[column].to_numpy() for column in _TENURE if column in X_test), None)
    return evaluate(
        dataset.y[test],
        scores,
        accounts=dataset.matrix.accounts[test],
        cutoffs=dataset.matrix.cutoffs[test],
        split=dataset.plan.split,
        probability={"model", "logistic regression"},
        train_base_rate=float(y_learnt.mean()),
        segments=_segments(dataset, test),
        tenure_days=tenure,
        capacity=settings.capacity,
        costs=settings.costs,
        seed=settings.model.seed,
    )


def _segments(dataset: Dataset, test: NDArray[np.bool_]) -> dict[str, NDArray[np.object_]]:
    """Return the texts of the account's attributes that divide the accounts into a handful of groups."""
    found: dict[str, NDArray[np.object_]] = {}
    for name in dataset.matrix.categories:
        codes = dataset.catalogue.codes.get(name, {})
        if 2 <= len(codes) <= _MOST_GROUPS and len(found) < _MOST_SEGMENTS:
            values = dataset.X[name].to_numpy()[test]
            texts = [None if np.isnan(value) else dataset.catalogue.text_of(name, value) for value in values]
            found[name] = np.array(texts, dtype=object)
    return found
