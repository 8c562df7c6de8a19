"""Accounts that were merged: ids that stand for another id, followed to the account that is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from staypower.errors import UsageError
from staypower.sources.opening import open_source
from staypower.sources.settings import TableSource
from staypower.sources.values import as_text, quoted_text

__all__ = ["aliases_of", "followed"]


def aliases_of(sources: Mapping[str, Sequence[TableSource]], folder: Path, objects: Mapping[str, object]) -> pa.Table | None:
    """Read the ids that stand for another, and the account each leads to; None where none are given."""
    given = next((source.aliases for source in sources.get("accounts", ()) if source.aliases is not None), None)
    if given is None:
        return None
    place = "tables.accounts.aliases"
    with open_source(TableSource(source=given.source, table=given.table, query=given.query), place, folder, objects) as opened:
        for name in (given.given, given.kept):
            if name not in opened.columns:
                raise UsageError.of("the source has no such column", f"{place}: {name}", "write a column of the source")
        old, new = (f"trim({as_text(opened.columns[name])})" for name in (given.given, given.kept))
        if given.separator is not None:
            old = f"trim(unnest(string_split({old}, {quoted_text(given.separator)})))"
        sql = f"SELECT DISTINCT one, other FROM (SELECT {old} AS one, {new} AS other FROM {opened.relation})"
        rows = opened.connection.execute(f"{sql} WHERE one <> '' AND other <> ''").fetchall()
        pairs = [(str(row[0]), str(row[1])) for row in rows]
    leads = followed(pairs, place)
    return pa.table({"given": pa.array(list(leads), pa.string()), "kept": pa.array(list(leads.values()), pa.string())})


def followed(pairs: Sequence[tuple[str, str]], place: str) -> dict[str, str]:
    """Follow chains of merged ids to their last; refuse an id that leads to two, or back to itself.

    >>> followed([("a", "b"), ("b", "c")], "")
    {'a': 'c', 'b': 'c'}
    """
    leads: dict[str, str] = {}
    for given, kept in pairs:
        if given == kept:
            continue
        if leads.setdefault(given, kept) != kept:
            fix = "keep the account that it was merged into last"
            raise UsageError.of("an id was merged into two accounts", f"{place}: {given} into {leads[given]} and {kept}", fix)
    found: dict[str, str] = {}
    for given in leads:
        path = [given]
        while path[-1] in leads:
            step = leads[path[-1]]
            if step in path:
                fix = "correct the row that closes the circle"
                raise UsageError.of("merged ids go round in a circle", f"{place}: {' -> '.join([*path, step])}", fix)
            path.append(step)
        found[given] = path[-1]
    return found
