"""Errors for the user, apart from ours: problem, value and fix; exit codes in one place.

A `UsageError` says that what the user gave cannot be used. It carries one or more `Problem`, each with what is wrong, the
value concerned and the move that fixes it, and is printed without a traceback. Every other exception is our own mistake.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum


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
class Problem:
    """One thing that is wrong with what the user gave.

    >>> print(Problem("unknown key", "tables.usage.sorce", "write `source`"))
    unknown key: tables.usage.sorce. Fix: write `source`.
    """

    problem: str  # what is wrong, in the user's words
    value: str  # the value concerned and where it stands
    fix: str  # the move that fixes it

    def __str__(self) -> str:
        return f"{self.problem}: {self.value}. Fix: {self.fix.rstrip('.')}."


class UsageError(Exception):
    """What the user gave cannot be used; every problem at once.

    Parameters
    ----------
    problems : sequence of Problem
        At least one.

    Examples
    --------
    >>> print(UsageError.of("file not found", "data/usage.csv", "check the path"))
    file not found: data/usage.csv. Fix: check the path.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @classmethod
    def of(cls, problem: str, value: object, fix: str) -> UsageError:
        """Build the error of a single problem."""
        return cls([Problem(problem, str(value), fix)])


def nearest(word: str, known: Iterable[str], count: int = 3) -> str:
    """Phrase a fix that names the known words nearest to a wrong one.

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
