"""Account keys: compared, and found through the id of another table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staypower.cutoffs import DAY, MISSING
from staypower.schemas import SCHEMAS
from staypower.sources.drafts import Draft, assemble
from staypower.sources.extracting import Extract
from staypower.sources.findings import Counted, Finding
from staypower.tables import numbered

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["comparable", "join_account", "keep_found", "positions", "shared_ids", "whole_days"]


def positions(ids: pa.ChunkedArray, known: pa.Array) -> NDArray[np.int64]:
    """Find each id among the known ones: its place, -1 where it is not there.

    >>> positions(pa.chunked_array([["b", "x"]]), pa.array(["a", "b"])).tolist()
    [1, -1]
    """
    if pa.types.is_dictionary(ids.type):
        numbers, words = numbered(ids)
        return np.append(positions(pa.chunked_array([words]), known), -1)[numbers]
    found = pc.fill_null(pc.index_in(ids, value_set=_written_out(known)), -1)
    return np.asarray(found.to_numpy(), dtype=np.int64)


def _written_out(texts: pa.Array) -> pa.Array:
    return texts.cast(pa.string()) if pa.types.is_dictionary(texts.type) else texts


def comparable(
    first: NDArray[np.int64], second: NDArray[np.int64], *, days: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bring two times to whole days when one of them has no clock, since more is not known.

    >>> comparable(np.array([DAY + 5]), np.array([DAY]), days=True)[0].tolist()
    [86400000000]
    """
    if not days:
        return first, second
    return whole_days(first), whole_days(second)


def whole_days(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bring times to the beginning of their UTC day.

    >>> whole_days(np.array([DAY + 5, MISSING])).tolist() == [DAY, MISSING]
    True
    """
    return np.where(times == MISSING, MISSING, times // DAY * DAY)


def join_account(name: str, extract: Extract, via: Draft) -> None:
    """Find `account_id` through the id of another table: that of the first row with the id."""
    key = SCHEMAS[via.name].row_id or ""
    codes = numbered(via.table.data.column(key))[0]
    order = np.argsort(codes, kind="stable")
    numbers, first = np.unique(codes[order], return_index=True)
    rows = order[first][numbers >= 0]
    place = positions(extract.data.column(key), via.table.data.column(key).take(pa.array(rows)).combine_chunks())
    taken = np.where(place >= 0, rows[np.maximum(place, 0)] if len(rows) else 0, 0)
    accounts = via.table.data.column("account_id").take(pa.array(taken, mask=place < 0))
    start = SCHEMAS[via.name].times[0]
    starts = via.table.midnights(start)[taken] if via.table.has(start) and len(rows) else np.full(len(taken), MISSING)
    extract.data = extract.data.append_column("account_id", accounts)
    extract.kinds["account_id"] = "id"
    keep_found(name, extract, via.name, extract.data.column(key), starts, dated=start in via.table.date_only)
    if name in SCHEMAS and SCHEMAS[name].column(key) is None:
        extract.data = extract.data.drop_columns([key])
        del extract.kinds[key]
    known = np.unique(np.stack([codes, numbered(via.table.data.column("account_id"))[0]]), axis=1)
    pairs = known[0, (known[0] >= 0) & (known[1] >= 0)]
    via.findings += shared_ids(via.name, int((np.unique(pairs, return_counts=True)[1] > 1).sum()), via.findings)


def keep_found(name: str, extract: Extract, via: str, keys: pa.ChunkedArray, starts: NDArray[np.int64], *, dated: bool) -> None:
    """Keep the rows whose account was found; name the others, and rows older than what they belong to."""
    accounts, key = extract.data.column("account_id"), SCHEMAS[via].row_id or ""
    lost = accounts.null_count
    if lost:
        shown = tuple(str(value) for value in pc.unique(keys.filter(pc.is_null(accounts)))[:3].to_pylist())
        problem, fix = f"rows whose `{key}` is not in {via}", f"complete {via}, or fix the ids"
        extract.findings.append(Counted(Finding("warning", name, key, lost, problem, "dropped", fix, shown)))
        kept = np.asarray(pc.is_valid(accounts))
        extract.data, starts = extract.data.filter(pa.array(kept)), starts[kept]
        if extract.repeated is not None:
            extract.repeated = extract.repeated[kept]
    table, start = assemble(name, [extract]).table, SCHEMAS[via].times[0]
    own = next((column for column in table.schema.times if table.has(column)), None)
    if own is None:
        return
    times, starts = comparable(table.midnights(own), starts, days=(own in table.date_only) != dated)
    early = int(((times != MISSING) & (starts != MISSING) & (times < starts)).sum())
    if early:
        problem = f"rows before the start of the {via[:-1]} that they belong to"
        meaning = f"kept: they count as activity of the account, although {via}.{start} says otherwise"
        extract.findings.append(Counted(Finding("warning", name, own, early, problem, meaning, "fix one of the two dates")))


def shared_ids(via: str, ids: int, before: Sequence[Counted] = ()) -> list[Counted]:
    """Name ids of the joining table that belong to several accounts, once."""
    problem, meaning = "ids that belong to several accounts", "rows found through them go to the first account"
    found = Counted(Finding("warning", via, SCHEMAS[via].row_id or "", ids, problem, meaning))
    return [found] if ids and found not in before else []
