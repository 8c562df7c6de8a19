"""Evaluate the predictions of the folds: each fold separately, all of them pooled, the model by age, and known accounts.

For known accounts, the accounts are split into two halves and one model is trained on each. Every tested row is then predicted
twice, by two models of the same size: the one trained on the row's account at earlier cutoffs ("known accounts") and the one
that was not ("unseen accounts"). What the first is better by comes from recognising accounts, not from recognising churn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from staypower.cutoffs import DAY
from staypower.dataset.building import Dataset
from staypower.dataset.cutoff_plan import CutoffPlan
from staypower.errors import UsageError
from staypower.evaluation.assessment import MODEL, evaluate
from staypower.evaluation.backtest import AgePoint, Backtest, FoldResult, KnownAccounts
from staypower.evaluation.baselines import HEALTH_SCORE
from staypower.evaluation.health_score import caught_at
from staypower.evaluation.measures import estimates_of, listed_in, measure_of_weights, paired_difference
from staypower.evaluation.resampling import row_weights
from staypower.evaluation.result import Evaluation
from staypower.evaluation.settings import CostSettings

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import ArrayLike, NDArray

__all__ = ["POOLED_SPLIT", "FoldPredictions", "backtest_of"]

POOLED_SPLIT = "rolling origin"
_HALVES = (0, 1)


@dataclass(frozen=True, eq=False, kw_only=True)
class FoldPredictions:
    """What one fold predicted: its own test cutoff by every score, later ones by its model alone.

    The first `fresh` rows are those of the fold's own test cutoff; arrays of length m hold those alone.
    """

    plan: CutoffPlan  # its first test cutoff is the fold's own
    learned_rows: int  # training rows and accounts
    learned_accounts: int
    train_base_rate: float  # share that churned in training
    how: str  # what tree count and calibration were found on, in words
    accounts: NDArray[np.object_]  # shape (n,): rows of the own test cutoff first, then of all later ones
    cutoffs: NDArray[np.int64]  # shape (n,)
    churned: NDArray[np.int8]  # shape (n,)
    probability: NDArray[np.float64]  # shape (n,): the model's
    fresh: int  # m, rows of the own test cutoff
    scores: Mapping[str, NDArray[np.float64]]  # shape (m,): baselines
    known: NDArray[np.bool_]  # shape (m,): whether the row's account was in training
    probabilities: frozenset[str] = frozenset()  # which of the baselines are probabilities
    # shape (m,): probability by a model on the row's half of the accounts, and by one on the other half
    halves: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    segments: Mapping[str, NDArray[np.object_]] = field(default_factory=dict)  # shape (m,)
    tenure_days: NDArray[np.float64] | None = None  # shape (m,)
    values: NDArray[np.float64] | None = None  # shape (m,)
    mrr: NDArray[np.float64] | None = None  # shape (m,): monthly revenue
    remarks: tuple[str, ...] = ()

    @property
    def cutoff(self) -> int:
        """The fold's own test cutoff."""
        return int(self.plan.test[0])


def backtest_of(
    folds: Sequence[FoldPredictions],
    *,
    capacity: int | None = None,
    costs: CostSettings | None = None,
    sensitive: Collection[str] = (),
    left_out: Sequence[str] = (),
    replicates: int = 200,
    seed: int = 0,
) -> Backtest:
    """Evaluate the folds of a rolling origin.

    Pooled figures put the fresh predictions of all folds together. An account that is active at six test cutoffs is six rows
    but one draw of the bootstrap: more cutoffs of the same accounts do not make an interval narrower.
    """
    if not folds:
        raise UsageError.of("no fold to evaluate", "0", "give longer histories")
    money = costs or CostSettings()
    common: dict[str, Any] = {"capacity": capacity, "costs": money, "bootstrap": replicates, "seed": seed}
    results = tuple(_result(fold, common) for fold in folds)
    pooled = _pooled(folds, common, sensitive)
    return Backtest(
        folds=results,
        pooled=pooled,
        ages=tuple(_age_point(folds, age, replicates, seed) for age in range(len(folds))),
        known_accounts=_known_accounts(folds, common),
        left_out=tuple(left_out),
        caught=tuple(
            caught_at(
                *(fold.cutoff, fold.churned[: fold.fresh], fold.probability[: fold.fresh]),
                *(fold.scores[HEALTH_SCORE], fold.mrr),
                capacity=capacity,
            )
            for fold in folds
            if HEALTH_SCORE in fold.scores
        ),
    )


