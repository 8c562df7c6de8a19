"""The persons features, drawn: what goes in, and what must come out, worked out by hand."""

# ruff: noqa: E501 - drawn tables are as wide as what they hold
from __future__ import annotations

import pytest
from drawn_tables import Case

TITLE = "Persons"
INTRODUCTION = """\
How much depends on single persons: the share of the busiest, whether they are still there, and who came and went. Rows without a person
are left out."""

CASES = [
    Case(
        title="Who uses it",
        says="The last 90 days begin on 2 April 2025, the 90 before on 2 January; the last 28 days begin on 3 June.",
        drawn="""
        usage | at               | user_id
        ann   | 2025-01-02T00:00 | p4
        ann   | 2025-03-10T00:00 | p1
        ann   | 2025-04-02T00:00 | p1
        ann   | 2025-05-02T00:00 | p1
        ann   | 2025-05-03T00:00 | p1
        ann   | 2025-05-04T00:00 | p2
        ann   | 2025-06-02T23:59 | p2
        ann   | 2025-06-03T00:00 | p2
        ann   | 2025-06-04T00:00 | p3
        ann   | 2025-06-05T00:00 | -
        bob   | 2025-05-02T00:00 | p7
        bob   | 2025-05-03T00:00 | p8
        bob   | 2025-06-20T00:00 | p8
        cal   | 2025-06-20T00:00 | p9
        dan   | 2025-02-20T00:00 | p5

        at 2025-07-01 | feature                     | value | because
        ann           | busiest_user_share_90d      | 0.429 | p1 and p2 have 3 of the 7 rows with a person
        ann           | busiest_user_still_seen_90d | 0     | p1 has most rows until 2 June and none after
        ann           | active_users_lost_90d       | 1     | p4
        ann           | active_users_won_90d        | 2     | p2 and p3
        ann           | active_users_lost_share_90d | 0.5   | p4 of p1 and p4
        bob           | busiest_user_share_90d      | 0.667 | p8
        bob           | busiest_user_still_seen_90d | 1     | p7 and p8 were equally busy, and p8 is still seen
        bob           | active_users_lost_share_90d | -     | nobody before whom it could lose
        cal           | busiest_user_share_90d      | 1     | all by p9
        cal           | busiest_user_still_seen_90d | -     | nobody until 2 June
        dan           | busiest_user_share_90d      | -     | a share of nothing is missing
        dan           | active_users_lost_90d       | 1     | p5
        dan           | active_users_won_90d        | 0     | nobody
        dan           | active_users_lost_share_90d | 1     | p5 was all
        """,
    ),
    Case(
        title="Who asks",
        says="Tickets that name the person who opened them.",
        drawn="""
        tickets | opened_at        | user_id
        ann     | 2025-02-10T00:00 | p1
        ann     | 2025-04-10T00:00 | p2
        ann     | 2025-04-11T00:00 | p2
        ann     | 2025-06-10T00:00 | p3

        at 2025-07-01 | feature                          | value | because
        ann           | requesters_90d                   | 2     | p2 and p3
        ann           | busiest_requester_share_90d      | 0.667 | p2 opened 2 of 3
        ann           | busiest_requester_still_seen_90d | 0     | p2 has opened none since 3 June
        ann           | requesters_lost_90d              | 1     | p1
        ann           | requesters_won_90d               | 2     | p2 and p3
        ann           | requesters_lost_share_90d        | 1     | p1 was all
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_features_are_as_drawn(case: Case) -> None:
    assert case.differences() == []
