"""Tables read as a whole and tables stored into buckets, put side by side."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from staypower.sources.disk_tables import DiskTables
from staypower.sources.disk_writing import write_buckets
from staypower.sources.findings import Finding
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource
from staypower.tables import BucketedTables, Tables

_NAMES = itertools.count()


def whole_and_buckets(
    tables: Mapping[str, Sequence[TableSource]], folder: Path, *, buckets: int, **options: object
) -> tuple[Tables, DiskTables]:
    """Read the same sources both ways."""
    whole, expected = read_tables(tables, folder=folder, **options)
    into = folder / f"buckets-{next(_NAMES)}"
    stored, found = write_buckets(
        tables, folder=folder, into=into, buckets=buckets, memory=500_000_000, thorough=True, **options
    )
    assert said(found) == said(expected)
    return whole, stored


def said(findings: Sequence[Finding]) -> list[str]:
    """Findings without their examples: which rows come first is the one thing that buckets do not keep."""
    return sorted(str(replace(finding, examples=())) for finding in findings)


def assert_same_tables(whole: Tables, stored: DiskTables) -> None:
    """All buckets together hold exactly the rows of the whole, and say the same about them."""
    assert stored.observed_until == whole.observed_until
    parts = [stored.bucket(number) for number in stored.buckets]
    for name, table in whole.items():
        assert all(list(part) == list(whole) for part in parts)
        for part in parts:
            assert part[name].schema == table.schema, name
            assert part[name].date_only == table.date_only, name
            assert part[name].fixed == table.fixed, name
            assert part[name].derived == table.derived, name
            assert _plain(part[name].data).schema == _plain(table.data).schema, name
        together = pa.concat_tables([_plain(part[name].data) for part in parts])
        assert _rows(together) == _rows(table.data), name
        # the rows of an account keep their order where the order says something
        if name == "accounts":
            for account in table.data.column("account_id").unique().to_pylist():
                mask = pc.equal(together.column("account_id"), account)
                own = pc.equal(table.data.column("account_id"), account)
                assert together.filter(mask).equals(table.data.filter(own))
    ids = [set(part["accounts"].data.column("account_id").to_pylist()) for part in parts]
    assert sum(map(len, ids)) == len(set().union(*ids))


def _plain(data: pa.Table) -> pa.Table:
    """Write out texts that are stored as numbers with a dictionary."""
    stored = [field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in data.schema]
    return data.cast(pa.schema([pa.field(name, kind) for name, kind in zip(data.column_names, stored, strict=True)]))


def _rows(data: pa.Table) -> list[str]:
    return sorted(repr(tuple(row.values())) for row in data.to_pylist())


@dataclass(frozen=True)
class InBuckets(BucketedTables):
    """Tables in memory that can only be read bucket by bucket, as those on a cluster."""

    tables: Tables
    parts: tuple[Tables, ...]

    @classmethod
    def of(cls, tables: Tables, count: int) -> InBuckets:
        """Deal the accounts into buckets in an order of their own."""
        dealt: list[list[str]] = [[] for _ in range(count)]
        for number, account in enumerate(tables.account_ids):
            dealt[number * 7 % count].append(account)
        first, *others = (tables.only_accounts(accounts) for accounts in dealt)
        # what the data rules changed is not known by account: it counts once
        others = [replace(part, tables={name: replace(each, changed={}) for name, each in part.items()}) for part in others]
        return cls(tables, (first, *others))

    @property
    def observed_until(self) -> int:  # type: ignore[override]
        return self.tables.observed_until

    @property
    def buckets(self) -> tuple[int, ...]:
        return tuple(range(len(self.parts)))

    @property
    def names(self) -> tuple[str, ...]:
        return self.tables.names

    @property
    def empty(self) -> Tables:
        return self.tables.empty

    def bucket(self, number: int, only: Collection[str] | None = None) -> Tables:
        wanted = [name for name in self.tables if only is None or name in only or name == "accounts"]
        return replace(self.parts[number], tables={name: self.parts[number][name] for name in wanted})

    def row_count(self, name: str) -> int:
        return self.tables.row_count(name)

    def first_instant(self, name: str) -> int | None:
        return self.tables.first_instant(name)
