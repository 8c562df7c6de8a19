"""Why a feature changed: found by hiding one thing at a time, and by hiding less and less of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from staypower.auditing.case import Case
from staypower.auditing.hiding import Manner, Place, hide_future, places_of
from staypower.auditing.rebuilding import Built, rebuild
from staypower.cutoffs import DAY, HOUR
from staypower.features.catalogue import Catalogue

__all__ = ["name_causes"]

_NAMED = 3
_EXAMPLES = 12
_REACHES = MappingProxyType(
    {
        1: "exactly at the cutoff: `<=` stands where `<` belongs",
        HOUR: "up to an hour after the cutoff",
        **{days * DAY: f"up to {days} day{'' if days == 1 else 's'} after the cutoff" for days in (1, 2, 3, 5, 7, 14, 30, 90)},
    }
)


def name_causes(
    case: Case,
    catalogue: Catalogue,
    reference: Built,
    cutoff: int,
    manner: Manner,
    features: Sequence[tuple[str, int]],
    *,
    statuses: int,
    arrival: bool,
) -> tuple[str, ...]:
    """Name what makes features or statuses differ."""
    asked = replace(case, threads=1)
    alone = np.array([cutoff], dtype=np.int64)
    shown = catalogue.only(_examples(catalogue, [name for name, _ in features]))

    def differ(place: Place, at: int, looked_at: Catalogue = shown) -> list[str]:
        hidden = hide_future(case.tables, at, manner=manner, arrival=arrival, only=place, seed=case.seed)
        again = rebuild(asked, hidden.tables, looked_at, every=alone, wanted=alone).at(cutoff)
        changed, moved = reference.differences(again)
        return ["the status"] * bool(moved and statuses) + [name for name, _ in changed]

    found = []
    for place in places_of(case.tables, arrival=arrival):
        changed = differ(place, cutoff)
        if changed:
            few = catalogue.only(changed[:_NAMED])
            reach = _reach(lambda shift, place=place, few=few: bool(differ(place, cutoff + shift, few)))  # type: ignore[misc]
            found.append(f"{_subject(changed, 'read' if place.column else 'see')} {_what(place, reach, arrival)}")
    return tuple(found) or ("only together do later rows and values make a difference",)


def _examples(catalogue: Catalogue, names: Sequence[str]) -> list[str]:
    """Choose a few of the features of each table: every place that matters changes some of them."""
    taken: dict[str, list[str]] = {}
    for name in names:
        taken.setdefault(catalogue[name].table, []).append(name)
    return [name for found in taken.values() for name in found[:_EXAMPLES]]


def _subject(changed: Sequence[str], verb: str) -> str:
    named = ", ".join(name if name == "the status" else f"`{name}`" for name in changed[:_NAMED])
    if len(changed) == 1:
        return f"{named} {verb}s"
    return f"{named}{' and others' if len(changed) > _NAMED else ''} {verb}"


def _reach(still: Callable[[int], bool]) -> str:
    """Say how far after the cutoff what is seen lies: the shortest shift of it from which on nothing differs."""
    words = ""
    for shift, phrase in reversed(list(_REACHES.items())):
        if still(shift):
            return words
        words = phrase
    return words


def _what(place: Place, reach: str, arrival: bool) -> str:
    if arrival:
        return f"rows of `{place.table}` before they arrived, {reach or 'however late they arrive'}"
    if place.column:
        return f"`{place.table}.{place.column}` before it is known, {reach or 'however late it is filled in'}"
    return f"rows of `{place.table}` {reach or 'however long after the cutoff: made from the whole table'}"
