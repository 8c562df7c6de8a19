"""Check 5: outcomes that reach from one fold into the next, or past what was observed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from staypower.auditing.case import Case
from staypower.auditing.report import Check
from staypower.cutoffs import DAY, text_of
from staypower.dataset.pairs import Part
from staypower.models import partition

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["find_overlap"]

_PARTS: tuple[Part, ...] = ("training", "calibration", "test")


def find_overlap(case: Case) -> Check:
    """Look for outcomes that one part of the data shares with the next."""
    parts = _cutoffs_of_parts(case)
    problems = [*_doubled(case), *_open(case)]
    said = []
    if case.dataset.plan.split == "snapshot":
        shared = _on_both_sides(case)
        problems += [f"{shared:,} accounts are on both sides of the snapshot's split"] if shared else []
        said.append("one cutoff split by account: no account on both sides" if not shared else "one cutoff split by account")
        said.append("not a temporal test: what holds at this moment only is not found out")
    else:
        problems += [*_too_close(case, parts), *_inside_training(case)]
        said.append(_distances(case, parts))
        between = _after_calibration(case, parts)
        said += [f"{between} cutoffs between training and calibration feed the final trees alone"] if between else []
    details = {"embargo_days": case.label.outcome.embargo, "problems": problems}
    return Check("outcome overlap", "failed" if problems else "passed", (*problems, *said), details)


def _cutoffs_of_parts(case: Case) -> dict[Part, NDArray[np.int64]]:
    """Return the cutoffs of each part that has any; of training those from which the calibrated trees grow."""
    dataset = case.dataset
    cutoffs = dataset.matrix.cutoffs
    parts = {part: np.unique(cutoffs[dataset.rows(part)]) for part in _PARTS}
    if dataset.plan.split == "temporal":
        learned = cutoffs[dataset.rows("training", "calibration")]
        kept = len(dataset.plan.calibration)
        made = partition.partition_by_time(learned, embargo_days=dataset.plan.embargo, calibration_cutoffs=kept)
        parts["training"] = np.unique(learned[made.trees])
    return {part: cutoffs for part, cutoffs in parts.items() if len(cutoffs)}


def _after_calibration(case: Case, parts: dict[Part, NDArray[np.int64]]) -> int:
    """Count the training cutoffs whose outcomes were not over when calibration began."""
    if "training" not in parts:
        return 0
    every = np.unique(case.dataset.matrix.cutoffs[case.dataset.rows("training")])
    return int((every > parts["training"][-1]).sum())


def _too_close(case: Case, parts: dict[Part, NDArray[np.int64]]) -> Iterator[str]:
    """Name neighbouring parts whose outcomes meet."""
    embargo = case.label.outcome.embargo
    names = list(parts)
    for first, second in pairwise(names):
        distance = (int(parts[second][0]) - int(parts[first][-1])) / DAY
        if distance < embargo:
            late = parts[first][parts[first] > parts[second][0] - embargo * DAY]
            rows = case.dataset.rows(first) & np.isin(case.dataset.matrix.cutoffs, late)
            yield (
                f"{first} ends {text_of(int(parts[first][-1]))} and {second} begins {text_of(int(parts[second][0]))}: "
                f"{distance:g} days, but outcomes take {embargo}; {int(rows.sum()):,} rows of {first} are labelled by what "
                f"happened after {second} began"
            )


def _distances(case: Case, parts: dict[Part, NDArray[np.int64]]) -> str:
    names = list(parts)
    steps = [
        f"{first} to {second} {(int(parts[second][0]) - int(parts[first][-1])) / DAY:g} days"
        for first, second in pairwise(names)
    ]
    return f"{', '.join(steps)}; gap + horizon + grace are {case.label.outcome.embargo}"


def _open(case: Case) -> Iterator[str]:
    """Name cutoffs whose outcome was not over when observation ended."""
    if case.label.is_snapshot:
        return
    cutoffs = np.unique(case.dataset.matrix.cutoffs)
    late = cutoffs[~case.label.outcome.mature(cutoffs, case.tables.observed_until)]
    if len(late):
        rows = int(np.isin(case.dataset.matrix.cutoffs, late).sum())
        yield (
            f"{rows:,} rows at {', '.join(text_of(int(cutoff)) for cutoff in late)} have an outcome that reaches past "
            f"{text_of(case.tables.observed_until)}, where the data end"
        )


def _doubled(case: Case) -> Iterator[str]:
    matrix = case.dataset.matrix
    keys = np.column_stack([np.unique(matrix.accounts.astype(str), return_inverse=True)[1], matrix.cutoffs])
    twice = len(keys) - len(np.unique(keys, axis=0))
    if twice:
        yield f"{twice:,} rows stand twice: an account at a cutoff must be one row"


def _on_both_sides(case: Case) -> int:
    dataset = case.dataset
    sides = [set(dataset.matrix.accounts[dataset.rows(*parts)]) for parts in (("training", "calibration"), ("test",))]
    return len(sides[0] & sides[1])


def _inside_training(case: Case) -> Iterator[str]:
    """Look at how cross-fitting divides what is learned from by account."""
    dataset = case.dataset
    if dataset.plan.split == "temporal":
        return
    learned = dataset.rows("training", "calibration")
    _, account = np.unique(dataset.matrix.accounts[learned].astype(str), return_inverse=True)
    folds = partition.deal_folds(account.astype(np.int64), dataset.y[learned], folds=5, seed=case.seed)
    shared = len(np.unique(np.column_stack([account, folds]), axis=0)) - len(np.unique(account))
    if shared:
        yield f"{shared:,} accounts are in more than one fold of the cross-fitting"
