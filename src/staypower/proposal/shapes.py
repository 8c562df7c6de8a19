"""What the shape of a file says where its words do not: few rows of an account, a time that is partly blank, a unique id."""

from __future__ import annotations

from collections.abc import Mapping

from staypower.proposal.facts import ColumnFacts, FileFacts, words_of
from staypower.proposal.links import Link
from staypower.proposal.vocabulary import concepts
from staypower.schemas import SCHEMAS

__all__ = ["by_shape", "is_contract_like"]

Taken = Mapping[str, tuple[float, ColumnFacts]]

_FEW_ROWS = 3  # contracts of an account
_PARTLY = 0.97  # of the rows: a time that is filled in less often has not happened yet
_STABLE = 50  # distinct words of a category
_SHAPE = 0.4  # how sure such a guess is
# what the only words may be
_WORDS = {"usage": "event", "tickets": "category", "orders": "product", "subscriptions": "plan"}


def is_contract_like(file: FileFacts, link: Link) -> bool:
    """Say whether an account has few rows, as with contracts."""
    return file.rows <= _FEW_ROWS * max(link.column.distinct, 1)


def by_shape(table: str, file: FileFacts, link: Link, taken: Taken) -> dict[str, tuple[float, ColumnFacts]]:
    """Return columns that the shape gives to a table beside those that were matched by name."""
    found = dict(taken)
    if table == "subscriptions" and is_contract_like(file, link):
        found |= _start_and_end(file, found)
    row_id = SCHEMAS[table].row_id if table in SCHEMAS else None
    if row_id in ("ticket_id", "subscription_id", "payment_id") or table == "orders":
        ids = [column for column in _left(file, link, found) if column.may_be_id and file.unique(column)]
        name = row_id or "order_id"
        if name not in found and ids:
            found[name] = (_SHAPE, ids[0])
    name = _WORDS.get(table, "")
    if name and name not in found:
        words = [column for column in _left(file, link, found) if _is_category(column)]
        if len(words) == 1:
            found[name] = (0.3, words[0])
    return found


def _start_and_end(file: FileFacts, taken: Taken) -> dict[str, tuple[float, ColumnFacts]]:
    """Take a time that is always there for the start of a contract, and one that is partly blank for its end."""
    used = [column for _, column in taken.values()]
    times = [column for column in file.columns if column.times and column not in used]
    partly = [column for column in times if 0 < column.filled < _PARTLY * file.rows]
    whole = [column for column in times if column.filled == file.rows]
    found = {}
    if "ended_at" not in taken and len(partly) == 1 and "cancel_requested_at" not in taken:
        found["ended_at"] = (0.5, partly[0])
    if "started_at" not in taken and whole:
        found["started_at"] = (_SHAPE, whole[0])
    return found


def _left(file: FileFacts, link: Link, taken: Taken) -> list[ColumnFacts]:
    used = [link.column, *(column for _, column in taken.values())]
    return [column for column in file.columns if column not in used]


def _is_category(column: ColumnFacts) -> bool:
    few = column.is_category and not column.is_flag and 1 < column.distinct <= _STABLE
    return few and "status" not in concepts(words_of(column.name))
