"""Tickets and surveys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from staypower.cutoffs import DAY
from staypower.simulation.block import (
    BLANK_TIME,
    Block,
    champion_number,
    champion_user,
    codes,
    ids_of,
    in_week,
    times,
    user_names,
)
from staypower.simulation.contracts import Contracts, month_number
from staypower.simulation.world import sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]

__all__ = ["surveys_table", "tickets_table"]

CATEGORIES = ("how to", "bug", "integration", "billing", "access", "incident")
PRIORITIES = ("low", "normal", "high")
CHANNELS = ("email", "chat", "phone", "portal")
_AGENTS = 14
_SCALES = {"nps": "0-10", "csat": "1-5", "ces2": "1-7"}
_INSTRUMENTS = tuple(_SCALES)


@dataclass(frozen=True)
class ResolvedTickets:
    """Tickets as surveys need them; arrays of shape (tickets,), sorted by account and time."""

    account: Whole
    resolved_at: Whole
    slowness: Floats
    reopened: NDArray[np.bool_]
    ticket_id: pa.Array


def _seconds(hours: Floats) -> Whole:
    return (hours * 3600).astype(np.int64) * 1_000_000


def tickets_table(block: Block) -> tuple[pa.Table, ResolvedTickets]:
    """Write the tickets of the weeks; also return what surveys after them need."""
    history, calendar, rng = block.history, block.calendar, block.stream(4)
    counts = history.events["tickets"]
    cell = np.repeat(np.arange(counts.size), counts.ravel())
    week, account = cell // history.count, cell % history.count
    opened = in_week(calendar, week, rng, (7.0, 20.0))
    kept = np.flatnonzero(block.happens(account, opened))
    kept = kept[np.lexsort((opened[kept], account[kept]))]
    cell, week, account, opened = cell[kept], week[kept], account[kept], opened[kept]
    size = len(cell)
    slowness = history.slowness.ravel()[cell]
    first_of_week = np.concatenate([[True], cell[1:] != cell[:-1]]) if size else np.zeros(0, dtype=np.bool_)
    urgent = (history.events["urgent"].ravel()[cell] > 0) & first_of_week
    reopened = (history.events["reopened"].ravel()[cell] > 0) & first_of_week
    incident = (history.events["incident"].ravel()[cell] > 0) & first_of_week
    noise = rng.standard_normal((2, size))
    chance = rng.random((6, size))
    responded = opened + _seconds(np.exp(np.log(4.5) + 1.05 * slowness + 0.3 * noise[0] - 0.3 * urgent))
    resolved = responded + _seconds(np.exp(np.log(12.0) + 0.8 * slowness + 0.6 * noise[1]))
    again = np.where(reopened, resolved + _seconds(1 + 71 * chance[0]), BLANK_TIME)
    young = (opened // DAY - calendar.first_day - history.traits.first_day[account]) < 60
    weights = np.cumsum(np.array([0.30, 0.27, 0.17, 0.12, 0.14]))
    category = np.where(young & (chance[1] < 0.5), 0, np.searchsorted(weights[:-1], chance[2], side="right"))
    tight = history.weekly["tight"].ravel()[cell] > 0
    category = np.where(tight & (chance[3] < 0.3), 3, category)
    category = np.where(incident, 5, category)
    habit = (account * 7 + block.number) % len(CHANNELS)
    channel = np.where(chance[4] < 0.65, habit, (chance[4] * 97).astype(np.int64) % len(CHANNELS))
    agent = (account * 5 + (chance[5] * (3 + 4 * (slowness > 0.8))).astype(np.int64)) % _AGENTS
    names = ids_of("T", block.ids, account)
    table = pa.table(
        {
            "account_id": codes(account, block.ids),
            "ticket_id": names,
            "opened_at": times(opened),
            "first_response_at": times(responded, calendar.end),
            "resolved_at": times(resolved, calendar.end),
            "reopened_at": times(again, calendar.end),
            "priority": codes(np.where(urgent, 2, np.where(chance[0] < 0.3, 0, 1)), PRIORITIES),
            "category": codes(category, CATEGORIES),
            "channel": codes(channel, CHANNELS),
            "agent": codes(agent, [f"agent-{n + 1:02d}" for n in range(_AGENTS)]),
        }
    )
    return table, ResolvedTickets(account, resolved, slowness, reopened, names)


@dataclass(frozen=True)
class _Invitations:
    """Survey invitations before anyone answers; arrays of shape (n,)."""

    account: Whole
    sent_at: Whole
    instrument: Whole
    second_person: NDArray[np.bool_]
    ticket: Whole
    mean_shift: Floats


def _quarterly(block: Block, contracts: Contracts) -> _Invitations:
    """Ask every account each 91 days, from its 45th day on; larger ones through two people."""
    history, calendar, rng = block.history, block.calendar, block.stream(5)
    rounds = int((calendar.days - history.traits.first_day.min()) // 91) + 1
    account = np.repeat(np.arange(history.count), rounds)
    day = history.traits.first_day[account] + 45 + 91 * np.tile(np.arange(rounds), history.count)
    inside = (day >= 0) & (day < calendar.days)
    account, day = account[inside], day[inside]
    seats = contracts.seats[month_number(block, account, day), account]
    twice = np.flatnonzero(seats >= 5)
    second = np.concatenate([np.zeros(len(account), dtype=np.bool_), np.ones(len(twice), dtype=np.bool_)])
    account, day = np.concatenate([account, account[twice]]), np.concatenate([day, day[twice]])
    sent = calendar.instants(day) + _seconds(9 + 3 * rng.random(len(day)))
    blank = np.full(len(day), -1, dtype=np.int64)
    return _Invitations(account, sent, np.zeros(len(day), dtype=np.int64), second, blank, np.zeros(len(day)))


def _after_tickets(block: Block, resolved: ResolvedTickets) -> _Invitations:
    """Ask for satisfaction after 60 % of the resolved tickets and for effort after another 25 %."""
    rng = block.stream(6)
    size = len(resolved.account)
    chance = rng.random(size)
    sent = resolved.resolved_at + _seconds(1 + 23 * rng.random(size))
    chosen = np.flatnonzero((chance < 0.85) & (sent < block.calendar.end))
    instrument = np.where(chance[chosen] < 0.6, 1, 2)
    late = np.clip(resolved.slowness[chosen], 0, 2.5)
    shift = -0.55 * late - 0.8 * resolved.reopened[chosen]
    second = rng.random(len(chosen)) < 0.5
    return _Invitations(resolved.account[chosen], sent[chosen], instrument, second, chosen, shift)


def _willingness(block: Block, account: Whole, week: Whole, usage: Whole) -> Floats:
    """Return what moves the willingness to answer: the attitude itself, or only what the tables show."""
    if block.silence == "attitude":
        return block.history.weekly["attitude"][week, account]
    running = np.cumsum(np.concatenate([np.zeros((1, usage.shape[1])), usage]), axis=0)
    recent = running[week, account] - running[np.maximum(week - 4, 0), account]
    earlier = running[week, account] - running[np.maximum(week - 26, 0), account]
    typical = earlier * 4 / np.maximum(np.minimum(week, 26), 1)
    shown: Floats = (
        np.clip(np.log((recent + 2) / (typical + 2)) / 0.5, -2, 1) + np.clip((np.log1p(recent) - 3.0) / 1.2, -2, 1.5) / 2
    )
    return shown


def _points(instrument: Whole, attitude: Floats, shift: Floats, noise: Floats, block: Block) -> Floats:
    p = block.parameters
    nps = np.clip(np.round(p.nps_mean + p.nps_slope * attitude + p.nps_noise * noise), 0, 10)
    csat = np.clip(np.round(4.05 + 0.55 * attitude + shift + 0.55 * noise), 1, 5)
    effort = np.clip(np.round(5.4 + 0.7 * attitude + 1.4 * shift + 0.8 * noise), 1, 7)
    return np.where(instrument == 0, nps, np.where(instrument == 1, csat, effort))


def surveys_table(block: Block, contracts: Contracts, resolved: ResolvedTickets, usage: Whole) -> pa.Table:
    """Write the invitations, and the answers of those who answered."""
    history, calendar, p, rng = block.history, block.calendar, block.parameters, block.stream(7)
    parts = (_quarterly(block, contracts), _after_tickets(block, resolved))
    names = ("account", "sent_at", "instrument", "second_person", "ticket", "mean_shift")
    account, sent, instrument, second, ticket, shift = (np.concatenate([getattr(part, n) for part in parts]) for n in names)
    kept = np.flatnonzero(block.happens(account, sent))
    kept = kept[np.lexsort((instrument[kept], sent[kept], account[kept]))]
    account, sent, instrument, second, ticket, shift = (x[kept] for x in (account, sent, instrument, second, ticket, shift))
    size = len(account)
    day = sent // DAY - calendar.first_day
    week = day // 7
    willing = p.answer_base + 0.25 * (instrument > 0) + p.answer_slope * _willingness(block, account, week, usage)
    answers = rng.random(size) < sigmoid(willing)
    delay = _seconds(0.2 + 60 * rng.exponential(1.0, size))
    answered = np.where(answers & (sent + delay < calendar.end), sent + delay, BLANK_TIME)
    answer_week = np.where(
        answered == BLANK_TIME, week, np.minimum((answered // DAY - calendar.first_day) // 7, calendar.weeks - 1)
    )
    points = _points(instrument, history.weekly["attitude"][answer_week, account], shift, rng.standard_normal(size), block)
    there = history.weekly["champion"][week, account] > 0
    seats = contracts.seats[month_number(block, account, day), account]
    user = np.where(second | ~there, 1, champion_user(champion_number(block)[week, account]))
    user = np.where(second & (seats < 2), champion_user(champion_number(block)[week, account]), user)
    no_ticket = len(resolved.account)
    ticket_names = pa.concat_arrays([resolved.ticket_id, pa.array([None], pa.string())])
    return pa.table(
        {
            "account_id": codes(account, block.ids),
            "survey_id": ids_of("V", block.ids, account),
            "sent_at": times(sent),
            "answered_at": times(answered),
            "instrument": codes(instrument, _INSTRUMENTS),
            "value": pa.array(points, mask=answered == BLANK_TIME),
            "scale": codes(instrument, tuple(_SCALES.values())),
            "respondent_id": user_names(block, account, user),
            "touchpoint": codes((instrument > 0).astype(np.int64), ("relationship", "ticket")),
            "ticket_id": ticket_names.take(pa.array(np.where(ticket < 0, no_ticket, ticket))),
        }
    )
