"""Put the folds' predictions together: each fold by itself, all of them pooled, and the model by age."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from staypower.errors import UsageError
from staypower.evaluation.assessment import evaluate
from staypower.evaluation.backtest.ageing import age_points
from staypower.evaluation.backtest.predictions import FoldPredictions
from staypower.evaluation.backtest.result import Backtest, FoldResult
from staypower.evaluation.memory import AccountMemory, account_memory
from staypower.evaluation.result import Evaluation
from staypower.evaluation.settings import CostSettings

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

__all__ = ["MODEL", "POOLED_SPLIT", "backtest_of"]

MODEL = "model"
POOLED_SPLIT = "rolling origin"


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
    """Judge the folds of a rolling origin.

    Pooled figures put the fresh predictions of all folds together. An account that stands at six test cutoffs is six rows and
    one draw of the bootstrap: more cutoffs of the same accounts narrow no interval by themselves.
    """
    if not folds:
        raise UsageError.of("no fold to judge", "0", "give longer histories")
    money = costs or CostSettings()
    common: dict[str, Any] = {"capacity": capacity, "costs": money, "bootstrap": replicates, "seed": seed}
    results = tuple(_result(fold, common) for fold in folds)
    pooled = _pooled(folds, common, sensitive)
    return Backtest(
        folds=results,
        pooled=pooled,
        ages=age_points(folds, replicates=replicates, seed=seed),
        left_out=tuple(left_out),
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
        split=f"{POOLED_SPLIT}, {len(folds)} folds, each tested on the cutoff after what it had learned",
        probability={MODEL, *(name for name in names if all(name in fold.probabilities for fold in folds))},
        train_base_rate=rates,
        segments={name: _segment(folds, name) for name in segments},
        sensitive=[name for name in sensitive if name in segments],
        tenure_days=_optional(folds, "tenure_days"),
        account_values=_optional(folds, "values"),
        known_accounts=np.concatenate([fold.known for fold in folds]),
        memory=_memory(folds, common),
        remarks=tuple(dict.fromkeys(_repeated(folds))),
        **common,
    )


def _repeated(folds: Sequence[FoldPredictions]) -> list[str]:
    """Return the remarks that more than half of the folds make; the others stand with their own folds."""
    made = [remark for fold in folds for remark in fold.remarks]
    return [remark for remark in made if 2 * made.count(remark) > len(folds)]


def _fresh(folds: Sequence[FoldPredictions], name: str) -> NDArray[Any]:
    return np.concatenate([getattr(fold, name)[: fold.fresh] for fold in folds])


def _scores(folds: Sequence[FoldPredictions], name: str) -> NDArray[np.float64]:
    """Return a baseline of all folds; missing where a fold has it not."""
    return np.concatenate([fold.scores.get(name, np.full(fold.fresh, np.nan)) for fold in folds])


def _segment(folds: Sequence[FoldPredictions], name: str) -> NDArray[np.object_]:
    return np.concatenate([fold.segments.get(name, np.full(fold.fresh, None, dtype=object)) for fold in folds])


def _optional(folds: Sequence[FoldPredictions], name: str) -> NDArray[np.float64] | None:
    found = [getattr(fold, name) for fold in folds]
    return None if any(each is None for each in found) else np.concatenate(found)


def _memory(folds: Sequence[FoldPredictions], common: dict[str, Any]) -> AccountMemory | None:
    halved = [fold for fold in folds if fold.halves is not None]
    if not halved:
        return None
    known, unseen = (np.concatenate([fold.halves[side] for fold in halved if fold.halves is not None]) for side in (0, 1))
    return account_memory(
        _fresh(halved, "churned"),
        known,
        unseen,
        _fresh(halved, "accounts").astype(str),
        replicates=common["bootstrap"],
        seed=common["seed"],
    )
