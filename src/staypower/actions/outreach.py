"""What was done before: the rows of `outreach` that are known at a cutoff."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import before, exit_after
from staypower.spells import instants_or_missing, number_accounts
from staypower.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Outreach", "action_name", "read_outreach"]


def action_name(written: str) -> str:
    """Write the name of an action as a playbook does, whatever its case and what separates its words.

    >>> action_name("Payment recovery ")
    'payment_recovery'
    """
    return re.sub(r"[\W_]+", "_", written.strip()).strip("_").casefold()


@dataclass(frozen=True)
class Outreach:
    """Actions of the past.

    >>> Outreach.none().__len__()
    0
    """

    account: NDArray[np.int64]  # shape (n,): Position in the list of accounts
    instant: NDArray[np.int64]  # shape (n,): When; all before the cutoff
    action: NDArray[np.object_]  # shape (n,): Names as in a playbook; None where none is written
    holdout: NDArray[np.int8]  # shape (n,): 1 held back, 0 acted on, -1 not told
    cutoff: int  # instant

    def __len__(self) -> int:
        return len(self.account)

    @classmethod
    def none(cls, cutoff: int = 0) -> Outreach:
        """Return the outreach of a company that noted none."""
        nothing = np.empty(0, dtype=np.int64)
        return cls(nothing, nothing, np.empty(0, dtype=object), np.empty(0, dtype=np.int8), cutoff)

    @classmethod
    def together(cls, parts: Sequence[Outreach]) -> Outreach:
        """Put parts together that are numbered by the same list of accounts and read at the same cutoff."""
        return cls(
            np.concatenate([part.account for part in parts]),
            np.concatenate([part.instant for part in parts]),
            np.concatenate([part.action for part in parts]),
            np.concatenate([part.holdout for part in parts]),
            parts[0].cutoff,
        )

    def take(self, chosen: NDArray[np.bool_], account: NDArray[np.int64]) -> Outreach:
        """Return the rows where the mask holds, with other positions of their accounts."""
        return Outreach(account[chosen], self.instant[chosen], self.action[chosen], self.holdout[chosen], self.cutoff)

    def recent(self, accounts: int, days: int, action: str | None = None) -> NDArray[np.bool_]:
        """Say which accounts had an action, or any, in the days before the cutoff; being held back counts as well.

        >>> from staypower.cutoffs import DAY
        >>> one = np.array([1])
        >>> past = Outreach(one, one * DAY, np.array(["call"], dtype=object), one.astype(np.int8), 5 * DAY)
        >>> past.recent(2, 5).tolist(), past.recent(2, 3).tolist(), past.recent(2, 5, "mail").tolist()
        ([False, True], [False, False], [False, False])
        """
        within = exit_after(self.instant, np.array([self.cutoff], dtype=np.int64), days) == 1
        if action is not None:
            within &= self.action == action
        found = np.zeros(accounts, dtype=bool)
        found[self.account[within]] = True
        return found


def read_outreach(tables: Tables, accounts: Sequence[str], *, cutoff: int) -> Outreach:
    """Read the outreach that is known at a cutoff.

    >>> len(read_outreach(Tables({}, 0), ["a"], cutoff=9))
    0
    """
    if "outreach" not in tables:
        return Outreach.none(cutoff)
    table = tables["outreach"]
    account, at = number_accounts(table, accounts), table.own_instants()
    arrived = np.maximum(at, instants_or_missing(table, "known_at"))
    seen = (account >= 0) & before(at, cutoff) & before(arrived, cutoff)
    written = table.texts("action") if table.has("action") else np.full(len(table), None, dtype=object)
    named = {word: action_name(word) or None for word in {each for each in written.tolist() if each is not None}}
    action = np.array([named.get(word) for word in written[seen].tolist()], dtype=object)
    flags = table.numbers("holdout") if table.has("holdout") else np.full(len(table), np.nan)
    holdout = np.where(np.isnan(flags), -1, flags).astype(np.int8)
    return Outreach(account[seen], at[seen], action, holdout[seen], cutoff)
