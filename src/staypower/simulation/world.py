"""The world of the simulated company: its parameters, its calendar, and its accounts with their traits and latent state.

The parameters were fixed before any feature was tuned on the company, so that it stays a fair test; `docs/simulator.md` shows
their table.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import DAY, instant_of
from staypower.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]
    Flags = NDArray[np.bool_]

__all__ = [
    "AHEAD",
    "Calendar",
    "NEVER",
    "PARAMETERS",
    "Parameters",
    "SEGMENTS",
    "State",
    "draw_accounts",
    "parameter_table",
    "sigmoid",
]

#: Days that are known beyond the end, so that truth at the last cutoff can look as far ahead.
AHEAD = 400
NEVER = -(10**6)
SEGMENTS = ("small", "mid", "large")


def _number(value: float, meaning: str) -> float:
    """Declare one parameter with its meaning."""
    declared: float = field(default=value, metadata={"meaning": meaning})
    return declared


@dataclass(frozen=True)
class Parameters:
    """The constants of the simulated company.

    Latent quantities have a spread of about one; rates are per week unless their meaning says otherwise.
    """

    # Who signs up
    stock_share: float = _number(0.42, "share of the accounts that are customers before the history starts")
    stock_tenure_weeks: float = _number(70.0, "mean tenure of that stock at the start, weeks")
    stock_fit: float = _number(0.35, "how much better the stock fits, having survived until then")
    annual_share: float = _number(0.35, "share of accounts on a twelve-month term; the others renew every month")
    annual_prepaid: float = _number(0.6, "share of twelve-month terms that are paid once a year")
    notifies_share: float = _number(0.45, "share of accounts that announce a cancellation ahead of the renewal")
    notice_days_monthly: int = field(default=10, metadata={"meaning": "days of notice on a monthly term"})
    notice_days_annual: int = field(default=30, metadata={"meaning": "days of notice on a twelve-month term"})

    # Onboarding and adoption
    step_rate: float = _number(
        0.45, "chance of finishing an onboarding step in a week, times sigmoid(0.2 + fit + 0.8 champion - effort / 2)"
    )
    step_weeks: float = _number(26.0, "weeks after which onboarding stops")
    adoption_pull: float = _number(0.06, "weekly pull of adoption towards 0.6 fit + 1.2 (steps done / 4) - 1.0")
    adoption_noise: float = _number(0.08, "weekly noise of adoption")

    # Value
    value_pull: float = _number(0.10, "weekly pull of value towards 0.5 fit + 0.4 adoption + goals + shock")
    value_noise: float = _number(0.09, "weekly noise of value")
    shock_rate: float = _number(0.006, "chance of a blow to value (a competitor, a changed need)")
    shock_size: float = _number(1.6, "mean size of that blow; it fades by 2 % a week")
    goal_rate: float = _number(
        0.16, "chance of meeting an open goal in a week from its fourth week on, times sigmoid(0.4 + value + adoption / 2) x 2"
    )

    # Support, effort, satisfaction
    ticket_rate: float = _number(0.22, "tickets of a typical account")
    incident_rate: float = _number(0.010, "chance of an incident: tickets, pain, less usage that week")
    service_keep: float = _number(0.94, "weekly persistence of how slowly an account is served")
    effort_keep: float = _number(0.88, "weekly persistence of effort")
    satisfaction_pull: float = _number(
        0.22, "weekly pull of satisfaction towards value / 2 + fit / 4 - 1.2 (log(1 + effort) - 0.45)"
    )
    satisfaction_noise: float = _number(0.14, "weekly noise of satisfaction")

    # Champion, budget, engagement
    champion_leaves: float = _number(0.007, "chance that the champion leaves")
    champion_found: float = _number(0.055, "chance that a lost champion is replaced, from the third week on")
    budget_tightens: float = _number(0.0055, "chance that the budget becomes tight")
    budget_relaxes: float = _number(0.045, "chance that a tight budget relaxes")
    engagement_pull: float = _number(0.28, "weekly pull of engagement towards its target")
    engagement_noise: float = _number(0.1, "weekly noise of engagement")
    typical_pull: float = _number(0.035, "weekly pull of the account's typical engagement towards the present one")

    # Leaving by choice: terms of the log-odds at a monthly renewal
    leave_base: float = _number(-4.6, "log-odds of a typical account at a monthly renewal")
    leave_annual: float = _number(1.7, "added at a twelve-month renewal: a year of reasons has gathered")
    leave_auto_renew_off: float = _number(1.1, "added when automatic renewal was switched off")
    auto_renew_off_rate: float = _number(0.05, "chance of switching automatic renewal off, times sigmoid(log-odds + 1.5)")
    leave_anyhow: float = _number(
        0.0045, "chance, each month, of ending at once for a reason that nothing predicts, whatever the term"
    )
    lever_onboarding: float = _number(2.6, "per whole onboarding that is behind schedule, fading over the first year")
    lever_adoption: float = _number(0.55, "per unit of adoption below typical")
    lever_engagement: float = _number(2.1, "per unit of engagement below what is typical of the account")
    lever_support: float = _number(1.1, "per unit of log effort above typical; half as much again when value is low")
    lever_satisfaction: float = _number(0.45, "per unit of satisfaction below typical")
    lever_billing: float = _number(1.15, "while the budget is tight; two thirds of it for 90 days after a discount ends")
    lever_value: float = _number(0.5, "per unit of value below typical")
    lever_relationship: float = _number(1.3, "while there is no champion, more when engagement also falls")

    # Leaving because a payment fails
    failure_base: float = _number(0.03, "chance that an invoice fails")
    failure_tight: float = _number(0.13, "added while the budget is tight")
    card_renewed: float = _number(0.30, "chance of renewing an expiring card, times sigmoid(0.4 + engagement + 0.6 champion)")
    recovery_base: float = _number(-0.6, "log-odds of a retry succeeding; + 0.8 engagement + 0.6 champion - 0.9 tight")

    # Coming back
    pause_voluntary: float = _number(0.03, "share of voluntary ends followed by a return within 3 to 25 days")
    pause_involuntary: float = _number(0.15, "the same for involuntary ends")
    return_share: float = _number(0.10, "share of ends followed by a return after 60 to 240 days")

    # Usage and surveys
    usage_rate: float = _number(2.8, "usage rows per week of an account with three seats and typical engagement")
    usage_spread: float = _number(0.55, "spread of the accounts' own rhythm, log scale")
    usage_slope: float = _number(1.25, "log usage per unit of engagement")
    answer_base: float = _number(-0.75, "log-odds of answering an NPS invitation")
    answer_slope: float = _number(
        0.9, "added per unit of attitude (or of usage against what is typical, when silence is observable)"
    )
    nps_mean: float = _number(7.2, "NPS answer at attitude zero")
    nps_slope: float = _number(1.75, "NPS points per unit of attitude")
    nps_noise: float = _number(0.75, "spread of one answer around the attitude, points")


PARAMETERS = Parameters()


def parameter_table(parameters: Parameters = PARAMETERS) -> str:
    """Write the parameters as the Markdown table of the docs."""
    rows = [f"| `{f.name}` | {getattr(parameters, f.name):g} | {f.metadata['meaning']} |" for f in fields(parameters)]
    return "\n".join(["| parameter | value | meaning |", "|---|---|---|", *rows])


@dataclass(frozen=True)
class Calendar:
    """Day numbers of a history: day 0 is its first day, `days` the first one after it.

    >>> calendar = Calendar.of("2023-01-01", 30)
    >>> calendar.days, int(calendar.day_of_month[31]), int(calendar.weekday[0])
    (912, 1, 6)
    """

    first_day: int  # days from 1970-01-01 to the first day
    days: int  # length of the history in days

    @classmethod
    def of(cls, start: str, months: int) -> Calendar:
        """Lay out `months` calendar months from a first day."""
        midnight = instant_of(start)
        if midnight % DAY:
            raise UsageError.of("the history must start at midnight UTC", start, "give a date such as 2023-01-01")
        first = midnight // DAY
        date = np.datetime64(first, "D")
        within = int((date - date.astype("M8[M]").astype("M8[D]")).astype(int))
        end = (date.astype("M8[M]") + np.timedelta64(months, "M")).astype("M8[D]") + np.timedelta64(within, "D")
        return cls(first, int((end - date).astype(int)))

    @property
    def weeks(self) -> int:
        """Weekly steps that touch the history."""
        return -(-self.days // 7)

    @property
    def start(self) -> int:
        """Instant of the first midnight."""
        return self.first_day * DAY

    @property
    def end(self) -> int:
        """Instant of the midnight after the last day."""
        return (self.first_day + self.days) * DAY

    @cached_property
    def _dates(self) -> NDArray[np.datetime64]:
        return np.arange(self.first_day, self.first_day + self.days + AHEAD).astype("M8[D]")

    @cached_property
    def month(self) -> NDArray[np.int64]:
        """Months since 1970-01 of each day."""
        return self._dates.astype("M8[M]").astype(np.int64)

    @cached_property
    def day_of_month(self) -> NDArray[np.int64]:
        """Day of the month, from 1."""
        days: NDArray[np.int64] = (self._dates - self._dates.astype("M8[M]").astype("M8[D]")).astype(np.int64) + 1
        return days

    @cached_property
    def weekday(self) -> NDArray[np.int64]:
        """Weekday, Monday 0."""
        weekdays: NDArray[np.int64] = (self._dates.astype(np.int64) + 3) % 7
        return weekdays

    @cached_property
    def season(self) -> NDArray[np.float64]:
        """Factor of usage on each day, about 1: lower in August and around the turn of the year."""
        position = (self.month % 12) + self.day_of_month / 31
        turn = np.minimum(np.abs(position - 12.0), position)
        return 1 - 0.22 * np.exp(-((position - 7.55) ** 2) / 0.12) - 0.35 * np.exp(-(turn**2) / 0.05)

    @cached_property
    def backlog(self) -> NDArray[np.float64]:
        """How slow support is on each day, about 0: slower in January and July."""
        position = (self.month % 12) + self.day_of_month / 31
        return 0.35 * np.exp(-((position - 0.5) ** 2) / 0.3) + 0.3 * np.exp(-((position - 6.6) ** 2) / 0.4) - 0.1

    def date_parts(self, day: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return month (since 1970-01) and day of the month of day numbers, also negative ones."""
        dates = (day + self.first_day).astype("M8[D]")
        months = dates.astype("M8[M]")
        return months.astype(np.int64), (dates - months.astype("M8[D]")).astype(np.int64) + 1

    def instants(self, day: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the midnights of day numbers as instants."""
        return (day + self.first_day) * DAY


def sigmoid(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn log-odds into a probability."""
    probability: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-log_odds))
    return probability


