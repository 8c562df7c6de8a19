"""Which part each pair of account and cutoff belongs to, which pairs become rows, and whether they are enough to train on."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

import numpy as np

from staypower.dataset.cutoff_plan import CutoffPlan
from staypower.dataset.sampling import Sampling
from staypower.errors import Problem, UsageError
from staypower.labels.churn import LEAST_CHURNERS, LEAST_STAYERS, Labels, require_enough
from staypower.results.numbers import percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PARTS", "Part", "count_rows", "is_test_account", "pairs_of", "require_enough_left", "rows_kept"]

Part = Literal["training", "calibration", "test"]
PARTS: tuple[Part, ...] = ("training", "calibration", "test")

TEST_SHARE = 0.3


def is_test_account(account: str) -> bool:
    """Say whether an account belongs to the test part of a snapshot: by a hash of its id alone.

    >>> sum(is_test_account(str(n)) for n in range(1000)) / 1000
    0.324
    """
    digest = hashlib.sha256(account.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < TEST_SHARE


def rows_kept(labels: Labels, plan: CutoffPlan, sampling: Sampling) -> NDArray[np.bool_]:
    """Say which pairs of account and cutoff become rows."""
    training = pairs_of(labels, plan, "training", "calibration")
    return sampling.keeps(labels.churned, training, labels.population.accounts, labels.population.cutoffs)


def count_rows(labels: Labels, plan: CutoffPlan) -> tuple[int, int, int]:
    """Count churned and stayed training rows and test rows, before any is left out."""
    training = labels.churned[pairs_of(labels, plan, "training", "calibration")]
    tested = labels.churned[pairs_of(labels, plan, "test")]
    return int((training == 1).sum()), int((training == 0).sum()), int((tested >= 0).sum())


def pairs_of(labels: Labels, plan: CutoffPlan, *parts: Part) -> NDArray[np.bool_]:
    """Say which pairs of account and cutoff belong to some parts, labelled or not."""
    if plan.split == "snapshot":
        tested = np.array([is_test_account(account) for account in labels.population.accounts], dtype=bool)
        one = (tested & ("test" in parts)) | (~tested & ("training" in parts))
        return np.broadcast_to(one[:, None], labels.churned.shape)
    chosen = np.concatenate([getattr(plan, part) for part in parts])
    return np.broadcast_to(np.isin(labels.population.cutoffs, chosen)[None, :], labels.churned.shape)


def require_enough_left(
    before: NDArray[np.int8],
    left: NDArray[np.int8],
    sampling: Sampling,
    *,
    purpose: str,
    least_churners: int = LEAST_CHURNERS,
    least_stayers: int = LEAST_STAYERS,
) -> None:
    """Refuse labels of which too few are left, and say when that is due to the sample.

    >>> before, left = np.repeat([0, 1], [900, 50]), np.repeat([0, 1], [9, 50])
    >>> require_enough_left(before, left, Sampling(negatives=0.01), purpose="training")
    Traceback (most recent call last):
        ...
    staypower.errors.UsageError: too few rows of stayers are left for training: 9 of 900 at `sampling.negatives` 0.01. ...
    """
    try:
        require_enough(before, purpose=purpose, least_churners=least_churners, least_stayers=least_stayers)
    except UsageError as error:
        if sampling.accounts == 1.0:
            raise
        more = f"use more than {percent(sampling.accounts)} of the accounts: raise `sampling.accounts` or `sampling.rows`"
        raise UsageError([Problem(each.problem, each.value, f"{each.fix}; or {more}") for each in error.problems]) from None
    stayed, kept = int((before == 0).sum()), int((left == 0).sum())
    if kept < least_stayers:
        value = f"{kept:,} of {stayed:,} at `sampling.negatives` {sampling.negatives:g}"
        share = min(1.0, 2 * least_stayers / max(stayed, 1))
        fix = f"at least {least_stayers} are needed: raise `sampling.negatives` to {share:.2g} or more, or leave it out"
        raise UsageError.of(f"too few rows of stayers are left for {purpose}", value, fix)
