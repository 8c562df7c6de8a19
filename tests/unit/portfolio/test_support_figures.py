"""First response and SLA attainment, open tickets censored."""

from __future__ import annotations

import math

import numpy as np
import pytest

from staypower.portfolio.figures import censored_median

HEAD = "account_id,ticket_id,opened_at,first_response_at,resolved_at\n"


def test_hours_and_sla_attainment(measure, pick):
    text = HEAD + (
        "a,1,2025-02-03T10:00,2025-02-03T12:00,\n"  # 2 h
        "b,2,2025-02-03T10:00,2025-02-04T10:00,\n"  # 24 h: just in time
        "c,3,2025-02-03T10:00,2025-02-05T10:00,\n"  # 48 h
        "d,4,2025-02-03T10:00,,2025-02-03T16:00\n"  # resolved without a noted response: 6 h
    )
    found = measure({"tickets": text})
    assert pick(found, "first_response_hours_mean", "2025-02-01")["value"] == 20.0
    assert pick(found, "first_response_hours_median", "2025-02-01")["value"] == 6.0
    row = pick(found, "sla_attainment", "2025-02-01")
    assert (row["value"], row["n"], row["complete"]) == (0.75, 4, True)


def test_open_tickets_are_censored_not_dropped(measure, pick):
    text = HEAD + (
        "a,1,2025-02-26T00:00,2025-02-26T02:00,\n"
        "b,2,2025-02-26T00:00,,\n"  # waiting for 72 h when the data end: outside the SLA
        "c,3,2025-02-28T12:00,,\n"  # waits since 12 h: undecided
    )
    found = measure({"tickets": text}, until="2025-02-28")
    mean = pick(found, "first_response_hours_mean", "2025-02-01")
    assert mean["value"] == pytest.approx((2 + 72 + 12) / 3)
    assert mean["note"] == "a lower bound: 2 of 3 tickets not answered yet"
    assert not mean["complete"]
    sla = pick(found, "sla_attainment", "2025-02-01")
    assert (sla["value"], sla["n"]) == (0.5, 2)
    assert sla["note"] == "1 open ticket younger than 24 h not counted"
    median = pick(found, "first_response_hours_median", "2025-02-01")
    assert math.isnan(median["value"])
    assert median["note"] == "more than half not answered yet"


def test_no_tickets_and_times_without_a_clock(measure, pick):
    text = HEAD + "a,1,2025-02-03,2025-02-04,\na,2,2025-04-03,2025-04-03,\n"
    found = measure({"tickets": text})
    assert pick(found, "sla_attainment", "2025-03-01")["note"] == "no tickets"
    assert "whole days" in pick(found, "first_response_hours_mean", "2025-02-01")["note"]


def test_the_median_is_kaplan_and_meiers():
    # at risk 5, 4, 3, 2, 1; ended at 1, 3, 5: S = 4/5, 4/5 * 2/3, 0
    hours, answered = np.array([1.0, 2, 3, 4, 5]), np.array([True, False, True, False, True])
    assert censored_median(hours, answered) == 5.0
    assert math.isnan(censored_median(np.array([]), np.array([], dtype=bool)))
    # ten of twenty answered by 7 h: exactly half, whatever the rounding of the product
    assert censored_median(np.arange(20.0), np.ones(20, dtype=bool)) == 9.0
