"""The canonical tables: their columns, from when each column is known, and the words that some columns take.

Whatever the source, a table arrives under these names and types: ids and text as strings, times as UTC timestamps in
microseconds, numbers as doubles, flags as booleans. A column that is filled in or changed later names the column whose
instant makes it known (`known_from`); code that builds features reads a value only from that instant on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from staypower.errors import UsageError

Kind = Literal["id", "time", "number", "text", "flag"]


@dataclass(frozen=True)
class Column:
    """A canonical column.

    >>> Column("value", "number", known_from="answered_at").known_from
    'answered_at'
    """

    name: str  # canonical name
    kind: Kind  # physical type: `id` and `text` are strings, `time` a UTC timestamp in microseconds, `number` a double
    known_from: str | None = None  # the time column from whose instant the value is known; None means the table's own time
    # the value changes while the row lives: it is used only from a row with `valid_from` or when declared `fixed`
    mutable: bool = False
    minimum: float | None = None  # the smallest valid value; lower ones become missing and are counted


@dataclass(frozen=True)
class TableSchema:
    """A canonical table: its time and its columns.

    >>> SCHEMAS["tickets"].times
    ('opened_at',)
    """

    name: str  # canonical name
    times: tuple[str, ...]  # the row's own time: the first of these columns that is filled in
    # everything the table may carry besides `account_id` and `known_at`; `accounts` may carry any attribute more
    columns: tuple[Column, ...]
    row_id: str | None = None  # the column that names a row: a second row with the same value is a duplicate
    version: str | None = None  # the time column that tells a later version of a row from a duplicate

    def column(self, name: str) -> Column | None:
        """Return the column of this name, None when the schema has none."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def names(self) -> tuple[str, ...]:
        """Every canonical column name of the table, `account_id` and `known_at` included."""
        return ("account_id", *(column.name for column in self.columns), "known_at")


def _schema(name: str, times: str, *columns: Column, row_id: str | None = None, version: str | None = None) -> TableSchema:
    time_columns = tuple(times.split())
    own = tuple(Column(time, "time", known_from=time) for time in time_columns)
    named = {column.name for column in columns}
    return TableSchema(name, time_columns, (*(c for c in own if c.name not in named), *columns), row_id, version)


def _time(name: str, known_from: str | None = None) -> Column:
    return Column(name, "time", known_from=known_from or name)


ACCOUNT_NAME = "name"
"""The column of `accounts` that says how people call an account. It is shown, and no feature reads it."""

_ALL = (
    _schema(
        "accounts",
        "signed_up_at",
        Column("valid_from", "time"),
        Column("setup_completed_at", "time", "setup_completed_at"),
        Column(ACCOUNT_NAME, "id"),
    ),
    _schema(
        "usage",
        "at",
        Column("event", "text"),
        Column("quantity", "number"),
        Column("user_id", "id"),
        Column("product", "text"),
        Column("usage_id", "id"),
        row_id="usage_id",
    ),
    _schema(
        "tickets",
        "opened_at",
        Column("ticket_id", "id"),
        _time("first_response_at"),
        _time("resolved_at"),
        _time("reopened_at"),
        Column("priority", "text", "resolved_at", mutable=True),
        Column("category", "text", "resolved_at", mutable=True),
        Column("channel", "text"),
        Column("agent", "text"),
        Column("user_id", "id"),
        row_id="ticket_id",
    ),
    _schema(
        "surveys",
        "sent_at answered_at",
        Column("survey_id", "id"),
        Column("instrument", "text"),
        Column("value", "number", "answered_at"),
        Column("scale", "text"),
        Column("direction", "text"),
        Column("low", "number"),
        Column("high", "number"),
        Column("higher_is_better", "flag"),
        Column("respondent_id", "id"),
        Column("touchpoint", "text"),
        Column("ticket_id", "id"),
        row_id="survey_id",
        # an answer that was changed counts from its own time on
        version="answered_at",
    ),
    _schema(
        "subscriptions",
        "started_at",
        Column("subscription_id", "id"),
        _time("ended_at"),
        _time("cancel_requested_at"),
        Column("mrr", "number", mutable=True, minimum=0.0),
        Column("discount", "number", mutable=True),
        Column("seats", "number", mutable=True, minimum=0.0),
        Column("plan", "text", mutable=True),
        Column("auto_renew", "flag", mutable=True),
        Column("renews_at", "time", mutable=True),
        Column("term_months", "number", minimum=0.0),
        Column("billing_period", "text"),
        Column("product", "text"),
        Column("end_reason", "text", "ended_at"),
        Column("valid_from", "time"),
        row_id="subscription_id",
        version="valid_from",
    ),
    _schema(
        "payments",
        "at",
        Column("payment_id", "id"),
        Column("amount", "number"),
        Column("status", "text"),
        _time("refunded_at"),
        Column("method_expires_at", "time"),
        row_id="payment_id",
    ),
    _schema(
        "orders",
        "at",
        Column("order_id", "id"),
        Column("amount", "number"),
        Column("quantity", "number"),
        Column("product", "text"),
        Column("cancelled", "flag"),
        _time("returned_at"),
    ),
    _schema("advocacy", "at", Column("kind", "text"), Column("value", "number")),
    _schema("goals", "set_at", Column("due_at", "time"), _time("met_at")),
    _schema("outreach", "at", Column("action", "text"), Column("holdout", "flag")),
)

