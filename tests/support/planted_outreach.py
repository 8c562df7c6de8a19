"""A company whose accounts were acted on with known effects, as tables and as scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from staypower.actions.playbook import Playbook
from staypower.actions.ranking import held_back
from staypower.cutoffs import DAY, instant_of
from staypower.schemas import SCHEMAS
from staypower.tables import Table, Tables

START = instant_of("2025-01-01")


def times(instants: Sequence[int | None] | np.ndarray) -> pa.Array:
    return pa.array(instants, pa.int64()).cast(pa.timestamp("us", "UTC"))


def playbook_of(**actions: Mapping[str, Any]) -> Playbook:
    """Return a playbook of a few actions; what is not said is `any`, free, and the sales team's."""
    plain = {"lever": "any", "quadrant": "any", "step": "Call.", "owner": "sales", "cost": 0.0}
    entries = {name: {**plain, **({} if "value" in entry else {"effect": 0.1}), **entry} for name, entry in actions.items()}
    return Playbook.model_validate({"actions": entries, "pause": 0})


def scores_of(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return scores; what is not said is a scored account that is leaving."""
    plain = {"status": "scored", "churn_probability": 0.5, "quadrant": "leaving", "value_at_risk": 100.0}
    return pd.DataFrame([{**plain, **row} for row in rows])


def outreach_table(account: Sequence[str], at: Sequence[int] | np.ndarray, **columns: Any) -> Table:
    """Return a table `outreach`."""
    return Table(SCHEMAS["outreach"], pa.table({"account_id": list(account), "at": times(at), **columns}))


def tried_company(effects: Mapping[str, float], *, accounts: int, share: float, base: float, seed: int) -> Tables:
    """Return a company in which each action was tried on some accounts, others of them held back at random.

    Every account is a customer from 2024 on. Without help it leaves with the probability `base` within 90 days after the
    outreach, which happens on some day of the first quarter of 2025; acting cuts that by the action's effect.
    """
    rng = np.random.default_rng(seed)
    names = [f"a{number:06d}" for number in range(accounts)]
    action = np.array(list(effects), dtype=object)[np.arange(accounts) % len(effects)]
    held = held_back(names, share=share, seed=seed)
    at = START + rng.integers(0, 90, accounts) * DAY + rng.integers(0, DAY, accounts)
    chance = base * np.where(held, 1.0, 1.0 - np.array([effects[name] for name in action]))
    leaves = rng.random(accounts) < chance
    # the horizon is counted from the midnight before the outreach
    ended = (at // DAY + 1 + rng.integers(0, 88, accounts)) * DAY
    subscriptions = pa.table(
        {
            "account_id": names,
            "started_at": times(np.full(accounts, instant_of("2024-01-01"))),
            "ended_at": pa.array(ended, pa.int64(), mask=~leaves).cast(pa.timestamp("us", "UTC")),
        }
    )
    tables = {
        "accounts": Table(SCHEMAS["accounts"], pa.table({"account_id": names})),
        "subscriptions": Table(SCHEMAS["subscriptions"], subscriptions),
        "outreach": outreach_table(names, at, action=action.tolist(), holdout=held),
    }
    return Tables(tables, instant_of("2025-12-31"))
