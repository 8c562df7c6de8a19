"""Referrals: the share of customers who brought another."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import before
from staypower.portfolio.customers import Customers
from staypower.portfolio.figures import Cell, Figure
from staypower.portfolio.intervals import wilson_interval
from staypower.spells import instants_or_missing, number_accounts
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_referrals", "referral_figures"]

_REFERRAL = "referral"


def read_referrals(tables: Tables, customers: Customers) -> NDArray[np.bool_]:
    """Say which account referred somebody in which period."""
    table = tables["advocacy"]
    kind = np.array([str(word).strip().casefold() == _REFERRAL for word in table.texts("kind")], dtype=bool)
    at = table.own_instants()
    known = before(np.maximum(at, instants_or_missing(table, "known_at")), tables.observed_until)
    account, period = number_accounts(table, customers.accounts), customers.periods.number(at)
    rows = kind & known & (account >= 0) & (period >= 0)
    found = np.zeros((len(customers.accounts), len(customers.periods)), dtype=bool)
    found[account[rows], period[rows]] = True
    return found


def referral_figures(customers: Customers, referred: NDArray[np.bool_], cell: Cell) -> Iterator[Figure]:
    """Yield the share of the customers at the start of a cell who referred somebody in it."""
    starters = customers.at_start(cell.position) & cell.members
    n, count = int(starters.sum()), int((starters & referred[:, cell.position]).sum())
    if not n:
        yield cell.figure("referral_rate", math.nan, n=0, accounts=0, note="no customers at the start")
        return
    yield cell.figure("referral_rate", count / n, wilson_interval(count, n), n=n, accounts=n)
