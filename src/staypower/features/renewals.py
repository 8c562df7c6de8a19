"""When contracts renew: the calendar arithmetic, for every contract and every cutoff.

A contract renews every so many calendar months, counted from one date so that days do not drift: a contract from 31 January
renews on 28 February and on 31 March. A date that is given instead of counted is the next renewal until it has passed; from
then on it is counted from. All arithmetic is in UTC.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from staypower.compiled import jit
from staypower.features.kernel import MISSING_AMOUNT, SCALE

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RENEWALS", "add_months", "as_contracts", "days_of_month", "of_renewals"]

_DAY = 86_400_000_000
_SECOND = 1_000_000
_NONE = int(np.iinfo(np.int64).min)
_MOST_MONTHS = 1_200
# weights are compared to a millionth of the largest, so that no order of adding changes a mean
_FINEST = 1 << 20
BASE, START, MONTHS, AIM, WEIGHT = range(5)
NEXT, SINCE, ELAPSED, WEIGHTED, DUE, AMOUNT = range(6)
RENEWALS = {
    "days_to_renewal": NEXT,
    "days_since_renewal": SINCE,
    "share_of_term": ELAPSED,
    "days_to_renewal_weighted": WEIGHTED,
    "renewals_due": DUE,
    "amount_due": AMOUNT,
}


def as_contracts(
    base: NDArray[np.int64],
    start: NDArray[np.int64],
    months: NDArray[np.float64],
    aim: NDArray[np.float64],
    weight: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Put together what the kernel reads of each contract; months that are no whole number of at least 1 become 0."""
    whole = (months >= 1) & (months <= _MOST_MONTHS) & (months == np.floor(months))
    columns = base, start, np.where(whole, months, 0), np.nan_to_num(aim, nan=1.0), weight
    return np.column_stack([column.astype(np.int64) for column in columns])


def days_of_month(instants: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the day of the month of each instant, and how many days its month has.

    >>> [days.tolist() for days in days_of_month(np.array([0, 58 * _DAY]))]
    [[1, 28], [31, 28]]
    """
    days = instants.astype("M8[us]").astype("M8[D]")
    month = days.astype("M8[M]")
    first = month.astype("M8[D]")
    length = (month + 1).astype("M8[D]") - first
    return (days - first).astype(np.int64) + 1, length.astype(np.int64)


@jit
def _month_of(day):  # type: ignore[no-untyped-def]
    """Return the month of a day, as months since 0000-03, and the day's position in it from 0 (Hinnant's civil calendar)."""
    shifted = day + 719_468
    era = shifted // 146_097
    of_era = shifted - era * 146_097
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    return (era * 400 + year) * 12 + month, of_year - (153 * month + 2) // 5


@jit
def _first_day(month):  # type: ignore[no-untyped-def]
    """Return the first day of a month, the inverse of `_month_of`."""
    year = month // 12
    era = year // 400
    of_era = year - era * 400
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + (153 * (month - year * 12) + 2) // 5 - 719_468


@jit
def add_months(instant, months, aim):  # type: ignore[no-untyped-def]
    """Move an instant by calendar months to a day of the month, or to the month's last day when it is shorter.

    >>> add_months(30 * _DAY + 5, 1, 31) == 58 * _DAY + 5
    True
    """
    day = instant // _DAY
    month, _ = _month_of(day)
    first = _first_day(month + months)
    last = _first_day(month + months + 1) - 1
    return min(first + aim - 1, last) * _DAY + (instant - day * _DAY)


@jit
def _next_of(contract, now):  # type: ignore[no-untyped-def]
    """Return the first renewal that is not before `now`, the one before it (or the start), and the last one before `now`."""
    base = contract[BASE]
    start = contract[START]
    months = contract[MONTHS]
    aim = contract[AIM]
    if base == _NONE:
        return _NONE, _NONE, _NONE
    if months == 0:
        known = base if base != start else _NONE
        return known, _NONE, known if known < now else _NONE
    if base != start and base >= now:
        steps = 0
    else:
        steps = max(1, (_month_of(now // _DAY)[0] - _month_of(base // _DAY)[0]) // months)
        while add_months(base, steps * months, aim) < now:
            steps += 1
    # a date that is given is itself a renewal, a start is none
    following = base if steps == 0 else add_months(base, steps * months, aim)
    before = base if steps == 1 else add_months(base, (steps - 1) * months, aim)
    before = max(before, start)
    return following, before, before if start < before < now else _NONE


@jit
def of_renewals(operation, high, low, now, position, contracts, ahead, empty, target):  # type: ignore[no-untyped-def]
    """Compute one of `RENEWALS` from the contracts that run at each cutoff."""
    for pair in range(len(target)):
        begin = low[pair]
        end = high[pair]
        if operation == WEIGHTED:
            target[pair] = _weighted(begin, end, now[pair], position, contracts, empty)
        elif operation >= DUE:
            target[pair] = _due(operation, begin, end, now[pair], position, contracts, ahead)
        else:
            target[pair] = _nearest(operation, begin, end, now[pair], position, contracts, empty)


@jit
def _nearest(operation, begin, end, now, position, contracts, empty):  # type: ignore[no-untyped-def]
    nearest = _NONE
    before = _NONE
    last = _NONE
    for j in range(begin, end):
        following, earlier, renewed = _next_of(contracts[position[j]], now)
        last = max(last, renewed)
        if following == _NONE:
            continue
        # one to come is nearer than one that has passed without a successor
        nearer = nearest == _NONE or (following >= now) > (nearest >= now)
        nearer |= (following >= now) == (nearest >= now) and following < nearest
        if nearer:
            nearest = following
            before = earlier
        elif following == nearest and earlier != _NONE:
            before = earlier if before == _NONE else min(before, earlier)
    if operation == SINCE:
        return empty if last == _NONE else (now - last) / _DAY
    if operation == NEXT:
        return empty if nearest == _NONE else (nearest - now) / _DAY
    if before == _NONE or nearest < now:
        return empty
    return max(now - before, 0) / (nearest - before)


@jit
def _weighted(begin, end, now, position, contracts, empty):  # type: ignore[no-untyped-def]
    largest = 0
    for j in range(begin, end):
        contract = contracts[position[j]]
        if contract[WEIGHT] != MISSING_AMOUNT and _next_of(contract, now)[0] >= now:
            largest = max(largest, contract[WEIGHT])
    if largest == 0:
        return empty
    total = 0
    seconds = 0
    for j in range(begin, end):
        contract = contracts[position[j]]
        following = _next_of(contract, now)[0]
        if contract[WEIGHT] != MISSING_AMOUNT and following >= now:
            weight = math.floor(contract[WEIGHT] / largest * _FINEST)
            total += weight
            seconds += weight * ((following - now) // _SECOND)
    return seconds / total / (_DAY // _SECOND)


@jit
def _due(operation, begin, end, now, position, contracts, ahead):  # type: ignore[no-untyped-def]
    found = 0
    for j in range(begin, end):
        contract = contracts[position[j]]
        following = _next_of(contract, now)[0]
        if following >= now and following < now + ahead * _DAY:
            if operation == DUE:
                found += 1
            elif contract[WEIGHT] != MISSING_AMOUNT:
                found += contract[WEIGHT]
    return found / SCALE if operation == AMOUNT else float(found)
