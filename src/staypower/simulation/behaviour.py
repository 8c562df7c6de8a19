"""Who the accounts are and what they do: accounts, usage, goals, advocacy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from staypower.cutoffs import DAY
from staypower.simulation.account_names import account_names
from staypower.simulation.block import (
    BLANK_TIME,
    BLOCK,
    Block,
    champion_number,
    champion_user,
    codes,
    in_week,
    times,
    user_names,
)
from staypower.simulation.contracts import ADD_ONS, Contracts, month_number
from staypower.simulation.world import SEGMENTS, sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]

__all__ = ["EVENTS", "accounts_table", "advocacy_table", "goals_table", "usage_table"]

REGIONS = ("emea", "americas", "apac")
INDUSTRIES = ("retail", "manufacturing", "healthcare", "finance", "education", "agency")
CHANNELS = ("paid ads", "outbound", "partner", "organic", "referral")
ADVOCACY = ("referral", "review", "community post", "case study")
EVENTS = (
    "login",
    "dashboard_view",
    "workflow_run",
    "report_view",
    "search",
    "export",
    "integration_sync",
    "automation_run",
    "api_call",
    "comment",
    "help_article",
    "forum_post",
)
#: Product features that are open after each onboarding step.
_OPEN_BY_STEP = np.array([3, 5, 7, 9, 12])
_ANALYTICS, _AUTOMATION = (3, 5), (7, 8)


def _rows_per_week(block: Block, contracts: Contracts, rng: np.random.Generator) -> tuple[Whole, Floats]:
    """Draw how many usage rows each account leaves in each week, and its seats."""
    history, calendar, p = block.history, block.calendar, block.parameters
    week = np.repeat(np.arange(calendar.weeks), history.count)
    account = np.tile(np.arange(history.count), calendar.weeks)
    day = np.minimum(week * 7, calendar.days - 1)
    seats = contracts.seats[month_number(block, account, day), account].reshape(calendar.weeks, -1)
    rhythm = np.exp(p.usage_spread * rng.standard_normal(history.count))
    engagement = history.weekly["engagement"]
    rate = p.usage_rate * (seats / 3) ** 0.55 * rhythm * np.exp(p.usage_slope * np.clip(engagement, -4, 2.0))
    rate = rate * calendar.season[: calendar.weeks * 7 : 7, None] * (1 - 0.35 * history.events["incident"])
    days_active = np.add.reduceat(history.active, np.arange(0, calendar.days, 7), axis=0)
    return rng.poisson(rate * (days_active > 0)), seats.astype(np.float64)


def usage_table(block: Block, contracts: Contracts) -> tuple[pa.Table, Whole]:
    """Write the usage rows; also return their number by week and account."""
    history, calendar, rng = block.history, block.calendar, block.stream(3)
    rows, seats = _rows_per_week(block, contracts, rng)
    cell = np.repeat(np.arange(rows.size), rows.ravel())
    week, account = cell // history.count, cell % history.count
    at = in_week(calendar, week, rng, (6.5, 21.0))
    draws = rng.random((3, len(cell)))
    engagement, adoption, steps = (history.weekly[name].ravel() for name in ("engagement", "adoption", "steps"))
    users = np.maximum(np.ceil(seats.ravel() * (0.3 + 0.6 * sigmoid(0.8 * engagement + 0.3 * adoption))), 1.0)
    user = (users[cell] * draws[0] ** 1.4).astype(np.int64)
    # The champion's work stops with the champion until a new one is found.
    there = (user > 0) | (history.weekly["champion"].ravel()[cell] > 0)
    user = np.where(user == 0, champion_user(champion_number(block)[week, account]), user)
    reach = np.minimum(2 + (10.5 * sigmoid(1.1 * adoption + 0.5)).astype(np.int64), _OPEN_BY_STEP[steps.astype(np.int64)])
    taste = np.argsort(np.arange(len(EVENTS))[None, :] + 1.6 * rng.standard_normal((history.count, len(EVENTS))), axis=1)
    event = taste[account, (reach[cell] * draws[1] ** 1.5).astype(np.int64)]
    depth = 1.4 * np.exp(0.35 * np.clip(engagement[cell], -3, 2))
    quantity = 1.0 + rng.poisson(depth) * (event > 0)
    held = contracts.add_ons[month_number(block, account, np.minimum(week * 7, calendar.days - 1)), :, account]
    product = np.where(held[:, 0] & np.isin(event, _ANALYTICS), 1, np.where(held[:, 1] & np.isin(event, _AUTOMATION), 2, 0))
    kept = np.flatnonzero(there & block.happens(account, at))
    kept = kept[np.lexsort((at[kept], account[kept]))]
    seen = np.bincount(cell[kept], minlength=rows.size).reshape(rows.shape)
    account, at = account[kept], at[kept]
    table = pa.table(
        {
            "account_id": codes(account, block.ids),
            "at": times(at),
            "event": codes(event[kept], EVENTS),
            "quantity": quantity[kept],
            "user_id": user_names(block, account, user[kept]),
            "product": codes(product[kept], ("core", *ADD_ONS)),
        }
    )
    return table, seen


def _setup_completed(block: Block, rng: np.random.Generator) -> Whole:
    """Return when the fourth onboarding step was done; the stock did it before the history starts."""
    history, calendar = block.history, block.calendar
    first = calendar.instants(history.traits.first_day)
    span = np.maximum(np.minimum(history.traits.first_day + 60, 0) - history.traits.first_day, 1)
    before = first + DAY + (rng.random(history.count) * (span - 1) * DAY).astype(np.int64) // 60_000_000 * 60_000_000
    done = history.traits.steps + np.cumsum(history.events["step_done"], axis=0) >= 4
    week = np.argmax(done, axis=0).astype(np.int64)
    later = calendar.instants(week * 7) + (rng.random(history.count) * DAY).astype(np.int64) // 60_000_000 * 60_000_000
    there = history.active[np.minimum(week * 7, calendar.days - 1), np.arange(history.count)]
    finished = np.where(done.any(axis=0) & there, later, BLANK_TIME)
    return np.where(history.traits.steps >= 4, before, finished)


def _owner_versions(block: Block, rng: np.random.Generator) -> tuple[Whole, Whole, Whole]:
    """Return account, instant and user of every change of the customer's contact."""
    history, calendar = block.history, block.calendar
    left, found = history.events["champion_left"], history.events["champion_found"]
    number = np.cumsum(found, axis=0)
    parts = []
    for happened, interim in ((left, True), (found, False)):
        week, account = np.nonzero(happened)
        user = np.ones(len(week), dtype=np.int64) if interim else champion_user(number[week, account])
        parts.append((account, week, user))
    account, week, user = (np.concatenate(x) for x in zip(*parts, strict=True))
    at = calendar.instants(week * 7) + ((0.3 + 6.5 * rng.random(len(week))) * DAY).astype(np.int64) // 60_000_000 * 60_000_000
    kept = block.happens(account, at)
    return account[kept], at[kept], user[kept]


