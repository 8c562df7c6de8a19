"""How long billing periods are: what their words say, and the rhythm of an account's payments."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.compiled import jit
from staypower.cutoffs import DAY, MISSING
from staypower.features.streams.columns import arrivals, in_order
from staypower.spells import number_accounts, read_versions
from staypower.tables import Table, numbered

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PERIODS", "months_of", "months_said", "monthly_amounts", "received", "rhythms_of"]

PERIODS = MappingProxyType({1: "monthly", 2: "every 2 months", 3: "quarterly", 6: "semiannual", 12: "annual", 24: "biennial"})
_WORDS = MappingProxyType(
    {
        **dict.fromkeys(("monthly", "month", "permonth", "everymonth", "eachmonth", "monthtomonth", "mo", "mth", "m"), 1),
        **dict.fromkeys(("bimonthly",), 2),
        **dict.fromkeys(("quarterly", "quarter", "perquarter", "everyquarter", "qtr", "q"), 3),
        **dict.fromkeys(("semiannual", "semiannually", "halfyearly", "halfyear", "biannual", "biannually", "semester"), 6),
        **dict.fromkeys(("annual", "annually", "yearly", "year", "peryear", "everyyear", "perannum", "pa", "yr", "y", "a"), 12),
        **dict.fromkeys(("biennial", "biennially", "twoyearly"), 24),
        **dict.fromkeys(("triennial", "triennially"), 36),
    }
)
_NUMBERS = MappingProxyType({"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "twelve": 12})
_COUNTED = re.compile(
    r"(?:per|every)?p?(\d+|one|two|three|four|five|six|twelve)(m|mo|mth|month|q|qtr|quarter|y|yr|year)(?:s|ly)?"
)
_UNITS = MappingProxyType({"m": 1, "q": 3, "y": 12})
# payments this many days apart or less are of one period: retries, and several invoices of one month
_ONE_PERIOD = 20
# the months that lie between two payments whose days apart lie in each range
_RANGES = ((24, 38, 1), (54, 68, 2), (82, 100, 3), (170, 196, 6), (350, 381, 12), (715, 747, 24))


def months_of(period: str | None) -> int:
    """Read how many months a billing period has, 0 where the words do not say.

    >>> [months_of(text) for text in ("Monthly", "semi-annual", "2 years", "P3M", "One year", "weekly", None)]
    [1, 6, 24, 3, 12, 0, 0]
    """
    plain = re.sub(r"[\W_]+", "", period or "").casefold()
    if plain in _WORDS:
        return _WORDS[plain]
    found = _COUNTED.fullmatch(plain)
    if found is None or not (found[1].isdigit() or found[1] in _NUMBERS):
        return 0
    number = _NUMBERS[found[1]] if found[1] in _NUMBERS else int(found[1])
    return number * _UNITS[found[2][0]]


def months_said(table: Table) -> NDArray[np.float64]:
    """Return how many months the billing period of each row has, missing where its words do not say."""
    numbers, words = numbered(table.data.column("billing_period"))
    months = np.array([*(float(months_of(word)) for word in words.to_pylist()), 0.0])[numbers]
    return np.where(months > 0, months, np.nan)


def received(payments: Table) -> NDArray[np.bool_]:
    """Say which payments went through, refunded ones included; without a status all did."""
    if not payments.has("status"):
        return np.ones(len(payments), dtype=np.bool_)
    through = pc.is_in(
        payments.data.column("status").combine_chunks().cast(pa.string()), value_set=pa.array(["paid", "refunded"])
    )
    return np.asarray(pc.fill_null(through, False).to_numpy(zero_copy_only=False), dtype=bool)


def rhythms_of(payments: Table, accounts: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return how many months lay between payments: account, the instant from which that is known, and the months."""
    rows, account, arrived = _in_order_of_arrival(payments, accounts)
    found, _ = _followed(payments, rows, account)
    new = found != np.where(np.diff(account, prepend=-1) == 0, np.roll(found, 1), 0)
    return account[new], arrived[new], found[new].astype(np.float64)


