"""Support: hours to the first response and SLA attainment."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from staypower.cutoffs import HOUR, before
from staypower.features.settings import FeatureSettings
from staypower.features.streams.tickets_and_surveys import ticket_stream
from staypower.portfolio.figures import NONE, Figure, PortfolioCell, Resampler, censored_median, join_notes
from staypower.portfolio.satisfaction import RowsOfAccounts
from staypower.results.numbers import plural
from staypower.spells import instants_or_missing, number_accounts
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Tickets", "read_tickets", "support_figures"]

_WHOLE_DAYS = "dates without a clock: waiting times are known to whole days only"


@dataclass(frozen=True)
class Tickets(RowsOfAccounts):
    """Tickets with how long they waited."""

    hours: NDArray[np.float64]  # shape (n,): until the first response, or until the data end
    waiting: NDArray[np.bool_]  # shape (n,): not answered yet, so that `hours` is only the time so far
    kept: NDArray[np.bool_]  # shape (n,): answered within the SLA
    decided: NDArray[np.bool_]  # shape (n,): whether it was answered within the SLA is certain
    caution: str = ""  # what the times do not show


def read_tickets(tables: Tables, features: FeatureSettings, *, accounts: Sequence[str]) -> Tickets:
    """Read the tickets as support features do: open ones are censored, never dropped."""
    stream = ticket_stream(tables, features)
    until = tables.observed_until
    opened, account = stream.instants("opened_at"), number_accounts(stream, accounts)
    seen_to = instants_or_missing(stream, "waiting_until")
    waiting = ~before(seen_to, until)
    hours = stream.hours_between("opened_at", "first_response_at")
    if stream.has("resolved_at"):
        # as in the stream: a ticket resolved without a recorded response, or before it, waits no longer
        answered = before(stream.instants("first_response_at"), until)
        hours = np.fmin(np.where(answered, hours, np.nan), stream.hours_between("opened_at", "resolved_at"))
    hours = np.where(waiting, (until - opened) / HOUR, hours)
    arrived = np.maximum(opened, instants_or_missing(stream, "known_at"))
    real = (account >= 0) & before(opened, until) & before(arrived, until) & np.isfinite(hours)
    found = Tickets(
        account,
        opened,
        hours,
        waiting,
        kept=(stream.numbers("within_sla") == 1) & ~waiting,
        decided=before(stream.instants("sla_decided_at"), until),
        caution=_WHOLE_DAYS if tables["tickets"].date_only & {"opened_at", "first_response_at"} else "",
    )
    return found.take(real)


def support_figures(tickets: Tickets, cell: PortfolioCell, *, sla_hours: float, resampler: Resampler) -> Iterator[Figure]:
    """Yield mean and median hours to the first response, and the share answered within the SLA.

    A ticket that still waits counts with its hours so far, so that the mean is a lower bound while there are any. The median
    is Kaplan and Meier's (1958): the shortest time after which at most half of the tickets still wait.
    """
    n, accounts = len(tickets.hours), len(np.unique(tickets.account))
    if not n:
        for metric in ("first_response_hours_mean", "first_response_hours_median", "sla_attainment"):
            yield cell.figure(metric, math.nan, n=0, accounts=0, note="no tickets")
        return
    open_now = int(tickets.waiting.sum())
    still = f"{open_now:,} of {plural(n, 'ticket')} not answered yet" if open_now else ""
    # the sum of exact additions does not depend on the order of the rows
    median = censored_median(tickets.hours, ~tickets.waiting)
    bound = f"a lower bound: {still}" if still else ""
    unknown = "more than half not answered yet" if math.isnan(median) else still
    for name, value, why in (("mean", math.fsum(tickets.hours) / n, bound), ("median", median, unknown)):
        note, metric = join_notes(why, tickets.caution), f"first_response_hours_{name}"
        yield cell.figure(metric, value, n=n, accounts=accounts, complete=not open_now, note=note)
    decided, kept = int(tickets.decided.sum()), int((tickets.kept & tickets.decided).sum())
    undecided = f"{plural(n - decided, 'open ticket')} younger than {sla_hours:g} h not counted" if decided < n else ""
    share = kept / decided if decided else math.nan
    counted = tickets.take(tickets.decided)
    interval = resampler.share(counted.account, counted.kept, name=f"sla_attainment|{cell.name}") if decided else NONE
    yield cell.figure(
        "sla_attainment",
        share,
        interval,
        n=decided,
        accounts=len(np.unique(counted.account)),
        complete=decided == n,
        note=join_notes(undecided, tickets.caution),
    )
