"""Columns that leak the outcome: their values were made after the event to predict.

Two rules, both only raise a suspicion; a person decides.

1. **Separation.** One column alone ranks leavers and stayers with an AUROC of 0.95 or more (in either direction; the words of
   a categorical column by the share of leavers among the *other* accounts with that word, so that a code which nearly names
   its account, such as a postcode, gives nothing away), or its missingness does; or all accounts for which it is missing, or
   all for which it is not, had the same outcome, and there are too many of them for that to be chance (less than one in a
   million at the base rate).
2. **Name.** It is called after leaving (churn, cancel, exit, lost, left, attrition, reason, ...), after a value that is
   computed over the whole life of a customer (CLTV, CLV, LTV), or after a state or rating without a date (customer status,
   satisfaction score).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.errors import UsageError
from staypower.sources.findings import Finding

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

SEPARATION = 0.95
_BY_CHANCE = 1e-6
_FOLDS = 5
_FEW_VALUES = 20

_STEMS = ("churn", "cancel", "attrit", "terminat", "deactivat", "unsubscrib", "winback", "exit", "lapse")
_WORDS = frozenset({"reason", "reasons", "lost", "leaver", "cltv", "clv", "ltv"})
_PHRASES = (
    "customer status",
    "account status",
    "subscription status",
    "satisfaction score",
    "lifetime value",
    "won back",
    "end date",
    "ended at",
)
_LEFT_BEFORE = frozenset({"has", "have", "customer", "account", "user", "member"})
_LEFT_AFTER = frozenset({"at", "on", "date", "month", "us"})


def suspicious_name(name: str) -> str | None:
    """Say which word of a column's name says that it was made after the fact.

    >>> suspicious_name("Churn Reason"), suspicious_name("customerStatus"), suspicious_name("seats_left")
    ('churn', 'customer status', None)
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    words: list[str] = re.findall(r"[a-z]+", spaced.lower())
    for position, word in enumerate(words):
        if word.startswith(_STEMS) or word in _WORDS:
            return word
        before, after = words[position - 1] if position else "", words[position + 1] if position + 1 < len(words) else ""
        if word == "left" and (len(words) == 1 or before in _LEFT_BEFORE or (not before and after in _LEFT_AFTER)):
            return word
    text = f" {' '.join(words)} "
    return next((phrase for phrase in _PHRASES if f" {phrase} " in text), None)


def leak_suspects(
    accounts_frame: pd.DataFrame,
    target: ArrayLike | None = None,
    *,
    table: str = "accounts",
    left_out: Collection[str] = (),
) -> tuple[Finding, ...]:
    """Name the columns that look as if they were made after the outcome.

    The rules are at the head of this module and in `docs/inputs.md`.

    >>> frame = pd.DataFrame({"plan": ["a", "b"] * 50, "score": range(100)})
    >>> [finding.column for finding in leak_suspects(frame, [0] * 50 + [1] * 50)]
    ['score']
    """
    y = None if target is None else np.asarray(target, dtype=np.float64)
    if y is not None and (len(y) != len(accounts_frame) or not np.isin(y, (0, 1)).all()):
        raise UsageError.of("the target is not one 0 or 1 per account", f"{len(y)} values", "give one 0 or 1 for each row")
    two_classes = y is not None and 0 < y.mean() < 1
    found = []
    for name in map(str, accounts_frame.columns):
        reasons = _separation(accounts_frame[name], y) if two_classes and y is not None else []
        word = suspicious_name(name)
        if word is not None:
            reasons.append(f"its name has `{word}`, which says that it was made after the fact")
        if reasons:
            meaning, fix = _consequence(name, table, left=name in left_out)
            found.append(Finding("warning", table, name, 0, f"looks like a leak: {'; '.join(reasons)}", meaning, fix))
    return tuple(found)


def _consequence(name: str, table: str, *, left: bool) -> tuple[str, str]:
    if left:
        return "it is left out already: no model sees it", f"keep `{name}` left out"
    meaning = "a model that sees it looks good in every test and fails on accounts that have not left yet"
    if table == "accounts":
        return meaning, f"`leave_out: [{name}]` with `static: all`, or take it out of `static`"
    return meaning, "look at how it is made, and from when it is known"


def _separation(column: pd.Series[Any], y: NDArray[np.float64]) -> list[str]:
    """Say how a column separates leavers from stayers, when it does so too well."""
    missing = column.isna().to_numpy()
    reasons = []
    there, outcome = column[~missing], y[~missing]
    if len(there) and 0 < outcome.mean() < 1:
        ranked = max(_ranked(there, outcome), default=0.5)
        if ranked >= SEPARATION:
            reasons.append(f"alone it ranks leavers and stayers with an AUROC of {ranked:.3f}")
    if missing.any() and not missing.all():
        reasons += _missingness(missing, y)
    return reasons


def _ranked(column: pd.Series[Any], y: NDArray[np.float64]) -> Sequence[float]:
    """Give the AUROC of the rankings that a column offers: its size either way, and the outcome of others with its value."""
    areas = []
    numeric = pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)
    if numeric:
        areas.append(_either_way(column.to_numpy(dtype=np.float64), y))
    elif pd.api.types.is_datetime64_any_dtype(column):
        areas.append(_either_way(column.astype("int64").to_numpy().astype(np.float64), y))
    if not numeric or column.nunique() <= _FEW_VALUES:
        # one way only: leaving a row out lowers its own share, so a few rows alone would rank backwards
        areas.append(_area(_share_among_others(column, y), y))
    return areas


def _share_among_others(column: pd.Series[Any], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Score each row by the share of leavers among rows of the other folds with the same value."""
    codes, values = pd.factorize(column.astype("str"))
    fold = np.random.default_rng(0).permutation(len(y)) % _FOLDS
    scores = np.zeros(len(y))
    for held in range(_FOLDS):
        rest = fold != held
        base = y[rest].mean() if rest.any() else y.mean()
        count = np.bincount(codes[rest], minlength=len(values))
        left = np.bincount(codes[rest], weights=y[rest], minlength=len(values))
        # one row's worth of the base rate keeps a word seen once from deciding
        scores[~rest] = ((left + base) / (count + 1.0))[codes[~rest]]
    return scores


def _either_way(score: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """AUROC of a score or of its opposite."""
    area = _area(score, y)
    return max(area, 1 - area)


def _area(score: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """AUROC of a score, ties counted half."""
    ranks = pd.Series(score).rank().to_numpy()
    positives = y.sum()
    return float((ranks[y == 1].sum() - positives * (positives + 1) / 2) / (positives * (len(y) - positives)))


def _missingness(missing: NDArray[np.bool_], y: NDArray[np.float64]) -> list[str]:
    ranked = _either_way(missing.astype(np.float64), y)
    if ranked >= SEPARATION:
        return [f"whether it is missing ranks leavers and stayers with an AUROC of {ranked:.3f}"]
    base = y.mean()
    for rows, words in ((missing, "missing"), (~missing, "filled in")):
        for value, words_of, chance in ((1.0, "left", base), (0.0, "stayed", 1 - base)):
            if (y[rows] == value).all() and chance ** int(rows.sum()) < _BY_CHANCE:
                return [f"all {int(rows.sum()):,} accounts for which it is {words} {words_of}"]
    return []
