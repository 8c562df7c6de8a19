"""Which actions fit which accounts: lever, quadrant and conditions, for all accounts at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staypower.actions.playbook import Action, Playbook
from staypower.errors import Problem, UsageError
from staypower.features.definition import LEVERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Fit", "fit_actions", "lever_shares"]

_NEEDED = ("account_id", "status", "churn_probability", "quadrant")


@dataclass(frozen=True)
class Fit:
    """Which actions fit which accounts."""

    # shape (n_accounts, n_actions): the account is scored and in one of the action's quadrants, and one of its levers counts
    placed: NDArray[np.bool_]
    meets: NDArray[np.bool_]  # shape (n_accounts, n_actions): the conditions hold as well
    # shape (n_accounts, 8): each lever's share of what raises the account's risk, in the order of `LEVERS`
    shares: NDArray[np.float64]
    unanswerable: dict[str, str]  # actions with a condition on a measure that the scores lack, and the measure


def lever_shares(scores: pd.DataFrame) -> NDArray[np.float64]:
    """Return each lever's share of what raises each account's risk.

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
        Problem("the scores lack a column", name, "give scores with quadrants") for name in _NEEDED if name not in scores
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
    """Return a measure of every account, None where the scores lack it."""
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
