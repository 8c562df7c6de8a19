"""Sources whose columns are known before their rows are read: planned, and asked what they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from staypower.schemas import SCHEMAS
from staypower.sources.accounts import name_left_attributes
from staypower.sources.disk_tables import StoredSource
from staypower.sources.extracting import ColumnFacts, Extract
from staypower.sources.findings import Counted
from staypower.sources.planning import Plan
from staypower.sources.settings import TableSource

__all__ = ["PlannedSource", "without_clock"]


@dataclass(frozen=True)
class PlannedSource:
    """One source, planned, and what was learned of its columns.

    >>> facts = {"account_id": ColumnFacts("id", 9), "at": ColumnFacts("time", 9, date_only=True)}
    >>> plan = Plan((), None, frozenset(), frozenset(), ())
    >>> PlannedSource(TableSource(), "tables.usage", plan, facts).outline("usage", "0-0", frozenset({"at"})).date_only
    ('at',)
    """

    source: TableSource
    place: str  # where it stands in the configuration, for messages
    plan: Plan
    facts: Mapping[str, ColumnFacts]  # what all its rows together say of each column

    def findings(self, table: str) -> list[Counted]:
        """Say what is worth knowing about its columns."""
        found = [one for name, facts in self.facts.items() for one in facts.findings(table, name)]
        if table == "accounts":
            left = Extract(pa.table({}), {name: facts.kind for name, facts in self.facts.items()}, usable=self.plan.usable)
            name_left_attributes(left, self.plan, self.source)
            found += left.findings
        return found

    def outline(self, table: str, folder: str, date_only: frozenset[str], *, via_dated: bool = False) -> StoredSource:
        """Say what its rows are when they are stored."""
        kinds = {name: facts.kind for name, facts in self.facts.items()}
        via = self.source.key_via
        if via is not None:
            key = SCHEMAS[via].row_id or ""
            if table in SCHEMAS and SCHEMAS[table].column(key) is None:
                del kinds[key]
            kinds["account_id"] = "id"
        extract = Extract(pa.table({}), kinds, usable=self.plan.usable)
        if table == "accounts":
            name_left_attributes(extract, self.plan, self.source)
        texts = tuple(c.name for c in self.plan.columns if c.kind is None and kinds.get(c.name) == "number")
        dated = tuple(name for name in kinds if name in date_only)
        usable = tuple(sorted(extract.usable))
        return StoredSource(folder, kinds, dated, usable, texts, self.source.decimal, via, via_dated)


def without_clock(sources: Sequence[Mapping[str, ColumnFacts]]) -> frozenset[str]:
    """Name the time columns that have no clock in any source that fills them.

    >>> day, clock = ColumnFacts("time", 9, date_only=True), ColumnFacts("time", 9)
    >>> sorted(without_clock([{"at": day, "known_at": day}, {"at": clock}]))
    ['known_at']
    """
    found = set()
    for column in {name for facts in sources for name in facts}:
        telling = [facts[column] for facts in sources if column in facts]
        filling = [facts for facts in telling if facts.filled or facts.date_only]
        if filling and all(facts.date_only for facts in filling):
            found.add(column)
    return frozenset(found)
