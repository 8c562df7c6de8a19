"""Exact contributions to each account's score, and the few that become reasons."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staypower.explanation.learned import LeaverReasons, TypicalValues
from staypower.explanation.sentences import Phrase, direction_of, group_words, round_as_written, sentence
from staypower.explanation.topics import NOTHING, Topic, choose_topics, leading_members, sum_topics, topics_of
from staypower.features.catalogue import Catalogue
from staypower.features.definition import Feature
from staypower.features.streams.making import source_of
from staypower.results.numbers import plural
from staypower.results.result import Block, Heading, Items, Result

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NO_LEVER", "Explanation", "Reason", "lever_words"]

NO_LEVER = "none"  # the column of contributions that have no lever
_SHOWN = 20


def lever_words(lever: str) -> str:
    """Name a column of contributions by lever.

    >>> lever_words("billing"), lever_words(NO_LEVER)
    ('billing', 'no lever')
    """
    return "no lever" if lever == NO_LEVER else lever


@dataclass(frozen=True)
class Reason:
    """What one topic contributes to one account's score.

    >>> Reason("days_since_last_use", 41.0, 6.0, 0.4, "No use in 41 days (raises the risk)", "engagement").statement
    'No use in 41 days'
    """

    feature: str  # the feature that contributes most to the topic
    value: float  # its value
    typical: float  # what is typical for similar accounts; NaN when most have none
    contribution: float  # of the whole topic, in log-odds of the raw score; above 0 it raises the risk of churn
    sentence: str  # the value, what is typical, and the direction
    lever: str | None
    topic: str = ""  # name of the topic
    title: str = ""  # the topic in a few words

    @property
    def raises(self) -> bool:
        """Whether it raises the risk; otherwise it lowers it."""
        return self.contribution > 0

    @property
    def direction(self) -> str:
        """`raises the risk` or `lowers the risk`."""
        return direction_of(self.contribution)

    @property
    def statement(self) -> str:
        """The sentence without the direction."""
        return self.sentence.removesuffix(f" ({self.direction})")


@dataclass(frozen=True)
class Explanation(Result):
    """Contributions of every feature to the raw scores of some accounts."""

    accounts: NDArray[np.object_]  # shape (n,)
    features: pd.DataFrame  # shape (n, n_features): what the model saw
    contributions: NDArray[np.float64]  # shape (n, n_features), log-odds; `base + contributions.sum(axis=1)` is the raw score
    base: float | NDArray[np.float64]  # the raw score without any feature, or that of each account where folds score them
    catalogue: Catalogue
    typical: TypicalValues
    leavers: LeaverReasons | None = None  # reorders reasons, where churned accounts said why they left

    def __len__(self) -> int:
        return len(self.accounts)

    def __repr__(self) -> str:
        return f"Explanation of {plural(len(self), 'account')}, {self.contributions.shape[1]} features"

    @property
    def bases(self) -> NDArray[np.float64]:
        """The base of each account, shape (n,)."""
        return np.broadcast_to(np.asarray(self.base, dtype=np.float64), len(self.accounts))

    @property
    def raw_scores(self) -> NDArray[np.float64]:
        """The raw score of each account: base + its contributions."""
        found: NDArray[np.float64] = self.bases + self.contributions.sum(axis=1)
        return found

    @cached_property
    def topics(self) -> tuple[Topic, ...]:
        """What reasons can be about; every feature belongs to one topic."""
        return topics_of(self.catalogue, [str(name) for name in self.features.columns])

    @cached_property
    def sums(self) -> NDArray[np.float64]:
        """Contribution of each topic, shape (n, n_topics)."""
        return sum_topics(self.contributions, self.topics)

    @cached_property
    def strength(self) -> NDArray[np.float64]:
        """The rank of reasons, shape (n, n_topics): the size of the contribution, weighted by why churned accounts left."""
        size: NDArray[np.float64] = np.abs(self.sums)
        leavers = self.leavers
        if leavers is None or leavers.topics != tuple(topic.name for topic in self.topics):
            return size
        return np.where(self.sums > 0.0, size * leavers.emphasis(self.sums, self.topics), size)

    @cached_property
    def matrix(self) -> NDArray[np.float64]:
        """The features as an array."""
        return self.features.to_numpy(dtype=np.float64)

    def take(self, rows: NDArray[np.int64] | slice) -> Explanation:
        """Return the explanation of some rows."""
        features = self.features.iloc[rows].reset_index(drop=True)
        base = self.base if isinstance(self.base, float) else self.base[rows]
        return Explanation(
            self.accounts[rows], features, self.contributions[rows], base, self.catalogue, self.typical, self.leavers
        )

    def chosen(self, count: int) -> NDArray[np.int64]:
        """Return the topics of each account's reasons, shape (n, count): positions in `topics`, -1 after the last."""
        return choose_topics(self.sums, self.strength, self.topics, count)

    def members(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the leading feature of each topic that `chosen` returned."""
        return leading_members(self.contributions, self.sums, chosen, self.topics)

    def reasons(self, row: int, count: int = 5) -> tuple[Reason, ...]:
        """Return the strongest reasons of one account."""
        one = self.take(np.array([range(len(self))[row]]))
        chosen = one.chosen(count)
        members = one.members(chosen)[0].tolist()
        code = float(self.typical.codes(one.features)[0])
        found = []
        for number, column in zip(chosen[0].tolist(), members, strict=True):
            if number != NOTHING:
                topic, name, value = self.topics[number], str(self.features.columns[column]), float(one.matrix[0, column])
                typical, contribution = self.typical.of(name, code), float(one.sums[0, number])
                words = f"{sentence(self.catalogue, self.typical, name, value, code)} ({direction_of(contribution)})"
                found.append(Reason(name, value, typical, contribution, words, topic.lever, topic.name, topic.title))
        return tuple(found)

    def levers(self) -> pd.DataFrame:
        """Return the sum of contributions by lever, one row per account; `none` holds those without a lever."""
        return sum_levers(self.sums, self.topics, self.accounts)

    def families(self) -> pd.DataFrame:
        """Return the sum of contributions by the table that the features come from, one row per account."""
        tables = {definition.name: definition for definition in self.catalogue.everything}

        def table_of(name: str) -> str:
            definition = tables[name]
            return source_of(definition.table) if isinstance(definition, Feature) else table_of(definition.inputs[0])

        names = [table_of(str(name)) for name in self.features.columns]
        return _grouped(self.contributions, names, list(dict.fromkeys(names)), self.accounts)

    def by_topic(self) -> pd.DataFrame:
        """Return the sum of contributions by topic, one row per account."""
        index = pd.Index(self.accounts, name="account_id")
        return pd.DataFrame(self.sums, index=index, columns=[topic.name for topic in self.topics])

    def first_levers(self, count: int = 3) -> NDArray[np.object_]:
        """Return the levers whose topics raise the risk, in the order in which reasons would name them."""
        levers = sorted({topic.lever for topic in self.topics if topic.lever})
        raising = np.where(self.sums > 0.0, self.strength, 0.0)
        best = np.zeros((len(self), len(levers)))
        for number, topic in enumerate(self.topics):
            if topic.lever:
                place = levers.index(topic.lever)
                best[:, place] = np.maximum(best[:, place], raising[:, number])
        order = np.argsort(-best, axis=1, kind="stable")[:, :count]
        names = np.array(levers, dtype=object)[order]
        found = np.full((len(self), count), None, dtype=object)
        found[:, : order.shape[1]] = names
        found[:, : order.shape[1]][np.take_along_axis(best, order, axis=1) <= 0.0] = None
        return found

    def waterfall(self, row: int, count: int = 8) -> tuple[tuple[str, float], ...]:
        """Return what leads from the base to the raw score of one account."""
        sums = self.sums[row]
        order = np.argsort(-np.abs(sums), kind="stable")
        shown = [number for number in order[:count].tolist() if sums[number] != 0.0]
        titles = [self.topics[number].title for number in shown]
        steps = [
            # topics with the same title but different levers also name the lever
            (
                title if titles.count(title) == 1 else f"{title} ({lever_words(self.topics[number].lever or NO_LEVER)})",
                float(sums[number]),
            )
            for title, number in zip(titles, shown, strict=True)
        ]
        rest = float(self.contributions[row].sum() - sums[shown].sum())
        return (*steps, ("everything else", rest)) if len(shown) < np.count_nonzero(sums) else tuple(steps)

    def frame(self, count: int = 5) -> pd.DataFrame:
        """Return the reasons in columns `reason_1`, `lever_1`, `contribution_1`, ..., one row per account."""
        chosen = self.chosen(count)
        members = self.members(chosen)
        there = chosen != NOTHING
        row = np.arange(len(chosen))[:, None]
        sums = np.where(there, self.sums[row, np.where(there, chosen, 0)], np.nan)
        levers = np.array([*(topic.lever for topic in self.topics), None], dtype=object)
        words = self._sentences(members, sums)
        columns: dict[str, object] = {"account_id": self.accounts}
        for place in range(count):
            columns[f"reason_{place + 1}"] = pd.array(words[:, place], dtype="str")
            columns[f"lever_{place + 1}"] = pd.array(levers[chosen[:, place]], dtype="str")
            columns[f"contribution_{place + 1}"] = sums[:, place]
        return pd.DataFrame(columns)

    def _sentences(self, members: NDArray[np.int64], sums: NDArray[np.float64]) -> NDArray[np.object_]:
        """Write the sentences of every account; for a million accounts each distinct one is written once."""
        words = np.full(members.shape, None, dtype=object)
        typical, catalogue = self.typical, self.catalogue
        groups, group = np.unique(typical.codes(self.features), return_inverse=True, equal_nan=True)
        definitions = {definition.name: definition for definition in catalogue.definitions}
        for column in np.unique(members[members != NOTHING]).tolist():
            name = str(self.features.columns[column])
            rows, places = np.nonzero(members == column)
            written = round_as_written(definitions[name], self.matrix[rows, column])
            distinct, value = np.unique(written, return_inverse=True, equal_nan=True)
            raising = (sums[rows, places] > 0.0).astype(np.int64)
            key = (value * len(groups) + group[rows]) * 2 + raising
            keys, place = np.unique(key, return_inverse=True)
            phrases = {
                one: Phrase(catalogue, definitions[name], typical.of(name, code), group_words(catalogue, typical, code, name))
                for one, code in enumerate(groups.tolist())
            }
            sentences = [
                f"{phrases[one // 2 % len(groups)].of(float(distinct[one // 2 // len(groups)]))} ({direction_of(one % 2)})"
                for one in keys.tolist()
            ]
            words[rows, places] = np.array(sentences, dtype=object)[place]
        return words

    def blocks(self) -> list[Block]:
        """Return the reasons of the first accounts."""
        shown: list[Block] = []
        for row, account in enumerate(self.accounts[:_SHOWN]):
            shown += [Heading(str(account)), Items([one.sentence for one in self.reasons(row)])]
        more = len(self) - _SHOWN
        return [*shown, f"... and {plural(more, 'more account', 'more accounts')}"] if more > 0 else shown


def sum_levers(sums: NDArray[np.float64], topics: tuple[Topic, ...], accounts: NDArray[np.object_]) -> pd.DataFrame:
    """Add up contributions of topics by lever, one row per account."""
    names = [topic.lever or NO_LEVER for topic in topics]
    return _grouped(sums, names, sorted(set(names)), accounts)


def _grouped(sums: NDArray[np.float64], names: list[str], kinds: list[str], accounts: NDArray[np.object_]) -> pd.DataFrame:
    """Add up columns of one name."""
    grouped = [Topic(kind, kind, None, tuple(np.flatnonzero(np.array(names) == kind).tolist())) for kind in kinds]
    return pd.DataFrame(sum_topics(sums, grouped), index=pd.Index(accounts, name="account_id"), columns=kinds)
