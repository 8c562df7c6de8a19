"""The usage features, drawn: what goes in, and what must come out, worked out by hand."""

# ruff: noqa: E501 - drawn tables are as wide as what they hold
from __future__ import annotations

import pytest
from drawn_tables import Case

TITLE = "Usage"
INTRODUCTION = """\
How much the product is used, by how many, how steadily, and what is no longer used."""

CASES = [
    Case(
        title="What a window holds",
        says="A window of 7 days before 2025-07-01 is `[2025-06-24, 2025-07-01)`: its first instant counts, the cutoff does not.",
        drawn="""
        usage | at                         | event   | quantity | user_id | product
        ann   | 2025-07-01T00:00           | export  | 4        | u6      | core
        ann   | 2025-06-30T23:59:59.999999 | export  | 2        | u1      | core
        ann   | 2025-06-24T00:00           | report  | 3        | u2      | core
        ann   | 2025-06-23T23:59:59.999999 | export  | 5        | u1      | add-on
        ann   | 2025-06-03T00:00           | chat    | -        | u3      | core
        ann   | 2025-06-02T23:59:59.999999 | export  | 1        | u1      | core
        ann   | 2025-05-06T00:00           | report  | 1        | u4      | core
        ann   | 2025-05-05T23:59:59.999999 | report  | 1        | u5      | core
        ann   | 2025-04-02T00:00           | board   | 1        | u1      | core
        ann   | 2025-04-01T23:59:59.999999 | archive | 1        | u1      | lab
        ann   | 2025-01-02T00:00           | archive | 1        | u1      | lab
        ann   | 2025-01-01T23:59:59.999999 | archive | 1        | u1      | lab
        ann   | 2024-07-01T00:00           | archive | 1        | u1      | lab
        ann   | 2024-06-30T23:59:59.999999 | import  | 1        | u1      | lab

        at 2025-07-01 | feature                        | value      | because
        ann           | usage_events_7d/28d/90d/365d   | 2/4/8/12   | the use at the cutoff itself is not known yet; each window holds its first instant
        ann           | usage_quantity_7d/28d/90d/365d | 5/10/14/18 | a blank quantity adds nothing
        ann           | units_per_event_28d/90d        | 3.333/2    | 10 units in 3 uses that say how many; 14 in 7
        ann           | active_days_7d/28d/90d/365d    | 2/4/8/12   | every use but the one at the cutoff is on a day of its own
        ann           | active_users_7d/28d/90d/365d   | 2/3/5/5    | u6 used it at the cutoff only
        ann           | features_used_7d/28d/90d/365d  | 2/3/4/5    | export and report; chat; board; archive
        ann           | products_used_28d/90d/365d     | 2/2/3      | core and add-on; lab is older than 90 days
        ann           | features_used_ever             | 6          | import was used once, more than a year ago
        ann           | features_no_longer_used        | 2          | archive and import: used once, not in the last 90 days
        ann           | usage_before_28d               | 2          | 06-02 and 05-06 lie in the 28 days before the last 28
        ann           | usage_before_90d               | 2          | 04-01 and 01-02 lie in the 90 days before the last 90
        ann           | active_days_before_28d         | 2          | the same two days
        ann           | active_users_before_28d        | 2          | u1 and u4
        ann           | usage_trend_28d                | 0.333      | (4 - 2) / (4 + 2)
        ann           | usage_trend_90d                | 0.600      | (8 - 2) / (8 + 2)
        ann           | active_days_trend_28d          | 0.333      | (4 - 2) / (4 + 2)
        ann           | active_users_trend_28d         | 0.200      | (3 - 2) / (3 + 2)
        ann           | usage_recent_share_28d         | 0.500      | 4 of 8 uses of the last 90 days
        ann           | usage_recent_share_7d          | 0.500      | 2 of 4 uses of the last 28 days
        ann           | usage_recent_share_of_year     | 0.333      | 4 of 12 uses of the last 365 days
        ann           | events_per_active_user_28d     | 1.333      | 4 uses by 3 people
        ann           | days_since_last_use            | 0.00       | one microsecond before the cutoff
        ann           | days_since_first_use           | 365.00     | 365 days and one microsecond
        ann           | longest_silence_90d            | 34.00      | from 04-02 to the end of 05-05; what happened before the window is not looked at
        ann           | event_export_28d/90d           | 2/3        | a count for each of the commonest events
        ann           | event_archive_28d/90d          | 0/0        | an event that is not used any more
        ann           | days_since_event_export        | 0.00       | one microsecond before the cutoff
        ann           | days_since_event_import        | 365.00     | used once, long ago
        bob           | usage_events_7d/28d/90d/365d   | 0/0/0/0    | a count of nothing is 0
        bob           | usage_quantity_365d            | 0          | a sum of nothing is 0
        bob           | active_days_365d               | 0          | no day
        bob           | active_users_365d              | 0          | nobody
        bob           | days_since_last_use            | -          | what never happened is missing, never 0 days ago
        bob           | days_since_event_export        | -          | the same for one event
        bob           | longest_silence_90d            | -          | no use, no stretch to measure from
        bob           | usage_trend_28d                | 0          | nothing against nothing is no change
        bob           | usage_recent_share_28d         | -          | a share of nothing is missing
        bob           | usage_recent_share_of_year     | -          | the same
        bob           | units_per_event_28d            | -          | a mean of nothing is missing
        bob           | events_per_active_user_28d     | -          | nobody to divide by
        """,
    ),
    Case(
        title="Rhythm",
        says="Gaps are counted between UTC days with use. The current gap runs from the last use to the cutoff.",
        drawn="""
        usage | at               | event
        cleo  | 2025-06-01T12:00 | open
        cleo  | 2025-06-03T12:00 | open
        cleo  | 2025-06-07T12:00 | open
        cleo  | 2025-06-15T12:00 | open

        at 2025-07-01 | feature                         | value           | because
        cleo          | days_between_use_90d            | 4.667           | pauses of 2, 4 and 8 days: 14 / 3
        cleo          | irregularity_of_use_90d         | 3.055           | their standard deviation (n - 1): the root of 9.333
        cleo          | longest_silence_90d             | 15.50           | the stretch up to the cutoff is the longest
        cleo          | silence_against_own_rhythm_365d | 1.00            | all three pauses were shorter than the present 15.5 days
        cleo          | pause_in_use_over_usual_90d     | 3.321           | 15.5 / 4.667
        cleo          | weekend_share_28d/90d/365d      | 0.667/0.75/0.75 | Saturday 06-07 and Sunday 06-15 of three uses; Sunday 06-01 is older than 28 days
        cleo          | usage_slope_90d                 | 0.0415          | days 60, 62, 66, 74 of 0 to 89: 30 x (15.5 + 17.5 + 21.5 + 29.5) / 60742.5
        dan           | usage_slope_90d                 | 0               | no use is a level line
        dan           | days_between_use_90d            | -               | no pause to average
        dan           | irregularity_of_use_90d         | -               | no pauses, no spread
        dan           | weekend_share_28d               | -               | a mean of nothing is missing
        dan           | pause_in_use_over_usual_90d     | -               | neither pause is known
        dan           | silence_against_own_rhythm_365d | -               | no rhythm to compare with

        at 2025-06-19 | feature                         | value | because
        cleo          | silence_against_own_rhythm_365d | 0.333 | of the pauses 2, 4 and 8 only one is shorter than 3.5 days

        at 2025-06-03T12:00 | feature              | value | because
        cleo                | days_between_use_90d | -     | the second use is at the cutoff itself, so there is no pause yet
        """,
    ),
    Case(
        title="Dates without a clock",
        says="A date without a clock time is known at the end of its UTC day.",
        drawn="""
        usage | at         | event
        eva   | 2025-06-30 | open

        at 2025-06-30T23:59:59 | feature             | value | because
        eva                    | usage_events_7d     | 0     | the day is not over
        eva                    | days_since_last_use | -     | nothing is known of it

        at 2025-07-01 | feature             | value | because
        eva           | usage_events_7d     | 1     | date + 24 h is not after the cutoff
        eva           | days_since_last_use | 0.00  | counted from the end of the day
        """,
    ),
    Case(
        title="Rows that arrive late",
        says="With `known_at` a row is seen once it has arrived, and counts where it happened.",
        drawn="""
        usage | at               | known_at         | event
        finn  | 2025-06-20T10:00 | 2025-06-30T10:00 | open
        finn  | 2025-06-18T10:00 | 2025-06-18T10:00 | open

        at 2025-06-30T10:00 | feature          | value | because
        finn                | usage_events_28d | 1     | the other arrives at the cutoff, which is not before it

        at 2025-07-01 | feature             | value | because
        finn          | usage_events_7d/28d | 0/2   | it happened on 06-20, more than 7 days ago
        finn          | days_since_last_use | 10.58 | from 06-20 10:00
        """,
    ),
    Case(
        title="Seats",
        says="Paid seats come from the subscriptions that run at the cutoff.",
        mapping={"subscriptions": {"fixed": ["seats"]}},
        drawn="""
        usage | at               | user_id | event
        gil   | 2025-05-20T10:00 | u4      | open
        gil   | 2025-06-21T10:00 | u2      | open
        gil   | 2025-06-22T10:00 | u3      | open
        gil   | 2025-06-22T11:00 | u3      | save
        gil   | 2025-06-26T10:00 | u1      | open
        hal   | 2025-06-22T11:00 | u9      | open

        subscriptions | started_at       | seats
        gil           | 2025-01-01T00:00 | 3
        gil           | 2025-02-01T00:00 | 1

        at 2025-07-01 | feature                          | value         | because
        gil           | share_of_seats_active_7d/28d/90d | 0.25/0.75/1   | one, three and all of 3 + 1 seats
        gil           | usage_per_seat_7d/28d/90d        | 0.25/1/1.25   | 1, 4 and 5 events
        gil           | event_open_per_seat_28d          | 0.75          | 3 uses of `open`
        hal           | share_of_seats_active_28d        | -             | without seats there is no share
        hal           | usage_per_seat_28d               | -             | nor use per seat
        """,
    ),
    Case(
        title="Seats of the account",
        says="Where subscriptions have no seats, those of the account count.",
        mapping={"accounts": {"seats": "seats", "columns": {"seats": "number"}, "static": ["seats"]}},
        drawn="""
        accounts | seats
        kim      | 4

        usage | at               | user_id
        kim   | 2025-06-20T10:00 | u1
        kim   | 2025-06-21T10:00 | u2

        at 2025-07-01 | feature                   | value | because
        kim           | share_of_seats_active_28d | 0.5   | two of four seats
        kim           | usage_per_seat_28d        | 0.5   | two events
        """,
    ),
    Case(
        title="Self-service",
        says="Events that the settings name as self-service or forum use are counted together, whatever their case.",
        settings={"self_service_events": ["forum", "help centre"]},
        drawn="""
        usage | at               | event
        ida   | 2025-06-20T10:00 | Forum
        ida   | 2025-05-20T10:00 | help centre
        ida   | 2024-12-20T10:00 | forum
        ida   | 2025-06-20T10:00 | open

        at 2025-07-01 | feature                   | value | because
        ida           | self_service_28d/90d/365d | 1/2/3 | `open` is not self-service
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_features_are_as_drawn(case: Case) -> None:
    assert case.differences() == []
