"""Checks 1 and 2: build again without the future, compare every bit, and find out why a feature changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from staypower.auditing.hiding import Hidden, Hiding, Place, hide_future, places_of
from staypower.auditing.report import Built, Case, Check, Rebuilt, rebuild
from staypower.cutoffs import DAY, HOUR, text_of
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.results.numbers import plural
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["travel_by_arrival", "travel_in_time"]

_HIDINGS: tuple[Hiding, ...] = ("deleted", "scrambled")
_NAMED = 8
_DATES = 5
_SHOWN = 3
_EXAMPLES = 12
_REACHES = MappingProxyType(
    {
        1: "exactly at the cutoff: `<=` is used instead of `<`",
        HOUR: "up to an hour after the cutoff",
        **{days * DAY: f"up to {days} day{'' if days == 1 else 's'} after the cutoff" for days in (1, 2, 3, 5, 7, 14, 30, 90)},
    }
)


@dataclass(frozen=True)
class _Trip:
    """One comparison: what was hidden at a cutoff, and what changed."""

    cutoff: int
    how: Hiding
    rows: int
    values: int
    accounts: int
    features: tuple[tuple[str, int], ...]
    statuses: int
    causes: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        return bool(self.features or self.statuses)

    def to_dict(self) -> dict[str, Any]:
        return {
            "cutoff": text_of(self.cutoff),
            "manner": self.how,
            "rows": self.rows,
            "values": self.values,
            "accounts": self.accounts,
            "features_that_differ": dict(self.features),
            "statuses_that_differ": self.statuses,
            "causes": list(self.causes),
        }


def travel_in_time(case: Case) -> Check:
    """Delete, then scramble, everything at or after a cutoff and everything filled in later: nothing may change."""
    return _travel(case, "time travel", arrival=False)


def travel_by_arrival(case: Case) -> Check:
    """Do the same to rows that arrived at or after the cutoff, whenever they happened."""
    names = [name for name, table in case.tables.items() if table.has("known_at")]
    if not names:
        return Check("arrival", "not applicable", ("no table has `known_at`: rows are assumed known at their own time",))
    others = [name for name in case.tables if name not in names]
    more = [f"tables without `known_at`, assumed known at their own time: {', '.join(others)}"] if others else []
    return _travel(case, "arrival", arrival=True, more=more)


def _travel(case: Case, name: str, *, arrival: bool, more: Sequence[str] = ()) -> Check:
    catalogue = _declare(case, case.tables)
    cutoffs = case.audited_cutoffs
    whole = rebuild(case, case.tables, catalogue, every=case.dataset.plan.all, wanted=cutoffs)
    trips = list(_trips(case, catalogue, whole, arrival))
    learned = _learned_differently(case, catalogue, arrival)
    failed = bool(learned) or any(trip.differs for trip in trips)
    evidence = [_summary(trips, cutoffs, arrival)]
    if failed:
        evidence += [line for trip in trips if trip.differs for line in _describe(trip)]
    else:
        evidence.append(_agreement(case, catalogue, trips))
    evidence += learned
    details = {"trips": [trip.to_dict() for trip in trips], "features": len(catalogue.names), "learned": list(learned)}
    return Check(name, "failed" if failed else "passed", (*evidence, *more), details)


def _declare(case: Case, tables: Tables) -> Catalogue:
    return declare(tables, case.features, cutoff=case.dataset.plan.trained_until, hidden=case.hidden)


def _trips(case: Case, catalogue: Catalogue, whole: Rebuilt, arrival: bool) -> Iterator[_Trip]:
    """Make every trip; causes are looked for once for each kind of hiding, since that takes many rebuilds."""
    explained: set[Hiding] = set()
    for cutoff in map(int, whole.cutoffs):
        reference, alone = whole.at(cutoff), np.array([cutoff], dtype=np.int64)
        for how in _HIDINGS:
            hidden = hide_future(case.tables, cutoff, how=how, arrival=arrival, seed=case.seed)
            again = rebuild(case, hidden.tables, catalogue, every=alone, wanted=alone).at(cutoff)
            features, statuses = reference.differences(again)
            causes: tuple[str, ...] = ()
            if (features or statuses) and how not in explained:
                explained.add(how)
                causes = _name_causes(case, catalogue, reference, cutoff, how, features, statuses=statuses, arrival=arrival)
            yield _Trip(cutoff, how, _count(hidden), hidden.values, len(again.accounts), features, statuses, causes)


def _count(hidden: Hidden) -> int:
    return sum(hidden.rows.values())


def _learned_differently(case: Case, catalogue: Catalogue, arrival: bool) -> list[str]:
    """Say which learned definitions change when what came after the last training cutoff is hidden."""
    until = case.dataset.plan.trained_until
    found = []
    for how in _HIDINGS:
        hidden = hide_future(case.tables, until, how=how, arrival=arrival, seed=case.seed)
        again = _declare(case, hidden.tables)
        names = sorted(set(catalogue.names) ^ set(again.names))
        codes = [name for name in catalogue.codes if dict(catalogue.codes[name]) != dict(again.codes.get(name, {}))]
        if names or codes:
            words = [f"features {_listed(names)}"] if names else []
            words += [f"codes of {_listed(codes)}"] if codes else []
            what = "arrived" if arrival else "came"
            found.append(
                f"definitions change when what {what} at or after {text_of(until)} is {how}: {' and '.join(words)}; "
                "they must be learned from what was known by then"
            )
    return found


def _summary(trips: Sequence[_Trip], cutoffs: NDArray[np.int64], arrival: bool) -> str:
    deleted = [trip for trip in trips if trip.how == "deleted"]
    rows, values = sum(trip.rows for trip in deleted), sum(trip.values for trip in deleted)
    when = ", ".join(text_of(int(cutoff)) for cutoff in cutoffs)
    if len(cutoffs) > _DATES:
        when = f"{text_of(int(cutoffs[0]))} to {text_of(int(cutoffs[-1]))}"
    number = plural(len(cutoffs), "cutoff")
    if arrival:
        return f"at {number} ({when}): {rows:,} rows that arrived at or after it deleted, then scrambled"
    return (
        f"at {number} ({when}): {rows:,} later rows, and {values:,} values not yet known in the remaining rows, deleted, "
        "then scrambled"
    )


def _agreement(case: Case, catalogue: Catalogue, trips: Sequence[_Trip]) -> str:
    compared = sum(trip.accounts for trip in trips)
    until = text_of(case.dataset.plan.trained_until)
    return (
        f"{len(catalogue.names)} features and the status of accounts, {compared:,} rows rebuilt: identical to those from the "
        f"full tables, as are the definitions learned at {until}"
    )


def _describe(trip: _Trip) -> Iterator[str]:
    when = f"{text_of(trip.cutoff)}, {trip.how}"
    if trip.features:
        more = len(trip.features) - _NAMED
        named = ", ".join(f"`{name}` ({count:,} accounts)" for name, count in trip.features[:_NAMED])
        rest = f" and {more} more" if more > 0 else ""
        yield f"{when}: {plural(len(trip.features), 'feature')} changed: {named}{rest}"
    if trip.statuses:
        yield f"{when}: the status of {plural(trip.statuses, 'account')} changed"
    for cause in trip.causes:
        yield f"likely cause: {cause}"


def _listed(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(f"`{name}`" for name in names[:_NAMED]) + rest


def _name_causes(
    case: Case,
    catalogue: Catalogue,
    reference: Built,
    cutoff: int,
    how: Hiding,
    features: Sequence[tuple[str, int]],
    *,
    statuses: int,
    arrival: bool,
) -> tuple[str, ...]:
    """Name what makes features or statuses change: hide one thing at a time, and less and less of it."""
    single = replace(case, threads=1)
    alone = np.array([cutoff], dtype=np.int64)
    shown = catalogue.only(_examples(catalogue, [name for name, _ in features]))

    def differ(place: Place, at: int, looked_at: Catalogue = shown) -> list[str]:
        hidden = hide_future(case.tables, at, how=how, arrival=arrival, only=place, seed=case.seed)
        again = rebuild(single, hidden.tables, looked_at, every=alone, wanted=alone).at(cutoff)
        changed, moved = reference.differences(again)
        return ["the status"] * bool(moved and statuses) + [name for name, _ in changed]

    found = []
    for place in places_of(case.tables, arrival=arrival):
        changed = differ(place, cutoff)
        if changed:
            few = catalogue.only(changed[:_SHOWN])
            reach = _reach(lambda shift, place=place, few=few: bool(differ(place, cutoff + shift, few)))  # type: ignore[misc]
            found.append(f"{_subject(changed, 'read' if place.column else 'see')} {_what(place, reach, arrival)}")
    return tuple(found) or ("no single table or column explains it, only several together",)


def _examples(catalogue: Catalogue, names: Sequence[str]) -> list[str]:
    """Choose a few of the features of each table: every place that matters changes some of them."""
    taken: dict[str, list[str]] = {}
    for name in names:
        taken.setdefault(catalogue[name].table, []).append(name)
    return [name for found in taken.values() for name in found[:_EXAMPLES]]


def _subject(changed: Sequence[str], verb: str) -> str:
    named = ", ".join(name if name == "the status" else f"`{name}`" for name in changed[:_SHOWN])
    if len(changed) == 1:
        return f"{named} {verb}s"
    return f"{named}{' and others' if len(changed) > _SHOWN else ''} {verb}"


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
