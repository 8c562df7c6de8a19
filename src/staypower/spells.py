"""Spells: the unbroken stretches during which an account was a customer.

A subscription may be written in several rows, its *versions*: same `subscription_id`, growing `valid_from`. The last version
known decides, and a blank end in it means that the subscription runs on. An account is a customer on the union of its
subscriptions `[started_at, ended_at)`; holes of at most `grace` days are closed, so that a plan switch, a late renewal or
the end of one of several products is no end of the spell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import DAY, MISSING, before
from staypower.tables import Table, numbered

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NEVER = int(np.iinfo(np.int64).max)


def number_accounts(table: Table, accounts: Sequence[str]) -> NDArray[np.int64]:
    """Say at which position of a list of accounts each row's account stands.

    >>> import pyarrow as pa
    >>> from staypower.schemas import SCHEMAS
    >>> number_accounts(Table(SCHEMAS["usage"], pa.table({"account_id": ["b", "x", "a"]})), ["a", "b"]).tolist()
    [1, -1, 0]
    """
    numbers, words = numbered(table.data.column("account_id"))
    found = pc.fill_null(pc.index_in(words, value_set=pa.array(accounts, type=words.type)), -1)
    return np.append(np.asarray(found, dtype=np.int64), -1)[numbers]


def instants_or_missing(table: Table, column: str) -> NDArray[np.int64]:
    """Return the instants of a time column, all `MISSING` when the table has no such column.

    >>> import pyarrow as pa
    >>> from staypower.schemas import SCHEMAS
    >>> usage = Table(SCHEMAS["usage"], pa.table({"account_id": ["a"]}))
    >>> instants_or_missing(usage, "known_at").tolist() == [MISSING]
    True
    """
    return table.instants(column) if table.has(column) else np.full(len(table), MISSING, dtype=np.int64)


@dataclass(frozen=True)
class SubscriptionVersions:
    """The rows of `subscriptions` as versions, sorted by account, subscription and `valid_from`.

    >>> import pyarrow as pa
    >>> from staypower.schemas import SCHEMAS
    >>> rows = pa.table({"account_id": ["a"], "started_at": pa.array([5], pa.timestamp("us", "UTC"))})
    >>> read_versions(Table(SCHEMAS["subscriptions"], rows), ["a"]).known.tolist()
    [5]
    """

    row: NDArray[np.int64]  # shape (n,): Position in the table
    account: NDArray[np.int64]  # shape (n,): Position in the list of accounts
    subscription: NDArray[np.int64]  # shape (n,): Number of the subscription, ascending; equal for the versions of one
    # shape (n,): instants, `MISSING` when blank
    started: NDArray[np.int64]
    ended: NDArray[np.int64]
    notice: NDArray[np.int64]  # of the cancellation
    known: NDArray[np.int64]  # from which the version is known; never missing

    def __len__(self) -> int:
        return len(self.row)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> SubscriptionVersions:
        """Return the versions at these positions, or where the mask holds."""
        return SubscriptionVersions(*(getattr(self, each.name)[chosen] for each in fields(self)))


def read_versions(subscriptions: Table, accounts: Sequence[str], *, observed_until: int | None = None) -> SubscriptionVersions:
    """Read the versions of every subscription.

    A version is known from the latest of `started_at`, `valid_from` and `known_at`. Rows without a `subscription_id` are
    subscriptions of their own; in a table with `valid_from`, those that agree in account, product and start are one.

    >>> import pyarrow as pa
    >>> from staypower.schemas import SCHEMAS
    >>> time = lambda *values: pa.array(values, pa.timestamp("us", "UTC"))
    >>> rows = {"account_id": ["a", "a"], "subscription_id": ["s", "s"], "started_at": time(1, 1), "valid_from": time(9, 1)}
    >>> read_versions(Table(SCHEMAS["subscriptions"], pa.table(rows)), ["a"]).row.tolist()
    [1, 0]
    """
    account = number_accounts(subscriptions, accounts)
    started = subscriptions.instants("started_at")
    valid_from = instants_or_missing(subscriptions, "valid_from")
    ended = instants_or_missing(subscriptions, "ended_at")
    notice = instants_or_missing(subscriptions, "cancel_requested_at")
    known = np.maximum(np.maximum(started, valid_from), instants_or_missing(subscriptions, "known_at"))
    keep = (account >= 0) & (started != MISSING)
    if observed_until is not None:
        keep &= before(known, observed_until)
        ended, notice = (np.where(before(late, observed_until), late, MISSING) for late in (ended, notice))
    rows = np.flatnonzero(keep)
    subscription = _subscription_keys(subscriptions, started)
    order = rows[np.lexsort((rows, known[rows], valid_from[rows], subscription[rows], account[rows]))]
    same = _repeats(account[order], subscription[order])
    first = np.ones(len(order), dtype=bool)
    first[1:] = ~same[1:] | (valid_from[order][1:] != valid_from[order][:-1])
    number = np.cumsum(~same) - 1
    order, number = order[first], number[first]
    return SubscriptionVersions(order, account[order], number, started[order], ended[order], notice[order], known[order])


def _subscription_keys(table: Table, started: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give rows of one subscription the same number (within an account), all others different ones."""
    rows = np.arange(len(table), dtype=np.int64)
    if table.has("valid_from"):
        alike = {"started": started} | ({"product": _codes(table, "product")} if table.has("product") else {})
        rows = np.asarray(pd.DataFrame(alike).groupby(list(alike)).ngroup(), dtype=np.int64)
    if not table.has("subscription_id"):
        return rows
    named = _codes(table, "subscription_id")
    return np.where(named >= 0, named, rows + len(table))


