"""The action list: whom to act on, how, and what is expected of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from staypower.actions.effects import Effects
from staypower.actions.playbook.settings import Playbook
from staypower.actions.settings import ActionSettings
from staypower.actions.wording import text_of_list
from staypower.cutoffs import text_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ActionList"]


@dataclass(frozen=True, eq=False)
class ActionList:
    """Who gets which action.

    Made by `choose_actions`.

    Parameters
    ----------
    table : DataFrame
        One row an account on the list, best first: `account_id, cutoff, rank, action, step, owner, holdout, expected_value,
        probability_saved, effect, effect_source, cost, lever, reason`, then what the scores tell. Rows with `holdout` are not
        to be acted on.
    cutoff : int
        Instant of knowledge.
    playbook : Playbook
    settings : ActionSettings
    effects : Effects
        Assumed and measured effects, and the one used.
    places : DataFrame
        `owner, owners, capacity, used, left`: who can act on how many; `team` stands for several.
    left_out : dict of str to int
        Accounts without an action, by why.
    unanswerable : dict of str to str
        Actions left out because a condition asks for a measure that is not told, and the measure.
    by_risk : float
        What the same places would be expected to bring if the highest risks came first.
    without_value : int
        Scored accounts without a value in money.
    scored : int
        Accounts scored.
    notes : tuple of str, default ()
        What a reader has to know besides.
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
        return f"ActionList of {len(self):,} accounts at {text_of(self.cutoff)}, expected to bring {self.expected_value:,.0f}"

    @property
    def to_do(self) -> pd.DataFrame:
        """The rows to be acted on: those not held back."""
        return self.table[~self.table["holdout"]].reset_index(drop=True)

    @property
    def expected_value(self) -> float:
        """Money that acting on these rows is expected to bring; accounts without a value add nothing."""
        return float(self.to_do["expected_value"].sum())

    def frame(self) -> pd.DataFrame:
        """Return the list."""
        return self.table

    def actions(self) -> pd.DataFrame:
        """Return one row an action of the playbook.

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
        """Return what belongs beside the scores of some accounts.

        Parameters
        ----------
        accounts : iterable of str
            Account ids in any order; those that are not on the list have blanks.

        Returns
        -------
        DataFrame
            `action, action_owner, action_value, holdout`, one row an account, in the order given.
        """
        beside = self.table.set_index("account_id")[["action", "owner", "expected_value", "holdout"]]
        beside = beside.rename(columns={"owner": "action_owner", "expected_value": "action_value"})
        beside["holdout"] = beside["holdout"].astype("boolean")
        return beside.reindex(pd.Index(list(accounts), dtype=beside.index.dtype)).reset_index(drop=True)

    def text(self) -> str:
        """Return the summary: actions, places, who was left out and why, the first of the list."""
        return text_of_list(self)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
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

    def plot(self) -> Figure:
        """Draw the expected value that gathers down the list, and what there is by action."""
        # only a picture needs matplotlib; scoring must do without it
        from staypower.actions.drawing import draw_list

        return draw_list(self)

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        shown = [
            name
            for name in ("rank", "account_id", "action", "owner", "expected_value", "holdout", "reason")
            if name in self.table
        ]
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        head = f"<p>{len(self.to_do):,} actions at {text_of(self.cutoff)}, expected to bring {self.expected_value:,.0f}</p>"
        table = self.table.head(20)[shown].to_html(index=False, na_rep="", formatters={"expected_value": "{:,.0f}".format})
        return head + table + (f"<ul>{notes}</ul>" if notes else "")


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as plain dictionaries, missing values as None."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(key): value for key, value in row.items()} for row in plain.to_dict("records")]
