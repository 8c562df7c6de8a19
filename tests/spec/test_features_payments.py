"""The payments features, drawn: what goes in, and what must come out, worked out by hand."""

# ruff: noqa: E501 - drawn tables are as wide as what they hold
from __future__ import annotations

import pytest
from drawn_tables import Case

TITLE = "Payments"
INTRODUCTION = """\
What was paid, what failed, and whether it was recovered."""

CASES = [
    Case(
        title="Failed and recovered",
        says="A failed payment is recovered by the account's next payment that goes through.",
        mapping={"subscriptions": {"fixed": ["renews_at"]}},
        drawn="""
        payments | at               | amount | status   | refunded_at      | method_expires_at
        ann      | 2025-01-10T00:00 | 49     | failed   | -                | 2025-02-01T00:00
        ann      | 2025-01-12T00:00 | 49     | paid     | -                | 2025-12-01T00:00
        ann      | 2025-04-10T00:00 | 49     | refunded | 2025-06-15T00:00 | 2025-12-01T00:00
        ann      | 2025-06-25T00:00 | 49     | failed   | -                | 2025-07-10T00:00
        ann      | 2025-06-27T00:00 | 49     | paid     | -                | 2025-07-10T00:00
        ann      | 2025-06-30T00:00 | 20     | failed   | -                | 2025-07-10T00:00
        ann      | 2025-07-01T00:00 | 20     | paid     | -                | 2026-07-10T00:00
        bob      | 2025-06-30T00:00 | 20     | paid     | -                | 2025-08-01T00:00

        subscriptions | started_at       | renews_at
        ann           | 2025-01-01T00:00 | 2025-07-16T00:00
        bob           | 2025-01-01T00:00 | 2025-07-16T00:00

        at 2025-07-01 | feature                       | value     | because
        ann           | payments_failed_28d/90d/365d  | 2/2/3     | 06-25 and 06-30; 01-10
        ann           | payments_365d                 | 6         | all but the one at the cutoff
        ann           | payments_failed_share_365d    | 0.5       | 3 of 6
        ann           | payments_recovered_90d/365d   | 1/2       | on 06-27; on 01-12; the payment at the cutoff is not known yet
        ann           | payments_failed_open_now      | 1         | that of 06-30
        ann           | amount_paid_28d/90d/365d      | 49/98/147 | a payment refunded later had gone through
        ann           | days_since_failed_payment     | 1         | from 06-30
        ann           | days_since_last_payment       | 1         | the failed attempt counts
        ann           | refunds_90d/365d              | 1/1       | on 06-15
        ann           | days_to_method_expiry         | 9         | the latest row says 07-10
        ann           | method_expires_before_renewal | 1         | 07-10 comes before the renewal on 07-16
        bob           | payments_failed_28d/90d/365d  | 0/0/0     | a count of nothing is 0
        bob           | payments_failed_share_365d    | 0         | 0 of 1
        bob           | payments_failed_open_now      | 0         | nothing is open
        bob           | days_since_failed_payment     | -         | never, not 0 days ago
        bob           | days_to_method_expiry         | 31        | 08-01
        bob           | method_expires_before_renewal | 0         | 07-16 comes first
        cal           | amount_paid_365d              | 0         | a sum of nothing is 0
        cal           | payments_365d                 | 0         | a count of nothing is 0
        cal           | payments_failed_share_365d    | -         | a share of nothing is missing
        cal           | days_since_last_payment       | -         | never paid
        cal           | days_to_method_expiry         | -         | no method is known
        cal           | method_expires_before_renewal | -         | neither is known, so there is no answer

        at 2025-06-15 | feature         | value | because
        ann           | refunds_90d     | 0     | refunded at the cutoff: not known yet
        ann           | amount_paid_90d | 49    | paid on 04-10

        at 2025-07-02 | feature                       | value | because
        ann           | payments_failed_open_now      | 0     | made good on 07-01
        ann           | payments_recovered_90d        | 2     | on 06-27 and 07-01
        ann           | method_expires_before_renewal | 0     | the new method expires in 2026
        """,
    ),
    Case(
        title="One payment makes good several attempts",
        says="A payment that goes through recovers every failed attempt of the account before it.",
        drawn="""
        payments | at               | amount | status
        dan      | 2025-06-01T00:00 | 10     | failed
        dan      | 2025-06-03T00:00 | 10     | failed
        dan      | 2025-06-05T00:00 | 10     | paid
        eve      | 2025-06-01T00:00 | 10     | failed
        fay      | 2025-06-05T00:00 | 10     | paid

        at 2025-07-01 | feature                  | value | because
        dan           | payments_recovered_90d   | 2     | both attempts
        dan           | payments_failed_open_now | 0     | nothing is left
        dan           | amount_paid_90d          | 10    | failed attempts are not paid
        eve           | payments_recovered_90d   | 0     | only fay paid
        eve           | payments_failed_open_now | 1     | still open
        """,
    ),
    Case(
        title="No status is given",
        says="Then every payment went through.",
        drawn="""
        payments | at               | amount
        cleo     | 2025-05-20T00:00 | 20
        cleo     | 2025-06-20T00:00 | 30

        at 2025-07-01 | feature             | value | because
        cleo          | amount_paid_28d/90d | 30/50 | both
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_features_are_as_drawn(case: Case) -> None:
    assert case.differences() == []
