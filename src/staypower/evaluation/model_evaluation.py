"""Evaluate a model on the test rows of a data set, against the rules that a team would use without a model."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

import numpy as np

from staypower.cutoffs import text_of
from staypower.dataset.building import Dataset
from staypower.dataset.sampling import Sampling
from staypower.evaluation.assessment import evaluate
from staypower.evaluation.baselines import probabilities, score_baselines
from staypower.evaluation.result import Evaluation
from staypower.evaluation.row_facts import find_row_facts
from staypower.evaluation.settings import CostSettings, EvaluationSettings
from staypower.features.settings import FeatureSettings
from staypower.labels.settings import LabelSettings
from staypower.models.prior import prior_of
from staypower.portfolio.settings import PortfolioSettings
from staypower.results.numbers import count, percent
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MODEL", "evaluate_model", "sample_remarks", "sampled_capacity"]

MODEL, _CORRECTED = "model", "prior corrected"

Prior = float | Literal["estimate"]


def evaluate_model(
    dataset: Dataset,
    probability: NDArray[np.float64],
    tables: Tables,
    *,
    label: LabelSettings,
    features: FeatureSettings,
    evaluation: EvaluationSettings,
    costs: CostSettings,
    portfolio: PortfolioSettings,
    capacity: int | None,
    known: Collection[str] | None = None,
    prior: Prior | None = None,
    calibrated_base_rate: float = float("nan"),
    seed: int = 0,
    threads: int = 2,
) -> Evaluation:
    """Evaluate a model's probabilities on the test rows.

    With a `prior`, the probabilities corrected from `calibrated_base_rate` to it are shown as well. `known` are the accounts
    that the model was trained on; by default those of this data set's training.
    """
    test, trained = dataset.part("test"), dataset.part("training", "calibration")
    facts = find_row_facts(
        test,
        tables,
        label=label,
        features=features,
        evaluation=evaluation,
        costs=costs,
        portfolio=portfolio,
        threads=threads,
    )
    scores = {MODEL: probability, **score_baselines(test, facts)}
    remarks = list(facts.remarks)
    if prior is not None:
        scores[_CORRECTED], remark = _corrected(probability, test.cutoffs, prior, calibrated_base_rate)
        remarks.append(remark)
    seen = set(trained.accounts if known is None else known)
    return evaluate(
        test.y,
        scores,
        accounts=test.accounts,
        cutoffs=test.cutoffs,
        split=dataset.plan.split,
        probability={MODEL, _CORRECTED, *probabilities()} & set(scores),
        train_base_rate=dataset.base_rate("training", "calibration"),
        segments=facts.slices,
        sensitive=facts.sensitive,
        tenure_days=facts.tenure_days,
        capacity=sampled_capacity(capacity, dataset.sampling),
        costs=costs,
        account_values=facts.account_values,
        known_accounts=np.array([account in seen for account in test.accounts], dtype=np.bool_),
        remarks=[*remarks, *sample_remarks(dataset.sampling, capacity)],
        variants={_CORRECTED} & set(scores),
        bootstrap=evaluation.bootstrap,
        seed=seed,
    )


def sampled_capacity(capacity: int | None, sampling: Sampling) -> int | None:
    """Return how many accounts of the sample the team can contact: the sample's share of its capacity."""
    return None if capacity is None else max(1, round(capacity * sampling.accounts))


def sample_remarks(sampling: Sampling, capacity: int | None) -> list[str]:
    """Say what a sample means for the figures of an evaluation; nothing where there is none."""
    remarks = []
    if sampling.accounts < 1.0:
        share = f"{100 * sampling.accounts:g}%"
        remarks.append(f"Tested on {share} of the accounts, sampled by a hash of their ids: counts and sums are of the sample.")
        if capacity is not None:
            own = sampled_capacity(capacity, sampling) or 0
            remarks.append(f"Capacity: {count(own)} of {count(capacity)}, the sample's share.")
    if sampling.negatives < 1.0:
        remarks.append(f"Trained on all rows that churned and {100 * sampling.negatives:g}% of those that stayed.")
    return remarks


def _corrected(
    probability: NDArray[np.float64], cutoffs: NDArray[np.int64], prior: Prior, trained: float
) -> tuple[NDArray[np.float64], str]:
    """Correct each cutoff as a scoring run at that cutoff would: from its whole population, without a label."""
    found, targets = np.empty(len(probability)), []
    for cutoff in np.unique(cutoffs).tolist():
        rows = cutoffs == cutoff
        correction = prior_of(prior, trained, probability[rows])
        assert correction is not None
        found[rows] = correction.apply(probability[rows])
        targets.append(f"{percent(correction.target)} at {text_of(cutoff)}")
    if isinstance(prior, float):
        return found, f"Prior correction: from {percent(trained)} to {percent(prior)} (given)."
    rates = f"the churn rate of each cutoff, estimated without labels: {', '.join(targets)}"
    return found, f"Prior correction: from {percent(trained)} to {rates}."
