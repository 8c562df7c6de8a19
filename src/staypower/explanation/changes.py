"""What changed between two cutoffs: the same model twice, so that every change has its exact part in the score's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staypower.errors import UsageError
from staypower.explanation.choosing import NOTHING, choose_topics, leading_members, sum_topics
from staypower.explanation.reason import NO_LEVER, Change
from staypower.explanation.reasons import Explanation
from staypower.explanation.sentences import change_sentence, moved_words
from staypower.explanation.topics import Topic
from staypower.features.definition import Definition

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Changes", "compare_explanations"]


@dataclass(frozen=True)
class Changes:
    """What moved the scores of accounts between two cutoffs."""

    then: Explanation  # of the accounts that have a score at both cutoffs, in the same order
    now: Explanation  # of the accounts that have a score at both cutoffs, in the same order
    appeared: tuple[str, ...]  # accounts that have a score only now, or only had one then; sorted
    gone: tuple[str, ...]  # accounts that have a score only now, or only had one then; sorted

    def __len__(self) -> int:
        return len(self.now)

    def __repr__(self) -> str:
        return f"Changes of {len(self):,} accounts, {len(self.appeared)} appeared, {len(self.gone)} gone"

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
        return self._told(slice(number, number + 1), count)[0]

    def _told(self, rows: slice, count: int) -> list[tuple[Change, ...]]:
        sums, topics = self.sums[rows], self.now.topics
        per_lever = self.now.manner.settings.per_lever
        chosen = choose_topics(sums, np.abs(sums), topics, count=count, per_lever=per_lever, protective=None)
        columns = leading_members(self.contributions[rows], sums, chosen, topics)
        start, _, _ = rows.indices(len(self))
        return [
            tuple(
                self._change(start + row, topic, column)
                for topic, column in zip(chosen[row].tolist(), columns[row].tolist(), strict=True)
                if topic != NOTHING
            )
            for row in range(len(sums))
        ]

    def _change(self, row: int, number: int, column: int) -> Change:
        topic, name = self.now.topics[number], str(self.now.features.columns[column])
        before, after = float(self.then.matrix[row, column]), float(self.now.matrix[row, column])
        moved = float(self.sums[row, number])
        said = change_sentence(self.now.catalogue, self._definitions[name], before, after)
        words = f"{said} ({moved_words(moved)})"
        return Change(name, before, after, moved, words, topic.lever, topic.name, topic.title)

    @cached_property
    def _definitions(self) -> dict[str, Definition]:
        return {definition.name: definition for definition in self.now.catalogue.definitions}

    def levers(self) -> pd.DataFrame:
        """Return the change of each account's raw score by lever, one row an account; rows add up to its change."""
        names = [topic.lever or NO_LEVER for topic in self.now.topics]
        kinds = sorted(set(names))
        grouped = [Topic(kind, kind, None, tuple(np.flatnonzero(np.array(names) == kind).tolist())) for kind in kinds]
        sums = sum_topics(self.sums, grouped)
        return pd.DataFrame(sums, index=pd.Index(self.accounts, name="account_id"), columns=kinds)

    def portfolio(self) -> pd.DataFrame:
        """Return which levers moved the risk of all accounts together."""
        levers = self.levers()
        values = levers.to_numpy()
        found = pd.DataFrame(
            {
                "lever": [str(name) for name in levers.columns],
                "mean_change": values.mean(axis=0) if len(values) else np.zeros(values.shape[1]),
                "raised": (values >= _FELT).sum(axis=0),
                "lowered": (values <= -_FELT).sum(axis=0),
            }
        )
        order = np.argsort(-np.abs(found["mean_change"].to_numpy()), kind="stable")
        return found.iloc[order].reset_index(drop=True)

    def frame(self, count: int = 3) -> pd.DataFrame:
        """Return one row an account: the change of its raw score and what moved it most."""
        found: dict[str, object] = {
            "account_id": self.accounts,
            "raw_before": self.then.raw_scores,
            "raw_after": self.now.raw_scores,
            "change": self.score_changes,
        }
        told = self._told(slice(None), count)
        for place in range(count):
            at = [changes[place] if place < len(changes) else None for changes in told]
            found[f"moved_{place + 1}"] = pd.array([one.sentence if one else None for one in at], dtype="str")
            found[f"moved_lever_{place + 1}"] = pd.array([one.lever if one else None for one in at], dtype="str")
            found[f"moved_by_{place + 1}"] = np.array([one.contribution if one else np.nan for one in at])
        return pd.DataFrame(found)

    def text(self) -> str:
        """Return how the risk of all accounts moved, and by which levers."""
        if not len(self):
            return "no account has a score at both cutoffs"
        mean = float(self.score_changes.mean())
        rose, fell = int((self.score_changes >= _FELT).sum()), int((self.score_changes <= -_FELT).sum())
        came = f"; {len(self.appeared):,} appeared, {len(self.gone):,} are gone" if self.appeared or self.gone else ""
        lines = [
            f"{len(self):,} accounts with a score at both cutoffs{came}",
            f"mean change of the raw score {mean:+.3f} log-odds: it rose for {rose:,} and fell for {fell:,}",
        ]
        for row in self.portfolio().to_dict("records"):
            name = "what nobody can pull on" if row["lever"] == NO_LEVER else row["lever"]
            lines.append(f"  {name}: {row['mean_change']:+.3f} (up {row['raised']:,}, down {row['lowered']:,})")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        lines = self.text().splitlines()
        shown = self.portfolio().round({"mean_change": 3}).replace({"lever": {NO_LEVER: "what nobody can pull on"}})
        table = shown.to_html(index=False, escape=True) if len(self) else ""
        return "".join(f"<p>{escape(line)}</p>" for line in lines[:2]) + table


_FELT = 0.01


def compare_explanations(then: Explanation, now: Explanation) -> Changes:
    """Put two explanations by the same model side by side."""
    if list(then.features.columns) != list(now.features.columns) or then.base != now.base:
        fix = "explain both cutoffs with one model"
        raise UsageError.of("changes between two models cannot be told apart from changes of accounts", "explanations", fix)
    before, after = pd.Index(then.accounts), pd.Index(now.accounts)
    both = after[after.isin(before)]
    appeared = tuple(sorted(str(account) for account in after.difference(before, sort=False)))
    gone = tuple(sorted(str(account) for account in before.difference(after, sort=False)))
    return Changes(then.take(before.get_indexer(both)), now.take(after.get_indexer(both)), appeared, gone)
