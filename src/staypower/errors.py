"""Errors for the user, apart from ours: fault, value and mend; exit codes in one place.

A `UsageError` says that what the user gave cannot be used. It carries one or more `Fault`, each with what is wrong, the
value concerned and the move that mends it, and is printed without a traceback. Every other exception is our own mistake.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

__all__ = ["ExitCode", "Fault", "UsageError", "nearest"]


class ExitCode(IntEnum):
    """What the command line returns.

    >>> int(ExitCode.UNUSABLE)
    2
    """

    DONE = 0
    FOUND = 1
    UNUSABLE = 2
    OURS = 3


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with what the user gave.

    >>> print(Fault("unknown key", "tables.usage.sorce", "write `source`"))
    unknown key: tables.usage.sorce. Mend: write `source`.
    """

    fault: str  # what is wrong, in the user's words
    value: str  # the value concerned and where it stands
    mend: str  # the move that mends it

    def __str__(self) -> str:
        return f"{self.fault}: {self.value}. Mend: {self.mend.rstrip('.')}."


class UsageError(Exception):
    """What the user gave cannot be used; every fault at once.

    Parameters
    ----------
    faults : sequence of Fault
        At least one.

    Examples
    --------
    >>> print(UsageError.of("file not found", "data/usage.csv", "check the path"))
    file not found: data/usage.csv. Mend: check the path.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    @classmethod
    def of(cls, fault: str, value: object, mend: str) -> UsageError:
        """Build the error of a single fault."""
        return cls([Fault(fault, str(value), mend)])


def nearest(word: str, known: Iterable[str], count: int = 3) -> str:
    """Phrase a mend that names the known words nearest to a wrong one.

    >>> nearest("sorce", ["source", "where"])
    'write `source`'
    >>> nearest("x", ["source", "where"])
    'use one of `source`, `where`'
    """
    choices = sorted(set(known))
    if not choices:
        return "leave it out"
    folded = {choice.casefold(): choice for choice in choices}
    close = difflib.get_close_matches(word.casefold(), list(folded), n=1, cutoff=0.6)
    if close:
        return f"write `{folded[close[0]]}`"
    named = choices if len(choices) <= 4 * count else choices[: 4 * count]
    more = "" if len(named) == len(choices) else ", ..."
    return "use one of " + ", ".join(f"`{choice}`" for choice in named) + more
