"""Say in what two models differ: the places where their sealed files are not equal, and both values there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from staypower.models.bundle import Bundle
from staypower.models.seal import json_values

__all__ = ["Difference", "differences_of"]

_LONGEST = 80
_ABSENT = "not there"
# what a model was made from comes first: it explains the rest
_FACTS = "metadata.json"
_INPUTS = ("data_fingerprint", "label", "staypower", "sampling")


@dataclass(frozen=True)
class Difference:
    """One place where two models differ."""

    file: str  # of the bundle
    place: str  # the keys of a JSON file, or the number of a line
    sealed: str
    rebuilt: str


def differences_of(sealed: Bundle, rebuilt: Bundle) -> list[Difference]:
    """Return every place where the files of two models differ; of the lines of a text only the first."""
    mine, theirs = sealed.files(), rebuilt.files()
    found = []
    for name in sorted({*mine, *theirs}):
        if mine.get(name) == theirs.get(name):
            continue
        if name not in mine or name not in theirs:
            here, there = ("there" if name in files else _ABSENT for files in (mine, theirs))
            found.append(Difference(name, "", here, there))
        elif name.endswith(".json"):
            apart = _values_apart(json_values(mine[name], name), json_values(theirs[name], name))
            found += [Difference(name, *one) for one in apart]
        else:
            found.append(Difference(name, *_first_line_apart(mine[name], theirs[name])))
    return sorted(found, key=lambda one: (one.file != _FACTS, not one.place.startswith(_INPUTS)))


def _values_apart(sealed: Any, rebuilt: Any, place: str = "") -> Iterator[tuple[str, str, str]]:
    """Walk through two JSON values and yield the places where they differ."""
    if sealed == rebuilt:
        return
    for kind in (dict, list):
        if isinstance(sealed, kind) and isinstance(rebuilt, kind):
            mine, theirs = (_entries(value) for value in (sealed, rebuilt))
            for key in dict.fromkeys([*mine, *theirs]):
                inner = f"{place}.{key}" if place else key
                yield from _values_apart(mine.get(key, _ABSENT), theirs.get(key, _ABSENT), inner)
            return
    yield place, _short(sealed), _short(rebuilt)


def _entries(values: Any) -> Mapping[str, Any]:
    named = values.items() if isinstance(values, dict) else enumerate(values)
    return {str(key): value for key, value in named}


def _first_line_apart(sealed: bytes, rebuilt: bytes) -> tuple[str, str, str]:
    lines = zip_longest(*(content.decode().splitlines() for content in (sealed, rebuilt)), fillvalue=_ABSENT)
    number, (here, there) = next((number, pair) for number, pair in enumerate(lines, 1) if pair[0] != pair[1])
    return f"line {number}", _short(here), _short(there)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
