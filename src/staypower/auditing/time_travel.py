"""Checks 1 and 2: build again without the future, and compare every bit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from staypower.auditing.case import Case
from staypower.auditing.causes import name_causes
from staypower.auditing.hiding import Hidden, Manner, hide_future
from staypower.auditing.rebuilding import Rebuilt, rebuild
from staypower.auditing.report import Check
from staypower.cutoffs import text_of
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["travel_by_arrival", "travel_in_time"]

_MANNERS: tuple[Manner, ...] = ("deleted", "scrambled")
_NAMED = 8
_DATES = 5


@dataclass(frozen=True)
class _Trip:
    """One comparison: what was hidden at a cutoff, and what changed."""

    cutoff: int
    manner: Manner
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
            "manner": self.manner,
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
        return Check("arrival", "not applicable", ("no table has `known_at`: rows are taken as known at their own time",))
    others = [name for name in case.tables if name not in names]
    said = [f"tables without `known_at`, taken as known at their own time: {', '.join(others)}"] if others else []
    return _travel(case, "arrival", arrival=True, said=said)


def _travel(case: Case, name: str, *, arrival: bool, said: Sequence[str] = ()) -> Check:
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
    return Check(name, "failed" if failed else "passed", (*evidence, *said), details)


def _declare(case: Case, tables: Tables) -> Catalogue:
    return declare(tables, case.features, cutoff=case.dataset.plan.trained_until, hidden=case.hidden)


def _trips(case: Case, catalogue: Catalogue, whole: Rebuilt, arrival: bool) -> Iterator[_Trip]:
    """Make every trip; causes are looked for once for each manner, since that takes many buildings."""
    explained: set[Manner] = set()
    for cutoff in map(int, whole.cutoffs):
        reference, alone = whole.at(cutoff), np.array([cutoff], dtype=np.int64)
        for manner in _MANNERS:
            hidden = hide_future(case.tables, cutoff, manner=manner, arrival=arrival, seed=case.seed)
            again = rebuild(case, hidden.tables, catalogue, every=alone, wanted=alone).at(cutoff)
            features, statuses = reference.differences(again)
            causes: tuple[str, ...] = ()
            if (features or statuses) and manner not in explained:
                explained.add(manner)
                causes = name_causes(case, catalogue, reference, cutoff, manner, features, statuses=statuses, arrival=arrival)
            yield _Trip(cutoff, manner, _count(hidden), hidden.values, len(again.accounts), features, statuses, causes)


def _count(hidden: Hidden) -> int:
    return sum(hidden.rows.values())


def _learned_differently(case: Case, catalogue: Catalogue, arrival: bool) -> list[str]:
    """Say which learned definitions change when what came after the last learning cutoff is hidden."""
    until = case.dataset.plan.trained_until
    found = []
    for manner in _MANNERS:
        hidden = hide_future(case.tables, until, manner=manner, arrival=arrival, seed=case.seed)
        again = _declare(case, hidden.tables)
        names = sorted(set(catalogue.names) ^ set(again.names))
        codes = [name for name in catalogue.codes if dict(catalogue.codes[name]) != dict(again.codes.get(name, {}))]
        if names or codes:
            words = [f"features {_listed(names)}"] if names else []
            words += [f"codes of {_listed(codes)}"] if codes else []
            what = "arrived" if arrival else "came"
            found.append(
                f"learned otherwise when what {what} at or after {text_of(until)} is {manner}: {' and '.join(words)}; "
                "definitions must be learned from what was known by then"
            )
    return found


def _summary(trips: Sequence[_Trip], cutoffs: NDArray[np.int64], arrival: bool) -> str:
    deleted = [trip for trip in trips if trip.manner == "deleted"]
    rows, values = sum(trip.rows for trip in deleted), sum(trip.values for trip in deleted)
    when = ", ".join(text_of(int(cutoff)) for cutoff in cutoffs)
    if len(cutoffs) > _DATES:
        when = f"{text_of(int(cutoffs[0]))} to {text_of(int(cutoffs[-1]))}"
    number = f"{len(cutoffs)} cutoff{'' if len(cutoffs) == 1 else 's'}"
    if arrival:
        return f"at {number} ({when}): {rows:,} rows that arrived at or after it deleted, then scrambled"
    return (
        f"at {number} ({when}): {rows:,} later rows, and {values:,} values not known yet in rows that stay, deleted, "
        "then scrambled"
    )


def _agreement(case: Case, catalogue: Catalogue, trips: Sequence[_Trip]) -> str:
    compared = sum(trip.accounts for trip in trips)
    until = text_of(case.dataset.plan.trained_until)
    return (
        f"{len(catalogue.names)} features and the status of accounts, {compared:,} rows rebuilt: every bit the same as from "
        f"the whole tables; so are the definitions learned at {until}"
    )


def _describe(trip: _Trip) -> Iterator[str]:
    when = f"{text_of(trip.cutoff)}, {trip.manner}"
    if trip.features:
        more = len(trip.features) - _NAMED
        named = ", ".join(f"`{name}` ({count:,} accounts)" for name, count in trip.features[:_NAMED])
        rest = f" and {more} more" if more > 0 else ""
        yield f"{when}: {len(trip.features)} feature{'' if len(trip.features) == 1 else 's'} differ: {named}{rest}"
    if trip.statuses:
        yield f"{when}: the status of {trip.statuses:,} accounts differs"
    for cause in trip.causes:
        yield f"likely cause: {cause}"


def _listed(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(f"`{name}`" for name in names[:_NAMED]) + rest
