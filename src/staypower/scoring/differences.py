"""Two models on the same accounts at one cutoff: whose risk, band and first reason differ, and by which levers.

The change of the log-odds of each probability is the exact sum of what the levers, the base and the calibration changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from staypower.cutoffs import text_of
from staypower.errors import UsageError
from staypower.explanation.reasons import NO_LEVER, Explanation, lever_words
from staypower.explanation.topics import NOTHING
from staypower.features.definition import LEVERS
from staypower.results.numbers import chance, count, decimal, percent, plain, plural, signed
from staypower.results.result import Block, Head, Items, Result, TableBlock, printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from staypower.scoring.scores import Scores

__all__ = ["PARTS", "ScoreDifferences", "find_differences"]

PARTS = (*LEVERS, NO_LEVER, "base", "calibration")
"""What the change of a score is made of: levers, contributions without one, the base, and the map from score to probability."""

_MOVES = ("change", "mean_change")
_EXAMPLES = 3
_MOVED = 2  # parts named with an example
_SMALLEST = 1e-12  # probabilities nearer to 0 or 1 have no log-odds


@dataclass(frozen=True)
class ScoreDifferences(Result, drawn_by="staypower.scoring.differences_drawing"):
    """What another model changes for the accounts that are scored at one cutoff.

    Parameters
    ----------
    before, after : str
        The two models, in words.
    cutoff : int
        Instant.
    table : pandas.DataFrame
        One row per account that both scored, sorted by `account_id`; see `frame`.
    moved : numpy.ndarray of shape (n, 11)
        Change of the log-odds of each probability by part, in the order of `PARTS`.
    levers_before : numpy.ndarray of shape (n, 9)
        Contribution of each lever by the first model, in log-odds; the last column is that of contributions without a lever.
    examples : pandas.DataFrame
        Accounts whose band or first reason differs, with both reasons in words.

    Examples
    --------
    >>> nobody = pd.DataFrame()
    >>> none = ScoreDifferences("version 1", "version 2", 0, nobody, np.zeros((0, 11)), np.zeros((0, 9)), nobody)
    >>> len(none), none.blocks()
    (0, ['No account is scored by both.'])
    """

    before: str
    after: str
    cutoff: int
    table: pd.DataFrame
    moved: NDArray[np.float64]
    levers_before: NDArray[np.float64]
    examples: pd.DataFrame

    @classmethod
    def together(cls, parts: Sequence[ScoreDifferences]) -> ScoreDifferences:
        """Combine the accounts of several buckets, sorted."""
        first = parts[0]
        table = pd.concat([part.table for part in parts], ignore_index=True)
        order = np.argsort(table["account_id"].to_numpy(dtype=object), kind="stable")
        return cls(
            first.before,
            first.after,
            first.cutoff,
            table.iloc[order].reset_index(drop=True),
            np.concatenate([part.moved for part in parts])[order],
            np.concatenate([part.levers_before for part in parts])[order],
            _best(pd.concat([part.examples for part in parts], ignore_index=True)),
        )

    def __len__(self) -> int:
        return len(self.table)

    @property
    def changes(self) -> NDArray[np.float64]:
        """Change of the log-odds of each probability, shape (n,)."""
        found: NDArray[np.float64] = self.moved.sum(axis=1)
        return found

    @property
    def band_flips(self) -> pd.DataFrame:
        """How many accounts have another risk band: `before, after, accounts`, most first."""
        return _flips(
            self.table["band_before"], self.table["band_after"], self.table["band_before"] != self.table["band_after"]
        )

    @property
    def reason_flips(self) -> pd.DataFrame:
        """How many accounts have another first reason, by its lever: `before, after, accounts`, most first."""
        other = self.table["topic_before"] != self.table["topic_after"]
        return _flips(self.table["lever_before"], self.table["lever_after"], other)

    def levers(self) -> pd.DataFrame:
        """Return `lever, before, after, change, mean_change`, largest change of the mean absolute contribution first.

        `before` and `after` are mean absolute contributions; `mean_change` is what the lever adds to the mean change of the
        log-odds. Base and calibration have no contribution, and stand last.
        """
        size = np.full((2, len(PARTS)), np.nan)
        if len(self):
            after = self.levers_before + self.moved[:, :-2]
            size[:, :-2] = [np.abs(each).mean(axis=0) for each in (self.levers_before, after)]
        mean = self.moved.mean(axis=0) if len(self) else np.zeros(len(PARTS))
        found = pd.DataFrame(
            {"lever": PARTS, "before": size[0], "after": size[1], "change": size[1] - size[0], "mean_change": mean}
        )
        used = (size > 0).any(axis=0) | np.isnan(size[0])
        order = np.argsort(-np.nan_to_num(np.abs(size[1] - size[0]), nan=-1.0), kind="stable")
        ordered: pd.DataFrame = found.iloc[order[used[order]]].reset_index(drop=True)
        return ordered

    def blocks(self) -> list[Block]:
        """Return how the risk differs, by which levers, and whose band and first reason do."""
        if not len(self):
            return ["No account is scored by both."]
        return [*self._levers_in_words(), *self._flips_in_words()]

    def _levers_in_words(self) -> list[Block]:
        changes, risk = self.changes, self.table["probability_after"] - self.table["probability_before"]
        rose, fell = int((changes >= 0.01).sum()), int((changes <= -0.01).sum())
        said = (
            f"{plural(len(self), 'account')} scored by both at {text_of(self.cutoff)}. Under {self.after} instead of "
            f"{self.before}, the risk is higher for {count(rose)} and lower for {count(fell)}; the mean risk changes by "
            f"{signed(100 * float(risk.mean()), lambda value: decimal(value, 1))} percentage points."
        )
        rows = []
        for row in self.levers().to_dict("records"):
            sizes, moves = (decimal(row[name]) for name in ("before", "after")), (signed(row[name]) for name in _MOVES)
            rows.append([lever_words(row["lever"]), *sizes, *moves])
        rows.append(["sum", "", "", "", signed(float(changes.mean()))])
        heads = (Head("lever", "left"), self.before, self.after, "change", "part of the mean change")
        return [said, TableBlock(heads, rows, "Mean absolute contribution by lever, in log-odds")]

    def _flips_in_words(self) -> list[Block]:
        shown: list[Block] = []
        for what, flips in (("risk band", self.band_flips), ("first reason", self.reason_flips)):
            number = int(flips["accounts"].sum())
            share = percent(number / len(self))
            shown.append(f"{plural(number, 'account')} ({share}) with another {what}.")
            if number:
                rows = [[f"{row['before']} -> {row['after']}", count(row["accounts"])] for row in flips.to_dict("records")]
                shown.append(TableBlock(("by lever" if what == "first reason" else "band", "accounts"), rows[:_LISTED]))
                kind = "band" if what == "risk band" else "reason"
                shown.append(Items([_example(row) for row in self.examples_of(kind).to_dict("records")]))
        return shown

    def examples_of(self, kind: str) -> pd.DataFrame:
        """Return the accounts whose `band` or first `reason` differs and whose probability changed most."""
        return self.examples[self.examples["kind"] == kind].drop(columns="kind").reset_index(drop=True)

    def frame(self) -> pd.DataFrame:
        """Return one row per account.

        Columns: `account_id, probability_before, probability_after, band_before, band_after, topic_before, topic_after,
        lever_before, lever_after` (of the first reason), `change` of the log-odds, and its parts `by_onboarding, ...,
        by_calibration`, which add up to it.
        """
        parts = pd.DataFrame(self.moved, columns=[f"by_{part}" for part in PARTS])
        return pd.concat([self.table, pd.DataFrame({"change": self.changes}), parts], axis=1)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        found = plain(
            {
                "cutoff": text_of(self.cutoff),
                "accounts": len(self),
                "mean_change": float(self.changes.mean()) if len(self) else None,
                "levers": self.levers().to_dict("records"),
                "bands": self.band_flips.to_dict("records"),
                "band_examples": self.examples_of("band").to_dict("records"),
                "first_reasons": self.reason_flips.to_dict("records"),
                "first_reason_examples": self.examples_of("reason").to_dict("records"),
            }
        )
        return cast("dict[str, Any]", found)


_LISTED = 8


def find_differences(before: Scores, after: Scores, names: tuple[str, str]) -> ScoreDifferences:
    """Compare the scores of the same accounts by two models."""
    mine, theirs = after.explanation, before.explanation
    if before.cutoff != after.cutoff or list(mine.accounts) != list(theirs.accounts):
        raise UsageError.of("not the same accounts at one cutoff", "scores", "score them at one cutoff with both models")
    table = pd.DataFrame({"account_id": mine.accounts})
    firsts = [_first(explanation) for explanation in (theirs, mine)]
    for when, scores, (topic, lever) in zip(("before", "after"), (before, after), firsts, strict=True):
        rows = scores.table.set_index("account_id").loc[list(mine.accounts)]
        table[f"probability_{when}"] = rows["churn_probability"].to_numpy(dtype=np.float64)
        table[f"band_{when}"] = rows["churn_risk_band"].to_numpy(dtype=object)
        table[f"reason_{when}"] = rows["reason_1"].to_numpy(dtype=object) if "reason_1" in rows else None
        table[f"topic_{when}"], table[f"lever_{when}"] = topic, lever
    levers = [explanation.levers().reindex(columns=PARTS[:-2], fill_value=0.0).to_numpy() for explanation in (theirs, mine)]
    odds = [_log_odds(table[f"probability_{when}"].to_numpy()) for when in ("before", "after")]
    base = mine.bases - theirs.bases
    calibration = (odds[1] - mine.raw_scores) - (odds[0] - theirs.raw_scores)
    # one layout in memory: means are then summed in one order, in buckets and together
    moved = np.ascontiguousarray(np.column_stack([levers[1] - levers[0], base, calibration]))
    plain_table = table.drop(columns=["reason_before", "reason_after"])
    return ScoreDifferences(*names, after.cutoff, plain_table, moved, np.ascontiguousarray(levers[0]), _examples(table, moved))


def _first(explanation: Explanation) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Return the topic of each account's first reason, with its lever, and the lever in words."""
    chosen = explanation.chosen(1)[:, 0]
    topics = [f"{topic.name} ({lever_words(topic.lever or NO_LEVER)})" for topic in explanation.topics]
    levers = [lever_words(topic.lever or NO_LEVER) for topic in explanation.topics]
    # the last stands for no reason: what is chosen is then -1
    assert NOTHING == -1
    return np.array([*topics, "none"], dtype=object)[chosen], np.array([*levers, "no reason"], dtype=object)[chosen]


