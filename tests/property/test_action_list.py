"""What holds for every list: places, one action each, no rank out of order, and at least half of the best there is."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from planted_outreach import playbook_of, scores_of
from scipy.optimize import linear_sum_assignment

from staypower.actions.choosing import choose_actions
from staypower.actions.playbook import ActionSettings

OWNERS = ("sales", "support", "billing")
PLAYBOOK = playbook_of(
    one={"effect": 0.4, "cost": 30, "owner": "sales"},
    two={"effect": 0.3, "cost": 5, "owner": "support"},
    three={"effect": 0.1, "quadrant": ["leaving", "captive"], "owner": "billing"},
    four={"value": 20, "quadrant": "loyal", "owner": "billing"},
)
ACCOUNT = st.tuples(
    st.floats(0.01, 0.99),
    st.sampled_from(["leaving", "loyal", "captive"]),
    st.floats(0.0, 500.0),
    st.sampled_from(["scored"] * 4 + ["too_new"]),
)
COMPANIES = st.lists(ACCOUNT, min_size=1, max_size=12)
CAPACITY = st.fixed_dictionaries({owner: st.integers(0, 4) for owner in OWNERS})


def table_of(company):
    return scores_of(
        [
            {
                "account_id": f"a{number:02d}",
                "status": status,
                "churn_probability": risk if status == "scored" else np.nan,
                "quadrant": quadrant if status == "scored" else None,
                "value_at_risk": risk * worth,
            }
            for number, (risk, quadrant, worth, status) in enumerate(company)
        ]
    )


@given(COMPANIES, CAPACITY, st.sampled_from([0.0, 0.3]), st.randoms(use_true_random=False))
def test_every_list_keeps_its_promises(company, capacity, share, random) -> None:
    scores = table_of(company)
    settings = ActionSettings(capacity=capacity, holdout=share)
    chosen = choose_actions(scores, PLAYBOOK, settings, cutoff=0)
    listed = chosen.table
    assert listed["account_id"].is_unique
    assert (listed["expected_value"] > 0).all()
    assert listed["expected_value"].is_monotonic_decreasing
    used = chosen.to_do.groupby("owner").size()
    assert all(used.get(owner, 0) <= places for owner, places in capacity.items())
    assert set(listed["account_id"]) <= set(scores.loc[scores["status"] == "scored", "account_id"])
    assert sum(chosen.left_out.values()) + len(listed) == len(scores)
    order = list(range(len(scores)))
    random.shuffle(order)
    pd.testing.assert_frame_equal(choose_actions(scores.iloc[order], PLAYBOOK, settings, cutoff=0).table, listed)


@given(COMPANIES, CAPACITY)
def test_the_list_is_worth_at_least_half_of_the_best_there_is(company, capacity) -> None:
    scores = table_of(company)
    found = choose_actions(scores, PLAYBOOK, ActionSettings(capacity=capacity, holdout=0), cutoff=0).expected_value
    best = _best(scores, capacity)
    assert best / 2 - 1e-9 <= found <= best + 1e-9


@given(COMPANIES, st.integers(0, 5))
def test_with_one_team_the_list_is_the_best_there_is(company, places) -> None:
    scores = table_of(company)
    chosen = choose_actions(scores, PLAYBOOK, ActionSettings(holdout=0), cutoff=0, team=max(places, 1))
    worth = np.sort(_worth(scores).max(axis=1))[::-1][: max(places, 1)]
    assert abs(chosen.expected_value - worth.sum()) < 1e-9


def _worth(scores) -> np.ndarray:
    """Price every pair in the obvious way; 0 where it does not fit or does not pay."""
    columns = []
    for action in PLAYBOOK.actions.values():
        fits = (scores["status"] == "scored") & (scores["quadrant"].isin(action.quadrant) if action.quadrant else True)
        gain = action.value if action.effect is None else scores["value_at_risk"] * action.effect
        columns.append(np.maximum(np.where(fits, gain - action.cost, 0.0), 0.0))
    return np.stack(columns, axis=1)


def _best(scores, capacity) -> float:
    """Return the value of the best assignment of places to accounts."""
    worth, owners = _worth(scores), [action.owner for action in PLAYBOOK.actions.values()]
    places = [
        worth[:, [number for number, owner in enumerate(owners) if owner == name]].max(axis=1)
        for name, count in capacity.items()
        for _ in range(count)
    ]
    if not places:
        return 0.0
    rows, columns = linear_sum_assignment(-np.stack(places, axis=1))
    return float(np.stack(places, axis=1)[rows, columns].sum())
