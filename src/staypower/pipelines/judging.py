"""Judge probabilities on the test rows, beside the rules that a team would use without a model."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

import numpy as np

from staypower.config.settings import Settings
from staypower.cutoffs import text_of
from staypower.dataset.building import Dataset
from staypower.evaluation.assessment import evaluate
from staypower.evaluation.baselines import last_answer_rule, recency_rule, tenure_rule
from staypower.evaluation.logistic import logistic_baseline
from staypower.evaluation.memory import AccountMemory
from staypower.evaluation.result import Evaluation
from staypower.models.fitting import calibrated_base_rate
from staypower.models.prior import prior_of
from staypower.pipelines.fitting import measure_memory
from staypower.pipelines.row_facts import RowFacts, find_row_facts
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CORRECTED", "LOGISTIC", "MODEL", "baselines_of", "capacity_of", "judge", "sample_remarks", "tenure_of"]

MODEL, LOGISTIC, CORRECTED = "model", "logistic regression", "prior corrected"
_RECENCY = ("days_since_last_use", "days_since_last_order")
_TENURE = ("tenure_days", "days_since_first_order", "days_since_first_use")
_ANSWERS = ("nps_last", "csat_last", "ces2_last", "ces1_last")

Prior = float | Literal["estimate"] | None


def judge(
    dataset: Dataset,
    probability: NDArray[np.float64],
    settings: Settings,
    *,
    tables: Tables,
    known: Collection[str] | None = None,
    prior: Prior = None,
    trained: float | None = None,
) -> Evaluation:
    """Evaluate a model's probabilities on the test rows."""
    test, learned = dataset.rows("test"), dataset.rows("training", "calibration")
    base_rate = dataset.base_rate("training", "calibration")
    facts = find_row_facts(dataset, tables, settings, test, base_rate=base_rate)
    scores = {MODEL: probability, **baselines_of(dataset, test, facts)}
    accounts, remarks = dataset.matrix.accounts[test], list(facts.remarks)
    if prior is not None:
        start = calibrated_base_rate(dataset) if trained is None else trained
        scores[CORRECTED], said = _corrected(probability, dataset.matrix.cutoffs[test], prior, start)
        remarks.append(said)
    remarks += sample_remarks(dataset, settings)
    memory = measure_memory(dataset, settings) if settings.evaluation.unseen_accounts else None
    if isinstance(memory, str):
        remarks.append(memory)
    seen = set(dataset.matrix.accounts[learned] if known is None else known)
    return evaluate(
        dataset.y[test],
        scores,
        accounts=accounts,
        cutoffs=dataset.matrix.cutoffs[test],
        split=dataset.plan.split,
        probability={MODEL, LOGISTIC, CORRECTED} & set(scores),
        train_base_rate=base_rate,
        segments=facts.slices,
        sensitive=facts.sensitive,
        tenure_days=tenure_of(dataset, test),
        capacity=capacity_of(dataset, settings),
        costs=settings.costs,
        account_values=facts.account_values,
        known_accounts=np.array([account in seen for account in accounts], dtype=np.bool_),
        memory=memory if isinstance(memory, AccountMemory) else None,
        remarks=remarks,
        variants={CORRECTED} & set(scores),
        bootstrap=settings.evaluation.bootstrap,
        seed=settings.model.seed,
    )


def baselines_of(dataset: Dataset, rows: NDArray[np.bool_], facts: RowFacts) -> dict[str, NDArray[np.float64]]:
    """Score rows by every rule that the features allow, by the user's health score, and by a logistic regression."""
    X, learned = dataset.X[rows], dataset.rows("training", "calibration")
    scores: dict[str, NDArray[np.float64]] = {}
    for name, rule, columns in (
        ("recency rule", recency_rule, _RECENCY),
        ("tenure rule", tenure_rule, _TENURE),
        ("last survey answer", last_answer_rule, _ANSWERS),
    ):
        present = [column for column in columns if column in X]
        if present:
            scores[name] = rule(X, present)
    if facts.health_score is not None:
        scores["health score"] = facts.health_score
    weights = dataset.weights
    scores[LOGISTIC] = logistic_baseline(
        dataset.X[learned],
        dataset.y[learned],
        X,
        dataset.matrix.categories,
        accounts=dataset.matrix.accounts[learned],
        sample_weight=None if weights is None else weights[learned],
    )
    return scores


def capacity_of(dataset: Dataset, settings: Settings) -> int | None:
    """Return the accounts that a team can call among those of the data set: of a sample of the accounts, its share."""
    if settings.capacity is None:
        return None
    return max(1, round(settings.capacity * dataset.sampling.accounts))


def sample_remarks(dataset: Dataset, settings: Settings) -> list[str]:
    """Say what a sample means for the figures of an evaluation; nothing where there is none."""
    share, said = 100 * dataset.sampling.accounts, []
    if dataset.sampling.accounts < 1.0:
        said.append(f"Tested on {share:g} % of the accounts, drawn by a hash of their ids: counts and sums are theirs.")
        if settings.capacity is not None:
            said.append(f"Capacity: {capacity_of(dataset, settings):,} of {settings.capacity:,}, the sample's share.")
    if dataset.sampling.negatives < 1.0:
        said.append(f"Learned from all rows that churned and {100 * dataset.sampling.negatives:g} % of those that stayed.")
    return said


def tenure_of(dataset: Dataset, rows: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Return the tenure of rows in days, where a feature tells it."""
    return next((dataset.X[column].to_numpy()[rows] for column in _TENURE if column in dataset.X), None)


def _corrected(
    probability: NDArray[np.float64], cutoffs: NDArray[np.int64], prior: Prior, trained: float
) -> tuple[NDArray[np.float64], str]:
    """Correct each cutoff as a scoring run at that cutoff would: from its whole population, without a label."""
    found, said = np.empty(len(probability)), []
    for cutoff in np.unique(cutoffs).tolist():
        rows = cutoffs == cutoff
        correction = prior_of(prior, trained, probability[rows])
        assert correction is not None
        found[rows] = correction.apply(probability[rows])
        said.append(f"{100 * correction.target:.1f} % at {text_of(cutoff)}")
    how = "given" if prior != "estimate" else f"estimated without labels: {', '.join(said)}"
    target = f"{100 * float(prior):.1f} %" if isinstance(prior, float) else ""
    return found, f"Prior correction: from {100 * trained:.1f} % to {target or 'what each cutoff tells'} ({how})."
