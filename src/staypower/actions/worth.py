"""What an action is expected to bring for an account, and who would have to do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staypower.actions.effects import Effect, Effects
from staypower.actions.playbook.settings import ACCOUNT_OWNER, AUTOMATIC, Playbook
from staypower.actions.selecting import Room, make_room
from staypower.actions.settings import ActionSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Doers", "Worth", "assumed_effects", "doers_of", "worth_of"]

# pairs known in money come before those that are not; where nothing at risk is known in money, after
_FIRST, _SECOND = np.int8(0), np.int8(1)


def assumed_effects(playbook: Playbook) -> Effects:
    """Return the effects that a playbook assumes.

    >>> entry = {"lever": "any", "quadrant": "any", "step": "Call.", "owner": "sales", "cost": 5, "effect": 0.2}
    >>> assumed_effects(Playbook.model_validate({"actions": {"call": entry}})).used
    {'call': 0.2}
    """
    return Effects({name: Effect(action=name, assumed=a.effect, used=a.effect) for name, a in playbook.actions.items()})


@dataclass(frozen=True)
class Worth:
    """What pairs of an account and an action are worth."""

    expected: NDArray[np.float64]  # shape (n,): In money, the cost taken off; NaN where the account has no value
    saved: NDArray[np.float64]  # shape (n,): Churn probability that is saved; NaN for an action that is not about risk
    group: NDArray[np.int8]  # shape (n,): Pairs of group 0 are ranked before those of group 1
    # shape (n,): `expected`, or `saved` where the account has no value; not above 0 where acting is not worth it
    rank: NDArray[np.float64]


def worth_of(
    scores: pd.DataFrame,
    playbook: Playbook,
    used: Mapping[str, float],
    account: NDArray[np.int64],
    action: NDArray[np.int64],
) -> Worth:
    """Price pairs of an account and an action.

    >>> entry = {"lever": "any", "quadrant": "any", "step": "Call.", "owner": "sales", "cost": 5, "effect": 0.5}
    >>> playbook = Playbook.model_validate({"actions": {"call": entry}})
    >>> scores = pd.DataFrame({"churn_probability": [0.1, 0.2], "value_at_risk": [100.0, np.nan]})
    >>> worth_of(scores, playbook, {"call": 0.5}, np.array([0, 1]), np.array([0, 0])).rank.tolist()
    [45.0, 0.1]
    """
    actions = playbook.actions.items()
    effect = np.array([used.get(name, np.nan) if each.value is None else np.nan for name, each in actions])
    value = np.array([np.nan if each.value is None else each.value for _, each in actions])
    cost = np.array([each.cost for _, each in actions])
    at_risk = at_risk_of(scores)[account]
    probability = scores["churn_probability"].to_numpy(dtype=np.float64, na_value=np.nan)[account]
    gain = np.where(np.isnan(value[action]), at_risk * effect[action], value[action])
    expected, saved = gain - cost[action], probability * effect[action]
    in_money = ~np.isnan(expected)
    about_risk = ~np.isnan(saved)
    money_first = bool((in_money & about_risk).any())
    first = in_money if money_first else about_risk
    rank = np.where(in_money, expected, saved)
    return Worth(expected, saved, np.where(first, _FIRST, _SECOND), rank)


def at_risk_of(scores: pd.DataFrame) -> NDArray[np.float64]:
    """Return the value at risk of every account, NaN where it is not known.

    >>> at_risk_of(pd.DataFrame({"account_id": ["a"]})).tolist()
    [nan]
    """
    if "value_at_risk" not in scores:
        return np.full(len(scores), np.nan)
    return np.asarray(scores["value_at_risk"].to_numpy(dtype=np.float64, na_value=np.nan))


@dataclass(frozen=True)
class Doers:
    """Who does what."""

    room: Room  # their places
    # shape (n_accounts, n_actions): The owner of each action for each account; one row where it is the same for everybody
    names: NDArray[np.object_]

    def of(self, account: NDArray[np.int64], action: NDArray[np.int64]) -> NDArray[np.object_]:
        """Return the owners of pairs."""
        return np.asarray(self.names[account if len(self.names) > 1 else account * 0, action])

    def places(self, account: NDArray[np.int64], action: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the positions in `room` of pairs."""
        codes, distinct = pd.factorize(self.of(account, action))
        return np.array([self.room.of[name] for name in distinct], dtype=np.int64)[codes]


def doers_of(scores: pd.DataFrame, playbook: Playbook, settings: ActionSettings, team: int | None) -> Doers:
    """Say who does what, and how many places each has.

    >>> entry = {"lever": "any", "quadrant": "any", "step": "Call.", "owner": "account owner", "cost": 5, "effect": 0.5}
    >>> playbook = Playbook.model_validate({"actions": {"call": entry}})
    >>> scores = pd.DataFrame({"owner": ["ann", "bob", None]})
    >>> doers_of(scores, playbook, ActionSettings(capacity={"account owner": 2}), None).room.names
    ('account owner', 'ann', 'bob')
    """
    written = [action.owner for action in playbook.actions.values()]
    names = np.array([written], dtype=object)
    capacity = dict(settings.capacity)
    people: list[str] = []
    if ACCOUNT_OWNER in written and "owner" in scores:
        own = scores["owner"].astype(object).where(scores["owner"].notna(), ACCOUNT_OWNER).astype(str)
        people = sorted(set(own.unique()) - {ACCOUNT_OWNER})
        if ACCOUNT_OWNER in capacity:
            capacity = {**dict.fromkeys(people, capacity[ACCOUNT_OWNER]), **capacity}
        names = np.repeat(names, len(scores), axis=0)
        names[:, [number for number, owner in enumerate(written) if owner == ACCOUNT_OWNER]] = own.to_numpy()[:, None]
    owners = list(dict.fromkeys([*written, *people]))
    return Doers(make_room(owners, capacity, team=team, free=AUTOMATIC), names)
