"""Check 5: outcomes that reach from one fold into the next, or past what was observed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from staypower.auditing.case import Case
from staypower.auditing.report import Check
from staypower.cutoffs import DAY, text_of
from staypower.dataset.cutoff_plan import PARTS, Part
from staypower.models import partition
from staypower.results.numbers import plural

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["find_overlap"]


def find_overlap(case: Case) -> Check:
    """Look for outcomes that one part of the data shares with the next."""
    parts = _cutoffs_of_parts(case)
    problems = [*_doubled(case), *_open(case)]
    evidence = []
    if case.dataset.plan.split == "snapshot":
        shared = _on_both_sides(case)
        problems += [f"{plural(shared, 'account')} in both training and test"] if shared else []
        evidence.append(f"one cutoff split by account{'' if shared else ': no account in both training and test'}")
        evidence.append("not a temporal test: patterns that hold only at this moment are not detected")
    else:
        problems += [*_too_close(case, parts), *_inside_training(case)]
        evidence.append(_distances(case, parts))
        between = _after_calibration(case, parts)
        evidence += [f"{between} cutoffs between training and calibration are used for the final trees only"] if between else []
    details = {"embargo_days": case.label.outcome.embargo, "problems": problems}
    return Check("outcome overlap", "failed" if problems else "passed", (*problems, *evidence), details)


def _cutoffs_of_parts(case: Case) -> dict[Part, NDArray[np.int64]]:
    """Return the cutoffs of each part that has any; of training those from which the calibrated trees grow."""
    dataset = case.dataset
    parts = {part: np.unique(dataset.part(part).cutoffs) for part in PARTS}
    if dataset.plan.split == "temporal":
        learned = dataset.part("training", "calibration").cutoffs
        kept = len(dataset.plan.calibration)
        made = partition.partition_by_time(learned, embargo_days=dataset.plan.embargo, calibration_cutoffs=kept)
        parts["training"] = np.unique(learned[made.trees])
    return {part: cutoffs for part, cutoffs in parts.items() if len(cutoffs)}


def _after_calibration(case: Case, parts: dict[Part, NDArray[np.int64]]) -> int:
    """Count the training cutoffs whose outcomes were not over when calibration began."""
    if "training" not in parts:
        return 0
    every = np.unique(case.dataset.part("training").cutoffs)
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
            ends, begins = text_of(int(parts[first][-1])), text_of(int(parts[second][0]))
            yield (
                f"{first} ends {ends} and {second} begins {begins}: {distance:g} days, but gap + horizon + grace are "
                f"{embargo}; {plural(int(rows.sum()), 'row')} of {first} have outcomes that reach past the start of {second}"
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
        dates = ", ".join(text_of(int(cutoff)) for cutoff in late)
        yield f"{plural(rows, 'row')} at {dates} have an outcome that ends after {text_of(case.tables.observed_until)}"


def _doubled(case: Case) -> Iterator[str]:
    matrix = case.dataset.matrix
    keys = np.column_stack([np.unique(matrix.accounts.astype(str), return_inverse=True)[1], matrix.cutoffs])
    twice = len(keys) - len(np.unique(keys, axis=0))
    if twice:
        yield f"{plural(twice, 'duplicate row')}: one account at one cutoff must be one row"


def _on_both_sides(case: Case) -> int:
    training, test = case.dataset.part("training", "calibration"), case.dataset.part("test")
    return len(set(training.accounts) & set(test.accounts))


def _inside_training(case: Case) -> Iterator[str]:
    """Check that cross-fitting divides the training rows by account."""
    dataset = case.dataset
    if dataset.plan.split == "temporal":
        return
    training = dataset.part("training", "calibration")
    _, account = np.unique(training.accounts.astype(str), return_inverse=True)
    folds = partition.deal_folds(account.astype(np.int64), training.y, folds=5, seed=case.seed)
    shared = len(np.unique(np.column_stack([account, folds]), axis=0)) - len(np.unique(account))
    if shared:
        yield f"{plural(shared, 'account')} in more than one fold of the cross-fitting"
