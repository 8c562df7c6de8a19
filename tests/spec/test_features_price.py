"""The price features, drawn: what goes in, and what must come out, worked out by hand."""

# ruff: noqa: E501 - drawn tables are as wide as what they hold
from __future__ import annotations

import pytest
from drawn_tables import Case

TITLE = "Price"
INTRODUCTION = """\
What the account pays for what it gets. Where nothing was used or bought there is no price; a change compares the last 90 days with the 90
before."""

CASES = [
    Case(
        title="The fee, the use and the bill",
        says="The fee rose on 1 May while use halved; what is paid beyond the fee is charged for use.",
        drawn="""
        subscriptions | started_at       | subscription_id | valid_from       | mrr | seats
        ann           | 2024-06-01T00:00 | s1              | 2024-06-01T00:00 | 100 | 10
        ann           | 2024-06-01T00:00 | s1              | 2025-05-01T00:00 | 120 | 8
        bob           | 2024-06-01T00:00 | s2              | 2024-06-01T00:00 | 50  | 5

        usage | at               | quantity
        ann   | 2025-02-01T00:00 | 10
        ann   | 2025-02-02T00:00 | 10
        ann   | 2025-02-03T00:00 | 10
        ann   | 2025-02-04T00:00 | 10
        ann   | 2025-05-01T00:00 | 5
        ann   | 2025-05-02T00:00 | 15
        bob   | 2025-02-01T00:00 | 5

        payments | at               | amount | status
        ann      | 2025-02-01T00:00 | 400    | paid
        ann      | 2025-05-01T00:00 | 480    | paid
        ann      | 2025-05-02T00:00 | 999    | failed
        bob      | 2025-02-01T00:00 | 50     | paid

        at 2025-07-01 | feature                     | value | because
        ann           | mrr_per_event_90d           | 60    | 120 for 2 events
        ann           | mrr_per_event_change_90d    | 0.412 | from 100 for 4 events: (60 - 25) / 85
        ann           | mrr_per_unit_90d            | 6     | 120 for 20 units
        ann           | mrr_per_unit_change_90d     | 0.412 | from 100 for 40 units: (6 - 2.5) / 8.5
        ann           | mrr_per_seat_change_90_days | 0.2   | from 10 to 15
        ann           | paid_per_event_90d          | 240   | 480 for 2 events; the failed payment is none
        ann           | paid_per_event_change_90d   | 0.412 | from 400 for 4 events: (240 - 100) / 340
        ann           | paid_per_unit_90d           | 24    | 480 for 20 units
        ann           | paid_per_unit_change_90d    | 0.412 | from 400 for 40 units: (24 - 10) / 34
        ann           | amount_paid_trend_90d       | 0.091 | from 400 to 480
        ann           | paid_over_fee_90d           | 4     | 480 against a fee of 120
        ann           | paid_over_fee_change_90d    | 0     | 400 against a fee of 100 before
        bob           | mrr_per_event_90d           | -     | nothing was used, so there is no price
        bob           | mrr_per_event_change_90d    | -     | no price to compare
        bob           | amount_paid_trend_90d       | -1    | nothing was paid any more
        bob           | paid_over_fee_90d           | 0     | nothing against a fee of 50
        """,
    ),
    Case(
        title="The price of an item",
        says="Of orders that carry an amount and a quantity.",
        drawn="""
        orders | at               | amount | quantity
        ann    | 2025-02-01T00:00 | 20     | 10
        ann    | 2025-05-01T00:00 | 30     | 10
        bob    | 2025-05-01T00:00 | 30     | 10

        at 2025-07-01 | feature                   | value | because
        ann           | price_per_item_90d        | 3     | 30 for 10 items
        ann           | price_per_item_change_90d | 0.2   | from 2: (3 - 2) / 5
        bob           | price_per_item_90d        | 3     | 30 for 10 items
        bob           | price_per_item_change_90d | -     | nothing was bought before
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_features_are_as_drawn(case: Case) -> None:
    assert case.differences() == []
