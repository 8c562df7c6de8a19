"""Check the keys of the `tables` section, where a key that is no setting names a column, so that a typo is easily missed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from staypower.config.problems import Origins, unknown_key
from staypower.config.reading import Value
from staypower.errors import Problem, nearest
from staypower.schemas import SCHEMAS
from staypower.sources.settings import RESERVED

__all__ = ["table_problems"]

_NEAR = 0.82


def table_problems(raw: Value, origins: Origins) -> Iterator[Problem]:
    """Find keys under `tables` that are neither settings nor columns of their table.

    >>> from staypower.config.problems import Origins
    >>> [str(problem) for problem in table_problems({"usage": {"source": "u.csv", "acount_id": "a", "at": "t"}}, Origins())]
    ['unknown key: `tables.usage.acount_id` (config). Fix: write `account_id`.']
    """
    if not isinstance(raw, dict):
        return
    for table, written in raw.items():
        if table not in SCHEMAS:
            yield from _misnamed(table, written, raw, origins)
        entries = written if isinstance(written, list) else [written]
        for number, entry in enumerate(entries):
            path = f"tables.{table}.{number}" if isinstance(written, list) else f"tables.{table}"
            if isinstance(entry, dict):
                yield from _in_source(table, entry, path, origins)


def _misnamed(table: str, written: Value, tables: Mapping[str, Value], origins: Origins) -> Iterator[Problem]:
    near = _near(table, [name for name in SCHEMAS if name not in tables])
    declared = any(
        isinstance(entry, dict) and "columns" in entry for entry in (written if isinstance(written, list) else [written])
    )
    if near and not declared:
        fix = f"write `{near}`, or declare a table of your own with `columns:`"
        yield Problem("unknown table", f"`tables.{table}` ({origins.of(f'tables.{table}')})", fix)


def _in_source(table: str, entry: Mapping[str, Value], path: str, origins: Origins) -> Iterator[Problem]:
    declared = entry.get("columns")
    known = [*(SCHEMAS[table].names if table in SCHEMAS else ("account_id", "known_at")), *RESERVED]
    free = table == "accounts" or table not in SCHEMAS
    for key, value in entry.items():
        if key in known or key == "mapping" or (isinstance(declared, dict) and key in declared):
            continue
        near = _near(key, [name for name in known if name not in entry])
        if not free:
            yield unknown_key(f"{path}.{key}", known, origins)
        elif near or isinstance(value, (list, dict)):
            yield Problem("unknown key", f"`{path}.{key}` ({origins.of(f'{path}.{key}')})", nearest(key, known, count=8))


def _near(word: str, known: list[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word.casefold(), known, n=1, cutoff=_NEAR)), None)
