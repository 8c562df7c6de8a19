"""Exact contributions to each account's score, and the few that are worth saying."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staypower.explanation.choosing import NOTHING, choose_topics, leading_members, sum_topics
from staypower.explanation.listing import list_reasons
from staypower.explanation.manner import Manner
from staypower.explanation.reason import NO_LEVER, Reason
from staypower.explanation.sentences import direction_of, sentence
from staypower.explanation.topics import Topic, topics_of
from staypower.explanation.usual import UsualValues
from staypower.features.catalogue import Catalogue
from staypower.features.definition import Feature
from staypower.features.streams import source_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Explanation", "explain_scores"]

_SHOWN = 20


@dataclass(frozen=True)
class Explanation:
    """Contributions of every feature to the raw scores of some accounts."""

    accounts: NDArray[np.object_]  # shape (n,)
    features: pd.DataFrame  # shape (n, n_features): What the model saw
    contributions: NDArray[np.float64]  # shape (n, n_features): Log-odds; `base + contributions.sum(axis=1)` is the raw score
    base: float  # the raw score before any feature is looked at
    catalogue: Catalogue
    usual: UsualValues
    manner: Manner = field(default_factory=Manner)  # how reasons are chosen

    def __len__(self) -> int:
        return len(self.accounts)

    def __repr__(self) -> str:
        return f"Explanation of {len(self):,} accounts, {self.contributions.shape[1]} features"

    @property
    def raw_scores(self) -> NDArray[np.float64]:
        """The raw score of each account: base + its contributions."""
        found: NDArray[np.float64] = self.base + self.contributions.sum(axis=1)
        return found

    @cached_property
    def topics(self) -> tuple[Topic, ...]:
        """The things there are to say; every feature belongs to one."""
        return topics_of(self.catalogue, [str(name) for name in self.features.columns])

    @cached_property
    def sums(self) -> NDArray[np.float64]:
        """Contribution of each topic, shape (n, n_topics)."""
        return sum_topics(self.contributions, self.topics)

    @cached_property
    def strength(self) -> NDArray[np.float64]:
        """What decides the order of reasons, shape (n, n_topics): the contribution's size, weighed by what leavers said."""
        size: NDArray[np.float64] = np.abs(self.sums)
        leavers = self.manner.leavers
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
        return Explanation(
            self.accounts[rows], features, self.contributions[rows], self.base, self.catalogue, self.usual, self.manner
        )

    def chosen(self, count: int) -> NDArray[np.int64]:
        """Return the topics that are said of each account, shape (n, count): positions in `topics`, -1 after the last."""
        settings = self.manner.settings
        return choose_topics(
            self.sums,
            self.strength,
            self.topics,
            count=count,
            per_lever=settings.per_lever,
            protective=settings.protective,
        )

    def members(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the feature that says most of each topic that `chosen` returned."""
        return leading_members(self.contributions, self.sums, chosen, self.topics)

    def reasons(self, row: int, count: int = 5) -> tuple[Reason, ...]:
        """Return what is most worth saying of one account."""
        one = self.take(np.array([range(len(self))[row]]))
        chosen = one.chosen(count)
        members = one.members(chosen)[0].tolist()
        code = float(self.usual.codes(one.features)[0])
        found = []
        for number, column in zip(chosen[0].tolist(), members, strict=True):
            if number != NOTHING:
                topic, name, value = self.topics[number], str(self.features.columns[column]), float(one.matrix[0, column])
                usual, contribution = self.usual.of(name, code), float(one.sums[0, number])
                words = f"{sentence(self.catalogue, self.usual, name, value, code)} ({direction_of(contribution)})"
                found.append(Reason(name, value, usual, contribution, words, topic.lever, topic.name, topic.title))
        return tuple(found)

    def levers(self) -> pd.DataFrame:
        """Return the sum of contributions by lever, one row an account; `none` holds what nobody can act on."""
        return self._summed([topic.lever or NO_LEVER for topic in self.topics])

    def families(self) -> pd.DataFrame:
        """Return the sum of contributions by the table that the features come from, one row an account."""
        tables = {definition.name: definition for definition in self.catalogue.everything}

        def table_of(name: str) -> str:
            definition = tables[name]
            return source_of(definition.table) if isinstance(definition, Feature) else table_of(definition.inputs[0])

        names = [table_of(str(name)) for name in self.features.columns]
        kinds = tuple(dict.fromkeys(names))
        grouped = [Topic(kind, kind, None, tuple(np.flatnonzero(np.array(names) == kind).tolist())) for kind in kinds]
        return self._indexed(sum_topics(self.contributions, grouped), kinds)

    def by_topic(self) -> pd.DataFrame:
        """Return the sum of contributions by topic, one row an account."""
        return self._indexed(self.sums, [topic.name for topic in self.topics])

    def _summed(self, names: list[str]) -> pd.DataFrame:
        kinds = sorted(set(names))
        grouped = [Topic(kind, kind, None, tuple(np.flatnonzero(np.array(names) == kind).tolist())) for kind in kinds]
        return self._indexed(sum_topics(self.sums, grouped), kinds)

    def _indexed(self, sums: NDArray[np.float64], columns: object) -> pd.DataFrame:
        return pd.DataFrame(sums, index=pd.Index(self.accounts, name="account_id"), columns=list(columns))  # type: ignore[call-overload]

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
        told = [
            # features of one title that declare different levers are told apart
            (title if titles.count(title) == 1 else f"{title} ({self.topics[number].lever or NO_LEVER})", float(sums[number]))
            for title, number in zip(titles, shown, strict=True)
        ]
        rest = float(self.contributions[row].sum() - sums[shown].sum())
        return (*told, ("everything else", rest)) if len(shown) < np.count_nonzero(sums) else tuple(told)

    def frame(self, count: int = 5) -> pd.DataFrame:
        """Return the reasons in columns `reason_1`, `lever_1`, `contribution_1`, ..., one row an account."""
        return list_reasons(self, count)

    def _repr_html_(self) -> str:
        items = "".join(
            f"<h4>{escape(str(account))}</h4><ol>"
            + "".join(f"<li>{escape(r.sentence)} <small>{r.contribution:+.2f}</small></li>" for r in self.reasons(row))
            + "</ol>"
            for row, account in enumerate(self.accounts[:_SHOWN])
        )
        more = f"<p>... and {len(self) - _SHOWN} more accounts</p>" if len(self) > _SHOWN else ""
        return f"<div>{items}{more}</div>"


def explain_scores(
    accounts: NDArray[np.object_],
    features: pd.DataFrame,
    contributions: NDArray[np.float64],
    base: float,
    *,
    catalogue: Catalogue,
    usual: UsualValues,
    manner: Manner | None = None,
) -> Explanation:
    """Put contributions and declarations together."""
    return Explanation(accounts, features, contributions, base, catalogue, usual, manner or Manner())
