"""The relationship features, drawn: what goes in, and what must come out, worked out by hand."""

from __future__ import annotations

import pytest
from drawn_tables import Case

TITLE = "Relationship"
INTRODUCTION = """\
How long, how close, and whether agreed goals are met."""

CASES = [
    Case(
        title="Tenure and owners",
        says="Rows with `valid_from` are versions of an account. A change of owner is known from the version that brings it.",
        drawn="""
        accounts | signed_up_at     | valid_from       | owner
        ann      | 2024-07-01T00:00 | 2024-07-01T00:00 | kim
        ann      | 2024-07-01T00:00 | 2025-03-01T00:00 | lee
        ann      | 2024-07-01T00:00 | 2025-05-01T00:00 | lee
        ann      | 2024-07-01T00:00 | 2025-06-01T00:00 | moe
        ann      | 2024-07-01T00:00 | 2025-07-01T00:00 | nia
        bob      | 2025-06-24T00:00 | 2025-06-24T00:00 | kim

        at 2025-07-01 | feature                 | value | because
        ann           | tenure_days             | 365   | from 2024-07-01
        ann           | owner_changes_365d      | 2     | kim to lee, lee to moe; nia comes at the cutoff
        ann           | owner_changes_ever      | 2     | the same two
        ann           | days_since_owner_change | 30    | from 06-01
        bob           | tenure_days             | 7     | from 06-24
        bob           | owner_changes_365d      | 0     | the first owner is no change
        bob           | owner_changes_ever      | 0     | the same
        bob           | days_since_owner_change | -     | never, not 0 days ago

        at 2025-06-24 | feature     | value | because
        bob           | tenure_days | -     | signed up at the cutoff: not a customer yet
        """,
    ),
    Case(
        title="Advocacy",
        says="Referrals, reviews, case studies, community posts.",
        drawn="""
        advocacy | at               | kind
        cal      | 2025-06-01T00:00 | referral
        cal      | 2025-01-01T00:00 | Review
        cal      | 2024-01-01T00:00 | referral
        cal      | 2025-07-01T00:00 | referral

        at 2025-07-01 | feature             | value | because
        cal           | advocacy_90d/365d   | 1/2   | the referral at the cutoff is not known yet
        cal           | advocacy_ever       | 3     | without it
        cal           | referrals_ever      | 2     | two of them
        cal           | reviews_ever        | 1     | whatever the case
        cal           | days_since_advocacy | 30    | from 06-01
        dan           | advocacy_90d/365d   | 0/0   | a count of nothing is 0
        dan           | referrals_ever      | 0     | none
        dan           | days_since_advocacy | -     | never, not 0 days ago
        """,
    ),
    Case(
        title="Goals",
        says="A goal is overdue when it was due before the cutoff and is not known to be met.",
        drawn="""
        goals | set_at           | due_at           | met_at
        eva   | 2025-01-01T00:00 | 2025-03-01T00:00 | 2025-02-15T00:00
        eva   | 2025-02-01T00:00 | 2025-06-01T00:00 | -
        eva   | 2025-03-01T00:00 | 2025-07-01T00:00 | -
        eva   | 2025-04-01T00:00 | 2025-05-01T00:00 | 2025-07-01T00:00

        at 2025-07-01 | feature             | value | because
        eva           | goals_set           | 4     | all four
        eva           | goals_met           | 1     | the fourth is met at the cutoff: not known yet
        eva           | goals_met_365d      | 1     | the same
        eva           | goals_open_now      | 3     | all but the first
        eva           | goals_overdue_now   | 2     | the second and the fourth; the third is due at the cutoff
        eva           | goals_missed_365d   | 2     | the same two
        eva           | days_since_goal_met | 136   | from 02-15
        eva           | goals_met_share     | 0.25  | 1 of 4
        fay           | goals_set           | 0     | none agreed
        fay           | goals_overdue_now   | 0     | none overdue
        fay           | goals_met_share     | -     | absent goals are not unmet ones
        fay           | days_since_goal_met | -     | never, not 0 days ago

        at 2025-07-02 | feature           | value | because
        eva           | goals_met         | 2     | the first and the fourth
        eva           | goals_met_365d    | 2     | the same two
        eva           | goals_missed_365d | 2     | the second and the third, which is overdue now
        eva           | goals_open_now    | 2     | the second and the third
        eva           | goals_overdue_now | 2     | the same two
        """,
    ),
    Case(
        title="Past outreach",
        says="What the team did changes outcomes, so these features are built only on request.",
        settings={"outreach": True},
        drawn="""
        outreach | at               | action
        gus      | 2025-06-20T00:00 | call
        gus      | 2025-05-20T00:00 | mail
        gus      | 2024-12-20T00:00 | call

        at 2025-07-01 | feature               | value | because
        gus           | outreach_28d/90d/365d | 1/2/3 | calls and mails
        gus           | days_since_outreach   | 11    | from 06-20
        hal           | outreach_365d         | 0     | a count of nothing is 0
        hal           | days_since_outreach   | -     | never
        """,
    ),
    Case(
        title="No sign-up is given",
        says="Then an account is a customer from its first row in any table, as known at the cutoff.",
        drawn="""
        usage | at               | known_at
        eli   | 2025-06-10T00:00 | 2025-06-10T00:00
        eli   | 2025-05-10T00:00 | 2025-06-20T00:00
        eli   | 2025-06-12T00:00 | 2025-06-12T00:00

        tickets | opened_at
        eli     | 2025-06-01T00:00
        fae     | 2025-07-01T00:00

        at 2025-06-15 | feature     | value | because
        eli           | tenure_days | 14    | the ticket of 06-01
        fae           | tenure_days | -     | nothing has happened

        at 2025-07-01 | feature     | value | because
        eli           | tenure_days | 52    | the use of 05-10 has arrived
        fae           | tenure_days | -     | the ticket is not known yet
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_features_are_as_drawn(case: Case) -> None:
    assert case.differences() == []
