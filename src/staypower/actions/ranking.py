"""Which action for which account: what fits, its expected value, capacity, the holdout, and the choice under all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staypower.actions.playbook import ACCOUNT_OWNER, AUTOMATIC, Action, ActionSettings, Playbook
from staypower.compiled import jit
from staypower.errors import Problem, UsageError
from staypower.explanation.topics import TOTALS
from staypower.features.definition import LEVERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Assignment",
    "Candidates",
    "ExpectedValues",
    "Fit",
    "NO_LIMIT",
    "Places",
    "assign_owners",
    "expected_values",
    "fit_actions",
    "held_back",
    "lever_shares",
    "select",
    "share_places",
    "values_at_risk",
]

NO_LIMIT = np.iinfo(np.int64).max
# pairs with a value in money come before those without; where no value at risk is known in money, after
_FIRST, _SECOND = np.int8(0), np.int8(1)


@dataclass(frozen=True)
class ExpectedValues:
    """What acting is expected to bring, for pairs of an account and an action."""

    expected: NDArray[np.float64]  # shape (n,): in money, the cost subtracted; NaN where the account has no value
    saved: NDArray[np.float64]  # shape (n,): churn probability that is saved; NaN for an action that does not lower the risk
    group: NDArray[np.int8]  # shape (n,): pairs of group 0 are ranked before those of group 1
    # shape (n,): `expected`, or `saved` where the account has no value; not above 0 where acting does not pay
    rank: NDArray[np.float64]


def expected_values(
    scores: pd.DataFrame,
    playbook: Playbook,
    used: Mapping[str, float],
    account: NDArray[np.int64],
    action: NDArray[np.int64],
) -> ExpectedValues:
    """Compute what pairs of an account and an action are expected to bring, with the effects that are used.

    >>> entry = {"lever": "any", "quadrant": "any", "step": "Call.", "owner": "sales", "cost": 5, "effect": 0.5}
    >>> playbook = Playbook.model_validate({"actions": {"call": entry}})
    >>> scores = pd.DataFrame({"churn_probability": [0.1, 0.2], "value_at_risk": [100.0, np.nan]})
    >>> expected_values(scores, playbook, {"call": 0.5}, np.array([0, 1]), np.array([0, 0])).rank.tolist()
    [45.0, 0.1]
    """
    actions = playbook.actions.items()
    effect = np.array([used.get(name, np.nan) if each.value is None else np.nan for name, each in actions])
    value = np.array([np.nan if each.value is None else each.value for _, each in actions])
    cost = np.array([each.cost for _, each in actions])
    at_risk = values_at_risk(scores)[account]
    probability = scores["churn_probability"].to_numpy(dtype=np.float64, na_value=np.nan)[account]
    gain = np.where(np.isnan(value[action]), at_risk * effect[action], value[action])
    expected, saved = gain - cost[action], probability * effect[action]
    in_money = ~np.isnan(expected)
    about_risk = ~np.isnan(saved)
    money_first = bool((in_money & about_risk).any())
    first = in_money if money_first else about_risk
    rank = np.where(in_money, expected, saved)
    return ExpectedValues(expected, saved, np.where(first, _FIRST, _SECOND), rank)


def values_at_risk(scores: pd.DataFrame) -> NDArray[np.float64]:
    """Return the value at risk of every account, NaN where it is not known.

    >>> values_at_risk(pd.DataFrame({"account_id": ["a"]})).tolist()
    [nan]
    """
    if "value_at_risk" not in scores:
        return np.full(len(scores), np.nan)
    return np.asarray(scores["value_at_risk"].to_numpy(dtype=np.float64, na_value=np.nan))


@dataclass(frozen=True)
class Places:
    """How many accounts each owner, or several owners together, can act on.

    >>> share_places(["support", "sales", "automatic"], {"support": 3}, team=10).names
    ('support', 'team', 'automatic')
    """

    names: tuple[str, ...]  # who; `team` for the owners that share one number
    limits: NDArray[np.int64]  # shape (n,): `NO_LIMIT` where there is none
    of: Mapping[str, int]  # the position of each owner


def share_places(
    owners: Sequence[str], capacity: Mapping[str, int | None], *, team: int | None, free: str = AUTOMATIC
) -> Places:
    """Find who shares which places."""
    positions: dict[str | None, int] = {}
    of: dict[str, int] = {}
    limits: list[int] = []
    for owner in owners:
        alone = owner in capacity or owner == free or team is None
        limit = capacity.get(owner) if alone else team
        key = owner if alone else None
        if key not in positions:
            positions[key] = len(limits)
            limits.append(NO_LIMIT if limit is None else limit)
        of[owner] = positions[key]
    names = tuple("team" if key is None else key for key in positions)
    return Places(names, np.array(limits, dtype=np.int64), of)


@dataclass(frozen=True)
class Assignment:
    """Who does what."""

    places: Places
    # shape (n_accounts, n_actions): the owner of each action for each account; one row where it is the same for all
    names: NDArray[np.object_]

    def of(self, account: NDArray[np.int64], action: NDArray[np.int64]) -> NDArray[np.object_]:
        """Return the owners of pairs."""
        return np.asarray(self.names[account if len(self.names) > 1 else account * 0, action])

    def positions(self, account: NDArray[np.int64], action: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the positions in `places` of pairs."""
        codes, distinct = pd.factorize(self.of(account, action))
        return np.array([self.places.of[name] for name in distinct], dtype=np.int64)[codes]


