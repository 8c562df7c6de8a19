"""The surveys features, drawn: what goes in, and what must come out, worked out by hand."""

# ruff: noqa: E501 - drawn tables are as wide as what they hold
from __future__ import annotations

import pytest
from drawn_tables import Case

TITLE = "Surveys"
INTRODUCTION = """\
What customers answered, on a common 0-1 scale on which 1 is best, and what they left unanswered. An undeclared scale is refused when the tables are read."""

CASES = [
    Case(
        title="NPS",
        says="Bands are 0-6 (detractor), 7-8 (passive), 9-10 (promoter). An answer is known once it is given.",
        drawn="""
        surveys | sent_at          | answered_at      | instrument | value | scale | respondent_id
        ann     | 2024-09-01T00:00 | 2024-09-03T00:00 | nps        | 9     | 0-10  | r1
        ann     | 2025-01-01T00:00 | 2025-01-03T00:00 | nps        | 7     | 0-10  | r2
        ann     | 2025-05-01T00:00 | 2025-05-03T00:00 | nps        | 3     | 0-10  | r1
        ann     | 2025-06-20T00:00 | 2025-07-01T00:00 | nps        | 10    | 0-10  | r3

        at 2025-07-01 | feature                       | value     | because
        ann           | nps_last                      | 0.3       | the answer of 05-03; the 10 is given at the cutoff
        ann           | nps_worst_365d                | 0.3       | the lowest of 0.9, 0.7 and 0.3
        ann           | nps_mean_90d/365d             | 0.3/0.633 | only 05-03; all three
        ann           | nps_trend_365d                | -0.0743   | least squares over days 0, 122 and 242: -72.53 / 29282.7 x 30
        ann           | nps_spread_365d               | 0.306     | the root of 0.1867 / 2
        ann           | nps_answers_365d              | 3         | three are known
        ann           | days_since_nps                | 59        | from 05-03
        ann           | nps_detractor_last            | 1         | 3 is a detractor's
        ann           | nps_promoter_last             | 0         | 3 is not a promoter's
        ann           | nps_detractor_share_365d      | 0.333     | one of three
        ann           | surveys_sent_90d/365d         | 2/4       | by the invitation
        ann           | surveys_answered_90d/365d     | 1/3       | the answer at the cutoff is not known yet
        ann           | survey_response_rate_90d/365d | 0.50/0.75 | 1 of 2; 3 of 4
        ann           | surveys_unanswered_in_a_row   | 1         | the invitation of 06-20
        ann           | days_since_last_answer        | 59        | from 05-03
        ann           | survey_respondents_365d       | 2         | r1 and r2
        ann           | disagreement_365d             | 0.306     | the spread of all answers
        bob           | nps_last                      | -         | silence is missing, never a neutral answer
        bob           | nps_mean_365d                 | -         | a mean of nothing is missing
        bob           | nps_detractor_last            | -         | no band without an answer
        bob           | nps_answers_365d              | 0         | a count of nothing is 0
        bob           | surveys_sent_365d             | 0         | never asked
        bob           | survey_response_rate_365d     | -         | never asked is not the same as never answered
        bob           | surveys_unanswered_in_a_row   | 0         | nothing was left unanswered
        bob           | days_since_last_answer        | -         | never, not 0 days ago

        at 2025-07-02 | feature                     | value | because
        ann           | nps_last                    | 1     | the 10 is known now
        ann           | nps_promoter_last           | 1     | a promoter's
        ann           | surveys_answered_90d        | 2     | both invitations are answered
        ann           | surveys_unanswered_in_a_row | 0     | the last one is answered
        """,
    ),
    Case(
        title="NPS asked from 1 to 10",
        says="On a 1-10 scale the bands are 1-6, 7-8 and 9-10, and 1 is the lowest answer.",
        drawn="""
        surveys | answered_at      | instrument | value | scale
        cal     | 2025-06-01T00:00 | nps        | 6     | 1-10
        dan     | 2025-06-01T00:00 | nps        | 7     | 1-10
        eve     | 2025-06-01T00:00 | nps        | 9     | 1-10

        at 2025-07-01 | feature            | value | because
        cal           | nps_last           | 0.556 | (6 - 1) / 9
        cal           | nps_detractor_last | 1     | 6 is a detractor's
        dan           | nps_detractor_last | 0     | 7 is not
        dan           | nps_promoter_last  | 0     | nor a promoter's
        eve           | nps_promoter_last  | 1     | 9 is
        """,
    ),
    Case(
        title="CSAT, and the two directions of CES",
        says="CES 1.0 asks how much effort it was (low is good), CES 2.0 how easy (high is good). Both are scaled "
        "to 1 for the best answer, and never pooled.",
        drawn="""
        surveys | answered_at      | instrument | value | scale
        fay     | 2025-03-01T00:00 | ces1       | 1     | 1-5
        fay     | 2025-04-01T00:00 | ces1       | 3     | 1-5
        fay     | 2025-06-01T00:00 | ces1       | 5     | 1-5
        fay     | 2025-03-01T00:00 | ces2       | 7     | 1-7
        fay     | 2025-04-01T00:00 | ces2       | 4     | 1-7
        fay     | 2025-06-01T00:00 | ces2       | 1     | 1-7
        fay     | 2025-03-01T00:00 | csat       | 5     | 1-5
        fay     | 2025-04-01T00:00 | csat       | 4     | 1-5
        fay     | 2025-06-01T00:00 | csat       | 1     | 1-5

        at 2025-07-01 | feature            | value   | because
        fay           | ces1_last          | 0       | 5 is the greatest effort
        fay           | ces1_worst_365d    | 0       | the same answer
        fay           | ces1_mean_90d/365d | 0/0.50  | 06-01 alone; 1, 0.5 and 0
        fay           | ces1_trend_365d    | -0.315  | -46 / 4382 x 30: it became harder
        fay           | ces1_spread_365d   | 0.50    | of 1, 0.5 and 0
        fay           | ces1_answers_365d  | 3       | three answers
        fay           | days_since_ces1    | 30      | from 06-01
        fay           | ces2_last          | 0       | 1 is the least ease
        fay           | ces2_worst_365d    | 0       | the same answer
        fay           | ces2_mean_90d/365d | 0/0.50  | the same story as CES 1.0
        fay           | ces2_trend_365d    | -0.315  | the same story
        fay           | ces2_spread_365d   | 0.50    | the same story
        fay           | ces2_answers_365d  | 3       | counted apart from CES 1.0
        fay           | days_since_ces2    | 30      | from 06-01
        fay           | csat_last          | 0       | (1 - 1) / 4
        fay           | csat_worst_365d    | 0       | the same answer
        fay           | csat_mean_90d/365d | 0/0.583 | 06-01 alone; 1, 0.75 and 0
        fay           | csat_trend_365d    | -0.332  | -48.5 / 4382 x 30
        fay           | csat_spread_365d   | 0.520   | the root of 0.5417 / 2
        fay           | csat_answers_365d  | 3       | three answers
        fay           | days_since_csat    | 30      | from 06-01
        """,
    ),
    Case(
        title="A direction of its own",
        says="Where the direction differs from the instrument's usual one it is declared.",
        mapping={"surveys": {"direction": "lower"}},
        drawn="""
        surveys | answered_at      | instrument | value | scale
        gus     | 2025-06-01T00:00 | csat       | 2     | 1-5

        at 2025-07-01 | feature   | value | because
        gus           | csat_last | 0.75  | 1 is best here: 1 - (2 - 1) / 4
        """,
    ),
    Case(
        title="Unanswered in a row",
        says="Counted from the latest invitation back to the last one that had been answered by the cutoff.",
        drawn="""
        surveys | sent_at          | answered_at      | instrument | value | scale
        hal     | 2025-03-01T00:00 | 2025-03-02T00:00 | nps        | 8     | 0-10
        hal     | 2025-04-01T00:00 | -                | nps        | -     | 0-10
        hal     | 2025-05-01T00:00 | -                | nps        | -     | 0-10
        hal     | 2025-06-01T00:00 | 2025-07-05T00:00 | nps        | 2     | 0-10

        at 2025-07-01 | feature                     | value | because
        hal           | surveys_unanswered_in_a_row | 3     | April, May and June; the June answer comes after the cutoff
        hal           | nps_last                    | 0.8   | the answer of March
        hal           | survey_response_rate_365d   | 0.25  | one of four
        hal           | days_since_last_answer      | 121   | from 03-02

        at 2025-07-06 | feature                     | value | because
        hal           | surveys_unanswered_in_a_row | 0     | the latest invitation is answered now
        hal           | survey_response_rate_365d   | 0.50  | two of four
        """,
    ),
    Case(
        title="Touchpoints, and satisfaction after slow tickets",
        says="A ticket is slow when its target had been missed by the time the customer answered.",
        drawn="""
        tickets | ticket_id | opened_at        | first_response_at
        ivy     | t1        | 2025-06-01T00:00 | 2025-06-02T06:00
        ivy     | t2        | 2025-06-10T00:00 | 2025-06-10T02:00
        ivy     | t3        | 2025-06-20T00:00 | -
        ivy     | t4        | 2025-06-25T00:00 | 2025-06-27T00:00

        surveys | answered_at      | instrument | value | scale | touchpoint      | ticket_id
        ivy     | 2025-06-03T00:00 | csat       | 2     | 1-5   | ticket          | t1
        ivy     | 2025-06-11T00:00 | csat       | 5     | 1-5   | ticket          | t2
        ivy     | 2025-06-22T00:00 | csat       | 1     | 1-5   | ticket          | t3
        ivy     | 2025-06-25T12:00 | csat       | 3     | 1-5   | ticket          | t4
        ivy     | 2025-06-23T00:00 | csat       | 4     | 1-5   | Onboarding call | -

        at 2025-07-01 | feature                      | value  | because
        ivy           | csat_after_slow_ticket_365d  | 0.125  | t1 (0.25) took 30 h, t3 (0) had waited 48 h; t4 was not late yet when the customer answered
        ivy           | csat_at_ticket_365d          | 0.4375 | 0.25, 1, 0 and 0.5
        ivy           | csat_at_onboarding_call_365d | 0.75   | (4 - 1) / 4
        jon           | csat_after_slow_ticket_365d  | -      | nobody answered
        jon           | csat_at_ticket_365d          | -      | a mean of nothing is missing
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_features_are_as_drawn(case: Case) -> None:
    assert case.differences() == []
