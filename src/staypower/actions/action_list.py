"""The action list: whom to act on, how, and what is expected of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from staypower.actions.effects import Effects
from staypower.actions.playbook import ActionSettings, Playbook
from staypower.actions.ranking import Assignment, Candidates, ExpectedValues, Fit
from staypower.cutoffs import text_of
from staypower.features.definition import LEVERS
from staypower.results.numbers import money, plain, plural
from staypower.results.result import Result

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ActionList", "list_rows"]

_CARRIED = ("churn_probability", "value_at_risk", "clv", "mrr", "quadrant", "tier", "model_name", "model_version", "run_id")


@dataclass(frozen=True, eq=False)
class ActionList(Result, shown_by="staypower.actions.wording", drawn_by="staypower.actions.drawing"):
    """Who gets which action.

    Made by `choose_actions`.

    Parameters
    ----------
    table : DataFrame
        One row per account on the list, best first: `account_id`, `name` where accounts have one, `cutoff, rank, action, step,
        owner, holdout, expected_value, probability_saved, effect, effect_source, cost, lever, reason`, then columns of the
        scores. Rows with `holdout` must not be acted on.
    cutoff : int
        Instant of knowledge.
    playbook : Playbook
    settings : ActionSettings
    effects : Effects
        Assumed and measured effects, and the one used.
    places : DataFrame
        `owner, owners, capacity, used, left`: who can act on how many; `team` stands for several.
    left_out : dict of str to int
        Accounts without an action, by reason.
    unanswerable : dict of str to str
        Actions left out because a condition needs a measure that is missing, and the measure.
    by_risk : float
        What the same places would be expected to bring if the highest risks came first.
    without_value : int
        Scored accounts without a value in money.
    scored : int
        Accounts scored.
    notes : tuple of str, default ()
        What else a reader should know.
    passed_over : Series, default empty
        Why a scored account has no action, by account id.
    """

    table: pd.DataFrame
    cutoff: int
    playbook: Playbook
    settings: ActionSettings
    effects: Effects
    places: pd.DataFrame
    left_out: Mapping[str, int]
    unanswerable: Mapping[str, str]
    by_risk: float
    without_value: int
    scored: int
    notes: tuple[str, ...] = field(default=())
    passed_over: pd.Series = field(default_factory=lambda: pd.Series(dtype="str"))

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        value = money(self.expected_value)
        return f"ActionList of {plural(len(self), 'account')} at {text_of(self.cutoff)}, expected value {value}"

    @property
    def to_do(self) -> pd.DataFrame:
        """The rows to be acted on: those not held back."""
        return self.table[~self.table["holdout"]].reset_index(drop=True)

    @property
    def expected_value(self) -> float:
        """Expected value of acting on these rows, in money; accounts without a value add nothing."""
        return float(self.to_do["expected_value"].sum())

    def frame(self) -> pd.DataFrame:
        """Return the list."""
        return self.table

    def actions(self) -> pd.DataFrame:
        """Return one row per action of the playbook.

        Returns
        -------
        DataFrame
            `action, owner, accounts` (to be acted on), `held_back, expected_value, probability_saved, effect, effect_source`.
        """
        done = self.to_do.groupby("action")
        held = self.table[self.table["holdout"]].groupby("action").size()
        names = list(self.playbook.actions)
        found = pd.DataFrame({"action": names, "owner": [action.owner for action in self.playbook.actions.values()]})
        found["accounts"] = found["action"].map(done.size()).fillna(0).astype(np.int64)
        found["held_back"] = found["action"].map(held).fillna(0).astype(np.int64)
        for name in ("expected_value", "probability_saved"):
            found[name] = found["action"].map(done[name].sum(min_count=1)).astype(np.float64)
        found["effect"] = found["action"].map(self.effects.used).astype(np.float64)
        found["effect_source"] = [self.effects.effects[name].source if name in self.effects.used else None for name in names]
        return found

    def columns(self, accounts: Iterable[str]) -> pd.DataFrame:
        """Return the columns that are added to the scores of some accounts.

        Parameters
        ----------
        accounts : iterable of str
            Account ids in any order; those that are not on the list have blanks.

        Returns
        -------
        DataFrame
            `action, action_owner, action_value, holdout`, one row per account, in the order given.
        """
        added = self.table.set_index("account_id")[["action", "owner", "expected_value", "holdout"]]
        added = added.rename(columns={"owner": "action_owner", "expected_value": "action_value"})
        added["holdout"] = added["holdout"].astype("boolean")
        return added.reindex(pd.Index(list(accounts), dtype=added.index.dtype)).reset_index(drop=True)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        found = {
            "cutoff": text_of(self.cutoff),
            "scored": self.scored,
            "accounts": len(self.to_do),
            "held_back": int(self.table["holdout"].sum()),
            "holdout": self.settings.holdout,
            "seed": self.settings.seed,
            "expected_value": self.expected_value,
            "expected_value_by_risk": self.by_risk,
            "without_value": self.without_value,
            "actions": _records(self.actions()),
            "places": _records(self.places),
            "left_out": dict(self.left_out),
            "unanswerable": dict(self.unanswerable),
            "effects": self.effects.to_dict(),
            "notes": list(self.notes),
            "first": _records(self.table.head(10)),
        }
        return cast("dict[str, Any]", plain(found))


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as plain dictionaries, missing values as None."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(key): value for key, value in row.items()} for row in plain.to_dict("records")]


def list_rows(
    scores: pd.DataFrame,
    playbook: Playbook,
    effects: Effects,
    fit: Fit,
    values: ExpectedValues,
    owners: Assignment,
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
    named = {"name": rows["name"]} if "name" in rows else {}
    listed = pd.DataFrame({"account_id": rows["account_id"], **named, "cutoff": text_of(cutoff)})
    listed["rank"] = np.arange(1, len(rows) + 1)
    listed["action"] = _pick(names, action)
    listed["step"] = _pick([entry.step for entry in entries], action)
    listed["owner"] = pd.array(owners.of(account, action), dtype="str")
    listed["holdout"] = held[account]
    listed["expected_value"] = values.expected[chosen]
    listed["probability_saved"] = values.saved[chosen]
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
