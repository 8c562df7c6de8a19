"""What is sold: seats, plans, add-ons over the months; subscriptions and payments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from staypower.cutoffs import DAY, HOUR
from staypower.simulation.block import BLANK_TIME, Block, codes, ids_of, times
from staypower.simulation.dynamics import RETRY_DAYS
from staypower.simulation.world import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]

__all__ = ["ADD_ONS", "END_REASONS", "Contracts", "payments_table", "sign_contracts", "subscriptions_table"]

PLANS = ("basic", "pro", "enterprise")
_SEAT_PRICE = np.array([29.0, 49.0, 79.0])
ADD_ONS = ("analytics", "automation")
_ADD_ON_PRICE = np.array([8.0, 12.0])
#: What is written as `end_reason`, by the lever that decided, then the payment kinds, then blank.
END_REASONS = (
    "too hard to set up",
    "missing features",
    "not using it",
    "support",
    "poor experience",
    "price",
    "switched to competitor",
    "sponsor left",
    "payment_failed",
    "card_expired",
    "other",
    None,
)


@dataclass(frozen=True)
class Contracts:
    """What each account holds, month by month.

    Arrays have shape (months + 1, accounts): entry `m` holds from the billing day of month `m - 1` to that of month `m`.
    """

    seats: Whole
    plan: Whole
    add_ons: NDArray[np.bool_]
    discount: Floats


def month_number(block: Block, account: Whole, day: Whole) -> Whole:
    """Return the entry of `Contracts` that holds on a day."""
    calendar = block.calendar
    day = np.maximum(day, 0)
    passed = calendar.day_of_month[day] >= block.history.traits.anchor[account]
    number: Whole = calendar.month[day] - calendar.month[0] + passed
    return number


def sign_contracts(block: Block) -> Contracts:
    """Let seats, plans and add-ons grow and shrink on billing days, with engagement and budget."""
    history, calendar, rng = block.history, block.calendar, block.stream(1)
    count = history.count
    segment, anchor = history.traits.segment, history.traits.anchor
    months = int(calendar.month[calendar.days - 1] - calendar.month[0]) + 1
    seats = np.zeros((months + 1, count), dtype=np.int64)
    plan = np.zeros((months + 1, count), dtype=np.int64)
    add_ons = np.zeros((months + 1, 2, count), dtype=np.bool_)
    seats[0] = np.array([1, 3, 8])[segment] + (rng.random(count) * np.array([4, 8, 18])[segment]).astype(np.int64)
    plan[0] = np.clip(segment + (rng.random(count) < 0.25) - (rng.random(count) < 0.25), 0, 2)
    add_ons[0] = rng.random((2, count)) < 0.13
    discount = np.where(history.traits.discount_ends == NEVER, 0.0, np.where(rng.random(count) < 0.5, 0.15, 0.25))
    first_of_month = np.searchsorted(calendar.month, calendar.month[0] + np.arange(months))
    offset = int(calendar.day_of_month[0]) - 1
    for month in range(months):
        day = first_of_month[month] + anchor - 1 - (offset if month == 0 else 0)
        valid = (day >= 0) & (day < calendar.days)
        day = np.clip(day, 0, calendar.days - 1)
        everyone = np.arange(count)
        billed = valid & history.active[day, everyone] & (history.traits.first_day < day)
        week = day // 7
        engagement = history.weekly["engagement"][week, everyone]
        falling = np.maximum(history.weekly["typical"][week, everyone] - engagement, 0.0)
        tight = history.weekly["tight"][week, everyone] > 0
        chance = rng.random((6, count))
        step = np.maximum(1, np.round(seats[month] * (0.1 + 0.2 * chance[4]))).astype(np.int64)
        grows = billed & ~tight & (chance[0] < 0.03 * np.exp(np.clip(engagement, -2, 1.2)))
        shrinks = billed & ~grows & (chance[0] > 1 - (0.008 + 0.20 * tight + 0.07 * falling)) & (seats[month] > 1)
        seats[month + 1] = seats[month] + step * grows - np.minimum(step, seats[month] - 1) * shrinks
        up = billed & (chance[1] < 0.008 * np.exp(np.clip(engagement, -2, 1))) & (plan[month] < 2)
        down = billed & ~up & (chance[1] > 1 - (0.002 + 0.06 * tight)) & (plan[month] > 0)
        plan[month + 1] = plan[month] + up - down
        adds = chance[2:4] < 0.008 * np.exp(np.clip(engagement, -2, 1))
        drops = chance[2:4] > 1 - (0.012 + 0.05 * tight + 0.03 * falling)
        held = np.where(add_ons[month], ~(drops & billed), adds & billed)
        gone = valid & ~history.active[day, everyone] & (history.traits.first_day < day)
        add_ons[month + 1] = held & ~gone
    return Contracts(seats, plan, add_ons, discount)


def _monthly_prices(block: Block, contracts: Contracts, account: Whole, day: Whole) -> tuple[Floats, Floats]:
    """Return the monthly price of the core product and of each add-on (shape (2, n)), 0 where not held."""
    number = month_number(block, account, day)
    seats = contracts.seats[number, account]
    cut = np.where(day < block.history.traits.discount_ends[account], contracts.discount[account], 0.0)
    core = seats * _SEAT_PRICE[contracts.plan[number, account]] * (1 - cut)
    extra = contracts.add_ons[number, :, account].T * seats * _ADD_ON_PRICE[:, None]
    return np.round(core, 2), np.round(extra, 2)


def _anniversaries(block: Block, account: int, start_day: int, until: int) -> list[int]:
    """Return the days from a start at which a twelve-month term begins again, and the next one after `until`."""
    calendar = block.calendar
    first_month = int(np.datetime64(calendar.first_day + start_day, "D").astype("M8[M]").astype(np.int64))
    anchor = int(block.history.traits.anchor[account])
    found: list[int] = []
    year = 1
    while not found or found[-1] < until:
        first_of_month = int(np.datetime64(first_month + 12 * year, "M").astype("M8[D]").astype(np.int64))
        found.append(first_of_month + anchor - 1 - calendar.first_day)
        year += 1
    return found


def _core_versions(block: Block, contracts: Contracts, spell: int) -> list[tuple[int, int, bool]]:
    """List the versions of a spell's core subscription: day, next renewal day, whether it renews by itself."""
    history, calendar = block.history, block.calendar
    account, start, end = (int(history.spells[name][spell]) for name in ("account", "start_day", "end_day"))
    until = calendar.days if end == NEVER else end
    annual = bool(history.spells["annual"][spell])
    renewals = _anniversaries(block, account, start, until) if annual else []
    off_days = np.flatnonzero(history.events["auto_renew_off"][:, account]) * 7 if annual else np.zeros(0, dtype=np.int64)
    changed = np.flatnonzero((np.diff(contracts.seats[:, account]) != 0) | (np.diff(contracts.plan[:, account]) != 0))
    dates = (changed + int(calendar.month[0])).astype("M8[M]").astype("M8[D]").astype(np.int64)
    billing = dates - calendar.first_day + int(history.traits.anchor[account]) - 1
    discount_end = int(history.traits.discount_ends[account])
    days = {start, *billing.tolist(), *renewals, *off_days.tolist(), discount_end}
    versions = []
    for day in sorted(d for d in days if start <= d < until):
        ahead = next((renewal for renewal in renewals if renewal > day), NEVER)
        term_start = max([start, *(renewal for renewal in renewals if renewal <= day)])
        renews = not ((off_days > term_start) & (off_days <= day)).any()
        versions.append((day, ahead, renews))
    return versions


