"""Features of the user's own that combine two others by name."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_tables import Case

from staypower.cutoffs import instant_of
from staypower.errors import UsageError
from staypower.features.builder import build_matrix, combine
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.features.definition import Combination
from staypower.features.settings import FeatureSettings
from staypower.tables import Tables

CUTOFF = instant_of("2025-07-01")
DRAWN = """
accounts | plan_limit | plan
ann      | 4          | pro
bob      | 0          | pro
cid      | -          | basic

usage | at         | event
ann   | 2025-06-20 | save
ann   | 2025-06-21 | save
ann   | 2025-05-20 | save
bob   | 2025-06-20 | open
cid   | 2025-06-20 | open
"""


def company(**mapping: object) -> Tables:
    return Case(title="own", says="", drawn=DRAWN, mapping={"accounts": {"static": ["plan_limit", "plan"], **mapping}}).tables()


def declared(*own: dict, **settings: object) -> Catalogue:
    plain = [{"says": "x", **one} for one in own]
    return declare(company(), FeatureSettings.model_validate({"own": plain, "rare": 1, **settings}), cutoff=CUTOFF)


def values(*own: dict, **settings: object) -> dict[str, list[float]]:
    catalogue = declared(*own, **settings)
    matrix = build_matrix(company(), catalogue, accounts=["ann", "bob", "cid"], cutoffs=np.array([CUTOFF]))
    return {one["name"]: matrix.features[one["name"]].tolist() for one in own}


def same(found: list[float], wanted: list[float]) -> bool:
    return np.array_equal(np.array(found), np.array(wanted), equal_nan=True)


def test_they_divide_subtract_and_compare_features_by_name():
    pair = ["usage_events_28d", "account_plan_limit"]
    found = values(
        {"name": "use_vs_limit", "ratio": pair},
        {"name": "left_of_limit", "difference": pair},
        {"name": "over_limit", "change": pair},
    )
    # a limit of 0 divides nothing, and a limit that is not recorded compares nothing
    assert same(found["use_vs_limit"], [0.5, np.nan, np.nan])
    assert same(found["left_of_limit"], [-2.0, 1.0, np.nan])
    assert same(found["over_limit"], [-1 / 3, 1.0, np.nan])


def test_one_may_build_on_another_in_any_order_and_on_what_is_left_out():
    found = values(
        {"name": "twice", "ratio": ["once", "usage_events_90d"]},
        {"name": "once", "ratio": ["usage_events_28d", "account_plan_limit"]},
        leave_out=["usage_events_*", "once_*"],
    )
    assert same(found["twice"], [0.5 / 3, np.nan, np.nan])


def test_windows_make_one_each_of_the_inputs_that_have_them():
    own = {"name": "use_vs_limit", "ratio": ["usage_events", "account_plan_limit"], "windows": [28, 90]}
    catalogue = declared(own)
    assert [catalogue[f"use_vs_limit_{days}d"].inputs for days in (28, 90)] == [
        ("usage_events_28d", "account_plan_limit"),
        ("usage_events_90d", "account_plan_limit"),
    ]


@pytest.mark.parametrize(
    ("own", "fix"),
    [
        ({"ratio": ["usage_event_28d", "account_plan_limit"]}, "write `usage_events_28d`"),
        ({"ratio": ["usage_events_28d", "account_plan_limits"]}, "write `account_plan_limit`"),
        ({"ratio": ["usage_events_28d", "account_plan"]}, "name a feature that is a number"),
    ],
)
def test_names_that_cannot_be_meant_are_refused_with_the_nearest(own, fix):
    with pytest.raises(UsageError, match=fix):
        declared({"name": "made", **own})


def test_problems_come_all_at_once_and_none_follows_from_another():
    with pytest.raises(UsageError) as caught:
        declared(
            {"name": "saves", "table": "usage", "aggregation": "cuont"},
            {"name": "made", "ratio": ["saves", "accuont_plan_limit"]},
        )
    assert len(caught.value.problems) == 2


def test_circles_are_refused():
    with pytest.raises(UsageError, match="need each other: one, two"):
        declared({"name": "one", "ratio": ["two", "usage_events_28d"]}, {"name": "two", "ratio": ["one", "usage_events_28d"]})
    with pytest.raises(UsageError, match="need each other"):
        declared({"name": "one", "ratio": ["one", "usage_events_28d"]})


def test_what_the_tables_do_not_allow_is_left_out_and_said():
    catalogue = declared({"name": "made", "ratio": ["tickets_28d", "usage_events_28d"]})
    assert catalogue.left_out["made"] == "needs tickets_28d"
    # an event that no row holds yet at this cutoff is no typing error
    catalogue = declared({"name": "made", "ratio": ["event_export_28d", "usage_events_28d"]})
    assert catalogue.left_out["made"] == "needs event_export_28d"


def test_sensitive_attributes_stay_out_of_combinations():
    own = {"name": "made", "ratio": ["usage_events_28d", "account_plan_limit"]}
    with pytest.raises(UsageError, match="sensitive attribute"):
        declared(own, sensitive=["plan_limit"])


def test_a_change_stays_between_minus_one_and_one_below_zero_too():
    made = Combination(name="made", how="change", inputs=("a", "b"), unit="", description="made", lever=None)
    found = combine(made, np.array([-3.0, 2.0, 0.0, 5.0]), np.array([1.0, -2.0, 0.0, 4.0]))
    assert found.tolist() == [-1.0, 1.0, 0.0, 1 / 9]
