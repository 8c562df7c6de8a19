"""Which column of a list of accounts says how people call an account."""

from __future__ import annotations

from collections.abc import Sequence

from staypower.proposal.facts import ColumnFacts, FileFacts, words_of
from staypower.proposal.guesses import Guess
from staypower.proposal.links import Link
from staypower.proposal.vocabulary import concepts, vocabulary

__all__ = ["account_name"]

_DIFFERENT = 0.8  # of the accounts: a name is that of one account, a plan or a region that of many
_FILLED = 0.5  # of the rows
_LIKE_NAMES = 0.7  # of the values of a column whose own name does not say that it holds names
_OPEN = 0.5  # how sure one of several is that are called alike
# what an account's column can be called after without naming the account
_NOT_ITS_OWN = frozenset({"id", "number", "user", "person", "contact", "contract", "owner", "agent", "name"})
_FILLERS = frozenset({"the", "of", "name"})


def account_name(file: FileFacts, link: Link, taken: Sequence[str]) -> Guess | None:
    """Find the column that holds the names of accounts; names of persons, products and plans are none.

    A name says the account and that it is one (`Company name`), then what the account is (`Company`), then that it is a name.
    """
    own, persons = _own_words(file, link), _lists_persons(file)
    candidates = [each for each in file.columns if each is not link.column and each.name not in taken]
    found = [
        (value, column)
        for column in candidates
        if _may_name(column, file, link) and (value := _likely(column, own, persons=persons))
    ]
    if not found:
        return None
    best = max(value for value, _ in found)
    alike = [column.name for value, column in found if value == best]
    why = "named like it, another text for each account"
    if len(alike) > 1:
        return Guess("name", alike[0], f"{why}; or {', '.join(alike[1:])}", _OPEN)
    return Guess("name", alike[0], why, best)


def _own_words(file: FileFacts, link: Link) -> frozenset[str]:
    """Return what an account may be called: what accounts are called anywhere, and what this file and its key are called."""
    phrases = [*vocabulary().account, words_of(file.name), words_of(link.column.name)]
    words = {word for phrase in phrases for word in concepts(phrase)}
    return frozenset(words | {word.removesuffix("s") for word in words}) - _NOT_ITS_OWN


def _lists_persons(file: FileFacts) -> bool:
    """Say whether the accounts are persons: a surname, a birthday or a gender is there."""
    called = [words_of(column.name) for column in file.columns]
    signs = [f" {phrase} " for phrase in vocabulary().of_persons]
    return any("birth" in concepts(words) or any(sign in f" {words} " for sign in signs) for words in called)


def _may_name(column: ColumnFacts, file: FileFacts, link: Link) -> bool:
    """Say whether the values can be names of accounts: texts, most of them different."""
    if column.times or column.is_number or column.is_flag or column.emails or column.clocks or column.kind != "text":
        return False
    accounts = min(column.filled, link.column.distinct)
    return column.filled >= _FILLED * file.rows and column.distinct >= max(_DIFFERENT * accounts, 2)


def _likely(column: ColumnFacts, own: frozenset[str], *, persons: bool) -> float:
    """Say how likely a column's own name and values make it the name of an account: 0 where they do not."""
    words = concepts(words_of(column.name))
    about = set(words) - _FILLERS
    if persons and "company" not in about:
        return 0.0  # the name is that of a person
    if about and about <= own:
        if "name" in words:
            return 1.0
        return 0.8 if column.names >= _LIKE_NAMES * column.filled else 0.0
    if words == ("name",):
        return 0.75
    return 0.7 if words in [concepts(phrase) for phrase in vocabulary().other_account_names] else 0.0
