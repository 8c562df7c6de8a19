"""How accounts change: their state once a week, renewals and payments on billing days; and why they leave, by lever.

The same two functions make the history and look ahead from it: `Exits` says what an end does. In the history it draws and
ends the account (`history.Realised`); looking ahead it only records how much probability leaves (`truth.Expected`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from staypower.simulation.world import Calendar, Parameters, State, sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]

__all__ = [
    "LEVERS",
    "RETRY_DAYS",
    "Anchors",
    "Exits",
    "WeekEvents",
    "advance_day",
    "advance_week",
    "lever_terms",
    "removal_effects",
]

LEVERS = ("onboarding", "adoption", "engagement", "support", "satisfaction", "billing", "value", "relationship")

#: Typical log(1 + effort): the support term is zero there.
_TYPICAL_EFFORT = 0.45

#: Days after a failed invoice on which the payment is tried again; after the last one the account is lost.
RETRY_DAYS = (3, 7, 14)


def _decline(state: State, who: Whole | slice) -> Floats:
    """Return by how much engagement lies below what is typical of the account: 0 when it does not, at most 1.3."""
    return 1.3 * np.tanh(np.maximum(state.typical[who] - state.engagement[who], 0.0) / 1.3)


def lever_terms(state: State, day: int, who: Whole | slice, parameters: Parameters) -> dict[str, Floats]:
    """Return what each lever adds to the log-odds of leaving at a monthly renewal."""
    p = parameters
    tenure = (day - state.first_day[who]) / 7
    behind = np.maximum(np.minimum(tenure / 9, 1.0) - state.steps[who] / 4, 0.0)
    falling = _decline(state, who)
    value = state.value[who]
    strain = np.log1p(state.effort[who]) - _TYPICAL_EFFORT
    dearer = (day >= state.discount_ends[who]) & (day < state.discount_ends[who] + 90)
    return {
        "onboarding": p.lever_onboarding * behind * np.clip(1.25 - tenure / 52, 0.25, 1.0),
        "adoption": -p.lever_adoption * state.adoption[who],
        "engagement": p.lever_engagement * falling,
        "support": p.lever_support * strain * np.where((value < -0.2) & (strain > 0), 1.5, 1.0),
        "satisfaction": -p.lever_satisfaction * state.satisfaction[who],
        "billing": p.lever_billing * np.maximum(state.tight[who], dearer / 1.5),
        "value": -p.lever_value * value,
        "relationship": p.lever_relationship * ~state.champion[who] * (1 + 0.7 * falling),
    }


def _leave_log_odds(state: State, day: int, who: Whole | slice, parameters: Parameters) -> Floats:
    """Return the log-odds of leaving by choice at the renewal that is being decided."""
    terms = lever_terms(state, day, who, parameters)
    total = np.full_like(terms["value"], parameters.leave_base)
    for term in terms.values():
        total += term
    total += state.annual[who] * parameters.leave_annual
    total += ~state.auto_renew[who] * parameters.leave_auto_renew_off
    return total


def _failure_chance(state: State, month: int, who: Whole | slice, parameters: Parameters) -> Floats:
    """Return the chance that an invoice of this month fails at once."""
    ordinary = parameters.failure_base + parameters.failure_tight * state.tight[who]
    return np.where(state.card_month[who] < month, 1.0, ordinary)


def _recovery_chance(state: State, who: Whole | slice, parameters: Parameters) -> Floats:
    """Return the chance that a retry of a failed payment succeeds."""
    log_odds = parameters.recovery_base + 0.8 * state.engagement[who] + 0.6 * state.champion[who]
    return sigmoid(log_odds - 0.9 * state.tight[who])


def removal_effects(
    state: State, day: int, month: int, renewals: Floats, parameters: Parameters, horizon: int
) -> dict[str, Floats]:
    """Return by how much each lever raises the coming hazard: its log, less the log when the lever is set to typical.

    The hazard is a first-order one from the state at the cutoff: renewals x P(leave) + P(a payment fails) x P(no retry
    succeeds).
    """
    everyone = slice(None)
    terms = lever_terms(state, day, everyone, parameters)
    log_odds = _leave_log_odds(state, day, everyone, parameters)
    invoices = np.where(state.annual & state.prepaid, renewals, horizon / 30.4)
    lost = (1 - _recovery_chance(state, everyone, parameters)) ** 3
    expiring = (state.card_month - month) * 30.4 < horizon
    typical_failure = np.minimum(invoices * parameters.failure_base, 1.0)
    failure = np.where(expiring, 0.3, invoices * (parameters.failure_base + parameters.failure_tight * state.tight))
    failure = np.where(state.dunning > 0, 1.0, np.minimum(failure, 1.0))
    often = np.maximum(renewals, 0.1)
    total = np.log(often * sigmoid(log_odds) + failure * lost)
    effects = {}
    for lever, term in terms.items():
        paying = typical_failure if lever == "billing" else failure
        effects[lever] = total - np.log(often * sigmoid(log_odds - term) + paying * lost)
    return effects


class Exits(Protocol):
    """What happens when an account may end, and what is recorded about billing."""

    def leave(self, state: State, who: Whole, chance: Floats, decided: int, ends: int) -> None:
        """Let accounts leave by choice, decided on one day and ending on another."""

    def vanish(self, state: State, who: Whole, chance: float, ends: int) -> None:
        """Let accounts end at once, by choice, for a reason that nothing predicts."""

    def lose(self, state: State, who: Whole, chance: Floats, ends: int) -> None:
        """Let accounts be lost because their payment failed for good."""

    def happen(self, chance: Floats, draw: Floats) -> Floats:
        """Say how much of each account something happens to: all or nothing, or, looking ahead, the chance itself."""

    def invoice(self, state: State, who: Whole, day: int, attempt: int) -> None:
        """Record an attempt to collect a payment: who is still in dunning after it has not paid."""


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
    """The accounts that are billed on each day of the month."""

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
    """Open tickets; how slowly they are served becomes effort. Accounts that have given up asking open none: silence."""
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


def _latent_state(state: State, week_noise: Floats, incident: NDArray[np.bool_], p: Parameters) -> None:
    """Move adoption, value, satisfaction and engagement towards what drives them."""
    adoption_target = 0.6 * state.fit + 1.2 * state.steps / 4 - 1.0
    state.adoption = state.adoption + p.adoption_pull * (adoption_target - state.adoption) + p.adoption_noise * week_noise[0]
    value_target = 0.5 * state.fit + 0.4 * state.adoption + state.goals + state.shock
    state.value = state.value + p.value_pull * (value_target - state.value) + p.value_noise * week_noise[1]
    strain = np.log1p(state.effort) - _TYPICAL_EFFORT
    mood_target = 0.5 * state.value + 0.25 * state.fit - 1.2 * strain
    state.satisfaction = (
        state.satisfaction + p.satisfaction_pull * (mood_target - state.satisfaction) + p.satisfaction_noise * week_noise[2]
    )
    target = 0.65 * state.value + 0.3 * state.adoption + 0.3 * state.satisfaction - 0.55 * ~state.champion
    target += 0.7 * (state.steps / 4 - 1) - 0.3 * state.tight - 0.4 * incident - 1.0 * (state.leaving_on >= 0)
    state.engagement = state.engagement + p.engagement_pull * (target - state.engagement) + p.engagement_noise * week_noise[3]
    state.typical = state.typical + p.typical_pull * (state.engagement - state.typical)


def advance_week(state: State, day: int, calendar: Calendar, parameters: Parameters, rng: np.random.Generator) -> WeekEvents:
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
        state, day, noise[:2], chance[3:7], float(calendar.backlog[day]), p
    )
    left, found = _people_and_money(state, chance[7:10], p)
    _latent_state(state, noise[2:], incident, p)
    expiring = state.card_month <= calendar.month[day]
    renews_card = expiring & (chance[10] < p.card_renewed * sigmoid(0.4 + state.engagement + 0.6 * state.champion))
    state.card_month = state.card_month + 36 * renews_card
    doubt = sigmoid(_leave_log_odds(state, day, slice(None), p) + 1.5)
    off = state.active & state.annual & state.auto_renew & (chance[11] < p.auto_renew_off_rate * doubt)
    state.auto_renew = state.auto_renew & ~off
    return WeekEvents(tickets, slowness, reopened, urgent, incident, met, off, left, found, step_done)


def _renewing(state: State, who: Whole, renewal_day: int, calendar: Calendar) -> Whole:
    """Keep the active accounts whose term ends on that day and who have not given notice."""
    anniversary = state.anniversary[who] == calendar.month[renewal_day] % 12
    due = np.where(state.annual[who], anniversary & (renewal_day - state.start_day[who] > 300), True)
    old_enough = renewal_day - state.start_day[who] >= 20
    kept: Whole = who[state.active[who] & (state.leaving_on[who] < 0) & due & old_enough]
    return kept


def _decide(state: State, day: int, anchors: Anchors, calendar: Calendar, p: Parameters, exits: Exits) -> None:
    """Let accounts decide whether to renew: those who announce it some days ahead, the others on the day itself."""
    for annual, lead in ((False, p.notice_days_monthly), (True, p.notice_days_annual)):
        renewal = day + lead
        who = _renewing(state, anchors.on(int(calendar.day_of_month[renewal])), renewal, calendar)
        who = who[state.notifies[who] & (state.annual[who] == annual) & (day > state.start_day[who])]
        if len(who):
            exits.leave(state, who, sigmoid(_leave_log_odds(state, day, who, p)), day, renewal)
    who = _renewing(state, anchors.on(int(calendar.day_of_month[day])), day, calendar)
    quiet = who[~state.notifies[who]]
    if len(quiet):
        exits.leave(state, quiet, sigmoid(_leave_log_odds(state, day, quiet, p)), day, day)
    anyone = anchors.on(int(calendar.day_of_month[day]))
    anyone = anyone[state.active[anyone] & (state.leaving_on[anyone] < 0) & (day > state.start_day[anyone])]
    exits.vanish(state, anyone, p.leave_anyhow, day)
    stays = who[state.active[who] & state.annual[who]]
    state.auto_renew[stays] = True


def _collect(state: State, day: int, anchors: Anchors, calendar: Calendar, p: Parameters, exits: Exits, draw: Floats) -> None:
    """Send the invoices of the day."""
    who = anchors.on(int(calendar.day_of_month[day]))
    due = ~(state.annual[who] & state.prepaid[who]) | (state.anniversary[who] == calendar.month[day] % 12)
    who = who[state.active[who] & due & (state.leaving_on[who] != day) & (day > state.start_day[who])]
    month = int(calendar.month[day])
    state.dunning[who] = exits.happen(_failure_chance(state, month, who, p), draw[who])
    state.card_failed[who] = state.card_month[who] < month
    exits.invoice(state, who, day, 0)


def _retry(state: State, day: int, anchors: Anchors, calendar: Calendar, p: Parameters, exits: Exits, draw: Floats) -> None:
    """Try failed payments again; after the last failure the account is lost."""
    for attempt, wait in enumerate(RETRY_DAYS, start=1):
        if day < wait:
            continue
        who = anchors.on(int(calendar.day_of_month[day - wait]))
        who = who[state.active[who] & (state.dunning[who] > 0)]
        if not len(who):
            continue
        fails = 1 - _recovery_chance(state, who, p)
        if wait < RETRY_DAYS[-1]:
            state.dunning[who] *= exits.happen(fails, draw[who])
        else:
            # An account that gave notice pays what it owes: the two kinds of ends never compete for one account.
            fails = np.where(state.leaving_on[who] >= 0, 0.0, fails)
            exits.lose(state, who, state.dunning[who] * fails, day)
            state.dunning[who] = ~state.active[who]
        # An account that pays again has replaced its expired card.
        back = who[(state.dunning[who] == 0) & state.card_failed[who]]
        state.card_month[back] += 36 * (state.card_month[back] < calendar.month[day])
        state.card_failed[back] = False
        exits.invoice(state, who, day, attempt)


def advance_day(
    state: State,
    day: int,
    anchors: Anchors,
    calendar: Calendar,
    parameters: Parameters,
    exits: Exits,
    rng: np.random.Generator,
) -> None:
    """Let one day pass: decisions about renewals, invoices, retries."""
    draw = rng.random((2, len(state.fit)))
    _decide(state, day, anchors, calendar, parameters, exits)
    _collect(state, day, anchors, calendar, parameters, exits, draw[0])
    _retry(state, day, anchors, calendar, parameters, exits, draw[1])
