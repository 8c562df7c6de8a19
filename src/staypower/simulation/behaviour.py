"""What accounts do: usage rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from staypower.simulation.block import Block, codes, in_week, times
from staypower.simulation.commerce import ADD_ONS, Contracts, month_number
from staypower.simulation.state import sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]

__all__ = ["EVENTS", "champion_number", "user_names", "usage_table"]

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
_CHAMPION = 1000


def champion_number(block: Block) -> Whole:
    """Return, by week and account, how many champions the account has had before the present one."""
    numbers: Whole = np.cumsum(block.history.events["champion_found"], axis=0)
    return numbers


def user_names(block: Block, account: Whole, user: Whole) -> pa.Array:
    """Name users: `<account>-u3`, and champions `<account>-c0`, `-c1`, ..."""
    keys, position = np.unique(account * 10_000 + user, return_inverse=True)
    words = [
        f"{block.ids[key // 10_000]}-c{key % 10_000 - _CHAMPION}"
        if key % 10_000 >= _CHAMPION
        else f"{block.ids[key // 10_000]}-u{key % 10_000}"
        for key in keys.tolist()
    ]
    return codes(position.astype(np.int64), words)


def champion_user(number: Whole) -> Whole:
    """Return the user number of the n-th champion."""
    return number + _CHAMPION


def _rows_per_week(block: Block, contracts: Contracts, rng: np.random.Generator) -> tuple[Whole, Floats]:
    """Draw how many usage rows each account leaves in each week, and its seats."""
    history, timeline, p = block.history, block.timeline, block.parameters
    week = np.repeat(np.arange(timeline.weeks), history.count)
    account = np.tile(np.arange(history.count), timeline.weeks)
    day = np.minimum(week * 7, timeline.days - 1)
    seats = contracts.seats[month_number(block, account, day), account].reshape(timeline.weeks, -1)
    rhythm = np.exp(p.usage_spread * rng.standard_normal(history.count))
    engagement = history.weekly["engagement"]
    rate = p.usage_rate * (seats / 3) ** 0.55 * rhythm * np.exp(p.usage_slope * np.clip(engagement, -4, 2.0))
    rate = rate * timeline.season[: timeline.weeks * 7 : 7, None] * (1 - 0.35 * history.events["incident"])
    days_active = np.add.reduceat(history.active, np.arange(0, timeline.days, 7), axis=0)
    return rng.poisson(rate * (days_active > 0)), seats.astype(np.float64)


def usage_table(block: Block, contracts: Contracts) -> tuple[pa.Table, Whole]:
    """Write the usage rows; also return their number by week and account."""
    history, timeline, rng = block.history, block.timeline, block.stream(3)
    rows, seats = _rows_per_week(block, contracts, rng)
    cell = np.repeat(np.arange(rows.size), rows.ravel())
    week, account = cell // history.count, cell % history.count
    at = in_week(timeline, week, rng, (6.5, 21.0))
    draws = rng.random((3, len(cell)))
    engagement, adoption, steps = (history.weekly[name].ravel() for name in ("engagement", "adoption", "steps"))
    users = np.maximum(np.ceil(seats.ravel() * (0.3 + 0.6 * sigmoid(0.8 * engagement + 0.3 * adoption))), 1.0)
    user = (users[cell] * draws[0] ** 1.4).astype(np.int64)
    # The champion's work stops with the champion; nobody takes it over until there is a new one.
    there = (user > 0) | (history.weekly["champion"].ravel()[cell] > 0)
    user = np.where(user == 0, champion_user(champion_number(block)[week, account]), user)
    reach = np.minimum(2 + (10.5 * sigmoid(1.1 * adoption + 0.5)).astype(np.int64), _OPEN_BY_STEP[steps.astype(np.int64)])
    taste = np.argsort(np.arange(len(EVENTS))[None, :] + 1.6 * rng.standard_normal((history.count, len(EVENTS))), axis=1)
    event = taste[account, (reach[cell] * draws[1] ** 1.5).astype(np.int64)]
    depth = 1.4 * np.exp(0.35 * np.clip(engagement[cell], -3, 2))
    quantity = 1.0 + rng.poisson(depth) * (event > 0)
    held = contracts.add_ons[month_number(block, account, np.minimum(week * 7, timeline.days - 1)), :, account]
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
