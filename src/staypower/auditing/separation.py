"""Check 4: single features that tell the outcome by themselves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staypower.auditing.case import Case
from staypower.auditing.report import Check
from staypower.checking.leaks import SEPARATION, leak_suspects, suspicious_name
from staypower.features.definition import Definition, Feature
from staypower.features.streams.making import source_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["find_separation", "one_row_each"]

FEWEST = 10
_NAMED = 8
_CERTAIN = 5.0
_HEAD = "looks like a leak: "


def find_separation(case: Case) -> Check:
    """Look for a feature that alone ranks leavers and stayers too well, or whose missingness does.

    One row is drawn for each account from the rows that are learned from, so that chance is counted in accounts. Attributes
    are held against the whole course of an account too: whether it ever churned in the rows of the plan. The rules
    are those of `staypower check`: an AUROC of 0.95 or more in either direction, or one outcome for all that have, or lack,
    a value. The AUROC counts only where enough accounts have a value: five standard deviations from chance. That all who have,
    or lack, a value left counts only if no account that never did has, or lacks, it in any row: what is drawn of those who
    left early are rows of young accounts, and those lack what comes with time.
    """
    dataset = case.dataset
    chosen = one_row_each(dataset.matrix.accounts, dataset.rows("training", "calibration"), seed=case.seed)
    y = dataset.y[chosen]
    frame = _frame(case, chosen)
    rarer = int(min(y.sum(), len(y) - y.sum()))
    drawn = ((name, problem) for name, problem in _separating(frame, y) if not _contradicted(case, name, problem))
    suspects = {**_separating_ever(case), **dict(drawn)} if rarer >= FEWEST else {}
    found = [f"`{name}`: {_words(case, name, problem)}" for name, problem in suspects.items()]
    named = _named(case)
    looked = f"{frame.shape[1]} features on one learned row of each of {len(y):,} accounts, {int(y.sum()):,} churned"
    if rarer < FEWEST:
        evidence = (f"{looked}: under {FEWEST} of one outcome, too few to tell", *named)
        return Check("too good to be true", "unproven", evidence, {"suspects": [], "names": named})
    if found:
        more = [f"and {len(found) - _NAMED} more"] if len(found) > _NAMED else []
        evidence = (f"{len(found)} of {looked}", *found[:_NAMED], *more, *named)
        return Check("too good to be true", "failed", evidence, {"suspects": found, "names": named})
    evidence = (f"{looked}: none separates them with an AUROC of 0.95, none by being missing", *named)
    return Check("too good to be true", "unproven" if named else "passed", evidence, {"suspects": [], "names": named})


def one_row_each(accounts: NDArray[np.object_], eligible: NDArray[np.bool_], *, seed: int) -> NDArray[np.int64]:
    """Draw one of the eligible rows of each account.

    >>> rows = one_row_each(np.array(["a", "a", "b"], dtype=object), np.array([True, True, False]), seed=0)
    >>> len(rows), rows[0] in (0, 1)
    (1, True)
    """
    place = np.random.default_rng(seed).permutation(np.flatnonzero(eligible))
    _, first = np.unique(accounts[place].astype(str), return_index=True)
    return np.sort(place[first])


def _frame(case: Case, chosen: NDArray[np.int64]) -> pd.DataFrame:
    frame = case.dataset.X.iloc[chosen].reset_index(drop=True)
    for name in case.dataset.matrix.categories:
        # a code is a word, not a size
        words = frame[name].map(lambda code: f"code {code:g}", na_action="ignore")
        frame[name] = words.astype(object)
    return frame


def _separating(frame: pd.DataFrame, y: NDArray[np.int8]) -> list[tuple[str, str]]:
    # neutral names: the names of our own features are no evidence
    neutral = [f"f{position}" for position in range(frame.shape[1])]
    judged = frame.set_axis(neutral, axis=1)
    for name in neutral:
        there = judged[name].notna()
        if not _enough(y[there.to_numpy()]):
            # of a few values only their being there is judged
            judged[name] = there.map({True: 1.0, False: np.nan})
    suspects = leak_suspects(judged, y, table="features")
    return [(str(frame.columns[neutral.index(finding.column)]), finding.problem.removeprefix(_HEAD)) for finding in suspects]


def _contradicted(case: Case, name: str, problem: str) -> bool:
    """Say whether rows that were not drawn speak against one outcome for all that have, or lack, a value."""
    if not problem.startswith("all "):
        return False
    dataset = case.dataset
    _, place = np.unique(dataset.matrix.accounts.astype(str), return_inverse=True)
    churned = (np.bincount(place, weights=dataset.y) > 0)[place]
    missing = dataset.X[name].isna().to_numpy()
    alike = (missing if " is missing " in problem else ~missing) & dataset.rows("training", "calibration")
    return bool((churned[alike] != problem.endswith(" left")).any())


def _separating_ever(case: Case) -> dict[str, str]:
    """Judge attributes by whether their account ever churned: they stand as on the day of the export."""
    dataset = case.dataset
    attributes = [
        definition.name
        for definition in dataset.catalogue.definitions
        if isinstance(definition, Feature) and source_of(definition.table) == "accounts"
    ]
    if not attributes:
        return {}
    accounts, place = np.unique(dataset.matrix.accounts.astype(str), return_inverse=True)
    churned = (np.bincount(place, weights=dataset.y) > 0).astype(np.int8)
    last = np.zeros(len(accounts), dtype=np.int64)
    last[place] = np.arange(len(place))
    found = _separating(_frame(case, last)[attributes], churned)
    return {name: f"held against whether the account ever churned, {problem}" for name, problem in found}


def _enough(y: NDArray[np.int8]) -> bool:
    """Say whether an AUROC of 0.95 on these outcomes lies five standard deviations from chance."""
    left = int(y.sum())
    stayed = len(y) - left
    if not left or not stayed:
        return False
    deviation = math.sqrt((left + stayed + 1) / (12 * left * stayed))
    return _CERTAIN * deviation <= SEPARATION - 0.5


def _words(case: Case, name: str, problem: str) -> str:
    return f"{problem}; likely cause: {_cause(case.dataset.catalogue[name])}"


def _cause(definition: Definition) -> str:
    if not isinstance(definition, Feature):
        return f"it is made of {' and '.join(f'`{name}`' for name in definition.inputs)}: look at those"
    table = source_of(definition.table)
    if table == "accounts":
        return f"`accounts.{definition.column}` is written, or filled in, after the outcome: leave it out of `static`"
    column = f" or `{definition.column}`" if definition.column else ""
    return f"rows of `{table}`{column} are made because an account leaves, and dated earlier than they were known"


def _named(case: Case) -> list[str]:
    """Name attributes that are called after the outcome."""
    found = []
    for definition in case.dataset.catalogue.definitions:
        if isinstance(definition, Feature) and definition.table == "accounts" and definition.column:
            word = suspicious_name(definition.column)
            if word is not None:
                found.append(f"`accounts.{definition.column}` has `{word}` in its name, which says that it was made afterwards")
    return found
