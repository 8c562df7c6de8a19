"""How accounts change: once a week inside, on billing days outside.

The same two functions make the history and look ahead from it: `Exits` says what an end does. In the history it draws and
ends the account (`history.Realised`); looking ahead it only notes how much probability leaves (`truth.Expected`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from staypower.simulation.levers import failure_chance, leave_log_odds, recovery_chance
from staypower.simulation.parameters import Parameters
from staypower.simulation.state import State, sigmoid
from staypower.simulation.timeline import Timeline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]

__all__ = ["RETRY_DAYS", "Exits", "WeekEvents", "Anchors", "advance_day", "advance_week"]

#: Days after a failed invoice on which the payment is tried again; after the last one the account is lost.
RETRY_DAYS = (3, 7, 14)


class Exits(Protocol):
    """What happens when an account may end, and what is written down about billing."""

    def leave(self, state: State, who: Whole, chance: Floats, decided: int, ends: int) -> None:
        """Let accounts leave by choice, decided on one day and ending on another."""

    def vanish(self, state: State, who: Whole, chance: float, ends: int) -> None:
        """Let accounts end at once, by choice, for a reason that nothing foretells."""

    def lose(self, state: State, who: Whole, chance: Floats, ends: int) -> None:
        """Let accounts be lost because their payment failed for good."""

    def happen(self, chance: Floats, draw: Floats) -> Floats:
        """Say how much of each account something happens to: all or nothing, or, looking ahead, the chance itself."""

    def invoice(self, state: State, who: Whole, day: int, attempt: int) -> None:
        """Write down an attempt to collect a payment: who is still in dunning after it has not paid."""


@dataclass(frozen=True)
class WeekEvents:
    """What happened to each account in one week, arrays of shape (accounts,)."""

    tickets: Whole
    slowness: Floats
    reopened: NDArray[np.bool_]
    urgent: NDArray[np.bool_]
    incident: NDArray[np.bool_]
    goal_met: NDArray[np.bool_]
    auto_renew_off: NDArray[np.bool_]
    champion_left: NDArray[np.bool_]
    champion_found: NDArray[np.bool_]
    step_done: NDArray[np.bool_]


class Anchors:
    """The accounts that are billed on each day of the month.

    >>> Anchors(np.array([5, 1, 5])).on(5).tolist()
    [0, 2]
    """

    def __init__(self, anchor: Whole) -> None:
        order = np.argsort(anchor, kind="stable")
        bounds = np.searchsorted(anchor[order], np.arange(1, 33))
        self._groups = [order[bounds[day] : bounds[day + 1]] for day in range(31)]

    def on(self, day_of_month: int) -> Whole:
        """Return the accounts billed on this day of the month, in order."""
        return self._groups[day_of_month - 1]


def _onboarding(state: State, day: int, chance: Floats, p: Parameters) -> NDArray[np.bool_]:
    open_for_it = (state.steps < 4) & (day - state.first_day < 7 * p.step_weeks)
    ease = sigmoid(0.2 + state.fit + 0.8 * state.champion - 0.5 * state.effort)
    done = open_for_it & (chance < p.step_rate * ease)
    state.steps = state.steps + done
    return done


def _goals(state: State, week: int, chance: Floats, p: Parameters) -> NDArray[np.bool_]:
    """Open a goal every thirteen weeks; it may be met from its fourth week on, else it is missed."""
    age = (week + state.goal_phase) % 13
    missed = state.goal_open & (age == 0)
    state.goal_open = np.where(age == 0, state.has_goals, state.goal_open)
    ease = sigmoid(0.4 + state.value + 0.5 * state.adoption)
    met: NDArray[np.bool_] = state.goal_open & (age >= 3) & (chance < 2 * p.goal_rate * ease)
    state.goal_open = state.goal_open & ~met
    state.goals = 0.97 * state.goals + 0.35 * met - 0.6 * missed
    return met


def _support(
    state: State, day: int, noise: Floats, chance: Floats, backlog: float, p: Parameters
) -> tuple[Whole, Floats, NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Open tickets; how slowly they are served becomes effort. Who has given up asking opens none: silence."""
    incident = chance[0] < p.incident_rate
    young = day - state.first_day < 60
    mood = 0.7 * np.minimum(state.engagement + 0.3, 0.0)
    rate = (
        p.ticket_rate * np.exp(state.proneness + mood + 0.7 * young + 1.2 * incident) * np.array([0.8, 1.1, 1.4])[state.segment]
    )
    none = np.exp(-rate)
    tickets = ((chance[1] > none) * 1 + (chance[1] > none * (1 + rate)) + (chance[1] > none * (1 + rate + rate**2 / 2))).astype(
        np.int64
    )
    state.service = p.service_keep * state.service + np.sqrt(1 - p.service_keep**2) * 0.8 * noise[0]
    slowness = backlog + state.service + 0.45 * noise[1] - 0.15 * (state.segment == 2)
    late = np.maximum(slowness, 0.0)
    asked = tickets > 0
    reopened = asked & (chance[2] < 0.10 + 0.12 * np.minimum(late, 2.0))
    urgent = asked & (chance[3] < 0.22 + 0.3 * incident)
    pain = tickets * (0.12 + 0.55 * late) + 0.6 * reopened + urgent * (0.2 + 0.4 * late) + 0.4 * incident
    state.effort = p.effort_keep * state.effort + pain
    return tickets, slowness, reopened, urgent, incident


