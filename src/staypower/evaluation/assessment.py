"""Judge a model beside its baselines on the same rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from staypower.errors import Problem, UsageError
from staypower.evaluation.contacting import contact_plans
from staypower.evaluation.fairness import FairnessGap, contacted_share, fairness_gaps
from staypower.evaluation.measures import METRICS, Campaign, position
from staypower.evaluation.notes import notes_of
from staypower.evaluation.panel import Panel, Samples
from staypower.evaluation.resampling import Estimate, estimate
from staypower.evaluation.result import Evaluation, ReliabilityBin
from staypower.evaluation.rows import Rows
from staypower.evaluation.settings import CostSettings
from staypower.evaluation.slices import worst_slice
from staypower.evaluation.wording import split_in_words
from staypower.metrics.profit import Profit, maximum_profit_of
from staypower.metrics.risk import twice_the_base_rate
from staypower.metrics.tally import Tally

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from staypower.evaluation.memory import AccountMemory

__all__ = ["evaluate"]


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
    memory: AccountMemory | None = None,
    sensitive: Collection[str] = (),
    remarks: Sequence[str] = (),
    variants: Collection[str] = (),
    bootstrap: int = 200,
    seed: int = 0,
) -> Evaluation:
    """Judge a model beside its baselines on the same rows.

    Parameters
    ----------
    y_true : array-like of 0 and 1, shape (n,)
        1 where the account churned within the outcome.
    scores : mapping of str to array-like of float, shape (n,)
        The model first, then baselines; higher means more likely to churn. A baseline that only ranks may be missing on some
        rows, which then stand at the middle of the others; one that knows no row is left out. The base rate is added by itself.
    accounts : array-like, shape (n,)
        Account of each row.
    cutoffs : array-like of int64, shape (n,)
        Cutoff of each row, an instant.
    split : str
        How test rows were kept apart: `temporal`, `grouped`, `snapshot`. Named in every output.
    probability : collection of str, default ()
        Names of the scores that are probabilities; the others get no log loss, Brier score or calibration.
    train_base_rate : float, optional
        Share that churned in training, 0 to 1: the base rate that was known beforehand. By default that of these rows.
    segments : mapping of str to array-like, shape (n,), optional
        Groupings to report the model by; missing values are a group of their own.
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
        Whether the row's account was in training, at earlier cutoffs: the two kinds are then reported apart.
    memory : AccountMemory, optional
        What known accounts are easier by, from `account_memory`.
    sensitive : collection of str, default ()
        Names of segments whose groups are compared for fairness.
    remarks : sequence of str, default ()
        What a reader must know first; the first notes.
    variants : collection of str, default ()
        Scores that are the model itself in another form, such as with its base rate corrected: shown, but nothing to beat.
    bootstrap : int, default 200
        Samples of accounts behind the intervals, at least 0; below 20 there are no intervals.
    seed : int, default 0
        Of the samples, at least 0.

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
    rows = Rows.of(
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
    money = costs or CostSettings()
    reference = float(rows.churned.mean()) if train_base_rate is None else train_base_rate
    numbers = np.unique(rows.cutoffs, return_inverse=True)[1]
    campaign = Campaign(reference, capacity, numbers, money, rows.account_values)
    panel = Panel(rows, campaign)
    samples = panel.resample(bootstrap, seed)
    found = _evaluation(rows, panel, samples, campaign, split, train_base_rate, seed)
    return replace(found, memory=memory, variants=frozenset(variants), notes=(*remarks, *found.notes))


def _evaluation(
    rows: Rows,
    panel: Panel,
    samples: Samples,
    campaign: Campaign,
    split: str,
    train_base_rate: float | None,
    seed: int,
) -> Evaluation:
    costs = campaign.costs
    once = panel.measure()
    names = list(panel.scorers)
    values = once.metrics[0]
    tallies = {name: scorer.ranking.tally() for name, scorer in panel.scorers.items()}
    groups = tuple(meter.group(samples.groups[:, at]) for at, meter in enumerate(panel.meters))
    base_rate = estimate(float(once.base_rate[0]), samples.base_rate)
    threshold = _threshold(tallies[rows.model], costs)
    drawn = samples.metrics
    differences = {name: _row(values[0] - values[at], drawn[:, 0] - drawn[:, at]) for at, name in enumerate(names) if at}
    auroc, resampling = position("auroc"), {"replicates": len(samples.base_rate), "seed": seed}
    best = estimate(values[0, position("maximum_profit")], drawn[:, 0, position("maximum_profit")])
    return Evaluation(
        split=split_in_words(split),
        model=rows.model,
        rows=len(rows),
        accounts=int(rows.account_number.max()) + 1,
        churned=int(rows.churned.sum()),
        cutoffs=tuple(int(cutoff) for cutoff in np.unique(rows.cutoffs)),
        base_rate=base_rate,
        train_base_rate=train_base_rate,
        scorers=MappingProxyType({name: _row(values[at], drawn[:, at], absolute=True) for at, name in enumerate(names)}),
        differences=MappingProxyType(differences),
        groups=groups,
        reliability=tuple(_reliability(panel, once, samples)),
        tallies=MappingProxyType(tallies),
        scored=MappingProxyType({name: rows.scored.get(name, 1.0) for name in names}),
        capacity=campaign.capacity,
        costs=costs,
        profit_threshold=threshold,
        replicates=len(samples.base_rate),
        seed=seed,
        worst_slice=worst_slice(groups, samples.groups[:, :, 0], float(values[0, auroc]), drawn[:, 0, auroc]),
        fairness=_fairness(rows, campaign, resampling),
        contact_plans=contact_plans(rows, costs, threshold, best, **resampling),
        notes=notes_of(
            rows,
            base_rate=base_rate,
            train_base_rate=train_base_rate,
            costs=costs,
            profit_threshold=threshold,
            groups=groups,
        ),
    )


def _row(
    values: NDArray[np.float64], samples: NDArray[np.float64], *, absolute: bool = False
) -> MappingProxyType[str, Estimate]:
    # A sample's calibration error is larger than the rows' own, since drawing adds noise to every bin.
    found = {
        metric.name: estimate(values[at], samples[:, at], recentre=absolute and metric.name == "calibration_error")
        for at, metric in enumerate(METRICS)
    }
    return MappingProxyType(found)


def _fairness(rows: Rows, campaign: Campaign, resampling: Mapping[str, int]) -> tuple[FairnessGap, ...]:
    groups = {name: values for name, values in rows.segments.items() if name in rows.sensitive}
    if not groups or (campaign.capacity is None and rows.model not in rows.probability):
        return ()
    score = rows.scores[rows.model]
    high = twice_the_base_rate(campaign.reference)
    contacted = contacted_share(score, campaign.cutoff_number, campaign.capacity, high)
    probability = score if rows.model in rows.probability else None
    return fairness_gaps(rows.churned, probability, contacted, groups, rows.account_number, **resampling)


def _reliability(panel: Panel, once: Samples, samples: Samples) -> Iterator[ReliabilityBin]:
    for at, (name, scorer) in enumerate(panel.scorers.items()):
        if not scorer.is_probability:
            continue
        rows, predicted, observed = once.reliability[0, at]
        for number in np.flatnonzero(rows > 0):
            found = estimate(float(observed[number]), samples.reliability[:, at, 2, number])
            yield ReliabilityBin(name, int(rows[number]), float(predicted[number]), found)


def _threshold(tally: Tally, costs: CostSettings) -> Profit | None:
    if not costs.complete:
        return None
    clv, incentive, contact = costs.amounts
    return maximum_profit_of(tally, clv=clv, incentive_cost=incentive, contact_cost=contact, acceptance=costs.acceptance)


def _check_settings(train_base_rate: float | None, capacity: int | None, bootstrap: int, seed: int) -> None:
    problems = []
    if train_base_rate is not None and not 0 <= train_base_rate <= 1:
        problems.append(Problem("train_base_rate is no share", f"{train_base_rate:g}", "give a share from 0 to 1"))
    for name, number, least in (("capacity", capacity, 1), ("bootstrap", bootstrap, 0), ("seed", seed, 0)):
        if number is not None and number < least:
            problems.append(Problem(f"{name} is too small", str(number), f"give at least {least}"))
    if problems:
        raise UsageError(problems)