def _add_on_stretches(block: Block, contracts: Contracts, spell: int, number: int) -> list[tuple[int, int]]:
    """List from which day to which (`NEVER` while it lasts) an add-on was held within a spell."""
    history, calendar = block.history, block.calendar
    account, start, end = (int(history.spells[name][spell]) for name in ("account", "start_day", "end_day"))
    held = contracts.add_ons[:, number, account]
    if not held.any():
        return []
    first_month = int(calendar.month[0])
    edges = np.flatnonzero(np.diff(np.concatenate([[False], held, [False]]).astype(np.int8)))
    anchor = int(history.traits.anchor[account])

    def billing_day(entry: int) -> int:
        date = np.datetime64(first_month + entry - 1, "M").astype("M8[D]").astype(np.int64)
        return int(date) - calendar.first_day + anchor - 1

    found = []
    for begin, stop in edges.reshape(-1, 2).tolist():
        begin_day = start if begin == 0 else max(billing_day(begin), start)
        stop_day = NEVER if stop == len(held) else billing_day(stop)
        closed = [day for day in (stop_day, end) if day != NEVER]
        stop_day = min(closed) if closed else NEVER
        if (stop_day == NEVER or stop_day > begin_day) and begin_day < calendar.days:
            found.append((begin_day, stop_day))
    return found


def subscriptions_table(block: Block, contracts: Contracts) -> pa.Table:
    """Write the subscriptions: one row per version, core product and add-ons.

    Every version of a subscription carries its start and, once known, its end.
    """
    history = block.history
    spells = history.spells
    rows: list[tuple[int, int, int, int, int, int, bool, int]] = []
    taken = dict.fromkeys(range(history.count), 0)
    for spell in np.lexsort((spells["start_day"], spells["account"])).tolist():
        account = int(spells["account"][spell])
        taken[account] += 1
        end = int(spells["end_day"][spell])
        start = int(spells["start_day"][spell])
        for day, ahead, renews in _core_versions(block, contracts, spell):
            rows.append((account, spell, taken[account], -1, day, ahead, renews, end))
        for number in range(2):
            for begin, stop in _add_on_stretches(block, contracts, spell, number):
                taken[account] += 1
                rows.append((account, spell, taken[account], number, max(begin, start), NEVER, True, stop))
    return _subscription_rows(block, contracts, rows)