def _people_and_money(state: State, chance: Floats, p: Parameters) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    left = state.champion & (chance[0] < p.champion_leaves)
    state.alone_weeks = np.where(state.champion, 0, state.alone_weeks + 1)
    found = ~state.champion & (state.alone_weeks >= 3) & (chance[1] < p.champion_found)
    state.champion = (state.champion & ~left) | found
    state.tight = np.where(state.tight, chance[2] >= p.budget_relaxes, chance[2] < p.budget_tightens)
    return left, found


def _feelings(state: State, week_noise: Floats, incident: NDArray[np.bool_], p: Parameters) -> None:
    """Move adoption, value, satisfaction and engagement towards what drives them."""
    adoption_target = 0.6 * state.fit + 1.2 * state.steps / 4 - 1.0
    state.adoption = state.adoption + p.adoption_pull * (adoption_target - state.adoption) + p.adoption_noise * week_noise[0]
    value_target = 0.5 * state.fit + 0.4 * state.adoption + state.goals + state.shock
    state.value = state.value + p.value_pull * (value_target - state.value) + p.value_noise * week_noise[1]
    strain = np.log1p(state.effort) - 0.45
    mood_target = 0.5 * state.value + 0.25 * state.fit - 1.2 * strain
    state.satisfaction = (
        state.satisfaction + p.satisfaction_pull * (mood_target - state.satisfaction) + p.satisfaction_noise * week_noise[2]
    )
    target = 0.65 * state.value + 0.3 * state.adoption + 0.3 * state.satisfaction - 0.55 * ~state.champion
    target += 0.7 * (state.steps / 4 - 1) - 0.3 * state.tight - 0.4 * incident - 1.0 * (state.leaving_on >= 0)
    state.engagement = state.engagement + p.engagement_pull * (target - state.engagement) + p.engagement_noise * week_noise[3]
    state.usual = state.usual + p.usual_pull * (state.engagement - state.usual)


