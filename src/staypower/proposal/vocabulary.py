"""The words by which columns and files are called, and how much a name is like them.

`vocabulary.yaml` holds what our columns may be called, `synonyms.yaml` other languages and abbreviations: names are compared
after both were written in English.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, get_type_hints

import yaml

__all__ = ["Meaning", "Vocabulary", "concepts", "likeness", "vocabulary"]

# words that say what kind of value a column holds, which its values say better
_FILLERS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "time": frozenset({"date", "time", "at", "on", "day", "the", "of", "d", "de", "del", "am"}),
        "id": frozenset({"id", "number", "the", "of"}),
        "number": frozenset({"number", "of", "in", "the", "eur", "usd", "gbp", "per"}),
        "text": frozenset({"name", "number", "type", "of", "the", "desc", "description"}),
        "flag": frozenset({"flag", "is", "has"}),
    }
)
_SHORTEST = 3  # letters of a part of a compound
_SHORT_ENDINGS = frozenset({"nr", "id", "no", "ts", "dt"})
_LINKS = ("", "s", "es", "n", "en")  # between the parts of one


@dataclass(frozen=True)
class Meaning:
    """What a canonical column may be called, and what its values must be."""

    kind: str  # time, number, id, text or flag
    words: tuple[str, ...]
    telling: float  # how much it says about what its table is
    low: float | None = None  # its numbers lie between these
    high: float | None = None
    alone: bool = False  # whether one word in all rows says something


@dataclass(frozen=True)
class Vocabulary:
    """All words."""

    account: tuple[str, ...]
    flag_of_churn: tuple[str, ...]
    positive: tuple[str, ...]
    may_change: tuple[str, ...]
    tells_the_end: tuple[str, ...]
    rating_of_a_ticket: tuple[str, ...]
    of_persons: tuple[str, ...]  # columns that only lists of persons have
    other_account_names: tuple[str, ...]  # names of companies that do not say so
    waits: Mapping[str, tuple[str, ...]]
    units: Mapping[str, str]  # by word, the function that makes a length of time of a number
    instruments: Mapping[str, str]  # by word
    payment_status: Mapping[str, str]  # by word
    audit: tuple[str, ...]
    open_words: tuple[str, ...]  # words of payments that may be those of anything not done yet
    files: Mapping[str, tuple[str, ...]]  # by table
    columns: Mapping[str, Mapping[str, Meaning]]  # by table and column


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """Return the words that are known."""
    read = yaml.safe_load(files("staypower.proposal").joinpath("vocabulary.yaml").read_text(encoding="utf-8"))
    plain = [name for name, kind in get_type_hints(Vocabulary).items() if kind == tuple[str, ...]]
    by_word = ("units", "instruments", "payment_status")
    words: dict[str, Any] = {name: _listed(read[name]) for name in plain}
    words |= {
        name: {word.replace("_", " "): ours for ours, listed in read[name].items() for word in _listed(listed)}
        for name in by_word
    }
    words |= {name: {ours: _listed(listed) for ours, listed in read[name].items()} for name in ("waits", "files")}
    columns = {
        table: {name: Meaning(words=_listed(one["words"]), **one["is"]) for name, one in meanings.items()}
        for table, meanings in read["columns"].items()
    }
    return Vocabulary(**words, columns=columns)


def _listed(words: Any) -> tuple[str, ...]:
    return tuple(str(word).strip() for word in str(words).split(","))


@lru_cache(maxsize=1)
def _synonyms() -> Mapping[str, str]:
    read = yaml.safe_load(files("staypower.proposal").joinpath("synonyms.yaml").read_text(encoding="utf-8"))
    found = {word: english for english, listed in read.items() for word in _listed(listed)}
    return {**found, **{english: english for english in read}}


@lru_cache(maxsize=10_000)
def concepts(name: str) -> tuple[str, ...]:
    """Write the words of a name in English, compounds taken apart.

    >>> concepts("kaufdatum"), concepts("cntr strt dt"), concepts("vertragsende")
    (('order', 'date'), ('contract', 'start', 'date'), ('contract', 'end'))
    """
    return tuple(english for word in name.split() for english in _in_english(word))


def _in_english(word: str) -> tuple[str, ...]:
    known = _synonyms()
    if word in known:
        return (known[word],)
    for place in range(_SHORTEST, len(word) - 1):
        last = known.get(word[place:])
        if last is None or (len(word) - place < _SHORTEST and word[place:] not in _SHORT_ENDINGS):
            continue
        for link in _LINKS:
            first = known.get(word[:place].removesuffix(link)) if word[:place].endswith(link) else None
            if first is not None:
                return (first, last)
    return (word,)


def likeness(name: str, words: tuple[str, ...], kind: str = "") -> float:
    """Say how much a column's name, written as words, is like what a meaning may be called: 0 to 1.

    >>> likeness("signup date", ("signed up at", "signup date")), likeness("color", ("signup date",))
    (0.99, 0.0)
    >>> likeness("fecha de inicio", ("start date",), "time") > 0.8
    True
    """
    best = 0.0
    given, plain = concepts(name), name.split()
    fillers = _FILLERS.get(kind, frozenset())
    bare = _without(given, fillers)
    for place, phrase in enumerate(words):
        wanted = concepts(phrase)
        needed = _without(wanted, fillers)
        if plain == phrase.split():
            best = max(best, 1.0 - 0.01 * min(place, 40))
        elif given == wanted:
            best = max(best, 0.98 - 0.01 * min(place, 40))
        elif set(bare) == set(needed):
            best = max(best, 0.92 - 0.01 * min(place, 40))
        elif len(wanted) <= len(given) and _within(wanted, given):
            best = max(best, 0.5 + 0.25 * len(wanted) / len(given) + 0.125 * (len(wanted) > 1) - 0.005 * min(place, 40))
        elif set(needed) < set(bare):
            best = max(best, 0.45 + 0.25 * len(needed) / len(bare) + 0.125 * (len(needed) > 1) - 0.005 * min(place, 40))
    return round(best, 4)


def _without(words: tuple[str, ...], fillers: frozenset[str]) -> tuple[str, ...]:
    """Leave out what only says the kind of value, unless nothing else is there."""
    return tuple(word for word in words if word not in fillers) or words


def _within(wanted: tuple[str, ...], given: tuple[str, ...]) -> bool:
    return any(given[start : start + len(wanted)] == wanted for start in range(len(given) - len(wanted) + 1))
