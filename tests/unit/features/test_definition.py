from __future__ import annotations

import dataclasses
import math

import pytest

from staypower.errors import UsageError
from staypower.features.definition import COMBINATIONS, LEVERS, Combination, Feature, Filter, Template, expand


def feature(**changes) -> Feature:
    plain = {"name": "n", "table": "usage", "aggregation": "count", "unit": "", "description": "n", "lever": None}
    return Feature(**{**plain, **changes})


@pytest.mark.parametrize(
    ("changes", "problem", "fix"),
    [
        ({"name": "tickets_90d", "window": 28}, "does not contain the window", "call it `tickets_28d`"),
        ({"name": "tickets", "window": 28}, "does not contain the window", "call it `tickets_28d`"),
        ({"name": "tickets_28d"}, "contains a window but there is none", "call it `tickets`"),
        ({"name": "Tickets (new)"}, "not a feature name", "`tickets_new`"),
        ({"name": "7up"}, "not a feature name", "lower-case"),
        ({"aggregation": "cuont"}, "unknown aggregation", "write `count`"),
        ({"aggregation": "sum"}, "`sum` needs a column", "name the `column`"),
        ({"aggregation": "distinct"}, "`distinct` needs a column", "name the `column`"),
        ({"aggregation": "rate_slope"}, "`rate_slope` needs a window", "`window` in days"),
        (
            {"aggregation": "top_seen_since", "column": "user_id", "until": "ended_at"},
            "does not go with `until`",
            "leave out `until`",
        ),
        ({"name": "n_0d", "window": 0}, "window too short", "at least 1 day"),
        ({"lever": "suport"}, "unknown lever", "write `support`"),
        ({"direction": 2}, "not a direction", "write 1 (raises the risk)"),
    ],
)
def test_a_feature_that_contradicts_itself_is_refused(changes, problem, fix):
    with pytest.raises(UsageError) as caught:
        feature(**changes)
    assert problem in str(caught.value)
    assert fix in str(caught.value)


def test_a_feature_is_frozen_and_holds_no_date():
    made = feature()
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.name = "other"
    assert {field.name for field in dataclasses.fields(Feature)} & {"cutoff", "date", "at"} == set()
    assert feature() == made
    assert hash(feature()) == hash(made)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "ever"),
        ({"name": "n_28d", "window": 28}, "in the last 28 days"),
        ({"name": "n_28d", "window": 28, "offset": 28}, "in the 28 days before the last 28"),
        ({"until": "ended_at"}, "now"),
        ({"until": "ended_at", "offset": 90}, "as of 90 days earlier"),
    ],
)
def test_the_window_in_words(changes, words):
    assert feature(**changes).window_text == words


def test_columns_are_everything_that_is_read():
    made = feature(
        aggregation="sum", column="x", time="t", after="a", until="u", where=(Filter("x", ("1",)), Filter("y", ("2",)))
    )
    assert made.columns == ("x", "t", "a", "u", "y")


def test_the_aggregation_owns_the_empty_value():
    assert feature().empty == 0.0
    assert math.isnan(feature(aggregation="days_since_last").empty)


def test_a_filter_that_keeps_everything_is_refused():
    with pytest.raises(UsageError, match="keeps every row"):
        Filter("status")
    assert Filter("status", ("failed", "void")).text == "status is failed or void"
    assert Filter("n", at_least=2.0, below=5.5).text == "n at least 2 and below 5.5"
    assert Filter("n", below=0.0).text == "n below 0"


def test_a_combination_checks_itself():
    plain = {"name": "share", "inputs": ("a", "b"), "unit": "", "description": "share", "lever": None}
    with pytest.raises(UsageError, match="write `ratio`"):
        Combination(how="raito", **plain)
    with pytest.raises(UsageError, match="unknown lever"):
        Combination(how="ratio", **{**plain, "lever": "nobody"})
    with pytest.raises(UsageError, match="not a feature name"):
        Combination(how="ratio", **{**plain, "name": "A share"})
    assert Combination(how="difference", **plain).window_text == "a minus b"
    assert set(COMBINATIONS) == {"ratio", "change", "difference", "both_fall", "is_before"}
    assert len(LEVERS) == 8


def test_templates_are_made_for_each_window_between_their_bounds():
    share = Combination(name="share", how="ratio", inputs=("part", "whole!"), unit="", description="share", lever=None)
    made = expand([feature(name="fixed"), Template(feature(), shortest=28), Template(share, longest=7)], windows=(90, 7, 28))
    assert [one.name for one in made] == ["fixed", "n_28d", "n_90d", "share_7d"]
    assert made[1].window == 28
    # an input that ends in `!` has no window of its own
    assert made[3].inputs == ("part_7d", "whole")
