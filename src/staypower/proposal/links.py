"""Which column of each file is the account, and how files without one reach it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from staypower.proposal.facts import ColumnFacts, FileFacts, contained, words_of
from staypower.proposal.vocabulary import likeness, vocabulary

__all__ = ["Link", "find_links"]

_SHARED = 0.7  # of the values of a column that are in another, so that it points there
_NAMED = 0.4  # how much a column's name is like that of an account
_EMAIL = 0.5  # how much an address says that people are the accounts
_SMALL = 1_000_000  # whole numbers below this lie in each other by chance


@dataclass(frozen=True)
class Link:
    """How the rows of a file belong to accounts."""

    column: ColumnFacts  # the account's id, or the id of a row of another file
    through: str = ""  # the name of that file; empty where the column is the account's id
    key: str = ""  # the column of that file
    share: float = 1.0  # of its values that are there
    master: bool = False  # whether each row of the file is one account


def find_links(files: Sequence[FileFacts]) -> Mapping[str, Link]:
    """Find the file of accounts, if there is one, and the account of every other file; files without any are left out."""
    master = _master(files)
    found: dict[str, Link] = {}
    if master is not None:
        found[master[0].name] = Link(master[1], master=True)
    for file in files:
        if file.name not in found:
            link = _to(file, *master) if master is not None else _by_name(file, files)
            if link is not None:
                found[file.name] = link
    for file in files:
        if file.name not in found:
            link = _through(file, [other for other in files if other.name in found and not found[other.name].master])
            if link is not None:
                found[file.name] = link
    return found


def _account_like(column: ColumnFacts) -> float:
    return likeness(words_of(column.name), vocabulary().account, "id")


def _points(one: ColumnFacts, other: ColumnFacts) -> float:
    """Say which share of a column's values another has, 0 where that may be chance."""
    if not one.may_be_id or not other.may_be_id:
        return 0.0
    numbers = one.filled == one.numbers and other.filled == other.numbers
    if numbers and max(one.high or 0, other.high or 0) < _SMALL and not _same_word(one.name, other.name):
        return 0.0
    share = contained(one, other)
    return share if share >= _SHARED else 0.0


def _same_word(one: str, other: str) -> bool:
    mine, yours = (set(words_of(name).split()) - {"id", "nr", "no", "number", "key", "code"} for name in (one, other))
    known = {word for phrase in vocabulary().account for word in phrase.split()}
    # `customer_id` may point at `id`, and `customer` at `client`
    both = bool(mine & known or not mine) and bool(yours & known or not yours)
    return bool(mine & yours) or both


def _master(files: Sequence[FileFacts]) -> tuple[FileFacts, ColumnFacts] | None:
    """Find the file whose rows are accounts: the one that others point to, or whose name and column say so."""
    best: tuple[float, FileFacts, ColumnFacts] | None = None
    for file in files:
        hint = likeness(words_of(file.name), vocabulary().files["accounts"])
        several = bool(hint) and _has_versions(file)
        names = [column for column in file.columns if column.may_be_id and (several or file.unique(column))]
        for column in names:
            others = [other for other in files if other is not file]
            links = sum(any(_points(each, column) for each in other.columns) for other in others)
            named = _account_like(column)
            alone = not others or not any(each.times for other in files for each in other.columns)
            if not links and not (hint and named >= 0.5) and not (alone and named >= 0.5):
                continue
            # a contract has an id of its own before that of its account
            value = 2.0 * links + 1.5 * hint + named - 0.8 * (column is not names[0])
            if best is None or value > best[0]:
                best = (value, file, column)
    return None if best is None else (best[1], best[2])


def _has_versions(file: FileFacts) -> bool:
    """Say whether a column tells from when each row holds, so that an account may have several."""
    return any(words_of(column.name) == "valid from" for column in file.columns)


def _to(file: FileFacts, master: FileFacts, key: ColumnFacts) -> Link | None:
    """Find the column of a file that points to the accounts; a name alone is enough where some values are there."""
    pointing = [(_points(column, key) + _account_like(column), column) for column in file.columns if _points(column, key)]
    if pointing:
        column = max(pointing, key=lambda each: each[0])[1]
        return Link(column, share=contained(column, key))
    named = [(_account_like(column), column) for column in file.columns if column.may_be_id and _account_like(column) >= 0.7]
    some = [(value, column) for value, column in named if contained(column, key) > 0]
    if not some:
        return None
    column = max(some, key=lambda each: each[0])[1]
    return Link(column, share=contained(column, key))


def _by_name(file: FileFacts, files: Sequence[FileFacts]) -> Link | None:
    """Find the account of a file where no file lists the accounts: by name, by what others share, by addresses."""
    others = [each for other in files if other is not file for each in other.columns]
    found = []
    for column in file.columns:
        named = _account_like(column)
        if column.may_be_id and not column.names_rows and (named >= _NAMED or column.emails):
            alike = [each for each in others if _account_like(each) >= _NAMED or (each.emails and column.emails)]
            found.append((named + any(_points(column, each) for each in alike) + _EMAIL * column.emails, column))
    best = max(found, key=lambda each: each[0], default=None)
    return Link(best[1]) if best is not None else None


def _through(file: FileFacts, others: Sequence[FileFacts]) -> Link | None:
    """Find the column that names a row of a file that has the account."""
    for other in others:
        for key in (column for column in other.columns if column.may_be_id and other.unique(column)):
            for column in file.columns:
                share = _points(column, key)
                if share:
                    return Link(column, through=other.name, key=key.name, share=share)
    return None