def advance_week(state: State, day: int, timeline: Timeline, parameters: Parameters, rng: np.random.Generator) -> WeekEvents:
    """Move every account's inner state to the week that begins on this day."""
    p = parameters
    count = len(state.fit)
    noise = rng.standard_normal((6, count))
    chance = rng.random((12, count))
    step_done = _onboarding(state, day, chance[0], p)
    met = _goals(state, day // 7, chance[1], p)
    hit = chance[2] < p.shock_rate
    state.shock = 0.98 * state.shock - hit * p.shock_size * (0.5 + chance[2] / p.shock_rate)
    tickets, slowness, reopened, urgent, incident = _support(
        state, day, noise[:2], chance[3:7], float(timeline.backlog[day]), p
    )
    left, found = _people_and_money(state, chance[7:10], p)
    _feelings(state, noise[2:], incident, p)
    expiring = state.card_month <= timeline.month[day]
    renews_card = expiring & (chance[10] < p.card_renewed * sigmoid(0.4 + state.engagement + 0.6 * state.champion))
    state.card_month = state.card_month + 36 * renews_card
    doubt = sigmoid(leave_log_odds(state, day, slice(None), p) + 1.5)
    off = state.active & state.annual & state.auto_renew & (chance[11] < p.auto_renew_off_rate * doubt)
    state.auto_renew = state.auto_renew & ~off
    return WeekEvents(tickets, slowness, reopened, urgent, incident, met, off, left, found, step_done)


def _renewing(state: State, who: Whole, renewal_day: int, timeline: Timeline) -> Whole:
    """Keep the active accounts whose term ends on that day and who have not given notice."""
    anniversary = state.anniversary[who] == timeline.month[renewal_day] % 12
    due = np.where(state.annual[who], anniversary & (renewal_day - state.start_day[who] > 300), True)
    old_enough = renewal_day - state.start_day[who] >= 20
    kept: Whole = who[state.active[who] & (state.leaving_on[who] < 0) & due & old_enough]
    return kept


def _decide(state: State, day: int, anchors: Anchors, timeline: Timeline, p: Parameters, exits: Exits) -> None:
    """Let accounts decide whether to renew: those who announce it some days ahead, the others on the day itself."""
    for annual, lead in ((False, p.notice_days_monthly), (True, p.notice_days_annual)):
        renewal = day + lead
        who = _renewing(state, anchors.on(int(timeline.day_of_month[renewal])), renewal, timeline)
        who = who[state.notifies[who] & (state.annual[who] == annual) & (day > state.start_day[who])]
        if len(who):
            exits.leave(state, who, sigmoid(leave_log_odds(state, day, who, p)), day, renewal)
    who = _renewing(state, anchors.on(int(timeline.day_of_month[day])), day, timeline)
    quiet = who[~state.notifies[who]]
    if len(quiet):
        exits.leave(state, quiet, sigmoid(leave_log_odds(state, day, quiet, p)), day, day)
    anyone = anchors.on(int(timeline.day_of_month[day]))
    anyone = anyone[state.active[anyone] & (state.leaving_on[anyone] < 0) & (day > state.start_day[anyone])]
    exits.vanish(state, anyone, p.leave_anyhow, day)
    stays = who[state.active[who] & state.annual[who]]
    state.auto_renew[stays] = True


def _collect(state: State, day: int, anchors: Anchors, timeline: Timeline, p: Parameters, exits: Exits, draw: Floats) -> None:
    """Send the invoices of the day."""
    who = anchors.on(int(timeline.day_of_month[day]))
    due = ~(state.annual[who] & state.prepaid[who]) | (state.anniversary[who] == timeline.month[day] % 12)
    who = who[state.active[who] & due & (state.leaving_on[who] != day) & (day > state.start_day[who])]
    month = int(timeline.month[day])
    state.dunning[who] = exits.happen(failure_chance(state, month, who, p), draw[who])
    state.card_failed[who] = state.card_month[who] < month
    exits.invoice(state, who, day, 0)


def _retry(state: State, day: int, anchors: Anchors, timeline: Timeline, p: Parameters, exits: Exits, draw: Floats) -> None:
    """Try failed payments again; who fails the last time is lost."""
    for attempt, wait in enumerate(RETRY_DAYS, start=1):
        if day < wait:
            continue
        who = anchors.on(int(timeline.day_of_month[day - wait]))
        who = who[state.active[who] & (state.dunning[who] > 0)]
        if not len(who):
            continue
        fails = 1 - recovery_chance(state, who, p)
        if wait < RETRY_DAYS[-1]:
            state.dunning[who] *= exits.happen(fails, draw[who])
        else:
            # Who has announced to leave pays what is owed: the two kinds of ends never compete for one account.
            fails = np.where(state.leaving_on[who] >= 0, 0.0, fails)
            exits.lose(state, who, state.dunning[who] * fails, day)
            state.dunning[who] = ~state.active[who]
        # Whoever pays again has replaced a card that had expired.
        back = who[(state.dunning[who] == 0) & state.card_failed[who]]
        state.card_month[back] += 36 * (state.card_month[back] < timeline.month[day])
        state.card_failed[back] = False
        exits.invoice(state, who, day, attempt)


def advance_day(
    state: State,
    day: int,
    anchors: Anchors,
    timeline: Timeline,
    parameters: Parameters,
    exits: Exits,
    rng: np.random.Generator,
) -> None:
    """Let one day pass: decisions about renewals, invoices, retries."""
    draw = rng.random((2, len(state.fit)))
    _decide(state, day, anchors, timeline, parameters, exits)
    _collect(state, day, anchors, timeline, parameters, exits, draw[0])
    _retry(state, day, anchors, timeline, parameters, exits, draw[1])
