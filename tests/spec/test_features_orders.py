"""The orders features, drawn: what goes in, and what must come out, worked out by hand."""

# ruff: noqa: E501 - drawn tables are as wide as what they hold
from __future__ import annotations

import pytest
from drawn_tables import Case

TITLE = "Orders"
INTRODUCTION = """\
How often, how much, and whether the gaps grow. Lines with one order number are one order; returns and cancelled orders are never activity."""

CASES = [
    Case(
        title="Orders, lines and returns",
        says="Five order numbers, of which one is a return and one was cancelled.",
        drawn="""
        orders | order_id | at               | amount | quantity | product | cancelled
        ann    | o1       | 2025-06-25T10:00 | 10     | 1        | cup     | false
        ann    | o1       | 2025-06-25T10:00 | 30     | 2        | plate   | false
        ann    | o2       | 2025-06-10T10:00 | 20     | 1        | cup     | false
        ann    | o3       | 2025-05-01T10:00 | 60     | 3        | bowl    | false
        ann    | o4       | 2025-02-01T10:00 | 100    | 4        | cup     | false
        ann    | o5       | 2025-06-28T10:00 | -20    | -1       | cup     | false
        ann    | o6       | 2025-06-29T10:00 | 500    | 9        | lamp    | true

        at 2025-07-01 | feature                      | value         | because
        ann           | orders_7d/28d/90d/365d       | 1/2/3/4       | two lines of o1 are one order; o5 and o6 are no orders
        ann           | order_amount_7d/28d/90d/365d | 40/60/120/220 | 10 + 30; 20; 60; 100
        ann           | order_days_28d/90d/365d      | 2/3/4         | days with an order
        ann           | order_quantity_28d/90d/365d  | 4/7/11        | 1 + 2 + 1; 3; 4
        ann           | order_basket_28d/90d/365d    | 30/40/55      | amount an order
        ann           | order_lines_mean_90d/365d    | 1.333/1.25    | 4 lines of 3 orders; 5 of 4
        ann           | order_products_28d/90d/365d  | 2/3/3         | cup and plate; bowl; the lamp was cancelled
        ann           | returns_90d/365d             | 2/2           | the return and the cancelled order
        ann           | return_amount_90d/365d       | 520/520       | without signs
        ann           | days_since_last_order        | 5.583         | from 06-25 10:00
        ann           | days_since_first_order       | 149.583       | from 02-01 10:00
        ann           | days_since_last_return       | 1.583         | from 06-29 10:00
        ann           | orders_ever                  | 4             | o1 to o4
        ann           | order_amount_ever            | 220           | their amounts
        ann           | order_basket_largest         | 100           | o4
        ann           | last_order_amount            | 40            | o1
        ann           | basket_spread                | 34.16         | 40, 20, 60, 100 around 55: the root of 3500 / 3
        ann           | days_between_orders          | 48            | pauses of 89, 40 and 15 days
        ann           | days_between_orders_spread   | 37.64         | the root of 2834 / 2
        ann           | days_between_orders_trend    | -37.00        | each pause is 37 days shorter than the one before, on average
        ann           | pause_against_own_rhythm     | 0             | no pause was shorter than 5.58 days
        ann           | orders_before_90d            | 1             | o4
        ann           | order_amount_before_90d      | 100           | o4
        ann           | orders_trend_90d             | 0.50          | (3 - 1) / (3 + 1)
        ann           | order_amount_trend_90d       | 0.0909        | (120 - 100) / 220
        ann           | pause_over_usual             | 0.1163        | 5.583 / 48
        ann           | orders_per_day               | 0.02674       | 4 / 149.583
        ann           | amount_per_day               | 1.4708        | 220 / 149.583
        bob           | orders_7d/28d/90d/365d       | 0/0/0/0       | a count of nothing is 0
        bob           | order_amount_365d            | 0             | a sum of nothing is 0
        bob           | order_basket_365d            | -             | a mean of nothing is missing
        bob           | order_basket_largest         | -             | no order
        bob           | last_order_amount            | -             | no order
        bob           | days_since_last_order        | -             | never, not 0 days ago
        bob           | days_since_last_return       | -             | never
        bob           | days_between_orders          | -             | no pause
        bob           | pause_against_own_rhythm     | -             | no rhythm
        bob           | orders_trend_90d             | 0             | nothing against nothing
        bob           | orders_per_day               | -             | no first order to count from
        """,
    ),
    Case(
        title="Lengthening pauses",
        says="The current gap is compared with the account's own earlier gaps, and the slope of the gaps is their trend.",
        drawn="""
        orders | order_id | at
        cal    | p1       | 2025-05-01T12:00
        cal    | p2       | 2025-05-03T12:00
        cal    | p3       | 2025-05-07T12:00
        cal    | p4       | 2025-05-15T12:00

        at 2025-05-20 | feature                  | value | because
        cal           | pause_against_own_rhythm | 0.667 | 2 and 4 days are shorter than 4.5, 8 days are not

        at 2025-07-01 | feature                   | value | because
        cal           | days_between_orders_trend | 3.00  | pauses of 2, 4 and 8 days: three days more each time
        cal           | pause_against_own_rhythm  | 1     | the present 46.5 days exceed all
        cal           | pause_over_usual          | 9.964 | 46.5 / 4.667

        at 2025-05-15T12:00 | feature                   | value | because
        cal                 | days_between_orders_trend | -     | the fourth order is at the cutoff: two pauses make no slope
        cal                 | pause_against_own_rhythm  | 1     | eight days against 2 and 4
        """,
    ),
    Case(
        title="Returned later",
        says="A line with `returned_at` was an order when it was made and is a return from that instant on.",
        drawn="""
        orders | order_id | at               | amount | returned_at
        dan    | q1       | 2025-06-01T00:00 | 50     | 2025-07-01T00:00

        at 2025-07-01 | feature     | value | because
        dan           | orders_90d  | 1     | an order
        dan           | returns_90d | 0     | returned at the cutoff: not known yet

        at 2025-07-02 | feature                | value | because
        dan           | orders_90d             | 1     | it was an order all the same
        dan           | returns_90d            | 1     | and a return
        dan           | return_amount_90d      | 50    | of its amount
        dan           | days_since_last_return | 1     | from 07-01
        """,
    ),
    Case(
        title="Lines that follow",
        says="A line added to an order after the cutoff is not in it yet.",
        drawn="""
        orders | order_id | at               | amount
        eve    | r1       | 2025-06-20T00:00 | 10
        eve    | r1       | 2025-07-05T00:00 | 30
        eve    | r2       | 2025-06-25T00:00 | 5

        at 2025-07-01 | feature              | value | because
        eve           | orders_ever          | 2     | r1 and r2
        eve           | order_amount_ever    | 15    | 10 and 5
        eve           | order_basket_largest | 10    | r1 so far
        eve           | order_lines_mean_90d | 1     | one line each

        at 2025-07-10 | feature               | value | because
        eve           | orders_ever           | 2     | still two
        eve           | order_amount_ever     | 45    | the line of 07-05 belongs to r1
        eve           | order_basket_largest  | 40    | r1 with both lines
        eve           | order_lines_mean_90d  | 1.50  | two lines and one
        eve           | days_since_last_order | 15    | an order is placed at its first line: r2 is the last
        eve           | last_order_amount     | 5     | r2
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_features_are_as_drawn(case: Case) -> None:
    assert case.differences() == []