def assign_owners(scores: pd.DataFrame, playbook: Playbook, settings: ActionSettings, team: int | None) -> Assignment:
    """Assign owners to actions, and places to owners.

    >>> entry = {"lever": "any", "quadrant": "any", "step": "Call.", "owner": "account owner", "cost": 5, "effect": 0.5}
    >>> playbook = Playbook.model_validate({"actions": {"call": entry}})
    >>> scores = pd.DataFrame({"owner": ["ann", "bob", None]})
    >>> assign_owners(scores, playbook, ActionSettings(capacity={"account owner": 2}), None).places.names
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
    return Assignment(share_places(owners, capacity, team=team), names)


def held_back(accounts: Iterable[str], *, share: float, seed: int) -> NDArray[np.bool_]:
    """Choose the accounts to hold back, by account id and seed alone, whatever else is in the list.

    The first 8 bytes of BLAKE2b, keyed with the seed, of the id as UTF-8, taken as a number in [0, 1) and compared with the
    share. So a larger share holds back every account that a smaller one did.

    >>> everyone = [str(n) for n in range(1000)]
    >>> int(held_back(everyone, share=0.1, seed=0).sum())
    114
    >>> held_back(["7"], share=0.1, seed=0)[0] == held_back(everyone, share=0.1, seed=0)[7]
    np.True_
    """
    keyed = hashlib.blake2b(key=f"staypower holdout {seed}".encode()[:64], digest_size=8)

    def draw(account: str) -> bytes:
        state = keyed.copy()
        state.update(account.encode())
        return state.digest()

    drawn = np.frombuffer(b"".join([draw(account) for account in accounts]), dtype=">u8")
    return np.asarray(drawn / 2.0**64 < share)


@dataclass(frozen=True)
class Candidates:
    """Pairs of an account and an action that may be listed.

    >>> one = np.zeros(1, dtype=np.int64)
    >>> len(Candidates(one, one, one.astype(np.int8), np.ones(1), one))
    1
    """

    account: NDArray[np.int64]  # shape (n,): positions
    action: NDArray[np.int64]  # shape (n,): positions
    group: NDArray[np.int8]  # shape (n,): pairs of a lower group come first, whatever their rank: money before probabilities
    rank: NDArray[np.float64]  # shape (n,): orders the pairs of a group, highest first
    place: NDArray[np.int64]  # shape (n,): whose time the pair takes, a position in `Places`

    def __len__(self) -> int:
        return len(self.account)

    def order(self) -> NDArray[np.int64]:
        """Return the positions, best first; equal ones by account, then in the order of the playbook."""
        return np.lexsort((self.action, self.account, -self.rank, self.group)).astype(np.int64)


def select(candidates: Candidates, places: Places, held: NDArray[np.bool_], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Go through the pairs in an order and take each whose account is free and whose owner has places left.

    With one owner this is the best list there is; with several it reaches at least half of the best, as greedy matching does,
    and each choice is easy to explain: no account further down could have used the place better.

    >>> pairs = Candidates(np.array([0, 0, 1]), np.array([0, 1, 0]), np.zeros(3, np.int8), np.array([9.0, 5.0, 7.0]),
    ...                    np.array([0, 1, 0]))
    >>> places = share_places(["support", "sales"], {"support": 1, "sales": 1}, team=None)
    >>> select(pairs, places, np.array([False, False]), pairs.order()).tolist()
    [0, -1]
    >>> select(pairs, places, np.array([True, False]), pairs.order()).tolist()
    [0, 2]
    """
    return _take(order, candidates.account, candidates.place, places.limits.copy(), held)