def _codes(table: Table, column: str) -> NDArray[np.int64]:
    """Return a number for each text of a column; -1 where blank."""
    return pd.factorize(pd.Series(_filled(table, column), dtype=object), sort=True)[0].astype(np.int64)


def _repeats(*keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say which rows agree with the row before them in every key."""
    same = np.zeros(len(keys[0]), dtype=bool)
    if len(same):
        same[1:] = np.logical_and.reduce([key[1:] == key[:-1] for key in keys])
    return same


@dataclass(frozen=True)
class Spells:
    """Spells of many accounts, sorted by account and start.

    >>> import pyarrow as pa
    >>> from staypower.schemas import SCHEMAS
    >>> time = lambda *days: pa.array([day * DAY for day in days], pa.timestamp("us", "UTC"))
    >>> rows = pa.table({"account_id": ["a", "a"], "started_at": time(0, 35), "ended_at": time(30, 60)})
    >>> spells = find_spells(Table(SCHEMAS["subscriptions"], rows), grace_days=5)
    >>> len(spells), spells.n_subscriptions.tolist()
    (1, [2])
    """

    accounts: tuple[str, ...]  # the accounts that were asked for
    account: NDArray[np.int64]  # shape (n,): Position in `accounts`
    started: NDArray[np.int64]  # shape (n,): Instant of the first start
    ended: NDArray[np.int64]  # shape (n,): Instant of the last end, `MISSING` while a subscription runs on
    # shape (n,): Reason of the subscription that closed the spell: str, or None when blank or still open
    end_reason: NDArray[np.object_]
    n_subscriptions: NDArray[np.int64]  # shape (n,): Subscriptions in the spell

    def __len__(self) -> int:
        return len(self.account)

    def frame(self) -> pd.DataFrame:
        """Return one row per spell; `ended` is NaT while it runs on."""
        moments = {name: getattr(self, name).view("datetime64[us]") for name in ("started", "ended")}
        columns = {
            "account_id": np.asarray(self.accounts, dtype=object)[self.account],
            **{name: pd.DatetimeIndex(values).tz_localize("UTC") for name, values in moments.items()},
            "end_reason": pd.Series(self.end_reason, dtype=object),
            "n_subscriptions": self.n_subscriptions,
        }
        return pd.DataFrame(columns)


def find_spells(
    subscriptions: Table,
    *,
    grace_days: int,
    accounts: Sequence[str] | None = None,
    observed_until: int | None = None,
) -> Spells:
    """Join the subscriptions of each account into spells.

    When several subscriptions end at the instant that closes a spell, a reason that is written wins over a blank one, then
    the subscription that started last, then the reason later in the alphabet: row order plays no part.

    >>> import pyarrow as pa
    >>> from staypower.schemas import SCHEMAS
    >>> time = lambda *days: pa.array([day * DAY for day in days], pa.timestamp("us", "UTC"))
    >>> rows = pa.table({"account_id": ["a", "a"], "started_at": time(0, 36), "ended_at": time(30, 60)})
    >>> len(find_spells(Table(SCHEMAS["subscriptions"], rows), grace_days=5))
    2
    """
    listed = tuple(sorted(pc.unique(subscriptions.data.column("account_id")).to_pylist()) if accounts is None else accounts)
    reasons = _filled(subscriptions, "end_reason")
    whole = _whole_subscriptions(read_versions(subscriptions, listed, observed_until=observed_until))
    ended = np.where(whole.ended == MISSING, _NEVER, whole.ended)
    real = ended > whole.started
    whole, ended = whole.take(real), ended[real]
    spell, spell_ended = _join(whole.account, whole.started, ended, grace_days * DAY)
    first = np.flatnonzero(~_repeats(spell))
    closing_reason = reasons[whole.row]
    rank = pd.factorize(pd.Series(closing_reason, dtype=object), sort=True)[0]
    closer = np.lexsort((rank, whole.started, rank >= 0, ended, spell))[np.append(first[1:], len(spell))[: len(first)] - 1]
    still_open = spell_ended == _NEVER
    end_reason = closing_reason[closer]
    end_reason[still_open] = None
    return Spells(
        accounts=listed,
        account=whole.account[first],
        started=whole.started[first],
        ended=np.where(still_open, MISSING, spell_ended),
        end_reason=end_reason,
        n_subscriptions=np.diff(np.append(first, len(spell))).astype(np.int64),
    )


def _filled(table: Table, column: str) -> NDArray[np.object_]:
    """Return the texts of a column without outer blanks, None where nothing is written."""
    if not table.has(column):
        return np.full(len(table), None, dtype=object)
    trimmed = pc.utf8_trim_whitespace(table.data.column(column).combine_chunks().cast(pa.string()))
    filled = pc.if_else(pc.equal(trimmed, ""), None, trimmed)
    return np.asarray(filled.to_numpy(zero_copy_only=False), dtype=object)


def _whole_subscriptions(versions: SubscriptionVersions) -> SubscriptionVersions:
    """Collapse versions: the last one, from the first start; sorted by account and start."""
    if not len(versions):
        return versions
    first = np.flatnonzero(~_repeats(versions.subscription))
    last = np.append(first[1:], len(versions)) - 1
    started = np.minimum.reduceat(versions.started, first)
    order = np.lexsort((started, versions.account[last]))
    whole = versions.take(last[order])
    return SubscriptionVersions(
        whole.row, whole.account, whole.subscription, started[order], whole.ended, whole.notice, whole.known
    )


def _join(
    account: NDArray[np.int64], started: NDArray[np.int64], ended: NDArray[np.int64], grace: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the spell's number of each subscription (sorted by account and start), and its end."""
    if not len(account):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    ends, rank = np.unique(ended, return_inverse=True)
    # The running latest end of each account: ranks are lifted by the account's number, so that it restarts at each account.
    base = account * len(ends)
    reached = ends[np.maximum.accumulate(base + rank) - base]
    continues = _repeats(account)
    continues[1:] &= started[1:] - grace <= reached[:-1]
    spell = np.cumsum(~continues, dtype=np.int64)
    last = np.append(np.flatnonzero(~continues)[1:], len(spell)) - 1
    return spell, reached[last]
