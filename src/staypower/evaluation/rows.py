"""What is evaluated: the rows and their scores, checked all at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.cutoffs import text_of
from staypower.errors import Problem, UsageError, nearest

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["BASE_RATE", "EvaluationRows", "describe_cutoffs", "describe_split"]

BASE_RATE = "base rate"


@dataclass(frozen=True, eq=False)
class EvaluationRows:
    """Rows that scores are evaluated on.

    >>> rows = EvaluationRows.of([0, 1], {"model": [0.1, 0.9]}, accounts=["a", "b"], cutoffs=[0, 0])
    >>> rows.model
    'model'
    """

    churned: NDArray[np.bool_]  # shape (n,)
    account_number: NDArray[np.intp]  # shape (n,): account of each row, numbered from 0
    cutoffs: NDArray[np.int64]  # shape (n,)
    # shape (n,): the model first; where a score was missing, the median of the known ones
    scores: Mapping[str, NDArray[np.float64]]
    scored: Mapping[str, float]  # share of rows on which each score was known
    probability: frozenset[str]
    segments: Mapping[str, NDArray[np.object_]]  # shape (n,)
    unscored: tuple[str, ...] = ()  # baselines that have a value on no row; they are left out
    tenure_days: NDArray[np.float64] | None = None  # shape (n,)
    account_values: NDArray[np.float64] | None = None  # shape (n,)
    known: NDArray[np.bool_] | None = None  # shape (n,): whether the row's account was in training
    sensitive: frozenset[str] = frozenset()  # segments that are sensitive attributes

    def __len__(self) -> int:
        return len(self.churned)

    @property
    def model(self) -> str:
        """Name of the model's score: the first."""
        return next(iter(self.scores))

    @classmethod
    def of(
        cls,
        y_true: ArrayLike,
        scores: Mapping[str, ArrayLike],
        *,
        accounts: ArrayLike,
        cutoffs: ArrayLike,
        probability: Collection[str] = (),
        segments: Mapping[str, Any] | None = None,
        tenure_days: ArrayLike | None = None,
        account_values: ArrayLike | None = None,
        known: ArrayLike | None = None,
        sensitive: Collection[str] = (),
    ) -> EvaluationRows:
        """Check everything and collect every problem."""
        labels = np.asarray(y_true, dtype=np.float64)
        offered = {name: np.asarray(score, dtype=np.float64) for name, score in scores.items()}
        needed = {*probability, *list(offered)[:1]}
        columns = {name: score for name, score in offered.items() if name in needed or not _blank(score)}
        extra: dict[str, Any] = {
            "accounts": accounts,
            "cutoffs": cutoffs,
            "tenure_days": tenure_days,
            "account_values": account_values,
        }
        extra["known_accounts"] = known
        problems = _shape_problems(labels, columns | {k: v for k, v in extra.items() if v is not None} | dict(segments or {}))
        problems += _label_problems(labels) + _cutoff_problems(cutoffs)
        problems += [
            Problem("sensitive names no segment", name, nearest(name, segments or ()))
            for name in sorted(sensitive)
            if name not in (segments or ())
        ]
        if not problems:
            problems += _score_problems(columns, probability)
        if problems:
            raise UsageError(problems)
        return cls(
            labels == 1,
            np.unique(np.asarray(accounts), return_inverse=True)[1],
            np.asarray(cutoffs, dtype=np.int64),
            {name: _placed(score) for name, score in columns.items()},
            {name: float(np.mean(~np.isnan(score))) for name, score in columns.items()},
            frozenset(probability),
            {name: _texts(values) for name, values in (segments or {}).items()},
            tuple(name for name in offered if name not in columns),
            None if tenure_days is None else np.asarray(tenure_days, dtype=np.float64),
            None if account_values is None else np.asarray(account_values, dtype=np.float64),
            None if known is None else np.asarray(known, dtype=np.bool_),
            frozenset(sensitive),
        )


def _shape_problems(labels: NDArray[np.float64], given: Mapping[str, Any]) -> list[Problem]:
    problems = [
        Problem("not one value per row", f"{name}: {np.asarray(values).size} for {len(labels)} rows", "give one value per row")
        for name, values in given.items()
        if np.asarray(values).shape != labels.shape
    ]
    if not len(labels):
        problems.append(Problem("no rows to evaluate", "0", "choose a test cutoff with active accounts"))
    return problems


def _cutoff_problems(cutoffs: ArrayLike) -> list[Problem]:
    kind = np.asarray(cutoffs).dtype
    if kind.kind in "iu":
        return []
    return [Problem("cutoffs are not instants", str(kind), "give int64 microseconds since 1970, UTC")]


def _label_problems(labels: NDArray[np.float64]) -> list[Problem]:
    odd = (labels != 0) & (labels != 1)
    if not odd.any():
        return []
    return [Problem("label is neither 0 nor 1", f"{odd.sum()} of {len(labels)} rows", "give 1 for churned, 0 for stayed")]


def _score_problems(columns: Mapping[str, NDArray[np.float64]], probability: Collection[str]) -> list[Problem]:
    problems = [
        Problem("probability names no score", name, nearest(name, columns))
        for name in sorted(probability)
        if name not in columns
    ]
    if not columns:
        return [Problem("no score to evaluate", "scores is empty", "give the model's score first")]
    model = next(iter(columns))
    for name, score in columns.items():
        missing = int(np.isnan(score).sum())
        if missing and (name == model or name in probability):
            problems.append(Problem("score is missing", f"{name}: {missing} of {len(score)} rows", "score every row"))
        if name in probability and ((score < 0) | (score > 1)).any():
            problems.append(
                Problem("not a probability", name, "give values from 0 to 1 or leave the name out of `probability`")
            )
    return problems


def _blank(score: NDArray[np.float64]) -> bool:
    return bool(len(score)) and bool(np.isnan(score).all())


def _placed(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give rows without a score the median of the others: the score says nothing about them either way."""
    missing = np.isnan(score)
    return np.where(missing, np.nanquantile(score, 0.5, method="lower"), score) if missing.any() else score


def _texts(values: Any) -> NDArray[np.object_]:
    given = np.asarray(values, dtype=object)
    blank = pd.isna(given)
    whole = [int(v) if isinstance(v, float) and v.is_integer() else v for v in given]
    return np.array([None if b else str(v) for v, b in zip(whole, blank, strict=True)], dtype=object)


def describe_split(split: str) -> str:
    """Name a split; a snapshot says that it is no temporal test.

    >>> describe_split("snapshot")
    'snapshot (not a temporal test)'
    >>> describe_split("temporal")
    'temporal'
    """
    described = "not a temporal test" in split
    return split if described or not split.strip().startswith("snapshot") else f"{split.strip()} (not a temporal test)"


def describe_cutoffs(cutoffs: Sequence[int]) -> str:
    """Name one cutoff, or the first and the last of several.

    >>> describe_cutoffs([0]), describe_cutoffs([0, 86_400_000_000])
    ('1970-01-01', '2 cutoffs, 1970-01-01 to 1970-01-02')
    """
    dates = [text_of(cutoff) for cutoff in cutoffs]
    return dates[0] if len(dates) == 1 else f"{len(dates)} cutoffs, {dates[0]} to {dates[-1]}"