@jit
def _take(
    order: NDArray[np.int64],
    account: NDArray[np.int64],
    place: NDArray[np.int64],
    left: NDArray[np.int64],
    held: NDArray[np.bool_],
) -> NDArray[np.int64]:
    taken = np.full(len(held), -1, dtype=np.int64)
    for pair in order:
        who, where = account[pair], place[pair]
        if taken[who] >= 0 or left[where] == 0:
            continue
        taken[who] = pair
        if not held[who]:
            left[where] -= 1
    return taken


_NEEDED = ("account_id", "status", "churn_probability", "quadrant")


@dataclass(frozen=True)
class Fit:
    """Which actions fit which accounts."""

    # shape (n_accounts, n_actions): the account is scored and in one of the action's quadrants, and one of its levers counts
    placed: NDArray[np.bool_]
    meets: NDArray[np.bool_]  # shape (n_accounts, n_actions): the conditions hold as well
    # shape (n_accounts, 8): each lever's share of what raises the account's risk, in the order of `LEVERS`
    shares: NDArray[np.float64]
    unanswerable: dict[str, str]  # actions with a condition on a measure that the scores do not have, and the measure


def lever_shares(scores: pd.DataFrame) -> NDArray[np.float64]:
    """Return each lever's share of what raises each account's risk more than is typical of accounts like it.

    Scores without totals are read by their reasons.

    >>> shares = lever_shares(pd.DataFrame({"total_support": [0.75], "total_value": [0.25], "total_billing": [np.nan]}))
    >>> float(shares[0, LEVERS.index("support")]), float(shares[0, LEVERS.index("billing")])
    (0.75, 0.0)
    """
    if any(name in scores for name in TOTALS):
        totals = np.stack([_total(scores, name) for name in TOTALS], axis=1)
        return np.asarray(totals / np.where(totals.sum(axis=1) > 0, totals.sum(axis=1), 1.0)[:, None])
    return _shares_of_reasons(scores)


def _total(scores: pd.DataFrame, name: str) -> NDArray[np.float64]:
    # missing for accounts without a score, and for levers without a feature
    return np.nan_to_num(_numbers(scores, name)) if name in scores else np.zeros(len(scores))