def accounts_table(block: Block) -> pa.Table:
    """Write the accounts: a first version at sign-up, a further one whenever the customer's contact changes."""
    history, calendar, rng = block.history, block.calendar, block.stream(8)
    count = history.count
    traits = history.traits
    everyone = np.arange(count)
    signed_up = calendar.instants(traits.first_day) + block.start_clock
    pull = traits.fit[:, None] * np.array([-0.35, -0.15, 0.0, 0.15, 0.4])[None, :]
    channel = np.argmax(pull + rng.gumbel(size=(count, 5)), axis=1)
    cost = np.round(np.array([220.0, 900.0, 3600.0])[traits.segment] * np.exp(0.4 * rng.standard_normal(count)), 2)
    region, industry = rng.integers(0, 3, count), rng.integers(0, len(INDUSTRIES), count)
    setup = _setup_completed(block, rng)
    changed, changed_at, user = _owner_versions(block, rng)
    account = np.concatenate([everyone, changed])
    valid_from = np.concatenate([signed_up, changed_at])
    owner = np.concatenate([champion_user(np.zeros(count, dtype=np.int64)), user])
    order = np.lexsort((valid_from, account))
    account, valid_from, owner = account[order], valid_from[order], owner[order]
    names = account_names(block.number * BLOCK + everyone, [INDUSTRIES[each] for each in industry], block.seed)
    return pa.table(
        {
            "account_id": codes(account, block.ids),
            "name": codes(account, names),
            "signed_up_at": times(signed_up[account]),
            "valid_from": times(valid_from),
            "segment": codes(traits.segment[account], SEGMENTS),
            "region": codes(region[account], REGIONS),
            "industry": codes(industry[account], INDUSTRIES),
            "acquisition_channel": codes(channel[account], CHANNELS),
            "acquisition_cost": cost[account],
            "owner": user_names(block, account, owner),
            "setup_completed_at": times(setup[account], calendar.end),
        }
    )


def goals_table(block: Block) -> pa.Table:
    """Write the goals agreed every thirteen weeks, with the instant at which each was met."""
    history, calendar, rng = block.history, block.calendar, block.stream(9)
    weeks = np.arange(1, calendar.weeks)
    opens = ((weeks[:, None] + history.traits.goal_phase[None, :]) % 13 == 0) & history.traits.has_goals[None, :]
    week, account = np.nonzero(opens)
    week = week + 1
    day = week * 7
    there = history.active[day, account] & history.active[day - 1, account]
    week, account, day = week[there], account[there], day[there]
    order = np.lexsort((week, account))
    week, account, day = week[order], account[order], day[order]
    set_at = calendar.instants(day) + block.start_clock[account]
    met = np.full(len(week), BLANK_TIME)
    for later in range(3, 13):
        at_week = week + later
        inside = at_week < calendar.weeks
        hit = np.zeros(len(week), dtype=np.bool_)
        hit[inside] = history.events["goal_met"][at_week[inside], account[inside]] > 0
        met = np.where((met == BLANK_TIME) & hit, in_week(calendar, at_week, rng, (8.0, 18.0)), met)
    met = np.where((met != BLANK_TIME) & block.happens(account, np.where(met == BLANK_TIME, 0, met)), met, BLANK_TIME)
    return pa.table(
        {
            "account_id": codes(account, block.ids),
            "set_at": times(set_at),
            "due_at": times(set_at + 91 * DAY),
            "met_at": times(met),
        }
    )


def advocacy_table(block: Block) -> pa.Table:
    """Write what accounts do for the company: the better their attitude, the more."""
    history, calendar, rng = block.history, block.calendar, block.stream(10)
    rate = np.minimum(0.008 * np.exp(1.3 * history.weekly["attitude"]), 0.15)
    week, account = np.nonzero(rng.random(rate.shape) < rate)
    at = in_week(calendar, week, rng, (8.0, 20.0))
    kind = np.searchsorted([0.4, 0.65, 0.92], rng.random(len(week)), side="right")
    kept = np.flatnonzero(block.happens(account, at))
    kept = kept[np.lexsort((at[kept], account[kept]))]
    return pa.table(
        {
            "account_id": codes(account[kept], block.ids),
            "at": times(at[kept]),
            "kind": codes(kind[kept], ADVOCACY),
            "value": np.ones(len(kept)),
        }
    )
