"""The billing features, drawn: what goes in, and what must come out, worked out by hand."""

# ruff: noqa: E501 - drawn tables are as wide as what they hold
from __future__ import annotations

import pytest
from drawn_tables import Case

TITLE = "Billing"
INTRODUCTION = """\
What is paid, what changed, and when the contract comes up. With `valid_from`, rows are versions of a subscription: a version speaks until a later one is known. Without it, a column that may change is used only when it is declared `fixed`."""

CASES = [
    Case(
        title="Versions of subscriptions",
        says="What runs at the cutoff, what ran 28, 90 and 365 days ago, and what changed since.",
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
        says="An end is known only after its instant. The last version known decides alone: what it does not end runs on.",
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
        says="It runs until it ends, and the account is not leaving: the others run on. A cancellation is known from its instant.",
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
        says="A start and an end without a clock are known at the end of their days.",
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
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_features_are_as_drawn(case: Case) -> None:
    assert case.differences() == []
