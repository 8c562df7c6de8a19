"""Exact contributions to each account's score, and the few that become reasons."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.explanation.learned import LeaverReasons, TypicalValues
from staypower.explanation.selection import choose_topics, find_members, leading_topics
from staypower.explanation.sentences import Phrase, direction_of, group_words, round_as_written, sentence
from staypower.explanation.topics import NOTHING, TOTALS, Topic, sum_topics, topics_of
from staypower.features.catalogue import Catalogue
from staypower.features.definition import LEVERS, Definition, Feature
from staypower.features.streams.making import source_of
from staypower.results.numbers import plural
from staypower.results.result import Block, Heading, Items, Result

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NO_LEVER", "Explanation", "Reason", "lever_words"]

# by feature and group: what writes a value, and what was written of values, by value and direction
SentencesOf = dict[tuple[str, float | None], tuple[Phrase, dict[tuple[float | None, int], str]]]
_KEPT = 20_000  # sentences of one feature and group

NO_LEVER = "none"  # the column of contributions that have no lever
_SHOWN = 20
_OF_THE_MODEL = ("names", "topics", "definitions", "_topics_of_levers", "_levers")


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
    # what was said of other accounts by the same model: a sentence depends on nothing but a value and whom it is compared with
    written: SentencesOf = field(default_factory=dict, repr=False, compare=False)

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
    def names(self) -> list[str]:
        """The features, in the order of the contributions."""
        return [str(name) for name in self.features.columns.tolist()]

    @cached_property
    def topics(self) -> tuple[Topic, ...]:
        """What reasons can be about; every feature belongs to one topic."""
        return topics_of(self.catalogue, self.names)

    @cached_property
    def sums(self) -> NDArray[np.float64]:
        """Contribution of each topic, shape (n, n_topics)."""
        return sum_topics(self.contributions, self.topics)

    @cached_property
    def codes(self) -> NDArray[np.float64]:
        """The group of similar accounts that each account is compared with; NaN where that is all accounts."""
        return self.typical.codes(self.features)

    @cached_property
    def members(self) -> NDArray[np.int32]:
        """The feature that each topic is said with, shape (n, n_topics): a position, -1 where there is nothing to say."""
        names, known, typical = self.names, self.definitions, self.typical
        return find_members(
            self.contributions,
            self.sums,
            self.topics,
            [known[name] for name in names],
            self.matrix,
            lambda rows: typical.of_columns(names, self.codes[rows]),
        )

    @cached_property
    def said(self) -> NDArray[np.float64]:
        """Contribution of each topic that can be said, shape (n, n_topics); 0 for the others."""
        return np.where(self.members == NOTHING, 0.0, self.sums)

    @cached_property
    def definitions(self) -> dict[str, Definition]:
        """The features by name."""
        return {definition.name: definition for definition in self.catalogue.definitions}

    @cached_property
    def excess(self) -> NDArray[np.float64]:
        """By how much each topic raises the risk more than is typical for similar accounts, shape (n, n_topics)."""
        usual = self.typical.contributions
        if usual is None:
            return np.maximum(self.sums, 0.0)
        # a topic that is not known, as of a model sealed without, is compared with no contribution
        typical = np.nan_to_num(usual.of_columns([topic.name for topic in self.topics], self.codes))
        return np.maximum(self.sums - typical, 0.0)

    @cached_property
    def lever_totals(self) -> NDArray[np.float64]:
        """The same by lever, shape (n, 8), in the order of `LEVERS`."""
        return sum_topics(self.excess, self._topics_of_levers)

    @cached_property
    def _topics_of_levers(self) -> list[Topic]:
        """The topics of each lever, as sums are made of them."""
        known = {lever: tuple(number for number, topic in enumerate(self.topics) if topic.lever == lever) for lever in LEVERS}
        return [Topic(lever, lever, lever, columns) for lever, columns in known.items()]

    @cached_property
    def _levers(self) -> NDArray[np.object_]:
        """The lever of each topic, and after them that of no topic."""
        return np.array([*(topic.lever for topic in self.topics), None], dtype=object)

    @cached_property
    def lever_order(self) -> NDArray[np.float64]:
        """What the levers of each account are ordered by, largest first, shape (n, 8)."""
        leavers = self.leavers
        if leavers is None or leavers.topics != tuple(topic.name for topic in self.topics):
            return self.lever_totals
        return leavers.order(self.lever_totals, self.sums, LEVERS)

    @cached_property
    def leading(self) -> NDArray[np.int64]:
        """The topics that come first, one of each of the first levers, shape (n, 3); -1 after the last."""
        return leading_topics(self.said, self.lever_order, self.topics, LEVERS)

    @cached_property
    def matrix(self) -> NDArray[np.float64]:
        """The features as an array."""
        return self.features.to_numpy(dtype=np.float64)

    def take(self, rows: NDArray[np.int64] | slice) -> Explanation:
        """Return the explanation of some rows."""
        base = self.base if isinstance(self.base, float) else self.base[rows]
        return self.of(self.accounts[rows], self.features.iloc[rows].reset_index(drop=True), self.contributions[rows], base)

    def of(
        self,
        accounts: NDArray[np.object_],
        features: pd.DataFrame,
        contributions: NDArray[np.float64],
        base: float | NDArray[np.float64],
    ) -> Explanation:
        """Return the explanation of other accounts by the same model, with what depends on the model alone found once."""
        model = self.catalogue, self.typical, self.leavers
        other = Explanation(accounts, features, contributions, base, *model, written=self.written)
        vars(other).update({name: getattr(self, name) for name in _OF_THE_MODEL})
        return other

    def chosen(self, count: int) -> NDArray[np.int64]:
        """Return the topics of each account's reasons, shape (n, count): positions in `topics`, -1 after the last."""
        return choose_topics(self.said, self.leading, self.topics, count)

    def reasons(self, row: int, count: int = 5) -> tuple[Reason, ...]:
        """Return the reasons of one account."""
        one = self.take(np.array([range(len(self))[row]]))
        code = float(one.codes[0])
        found = []
        for number in one.chosen(count)[0].tolist():
            if number != NOTHING:
                column = int(one.members[0, number])
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

    @property
    def _totals(self) -> NDArray[np.float64]:
        known = {topic.lever for topic in self.topics}
        return np.where([lever in known for lever in LEVERS], self.lever_totals, np.nan)

    def totals(self) -> pd.DataFrame:
        """Return by how much each lever raises the risk more than is typical for similar accounts, one row per account.

        The excess of its topics; one that lowers the risk takes nothing away from another. Missing for levers without a
        feature.
        """
        return pd.DataFrame(self._totals, index=pd.Index(self.accounts, name="account_id"), columns=list(LEVERS))

    def first_levers(self, count: int = 3) -> NDArray[np.object_]:
        """Return the levers of the reasons that come first, None after the last."""
        found = np.full((len(self), count), None, dtype=object)
        led = self._levers[self.leading[:, :count]]
        found[:, : led.shape[1]] = led
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
        """Return the reasons in columns `reason_1`, `lever_1`, `contribution_1`, ..., one row per account; then the totals."""
        return pd.DataFrame({"account_id": self.accounts, **self.columns(count)})

    def columns(self, count: int = 5) -> dict[str, Any]:
        """Return the columns of `frame` but the account."""
        chosen = self.chosen(count)
        there = chosen != NOTHING
        row = np.arange(len(chosen))[:, None]
        members = np.where(there, self.members[row, chosen], NOTHING)
        sums = np.where(there, self.sums[row, np.where(there, chosen, 0)], np.nan)
        # one conversion for all columns of texts: for one account it costs as much as each of them would
        told = np.hstack([self._sentences(members, sums), self._levers[chosen]])
        texts, n = pd.array(told.ravel(order="F"), dtype="str"), len(told)
        columns: dict[str, Any] = {}
        for place in range(count):
            columns[f"reason_{place + 1}"] = texts[place * n : (place + 1) * n]
            columns[f"lever_{place + 1}"] = texts[(count + place) * n : (count + place + 1) * n]
            columns[f"contribution_{place + 1}"] = sums[:, place]
        return columns | dict(zip(TOTALS, self._totals.T, strict=True))

    def _sentences(self, members: NDArray[np.int64], sums: NDArray[np.float64]) -> NDArray[np.object_]:
        """Write the sentences of every account; for a million accounts each distinct one is written once."""
        words = np.full(members.shape, None, dtype=object)
        groups, group = np.unique(self.codes, return_inverse=True, equal_nan=True)
        for column in np.unique(members[members != NOTHING]).tolist():
            name = str(self.features.columns[column])
            rows, places = np.nonzero(members == column)
            written = round_as_written(self.definitions[name], self.matrix[rows, column])
            distinct, value = np.unique(written, return_inverse=True, equal_nan=True)
            raising = (sums[rows, places] > 0.0).astype(np.int64)
            key = (value * len(groups) + group[rows]) * 2 + raising
            keys, place = np.unique(key, return_inverse=True)
            codes, values = [None if code != code else code for code in groups.tolist()], distinct.tolist()
            sentences = [
                self._sentence(name, codes[one // 2 % len(codes)], values[one // 2 // len(codes)], one % 2)
                for one in keys.tolist()
            ]
            words[rows, places] = np.array(sentences, dtype=object)[place]
        return words

    def _sentence(self, name: str, code: float | None, value: float, raising: int) -> str:
        """Write a value of a feature for an account of a group, or find it written."""
        kept = self.written.get((name, code))
        if kept is None:
            typical, catalogue, group = self.typical, self.catalogue, float("nan") if code is None else code
            words = group_words(catalogue, typical, group, name)
            kept = Phrase(catalogue, self.definitions[name], typical.of(name, group), words), {}
            self.written[name, code] = kept
        phrase, said = kept
        place = None if value != value else value, raising
        written = said.get(place)
        if written is None:
            if len(said) >= _KEPT:
                said.clear()
            written = said[place] = f"{phrase.of(value)} ({direction_of(raising)})"
        return written

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
