"""What the data rules need to know of all accounts together, asked of the tables on disk, bucket by bucket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import MISSING, earliest
from staypower.schemas import SCHEMAS
from staypower.sources.bucket_files import ENDING, BucketWriter
from staypower.sources.disk_tables import ROW, DiskTables, StoredTable
from staypower.sources.drafts import Draft
from staypower.sources.findings import Counted, merge
from staypower.sources.resolving import Moment, end_of_observation, refuse_no_accounts, rows_of
from staypower.sources.rules import drop_blank, drop_duplicates, drop_future, no_rows_left, repeated_ids

_AT_ONCE = 100_000


def resolve(
    connect: Callable[[], Any],
    tables: DiskTables,
    memory: int,
    *,
    observed_until: Moment | None,
    as_of: Moment | None,
    thorough: bool,
) -> tuple[DiskTables, list[Counted]]:
    """Find which rows repeat an id, until when the data were observed, and what then counts."""
    rows = {name: _Rows(tables, table) for name, table in tables.listed.items()}
    events = {name: each for name, each in rows.items() if name != "accounts"}
    found = [one for each in events.values() for one in each.presence(thorough=thorough)]
    found += [one for each in events.values() for one in each.find_repeats(connect, memory)]
    accounts = rows.get("accounts")
    until = end_of_observation(events, accounts, observed_until, as_of)
    resolved = {name: each.resolved(until) for name, each in rows.items()}
    derived = events.get(tables.derive_from or "")
    telling = [accounts] if accounts is not None else [derived] if derived is not None else list(events.values())
    holding = sorted({number for each in telling for number in each.held})
    if not holding:
        raise refuse_no_accounts(accounts is not None)
    return replace(tables, observed_until=until, holding=tuple(holding), listed=resolved), found


@dataclass
class _Rows:
    """The rows of one table on disk that count at all: their account is known, they have a time, and have arrived."""

    tables: DiskTables
    table: StoredTable
    held: set[int] = field(default_factory=set)  # numbers of the buckets with rows from before the end of the observation
    found: dict[int | None, tuple[int | None, Counter[int]]] = field(default_factory=dict)  # by limit: latest row, rows by day

    @property
    def name(self) -> str:
        return self.table.name

    def drafts(self, *more: str) -> Iterator[tuple[int, Draft]]:
        """Give the rows of each bucket: their account, their times, and more columns where the table has them."""
        columns = {"account_id", "known_at", "valid_from", *self.table.times, *more}
        accounts = None if self.table.complete else self.tables.listed.get("accounts")
        listed = {} if accounts is None else {"accounts": accounts.only({"account_id"})}
        narrow = replace(self.tables, listed={**listed, self.name: self.table.only(columns)})
        for number in self.tables.buckets:
            given, drafts = narrow.drafts([self.name], number)
            draft = given if self.name == "accounts" else drafts[self.name]
            assert draft is not None
            if not self.table.complete:
                drop_blank(draft)
            yield number, draft

    @property
    def has_rows(self) -> bool:
        return any(len(draft.table) for _, draft in self.drafts())

    def times(self) -> Sequence[str]:
        return self.table.times

    def presence(self, *, thorough: bool) -> list[Counted]:
        """Say when the table holds nothing, or mostly rows of accounts that are not there."""
        rows, found = 0, list[Counted]()
        for _, draft in self.drafts():
            rows += len(draft.table)
            found = merge([*found, *draft.findings])
        self.table = replace(self.table, complete=not any(one.finding.rows for one in found))
        # a thorough look names all of them
        strangers = [one for one in found if not thorough and one.mostly and one.worded.severity == "error"]
        return strangers if rows else [no_rows_left(self.name), *strangers]

    def find_repeats(self, connect: Callable[[], Any], memory: int) -> list[Counted]:
        """Put aside which rows have an id that another row had before them."""
        key = SCHEMAS[self.name].row_id if self.name in SCHEMAS else None
        if key is None or key not in self.table.columns:
            return []
        connection = connect()
        connection.register("ids", pa.RecordBatchReader.from_batches(_IDS, self.named(key)))
        connection.execute("CREATE TABLE named AS SELECT * FROM ids")
        connection.execute(
            "CREATE TABLE repeats AS WITH several AS (SELECT id, version FROM named GROUP BY ALL HAVING count(*) > 1) "
            f'SELECT "{ROW}", account_id, id FROM (SELECT named.*, row_number() OVER (PARTITION BY named.id, named.version '
            f'ORDER BY known, "{ROW}") AS place FROM named SEMI JOIN several '
            "ON named.id = several.id AND named.version IS NOT DISTINCT FROM several.version) WHERE place > 1"
        )
        count, shown = connection.execute("SELECT count(*), list(DISTINCT id)[:3] FROM repeats").fetchall()[0]
        of_repeats = "SELECT id, version, account_id FROM named WHERE id IN (SELECT id FROM repeats)"
        several = f"SELECT 1 FROM ({of_repeats}) GROUP BY id, version HAVING count(DISTINCT account_id) > 1"
        across = connection.execute(f"SELECT count(*) FROM ({several})").fetchall()[0][0] if count else 0
        folder = f"{self.table.sources[0].folder}-repeats"
        if count:
            with BucketWriter(self.tables.folder / folder / f"0{ENDING}", self.tables.hashed, memory) as writer:
                for batch in connection.sql(f'SELECT "{ROW}", account_id FROM repeats').to_arrow_reader(_AT_ONCE):
                    writer.add(batch)
            self.table = replace(self.table, repeats=folder)
        connection.execute("DROP TABLE repeats")
        connection.execute("DROP TABLE named")
        return [repeated_ids(self.name, key, int(count), int(across), tuple(shown))] if count else []

    def named(self, key: str) -> Iterator[pa.RecordBatch]:
        """Give the rows that have an id, and when each was known."""
        told = SCHEMAS[self.name].version
        for _, draft in self.drafts(key, ROW):
            table = draft.table
            known = (
                np.maximum(table.own_instants(), table.instants("known_at")) if table.has("known_at") else table.own_instants()
            )
            version = table.midnights(told) if told is not None and table.has(told) else np.full(len(table), MISSING)
            ids = table.data.column(key).cast(pa.string())
            columns = [table.data.column(ROW).cast(pa.int64()), table.data.column("account_id"), ids, version, known]
            rows = pa.table(columns, names=_IDS.names).cast(_IDS)
            yield from rows.filter(pc.is_valid(ids)).to_batches()

    def latest_arrival(self) -> int | None:
        if "known_at" not in self.table.columns:
            return None
        return _last(rows_of(draft).latest_arrival() for draft in self.unrepeated())

    def latest(self, limit: int | None) -> int | None:
        return self.look(limit)[0]

    def by_day(self, limit: int | None) -> Mapping[int, int]:
        return self.look(limit)[1]

    def look(self, limit: int | None) -> tuple[int | None, Counter[int]]:
        """Find the latest own instant and the rows of each day, of the rows that are written at or before a limit."""
        if limit not in self.found:
            asked = [(each.latest(limit), each.by_day(limit)) for each in map(rows_of, self.unrepeated())]
            self.found[limit] = _last(latest for latest, _ in asked), sum((Counter(days) for _, days in asked), Counter())
        return self.found[limit]

    def unrepeated(self) -> Iterator[Draft]:
        """Give the rows of each bucket without those that repeat an id."""
        for _, draft in self.drafts():
            drop_duplicates(draft)
            yield draft

    def resolved(self, until: int) -> StoredTable:
        """Say how many rows count at some cutoff, and which is the earliest; remember the buckets that have any."""
        count, first = 0, MISSING
        for number, draft in self.drafts():
            drop_duplicates(draft)
            if self.name != "accounts":
                drop_future(draft, until)
            if len(draft.table):
                self.held.add(number)
                count += len(draft.table)
                first = earliest([np.array([first]), draft.table.own_instants()])
        return replace(self.table, rows=count, first=None if first == MISSING else first)


_IDS = pa.schema({ROW: pa.int64(), "account_id": pa.string(), "id": pa.string(), "version": pa.int64(), "known": pa.int64()})


def _last(found: Iterator[int | None]) -> int | None:
    return max((one for one in found if one is not None), default=None)
