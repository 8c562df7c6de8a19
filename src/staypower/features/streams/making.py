"""Make the rows that features read: the canonical tables with columns derived row by row.

A stream is a `Table` whose schema also names the derived columns and from when each is known. Each function takes all tables,
since a row may need its account's sign-up or its ticket, and returns one stream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from staypower.features.settings import FeatureSettings
from staypower.features.streams.accounts import account_stream
from staypower.features.streams.billing import payment_stream, subscription_end_stream, subscription_stream
from staypower.features.streams.orders import order_line_stream, order_stream, return_stream
from staypower.features.streams.support import survey_stream, ticket_stream
from staypower.features.streams.usage import usage_stream
from staypower.tables import Table, Tables

__all__ = ["STREAMS", "make_stream", "source_of"]

_Maker = Callable[[Tables, FeatureSettings], Table]

# stream -> the canonical table it is made of, and how
STREAMS: Mapping[str, tuple[str, _Maker]] = MappingProxyType(
    {
        "accounts": ("accounts", account_stream),
        "usage": ("usage", usage_stream),
        "tickets": ("tickets", ticket_stream),
        "surveys": ("surveys", survey_stream),
        "subscriptions": ("subscriptions", subscription_stream),
        "subscription_ends": ("subscriptions", subscription_end_stream),
        "payments": ("payments", payment_stream),
        "orders": ("orders", order_stream),
        "order_lines": ("orders", order_line_stream),
        "returns": ("orders", return_stream),
    }
)


def source_of(stream: str) -> str:
    """Name the table a stream is made of; a table without a stream of its own is its own stream.

    >>> source_of("returns"), source_of("goals")
    ('orders', 'goals')
    """
    return STREAMS[stream][0] if stream in STREAMS else stream


def make_stream(name: str, tables: Tables, settings: FeatureSettings) -> Table:
    """Return the rows of one stream."""
    return STREAMS[name][1](tables, settings) if name in STREAMS else tables[name]
