"""The onboarding features, drawn: what goes in, and what must come out, worked out by hand."""

# ruff: noqa: E501 - drawn tables are as wide as what they hold
from __future__ import annotations

import pytest
from drawn_tables import Case

TITLE = "Onboarding"
INTRODUCTION = """\
How soon the first value was reached. Without key events in the settings these features are not built."""

CASES = [
    Case(
        title="Key events after sign-up",
        says="Days are counted from the sign-up; earlier events do not count.",
        settings={"key_events": ["invite", "publish"]},
        drawn="""
        accounts | signed_up_at
        eva      | 2025-06-01T00:00
        fay      | 2025-06-01T00:00
        gus      | 2025-06-01T00:00

        usage | at               | event
        eva   | 2025-06-01T10:00 | login
        eva   | 2025-06-03T12:00 | invite
        eva   | 2025-06-15T00:00 | publish
        eva   | 2025-06-20T00:00 | publish
        fay   | 2025-05-20T00:00 | invite
        fay   | 2025-06-10T00:00 | publish
        gus   | 2025-06-02T00:00 | login

        at 2025-07-01 | feature                     | value | because
        eva           | days_since_first_value      | 27.50 | since the invitation on 06-03 at noon
        eva           | days_to_first_value         | 2.50  | from 06-01 to 06-03 at noon
        eva           | key_events_in_first_14_days | 1     | the first publication came exactly 14 days after sign-up: too late
        eva           | key_events_in_first_30_days | 2     | invite and publish; the second publication is no different event
        fay           | days_since_first_value      | 42    | since 05-20, during the trial
        fay           | days_to_first_value         | 9     | the invitation came before sign-up, so the publication on 06-10 counts
        fay           | key_events_in_first_14_days | 1     | the invitation before sign-up does not count
        gus           | days_since_first_value      | -     | no key event was ever reached
        gus           | days_to_first_value         | -     | it is missing, not 0
        gus           | key_events_in_first_14_days | 0     | a count of nothing is 0
        gus           | key_events_in_first_30_days | 0     | a count of nothing is 0

        at 2025-06-03T12:00 | feature             | value | because
        eva                 | days_to_first_value | -     | the invitation is at the cutoff itself
        """,
    ),
    Case(
        title="Set-up",
        says="A completed set-up is known only after its instant.",
        drawn="""
        accounts | signed_up_at     | setup_completed_at
        hal      | 2025-06-01T00:00 | 2025-06-11T00:00
        ivy      | 2025-06-01T00:00 | 2025-05-30T00:00
        jon      | 2025-06-01T00:00 | -

        at 2025-06-11 | feature                    | value | because
        hal           | days_since_setup_completed | -     | completed at the cutoff: not yet known
        hal           | days_to_setup              | -     | not yet known

        at 2025-07-01 | feature                    | value | because
        hal           | days_since_setup_completed | 20    | from 06-11
        hal           | days_to_setup              | 10    | from 06-01 to 06-11
        ivy           | days_to_setup              | -     | completed before the sign-up: a duration cannot be negative
        jon           | days_since_setup_completed | -     | never completed is missing, never 0
        jon           | days_to_setup              | -     | never completed
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_features_are_as_drawn(case: Case) -> None:
    assert case.differences() == []
