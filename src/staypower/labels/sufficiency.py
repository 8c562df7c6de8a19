"""How much a label must offer before anything can be learned from it: the thresholds, in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import text_of
from staypower.errors import Problem, UsageError
from staypower.labels.population import Population, Status

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LEAST_CHURNERS", "LEAST_STAYERS", "require_active", "require_enough"]

LEAST_CHURNERS = 20
LEAST_STAYERS = 20


def require_active(population: Population) -> None:
    """Refuse a population without members.

    >>> require_active(Population(("a",), np.array([0]), np.array([[Status.NOT_ACTIVE]], dtype=np.int8)))
    Traceback (most recent call last):
        ...
    staypower.errors.UsageError: no accounts active: 1 accounts at 1970-01-01: 1 not_active. Fix: ...
    """
    if population.scored.any():
        return
    words = [status.word for status in Status]
    counts = np.bincount(population.status.ravel(), minlength=len(words))
    found = ", ".join(f"{count} {word}" for word, count in zip(words, counts, strict=True) if count) or "none"
    span = " to ".join(dict.fromkeys(text_of(int(cutoff)) for cutoff in (*population.cutoffs[:1], *population.cutoffs[-1:])))
    value = f"{len(population.accounts)} accounts at {span or 'no cutoff'}: {found}"
    fix = "choose cutoffs inside the data, and see that the label's table holds these accounts and its dates are right"
    raise UsageError.of("no accounts active", value, fix)


def require_enough(
    y: NDArray[np.int8],
    *,
    purpose: str = "training",
    least_churners: int = LEAST_CHURNERS,
    least_stayers: int = LEAST_STAYERS,
) -> None:
    """Refuse labels from which nothing can be learned.

    >>> require_enough(np.array([1] * 5 + [0] * 100))
    Traceback (most recent call last):
        ...
    staypower.errors.UsageError: too few churners for training: 5 churners and 100 stayers. Fix: at least 20 churners ...
    """
    churners, stayers = int((y == 1).sum()), int((y == 0).sum())
    problems = []
    for word, found, least in (("churners", churners, least_churners), ("stayers", stayers, least_stayers)):
        if found < least:
            problem = f"one class only, no {word} for {purpose}" if found == 0 else f"too few {word} for {purpose}"
            fix = f"at least {least} {word} are needed: take more cutoffs, a longer horizon or more history"
            problems.append(Problem(problem, f"{churners} churners and {stayers} stayers", fix))
    if problems:
        raise UsageError(problems)
