"""Loyalty crossed with risk: the quadrant of each account, and which accounts moved between quadrants.

The table, for the settings that hold by default:

| tier | low risk | high risk |
|---|---|---|
| promoter | loyal | loyal but leaving |
| passive | content, not committed | loyal but leaving |
| detractor | captive | leaving |
| unknown | tier unknown | tier unknown |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from staypower.cutoffs import before, instant_of
from staypower.errors import Problem, UsageError, nearest
from staypower.labels.tier_settings import TIERS
from staypower.portfolio.settings import QUADRANTS, QuadrantSettings

__all__ = ["GONE", "NEW", "Movement", "movement", "quadrants_of", "sizes_of"]

UNKNOWN = "unknown"
NEW, GONE = "new", "gone"


def quadrants_of(
    churn_probability: NDArray[np.float64],
    tier: Sequence[object] | NDArray[np.object_] | None,
    *,
    high_above: float,
    settings: QuadrantSettings | None = None,
    tiers: Sequence[str] = TIERS,
) -> NDArray[np.object_]:
    """Cross risk with loyalty.

    >>> quadrants_of(np.array([0.1, 0.1, 0.5, 0.5, np.nan]), ["promoter", "detractor", "passive", None, None], high_above=0.2)
    array(['loyal', 'captive', 'loyal_but_leaving', 'tier_unknown', None], dtype=object)
    """
    probability = np.asarray(churn_probability, dtype=np.float64)
    given = np.array([None] * len(probability) if tier is None else [*tier], dtype=object)
    if len(given) != len(probability):
        raise UsageError.of("tiers do not match the probabilities", f"{len(given)} for {len(probability)}", "give one each")
    words = np.where(pd.isna(given), UNKNOWN, given)
    strange = sorted({str(word) for word in set(words.tolist())} - {*tiers, UNKNOWN})
    if strange:
        raise UsageError([Problem("unknown tier", word, nearest(word, [*tiers, UNKNOWN])) for word in strange])
    found = np.full(len(probability), "tier_unknown", dtype=object)
    for name, (low, high) in (settings or QuadrantSettings()).rules(tiers).items():
        mine = words == name
        found[mine & (probability > high_above)] = high
        found[mine & (probability <= high_above)] = low
    found[np.isnan(probability)] = None
    return found


def sizes_of(scores: pd.DataFrame) -> pd.DataFrame:
    """Count accounts and revenue of each quadrant.

    >>> scores = pd.DataFrame({"quadrant": ["loyal", "captive", "loyal", None], "mrr": [10.0, 30.0, 20.0, 99.0]})
    >>> sizes_of(scores).loc[[0, 2], ["quadrant", "accounts", "mrr", "mrr_share"]].to_dict("records")
    [{'quadrant': 'loyal', 'accounts': 2, 'mrr': 30.0, 'mrr_share': 0.5},
     {'quadrant': 'captive', 'accounts': 1, 'mrr': 30.0, 'mrr_share': 0.5}]
    """
    placed = _placed(scores, "scores", keys=("quadrant",))
    grouped = placed.groupby("quadrant")["mrr"]
    found = pd.DataFrame({"quadrant": list(QUADRANTS), "words": list(QUADRANTS.values())})
    accounts = found["quadrant"].map(grouped.size()).fillna(0).astype(np.int64)
    revenue = found["quadrant"].map(grouped.sum(min_count=1)).astype(np.float64)
    found["accounts"], found["share"] = accounts, accounts / max(int(accounts.sum()), 1)
    # the revenue of an empty quadrant is 0, unless no revenue is known at all
    found["mrr"] = revenue.where((accounts > 0) | bool(revenue.isna().all()), 0.0)
    found["mrr_share"] = found["mrr"] / revenue.sum() if revenue.sum() > 0 else np.nan
    return found


@dataclass(frozen=True)
class Movement:
    """Which accounts moved between quadrants from one cutoff to another.

    >>> one = pd.DataFrame({"account_id": ["a", "b"], "quadrant": ["loyal", "captive"]})
    >>> two = pd.DataFrame({"account_id": ["a", "c"], "quadrant": ["captive", "loyal"]})
    >>> movement(one, two).frame()[["before", "now", "accounts"]].to_dict("records")
    [{'before': 'loyal', 'now': 'captive', 'accounts': 1}, {'before': 'captive', 'now': 'gone', 'accounts': 1},
     {'before': 'new', 'now': 'loyal', 'accounts': 1}]
    """

    # one row for every account that was in a quadrant at either cutoff: `account_id, before, now, mrr_before, mrr_now`.
    # `before` is `new` where it had no quadrant then, `now` is `gone` where it has none any more
    accounts: pd.DataFrame

    @property
    def moved(self) -> pd.DataFrame:
        """The accounts whose quadrant changed."""
        return self.accounts[self.accounts["before"] != self.accounts["now"]].reset_index(drop=True)

    def frame(self) -> pd.DataFrame:
        """Return accounts and revenue of every move that happened, those who stayed where they were included."""
        order = [*QUADRANTS, NEW, GONE]
        grouped = self.accounts.groupby(["before", "now"])
        found = grouped[["mrr_before", "mrr_now"]].sum(min_count=1).assign(accounts=grouped.size()).reset_index()
        ranks = found[["before", "now"]].apply(lambda column: column.map(order.index))
        placed = found.iloc[np.lexsort((ranks["now"], ranks["before"]))].reset_index(drop=True)
        return placed[["before", "now", "accounts", "mrr_before", "mrr_now"]]

    def table(self) -> pd.DataFrame:
        """Return the accounts as a square: a row for where they were, a column for where they are."""
        counted = pd.crosstab(self.accounts["before"], self.accounts["now"])
        return counted.reindex(index=[*QUADRANTS, NEW], columns=[*QUADRANTS, GONE], fill_value=0)


def movement(previous: pd.DataFrame, current: pd.DataFrame) -> Movement:
    """Follow every account from a previous list of scores to the current one."""
    _require_order(previous, current)
    keys = ("account_id", "quadrant")
    one, two = _placed(previous, "previous", keys=keys), _placed(current, "current", keys=keys)
    both = one.merge(two, on="account_id", how="outer", suffixes=("_before", "_now"), sort=True)
    found = pd.DataFrame(
        {
            "account_id": both["account_id"],
            "before": both["quadrant_before"].fillna(NEW),
            "now": both["quadrant_now"].fillna(GONE),
            "mrr_before": both["mrr_before"],
            "mrr_now": both["mrr_now"],
        }
    )
    return Movement(found)


def _placed(scores: pd.DataFrame, which: str, *, keys: tuple[str, ...]) -> pd.DataFrame:
    """Return the rows that have a quadrant, checked, with `mrr` where it is known."""
    missing = [
        Problem(f"the {which} frame has no such column", key, "give scores with quadrants") for key in keys if key not in scores
    ]
    if missing:
        raise UsageError(missing)
    rows = scores[scores["quadrant"].notna()].reset_index(drop=True)
    found = rows[list(keys)].astype(object)
    found["mrr"] = rows["mrr"].astype(np.float64) if "mrr" in rows else np.nan
    strange = sorted({str(word) for word in found["quadrant"].unique()} - set(QUADRANTS))
    problems = [Problem("unknown quadrant", word, nearest(word, QUADRANTS)) for word in strange]
    if "account_id" in keys:
        twice = found["account_id"][found["account_id"].duplicated()].unique()
        problems += [
            Problem(f"an account appears twice in the {which} frame", str(each), "give one row each") for each in twice[:10]
        ]
    if problems:
        raise UsageError(problems)
    return found


def _require_order(previous: pd.DataFrame, current: pd.DataFrame) -> None:
    if "cutoff" not in previous or "cutoff" not in current:
        return
    then = [instant_of(str(cutoff)) for cutoff in previous["cutoff"].dropna().unique()]
    now = [instant_of(str(cutoff)) for cutoff in current["cutoff"].dropna().unique()]
    if then and now and not before(np.array(then, dtype=np.int64), min(now)).all():
        value = f"previous {previous['cutoff'].max()}, current {current['cutoff'].min()}"
        raise UsageError.of("the previous scores are not the earlier ones", value, "give scores of an earlier cutoff")
