"""Refuse labels from which nothing can be learned, and say when it is the sample that left too few."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from staypower.dataset.sampling import Sampling
from staypower.errors import Problem, UsageError
from staypower.labels.churn import LEAST_CHURNERS, LEAST_STAYERS, require_enough

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["require_enough_left"]


def require_enough_left(
    before: NDArray[np.int8],
    left: NDArray[np.int8],
    sampling: Sampling,
    *,
    purpose: str,
    least_churners: int = LEAST_CHURNERS,
    least_stayers: int = LEAST_STAYERS,
) -> None:
    """Refuse labels of which too few are left.

    >>> before, left = np.repeat([0, 1], [900, 50]), np.repeat([0, 1], [9, 50])
    >>> require_enough_left(before, left, Sampling(negatives=0.01), purpose="training")
    Traceback (most recent call last):
        ...
    staypower.errors.UsageError: too few rows that stayed are left for training: 9 of 900 at `sampling.negatives` 0.01. ...
    """
    try:
        require_enough(before, purpose=purpose, least_churners=least_churners, least_stayers=least_stayers)
    except UsageError as error:
        if sampling.accounts == 1.0:
            raise
        more = f"look at more accounts than {100 * sampling.accounts:g} %: raise `sampling.accounts` or `sampling.rows`"
        raise UsageError([Problem(each.problem, each.value, f"{each.fix}; or {more}") for each in error.problems]) from None
    stayed, kept = int((before == 0).sum()), int((left == 0).sum())
    if kept < least_stayers:
        value = f"{kept:,} of {stayed:,} at `sampling.negatives` {sampling.negatives:g}"
        share = min(1.0, 2 * least_stayers / max(stayed, 1))
        fix = f"at least {least_stayers} are needed: raise `sampling.negatives` to {share:.2g} or more, or leave it out"
        raise UsageError.of(f"too few rows that stayed are left for {purpose}", value, fix)
