import numpy as np
import pandas as pd
import pytest

from staypower.errors import UsageError
from staypower.evaluation.baselines import last_answer_rule, recency_rule, tenure_rule

X = pd.DataFrame(
    {
        "days_since_use": [3.0, np.nan, np.nan],
        "days_since_order": [1.0, 40.0, np.nan],
        "tenure_days": [10.0, 400.0, np.nan],
        "nps_last": [0.9, np.nan, np.nan],
        "csat_last": [0.0, 0.25, np.nan],
    }
)


def test_recency_is_the_latest_of_the_activities_and_never_is_longest_ago():
    silence = recency_rule(X, ["days_since_use", "days_since_order"])
    assert silence[:2].tolist() == [1.0, 40.0]
    assert silence[2] > 20_000


def test_young_accounts_score_higher_and_unknown_tenure_stays_unknown():
    score = tenure_rule(X, ["tenure_days"])
    assert score[0] > score[1]
    assert np.isnan(score[2])


def test_the_first_answer_in_order_of_names_counts_and_silence_stays_unknown():
    assert last_answer_rule(X, ["nps_last", "csat_last"])[:2].tolist() == [-0.9, -0.25]
    assert last_answer_rule(X, ["csat_last", "nps_last"])[:2].tolist() == [0.0, -0.25]
    assert np.isnan(last_answer_rule(X, ["nps_last", "csat_last"])[2])


def test_rules_take_plain_arrays_too():
    assert tenure_rule({"tenure": [1, 2]}, ["tenure"]).tolist() == [-1, -2]


@pytest.mark.parametrize("rule", [recency_rule, tenure_rule, last_answer_rule])
def test_a_column_that_is_not_there_is_named_with_the_nearest(rule):
    with pytest.raises(UsageError, match="write `tenure_days`"):
        rule(X, ["tenure_dys"])
    with pytest.raises(UsageError, match="rule without a column"):
        rule(X, [])
