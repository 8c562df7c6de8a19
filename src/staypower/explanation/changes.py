"""What changed between two cutoffs: one model scores both, so that changes of values add up exactly to changes of scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from staypower.errors import UsageError
from staypower.explanation.reasons import Explanation, lever_words, sum_levers
from staypower.explanation.selection import choose_topics, find_members
from staypower.explanation.sentences import change_sentence, moved_words
from staypower.explanation.topics import NOTHING, sum_topics
from staypower.results.numbers import count as counted
from staypower.results.numbers import plain, plural, signed
from staypower.results.result import Block, Head, Result, TableBlock

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Change", "Changes", "RiskChanges", "compare_explanations"]


@dataclass(frozen=True)
class Change:
    """How much one topic moved one account's score."""

    feature: str  # the feature of the topic that moved it most
    before: float  # its value at the earlier cutoff
    after: float  # its value at the later cutoff
    contribution: float  # of the whole topic to the change of the raw score, in log-odds; above 0 the risk rose
    sentence: str  # old and new value, and the direction
    lever: str | None
    topic: str
    title: str

    @property
    def statement(self) -> str:
        """The sentence without the direction."""
        return self.sentence.removesuffix(f" ({moved_words(self.contribution)})")


@dataclass(frozen=True)
class RiskChanges(Result):
    """How the risk of accounts changed between two cutoffs, by lever."""

    accounts: NDArray[np.object_]  # shape (n,): those that have a score at both cutoffs
    score_changes: NDArray[np.float64]  # shape (n,): change of each raw score, in log-odds
    levers: pd.DataFrame  # the same by lever, one row per account
    appeared: tuple[str, ...]  # accounts that have a score only now; sorted
    gone: tuple[str, ...]  # accounts that had a score only then; sorted

    @classmethod
    def together(cls, parts: Sequence[RiskChanges]) -> RiskChanges:
        """Combine the accounts of several buckets, sorted."""
        accounts = np.concatenate([part.accounts for part in parts])
        order = np.argsort(accounts, kind="stable")
        levers = np.concatenate([part.levers.to_numpy() for part in parts])[order]
        return cls(
            accounts[order],
            np.concatenate([part.score_changes for part in parts])[order],
            pd.DataFrame(levers, columns=parts[0].levers.columns),
            tuple(sorted(account for part in parts for account in part.appeared)),
            tuple(sorted(account for part in parts for account in part.gone)),
        )

    def __len__(self) -> int:
        return len(self.accounts)

    def portfolio(self) -> pd.DataFrame:
        """Return which levers moved the risk of all accounts together."""
        values = self.levers.to_numpy()
        found = pd.DataFrame(
            {
                "lever": [str(name) for name in self.levers.columns],
                "mean_change": values.mean(axis=0) if len(values) else np.zeros(values.shape[1]),
                "raised": (values >= _NOTICEABLE).sum(axis=0),
                "lowered": (values <= -_NOTICEABLE).sum(axis=0),
            }
        )
        order = np.argsort(-np.abs(found["mean_change"].to_numpy()), kind="stable")
        return found.iloc[order].reset_index(drop=True)

    @property
    def headline(self) -> str:
        """How many accounts are compared, and how their raw scores moved."""
        if not len(self):
            return "No account has a score at both cutoffs."
        rose, fell = int((self.score_changes >= _NOTICEABLE).sum()), int((self.score_changes <= -_NOTICEABLE).sum())
        new = (
            f" ({counted(len(self.appeared))} new, {counted(len(self.gone))} no longer scored)"
            if self.appeared or self.gone
            else ""
        )
        mean = float(self.score_changes.mean())
        return (
            f"{plural(len(self), 'account')} with a score at both cutoffs{new}: the risk rose for {counted(rose)} and fell for "
            f"{counted(fell)}; the raw score changed by {signed(mean)} log-odds on average."
        )

    def blocks(self) -> list[Block]:
        """Return how the risk of all accounts moved, and which levers moved it."""
        if not len(self):
            return [self.headline]
        rows = [
            [lever_words(row["lever"]), signed(row["mean_change"]), counted(row["raised"]), counted(row["lowered"])]
            for row in self.portfolio().to_dict("records")
        ]
        heads = (Head("lever", "left"), "mean change", "raised for", "lowered for")
        return [self.headline, TableBlock(heads, rows)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        found = plain(
            {
                "accounts": len(self),
                "appeared": self.appeared,
                "gone": self.gone,
                "mean_change": float(self.score_changes.mean()) if len(self) else None,
                "levers": self.portfolio().to_dict("records"),
            }
        )
        return cast("dict[str, Any]", found)


@dataclass(frozen=True)
class Changes(Result):
    """What moved the scores of accounts between two cutoffs."""

    then: Explanation  # of the accounts that have a score at both cutoffs, in the same order
    now: Explanation  # of the accounts that have a score at both cutoffs, in the same order
    appeared: tuple[str, ...]  # accounts that have a score only now; sorted
    gone: tuple[str, ...]  # accounts that had a score only then; sorted

    def __len__(self) -> int:
        return len(self.now)

    def __repr__(self) -> str:
        return f"Changes of {len(self):,} accounts, {len(self.appeared)} new, {len(self.gone)} no longer scored"

    @property
    def accounts(self) -> NDArray[np.object_]:
        """The accounts that have a score at both cutoffs."""
        return self.now.accounts

    @cached_property
    def contributions(self) -> NDArray[np.float64]:
        """What each feature adds to the change of each raw score, shape (n, n_features): they add up to it."""
        return self.now.contributions - self.then.contributions

    @cached_property
    def sums(self) -> NDArray[np.float64]:
        """The same by topic, shape (n, n_topics)."""
        return sum_topics(self.contributions, self.now.topics)

    @property
    def score_changes(self) -> NDArray[np.float64]:
        """Change of each raw score, in log-odds."""
        return self.now.raw_scores - self.then.raw_scores

    def of(self, row: int, count: int = 5) -> tuple[Change, ...]:
        """Return what moved one account most."""
        number = range(len(self))[row]
        return self._of_rows(slice(number, number + 1), count)[0]

    def _of_rows(self, rows: slice, count: int) -> list[tuple[Change, ...]]:
        sums, topics = self.sums[rows], self.now.topics
        then, now = self.then.matrix[rows], self.now.matrix[rows]
        definitions = [self.now.definitions[str(name)] for name in self.now.features.columns]
        members = find_members(*(self.contributions[rows], sums, topics, definitions, now), lambda part: then[part])
        chosen = choose_topics(np.where(members == NOTHING, 0.0, sums), None, topics, count)
        start, _, _ = rows.indices(len(self))
        return [
            tuple(
                self._change(start + row, topic, int(members[row, topic])) for topic in chosen[row].tolist() if topic != NOTHING
            )
            for row in range(len(sums))
        ]

    def _change(self, row: int, number: int, column: int) -> Change:
        topic, name = self.now.topics[number], str(self.now.features.columns[column])
        before, after = float(self.then.matrix[row, column]), float(self.now.matrix[row, column])
        moved = float(self.sums[row, number])
        words = f"{change_sentence(self.now.catalogue, self.now.definitions[name], before, after)} ({moved_words(moved)})"
        return Change(name, before, after, moved, words, topic.lever, topic.name, topic.title)

    def levers(self) -> pd.DataFrame:
        """Return the change of each account's raw score by lever, one row per account; rows add up to its change."""
        return sum_levers(self.sums, self.now.topics, self.accounts)

    def frame(self, count: int = 3) -> pd.DataFrame:
        """Return one row per account: the change of its raw score and what moved it most."""
        found: dict[str, object] = {
            "account_id": self.accounts,
            "raw_before": self.then.raw_scores,
            "raw_after": self.now.raw_scores,
            "change": self.score_changes,
        }
        moved = self._of_rows(slice(None), count)
        for place in range(count):
            at = [changes[place] if place < len(changes) else None for changes in moved]
            found[f"moved_{place + 1}"] = pd.array([one.sentence if one else None for one in at], dtype="str")
            found[f"moved_lever_{place + 1}"] = pd.array([one.lever if one else None for one in at], dtype="str")
            found[f"moved_by_{place + 1}"] = np.array([one.contribution if one else np.nan for one in at])
        return pd.DataFrame(found)

    @cached_property
    def risk(self) -> RiskChanges:
        """How the risk of all accounts changed."""
        return RiskChanges(self.accounts, self.score_changes, self.levers(), self.appeared, self.gone)

    def portfolio(self) -> pd.DataFrame:
        """Return which levers moved the risk of all accounts together."""
        return self.risk.portfolio()

    @property
    def headline(self) -> str:
        """How many accounts are compared, and how their raw scores moved."""
        return self.risk.headline

    def blocks(self) -> list[Block]:
        """Return how the risk of all accounts moved, and which levers moved it."""
        return self.risk.blocks()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return self.risk.to_dict()


_NOTICEABLE = 0.01  # log-odds; smaller changes count as none


def compare_explanations(then: Explanation, now: Explanation) -> Changes:
    """Compare two explanations by the same model."""
    before, after = pd.Index(then.accounts), pd.Index(now.accounts)
    both = after[after.isin(before)]
    appeared = tuple(sorted(str(account) for account in after.difference(before, sort=False)))
    gone = tuple(sorted(str(account) for account in before.difference(after, sort=False)))
    earlier, later = then.take(before.get_indexer(both)), now.take(after.get_indexer(both))
    if list(then.features.columns) != list(now.features.columns) or not np.array_equal(earlier.bases, later.bases):
        fix = "explain both cutoffs with the same model"
        raise UsageError.of("explanations by two different models cannot be compared", "explanations", fix)
    return Changes(earlier, later, appeared, gone)
