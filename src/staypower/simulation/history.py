"""Simulate one block of accounts day by day: what happened, before any row is written."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np

from staypower.simulation.dynamics import LEVERS, Anchors, WeekEvents, advance_day, advance_week, lever_terms
from staypower.simulation.world import NEVER, Calendar, Parameters, State, draw_accounts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]

__all__ = ["BLANK", "INVOLUNTARY", "VOLUNTARY", "History", "SimulatedSpells", "live"]

VOLUNTARY, INVOLUNTARY = 1, 2
#: Reason codes: a lever's number, or one of these.
PAYMENT_FAILED, CARD_EXPIRED, OTHER, BLANK = range(len(LEVERS), len(LEVERS) + 4)
_BLANK_SHARE = 0.12


@dataclass
class SimulatedSpells:
    """Every stretch of being a customer, one list entry each, in the order in which they began.

    `end_day` and `notice_day` are `NEVER` where there is none; `pause` says that the end is undone within 25 days.
    """

    account: list[int] = field(default_factory=list)
    start_day: list[int] = field(default_factory=list)
    end_day: list[int] = field(default_factory=list)
    notice_day: list[int] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)
    reason: list[int] = field(default_factory=list)
    annual: list[bool] = field(default_factory=list)
    pause: list[bool] = field(default_factory=list)

    def frozen(self) -> dict[str, NDArray[np.int64]]:
        """Return the lists as arrays."""
        return {f.name: np.array(getattr(self, f.name), dtype=np.int64) for f in fields(self)}


@dataclass(frozen=True)
class History:
    """What happened to one block of accounts.

    Weekly arrays have shape (weeks, accounts), `active` (days, accounts); `invoices` holds account, paid, day, attempt.
    """

    traits: State
    spells: dict[str, NDArray[np.int64]]
    active: NDArray[np.bool_]
    weekly: dict[str, NDArray[np.float64]]
    events: dict[str, NDArray[np.int64]]
    slowness: Floats
    invoices: dict[str, Whole]
    snapshots: dict[int, State]

    @property
    def count(self) -> int:
        """Accounts in the block."""
        return len(self.traits.fit)


_WEEKLY = ("engagement", "typical", "adoption", "steps", "attitude", "satisfaction", "value", "tight", "champion")


class Realised:
    """Ends that happen: draws, closes spells, brings some accounts back."""

    def __init__(self, count: int, parameters: Parameters, rng: np.random.Generator) -> None:
        self.parameters = parameters
        self.rng = rng
        self.spells = SimulatedSpells()
        self.open_spell = np.full(count, -1, dtype=np.int64)
        self.back_on = np.full(count, NEVER, dtype=np.int64)
        self.invoices: list[tuple[Whole, NDArray[np.bool_], int, int]] = []
        self.card_month: list[Whole] = []

    def open(self, state: State, who: Whole, day: int) -> None:
        """Begin a spell."""
        state.active[who] = True
        for account in who.tolist():
            self.open_spell[account] = len(self.spells.account)
            self.spells.account.append(account)
            self.spells.start_day.append(int(state.start_day[account]))
            for unknown in (self.spells.end_day, self.spells.notice_day):
                unknown.append(NEVER)
            self.spells.kind.append(0)
            self.spells.reason.append(BLANK)
            self.spells.annual.append(bool(state.annual[account]))
            self.spells.pause.append(False)

    def close(self, state: State, who: Whole, day: int, kind: int) -> None:
        """End the open spells and decide who comes back, and when."""
        p = self.parameters
        state.active[who] = False
        state.leaving_on[who] = NEVER
        draws = self.rng.random((2, len(who)))
        pause_share = p.pause_voluntary if kind == VOLUNTARY else p.pause_involuntary
        pauses = draws[0] < pause_share
        returns = ~pauses & (draws[0] < pause_share + p.return_share)
        self.back_on[who[pauses]] = day + 3 + (draws[1][pauses] * 23).astype(np.int64)
        self.back_on[who[returns]] = day + 60 + (draws[1][returns] * 181).astype(np.int64)
        for account, pause in zip(who.tolist(), pauses.tolist(), strict=True):
            spell = self.open_spell[account]
            self.spells.end_day[spell] = day
            self.spells.kind[spell] = kind
            self.spells.pause[spell] = pause

    def morning(self, state: State, fresh: State, day: int) -> Whole:
        """Start, end and resume what was decided for this day; return the accounts that begin anew."""
        self.close(state, np.flatnonzero(state.active & (state.leaving_on == day)), day, VOLUNTARY)
        back = np.flatnonzero(self.back_on == day)
        if len(back):
            state.start_day[back] = day
            state.annual[back] = False
            state.tight[back] = False
            state.auto_renew[back] = True
            state.effort[back] *= 0.5
            state.shock[back] *= 0.5
            state.card_month[back] += np.where(state.card_failed[back], 36, 0)
            state.card_failed[back] = False
            state.dunning[back] = 0.0
            self.back_on[back] = NEVER
            self.open(state, back, day)
        new = np.flatnonzero(np.maximum(fresh.first_day, 0) == day)
        for f in fields(State):
            getattr(state, f.name)[new] = getattr(fresh, f.name)[new]
        self.open(state, new, day)
        return new

    def leave(self, state: State, who: Whole, chance: Floats, decided: int, ends: int) -> None:
        """Draw who leaves, with a reason; at once or after the notice."""
        going = who[self.rng.random(len(who)) < chance]
        if not len(going):
            return
        terms = lever_terms(state, decided, going, self.parameters)
        # Gumbel noise turns the largest term into a draw in proportion to exp(term).
        reasons = np.argmax(
            np.stack([terms[lever] for lever in LEVERS]) + self.rng.gumbel(size=(len(LEVERS), len(going))), axis=0
        )
        reasons = np.where(self.rng.random(len(going)) < _BLANK_SHARE, BLANK, reasons)
        for account, reason in zip(going.tolist(), reasons.tolist(), strict=True):
            self.spells.reason[self.open_spell[account]] = reason
            if ends > decided:
                self.spells.notice_day[self.open_spell[account]] = decided
        if ends > decided:
            state.leaving_on[going] = ends
        else:
            self.close(state, going, ends, VOLUNTARY)

    def vanish(self, state: State, who: Whole, chance: float, ends: int) -> None:
        """Draw who ends at once for a reason that nothing predicts."""
        going = who[self.rng.random(len(who)) < chance]
        for account in going.tolist():
            self.spells.reason[self.open_spell[account]] = OTHER
        self.close(state, going, ends, VOLUNTARY)

    def lose(self, state: State, who: Whole, chance: Floats, ends: int) -> None:
        """Draw who is lost to a failed payment."""
        lost = who[self.rng.random(len(who)) < chance]
        if not len(lost):
            return
        reasons = np.where(state.card_failed[lost], CARD_EXPIRED, PAYMENT_FAILED)
        reasons = np.where(self.rng.random(len(lost)) < _BLANK_SHARE / 2, BLANK, reasons)
        for account, reason in zip(lost.tolist(), reasons.tolist(), strict=True):
            self.spells.reason[self.open_spell[account]] = reason
        self.close(state, lost, ends, INVOLUNTARY)

    def happen(self, chance: Floats, draw: Floats) -> Floats:
        """Let it happen or not."""
        return (draw < chance).astype(np.float64)

    def invoice(self, state: State, who: Whole, day: int, attempt: int) -> None:
        """Keep the attempt, and the card that was charged."""
        if len(who):
            paid = state.dunning[who] == 0
            self.invoices.append((who, paid, day, attempt))
            self.card_month.append(state.card_month[who])


def live(
    count: int, calendar: Calendar, parameters: Parameters, rng: np.random.Generator, snapshot_days: Collection[int] = ()
) -> History:
    """Simulate the history of one block of accounts."""
    fresh = draw_accounts(count, calendar, parameters, rng)
    state = fresh.repeat(np.arange(count), 1)
    anchors = Anchors(state.anchor)
    exits = Realised(count, parameters, rng)
    active = np.zeros((calendar.days, count), dtype=np.bool_)
    weekly = {name: np.zeros((calendar.weeks, count)) for name in _WEEKLY}
    weeks: list[WeekEvents] = []
    snapshots = {}
    for day in range(calendar.days + 1):
        if day in snapshot_days:
            snapshots[day] = state.repeat(np.arange(count), 1)
        if day == calendar.days:
            break
        if day % 7 == 0:
            weeks.append(advance_week(state, day, calendar, parameters, rng))
        new = exits.morning(state, fresh, day)
        for name, kept in weekly.items():
            kept[day // 7, new if day % 7 else slice(None)] = getattr(state, name)[new if day % 7 else slice(None)]
        advance_day(state, day, anchors, calendar, parameters, exits, rng)
        active[day] = state.active
    return _written(fresh, exits, active, weekly, weeks, snapshots)


def _written(
    fresh: State,
    exits: Realised,
    active: NDArray[np.bool_],
    weekly: dict[str, Floats],
    weeks: list[WeekEvents],
    snapshots: dict[int, State],
) -> History:
    # An account starts from its fresh state after the weekly step of its first week: what that step drew never happened.
    begun = np.arange(len(weeks))[:, None] > (np.maximum(fresh.first_day, 0) // 7)[None, :]
    names = [f.name for f in fields(WeekEvents) if f.name != "slowness"]
    events = {name: np.stack([getattr(week, name) for week in weeks]).astype(np.int64) * begun for name in names}
    sizes = [len(who) for who, *_ in exits.invoices]
    none = np.zeros(0, dtype=np.int64)
    invoices = {
        "account": np.concatenate([who for who, *_ in exits.invoices] or [none]),
        "paid": np.concatenate([paid for _, paid, *_ in exits.invoices] or [none.astype(np.bool_)]).astype(np.int64),
        "day": np.repeat(np.array([day for _, _, day, _ in exits.invoices], dtype=np.int64), sizes),
        "attempt": np.repeat(np.array([attempt for *_, attempt in exits.invoices], dtype=np.int64), sizes),
        "card_month": np.concatenate(exits.card_month or [none]),
    }
    return History(
        traits=fresh,
        spells=exits.spells.frozen(),
        active=active,
        weekly=weekly,
        events=events,
        slowness=np.stack([week.slowness for week in weeks]),
        invoices=invoices,
        snapshots=snapshots,
    )
