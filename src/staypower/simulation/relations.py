"""Who the accounts are and how they stand to the company: accounts, goals, advocacy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from staypower.cutoffs import DAY
from staypower.simulation.behaviour import champion_user, user_names
from staypower.simulation.block import BLANK_TIME, Block, codes, in_week, times
from staypower.simulation.state import SEGMENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Whole = NDArray[np.int64]

__all__ = ["accounts_table", "advocacy_table", "goals_table"]

REGIONS = ("emea", "americas", "apac")
INDUSTRIES = ("retail", "manufacturing", "healthcare", "finance", "education", "agency")
CHANNELS = ("paid ads", "outbound", "partner", "organic", "referral")
ADVOCACY = ("referral", "review", "community post", "case study")


def _setup_completed(block: Block, rng: np.random.Generator) -> Whole:
    """Return when the fourth onboarding step was done; the stock did it before the history starts."""
    history, timeline = block.history, block.timeline
    first = timeline.instants(history.traits.first_day)
    span = np.maximum(np.minimum(history.traits.first_day + 60, 0) - history.traits.first_day, 1)
    before = first + DAY + (rng.random(history.count) * (span - 1) * DAY).astype(np.int64) // 60_000_000 * 60_000_000
    done = history.traits.steps + np.cumsum(history.events["step_done"], axis=0) >= 4
    week = np.argmax(done, axis=0).astype(np.int64)
    later = timeline.instants(week * 7) + (rng.random(history.count) * DAY).astype(np.int64) // 60_000_000 * 60_000_000
    there = history.active[np.minimum(week * 7, timeline.days - 1), np.arange(history.count)]
    finished = np.where(done.any(axis=0) & there, later, BLANK_TIME)
    return np.where(history.traits.steps >= 4, before, finished)


def _owner_versions(block: Block, rng: np.random.Generator) -> tuple[Whole, Whole, Whole]:
    """Return account, instant and user of every change of the customer's contact."""
    history, timeline = block.history, block.timeline
    left, found = history.events["champion_left"], history.events["champion_found"]
    number = np.cumsum(found, axis=0)
    parts = []
    for happened, interim in ((left, True), (found, False)):
        week, account = np.nonzero(happened)
        user = np.ones(len(week), dtype=np.int64) if interim else champion_user(number[week, account])
        parts.append((account, week, user))
    account, week, user = (np.concatenate(x) for x in zip(*parts, strict=True))
    at = timeline.instants(week * 7) + ((0.3 + 6.5 * rng.random(len(week))) * DAY).astype(np.int64) // 60_000_000 * 60_000_000
    kept = block.happens(account, at)
    return account[kept], at[kept], user[kept]


def accounts_table(block: Block) -> pa.Table:
    """Write the accounts: a first version at sign-up, a further one whenever the customer's contact changes."""
    history, timeline, rng = block.history, block.timeline, block.stream(8)
    count = history.count
    traits = history.traits
    everyone = np.arange(count)
    signed_up = timeline.instants(traits.first_day) + block.start_clock
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
    return pa.table(
        {
            "account_id": codes(account, block.ids),
            "signed_up_at": times(signed_up[account]),
            "valid_from": times(valid_from),
            "segment": codes(traits.segment[account], SEGMENTS),
            "region": codes(region[account], REGIONS),
            "industry": codes(industry[account], INDUSTRIES),
            "acquisition_channel": codes(channel[account], CHANNELS),
            "acquisition_cost": cost[account],
            "owner": user_names(block, account, owner),
            "setup_completed_at": times(setup[account], timeline.end),
        }
    )


def goals_table(block: Block) -> pa.Table:
    """Write the goals agreed every thirteen weeks, with the instant at which each was met."""
    history, timeline, rng = block.history, block.timeline, block.stream(9)
    weeks = np.arange(1, timeline.weeks)
    opens = ((weeks[:, None] + history.traits.goal_phase[None, :]) % 13 == 0) & history.traits.has_goals[None, :]
    week, account = np.nonzero(opens)
    week = week + 1
    day = week * 7
    there = history.active[day, account] & history.active[day - 1, account]
    week, account, day = week[there], account[there], day[there]
    order = np.lexsort((week, account))
    week, account, day = week[order], account[order], day[order]
    set_at = timeline.instants(day) + block.start_clock[account]
    met = np.full(len(week), BLANK_TIME)
    for later in range(3, 13):
        at_week = week + later
        inside = at_week < timeline.weeks
        hit = np.zeros(len(week), dtype=np.bool_)
        hit[inside] = history.events["goal_met"][at_week[inside], account[inside]] > 0
        met = np.where((met == BLANK_TIME) & hit, in_week(timeline, at_week, rng, (8.0, 18.0)), met)
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
    history, timeline, rng = block.history, block.timeline, block.stream(10)
    rate = np.minimum(0.008 * np.exp(1.3 * history.weekly["attitude"]), 0.15)
    week, account = np.nonzero(rng.random(rate.shape) < rate)
    at = in_week(timeline, week, rng, (8.0, 20.0))
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
