"""How a family is written: one row per feature, which says how it is calculated, plus what the number means.

>>> usage = TableFeatures("usage", lever="engagement")
>>> made = usage.feature("longest_silence_90d", "longest_silence", window=90) + says("longest stretch without use", unit="days")
>>> made.name, made.window, made.unit, made.lever
('longest_silence_90d', 90, 'days', 'engagement')
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from staypower.features.definition import Combination, Feature, Filter, Template

__all__ = ["Calculation", "Meaning", "TableFeatures", "says"]

Made = TypeVar("Made", Feature, Template, Combination)
Where = Filter | tuple[Filter, ...]  # conditions that must all hold
_OF_THE_TABLE = "(that of the table)"


@dataclass(frozen=True)
class Meaning:
    """What a feature means to a reader."""

    description: str
    unit: str
    lever: str | None


def says(description: str, *, unit: str = "", lever: str | None = _OF_THE_TABLE) -> Meaning:
    """Say what a feature means; without `lever` it is that of the table, and None means that there is no lever."""
    return Meaning(description, unit, lever)


@dataclass(frozen=True)
class Calculation(Generic[Made]):
    """The first half of a row, which becomes a definition once its meaning is added."""

    finish: Callable[[Meaning], Made]

    def __add__(self, meaning: Meaning) -> Made:
        return self.finish(meaning)


@dataclass(frozen=True)
class TableFeatures:
    """Declares the features of one table; what most of them share is given once and can be given otherwise in a row."""

    table: str
    lever: str | None  # of most of them; None for no lever
    time: str | None = None
    until: str | None = None
    where: Where = ()

    def feature(
        self,
        name: str,
        aggregation: str,
        column: str | None = None,
        *,
        window: int | None = None,
        offset: int = 0,
        time: str | None = None,
        after: str | None = None,
        until: str | None = None,
        where: Where = (),
        category: bool = False,
    ) -> Calculation[Feature]:
        """Calculate one feature; the parameters are those of `Feature`."""
        return Calculation(
            lambda meaning: Feature(
                name=name,
                table=self.table,
                aggregation=aggregation,
                column=column,
                window=window,
                offset=offset,
                time=time or self.time,
                after=after,
                until=until or self.until,
                where=(*_listed(self.where), *_listed(where)),
                category=category,
                unit=meaning.unit,
                description=meaning.description,
                lever=self._lever(meaning),
            )
        )

    def every_window(
        self,
        name: str,
        aggregation: str,
        column: str | None = None,
        *,
        shortest: int = 1,
        longest: int = 100_000,
        time: str | None = None,
        after: str | None = None,
        where: Where = (),
    ) -> Calculation[Template]:
        """Calculate a feature for every window of the settings, or for those from `shortest` to `longest` days."""
        one = self.feature(name, aggregation, column, time=time, after=after, where=where)
        return Calculation(lambda meaning: Template(one + meaning, shortest=shortest, longest=longest))

    def combined(self, name: str, how: str, first: str, second: str) -> Calculation[Combination]:
        """Calculate a feature from two others, which may be of other tables."""
        return Calculation(
            lambda meaning: Combination(
                name=name,
                how=how,
                inputs=(first, second),
                unit=meaning.unit,
                description=meaning.description,
                lever=self._lever(meaning),
            )
        )

    def _lever(self, meaning: Meaning) -> str | None:
        return self.lever if meaning.lever == _OF_THE_TABLE else meaning.lever


def _listed(where: Where) -> tuple[Filter, ...]:
    return (where,) if isinstance(where, Filter) else where