# the time from which a column of the user's own is known, where rows are filled in later, unless it is declared fixed
_OWN_KNOWN_FROM: Mapping[str, str] = MappingProxyType({"tickets": "resolved_at", "surveys": "answered_at"})


def with_own_columns(schema: TableSchema, kinds: Mapping[str, Kind], fixed: Collection[str]) -> TableSchema:
    """Return a canonical schema with the columns of the user's own.

    They are known with their row, those of tickets and surveys from the resolution and the answer; those of a subscription
    change while it lives. A column declared fixed is known from the start.

    >>> made = with_own_columns(SCHEMAS["tickets"], {"effort": "number", "area": "text"}, {"area"})
    >>> made.column("effort").known_from, made.column("area").known_from
    ('resolved_at', None)
    """
    own = [name for name in kinds if name not in schema.names]
    late = _OWN_KNOWN_FROM.get(schema.name)
    columns = [
        Column(name, kinds[name], None if name in fixed else late, mutable=schema.name == "subscriptions") for name in own
    ]
    return replace(schema, columns=(*schema.columns, *columns))


SCHEMAS: Mapping[str, TableSchema] = MappingProxyType({schema.name: schema for schema in _ALL})

INSTRUMENTS: Mapping[str, bool] = MappingProxyType({"nps": True, "csat": True, "ces1": False, "ces2": True})
PAYMENT_STATUSES = ("paid", "failed", "refunded")
DIRECTIONS = ("higher", "lower")
ADVOCACY_KINDS = ("referral", "review", "case study", "community post", "loyalty programme")

# Read by themselves from `accounts` when the source has a column of exactly this name.
ATTRIBUTES: Mapping[str, str | None] = MappingProxyType(
    {"segment": None, "plan": None, "region": None, "owner": "text", "seats": "number", "acquisition_cost": "number"}
)

# What `surveys` gains so that later code can put every answer on one 0-1 scale.
SURVEY_SCALE_COLUMNS = ("low", "high", "higher_is_better")

TRUE_WORDS = ("true", "t", "yes", "y", "1")
FALSE_WORDS = ("false", "f", "no", "n", "0")

# Words that are constants when a mapping gives them for these columns. In the first group they win over a source column
# of the same name: a column called `nps` holds answers, never the names of instruments.
CONSTANT_FIRST: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"instrument": tuple(INSTRUMENTS), "direction": DIRECTIONS, "scale": ()}
)
VOCABULARY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {**CONSTANT_FIRST, "status": PAYMENT_STATUSES, "kind": ADVOCACY_KINDS}
)


@dataclass(frozen=True)
class Scale:
    """The ends of a survey's scale.

    >>> Scale.parse("0-10")
    Scale(low=0.0, high=10.0)
    >>> Scale.parse(" 1 - 5 ").high
    5.0
    """

    low: float  # the lowest answer that can be given
    high: float  # the highest, above `low`

    @classmethod
    def parse(cls, text: str) -> Scale:
        """Read a scale written as `low-high`."""
        low, dash, high = text.strip().partition("-")
        try:
            found = cls(float(low), float(high))
        except ValueError:
            found = None
        if not dash or found is None or not found.low < found.high:
            raise UsageError.of("not a survey scale", repr(text), "write the lowest and the highest answer, such as `0-10`")
        return found

    @classmethod
    def is_one(cls, text: str) -> bool:
        """Say whether a text is a scale.

        >>> Scale.is_one("1-7"), Scale.is_one("low"), Scale.is_one("5-1")
        (True, False, False)
        """
        try:
            cls.parse(text)
        except UsageError:
            return False
        return True
