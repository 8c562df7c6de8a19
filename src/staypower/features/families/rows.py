"""How a family is written: one row per feature, which says how it is calculated and what the number means.

>>> usage = TableFeatures("usage", lever="engagement")
>>> made = usage.feature("longest_silence_90d", "longest_silence", window=90, says="longest period without usage", unit="days")
>>> made.name, made.window, made.unit, made.lever
('longest_silence_90d', 90, 'days', 'engagement')
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partialmethod
from typing import Final, Literal

from staypower.features.definition import Combination, Direction, Feature, Filter, Template

__all__ = ["TableFeatures"]

Where = Filter | tuple[Filter, ...]  # conditions that must all hold
_OF_THE_TABLE: Final = "(that of the table)"
Given = Direction | Literal["(that of the table)"]


@dataclass(frozen=True)
class TableFeatures:
    """Declares the features of one table; what most of them share is given once and can be given otherwise in a row.

    In every row `says` is the description, `direction` is what a larger value is expected to do to the risk, and a `lever` or
    `direction` of None means that there is none.
    """

    table: str
    lever: str | None  # of most of them; None for no lever
    direction: Direction = None  # of most of them
    time: str | None = None
    until: str | None = None
    where: Where = ()

    def feature(
        self,
        name: str,
        aggregation: str,
        column: str | None = None,
        *,
        says: str,
        unit: str = "",
        lever: str | None = _OF_THE_TABLE,
        direction: Given = _OF_THE_TABLE,
        window: int | None = None,
        offset: int = 0,
        time: str | None = None,
        after: str | None = None,
        until: str | None = None,
        where: Where = (),
        weight: str | None = None,
        ahead: int | None = None,
        category: bool = False,
        reaches_back: bool = False,
        part: bool = False,
    ) -> Feature:
        """Declare one feature; the parameters are those of `Feature`."""
        return Feature(
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
            weight=weight,
            ahead=ahead,
            category=category,
            reaches_back=reaches_back,
            part=part,
            unit=unit,
            description=says,
            lever=self._lever(lever),
            direction=self._direction(direction),
        )

    def every_window(
        self,
        name: str,
        aggregation: str,
        column: str | None = None,
        *,
        says: str,
        unit: str = "",
        lever: str | None = _OF_THE_TABLE,
        direction: Given = _OF_THE_TABLE,
        shortest: int = 1,
        longest: int = 100_000,
        time: str | None = None,
        after: str | None = None,
        where: Where = (),
    ) -> Template:
        """Declare a feature for every window of the settings, or for those from `shortest` to `longest` days."""
        rest = {"lever": lever, "direction": direction, "time": time, "after": after, "where": where}
        one = self.feature(name, aggregation, column, says=says, unit=unit, **rest)  # type: ignore[arg-type]
        return Template(one, shortest=shortest, longest=longest)

    def _combined(
        self,
        how: str,
        name: str,
        first: str,
        second: str,
        *,
        says: str,
        unit: str = "",
        lever: str | None = _OF_THE_TABLE,
        direction: Given = _OF_THE_TABLE,
        part: bool = False,
    ) -> Combination:
        """Declare a feature computed from two others, which may be of other tables; see `COMBINATIONS`."""
        return Combination(
            name=name,
            how=how,
            inputs=(first, second),
            unit=unit,
            description=says,
            lever=self._lever(lever),
            direction=self._direction(direction),
            part=part,
        )

    ratio = partialmethod(_combined, "ratio")
    change = partialmethod(_combined, "change")
    difference = partialmethod(_combined, "difference")
    both_fall = partialmethod(_combined, "both_fall")
    is_before = partialmethod(_combined, "is_before")

    def _lever(self, lever: str | None) -> str | None:
        return self.lever if lever == _OF_THE_TABLE else lever

    def _direction(self, direction: Given) -> Direction:
        return self.direction if direction == _OF_THE_TABLE else direction


def _listed(where: Where) -> tuple[Filter, ...]:
    return (where,) if isinstance(where, Filter) else where
