"""The support features, drawn: what goes in, and what must come out, worked out by hand."""

# ruff: noqa: E501 - drawn tables are as wide as what they hold
from __future__ import annotations

import pytest
from drawn_tables import Case

TITLE = "Support"
INTRODUCTION = """\
How often help was needed, how fast it came, and what is still open."""

CASES = [
    Case(
        title="A history of tickets",
        says="Responses and resolutions are placed where they happened, tickets where they were opened.",
        mapping={"tickets": {"fixed": ["priority", "category"]}},
        drawn="""
        tickets | opened_at        | first_response_at | resolved_at      | reopened_at      | priority | category | channel | agent
        ann     | 2025-06-30T10:00 | -                 | -                | -                | Urgent   | login    | mail    | kim
        ann     | 2025-06-26T08:00 | 2025-06-26T10:00  | 2025-06-27T08:00 | -                | low      | billing  | phone   | lee
        ann     | 2025-06-10T08:00 | 2025-06-11T14:00  | 2025-06-12T08:00 | 2025-06-20T08:00 | high     | login    | mail    | lee
        ann     | 2025-04-10T08:00 | 2025-04-10T12:00  | 2025-04-12T08:00 | -                | low      | billing  | chat    | kim
        ann     | 2025-02-01T00:00 | 2025-02-01T06:00  | 2025-02-03T00:00 | -                | low      | login    | mail    | moe

        at 2025-07-01 | feature                                 | value          | because
        ann           | tickets_7d/28d/90d/365d                 | 2/3/4/5        | by the opening
        ann           | ticket_channels_90d/365d                | 3/3            | mail, phone and chat
        ann           | ticket_agents_90d/365d                  | 2/3            | kim and lee; moe in February
        ann           | ticket_categories_90d/365d              | 2/2            | login and billing
        ann           | repeat_contacts_28d/90d/365d            | 1/1/1          | login on 06-30 follows login on 06-10; the other pairs lie more than 30 days apart
        ann           | tickets_reopened_28d/90d/365d           | 1/1/1          | on 06-20
        ann           | tickets_reopened_share_90d              | 0.25           | one of four
        ann           | first_response_hours_mean_28d/90d/365d  | 16/12/10.5     | 2 and 30 h; 4 h; 6 h; the open ticket has no response yet
        ann           | first_response_hours_total_28d/90d/365d | 32/36/42       | the same hours, added up
        ann           | first_response_hours_worst_28d/90d/365d | 30/30/30       | the ticket of 06-10
        ann           | first_response_hours_spread_365d        | 13.10          | 2, 30, 4, 6 around 10.5: the root of 515 / 3
        ann           | within_sla_share_28d/90d/365d           | 0.5/0.667/0.75 | only the 30 h missed 24 h; the ticket open for 14 h is not decided
        ann           | resolution_hours_mean_28d/90d/365d      | 36/40/42       | 24 and 48 h; 48 h; 48 h
        ann           | resolution_hours_total_28d/90d/365d     | 72/120/168     | the same hours, added up
        ann           | resolution_hours_worst_90d/365d         | 48/48          | the longest
        ann           | tickets_open_now                        | 1              | the ticket of 06-30
        ann           | oldest_open_ticket_days                 | 0.583          | 14 hours
        ann           | tickets_waiting_now                     | 1              | the ticket of 06-30
        ann           | waiting_so_far_days                     | 0.583          | 14 hours
        ann           | days_since_last_ticket                  | 0.583          | 14 hours
        ann           | tickets_before_90d                      | 1              | the ticket of February
        ann           | tickets_trend_90d                       | 0.60           | (4 - 1) / (4 + 1)
        ann           | agents_per_ticket_365d                  | 0.60           | 3 people, 5 tickets
        ann           | hand_overs_90d/365d                     | 3/3            | moe to kim, kim to lee, lee to kim
        ann           | high_priority_tickets_28d/90d/365d      | 2/2/2          | urgent and high
        ann           | high_priority_share_365d                | 0.40           | 2 of 5
        bob           | tickets_7d/28d/90d/365d                 | 0/0/0/0        | a count of nothing is 0
        bob           | first_response_hours_mean_365d          | -              | a mean of nothing is missing
        bob           | first_response_hours_total_365d         | 0              | a sum of nothing is 0
        bob           | first_response_hours_spread_365d        | -              | no spread under two values
        bob           | within_sla_share_365d                   | -              | no tickets
        bob           | oldest_open_ticket_days                 | -              | nothing is open
        bob           | waiting_so_far_days                     | -              | nobody waits
        bob           | days_since_last_ticket                  | -              | never, not 0 days ago
        bob           | high_priority_share_365d                | -              | a share of nothing is missing
        bob           | repeat_contacts_365d                    | 0              | nothing was repeated
        bob           | hand_overs_365d                         | 0              | nothing was handed over
        """,
    ),
    Case(
        title="The response target: met, missed and undecided",
        says="The target is a first response within `sla_hours`, 24 by default. It is missed when that time has passed without one; "
        "until then an unanswered ticket is undecided.",
        drawn="""
        tickets | opened_at        | first_response_at
        bea     | 2025-06-29T18:00 | -
        cal     | 2025-06-30T22:00 | -
        dan     | 2025-06-20T00:00 | 2025-06-20T01:00
        dan     | 2025-06-29T18:00 | -
        dan     | 2025-06-30T22:00 | -
        eve     | 2025-06-28T00:00 | 2025-06-29T00:00
        fox     | 2025-06-28T00:00 | 2025-06-29T00:00:00.000001

        at 2025-07-01 | feature              | value | because
        bea           | within_sla_share_28d | 0     | open for 30 h: 24 h are missed although nobody answered
        cal           | within_sla_share_28d | -     | open for 2 h: neither kept nor missed
        dan           | within_sla_share_28d | 0.50  | one kept, one missed, one undecided
        eve           | within_sla_share_28d | 1     | answered after 24 h to the microsecond: kept
        fox           | within_sla_share_28d | 0     | answered one microsecond later
        bea           | tickets_waiting_now  | 1     | still waiting
        bea           | waiting_so_far_days  | 1.25  | 30 hours
        dan           | tickets_waiting_now  | 2     | both open ones wait

        at 2025-06-30T18:00 | feature              | value | because
        bea                 | within_sla_share_28d | -     | 24 h pass at the cutoff itself: not yet broken

        at 2025-06-30T18:00:00.000001 | feature              | value | because
        bea                           | within_sla_share_28d | 0     | one microsecond later it is
        """,
    ),
    Case(
        title="Another target",
        says="The target is a setting.",
        settings={"sla_hours": 48},
        drawn="""
        tickets | opened_at        | first_response_at
        bea     | 2025-06-29T18:00 | -
        gil     | 2025-06-20T00:00 | 2025-06-21T18:00

        at 2025-07-01 | feature              | value | because
        bea           | within_sla_share_28d | -     | 30 h of 48
        gil           | within_sla_share_28d | 1     | 42 h are within 48
        """,
    ),
    Case(
        title="What is filled in later",
        says="A response and a resolution are known only after they happened; until then the ticket is waiting, and open.",
        drawn="""
        tickets | opened_at        | first_response_at | resolved_at
        hal     | 2025-06-20T00:00 | 2025-06-20T04:00  | 2025-07-01T00:00
        ivy     | 2025-06-20T00:00 | -                 | 2025-06-22T00:00

        at 2025-06-20T04:00 | feature                       | value | because
        hal                 | tickets_waiting_now           | 1     | the response is at the cutoff
        hal                 | first_response_hours_mean_28d | -     | not known yet

        at 2025-07-01 | feature                       | value | because
        hal           | tickets_waiting_now           | 0     | answered on 06-20
        hal           | first_response_hours_mean_28d | 4     | four hours
        hal           | tickets_open_now              | 1     | resolved at the cutoff: not known yet
        hal           | oldest_open_ticket_days       | 11    | open since 06-20
        hal           | resolution_hours_mean_28d     | -     | not known yet
        ivy           | tickets_waiting_now           | 0     | resolved without a noted response: nobody waits any more
        ivy           | first_response_hours_mean_28d | -     | no response was noted
        ivy           | within_sla_share_28d          | 0     | nothing happened within 24 h

        at 2025-07-02 | feature                   | value | because
        hal           | tickets_open_now          | 0     | resolved
        hal           | resolution_hours_mean_28d | 264   | eleven days
        hal           | oldest_open_ticket_days   | -     | nothing is open
        """,
    ),
    Case(
        title="Priority and category that may change",
        says="Unless they are declared `fixed`, priority and category show their last value: they are used from the resolution on.",
        drawn="""
        tickets | opened_at        | resolved_at      | priority | category
        jon     | 2025-06-01T00:00 | 2025-06-25T00:00 | high     | login
        jon     | 2025-06-05T00:00 | 2025-06-10T00:00 | low      | login

        at 2025-06-15 | feature                   | value | because
        jon           | tickets_28d               | 2     | both are open knowledge
        jon           | high_priority_tickets_28d | 0     | the priority of the first is not known before its resolution
        jon           | ticket_categories_90d     | 1     | the category of the second is known
        jon           | repeat_contacts_28d       | 0     | whether it repeats the first is not known: the first has no category yet

        at 2025-07-01 | feature                   | value | because
        jon           | high_priority_tickets_90d | 1     | resolved on 06-25
        jon           | repeat_contacts_28d       | 1     | both are known; the repetition happened on 06-05
        """,
    ),
    Case(
        title="Tickets and seats",
        says="Large customers open more tickets, but not per paid seat.",
        mapping={"subscriptions": {"fixed": ["seats"]}},
        drawn="""
        tickets | opened_at
        kim     | 2025-05-01T00:00
        kim     | 2025-06-20T00:00
        lou     | 2025-06-20T00:00

        subscriptions | started_at       | seats
        kim           | 2025-01-01T00:00 | 4

        at 2025-07-01 | feature                  | value    | because
        kim           | tickets_per_seat_28d/90d | 0.25/0.5 | one and two tickets, four seats
        lou           | tickets_per_seat_28d     | -        | no seats to divide by
        """,
    ),
    Case(
        title="Tickets and use",
        says="Features that combine two tables. Tickets that fall while usage falls are silence, not satisfaction.",
        drawn="""
        tickets | opened_at
        kai     | 2025-02-01T00:00
        kai     | 2025-02-02T00:00
        kai     | 2025-02-03T00:00
        kai     | 2025-06-20T00:00
        lea     | 2025-02-01T00:00

        usage | at               | user_id
        kai   | 2025-02-01T00:00 | u1
        kai   | 2025-02-02T00:00 | u1
        kai   | 2025-02-03T00:00 | u1
        kai   | 2025-06-20T00:00 | u1
        kai   | 2025-06-21T00:00 | u2
        lea   | 2025-06-20T00:00 | u1

        at 2025-07-01 | feature                          | value | because
        kai           | tickets_per_active_user_28d      | 0.50  | one ticket, two people
        kai           | silence_tickets_and_use_fall_90d | 0.20  | tickets fall by (1 - 3) / 4, use by (2 - 3) / 5: the smaller fall
        lea           | silence_tickets_and_use_fall_90d | 0     | tickets fall but use rises
        mia           | tickets_per_active_user_28d      | -     | nobody to divide by
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_features_are_as_drawn(case: Case) -> None:
    assert case.differences() == []
