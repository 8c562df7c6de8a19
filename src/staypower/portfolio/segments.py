"""The segment of every account in every period: the one it had when the period began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from staypower.cutoffs import entry
from staypower.errors import Problem, UsageError, nearest
from staypower.labels.settings import text_of_value
from staypower.spells import number_accounts
from staypower.tables import SCHEMAS, Table, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ALL", "BLANK", "Segmentation", "everybody", "find_segmentations"]

ALL, BLANK = "all", "(blank)"
_DEFAULT = "segment"
_MOST_VALUES = 100


@dataclass(frozen=True)
class Segmentation:
    """Which segment each account is counted in.

    >>> everybody(2, 3).codes.tolist()
    [[0, 0, 0], [0, 0, 0]]
    """

    column: str  # attribute of `accounts`, or `all`
    values: tuple[str, ...]  # segments in alphabetical order, `(blank)` last
    codes: NDArray[np.int64]  # shape (n_accounts, k): Position in `values`, for each account and period


def everybody(accounts: int, periods: int) -> Segmentation:
    """Put all accounts into one segment."""
    return Segmentation(ALL, (ALL,), np.zeros((accounts, periods), dtype=np.int64))


def find_segmentations(
    tables: Tables, columns: Sequence[str] | None, *, accounts: Sequence[str], starts: NDArray[np.int64]
) -> tuple[Segmentation, ...]:
    """Find everybody's segment at the start of each period.

    Where `accounts` holds versions, the last one with `valid_from` before the period's start counts; an account that began
    later is counted by its first version. An attribute without versions must be declared `static`.

    >>> import pyarrow as pa
    >>> time = lambda *values: pa.array(values, pa.timestamp("us", "UTC"))
    >>> rows = pa.table({"account_id": ["a", "a"], "valid_from": time(1, 5), "segment": ["small", "large"]})
    >>> tables = Tables({"accounts": Table(SCHEMAS["accounts"], rows)}, 9)
    >>> _, found = find_segmentations(tables, None, accounts=["a"], starts=np.array([0, 5, 6]))
    >>> [found.values[code] for code in found.codes[0]]
    ['small', 'small', 'large']
    """
    table = tables["accounts"]
    wanted = columns if columns is not None else [name for name in [_DEFAULT] if table.has(name) and not _problem(table, name)]
    problems = [problem for problem in (_problem(table, name) for name in wanted) if problem is not None]
    if problems:
        raise UsageError(problems)
    found = tuple(_segmentation(table, name, accounts, starts) for name in wanted)
    return (everybody(len(accounts), len(starts)), *found)


def _problem(table: Table, name: str) -> Problem | None:
    canonical = set(SCHEMAS["accounts"].names)
    attributes = [column for column in table.data.column_names if column not in canonical]
    place = f"portfolio.segments: {name}"
    if name not in attributes:
        return Problem("not an attribute of the accounts", place, nearest(name, attributes))
    if not table.has("valid_from") and name not in table.fixed:
        return Problem(
            "the attribute may have changed since", place, f"declare it (`static: [{name}]` of `accounts`), or map `valid_from`"
        )
    distinct = len(set(_words(table, name)[1]))
    if distinct > _MOST_VALUES:
        fix = f"name an attribute with at most {_MOST_VALUES} values"
        return Problem(f"{distinct:,} values are too many for segments", place, fix)
    return None


def _words(table: Table, name: str) -> tuple[NDArray[np.int64], list[str]]:
    """Return each row's word as a number, and the words; blank is a word."""
    values = table.data.column(name).combine_chunks()
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    texts = [BLANK if pd.isna(value) else _text(value) for value in encoded.dictionary.to_pylist()] + [BLANK]
    numbers = np.asarray(encoded.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False), dtype=np.int64)
    return numbers, texts


def _text(value: object) -> str:
    text = value.strip() if isinstance(value, str) else text_of_value(value)
    return text or BLANK


def _segmentation(table: Table, name: str, accounts: Sequence[str], starts: NDArray[np.int64]) -> Segmentation:
    numbers, words = _words(table, name)
    values = (*sorted(set(words) - {BLANK}), BLANK)
    code = np.array([values.index(word) for word in words], dtype=np.int64)[numbers]
    account = number_accounts(table, accounts)
    shape = (len(accounts), len(starts))
    codes = np.full(shape, len(values) - 1, dtype=np.int64)
    own = np.flatnonzero(account >= 0)
    if table.has("valid_from"):
        valid_from = table.instants("valid_from")
        order = own[np.lexsort((own, valid_from[own]))]
        codes[account[order[::-1]]] = code[order[::-1]][:, None]
        entered = entry(valid_from[order], starts)
        seen = entered < len(starts)
        latest = np.zeros(shape, dtype=np.int64)
        np.maximum.at(latest, (account[order][seen], entered[seen]), np.flatnonzero(seen) + 1)
        latest = np.maximum.accumulate(latest, axis=1)
        codes = np.where(latest > 0, np.append(0, code[order])[latest], codes)
    else:
        codes[account[own[::-1]]] = code[own[::-1]][:, None]
    used = values if (codes == len(values) - 1).any() else values[:-1]
    return Segmentation(name, used, codes)
