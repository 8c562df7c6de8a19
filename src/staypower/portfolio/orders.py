"""Purchases without a contract: net order amounts in exact money, and what they bring in a period."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import before
from staypower.portfolio.customer_value import as_money, whole_amounts
from staypower.portfolio.figures import Figure, PortfolioCell
from staypower.spells import instants_or_missing, number_accounts
from staypower.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["OrderAmounts", "order_figures", "read_order_amounts"]


@dataclass(frozen=True)
class OrderAmounts:
    """Order lines that were seen, with what they brought.

    >>> none = np.empty(0, dtype=np.int64)
    >>> OrderAmounts(none, none, none, none > 0, 0).unknown
    0
    """

    account: NDArray[np.int64]  # shape (n,): Position in the list of accounts
    at: NDArray[np.int64]  # shape (n,): Instants
    # shape (n,): Whole ten-thousandths; negative for a return, 0 where the line has no amount, was cancelled or came back
    amount: NDArray[np.int64]
    bought: NDArray[np.bool_]  # shape (n,): Whether the line is a purchase: neither a return nor cancelled
    unknown: int  # purchases without an amount


def read_order_amounts(orders: Table, *, accounts: Sequence[str], observed_until: int) -> OrderAmounts:
    """Read the net amounts of order lines.

    A line with a negative amount takes money back. A line that is cancelled, or came back at `returned_at`, brings nothing
    when its own amount is positive.

    >>> import pyarrow as pa
    >>> from staypower.schemas import SCHEMAS
    >>> time = pa.array([1, 2], pa.timestamp("us", "UTC"))
    >>> rows = pa.table({"account_id": ["a", "a"], "at": time, "amount": [5.0, -2.0], "quantity": [1.0, -1.0]})
    >>> found = read_order_amounts(Table(SCHEMAS["orders"], rows), accounts=["a"], observed_until=9)
    >>> int(found.amount.sum()), found.bought.tolist()
    (30000, [True, False])
    """
    account, at = number_accounts(orders, accounts), orders.own_instants()
    arrived = np.maximum(at, instants_or_missing(orders, "known_at"))
    seen = (account >= 0) & before(at, observed_until) & before(arrived, observed_until)
    amount, known = whole_amounts(orders, "amount")
    cancelled = orders.numbers("cancelled") == 1 if orders.has("cancelled") else np.zeros(len(orders), dtype=bool)
    taken_back = orders.numbers("quantity") < 0 if orders.has("quantity") else np.zeros(len(orders), dtype=bool)
    void = cancelled | before(instants_or_missing(orders, "returned_at"), observed_until)
    amount = np.where(void & (amount > 0), 0, amount)
    bought = ~cancelled & ~taken_back & ~(amount < 0)
    unknown = int((seen & bought & ~known).sum())
    return OrderAmounts(account[seen], at[seen], amount[seen], bought[seen], unknown)


def order_figures(orders: OrderAmounts, rows: NDArray[np.int64], cell: PortfolioCell, margin: float) -> Iterator[Figure]:
    """Yield accounts that ordered, what orders brought, and the mean margin per active account."""
    active = len(np.unique(orders.account[rows[orders.bought[rows]]]))
    total = as_money(orders.amount[rows].sum())
    yield cell.figure("active_accounts", active, n=active, accounts=active)
    yield cell.figure("order_revenue", total, n=active, accounts=active, note="net of returns")
    note = "no orders" if not active else "margin of this period per account, not a lifetime value"
    value = margin * total / active if active else math.nan
    yield cell.figure("margin_per_active_account", value, n=active, accounts=active, note=note)