def _result(fold: FoldPredictions, common: dict[str, Any]) -> FoldResult:
    evaluation = evaluate(
        fold.churned[: fold.fresh],
        {MODEL: fold.probability[: fold.fresh], **fold.scores},
        accounts=fold.accounts[: fold.fresh],
        cutoffs=fold.cutoffs[: fold.fresh],
        split=fold.plan.split,
        probability={MODEL, *fold.probabilities},
        train_base_rate=fold.train_base_rate,
        known_accounts=fold.known,
        account_values=fold.values,
        remarks=fold.remarks,
        **common,
    )
    return FoldResult(
        cutoff=fold.cutoff,
        learned_from=int(fold.plan.all[0]),
        trained_until=fold.plan.trained_until,
        learned_rows=fold.learned_rows,
        learned_accounts=fold.learned_accounts,
        split=fold.plan.split,
        how=fold.how,
        evaluation=evaluation,
    )


def _pooled(folds: Sequence[FoldPredictions], common: dict[str, Any], sensitive: Collection[str]) -> Evaluation:
    names = list(dict.fromkeys(name for fold in folds for name in fold.scores))
    segments = list(dict.fromkeys(name for fold in folds for name in fold.segments))
    rows = sum(fold.fresh for fold in folds)
    rates = sum(fold.train_base_rate * fold.fresh for fold in folds) / rows
    return evaluate(
        _fresh(folds, "churned"),
        {MODEL: _fresh(folds, "probability"), **{name: _scores(folds, name) for name in names}},
        accounts=_fresh(folds, "accounts").astype(str),
        cutoffs=_fresh(folds, "cutoffs"),
        split=f"{POOLED_SPLIT}, {len(folds)} folds, each tested on the first cutoff after its training",
        probability={MODEL, *(name for name in names if all(name in fold.probabilities for fold in folds))},
        train_base_rate=rates,
        segments={name: _segment(folds, name) for name in segments},
        sensitive=[name for name in sensitive if name in segments],
        tenure_days=_optional(folds, "tenure_days"),
        account_values=_optional(folds, "values"),
        known_accounts=np.concatenate([fold.known for fold in folds]),
        remarks=tuple(dict.fromkeys(_repeated(folds))),
        **common,
    )


def _repeated(folds: Sequence[FoldPredictions]) -> list[str]:
    """Return the remarks that more than half of the folds make; the others stay with their own folds."""
    made = [remark for fold in folds for remark in fold.remarks]
    return [remark for remark in made if 2 * made.count(remark) > len(folds)]


def _fresh(folds: Sequence[FoldPredictions], name: str) -> NDArray[Any]:
    return np.concatenate([getattr(fold, name)[: fold.fresh] for fold in folds])


def _scores(folds: Sequence[FoldPredictions], name: str) -> NDArray[np.float64]:
    """Return a baseline of all folds; missing where a fold does not have it."""
    return np.concatenate([fold.scores.get(name, np.full(fold.fresh, np.nan)) for fold in folds])


def _segment(folds: Sequence[FoldPredictions], name: str) -> NDArray[np.object_]:
    return np.concatenate([fold.segments.get(name, np.full(fold.fresh, None, dtype=object)) for fold in folds])


def _optional(folds: Sequence[FoldPredictions], name: str) -> NDArray[np.float64] | None:
    found = [getattr(fold, name) for fold in folds]
    return None if any(each is None for each in found) else np.concatenate(found)


def _known_accounts(folds: Sequence[FoldPredictions], common: dict[str, Any]) -> KnownAccounts | None:
    halved = [fold for fold in folds if fold.halves is not None]
    if not halved:
        return None
    known, unseen = (np.concatenate([fold.halves[side] for fold in halved if fold.halves is not None]) for side in (0, 1))
    return compare_known_accounts(
        _fresh(halved, "churned"),
        known,
        unseen,
        _fresh(halved, "accounts").astype(str),
        replicates=common["bootstrap"],
        seed=common["seed"],
    )