def _shares_of_reasons(scores: pd.DataFrame) -> NDArray[np.float64]:
    """Return each lever's share of the reasons that raise each account's risk.

    >>> reasons = {"lever_1": ["support"], "contribution_1": [0.75], "lever_2": [None], "contribution_2": [0.25],
    ...            "lever_3": ["value"], "contribution_3": [-0.5]}
    >>> shares = lever_shares(pd.DataFrame(reasons))
    >>> float(shares[0, LEVERS.index("support")]), float(shares[0, LEVERS.index("value")])
    (0.75, 0.0)
    """
    sums = np.zeros((len(scores), len(LEVERS)))
    total = np.zeros(len(scores))
    number = 1
    while f"lever_{number}" in scores and f"contribution_{number}" in scores:
        raising = scores[f"contribution_{number}"].to_numpy(dtype=np.float64, na_value=np.nan)
        raising = np.where(raising > 0, raising, 0.0)
        code = pd.Categorical(scores[f"lever_{number}"], categories=list(LEVERS)).codes
        known = np.flatnonzero(code >= 0)
        sums[known, code[known]] += raising[known]
        total += raising
        number += 1
    return np.asarray(sums / np.where(total > 0, total, 1.0)[:, None], dtype=np.float64)


def fit_actions(playbook: Playbook, scores: pd.DataFrame) -> Fit:
    """Find which actions fit which accounts.

    >>> entry = {"lever": "any", "quadrant": "loyal", "step": "Ask.", "owner": "sales", "cost": 5, "value": 80,
    ...          "conditions": {"mrr": {"at_least": 100}}}
    >>> playbook = Playbook.model_validate({"actions": {"expansion": entry}})
    >>> scores = pd.DataFrame({"account_id": ["a", "b", "c"], "status": "scored", "churn_probability": 0.1,
    ...                        "quadrant": ["loyal", "loyal", "captive"], "mrr": [200.0, 50.0, 200.0]})
    >>> fit = fit_actions(playbook, scores)
    >>> fit.placed[:, 0].tolist(), fit.meets[:, 0].tolist()
    ([True, True, False], [True, False, False])
    """
    lacking = [
        Problem("the scores have no such column", name, "give scores with quadrants") for name in _NEEDED if name not in scores
    ]
    if lacking:
        raise UsageError(lacking)
    shares = lever_shares(scores)
    scored = (scores["status"] == "scored").to_numpy(dtype=bool)
    quadrant = scores["quadrant"].astype(object)
    known = {name: measure for name in playbook.measures if (measure := _measure(scores, name)) is not None}
    shape = (len(scores), len(playbook.actions))
    placed, meets = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    unanswerable: dict[str, str] = {}
    for number, (name, action) in enumerate(playbook.actions.items()):
        here = scored.copy()
        if action.quadrant:
            here &= quadrant.isin(action.quadrant).to_numpy(dtype=bool)
        if action.lever:
            columns = [LEVERS.index(lever) for lever in action.lever]
            here &= shares[:, columns].max(axis=1) >= playbook.lever_share
        placed[:, number] = here
        missing = [measure for measure in action.conditions if measure not in known]
        if missing:
            unanswerable[name] = ", ".join(missing)
        else:
            meets[:, number] = here & _hold(action, known, len(scores))
    return Fit(placed, meets, shares, unanswerable)


def _measure(scores: pd.DataFrame, name: str) -> NDArray[np.float64] | None:
    """Return a measure of every account, None where the scores do not have it."""
    if name == "involuntary_share":
        if "p_involuntary" not in scores:
            return None
        probability = _numbers(scores, "churn_probability")
        with np.errstate(divide="ignore", invalid="ignore"):
            return _numbers(scores, "p_involuntary") / probability
    return _numbers(scores, name) if name in scores else None


def _numbers(scores: pd.DataFrame, name: str) -> NDArray[np.float64]:
    return np.asarray(pd.to_numeric(scores[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan))


def _hold(action: Action, known: dict[str, NDArray[np.float64]], accounts: int) -> NDArray[np.bool_]:
    """Find the accounts for which every condition of an action holds; a missing measure meets none."""
    found = np.ones(accounts, dtype=bool)
    for name, limits in action.conditions.items():
        values = known[name]
        found &= ~np.isnan(values)
        if limits.at_least is not None:
            found &= values >= limits.at_least
        if limits.below is not None:
            found &= values < limits.below
    return found