@dataclass
class State:
    """The latent state of many accounts; every array has shape (accounts,).

    Traits stay; the rest moves weekly (`dynamics.advance_week`) or at billing days (`dynamics.advance_day`).
    """

    fit: Floats
    proneness: Floats
    segment: Whole
    first_day: Whole
    anchor: Whole
    anniversary: Whole
    prepaid: Flags
    notifies: Flags
    goal_phase: Whole
    has_goals: Flags
    discount_ends: Whole
    annual: Flags
    active: Flags
    start_day: Whole
    steps: Floats
    adoption: Floats
    value: Floats
    shock: Floats
    goals: Floats
    goal_open: Flags
    effort: Floats
    service: Floats
    satisfaction: Floats
    engagement: Floats
    typical: Floats
    champion: Flags
    alone_weeks: Whole
    tight: Flags
    auto_renew: Flags
    card_month: Whole
    dunning: Floats
    card_failed: Flags
    leaving_on: Whole

    def repeat(self, accounts: Whole, times: int) -> State:
        """Copy some accounts several times over, copies of one account side by side."""
        return State(**{f.name: np.repeat(getattr(self, f.name)[accounts], times) for f in fields(self)})

    @property
    def attitude(self) -> Floats:
        """What the account would say of the company: the base of every survey answer and of the tier."""
        return 0.6 * self.satisfaction + 0.5 * self.value + 0.15 * self.fit


