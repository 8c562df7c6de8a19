"""Companies of several mechanisms, and the rows of them that an export of a day would hold."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache

import pandas as pd

from staypower import simulate

__all__ = ["KINDS", "Frames", "company", "known_at"]

Frames = Mapping[str, pd.DataFrame]

KINDS = ("simulated", "contracts", "usage_priced")
# what happens to a row later than the row itself: the time of what happens, and what is known from then on
_LATER = {
    "subscriptions": {"ended_at": ["end_reason"], "cancel_requested_at": []},
    "tickets": {"first_response_at": [], "resolved_at": [], "reopened_at": []},
    "surveys": {"answered_at": ["value"]},
    "payments": {"refunded_at": []},
    "goals": {"met_at": []},
}
_OWN = {"accounts": "signed_up_at", "tickets": "opened_at", "surveys": "sent_at"}
_OWN |= {"subscriptions": "started_at", "goals": "set_at"}
_SIMULATED = """
name: simulated
observed_until: {end}
tables:
  accounts: {{source: accounts, static: [segment, region, industry]}}
  usage: {{source: usage}}
  tickets: {{source: tickets}}
  subscriptions: {{source: subscriptions}}
  payments: {{source: payments}}
  surveys: {{source: surveys}}
  goals: {{source: goals}}
  advocacy: {{source: advocacy}}
label: {{kind: contractual}}
"""


@cache
def company(kind: str, accounts: int, seed: int, months: int = 33) -> tuple[Frames, str, pd.Timestamp]:
    """Return all rows, the config with a place for the last day of the data, and the first day after all of them."""
    if kind == "simulated":
        made = simulate(accounts, months=months, seed=seed, cutoffs=[])
        frames = {name: _without_zone(table.to_pandas()) for name, table in made.tables.items()}
        return frames, _SIMULATED, pd.Timestamp(made.observed_until, unit="us")
    companies = importlib.import_module("companies")
    other = companies.make(kind, accounts, seed)
    return {name: _without_zone(frame) for name, frame in other.tables.items()}, getattr(companies, kind.upper()), companies.END


def _without_zone(frame: pd.DataFrame) -> pd.DataFrame:
    found = frame.copy()
    for name in found:
        if isinstance(found[name].dtype, pd.DatetimeTZDtype):
            found[name] = found[name].dt.tz_localize(None)
    return found


def known_at(frames: Frames, end: pd.Timestamp) -> dict[str, pd.DataFrame]:
    """Return the rows as an export at the beginning of a day would give them."""
    found = {}
    for name, frame in frames.items():
        own = frame[_OWN.get(name, "at")]
        if name == "surveys":
            own = own.fillna(frame["answered_at"])
        kept = (own < end) & ((frame["valid_from"] < end) if "valid_from" in frame else True)
        rows = frame[kept].copy()
        for time, others in _LATER.get(name, {}).items():
            if time in rows:
                later = ~(rows[time] < end)
                for column in (time, *(each for each in others if each in rows)):
                    rows.loc[later, column] = None if rows[column].dtype == object else pd.NA
        found[name] = rows.reset_index(drop=True)
    return found
