"""The billing features, drawn: what goes in, and what must come out, worked out by hand."""

# ruff: noqa: E501 - drawn tables are as wide as what they hold
from __future__ import annotations

import pytest
from drawn_tables import Case

TITLE = "Billing"
INTRODUCTION = """\
What is paid, what changed, and when the contract comes up. With `valid_from`, rows are versions of a subscription: a version holds until a later one is known. Without it, a column that may change is used only when declared `fixed`.

The next renewal, seats, recurring revenue and the billing period follow from other columns where they are not mapped."""

CASES = [
    Case(
        title="Versions of subscriptions",
        says="What runs at the cutoff, what ran 28, 90 and 365 days before, and what changed since.",
        drawn="""
        subscriptions | subscription_id | started_at       | valid_from       | ended_at | mrr | seats | plan  | discount | auto_renew | renews_at        | term_months | billing_period | product
        ann           | s1              | 2024-01-01T00:00 | 2024-01-01T00:00 | -        | 100 | 10    | basic | 0        | true       | 2025-01-01T00:00 | 12          | yearly         | core
        ann           | s1              | 2024-01-01T00:00 | 2025-05-01T00:00 | -        | 150 | 12    | pro   | 0.1      | false      | 2025-08-01T00:00 | 12          | yearly         | core
        ann           | s1              | 2024-01-01T00:00 | 2025-06-20T00:00 | -        | 120 | 8     | pro   | 0.2      | false      | 2025-08-01T00:00 | 12          | yearly         | core
        ann           | s2              | 2025-04-15T00:00 | 2025-04-15T00:00 | -        | 30  | 2     | extra | -        | true       | 2025-07-16T00:00 | 3           | monthly        | lab

        at 2025-07-01 | feature                        | value   | because
        ann           | mrr_now                        | 150     | 120 and 30
        ann           | mrr_28_days_ago                | 180     | 150 and 30 on 06-03
        ann           | mrr_90_days_ago                | 100     | only the first version on 04-02
        ann           | mrr_365_days_ago               | 100     | the first version
        ann           | mrr_change_28_days             | -0.0909 | (150 - 180) / 330
        ann           | mrr_change_90_days             | 0.2     | (150 - 100) / 250
        ann           | mrr_change_365_days            | 0.2     | the same
        ann           | seats_now                      | 10      | 8 and 2
        ann           | seats_90_days_ago              | 10      | the first version
        ann           | seats_change_90_days           | 0       | as many as then
        ann           | mrr_per_seat                   | 15      | 150 / 10
        ann           | discount_now                   | 0.2     | the largest of those running
        ann           | discount_90_days_ago           | 0       | of the first version, on 04-02
        ann           | discount_change_90_days        | 0.2     | 0.2 - 0
        ann           | term_months_now                | 12      | the longest contract
        ann           | days_to_renewal                | 15      | 07-16 is nearer than 08-01
        ann           | days_since_renewal             | 76      | s2 on 04-16, three months before 07-16
        ann           | share_of_term_elapsed          | 0.8352  | 76 of the 91 days of s2
        ann           | days_to_renewal_by_mrr         | 27.8    | (120 x 31 + 30 x 15) / 150
        ann           | renewals_within_horizon        | 2       | both within 90 days
        ann           | auto_renew_off_now             | 1       | s1
        ann           | subscriptions_now              | 2       | s1 and s2
        ann           | products_now                   | 2       | core and lab
        ann           | plan_now                       | pro     | of the version that began last
        ann           | billing_period_now             | yearly  | of the version that began last
        ann           | days_since_subscription_change | 11      | from 06-20
        ann           | subscriptions_started_90d/365d | 1/1     | s2; s1 began before the year
        ann           | subscriptions_ended_90d/365d   | 0/0     | none
        ann           | subscriptions_ended_ever       | 0       | none
        ann           | mrr_raises_90d/365d            | 1/1     | 100 to 150; the first version of s2 is no raise
        ann           | mrr_cuts_90d/365d              | 1/1     | 150 to 120
        ann           | seats_raises_90d/365d          | 1/1     | 10 to 12
        ann           | seats_cuts_90d/365d            | 1/1     | 12 to 8
        ann           | days_since_seats_cut           | 11      | from 06-20
        bob           | mrr_now                        | 0       | a sum of nothing is 0
        bob           | mrr_change_90_days             | 0       | nothing against nothing
        bob           | mrr_per_seat                   | -       | no seats to divide by
        bob           | discount_now                   | -       | nothing runs
        bob           | discount_90_days_ago           | -       | nothing ran
        bob           | discount_change_90_days        | -       | nothing to compare
        bob           | term_months_now                | -       | nothing runs
        bob           | days_to_renewal                | -       | nothing to renew
        bob           | auto_renew_off_now             | 0       | a count of nothing is 0
        bob           | plan_now                       | -       | no plan is missing, not `other`
        bob           | billing_period_now             | -       | no contract
        bob           | days_since_subscription_change | -       | never, not 0 days ago
        bob           | days_since_seats_cut           | -       | never, not 0 days ago

        at 2025-06-20 | feature                        | value | because
        ann           | mrr_now                        | 180   | the third version begins at the cutoff: not known yet
        ann           | mrr_cuts_90d                   | 0     | nor is the cut
        ann           | plan_now                       | pro   | the second version
        ann           | days_since_subscription_change | 50    | from 05-01
        """,
    ),
    Case(
        title="The end of a subscription",
        says="An end is known only after its instant. The last known version decides: without an end in it the subscription runs on.",
        drawn="""
        subscriptions | subscription_id | started_at       | valid_from       | ended_at         | mrr
        cal           | s3              | 2025-01-01T00:00 | 2025-01-01T00:00 | 2025-07-01T00:00 | 50
        dan           | s4              | 2025-01-01T00:00 | 2025-01-01T00:00 | 2025-05-01T00:00 | 50
        dan           | s4              | 2025-01-01T00:00 | 2025-06-01T00:00 | -                | 40

        at 2025-07-01 | feature                  | value | because
        cal           | subscriptions_now        | 1     | it ends at the cutoff itself
        cal           | mrr_now                  | 50    | still paid
        cal           | subscriptions_ended_ever | 0     | not known yet
        dan           | subscriptions_now        | 1     | taken up again on 06-01
        dan           | mrr_now                  | 40    | at the new price
        dan           | subscriptions_ended_ever | 0     | the last version says that it runs on
        dan           | mrr_cuts_90d             | 1     | 50 to 40

        at 2025-07-01T00:00:00.000001 | feature                      | value | because
        cal                           | subscriptions_now            | 0     | one microsecond later the end is known
        cal                           | mrr_now                      | 0     | nothing runs
        cal                           | subscriptions_ended_90d/365d | 1/1   | one end
        cal                           | subscriptions_ended_ever     | 1     | one end
        cal                           | mrr_change_90_days           | -1    | a full stop

        at 2025-05-15 | feature                  | value | because
        dan           | subscriptions_now        | 0     | between the end and the new beginning
        dan           | subscriptions_ended_ever | 1     | as known then
        """,
    ),
    Case(
        title="One contract of several is cancelled",
        says="It runs until it ends, and the account is not leaving: the others run on. A cancellation is known from its instant on.",
        drawn="""
        subscriptions | subscription_id | started_at       | ended_at         | cancel_requested_at
        hal           | s5              | 2025-01-01T00:00 | 2025-07-10T00:00 | 2025-06-15T00:00
        hal           | s6              | 2025-01-01T00:00 | -                | -
        ida           | s7              | 2025-01-01T00:00 | -                | 2025-07-01T00:00

        at 2025-07-01 | feature                     | value | because
        hal           | subscriptions_cancelled_now | 1     | s5, which runs until 07-10
        hal           | subscriptions_now           | 2     | s5 and s6
        ida           | subscriptions_cancelled_now | 0     | cancelled at the cutoff: not known yet

        at 2025-07-11 | feature                     | value | because
        hal           | subscriptions_cancelled_now | 0     | s5 has ended
        ida           | subscriptions_cancelled_now | 1     | s7
        """,
    ),
    Case(
        title="Contracts with dates only",
        says="A start and an end without a clock time are known at the end of their days.",
        mapping={"subscriptions": {"fixed": ["mrr"]}},
        drawn="""
        subscriptions | started_at | ended_at   | mrr
        eva           | 2025-01-01 | 2025-06-30 | 10
        fay           | 2025-01-01 | 2025-07-01 | 10
        gus           | 2025-07-01 | -          | 10

        at 2025-07-01 | feature                  | value | because
        eva           | subscriptions_now        | 0     | 06-30 is over
        eva           | subscriptions_ended_ever | 1     | and the end with it
        fay           | subscriptions_now        | 1     | 07-01 is not over
        gus           | subscriptions_now        | 0     | 07-01 is not over: the start is not known
        gus           | mrr_now                  | 0     | nothing is known of it
        """,
    ),
    Case(
        title="Renewals that follow from a start and a term",
        says="A contract renews every `term_months`, else every billing period, in calendar months from its start. A start on the 31st renews on the last day of a shorter month and on the 31st again after it. The nearest renewal of several contracts counts; averages and shares are by recurring revenue. The horizon is that of the label; here it is set.",
        settings={"renewal_days": 92},
        mapping={"subscriptions": {"fixed": ["mrr"]}},
        drawn="""
        subscriptions | started_at       | term_months | billing_period | mrr
        ann           | 2024-01-31T00:00 | 12          | monthly        | 90
        ann           | 2025-03-31T00:00 | -           | quarterly      | 10
        bob           | 2025-05-31T00:00 | -           | Monthly        | 20
        cal           | 2025-06-15T00:00 | -           | weekly         | 5
        dan           | 2025-06-15T00:00 | 12          | -              | 5

        at 2025-07-01 | feature                              | value  | because
        ann           | days_to_renewal                      | 91     | 2025-09-30, before 2026-01-31
        ann           | days_to_renewal_by_mrr               | 201.7  | (90 x 214 + 10 x 91) / 100
        ann           | days_since_renewal                   | 1      | 2025-06-30
        ann           | share_of_term_elapsed                | 0.0109 | 1 day of 92, from 06-30 to 09-30
        ann           | renewals_within_horizon              | 1      | 91 days are within 92
        ann           | mrr_renewing_within_horizon          | 10     | of the quarterly one
        ann           | share_of_mrr_renewing_within_horizon | 0.1    | 10 of 100
        ann           | term_months_now                      | 12     | as mapped
        bob           | days_to_renewal                      | 30     | 07-31, not 07-30: it is counted from 05-31
        bob           | days_since_renewal                   | 1      | 06-30
        bob           | share_of_mrr_renewing_within_horizon | 1      | all of it
        cal           | days_to_renewal                      | -      | weeks are not counted, and there are no payments
        cal           | days_to_renewal_by_mrr               | -      | no date to weigh
        cal           | share_of_term_elapsed                | -      | no term
        cal           | renewals_within_horizon              | 0      | none known
        cal           | mrr_renewing_within_horizon          | 0      | none known
        dan           | days_since_renewal                   | -      | the first term has not ended: never, not 0 days ago
        dan           | days_to_renewal                      | 349    | 2026-06-15
        dan           | share_of_mrr_renewing_within_horizon | 0      | nothing of 5

        at 2025-06-30 | feature            | value | because
        bob           | days_to_renewal    | 0     | a renewal at the cutoff lies ahead
        bob           | days_since_renewal | -     | it has not happened
        """,
    ),
    Case(
        title="Renewal dates that have passed",
        says="A mapped `renews_at` is the next renewal until it has passed; then it rolls on by the term, and without a known term it is overdue.",
        mapping={"subscriptions": {"fixed": ["renews_at"]}},
        drawn="""
        subscriptions | started_at       | renews_at        | term_months
        eva           | 2025-01-01T00:00 | 2025-08-01T00:00 | 3
        fay           | 2024-02-29T00:00 | 2025-02-28T00:00 | 12
        gus           | 2024-06-01T00:00 | 2025-06-01T00:00 | -

        at 2025-07-01 | feature               | value | because
        eva           | days_to_renewal       | 31    | as mapped
        eva           | days_since_renewal    | 61    | three months before it: 05-01
        eva           | share_of_term_elapsed | 0.663 | 61 of 92 days
        fay           | days_to_renewal       | 242   | 2026-02-28
        fay           | days_since_renewal    | 123   | 2025-02-28
        gus           | days_to_renewal       | -30   | overdue: nothing says how long a term is
        gus           | days_since_renewal    | 30    | 06-01
        gus           | share_of_term_elapsed | -     | no term

        at 2028-02-01 | feature         | value | because
        fay           | days_to_renewal | 28    | 2028-02-29: the day of the start, where the month has it
        """,
    ),
    Case(
        title="What payments say",
        says="Without a term and a billing period, the months between payments count, as known at the cutoff. Without a usable `mrr`, recurring revenue is what was paid in the last period, per month.",
        drawn="""
        subscriptions | started_at
        hal           | 2025-01-10T00:00
        ida           | 2023-05-05T00:00

        payments | at               | amount | status
        hal      | 2025-01-10T00:00 | 30     | paid
        hal      | 2025-02-10T00:00 | 30     | paid
        hal      | 2025-03-10T00:00 | 30     | paid
        hal      | 2025-03-12T00:00 | 5      | paid
        ida      | 2023-05-05T00:00 | 120    | paid
        ida      | 2024-05-05T00:00 | 240    | paid
        ida      | 2025-05-05T00:00 | 360    | failed

        at 2025-02-10 | feature            | value | because
        hal           | days_to_renewal    | -     | one payment known: no rhythm
        hal           | billing_period_now | -     | nor a period
        hal           | mrr_now            | -     | nor an amount per month

        at 2025-04-01 | feature              | value   | because
        hal           | days_to_renewal      | 9       | 04-10
        hal           | billing_period_now   | monthly | a month between payments; that of 03-12 is of the same one
        hal           | term_months_now      | 1       | the same
        hal           | mrr_now              | 35      | 30 and 5
        hal           | mrr_28_days_ago      | 30      | that of 02-10
        hal           | mrr_90_days_ago      | -       | nothing was known on 01-01
        hal           | mrr_change_28_days   | 0.0769  | 5 / 65
        ida           | days_to_renewal      | 34      | 2025-05-05
        ida           | mrr_now              | 20      | 240 for 12 months

        at 2025-07-01 | feature              | value  | because
        ida           | billing_period_now   | annual | the failed payment changes nothing
        ida           | mrr_now              | 20     | the failed payment is none
        ida           | mrr_365_days_ago     | 20     | paid in May 2024
        """,
    ),
    Case(
        title="Seats of accounts",
        says="Where subscriptions have no usable seats, those of the account count, as known at the cutoff.",
        mapping={"accounts": {"seats": "seats", "columns": {"seats": "number"}}},
        drawn="""
        accounts | valid_from       | seats
        joe      | 2025-01-01T00:00 | 5
        joe      | 2025-05-20T00:00 | 8
        joe      | 2025-06-20T00:00 | 4

        subscriptions | subscription_id | started_at       | valid_from       | mrr
        joe           | s1              | 2025-01-01T00:00 | 2025-01-01T00:00 | 100

        at 2025-07-01 | feature              | value   | because
        joe           | mrr_per_seat         | 25      | 100 / 4
        joe           | seats_90_days_ago    | 5       | on 04-02
        joe           | seats_change_90_days | -0.1111 | (4 - 5) / 9
        joe           | seats_raises_90d     | 1       | 5 to 8
        joe           | seats_cuts_90d       | 1       | 8 to 4
        joe           | days_since_seats_cut | 11      | from 06-20
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_features_are_as_drawn(case: Case) -> None:
    assert case.differences() == []
