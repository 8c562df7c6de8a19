"""The rows of the list: account, action, owner, what it is expected to bring, and the reason to speak about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staypower.actions.effects import Effects
from staypower.actions.playbook.matching import Fit
from staypower.actions.playbook.settings import Playbook
from staypower.actions.selecting import Candidates
from staypower.actions.worth import Doers, Worth
from staypower.cutoffs import text_of
from staypower.features.definition import LEVERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["list_rows"]

_CARRIED = ("churn_probability", "value_at_risk", "clv", "mrr", "quadrant", "tier", "model_name", "model_version", "run_id")


def list_rows(
    scores: pd.DataFrame,
    playbook: Playbook,
    effects: Effects,
    fit: Fit,
    worth: Worth,
    doers: Doers,
    pairs: Candidates,
    chosen: NDArray[np.int64],
    held: NDArray[np.bool_],
    cutoff: int,
) -> pd.DataFrame:
    """Write one row for every account on the list, best first."""
    account, action = pairs.account[chosen], pairs.action[chosen]
    names, entries = list(playbook.actions), list(playbook.actions.values())
    rows = scores.iloc[account].reset_index(drop=True)
    lever = _levers(playbook, fit, account, action)
    listed = pd.DataFrame({"account_id": rows["account_id"], "cutoff": text_of(cutoff)})
    listed["rank"] = np.arange(1, len(rows) + 1)
    listed["action"] = _pick(names, action)
    listed["step"] = _pick([entry.step for entry in entries], action)
    listed["owner"] = pd.array(doers.of(account, action), dtype="str")
    listed["holdout"] = held[account]
    listed["expected_value"] = worth.expected[chosen]
    listed["probability_saved"] = worth.saved[chosen]
    listed["effect"] = np.array([effects.used.get(name, np.nan) for name in names])[action]
    listed["effect_source"] = _pick([_source(effects, name) for name in names], action)
    listed["cost"] = np.array([entry.cost for entry in entries])[action]
    listed["lever"] = pd.array(lever, dtype="str")
    listed["reason"] = pd.array(_reasons(rows, lever), dtype="str")
    for name in _CARRIED:
        if name in rows:
            listed[name] = rows[name]
    return listed


def _pick(words: Sequence[str | None], position: NDArray[np.int64]) -> pd.api.extensions.ExtensionArray:
    return pd.array(np.array(words, dtype=object)[position], dtype="str")


def _source(effects: Effects, name: str) -> str | None:
    return effects.effects[name].source if name in effects.used else None


def _levers(playbook: Playbook, fit: Fit, account: NDArray[np.int64], action: NDArray[np.int64]) -> NDArray[np.object_]:
    """Return of each action's levers the one that raises the account's risk most; None where any would do."""
    wanted = np.array([[lever in entry.lever for lever in LEVERS] for entry in playbook.actions.values()], dtype=bool)
    shares = np.where(wanted[action], fit.shares[account], -1.0)
    names = np.array(LEVERS, dtype=object)[shares.argmax(axis=1)]
    names[~wanted[action].any(axis=1)] = None
    return np.asarray(names)


def _reasons(rows: pd.DataFrame, lever: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return the strongest reason of the lever that raises the risk; of any lever, the first reason."""
    first = rows["reason_1"].to_numpy(dtype=object) if "reason_1" in rows else np.full(len(rows), None, dtype=object)
    found, open_ = np.asarray(first.copy()), np.array([name is not None for name in lever], dtype=bool)
    number = 1
    while f"reason_{number}" in rows and f"lever_{number}" in rows:
        raising = rows[f"contribution_{number}"].to_numpy(dtype=np.float64, na_value=np.nan) > 0
        mine = open_ & raising & (rows[f"lever_{number}"].to_numpy(dtype=object) == lever)
        found[mine] = rows[f"reason_{number}"].to_numpy(dtype=object)[mine]
        open_ &= ~mine
        number += 1
    return found
