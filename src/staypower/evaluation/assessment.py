"""Evaluate a model and its baselines on the same rows, once and again on every bootstrap sample."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from staypower.cutoffs import text_of
from staypower.dataset.building import Dataset
from staypower.dataset.sampling import Sampling
from staypower.errors import Problem, UsageError
from staypower.evaluation.baselines import left_out, probabilities, score_baselines
from staypower.evaluation.contacting import FairnessGap, contact_plans, contacted_share, fairness_gaps, pays_above
from staypower.evaluation.measures import METRICS, estimates_of, measure
from staypower.evaluation.resampling import estimate, row_weights
from staypower.evaluation.result import Evaluation, ReliabilityBin
from staypower.evaluation.row_facts import RowFacts
from staypower.evaluation.rows import BASE_RATE, EvaluationRows, describe_split
from staypower.evaluation.score_meter import BINS, Campaign, ScoreMeter, WeightedScore
from staypower.evaluation.settings import CostSettings
from staypower.evaluation.slices import SliceMeter, partitions, slice_measures, worst_slice
from staypower.evaluation.wording import notes_of
from staypower.metrics.profit import Profit, maximum_profit_of
from staypower.metrics.ranking import Tally
from staypower.metrics.risk import high_risk_above
from staypower.models.prior import prior_of
from staypower.results.numbers import count, percent

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["MODEL", "evaluate", "evaluate_model", "sample_remarks", "sampled_capacity"]

MODEL, _CORRECTED = "model", "prior corrected"

Prior = float | Literal["estimate"]


def evaluate(
    y_true: ArrayLike,
    scores: Mapping[str, ArrayLike],
    *,
    accounts: ArrayLike,
    cutoffs: ArrayLike,
    split: str,
    probability: Collection[str] = (),
    train_base_rate: float | None = None,
    segments: Mapping[str, Any] | None = None,
    tenure_days: ArrayLike | None = None,
    capacity: int | None = None,
    costs: CostSettings | None = None,
    account_values: ArrayLike | None = None,
    known_accounts: ArrayLike | None = None,
    sensitive: Collection[str] = (),
    remarks: Sequence[str] = (),
    variants: Collection[str] = (),
    bootstrap: int = 200,
    seed: int = 0,
) -> Evaluation:
    """Evaluate a model and its baselines on the same rows.

    Parameters
    ----------
    y_true : array-like of 0 and 1, shape (n,)
        1 where the account churned within the outcome.
    scores : mapping of str to array-like of float, shape (n,)
        The model first, then baselines; higher means more likely to churn. A baseline that only ranks may be missing on some
        rows, which then get the median of the others; one that is missing on every row is left out. The base rate is added.
    accounts : array-like, shape (n,)
        Account of each row.
    cutoffs : array-like of int64, shape (n,)
        Cutoff of each row, an instant.
    split : str
        How test rows were separated from training: `temporal`, `grouped`, `snapshot`. Every output names it.
    probability : collection of str, default ()
        Names of the scores that are probabilities; the others get no log loss, Brier score or calibration.
    train_base_rate : float, optional
        Share that churned in training, 0 to 1: the base rate known in advance. By default that of these rows.
    segments : mapping of str to array-like, shape (n,), optional
        Groupings to report the model by; missing values are the group `unknown`.
    tenure_days : array-like of float, shape (n,), optional
        Tenure at the cutoff, for the table by tenure.
    capacity : int, optional
        Accounts the team can contact at each cutoff, at least 1.
    costs : CostSettings, optional
        Without all of clv, incentive and contact, EMPC is given at the published amounts and no threshold is given.
    account_values : array-like of float, shape (n,), optional
        Value of each row's account, at least 0: adds the instance-dependent maximum profit, when incentive and contact are
        given.
    known_accounts : array-like of bool, shape (n,), optional
        Whether the row's account was in training, at earlier cutoffs: the two groups are then reported separately.
    sensitive : collection of str, default ()
        Names of segments whose groups are compared for fairness.
    remarks : sequence of str, default ()
        Put before the notes.
    variants : collection of str, default ()
        Scores that are the model itself in another form, such as with its base rate corrected: shown, but no baselines.
    bootstrap : int, default 200
        Samples of accounts behind the intervals, at least 0; below 20 there are no intervals.
    seed : int, default 0
        Seed of the samples, at least 0.

    Returns
    -------
    Evaluation

    Raises
    ------
    UsageError
        With every problem at once when rows, scores or settings cannot be used.

    Examples
    --------
    >>> y = [0, 0, 0, 1, 1, 1] * 10
    >>> risk = [0.1, 0.2, 0.3, 0.25, 0.8, 0.9] * 10
    >>> found = evaluate(
    ...     y, {"model": risk, "tenure rule": [1, 2, 3, 3, 2, 1] * 10}, accounts=range(60), cutoffs=[0] * 60,
    ...     split="temporal", probability={"model"},
    ... )
    >>> found.headline.split(":")[0]
    'The model beats every baseline in AUROC'
    >>> round(found.metrics()["auroc"], 3)
    0.889
    """
    _check_settings(train_base_rate, capacity, bootstrap, seed)
    rows = EvaluationRows.of(
        y_true,
        scores,
        accounts=accounts,
        cutoffs=cutoffs,
        probability=probability,
        segments=segments,
        tenure_days=tenure_days,
        account_values=account_values,
        known=known_accounts,
        sensitive=sensitive,
    )
    reference = float(rows.churned.mean()) if train_base_rate is None else train_base_rate
    numbers = np.unique(rows.cutoffs, return_inverse=True)[1]
    campaign = Campaign(reference, capacity, numbers, costs or CostSettings(), rows.account_values)
    panel = _Panel(rows, campaign)
    drawn, once = panel.resample(bootstrap, seed), panel.measure()
    slices = tuple(meter.slice(drawn.slices[:, at]) for at, meter in enumerate(panel.slice_meters))
    base_rate = estimate(float(once.base_rate[0]), drawn.base_rate)
    tallies = {name: meter.ranking.tally() for name, meter in panel.meters.items()}
    threshold = _threshold(tallies[rows.model], campaign.costs)
    values, samples = once.metrics[0], drawn.metrics
    auroc, profit = (list(METRICS).index(name) for name in ("auroc", "maximum_profit"))
    auroc_of_slice = slice_measures().index("auroc")
    resampling = {"replicates": bootstrap, "seed": seed}
    notes = notes_of(rows, base_rate, train_base_rate, campaign.costs, threshold, slices)
    return Evaluation(
        split=describe_split(split),
        model=rows.model,
        rows=len(rows),
        accounts=int(rows.account_number.max()) + 1,
        churned=int(rows.churned.sum()),
        cutoffs=tuple(int(cutoff) for cutoff in np.unique(rows.cutoffs)),
        base_rate=base_rate,
        train_base_rate=train_base_rate,
        scorers=MappingProxyType(
            {name: estimates_of(METRICS, values[at], samples[:, at]) for at, name in enumerate(panel.meters)}
        ),
        differences=MappingProxyType(
            {
                name: estimates_of(METRICS, values[0] - values[at], samples[:, 0] - samples[:, at], differences=True)
                for at, name in enumerate(panel.meters)
                if at
            }
        ),
        groups=slices,
        reliability=tuple(_reliability(panel, once, drawn)),
        tallies=MappingProxyType(tallies),
        scored=MappingProxyType({name: rows.scored.get(name, 1.0) for name in panel.meters}),
        capacity=campaign.capacity,
        costs=campaign.costs,
        profit_threshold=threshold,
        replicates=bootstrap,
        seed=seed,
        worst_slice=worst_slice(slices, drawn.slices[:, :, auroc_of_slice], float(values[0, auroc]), samples[:, 0, auroc]),
        fairness=_fairness(rows, campaign, resampling),
        contact_plans=contact_plans(
            rows, campaign.costs, threshold, estimate(values[0, profit], samples[:, 0, profit]), **resampling
        ),
        variants=frozenset(variants),
        notes=(*remarks, *notes),
    )


@dataclass(frozen=True, eq=False)
class _Samples:
    """The measures of r bootstrap samples (r = 1: of the rows themselves)."""

    base_rate: NDArray[np.float64]  # shape (r,)
    metrics: NDArray[np.float64]  # shape (r, scores, metrics)
    slices: NDArray[np.float64]  # shape (r, slices, measures)
    # shape (r, scores, 3, bins): rows, mean probability and churned share; NaN for scores that only rank
    reliability: NDArray[np.float64]


class _Panel:
    """The scores and slices of an evaluation, ready to be measured under any weights."""

    def __init__(self, rows: EvaluationRows, campaign: Campaign) -> None:
        self._rows = rows
        model, *others = rows.scores.items()
        constant = (BASE_RATE, np.full(len(rows), campaign.reference))
        given = [model, *([] if BASE_RATE in rows.scores else [constant]), *others]
        probability = rows.probability | ({BASE_RATE} - rows.scores.keys())
        self.meters = {
            name: ScoreMeter(rows.churned, score, is_probability=name in probability, campaign=campaign)
            for name, score in given
        }
        self.slice_meters = [
            SliceMeter(
                partition,
                at,
                rows.churned,
                rows.scores[rows.model],
                rows.account_number,
                is_probability=rows.model in probability,
            )
            for partition in partitions(rows.cutoffs, rows.tenure_days, rows.segments, rows.known)
            for at in range(len(partition.labels))
        ]

    def measure(self) -> _Samples:
        """Measure the rows as they are."""
        return self._stacked([np.ones(len(self._rows))], 1)

    def resample(self, replicates: int, seed: int) -> _Samples:
        """Measure samples of accounts, the same samples for every score and slice."""
        return self._stacked(row_weights(self._rows.account_number, replicates, seed), replicates)

    def _stacked(self, weights: Iterable[NDArray[np.float64]], replicates: int) -> _Samples:
        samples = _Samples(
            np.empty(replicates),
            np.empty((replicates, len(self.meters), len(METRICS))),
            np.empty((replicates, len(self.slice_meters), len(slice_measures()))),
            np.full((replicates, len(self.meters), 3, BINS), np.nan),
        )
        for draw, weight in enumerate(weights):
            samples.base_rate[draw] = (weight * self._rows.churned).sum() / weight.sum()
            for at, meter in enumerate(self.meters.values()):
                weighted = WeightedScore(meter, weight)
                samples.metrics[draw, at] = measure(weighted)
                if meter.is_probability:
                    samples.reliability[draw, at] = weighted.reliability
            for at, slice_meter in enumerate(self.slice_meters):
                samples.slices[draw, at] = slice_meter.measure(weight)
        return samples


def _fairness(rows: EvaluationRows, campaign: Campaign, resampling: Mapping[str, int]) -> tuple[FairnessGap, ...]:
    groups = {name: values for name, values in rows.segments.items() if name in rows.sensitive}
    if not groups or (campaign.capacity is None and rows.model not in rows.probability):
        return ()
    assert campaign.cutoff_number is not None
    score = rows.scores[rows.model]
    high = high_risk_above(campaign.reference, profit=pays_above(campaign.costs))
    contacted = contacted_share(score, campaign.cutoff_number, campaign.capacity, high)
    probability = score if rows.model in rows.probability else None
    return fairness_gaps(rows.churned, probability, contacted, groups, rows.account_number, **resampling)


def _reliability(panel: _Panel, once: _Samples, drawn: _Samples) -> Iterator[ReliabilityBin]:
    for at, (name, meter) in enumerate(panel.meters.items()):
        if not meter.is_probability:
            continue
        rows, predicted, observed = once.reliability[0, at]
        for number in np.flatnonzero(rows > 0):
            found = estimate(float(observed[number]), drawn.reliability[:, at, 2, number])
            yield ReliabilityBin(name, int(rows[number]), float(predicted[number]), found)


def _threshold(tally: Tally, costs: CostSettings) -> Profit | None:
    if not costs.complete:
        return None
    clv, incentive, contact = costs.amounts
    return maximum_profit_of(tally, clv=clv, incentive_cost=incentive, contact_cost=contact, acceptance=costs.acceptance)


def _check_settings(train_base_rate: float | None, capacity: int | None, bootstrap: int, seed: int) -> None:
    problems = []
    if train_base_rate is not None and not 0 <= train_base_rate <= 1:
        problems.append(Problem("train_base_rate is not a share", f"{train_base_rate:g}", "give a share from 0 to 1"))
    for name, number, least in (("capacity", capacity, 1), ("bootstrap", bootstrap, 0), ("seed", seed, 0)):
        if number is not None and number < least:
            problems.append(Problem(f"{name} is too small", str(number), f"give at least {least}"))
    if problems:
        raise UsageError(problems)


def evaluate_model(
    dataset: Dataset,
    probability: NDArray[np.float64],
    facts: RowFacts,
    *,
    costs: CostSettings,
    capacity: int | None,
    bootstrap: int,
    known: Collection[str] | None = None,
    prior: Prior | None = None,
    calibrated_base_rate: float = float("nan"),
    variants: Mapping[str, NDArray[np.float64]] = MappingProxyType({}),
    seed: int = 0,
) -> Evaluation:
    """Evaluate a model's probabilities on the test rows, of which `facts` tell what is known besides their features.

    With a `prior`, the probabilities corrected from `calibrated_base_rate` to it are shown as well, as are those of its
    `variants`. `known` are the accounts
    that the model was trained on; by default those of this data set's training.
    """
    test, trained = dataset.part("test"), dataset.part("training", "calibration")
    scores = {MODEL: probability, **variants, **score_baselines(test, facts)}
    remarks = [*facts.remarks, *left_out(scores)]
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
        probability={MODEL, _CORRECTED, *variants, *probabilities()} & set(scores),
        train_base_rate=dataset.base_rate("training", "calibration"),
        segments=facts.slices,
        sensitive=facts.sensitive,
        tenure_days=facts.tenure_days,
        capacity=sampled_capacity(capacity, dataset.sampling),
        costs=costs,
        account_values=facts.account_values,
        known_accounts=np.array([account in seen for account in test.accounts], dtype=np.bool_),
        remarks=[*remarks, *sample_remarks(dataset.sampling, capacity)],
        variants={_CORRECTED, *variants} & set(scores),
        bootstrap=bootstrap,
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
