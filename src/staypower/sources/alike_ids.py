"""Ids that name an account in another way: in other case, with blanks or zeros, with something fixed before or after.

They are never merged. A way to bring them together is tried on all of them before it is printed, and is not printed where it
would make one account of two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.sources.advice import written_name
from staypower.sources.findings import Counted, Finding
from staypower.sources.settings import TableSource
from staypower.sources.values import Value, quoted_text
from staypower.sources.working_database import hide_progress_bar

__all__ = ["name_alike_ids", "written_ids"]

_SAMPLE = 500
_LONGEST = 30  # letters of what is fixed before or after
_MOST = 0.8  # of the unknown ids must lead to an account by a way that was guessed
_SALESFORCE = (15, 18)  # letters of its ids, without and with a check at the end
_FEWEST = 3  # ids must, too: fewer are chance
_AS_IT_IS = "{id}"
_FOLDED = "ids that differ only in leading zeros, case or surrounding blanks"


@dataclass(frozen=True)
class _Way:
    """How the ids of a table become those of accounts: expressions of `{id}`."""

    words: str
    own: str
    others: str = _AS_IT_IS  # how the ids of accounts must be changed, too
    apart: str = ""  # under which no two accounts may be the same, where it is not that
    guessed: bool = False  # whether it was read off the ids, so that chance may have made it


@dataclass(frozen=True)
class _Advice:
    way: _Way
    led: int  # how many unknown ids it leads to an account
    unknown: pa.Array
    fix: str


def written_ids(sources: Mapping[str, Sequence[TableSource]]) -> dict[str, str]:
    """Say how each table's mapping writes its account, as an expression takes it; one that finds it by another id is left out.

    >>> written_ids({"usage": [TableSource(mapping={"account_id": "Customer ID"})], "tickets": [TableSource(key_via="usage")]})
    {'usage': '"Customer ID"'}
    """
    written = {}
    for name, listed in sources.items():
        given = {str(source.mapping.get("account_id", "account_id")) for source in listed if source.key_via is None}
        if len(given) == 1:
            (text,) = given
            written[name] = text if "(" in text else written_name(text)
    return written


def name_alike_ids(ids: Mapping[str, pa.Array], written: Mapping[str, str], *, derived: bool) -> list[Counted]:
    """Name ids that are another way to write a known one; `ids` are the different ones of each table, unknown ones included.

    Where accounts are derived from the tables every id is one: then a table that shares hardly an id with the largest is named.
    """
    texts = {name: own.cast(pa.string()) for name, own in ids.items()}
    if not derived:
        known = texts["accounts"]
        return [
            one for name, own in texts.items() for one in _named(name, own, known, _advice(name, "accounts", texts, written))
        ]
    found = _named("accounts", texts["accounts"], texts["accounts"], None)
    given = {name: own for name, own in texts.items() if name != "accounts"}
    largest = max(given, key=lambda name: len(given[name]), default="")
    for name, own in given.items():
        advice = _advice(name, largest, texts, written) if name != largest else None
        if advice is not None and len(advice.unknown) >= _MOST * len(own):
            found.append(_finding(name, largest, advice))
    return found


def _named(table: str, own: pa.Array, known: pa.Array, advice: _Advice | None) -> list[Counted]:
    """Name ids that differ from a known one in leading zeros, case or blanks only, and what else leads to a known one."""
    if advice is not None and advice.way.guessed:
        return [_finding(table, "accounts", advice)]
    every = pc.unique(pa.chunked_array([known, own]))
    folded = pc.utf8_ltrim(pc.utf8_lower(pc.utf8_trim_whitespace(every)), characters="0").dictionary_encode().indices
    codes = np.asarray(folded)
    alike = np.bincount(codes, minlength=1)[codes] > 1 if len(codes) else np.zeros(0, dtype=bool)
    mine = np.asarray(pc.is_in(every, value_set=own))
    # only groups that hold an id of this table
    touched = np.isin(codes, codes[mine]) & alike
    if not touched.any():
        return []
    order = np.argsort(codes[touched], kind="stable")[:4]
    shown = tuple(repr(value) for value in every.filter(pa.array(touched)).take(pa.array(order)).to_pylist())
    fix = "list them in an alias table (`aliases` of `accounts`) if they are one account, or fix the source"
    if advice is not None:
        fix = f"{advice.fix}: {advice.led:,} of {len(advice.unknown):,} unknown ids are then those of accounts"
    problem = f"{int(touched.sum()):,} {_FOLDED}"
    return [Counted(Finding("warning", table, "account_id", 0, problem, "taken as different accounts", fix, shown))]


def _finding(table: str, other: str, advice: _Advice) -> Counted:
    problem = f"{advice.led:,} of {len(advice.unknown):,} ids that are not in {other} are there {advice.way.words}"
    shown = tuple(repr(value) for value in advice.unknown[:3].to_pylist())
    return Counted(Finding("warning", table, "account_id", 0, problem, "taken as different accounts", advice.fix, shown))


def _advice(table: str, other: str, ids: Mapping[str, pa.Array], written: Mapping[str, str]) -> _Advice | None:
    """Return the way that leads the most unknown ids of a table to those of another."""
    own, known = ids[table], ids[other]
    unknown = own.filter(pc.invert(pc.is_in(own, value_set=known)))
    if not len(unknown) or not len(known) or table not in written:
        return None
    with duckdb.connect() as connection:
        for name, each in (("own", own), ("unknown", unknown), ("known", known)):
            connection.register(name, pa.table({"id": each}))
        hide_progress_bar(connection)
        ways = [way for way in _ways(connection) if way.others == _AS_IT_IS or other in written]
        led = {way: _led(connection, way) for way in ways}
    least = max(_FEWEST, _MOST * len(unknown))
    enough = [way for way in ways if led[way] and (led[way] >= least or not way.guessed)]
    if not enough:
        return None
    way = max(enough, key=lambda one: led[one])
    fix = f"write `{_of(way.own, written[table])}` for `account_id` of {table}"
    if way.others != _AS_IT_IS:
        fix += f" and `{_of(way.others, written[other])}` for that of {other}"
    return _Advice(way, led[way], unknown, fix)


def _ways(connection: duckdb.DuckDBPyConnection) -> Iterator[_Way]:
    """Give the ways that may lead ids to accounts, the simplest first."""
    yield _Way("without surrounding blanks", "trim({id})", apart="trim({id})")
    for bare in ("{id}", "trim({id})"):
        folded = f"lower({bare})"
        yield _Way("in lower case", folded, apart=folded)
        yield _Way("in upper case", f"upper({bare})", apart=folded)
        yield _Way("in other case", folded, "lower({id})", apart=folded)
    bare = "coalesce(try_cast({id} as bigint)::varchar, {id})"
    yield _Way("without leading zeros", bare, apart=bare)
    low, high, length = connection.execute(
        "SELECT min(length(id)), max(length(id)), (SELECT min(length(id)) FROM unknown) FROM known"
    ).fetchall()[0]
    if low == high:
        padded = f"right(concat('{'0' * low}', {{id}}), {low})"
        yield _Way("with leading zeros", f"case when length({{id}}) < {low} then {padded} else {{id}} end", apart=bare)
    if low == high == _SALESFORCE[0] and length == _SALESFORCE[1]:
        yield _Way(f"by their first {low} letters", f"left({{id}}, {low})", guessed=True)
    for begins in (True, False):
        yield from _with_affix(connection, begins=begins)


def _with_affix(connection: duckdb.DuckDBPyConnection, *, begins: bool) -> Iterator[_Way]:
    """Give the ways that take something fixed off the beginning or end of ids, or put it there."""
    where = "before" if begins else "after"
    for longer, shorter in (("unknown", "known"), ("known", "unknown")):
        fixed = _commonest(connection, longer, shorter, begins=begins)
        if not fixed:
            continue
        text, size = quoted_text(fixed), len(fixed)
        has = f"starts_with({{id}}, {text})" if begins else f"right({{id}}, {size}) = {text}"
        if longer == "unknown":
            rest = f"substr({{id}}, {size + 1})" if begins else f"left({{id}}, length({{id}}) - {size})"
            yield _Way(f"without {text} {where} them", f"case when {has} then {rest} else {{id}} end", guessed=True)
        else:
            whole = f"concat({text}, {{id}})" if begins else f"concat({{id}}, {text})"
            yield _Way(f"with {text} {where} them", f"case when {has} then {{id}} else {whole} end", guessed=True)


def _commonest(connection: duckdb.DuckDBPyConnection, longer: str, shorter: str, *, begins: bool) -> str:
    """Return what most often stands before or after a shorter id in a sample of the longer ones; digits are chance."""
    fixed, rest = ("left(id, k)", "substr(id, k + 1)") if begins else ("right(id, k)", "left(id, length(id) - k)")
    sample = f"(SELECT id FROM {longer} ORDER BY hash(id) LIMIT {_SAMPLE}), range(1, {_LONGEST + 1}) AS lengths(k)"
    cut = f"SELECT {fixed} AS fixed, {rest} AS rest FROM {sample} WHERE k < length(id)"
    told = f"rest IN (SELECT id FROM {shorter}) AND NOT regexp_full_match(fixed, '[0-9]+')"
    asked = f"SELECT fixed FROM ({cut}) WHERE {told} GROUP BY fixed ORDER BY count(*) DESC, fixed LIMIT 1"
    return "".join(str(row[0]) for row in connection.execute(asked).fetchall())


def _led(connection: duckdb.DuckDBPyConnection, way: _Way) -> int:
    """Count the unknown ids that a way leads to an account; none where it leads a known one elsewhere, or merges two."""
    own, others = _sql(way.own), _sql(way.others)
    apart = _sql(way.apart or way.others)
    (merged,) = connection.execute(f"SELECT count(*) - count(DISTINCT {apart}) FROM known").fetchall()[0]
    if merged:
        return 0
    led = f"SELECT id, {own} AS led FROM own"
    joined = f"FROM ({led}) AS own LEFT JOIN (SELECT id AS now, {others} AS target FROM known) ON led = target"
    known = "id IN (SELECT id FROM known)"
    moved = f"count(*) FILTER (WHERE {known} AND now IS DISTINCT FROM id)"
    there = f"count(*) FILTER (WHERE NOT {known} AND now IS NOT NULL)"
    elsewhere, found = connection.execute(f"SELECT {moved}, {there} {joined}").fetchall()[0]
    return 0 if elsewhere else int(found)


def _of(expression: str, name: str) -> str:
    return expression.replace(_AS_IT_IS, name)


def _sql(expression: str) -> str:
    from staypower.sources.expressions import compile_expression  # the parser takes long to load

    return compile_expression(_of(expression, "id"), {"id": Value('"id"', "text")}, "account_id").value.sql
