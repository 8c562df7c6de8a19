"""The arguments of a simulation, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from staypower.cutoffs import DAY, instant_of, text_of
from staypower.errors import Problem, UsageError, nearest
from staypower.simulation.timeline import Timeline

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BLOCK", "Plan", "Silence", "checked_plan"]

Silence = Literal["attitude", "features"]

#: Accounts that share one random stream; fixed, so that the rows do not depend on how many are held at a time.
BLOCK = 256
#: Days after which no end can be undone any more: an outcome is only then settled.
_SETTLED = 30


@dataclass(frozen=True)
class Plan:
    """What to simulate."""

    accounts: int
    timeline: Timeline
    seed: int
    cutoff_days: tuple[int, ...]  # day numbers of the cutoffs, ascending
    horizon: int  # days
    siblings: tuple[int, ...]  # further horizons, days
    silence: Silence
    copies: int  # runs ahead per account and cutoff

    @property
    def blocks(self) -> int:
        """How many blocks the accounts fill."""
        return -(-self.accounts // BLOCK)

    def ids(self, number: int) -> NDArray[np.object_]:
        """Return the ids of a block's accounts."""
        first = number * BLOCK
        return np.array([f"A{n:07d}" for n in range(first, min(first + BLOCK, self.accounts))], dtype=object)


def checked_plan(
    accounts: int,
    months: int,
    seed: int,
    start: str,
    cutoffs: Sequence[str | date | datetime | int] | None,
    horizon: int,
    silence: str,
    siblings: Sequence[int],
    copies: int,
) -> Plan:
    """Check every argument of `simulate` and say all problems at once.

    >>> checked_plan(300, 6, 0, "2023-01-01", [], 90, "attitude", (30, 90), 8).blocks
    2
    """
    limits = (
        ("accounts", accounts, 1, 10**7 - 1),
        ("months", months, 6, 240),
        ("seed", seed, 0, 2**63 - 1),
        ("horizon", horizon, 1, 365),
        ("copies", copies, 2, 10_000),
        *(("siblings", sibling, 1, 365) for sibling in siblings),
    )
    problems = [
        Problem(f"{name} is out of range", str(value), f"give a whole number from {least} to {most}")
        for name, value, least, most in limits
        if not least <= value <= most
    ]
    if silence not in get_args(Silence):
        problems.append(Problem("unknown kind of silence", silence, nearest(silence, get_args(Silence))))
    if problems:
        raise UsageError(problems)
    timeline = Timeline.of(start, months)
    days = _cutoff_days(timeline, cutoffs, horizon)
    kind: Silence = "attitude" if silence == "attitude" else "features"
    return Plan(accounts, timeline, seed, days, horizon, tuple(s for s in siblings if s != horizon), kind, copies)


def _cutoff_days(timeline: Timeline, cutoffs: Sequence[str | date | datetime | int] | None, horizon: int) -> tuple[int, ...]:
    if cutoffs is None:
        settled = timeline.days - horizon - _SETTLED
        return tuple(sorted({timeline.days, *(day for k in range(4) if (day := settled - k * horizon) > 0)}))
    instants = [instant_of(cutoff) for cutoff in cutoffs]
    problems = [
        Problem(
            "cutoff without a truth",
            text_of(instant),
            f"choose a midnight after {text_of(timeline.start)} and not after {text_of(timeline.end)}",
        )
        for instant in instants
        if instant % DAY or not timeline.start < instant <= timeline.end
    ]
    if problems:
        raise UsageError(problems)
    return tuple(sorted({(instant - timeline.start) // DAY for instant in instants}))
