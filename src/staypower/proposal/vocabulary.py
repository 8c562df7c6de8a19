"""The words by which columns and files are called, read from `vocabulary.yaml`, and how much a name is like them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

__all__ = ["Meaning", "Vocabulary", "likeness", "vocabulary"]


@dataclass(frozen=True)
class Meaning:
    """What a canonical column may be called, and what its values must be."""

    kind: str  # time, number, id, text or flag
    words: tuple[str, ...]
    telling: float  # how much it says about what its table is
    low: float | None = None  # its numbers lie between these
    high: float | None = None


@dataclass(frozen=True)
class Vocabulary:
    """All words."""

    account: tuple[str, ...]
    flag_of_churn: tuple[str, ...]
    positive: tuple[str, ...]
    may_change: tuple[str, ...]
    tells_the_end: tuple[str, ...]
    rating_of_a_ticket: tuple[str, ...]
    waits: Mapping[str, tuple[str, ...]]
    units: Mapping[str, str]  # by word, the function that makes a length of time of a number
    instruments: Mapping[str, str]  # by word
    payment_status: Mapping[str, str]  # by word
    files: Mapping[str, tuple[str, ...]]  # by table
    columns: Mapping[str, Mapping[str, Meaning]]  # by table and column


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """Return the words that are known."""
    read = yaml.safe_load(files("staypower.proposal").joinpath("vocabulary.yaml").read_text(encoding="utf-8"))
    lists = ("account", "flag_of_churn", "positive", "may_change", "tells_the_end", "rating_of_a_ticket")
    by_word = ("units", "instruments", "payment_status")
    words: dict[str, Any] = {name: _listed(read[name]) for name in lists}
    words |= {name: {word: ours for ours, listed in read[name].items() for word in _listed(listed)} for name in by_word}
    words |= {name: {ours: _listed(listed) for ours, listed in read[name].items()} for name in ("waits", "files")}
    columns = {
        table: {name: Meaning(words=_listed(one["words"]), **one["is"]) for name, one in meanings.items()}
        for table, meanings in read["columns"].items()
    }
    return Vocabulary(**words, columns=columns)


def _listed(words: Any) -> tuple[str, ...]:
    return tuple(str(word).strip() for word in str(words).split(","))


def likeness(name: str, words: tuple[str, ...]) -> float:
    """Say how much a column's name, written as words, is like what a meaning may be called: 0 to 1.

    >>> likeness("signup date", ("signed up at", "signup date")), likeness("color", ("signup date",))
    (0.99, 0.0)
    """
    best = 0.0
    given = name.split()
    for place, phrase in enumerate(words):
        wanted = phrase.split()
        if given == wanted:
            best = max(best, 1.0 - 0.01 * min(place, 40))
        elif len(wanted) <= len(given) and _within(wanted, given):
            best = max(best, 0.5 + 0.25 * len(wanted) / len(given) + 0.125 * (len(wanted) > 1) - 0.005 * min(place, 40))
    return round(best, 4)


def _within(wanted: list[str], given: list[str]) -> bool:
    return any(given[start : start + len(wanted)] == wanted for start in range(len(given) - len(wanted) + 1))
