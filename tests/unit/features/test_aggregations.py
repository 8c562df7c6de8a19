from __future__ import annotations

import math

import pytest

from staypower.features.aggregations import AGGREGATIONS
from staypower.features.kernel import EXTREMES, GAPS, TIMES
from staypower.features.parts import LAST
from staypower.features.renewals import RENEWALS


def test_only_counts_and_sums_of_nothing_are_zero():
    zero = {name for name, how in AGGREGATIONS.items() if how.empty == 0}
    assert zero == {
        "count",
        "sum",
        "distinct",
        "active_days",
        "unanswered_in_a_row",
        "rate_slope",
        "renewals_due",
        "amount_due",
    }
    assert all(math.isnan(how.empty) for name, how in AGGREGATIONS.items() if name not in zero)


def test_every_aggregation_has_its_routine_and_no_other():
    answered = {"count", "sum", "mean", "distinct", "active_days", "spread", "trend", "unanswered_in_a_row"}
    answered |= {"top_share", "top_seen_since"}
    assert set(AGGREGATIONS) == answered | {*LAST, *EXTREMES, *GAPS, *TIMES, *RENEWALS}
    assert {name for name, how in AGGREGATIONS.items() if how.kernel == "additive"} == {"count", "sum", "mean"}
    # what one routine answers it tells apart
    for numbered in (TIMES, GAPS, RENEWALS):
        assert len(set(numbered.values())) == len(numbered)
    assert EXTREMES["minimum"] == EXTREMES["days_until_next"] != EXTREMES["maximum"]


def test_the_registry_cannot_be_changed():
    with pytest.raises(TypeError):
        AGGREGATIONS["median"] = AGGREGATIONS["mean"]


def test_every_meaning_is_said():
    assert all(len(how.meaning) > 10 and not how.meaning.endswith(".") for how in AGGREGATIONS.values())
