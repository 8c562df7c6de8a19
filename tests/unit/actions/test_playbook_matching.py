"""Which actions fit which accounts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from planted_outreach import playbook_of, scores_of

from staypower.actions.ranking import fit_actions, lever_shares
from staypower.errors import UsageError
from staypower.features.definition import LEVERS


def test_a_lever_s_share_is_its_part_of_what_raises_the_risk() -> None:
    scores = pd.DataFrame(
        {
            "lever_1": ["support", "billing", None],
            "contribution_1": [0.5, -0.9, np.nan],
            "lever_2": ["value", "support", None],
            "contribution_2": [0.25, 0.5, np.nan],
            "lever_3": ["support", None, None],
            "contribution_3": [0.25, 0.5, np.nan],
        }
    )
    shares = pd.DataFrame(lever_shares(scores), columns=list(LEVERS))
    assert shares["support"].tolist() == [0.75, 0.5, 0.0]
    assert shares["value"].tolist() == [0.25, 0.0, 0.0]
    assert shares["billing"].tolist() == [0.0, 0.0, 0.0]  # protects, so nobody needs to pull on it
    assert shares.drop(columns=["support", "value", "billing"]).to_numpy().sum() == 0


def test_lever_and_quadrant_both_count() -> None:
    playbook = playbook_of(
        fix={"lever": ["support", "value"], "quadrant": ["leaving", "captive"]}, ask={"lever": "any", "quadrant": "any"}
    )
    reasons = {"lever_1": "support", "contribution_1": 1.0}
    rows = [
        {"account_id": "both", **reasons},
        {"account_id": "elsewhere", **reasons, "quadrant": "loyal"},
        {"account_id": "otherwise", "lever_1": "billing", "contribution_1": 1.0},
        {"account_id": "gone", **reasons, "status": "not_active", "quadrant": None, "churn_probability": np.nan},
    ]
    fit = fit_actions(playbook, scores_of(rows))
    assert fit.placed[:, 0].tolist() == [True, False, False, False]
    assert fit.placed[:, 1].tolist() == [True, True, True, False]


def test_a_lever_counts_from_its_share_on() -> None:
    playbook = playbook_of(fix={"lever": "support"}).model_copy(update={"lever_share": 0.25})
    rows = [
        {"account_id": name, "lever_1": "value", "contribution_1": most, "lever_2": "support", "contribution_2": 1.0}
        for name, most in (("just", 3.0), ("less", 3.1))
    ]
    assert fit_actions(playbook, scores_of(rows)).placed[:, 0].tolist() == [True, False]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"asked_unanswered": {"at_least": 2}}, [True, False, False]),
        ({"asked_unanswered": {"below": 2}}, [False, True, False]),
        ({"asked_unanswered": {"at_least": 1, "below": 2}}, [False, True, False]),
        ({"never_invited": True}, [False, True, False]),
        ({"never_invited": False}, [True, False, False]),
        ({"involuntary_share": {"at_least": 0.5}}, [True, False, False]),
        ({"involuntary_share": {"below": 0.5}, "asked_unanswered": {"at_least": 1}}, [False, True, False]),
    ],
)
def test_conditions_hold_at_their_bounds_and_never_where_nothing_is_known(conditions, expected) -> None:
    rows = [
        {"account_id": "a", "asked_unanswered": 2.0, "never_invited": False, "churn_probability": 0.4, "p_involuntary": 0.2},
        {"account_id": "b", "asked_unanswered": 1.0, "never_invited": True, "churn_probability": 0.4, "p_involuntary": 0.1},
        {"account_id": "c", "asked_unanswered": None, "never_invited": None, "p_involuntary": None},
    ]
    fit = fit_actions(playbook_of(act={"conditions": conditions}), scores_of(rows))
    assert fit.placed.all()
    assert fit.meets[:, 0].tolist() == expected


def test_a_measure_that_nothing_tells_leaves_the_action_out_and_is_named() -> None:
    playbook = playbook_of(act={"conditions": {"satisfaction": {"below": 0.5}}}, other={})
    fit = fit_actions(playbook, scores_of([{"account_id": "a"}]))
    assert fit.unanswerable == {"act": "satisfaction"}
    assert fit.meets.tolist() == [[False, True]]


def test_scores_without_quadrants_are_refused_with_every_column_that_is_missing() -> None:
    with pytest.raises(UsageError) as refused:
        fit_actions(playbook_of(act={}), pd.DataFrame({"account_id": ["a"], "churn_probability": [0.1]}))
    assert [problem.value for problem in refused.value.problems] == ["status", "quadrant"]
