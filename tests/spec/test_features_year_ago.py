"""The year-ago features, drawn: what goes in, and what must come out, worked out by hand."""

# ruff: noqa: E501 - drawn tables are as wide as what they hold
from __future__ import annotations

import pytest
from drawn_tables import Case

TITLE = "A year ago"
INTRODUCTION = """\
The same days of the year before, 364 days earlier so that the same weekdays are compared: for seasonal businesses. An account
without a row before those days has no year to compare with."""

CASES = [
    Case(
        title="Use against last year",
        says="The same 28 days a year ago are 4 June to 1 July 2024, the same 90 days begin on 3 April.",
        drawn="""
        usage | at               | quantity
        ann   | 2024-01-15T00:00 | 1
        ann   | 2024-04-03T00:00 | 2
        ann   | 2024-06-03T23:59 | 3
        ann   | 2024-06-04T00:00 | 4
        ann   | 2024-07-01T23:59 | 5
        ann   | 2024-07-02T00:00 | 6
        ann   | 2024-09-29T23:59 | 7
        ann   | 2024-09-30T00:00 | 8
        ann   | 2025-06-20T00:00 | 3
        bob   | 2024-06-10T00:00 | 1
        bob   | 2025-06-10T00:00 | 1
        cal   | 2024-01-15T00:00 | 1
        cal   | 2025-06-10T00:00 | 1

        at 2025-07-01 | feature                                 | value         | because
        ann           | usage_events_against_year_ago_28d/90d   | -0.333/-0.6   | 1 now, 2 then: -1/3; 1 now, 4 then: -3/5
        ann           | usage_quantity_against_year_ago_28d/90d | -0.5/-0.647   | 3 now, 9 then: -6/12; 3 now, 14 then: -11/17
        ann           | usage_ahead_year_ago_90d                | 2             | on 2 July and 29 September 2024; 30 September is day 91
        bob           | usage_events_against_year_ago_28d/90d   | -/-           | the first use lies in those days: the time before is not known
        bob           | usage_ahead_year_ago_90d                | 0             | it was there before 2 July, and used nothing until 30 September
        cal           | usage_events_against_year_ago_28d/90d   | 1/1           | it was there and used nothing then: started
        cal           | usage_quantity_against_year_ago_28d/90d | 1/1           | the same in units
        dan           | usage_events_against_year_ago_28d/90d   | -/-           | no row at all
        dan           | usage_ahead_year_ago_90d                | -             | no row at all
        """,
    ),
    Case(
        title="Orders and tickets against last year",
        says="Each table counts by itself: an account is compared in tickets only if it had one before.",
        drawn="""
        orders | at               | amount
        ann    | 2024-02-01T00:00 | 10
        ann    | 2024-06-10T00:00 | 30
        ann    | 2024-08-01T00:00 | 10
        ann    | 2025-06-10T00:00 | 20
        ann    | 2025-06-11T00:00 | 40
        bob    | 2025-06-10T00:00 | 40

        tickets | opened_at
        ann     | 2024-06-10T00:00
        bob     | 2024-01-10T00:00
        bob     | 2024-06-10T00:00
        bob     | 2025-06-10T00:00
        bob     | 2025-06-12T00:00
        bob     | 2025-04-12T00:00

        at 2025-07-01 | feature                               | value       | because
        ann           | orders_against_year_ago_28d/90d       | 0.333/0.333 | 2 now, 1 then
        ann           | order_amount_against_year_ago_28d/90d | 0.333/0.333 | 60 now, 30 then
        ann           | orders_ahead_year_ago_90d             | 1           | on 1 August 2024
        ann           | tickets_against_year_ago_28d/90d      | -/-         | no ticket before those days
        bob           | orders_against_year_ago_28d/90d       | -/-         | the first order is of this year
        bob           | order_amount_against_year_ago_28d/90d | -/-         | the first order is of this year
        bob           | orders_ahead_year_ago_90d             | -           | the first order is of this year
        bob           | tickets_against_year_ago_28d/90d      | 0.333/0.5   | 2 now, 1 then; 3 now, 1 then
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_features_are_as_drawn(case: Case) -> None:
    assert case.differences() == []