def _age_point(folds: Sequence[FoldPredictions], age: int, replicates: int, seed: int) -> AgePoint:
    """Compare models of an age with the fresh ones of the same test cutoffs, on the same rows.

    A month in which every account is hard to predict counts for both.
    """
    pairs = [(folds[at - age], folds[at]) for at in range(age, len(folds))]
    old = np.concatenate([model.probability[model.cutoffs == fresh.cutoff] for model, fresh in pairs])
    newest = [fresh for _, fresh in pairs]
    new, churned, accounts = _fresh(newest, "probability"), _fresh(newest, "churned"), _fresh(newest, "accounts").astype(str)
    names, ones = [metric.name for metric in listed_in("ages")], np.ones(len(churned))
    # a fresh model does not differ from itself
    samples = replicates if age else 0
    return AgePoint(
        age=age,
        days=int((pairs[0][1].cutoff - pairs[0][0].cutoff) // DAY),
        cutoffs=len(pairs),
        rows=len(churned),
        churned=int(churned.sum()),
        metrics={name: measure_of_weights(name, churned, old)(ones) for name in names},
        changes={name: paired_difference(churned, old, new, accounts, name, replicates=samples, seed=seed) for name in names},
        predicted=float(old.mean()),
        observed=float(churned.mean()),
    )


def compare_known_accounts(
    y_true: ArrayLike,
    known: ArrayLike,
    unseen: ArrayLike,
    accounts: ArrayLike,
    *,
    replicates: int = 200,
    seed: int = 0,
) -> KnownAccounts:
    """Compare predictions of the same rows with and without their accounts in training.

    >>> y = [0, 0, 0, 1] * 25
    >>> found = compare_known_accounts(y, [0.1, 0.1, 0.2, 0.8] * 25, [0.2, 0.3, 0.2, 0.25] * 25, accounts=range(100))
    >>> round(found.known["auroc"].value, 3), round(found.unseen["auroc"].value, 3), found.easier
    (1.0, 0.667, True)
    """
    lengths = [np.size(each) for each in (y_true, known, unseen, accounts)]
    if len(set(lengths)) > 1:
        raise UsageError.of("rows differ in number", ", ".join(map(str, lengths)), "give one value per row")
    number = np.unique(np.asarray(accounts), return_inverse=True)[1]
    churned, scores = np.asarray(y_true), [np.asarray(score, dtype=np.float64) for score in (known, unseen)]
    names = [metric.name for metric in listed_in("compared")]
    measures = [[measure_of_weights(name, churned, score) for score in scores] for name in names]

    def values(weight: NDArray[np.float64]) -> list[list[float]]:
        return [[measure(weight) for measure in pair] for pair in measures]

    once = np.array(values(np.ones(len(number))))
    drawn = np.array([values(weight) for weight in row_weights(number, replicates, seed)]).reshape(-1, *once.shape)
    apart = estimates_of(names, once[:, 0] - once[:, 1], drawn[:, :, 0] - drawn[:, :, 1], differences=True)
    return KnownAccounts(
        estimates_of(names, once[:, 0], drawn[:, :, 0]), estimates_of(names, once[:, 1], drawn[:, :, 1]), apart
    )


def half_of(accounts: NDArray[np.object_]) -> NDArray[np.int64]:
    """Assign accounts to two halves by a hash of their id, so that other accounts in the data make no difference.

    >>> half_of(np.array(["ann", "bob", "cal", "ann"], dtype=object)).tolist()
    [0, 0, 1, 0]
    """
    names, number = np.unique(accounts.astype(str), return_inverse=True)
    half = [hashlib.sha256(f"half {name}".encode()).digest()[0] % 2 for name in names]
    return np.array(half, dtype=np.int64)[number]


def predict_by_halves(
    dataset: Dataset,
    rows: NDArray[np.bool_],
    fit: Callable[[NDArray[np.bool_]], Any],
    *,
    fewest_churners: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | str:
    """Predict rows by two models, each fitted on one half of the accounts; where that is not possible, say why."""
    half = half_of(dataset.matrix.accounts)
    trained = dataset.part("training", "calibration").churned
    churners = [len(set(trained.accounts[half[trained.index] == side])) for side in _HALVES]
    if min(churners) < fewest_churners:
        few = f"half of the accounts hold {min(churners)} churned accounts, {fewest_churners} are needed"
        return f"Known and unseen accounts are not compared: {few}."
    own = half[rows]
    try:
        by_half = [fit(half == side).predict_proba(dataset.X[rows])[:, 1] for side in _HALVES]
    except UsageError as error:
        return f"Known and unseen accounts are not compared: {error.problems[0].problem}."
    return np.where(own == 0, *by_half), np.where(own == 0, *by_half[::-1])