def _log_odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    bounded = np.clip(probability, _SMALLEST, 1 - _SMALLEST)
    found: NDArray[np.float64] = np.log(bounded) - np.log1p(-bounded)
    return found


def _flips(before: pd.Series, after: pd.Series, other: pd.Series) -> pd.DataFrame:
    pairs = pd.DataFrame({"before": before[other].astype(object), "after": after[other].astype(object)})
    counted = pairs.value_counts(sort=False).rename("accounts").reset_index()
    return counted.sort_values(["accounts", "before", "after"], ascending=[False, True, True]).reset_index(drop=True)


def _examples(table: pd.DataFrame, moved: NDArray[np.float64]) -> pd.DataFrame:
    """Keep some accounts whose band or first reason differs, with what moved them most."""
    found = []
    for kind, name in (("band", "band"), ("reason", "topic")):
        rows = table[table[f"{name}_before"] != table[f"{name}_after"]]
        found.append(_best(rows.assign(kind=kind)))
    kept = pd.concat(found)
    largest = np.argsort(-np.abs(moved[kept.index]), axis=1, kind="stable")[:, :_MOVED]
    words = [
        ", ".join(f"{lever_words(PARTS[part])} {signed(moved[row, part])}" for part in parts)
        for row, parts in zip(kept.index, largest.tolist(), strict=True)
    ]
    return kept.drop(columns=["topic_before", "topic_after"]).assign(moved_by=words).reset_index(drop=True)


def _best(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of each kind whose probability changed most."""
    change = (rows["probability_after"] - rows["probability_before"]).abs()
    ranked = rows.assign(change=change).sort_values(["change", "account_id"], ascending=[False, True])
    return ranked.groupby("kind", sort=False).head(_EXAMPLES).drop(columns="change")


def _example(row: dict[Any, Any]) -> str:
    risk = f"{chance(row['probability_before'])} -> {chance(row['probability_after'])}"
    band = f"{row['band_before']} -> {row['band_after']}" if row["band_before"] != row["band_after"] else row["band_after"]
    said = [_statement(row[name]) for name in ("reason_before", "reason_after")]
    reasons = f"{said[1]}." if said[0] == said[1] else f"Before: {said[0]}. Now: {said[1]}."
    return printable(f"{row['account_id']}: {risk} ({band}); {row['moved_by']}. {reasons}")


def _statement(reason: object) -> str:
    """Return a reason without its direction: the first one raises the risk where any does."""
    return reason.removesuffix(" (raises the risk)") if isinstance(reason, str) else "no reason"
