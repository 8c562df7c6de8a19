"""The population: what each account is at each cutoff, and what every kind of label has to answer about it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import MISSING, Outcome, entry
from staypower.labels.inputs import Happenings, first_run, from_first, read_sign_ups
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ChurnDefinition", "ChurnKind", "Population", "Status", "fall", "old_enough", "status_of"]


class Status(IntEnum):
    """What an account is at a cutoff; only `SCORED` accounts are trained on."""

    SCORED = 0
    NOT_ACTIVE = 1
    NOTICE_GIVEN = 2
    TOO_NEW = 3
    NO_HISTORY = 4
    INVALID = 5
    LEFT = 6

    @property
    def word(self) -> str:
        """The status as outputs write it."""
        return self.name.lower()


class ChurnKind(IntEnum):
    """How an account churned."""

    NONE = 0
    VOLUNTARY = 1
    INVOLUNTARY = 2
    UNKNOWN = 3


@dataclass(frozen=True)
class Population:
    """The status of every account at every cutoff."""

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


class ChurnDefinition(ABC):
    """What one kind of label answers from the tables."""

    @abstractmethod
    def statuses(self, tables: Tables, accounts: Sequence[str], cutoffs: NDArray[np.int64]) -> NDArray[np.int8]:
        """Return the `Status` of each account at each cutoff, shape (n_accounts, k)."""

    @abstractmethod
    def churned(
        self, tables: Tables, population: Population, *, need_churners: bool
    ) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
        """Return the `ChurnKind` of each account in each outcome (-1: no label), and who was gone before the outcome began."""

    def stays(self, tables: Tables, accounts: Sequence[str]) -> Sequence[Happenings]:
        """Return the rows that show that an account is still, or again, a customer."""
        return ()

    def carries_flag(self, tables: Tables, accounts: Sequence[str]) -> NDArray[np.bool_]:
        """Say which accounts are recorded as gone without a time, shape (n_accounts,)."""
        return np.zeros(len(accounts), dtype=np.bool_)

    def first_seen(self, tables: Tables, accounts: Sequence[str]) -> tuple[Happenings, int]:
        """Return the rows with which accounts begin, and from when on the tables show who is a customer."""
        return read_sign_ups(tables, accounts), MISSING


def fall(ended: NDArray[np.int64], cutoffs: NDArray[np.int64], outcome: Outcome) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the run of cutoffs `[first, stop)` whose outcome holds each instant; from `stop` on it lies before the outcome."""
    first = entry(ended, cutoffs, offset_days=-(outcome.gap + outcome.horizon))
    return first, entry(ended, cutoffs, offset_days=-outcome.gap)


def old_enough(sources: Sequence[Happenings], days: int, cutoffs: NDArray[np.int64], accounts: int) -> NDArray[np.bool_]:
    """Say at which cutoffs the earliest thing known of each account is at least `days` old."""
    shape = (accounts, len(cutoffs))
    reached = np.zeros(shape, dtype=bool)
    for rows in sources:
        # `entry` asks for an age above so many days; a microsecond earlier makes it "at least"
        aged = entry(rows.at - 1, cutoffs, offset_days=days)
        reached |= from_first(first_run(rows.account, np.maximum(aged, entry(rows.known, cutoffs)), shape), shape)
    return reached


def status_of(known: NDArray[np.bool_], active: NDArray[np.bool_], of_age: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Put together what is known of each account, whether it is active and whether it is old enough."""
    status = np.where(known, np.int8(Status.NOT_ACTIVE), np.int8(Status.NO_HISTORY)).astype(np.int8)
    status[active] = np.where(of_age[active], np.int8(Status.SCORED), np.int8(Status.TOO_NEW))
    return status