def _subscription_rows(
    block: Block, contracts: Contracts, rows: list[tuple[int, int, int, int, int, int, bool, int]]
) -> pa.Table:
    table = np.array(rows, dtype=np.int64).reshape(-1, 8)
    account, spell, taken, add_on, day, ahead, renews, end = table.T
    spells, calendar = block.history.spells, block.calendar
    core = add_on < 0
    clock = block.start_clock[account]
    first = np.where(core, spells["start_day"][spell], day)
    begun = calendar.instants(first) + clock
    closes_spell = (end == spells["end_day"][spell]) & (end != NEVER)
    ended = np.where(end == NEVER, BLANK_TIME, calendar.instants(end) + clock)
    valid_from = np.where(day == first, begun, calendar.instants(day) + block.billing_clock[account] - HOUR // 2)
    prices = _monthly_prices(block, contracts, account, day)
    number = month_number(block, account, day)
    extra = prices[1][np.maximum(add_on, 0), np.arange(len(account))]
    annual = spells["annual"][spell] == 1
    prepaid = annual & block.history.traits.prepaid[account]
    cut = np.where(core & (day < block.history.traits.discount_ends[account]), contracts.discount[account], 0.0)
    notice = np.where(spells["notice_day"][spell] == NEVER, BLANK_TIME, calendar.instants(spells["notice_day"][spell]) + clock)
    reason = np.where(closes_spell, spells["reason"][spell], len(END_REASONS) - 1)
    # An add-on dropped on its own was simply not wanted any more.
    reason = np.where(~core & ~closes_spell & (end != NEVER), END_REASONS.index("not using it"), reason)
    order = np.lexsort((valid_from, taken, account))
    names = [f"S-{block.ids[a]}-{t}" for a, t in zip(account.tolist(), taken.tolist(), strict=True)]
    data = pa.table(
        {
            "account_id": codes(account, block.ids),
            "subscription_id": pa.array(names, pa.string()),
            "started_at": times(begun),
            "ended_at": times(ended, calendar.end),
            "cancel_requested_at": times(np.where(core, notice, BLANK_TIME), calendar.end),
            "mrr": np.where(core, prices[0], extra),
            "discount": cut,
            "term_months": np.where(annual, 12.0, 1.0),
            "billing_period": codes(prepaid.astype(np.int64), ("monthly", "annual")),
            "plan": codes(contracts.plan[number, account], PLANS),
            "product": codes(add_on + 1, ("core", *ADD_ONS)),
            "seats": contracts.seats[number, account].astype(np.float64),
            "end_reason": codes(np.where(ended >= calendar.end, len(END_REASONS) - 1, reason), END_REASONS),
            "auto_renew": pa.array(renews == 1),
            "renews_at": times(np.where(ahead == NEVER, BLANK_TIME, calendar.instants(ahead) + clock)),
            "valid_from": times(valid_from),
        }
    )
    return data.take(pa.array(order))


def payments_table(block: Block, contracts: Contracts) -> pa.Table:
    """Write the payments: one at each start, then every invoice and every retry."""
    history, calendar, rng = block.history, block.calendar, block.stream(2)
    spells, invoices = history.spells, history.invoices
    begins = np.flatnonzero(spells["start_day"] >= 0)
    account = np.concatenate([invoices["account"], spells["account"][begins]])
    day = np.concatenate([invoices["day"], spells["start_day"][begins]])
    attempt = np.concatenate([invoices["attempt"], np.full(len(begins), -1)])
    paid = np.concatenate([invoices["paid"], np.ones(len(begins), dtype=np.int64)])
    card = np.concatenate([invoices["card_month"], history.traits.card_month[spells["account"][begins]]])
    at = calendar.instants(day) + np.where(attempt < 0, block.start_clock[account], block.billing_clock[account])
    invoiced = day - np.array([0, *RETRY_DAYS])[np.maximum(attempt, 0)]
    core, extra = _monthly_prices(block, contracts, account, invoiced)
    annual = spells["annual"][block.spell_at(account, day)] == 1
    amount = (core + extra.sum(axis=0)) * np.where(annual & history.traits.prepaid[account], 12, 1)
    refunded = (paid == 1) & (rng.random(len(account)) < 0.006)
    refund = at + (rng.random(len(account)) * 20 * DAY).astype(np.int64) // 1_000_000 * 1_000_000
    card_ends = ((card + 1).astype("M8[M]").astype("M8[us]")).astype(np.int64) - 1_000_000
    order = np.lexsort((at, account))
    data = pa.table(
        {
            "account_id": codes(account, block.ids),
            "at": times(at),
            "amount": np.round(amount, 2),
            "status": codes(paid, ("failed", "paid")),
            "refunded_at": times(np.where(refunded, refund, BLANK_TIME), calendar.end),
            "method_expires_at": times(card_ends),
        }
    ).take(pa.array(order))
    return data.add_column(1, "payment_id", ids_of("P", block.ids, account[order]))