def draw_accounts(count: int, calendar: Calendar, parameters: Parameters, rng: np.random.Generator) -> State:
    """Draw accounts as they are when they sign up, or, for the stock, when the history starts."""
    p = parameters
    noise = rng.standard_normal((7, count))
    chance = rng.random((12, count))
    stock = chance[0] < p.stock_share
    tenure_days = np.minimum(-np.log1p(-chance[1]) * p.stock_tenure_weeks * 7, 2000).astype(np.int64) + 14
    first_day = np.where(stock, -tenure_days, (chance[1] * calendar.days).astype(np.int64))
    month, day_of_month = calendar.date_parts(first_day)
    fit = noise[0] + np.where(stock, p.stock_fit, 0.0)
    segment = np.searchsorted([0.5, 0.85], chance[2], side="right").astype(np.int64)
    steps = np.where(stock, np.where(chance[3] < 0.88, 4.0, 2.0), 0.0)
    adoption = np.where(stock, 0.6 * fit + 1.2 * steps / 4 - 1.0, 0.4 * fit - 0.5) + 0.2 * noise[1]
    value = 0.5 * fit + 0.4 * adoption + 0.3 * noise[2]
    engagement = 0.5 * value + 0.3 * adoption + 0.2 * noise[3]
    has_discount = chance[4] < 0.3
    month_start_today = calendar.date_parts(np.maximum(first_day, 0))[0]
    never = np.full(count, NEVER, dtype=np.int64)
    off = np.zeros(count, dtype=np.bool_)
    return State(
        fit=fit,
        proneness=0.5 * noise[4],
        segment=segment,
        first_day=first_day,
        anchor=np.minimum(day_of_month, 28),
        anniversary=month % 12,
        prepaid=chance[5] < p.annual_prepaid,
        notifies=chance[6] < p.notifies_share,
        goal_phase=(chance[7] * 13).astype(np.int64),
        has_goals=chance[8] < np.array([0.3, 0.7, 0.85])[segment],
        discount_ends=np.where(has_discount, first_day + 365, NEVER),
        annual=chance[9] < p.annual_share * np.array([0.7, 1.2, 1.5])[segment],
        active=off.copy(),
        start_day=first_day.copy(),
        steps=steps,
        adoption=adoption,
        value=value,
        shock=np.zeros(count),
        goals=np.zeros(count),
        goal_open=off.copy(),
        effort=np.where(stock, 0.5, 0.2),
        service=0.7 * noise[5],
        satisfaction=0.5 * value + 0.25 * fit + 0.3 * noise[6],
        engagement=engagement,
        typical=engagement.copy(),
        champion=~off,
        alone_weeks=np.zeros(count, dtype=np.int64),
        tight=stock & (chance[10] < 0.08),
        auto_renew=~off,
        card_month=month_start_today + 1 + (chance[11] * 36).astype(np.int64),
        dunning=np.zeros(count),
        card_failed=off.copy(),
        leaving_on=never,
    )
