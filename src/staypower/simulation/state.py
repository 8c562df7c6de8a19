"""What an account is at a moment: its traits and its latent state, one array each."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from staypower.simulation.calendar import Calendar
from staypower.simulation.parameters import Parameters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]
    Flags = NDArray[np.bool_]

__all__ = ["NEVER", "SEGMENTS", "State", "draw_accounts", "sigmoid"]

NEVER = -(10**6)
SEGMENTS = ("small", "mid", "large")


def sigmoid(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn log-odds into a probability.

    >>> sigmoid(np.array([0.0])).tolist()
    [0.5]
    """
    probability: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-log_odds))
    return probability


@dataclass
class State:
    """The latent state of many accounts; every array has shape (accounts,).

    Traits stay; the rest moves weekly (`dynamics.advance_week`) or at billing days (`dynamics.advance_day`).

    >>> state = draw_accounts(4, Calendar.of("2023-01-01", 6), Parameters(), np.random.default_rng(0))
    >>> len(state.repeat(np.array([0, 2]), 3).fit)
    6
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