def monthly_amounts(payments: Table, subscriptions: Table | None) -> NDArray[np.float64]:
    """Return what was paid per month, as known when each payment arrived: by a contract's billing period, or by the rhythm."""
    accounts = pc.unique(payments.data.column("account_id")).to_pylist()
    rows, account, arrived = _in_order_of_arrival(payments, accounts)
    rhythm, paid = _followed(payments, rows, account)
    months = np.where(rhythm > 0, rhythm, np.nan)
    if subscriptions is not None and subscriptions.has("billing_period"):
        versions = read_versions(subscriptions, accounts)
        versions = versions.take(np.lexsort((versions.started, versions.known, versions.account)))
        found = latest_before(versions.account, versions.known, account, arrived)
        said = np.append(months_said(subscriptions)[versions.row], np.nan)[found]
        months = np.where(np.isnan(said), months, said)
    # payments of one instant are one
    moments = np.column_stack([account, arrived, payments.instants("at")[rows]])
    closes = np.append((np.diff(moments, axis=0) != 0).any(axis=1), True)[: len(rows)]
    last = np.flatnonzero(closes)[np.searchsorted(np.flatnonzero(closes), np.arange(len(rows)))]
    made = np.full(len(payments), np.nan)
    made[rows] = (paid / months)[last]
    return made


def _in_order_of_arrival(
    payments: Table, accounts: list[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the payments that went through, by account in the order in which they arrived, their accounts and arrivals."""
    at = payments.instants("at")
    arrived = arrivals(payments, at)
    account = number_accounts(payments, accounts)
    counted = received(payments) & (arrived != MISSING) & (account >= 0)
    amount = payments.numbers("amount") if payments.has("amount") else np.ones(len(payments))
    rows = np.flatnonzero(counted & ~(amount <= 0.0))
    rows = rows[in_order(account[rows], arrived[rows], amount[rows], at[rows])]
    return rows, account[rows], arrived[rows]


def _followed(
    payments: Table, rows: NDArray[np.int64], account: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    amount = payments.numbers("amount")[rows] if payments.has("amount") else np.full(len(rows), np.nan)
    found, paid = np.zeros(len(rows), dtype=np.int64), np.empty(len(rows))
    follow_payments(account, payments.instants("at")[rows], amount, found, paid)
    return found, paid


@jit
def follow_payments(account, at, amount, found, paid):  # type: ignore[no-untyped-def]
    """Find after each payment how many months lie between payments, and what was paid in its period so far.

    The months are those that two gaps in a row last agreed on, before that those of the first gap that has any. A payment that
    arrives after a later one is of no period.

    >>> found, paid, amount = np.zeros(4, dtype=np.int64), np.zeros(4), np.ones(4)
    >>> follow_payments(np.zeros(4, dtype=np.int64), np.array([0, 31, 35, 61]) * DAY, amount, found, paid)
    >>> found.tolist(), paid.tolist()
    ([0, 1, 1, 1], [1.0, 1.0, 2.0, 1.0])
    """
    last = 0
    before = 0
    rhythm = 0
    total = 0.0
    for row in range(len(account)):
        if row == 0 or account[row] != account[row - 1]:
            last = at[row]
            before = 0
            rhythm = 0
            total = amount[row]
            paid[row] = total
            continue
        days = (at[row] - last) // DAY
        if days > _ONE_PERIOD:
            months = 0
            for least, most, named in _RANGES:
                if least <= days <= most:
                    months = named
            if months > 0 and (rhythm == 0 or months == before):
                rhythm = months
            before = months
            last = at[row]
            total = 0.0
        if days >= 0:
            total += amount[row]
        paid[row] = total
        found[row] = rhythm


def latest_before(
    owner: NDArray[np.int64], since: NDArray[np.int64], account: NDArray[np.int64], at: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Find the last entry of an account that is not later than an instant, -1 for none; entries are sorted by both.

    >>> latest_before(np.array([0, 0, 1]), np.array([3, 9, 5]), np.array([0, 1, 0]), np.array([9, 4, 2])).tolist()
    [1, -1, -1]
    """
    instants = np.unique(np.concatenate([since, at]))
    place = owner * len(instants) + np.searchsorted(instants, since)
    found = np.searchsorted(place, account * len(instants) + np.searchsorted(instants, at), side="right") - 1
    return np.where((found >= 0) & (np.append(owner, -1)[found] == account), found, -1)
