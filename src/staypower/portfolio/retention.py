"""Customers lost and kept in a period."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from staypower.labels.population import ChurnKind
from staypower.portfolio.customers import Customers
from staypower.portfolio.figures import Cell, Figure
from staypower.portfolio.intervals import NONE, wilson_interval

__all__ = ["retention_figures", "unsettled"]

TOO_SHORT = "the data begin too late: nobody can have been inactive for the whole activity window yet"
_KINDS = (
    ("voluntary_churn_rate", ChurnKind.VOLUNTARY),
    ("involuntary_churn_rate", ChurnKind.INVOLUNTARY),
    ("unknown_churn_rate", ChurnKind.UNKNOWN),
)


def retention_figures(customers: Customers, cell: Cell) -> Iterator[Figure]:
    """Yield the customers of a cell, its churn rate, retention, and churn by kind.

    Churn rate = customers at the start and gone at the end / customers at the start; retention = 1 - churn rate. The kinds
    are shares of the same customers and add up to the churn rate. The kind is that of the stay that held the start.
    """
    at_start = customers.at_start(cell.position) & cell.members
    gone = at_start & ~customers.at_end(cell.position)
    n, lost = int(at_start.sum()), int(gone.sum())
    settled, caution = unsettled(customers, cell)
    counted = int((customers.at_end(cell.position) & cell.members).sum())
    yield cell.figure("customers_at_start", n, n=n, accounts=n, complete=settled, note=caution)
    yield cell.figure("customers_at_end", counted, n=counted, accounts=counted, complete=settled, note=caution)
    why = "no customers at the start" if not n else "" if customers.readable(cell.position) else TOO_SHORT
    note = "; ".join(part for part in (why, caution) if part)

    def rate(metric: str, count: int) -> Figure:
        value, interval = (math.nan, NONE) if why else (count / n, wilson_interval(count, n))
        return cell.figure(metric, value, interval, n=n, accounts=n, complete=settled, note=note)

    yield rate("customer_churn_rate", lost)
    yield rate("customer_retention", n - lost)
    if customers.kinds_told:
        kinds = customers.kind[customers.stay[gone, cell.position]]
        for metric, kind in _KINDS:
            yield rate(metric, int(np.count_nonzero(kinds == kind)))


def unsettled(customers: Customers, cell: Cell) -> tuple[bool, str]:
    """Say whether every end that a cell counts is final, and if not how many are not."""
    count = int((customers.open_ends(cell.position) & cell.members).sum())
    if not count:
        return True, ""
    ends = "end" if count == 1 else "ends"
    return False, f"provisional: {count:,} {ends} could still be undone within the grace of {customers.grace} days"
