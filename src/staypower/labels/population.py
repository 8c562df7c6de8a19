"""The population: what each account is at each cutoff, by what was known before the cutoff and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import ALWAYS, entry, exit_after
from staypower.labels.inputs import Happenings, read_activity, read_churn_dates, read_sign_ups, require_columns
from staypower.labels.runs import count_runs, first_run, from_first, newer_version
from staypower.labels.settings import ContractualLabel, GivenLabel, LabelSettings, NonContractualLabel
from staypower.spells import read_versions
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Population", "Status", "find_population"]


class Status(IntEnum):
    """What an account is at a cutoff; only `SCORED` accounts are learned from.

    >>> Status.NOT_ACTIVE.word
    'not_active'
    """

    SCORED = 0
    NOT_ACTIVE = 1
    NOTICE_GIVEN = 2
    TOO_NEW = 3
    NO_HISTORY = 4
    INVALID = 5

    @property
    def word(self) -> str:
        """The status as outputs write it."""
        return self.name.lower()


@dataclass(frozen=True)
class Population:
    """The status of every account at every cutoff.

    >>> Population(("a",), np.array([0, 1]), np.array([[1, 0]], dtype=np.int8)).pairs()[1].tolist()
    [1]
    """

    accounts: tuple[str, ...]  # every account once, sorted
    cutoffs: NDArray[np.int64]  # shape (k,): Instants, ascending
    status: NDArray[np.int8]  # shape (n_accounts, k): Values of `Status`

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Which accounts are in the population at which cutoff."""
        found: NDArray[np.bool_] = self.status == Status.SCORED
        return found

    @property
    def active(self) -> NDArray[np.bool_]:
        """Which accounts are customers at which cutoff: scored, or left out for notice given or being too new."""
        return np.isin(self.status, [Status.SCORED, Status.NOTICE_GIVEN, Status.TOO_NEW])

    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the positions of account and cutoff of every member, sorted by account and cutoff."""
        account, cutoff = np.nonzero(self.scored)
        return account, cutoff


def find_population(tables: Tables, settings: LabelSettings, cutoffs: NDArray[np.int64]) -> Population:
    """Find what every account is at every cutoff.

    - Contractual: active when a subscription covers the last microsecond before the cutoff, `started_at < cutoff` and not
      `ended_at < cutoff`; notice given when all of these subscriptions have a `cancel_requested_at` before the cutoff;
      invalid when all that is known of the account ends before it starts.
    - Non-contractual: active when a row that counts lies in `[cutoff - activity window, cutoff)`.
    - Given dates: active from sign-up to the first date of churn. Given flag: always active.
    - Too new: both the sign-up and the first row of the label's table are younger than the setting.
    - No history: the label's table says nothing of the account before the cutoff, or it has not signed up.

    >>> import pyarrow as pa
    >>> from staypower.tables import SCHEMAS, Table
    >>> accounts = Table(SCHEMAS["accounts"], pa.table({"account_id": ["b", "a"]}))
    >>> found = find_population(Tables({"accounts": accounts}, 9), GivenLabel(flag="left"), np.array([9]))
    >>> found.accounts, found.status.tolist()
    (('a', 'b'), [[0], [0]])
    """
    cutoffs = np.asarray(cutoffs, dtype=np.int64)
    if (np.diff(cutoffs) <= 0).any():
        raise ValueError("cutoffs must ascend without repeats")
    accounts = tuple(tables.account_ids)
    if isinstance(settings, ContractualLabel):
        status = _contractual(tables, settings, accounts, cutoffs)
    elif isinstance(settings, NonContractualLabel):
        status = _non_contractual(tables, settings, accounts, cutoffs)
    else:
        status = _given(tables, settings, accounts, cutoffs)
    return Population(accounts, cutoffs, status)


def _contractual(
    tables: Tables, settings: ContractualLabel, accounts: Sequence[str], cutoffs: NDArray[np.int64]
) -> NDArray[np.int8]:
    subscriptions = require_columns(tables, "subscriptions", "started_at", "ended_at")
    versions = read_versions(subscriptions, accounts, observed_until=tables.observed_until)
    shape = (len(accounts), len(cutoffs))
    entered = entry(versions.known, cutoffs)
    # A version speaks until a later one is known, or its own end is.
    stop = np.minimum(newer_version(versions.subscription, entered, len(cutoffs)), entry(versions.ended, cutoffs))
    running = count_runs(versions.account, entered, stop, shape)
    warned = count_runs(versions.account, np.maximum(entered, entry(versions.notice, cutoffs)), stop, shape)
    possible = (versions.ended <= ALWAYS) | (versions.ended >= versions.started)
    sane = from_first(first_run(versions.account[possible], entered[possible], shape), shape)
    known = from_first(first_run(versions.account, entered, shape), shape)
    rows = Happenings(versions.account, versions.started, versions.known, possible)
    of_age = _of_age([rows, read_sign_ups(tables, accounts)], settings.too_new, cutoffs, len(accounts))
    status = _status(known, running > 0, of_age | settings.keep_too_new)
    if not settings.keep_notice:
        status[(running > 0) & (warned == running)] = Status.NOTICE_GIVEN
    status[known & ~sane] = Status.INVALID
    return status


def _non_contractual(
    tables: Tables, settings: NonContractualLabel, accounts: Sequence[str], cutoffs: NDArray[np.int64]
) -> NDArray[np.int8]:
    rows = read_activity(tables, settings, accounts)
    shape = (len(accounts), len(cutoffs))
    counting = rows.counting()
    left = exit_after(counting.at, cutoffs, settings.activity_window)
    active = count_runs(counting.account, entry(counting.known, cutoffs), left, shape) > 0
    known = from_first(first_run(rows.account, entry(rows.known, cutoffs), shape), shape)
    of_age = _of_age([rows, read_sign_ups(tables, accounts)], settings.too_new, cutoffs, len(accounts))
    return _status(known, active, of_age | settings.keep_too_new)


def _given(tables: Tables, settings: GivenLabel, accounts: Sequence[str], cutoffs: NDArray[np.int64]) -> NDArray[np.int8]:
    shape = (len(accounts), len(cutoffs))
    sign_ups = read_sign_ups(tables, accounts)
    undated = np.bincount(sign_ups.account, minlength=len(accounts)) == 0
    of_age = _of_age([sign_ups], settings.too_new, cutoffs, len(accounts)) | undated[:, None] | settings.keep_too_new
    present, gone = np.ones(shape, dtype=bool), np.zeros(shape, dtype=bool)
    if settings.flag is None:
        dates = read_churn_dates(tables, settings, accounts)
        present = from_first(first_run(sign_ups.account, entry(sign_ups.known, cutoffs), shape), shape) | undated[:, None]
        gone = from_first(first_run(dates.account, entry(dates.known, cutoffs), shape), shape)
    return _status(present | gone, present & ~gone, of_age)


def _of_age(sources: Sequence[Happenings], days: int, cutoffs: NDArray[np.int64], accounts: int) -> NDArray[np.bool_]:
    """Say at which cutoffs the earliest thing known of each account is at least `days` old."""
    shape = (accounts, len(cutoffs))
    reached = np.zeros(shape, dtype=bool)
    for rows in sources:
        # `entry` wants an age of more than so many days; a microsecond earlier makes it "at least".
        aged = entry(rows.at - 1, cutoffs, offset_days=days)
        reached |= from_first(first_run(rows.account, np.maximum(aged, entry(rows.known, cutoffs)), shape), shape)
    return reached


def _status(known: NDArray[np.bool_], active: NDArray[np.bool_], of_age: NDArray[np.bool_]) -> NDArray[np.int8]:
    status = np.where(known, np.int8(Status.NOT_ACTIVE), np.int8(Status.NO_HISTORY)).astype(np.int8)
    status[active] = np.where(of_age[active], np.int8(Status.SCORED), np.int8(Status.TOO_NEW))
    return status
