"""What the data rules need to know of all accounts together, asked of the tables on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from staypower.cutoffs import DAY
from staypower.schemas import SCHEMAS
from staypower.sources.disk_tables import BUCKET, IN_BUCKETS, ROW, DiskTables, StoredTable, parquet_files
from staypower.sources.findings import Counted
from staypower.sources.resolving import Moment, end_of_observation, refuse_no_accounts
from staypower.sources.rules import repeated_ids
from staypower.sources.values import quoted_name, quoted_text
from staypower.sources.working_database import one_writer


def resolve(
    connection: Any,
    into: Path,
    listed: Mapping[str, StoredTable],
    derive_from: str | None,
    *,
    observed_until: Moment | None,
    as_of: Moment | None,
) -> tuple[DiskTables, list[Counted]]:
    """Find which rows repeat an id, until when the data were observed, and what then counts."""
    rows = {name: _Rows(connection, into, table) for name, table in listed.items()}
    events = {name: each for name, each in rows.items() if name != "accounts"}
    repeats = [one for each in events.values() for one in each.find_repeats()]
    accounts = rows.get("accounts")
    until = end_of_observation(events, accounts, observed_until, as_of)
    resolved = {name: each.resolved(until) for name, each in rows.items()}
    telling = [accounts] if accounts is not None else [events[derive_from]] if derive_from in events else list(events.values())
    buckets = sorted({number for each in telling for number in each.numbers(until)})
    if not buckets:
        raise refuse_no_accounts(accounts is not None)
    return DiskTables(into, until, tuple(buckets), resolved, derive_from), repeats


@dataclass
class _Rows:
    """The rows of one table on disk."""

    connection: Any
    into: Path
    table: StoredTable

    @property
    def files(self) -> str:
        return parquet_files(self.into, [source.folder for source in self.table.sources])

    @property
    def has_rows(self) -> bool:
        return bool(self.files)

    @property
    def date_only(self) -> set[str]:
        return {name for source in self.table.sources for name in source.date_only}

    def times(self) -> list[str]:
        return self.table.times

    def written(self, column: str) -> str:
        return f"epoch_us({quoted_name(column)})"

    def instant(self, column: str) -> str:
        """Write a time column as the instant from which it is known."""
        return self.written(column) + (f" + {DAY - 1}" if column in self.date_only else "")

    def own(self) -> str:
        return f"coalesce({', '.join(map(self.instant, self.times()))}, NULL)"

    def own_written(self) -> str:
        return f"coalesce({', '.join(map(self.written, self.times()))}, NULL)"

    def counting(self) -> str:
        """Name the rows without those that repeat an id."""
        repeats = parquet_files(self.into, [self.table.repeats]) if self.table.repeats else ""
        if not repeats:
            return self.files
        row = quoted_name(ROW)
        return f"(SELECT * FROM {self.files} AS kept ANTI JOIN {repeats} AS repeated ON kept.{row} = repeated.{row})"

    def ask(self, sql: str) -> Any:
        return self.connection.execute(sql).fetchall()

    def find_repeats(self) -> list[Counted]:
        """Put aside which rows have an id that another row had before them."""
        key = SCHEMAS[self.table.name].row_id if self.table.name in SCHEMAS else None
        if key is None or key not in self.table.columns or not self.files:
            return []
        known = f"greatest({self.own()}, {self.instant('known_at')})" if "known_at" in self.table.columns else self.own()
        told = SCHEMAS[self.table.name].version
        version = quoted_name(told) if told in self.table.columns else "NULL"
        row = quoted_name(ROW)
        named = (
            f"SELECT {BUCKET}, {row}, account_id, {quoted_name(key)} AS id, {version} AS version, {known} AS known "
            f"FROM {self.files} WHERE {quoted_name(key)} IS NOT NULL"
        )
        folder = f"{self.table.sources[0].folder}-repeats"
        self.connection.execute(
            f"CREATE TABLE repeats AS WITH named AS ({named}), "
            "several AS (SELECT id, version FROM named GROUP BY ALL HAVING count(*) > 1) "
            f"SELECT {row}, {BUCKET}, id FROM (SELECT named.*, row_number() OVER (PARTITION BY named.id, named.version "
            f"ORDER BY known, {row}) AS place FROM named SEMI JOIN several "
            "ON named.id = several.id AND named.version IS NOT DISTINCT FROM several.version) WHERE place > 1"
        )
        count, shown = self.ask("SELECT count(*), list(DISTINCT id)[:3] FROM repeats")[0]
        of_repeats = f"SELECT id, version, account_id FROM ({named}) WHERE id IN (SELECT id FROM repeats)"
        several = f"SELECT 1 FROM ({of_repeats}) GROUP BY id, version HAVING count(DISTINCT account_id) > 1"
        across = self.ask(f"SELECT count(*) FROM ({several})")[0][0] if count else 0
        with one_writer(self.connection):
            rows = "SELECT * EXCLUDE (id) FROM repeats"
            self.connection.execute(f"COPY ({rows}) TO {quoted_text(str(self.into / folder))} ({IN_BUCKETS})")
        self.connection.execute("DROP TABLE repeats")
        if not count:
            return []
        self.table = replace(self.table, repeats=folder)
        return [repeated_ids(self.table.name, key, int(count), int(across), tuple(shown))]

    def latest_arrival(self) -> int | None:
        if "known_at" not in self.table.columns or not self.files:
            return None
        return self._instant(f"SELECT max({self.instant('known_at')}) FROM {self.counting()}")

    def latest(self, limit: int | None) -> int | None:
        """Return the latest own time, of the rows that are written at or before a limit."""
        if not self.files:
            return None
        return self._instant(f"SELECT max({self.own()}) FROM {self.counting()}{self._written_by(limit)}")

    def by_day(self, limit: int | None) -> dict[int, int]:
        """Count the rows of each day, of the rows that are written at or before a limit."""
        counted = f"SELECT {self.own()} // {DAY} AS day, count(*) FROM {self.counting()}{self._written_by(limit)} GROUP BY day"
        return {int(day): int(rows) for day, rows in self.ask(counted) if day is not None} if self.files else {}

    def _written_by(self, limit: int | None) -> str:
        # a date is compared as written: its row may have arrived within that day
        return "" if limit is None else f" WHERE {self.own_written()} <= {limit}"

    def before(self, until: int) -> str:
        """Name the rows that are not dated later than the data were observed; accounts stay whatever their date."""
        if self.table.name == "accounts":
            return self.counting()
        versions = f" AND coalesce({self.instant('valid_from')} < {until}, TRUE)" if "valid_from" in self.table.columns else ""
        return f"(SELECT * FROM {self.counting()} WHERE {self.own()} < {until}{versions})"

    def resolved(self, until: int) -> StoredTable:
        if not self.files:
            return self.table
        first = f"min({self.own()})" if self.times() else "NULL"
        count, earliest = self.ask(f"SELECT count(*), {first} FROM {self.before(until)}")[0]
        return replace(self.table, rows=int(count), first=None if earliest is None else int(earliest))

    def numbers(self, until: int) -> list[int]:
        if not self.files:
            return []
        return [int(row[0]) for row in self.ask(f"SELECT DISTINCT {BUCKET} FROM {self.before(until)}")]

    def _instant(self, sql: str) -> int | None:
        found = self.ask(sql)[0][0]
        return None if found is None else int(found)
