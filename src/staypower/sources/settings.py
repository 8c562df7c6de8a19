"""How the configuration describes one source of one table."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_serializer, field_validator, model_validator

from staypower.addresses import shown_address
from staypower.errors import nearest
from staypower.schemas import SCHEMAS, Kind
from staypower.sources.formats import FORMATS

Scalar = str | int | float | bool
_ZONE_FIX = "write continent and city, such as `Europe/Berlin` or `America/New_York`"
_FORMATS = " or ".join(f"`{name}`" for name in FORMATS)


class Aliases(BaseModel):
    """Where it stands which accounts were merged into which.

    >>> Aliases.model_validate({"source": "merges.csv", "from": "old", "to": "new"}).kept
    'new'
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    source: str = Field(description="where the rows are, as `source` of a table")
    table: str | None = Field(default=None, description="the table of a database, or the sheet of a workbook")
    query: str | None = Field(default=None, description="one SELECT to run in a database, instead of `table`")
    given: str = Field(alias="from", description="the column of ids that are used no more")
    kept: str = Field(alias="to", description="the column of the ids that they were merged into")
    separator: str | None = Field(
        default=None, min_length=1, description="what stands between several ids in one cell of `from`, such as `;`"
    )


class TableSource(BaseModel):
    """One source of one table: where its rows are, and which of its columns are which of ours.

    Every key that is not reserved maps a canonical column onto a source column, an expression or a constant.

    >>> usage = TableSource.model_validate({"source": "usage.csv", "account_id": "acct", "at": "when"})
    >>> dict(usage.mapping)
    {'account_id': 'acct', 'at': 'when'}
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str | None = Field(
        default=None,
        description="where the rows are: a path, a glob (`data/*.parquet`), a folder, an address (`postgresql://`, "
        "`s3://`), or the name of an object given in Python",
    )
    format: str | None = Field(
        default=None, description=f"{_FORMATS}, when the file's ending does not say it", json_schema_extra={"words": _FORMATS}
    )
    table: str | None = Field(default=None, description="the table of a database, or the sheet of a workbook")
    query: str | None = Field(default=None, description="one SELECT to run in a database, instead of `table`")
    delimiter: str | None = Field(
        default=None, description="the character between the columns of a CSV file, when it is not found by itself"
    )
    encoding: str = Field(default="utf-8", description="the encoding of a CSV file; default `utf-8`")
    decimal: Literal[".", ","] = Field(default=".", description="`,` where a CSV file writes numbers as 1.234,50; default `.`")
    zone: str | None = Field(
        default=None,
        description="the zone of times without an offset, such as `America/New_York`; default UTC. Where a change of clocks "
        "allows two readings, the later counts",
    )
    blank: tuple[str, ...] = Field(
        default=(), description='words that mean *not known*, such as `[NA, "-"]`; empty cells always do'
    )
    where: str | None = Field(default=None, description="an expression; only rows for which it is true are read")
    constant: Mapping[str, Scalar] = Field(default_factory=dict, description="`{column: value}`: the same value in every row")
    fixed: tuple[str, ...] = Field(
        default=(), description="columns that never change while a row lives, so that they may be used from its start"
    )
    static: tuple[str, ...] | Literal["all"] = Field(
        default=(), description="`accounts` only: attributes that never change, or `all`"
    )
    leave_out: tuple[str, ...] = Field(default=(), description="with `static: all`: source columns that are not attributes")
    derive_from: str | None = Field(
        default=None, description="`accounts` only: make one account per id of the table named here"
    )
    aliases: Aliases | None = Field(
        default=None,
        description="`accounts` only: accounts that were merged, `{source: merges.csv, from: old_id, to: new_id}`; every table "
        'then counts the old id as the new one; `separator: ";"` where one cell of `from` holds several ids',
    )
    key_via: str | None = Field(
        default=None, description="find `account_id` through a foreign key: the name of the table that has both, yours included"
    )
    time: str | None = Field(default=None, description="a declared table only: which of its columns is its time; default `at`")
    columns: Mapping[str, Kind] = Field(
        default_factory=dict,
        description="`{column: kind}` (id, time, number, text, flag): of a declared table, attributes, or columns of your own",
    )
    mapping: Mapping[str, Scalar] = Field(default_factory=dict)  # every other key

    @model_validator(mode="before")
    @classmethod
    def _gather_mapping(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        kept = {key: value for key, value in given.items() if key in RESERVED}
        if isinstance(kept.get("source"), os.PathLike):
            kept["source"] = os.fspath(kept["source"])
        mapped = {str(key): value for key, value in given.items() if key not in RESERVED and key != "mapping"}
        already = given.get("mapping", {})
        kept["mapping"] = {**(already if isinstance(already, Mapping) else {"mapping": already}), **mapped}
        return kept

    @field_serializer("source")
    def _without_secrets(self, source: str | None) -> str | None:
        return source if source is None else shown_address(source)

    @field_validator("format")
    @classmethod
    def _check_format(cls, given: str | None) -> str | None:
        if given is not None and given not in FORMATS:
            raise ValueError(f"no such format Fix: {nearest(given, FORMATS)}")
        return given

    @field_validator("zone")
    @classmethod
    def _check_zone(cls, given: str | None) -> str | None:
        known = available_timezones() if given is not None else set()
        if known and given not in known:
            # a place is enough to find its zone
            wanted = str(given).replace(" ", "_").casefold()
            near = sorted(name for name in known if name.casefold().rpartition("/")[2] == wanted.rpartition("/")[2])
            fix = f"write `{near[0]}`" if near else nearest(str(given), known) if "/" in str(given) else _ZONE_FIX
            raise ValueError(f"no such time zone Fix: {fix}")
        return given

    @field_validator("mapping", "constant", mode="before")
    @classmethod
    def _write_dates(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        return {key: value.isoformat() if isinstance(value, date | datetime) else value for key, value in given.items()}

    @field_validator("blank", "fixed", "leave_out", "static", mode="before")
    @classmethod
    def _accept_one_word(cls, given: Any) -> Any:
        if isinstance(given, str) and given != "all":
            return (given,)
        if isinstance(given, list | tuple):
            return tuple(str(word) if isinstance(word, int | float) else word for word in cast("list[Any]", given))
        return given


def placed(sources: Mapping[str, Sequence[TableSource]]) -> Iterator[tuple[str, TableSource, str]]:
    """Give every source that is read: its table, itself, and its place in the configuration for messages.

    >>> [place for _, _, place in placed({"usage": [TableSource(), TableSource()], "orders": [TableSource()]})]
    ['tables.usage[0]', 'tables.usage[1]', 'tables.orders']
    """
    for name, listed in sources.items():
        for number, source in enumerate(listed):
            if not (name == "accounts" and source.derive_from and source.source is None):
                yield name, source, f"tables.{name}" + (f"[{number}]" if len(listed) > 1 else "")


def given_names(sources: Mapping[str, Sequence[TableSource]]) -> frozenset[str]:
    """Return what all sources name: files, patterns, addresses and objects.

    >>> sorted(given_names({"usage": [TableSource(source="b.csv")], "orders": [TableSource(source="a.csv"), TableSource()]}))
    ['a.csv', 'b.csv']
    """
    return frozenset(source.source for listed in sources.values() for source in listed if source.source is not None)


@dataclass(frozen=True)
class JoinKey:
    """The id of a table through which the rows of other tables find their account."""

    table: str
    column: str
    start: str  # the time at which a row of that table begins


@dataclass(frozen=True)
class Joins:
    """Which tables can be named in `key_via`, and which are.

    >>> persons = TableSource.model_validate({"columns": {"person": "id"}, "account_id": "company"})
    >>> joins = Joins.of({"persons": [persons], "usage": [TableSource(key_via="persons")]})
    >>> joins.keys["persons"].column, joins.keys["tickets"].column, sorted(joins.through)
    ('person', 'ticket_id', ['persons'])
    """

    keys: Mapping[str, JoinKey]  # of the canonical tables that have an id, and of declared ones with a column of that kind
    through: frozenset[str]  # the tables through which others find their account
    declared: frozenset[str]  # the tables of the user's own

    @classmethod
    def of(cls, sources: Mapping[str, Sequence[TableSource]]) -> Joins:
        """Read them off the sources."""
        keys = {name: JoinKey(name, schema.row_id, schema.times[0]) for name, schema in SCHEMAS.items() if schema.row_id}
        own = {name: listed for name, listed in sources.items() if name not in SCHEMAS}
        for name, listed in own.items():
            ids = [column for source in listed for column, kind in source.columns.items() if kind == "id"]
            if ids:
                keys[name] = JoinKey(name, ids[0], own_time(listed))
        vias = {source.key_via for listed in sources.values() for source in listed if source.key_via is not None}
        return cls(keys, frozenset(vias), frozenset(own))

    def without_lookups(self, columns: Mapping[str, Sequence[Collection[str]]]) -> list[str]:
        """Name the tables, by the columns of their sources, but those without a time: they only say whose an id is."""
        own = self.declared & self.through & set(self.keys)
        return [name for name, each in columns.items() if name not in own or any(self.keys[name].start in one for one in each)]


def own_time(sources: Sequence[TableSource]) -> str:
    """Name the time column of a declared table.

    >>> own_time([TableSource(), TableSource(time="day")])
    'day'
    """
    return next((source.time for source in sources if source.time), "at")


@dataclass(frozen=True)
class Sources:
    """What a run reads."""

    tables: Mapping[str, Sequence[TableSource]]  # the sources of each table
    folder: Path  # what relative paths are relative to
    observed_until: int | None = None  # instant (exclusive) until which the data were observed; None: read off the rows


# the keys that map no column, and what each means
RESERVED: Mapping[str, str] = MappingProxyType(
    {name: field.description or "" for name, field in TableSource.model_fields.items() if name != "mapping"}
)
