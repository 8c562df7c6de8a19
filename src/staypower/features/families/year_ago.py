"""Use, orders and tickets against the same days of the year before, for businesses that have seasons.

A year is 52 weeks, so that the same weekdays are compared. What an account did a year ago is known only if it has a row before
that; otherwise the comparison is missing.
"""

from __future__ import annotations

from staypower.features.definition import YEAR, Definition
from staypower.features.families.rows import TableFeatures

__all__ = ["YEAR_AGO"]

usage = TableFeatures("usage", lever="engagement", direction=-1)
orders = TableFeatures("orders", lever="engagement", direction=-1)
amounts = TableFeatures("orders", lever="value", direction=-1)
tickets = TableFeatures("tickets", lever="support", direction=1)


def _against(of: TableFeatures, now: str, aggregation: str, column: str | None = None, *, says: str) -> tuple[Definition, ...]:
    """Compare a feature over 28 and over 90 days with itself a year ago."""
    made: list[Definition] = []
    for days in (28, 90):
        then = of.feature(
            f"{now}_year_ago_{days}d",
            aggregation,
            column,
            window=days,
            offset=YEAR,
            reaches_back=True,
            part=True,
            says=says,
            direction=None,
        )
        compared = f"change in {says} compared with the same {days} days a year ago"
        made += [then, of.change(f"{now}_against_year_ago_{days}d", f"{now}_{days}d", then.name, says=compared)]
    return tuple(made)


YEAR_AGO: tuple[Definition, ...] = (
    *_against(usage, "usage_events", "count", says="usage events"),
    *_against(usage, "usage_quantity", "sum", "quantity", says="units used"),
    *_against(orders, "orders", "count", says="orders"),
    *_against(amounts, "order_amount", "sum", "amount", says="the amount ordered"),
    *_against(tickets, "tickets", "count", says="tickets"),
    # what the days to come held a year ago
    usage.feature(
        "usage_ahead_year_ago_90d",
        "count",
        window=90,
        offset=YEAR - 90,
        reaches_back=True,
        says="usage events",
        unit="events",
        lever=None,
    ),
    orders.feature(
        "orders_ahead_year_ago_90d",
        "count",
        window=90,
        offset=YEAR - 90,
        reaches_back=True,
        says="orders",
        unit="orders",
        lever=None,
    ),
)
