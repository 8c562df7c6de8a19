"""Errors for the user, apart from ours: problem, value and fix; exit codes in one place.

A `UsageError` says that what the user gave cannot be used. It carries one or more `Problem`, each with what is wrong, the
value concerned and the move that fixes it, and is printed without a traceback. What the system refuses at a place (a full disk,
a folder that cannot be made) is told as such a problem, whatever its number. Every other exception is our own mistake.
"""

from __future__ import annotations

import difflib
import errno
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

from staypower.addresses import shown_in


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

    def __post_init__(self) -> None:
        # whoever writes a message, no address in it shows a secret
        for part in ("problem", "value", "fix"):
            object.__setattr__(self, part, shown_in(str(getattr(self, part))))

    def __str__(self) -> str:
        return f"{self.problem}: {self.value}. Fix: {self.fix.rstrip('.')}."


class DataProblem(Problem):
    """A problem of data that can be read: what is wrong lies in the values, not in how they are given."""


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

    @property
    def exit_code(self) -> ExitCode:
        """2, and 1 where the data could be read and nothing but their values is wrong."""
        found = self.problems and all(isinstance(problem, DataProblem) for problem in self.problems)
        return ExitCode.FOUND if found else ExitCode.UNUSABLE

    @classmethod
    def of(cls, problem: str, value: object, fix: str) -> UsageError:
        """Build the error of a single problem."""
        return cls([Problem(problem, str(value), fix)])


class RefusedData(UsageError):  # noqa: N818 - what was done to the data, not an error of the program
    """The data can be read, but are not like those that the model was trained on; every breach at once."""

    @property
    def exit_code(self) -> ExitCode:
        """1: it was looked at, and found against the data."""
        return ExitCode.FOUND


_ROOM = "free some space there, or name another place"
_IN_THE_WAY = "there is a file where a folder is needed: move it, or name another folder"
# words only: whatever the number, a place that the system refuses is the user's to change
_FIXES: Mapping[int, str] = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: "raise the limit on the size of files (`ulimit -f`), or name a place on another disk",
    errno.EMFILE: "raise the limit on open files (`ulimit -n`)",
    errno.EACCES: "give yourself permission to read and write there, or name another place",
    errno.EEXIST: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
}


def place_error(error: OSError, place: object = "") -> UsageError:
    """Tell what the system refused at a place.

    >>> str(place_error(OSError(errno.ENOSPC, "No space left on device"), "out/scores.csv"))
    'no space left on device: out/scores.csv. Fix: free some space there, or name another place.'
    """
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):  # of many files: each with its own reason
        *_, reason = error.args[0][0]
        return UsageError.of(f"cannot be copied: {str(reason)[:200]}", place or error.args[0][0][1], _ROOM)
    where = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes, os.PathLike)) else ""
    reason = (error.strerror or str(error) or "refused by the system").partition("\n")[0][:200]
    fix = _FIXES.get(error.errno or 0, "name a place that can be read and written")
    return UsageError.of(reason[:1].lower() + reason[1:], place or where or "a place that the system does not name", fix)


@contextmanager
def at_place(place: object) -> Iterator[None]:
    """Tell what the system refuses while a place is made, opened or written as a problem of that place."""
    try:
        yield
    except OSError as error:
        raise place_error(error, place) from error


@contextmanager
def readable(part: str) -> Iterator[None]:
    """Tell values of a bundle that cannot be read as such: whoever changes them and seals them anew is no bug of ours."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        reason = f"{part} ({type(error).__name__}: {str(error).partition(chr(10))[0][:100]})"
        raise UsageError.of("unusable bundle", reason, "copy the bundle again or train the model again") from error


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
