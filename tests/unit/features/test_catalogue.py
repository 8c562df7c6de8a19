from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from drawn_tables import Case

from staypower.cutoffs import instant_of
from staypower.errors import UsageError
from staypower.features.builder import build_matrix
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.features.definition import Combination, Feature, slug_of
from staypower.features.families.surveys import SURVEYS, instrument_features, tells_answers, touchpoint_feature
from staypower.features.settings import FeatureSettings
from staypower.tables import Tables

CUTOFF = instant_of("2025-07-01")


def tables(drawn: str, **mapping: dict) -> Tables:
    return Case(title="", says="", drawn=drawn, mapping=mapping).tables()


def declared(drawn: str | Tables, cutoff: int = CUTOFF, hidden: tuple[str, ...] = (), **settings) -> Catalogue:
    given = drawn if isinstance(drawn, Tables) else tables(drawn)
    return declare(given, FeatureSettings.model_validate(settings), cutoff=cutoff, hidden=hidden)


USAGE = """
usage | at               | event
a     | 2025-06-01T10:00 | open
a     | 2025-06-02T10:00 | open
a     | 2025-06-02T11:00 | save
"""


def test_what_the_tables_lack_is_not_built_and_said():
    catalogue = declared(USAGE)
    assert "usage_events_28d" in catalogue.names
    assert catalogue.left_out["active_users_28d"] == "no usable column `usage.user_id`"
    assert catalogue.left_out["tickets_28d"] == "no table `tickets`"
    assert catalogue.left_out["returns_90d"] == "no table `orders`"
    assert catalogue.left_out["events_per_active_user_28d"] == "needs active_users_28d"
    assert not set(catalogue.names) & set(catalogue.left_out)


def test_a_column_that_may_change_is_no_usable_column_unless_fixed():
    drawn = "subscriptions | started_at | mrr\na | 2025-01-01 | 10"
    assert declared(drawn).left_out["mrr_now"] == "no usable column `subscriptions.mrr`"
    assert "mrr_now" in declared(tables(drawn, subscriptions={"fixed": ["mrr"]})).names


def test_windows_are_a_setting():
    catalogue = declared(USAGE, windows=(60, 14))
    assert {"usage_events_14d", "usage_events_60d"} <= set(catalogue.names)
    assert "usage_events_28d" not in catalogue.names
    assert catalogue.left_out["usage_trend_28d"] == "needs usage_events_28d"


def test_top_events_are_learned_before_the_cutoff_only():
    """A later burst of another event changes neither the events nor their order."""
    burst = USAGE + "".join(f"a     | 2025-07-0{1 + n % 3}T00:00:0{n} | late\n" for n in range(9))
    before, after = declared(USAGE, top_events=2), declared(burst, top_events=2)
    assert after.names == before.names
    assert "event_open_28d" in after.names
    assert not [name for name in after.names if "late" in name]
    assert "event_late_28d" in declared(burst, cutoff=instant_of("2025-08-01"), top_events=2).names


def test_an_event_at_the_cutoff_is_not_learned_from():
    drawn = "usage | at | event\na | 2025-07-01T00:00 | edge\na | 2025-06-30T23:59:59.999999 | last"
    assert [name for name in declared(drawn).names if name.startswith("event_")] == ["event_last_28d", "event_last_90d"]


def test_rows_that_arrive_later_are_not_learned_from():
    drawn = "usage | at | known_at | event\na | 2025-06-01 | 2025-07-02 | late\na | 2025-06-02 | 2025-06-02 | open"
    names = declared(drawn).names
    assert "event_open_28d" in names
    assert "event_late_28d" not in names


def test_codes_are_learned_before_the_cutoff_only():
    drawn = """
accounts | valid_from | plan
a        | 2025-01-01 | basic
b        | 2025-01-01 | basic
c        | 2025-01-01 | pro
a        | 2025-07-02 | new
b        | 2025-07-02 | new
c        | 2025-07-02 | new
"""
    catalogue = declared(drawn, rare=1)
    assert catalogue.codes["account_plan"] == {"basic": 1, "pro": 2}
    assert catalogue.text_of("account_plan", 2.0) == "pro"
    assert catalogue.text_of("account_plan", 0.0) == "other"
    assert declared(drawn, rare=2).codes["account_plan"] == {"basic": 1}


def test_what_is_rare_does_not_depend_on_accounts_that_come_later():
    early = [f"a{n} | 2025-01-01T10:00 | {'odd' if n < 2 else 'usual'}" for n in range(10)]
    late = [f"z{n} | 2025-08-01T10:00 | usual" for n in range(900)]
    head = "accounts | valid_from | plan\n"
    alone = declared(head + "\n".join(early), rare=20)
    crowded = declared(head + "\n".join(early + late), rare=20)
    assert alone.codes == crowded.codes == {"account_plan": {"usual": 1, "odd": 2}}


def test_attributes_that_tell_the_outcome_are_hidden():
    given = tables("accounts | region | plan\na | north | pro", accounts={"region": "region", "static": ["region", "plan"]})
    assert {"account_region", "account_plan"} <= set(declared(given).names)
    assert "account_region" not in declared(given, hidden=("region",)).names


def test_a_table_that_tells_the_outcome_is_hidden():
    catalogue = declared(USAGE + "\ntickets | opened_at\na | 2025-06-01", hidden=("tickets",))
    assert catalogue.left_out["tickets_28d"] == "no table `tickets`"


def test_leave_out_takes_names_and_beginnings_and_keeps_what_is_needed():
    catalogue = declared(USAGE, leave_out=("usage_events_*", "days_since_last_use"))
    assert not [name for name in catalogue.names if name.startswith("usage_events_")]
    assert "days_since_last_use" not in catalogue.names
    assert catalogue.left_out["usage_events_28d"] == "left out by the settings"
    assert "usage_trend_28d" in catalogue.names
    assert {"usage_events_28d", "usage_events_90d", "days_since_last_use"} <= {one.name for one in catalogue.helpers}


def test_families_can_be_chosen():
    both = USAGE + "\ntickets | opened_at\na | 2025-06-01"
    assert "usage_events_28d" not in declared(both, families=("support",)).names
    with pytest.raises(UsageError, match="write `support`"):
        declared(both, families=("suport",))


def test_outreach_is_built_only_when_asked_for():
    drawn = "outreach | at\na | 2025-06-01"
    assert "outreach_28d" not in declared(drawn).names
    assert "outreach_28d" in declared(drawn, outreach=True).names


def test_own_features_are_built_beside_the_others():
    own = {"name": "saves", "table": "usage", "aggregation": "count", "windows": [7, 28], "description": "saves"}
    own["filter"] = {"column": "event", "is": "save"}
    catalogue = declared(USAGE, own=[own])
    assert catalogue.names[-2:] == ("saves_7d", "saves_28d")
    assert catalogue["saves_28d"].where[0].values == ("save",)


def test_problems_of_own_features_come_all_at_once():
    def own(**changes):
        return {"name": "x", "table": "usage", "aggregation": "count", "description": "x", **changes}

    wrong = [own(table="usgae"), own(aggregation="cont"), own(column="evnet", aggregation="distinct"), own(lever="value!")]
    with pytest.raises(UsageError) as caught:
        declared(USAGE, own=wrong)
    assert len(caught.value.problems) == 4
    for fix in ("write `usage`", "write `count`", "write `event`", "write `value`"):
        assert fix in str(caught.value)


def test_two_features_of_one_name_are_refused():
    own = {"name": "usage_events", "table": "usage", "aggregation": "count", "windows": [28], "description": "x"}
    with pytest.raises(UsageError, match=r"two features with the same name: usage_events_28d.*rename"):
        declared(USAGE, own=[own])


def test_a_circle_of_combinations_is_refused():
    def one(name: str, needs: str) -> Combination:
        return Combination(name=name, how="ratio", inputs=(needs, needs), unit="", description=name, lever=None)

    with pytest.raises(UsageError, match="need each other"):
        _ = Catalogue(FeatureSettings(), (one("a", "b"), one("b", "a"))).everything


def test_it_survives_json():
    drawn = USAGE + "\ntickets | opened_at | first_response_at\na | 2025-06-01T10:00 | -"
    given = tables(drawn + "\n\naccounts | plan\na | pro", accounts={"static": ["plan"]})
    own = [
        {
            "name": "saves",
            "table": "usage",
            "aggregation": "count",
            "description": "s",
            "filter": {"column": "event", "is": "save"},
        }
    ]
    catalogue = declared(given, rare=1, own=own, leave_out=("usage_events_*",))
    again = Catalogue.from_dict(json.loads(json.dumps(catalogue.to_dict())))
    assert again.definitions == catalogue.definitions
    assert again.helpers == catalogue.helpers
    assert again.codes == catalogue.codes
    assert again.settings == catalogue.settings
    first, second = (build_matrix(given, one, accounts=["a"], cutoffs=np.array([CUTOFF])) for one in (catalogue, again))
    assert first.features.equals(second.features)


def test_only_keeps_what_combinations_need():
    drawn = USAGE + "\ntickets | opened_at\na | 2025-06-01T10:00"
    drawn = (
        drawn.replace("06-0", "06-1")
        .replace("event\n", "event | user_id\n")
        .replace("open\n", "open | u\n")
        .replace("save\n", "save | u\n")
    )
    given = tables(drawn)
    whole = declared(given)
    few = whole.only(["tickets_per_active_user_28d", "silence_tickets_and_use_fall_90d"])
    assert few.names == ("tickets_per_active_user_28d", "silence_tickets_and_use_fall_90d")
    assert {"tickets_28d", "active_users_28d", "tickets_trend_90d", "usage_before_90d"} <= {one.name for one in few.helpers}
    # both tables are read although only combinations are asked for
    made = [build_matrix(given, one, accounts=["a"], cutoffs=np.array([CUTOFF])).features for one in (whole, few)]
    assert made[0][list(few.names)].equals(made[1])
    assert made[1].iloc[0].tolist() == [1.0, 0.0]
    assert few.only(["tickets_per_active_user_28d"]).names == ("tickets_per_active_user_28d",)


def test_the_frame_tells_every_feature():
    frame = declared(USAGE).frame().set_index("name")
    assert frame.loc["usage_events_28d", "empty"] == "0"
    assert frame.loc["days_since_last_use", "empty"] == "missing"
    assert frame.loc["usage_trend_28d", "table"] == "(combined)"
    assert frame.loc["weekend_share_28d", "lever"] == ""
    assert frame.loc[["weekend_share_28d", "days_since_last_use", "usage_events_28d"], "direction"].tolist() == [
        "",
        "raises",
        "lowers",
    ]
    assert list(frame.columns) == ["table", "aggregation", "window", "unit", "empty", "lever", "direction", "description"]


def test_names_of_the_data_become_names_of_features():
    drawn = "usage | at | event\na | 2025-06-01 | Open File\na | 2025-06-01 | open-file\na | 2025-06-02 | 30d"
    names = declared(drawn).names
    assert {"event_open_file_28d", "event_open_file_2_28d", "event_30_d_28d"} <= set(names)
    assert slug_of("last 30d") == "last_30_d"
    assert slug_of("???") == "blank"
    assert len(slug_of("x" * 99)) == 40


def test_declaring_looks_at_columns_not_at_rows():
    given = tables(USAGE)
    empty = replace(given, tables={name: replace(table, data=table.data.slice(0, 0)) for name, table in given.items()})
    plain = [name for name in declared(given).names if not name.startswith(("event_", "days_since_event_"))]
    assert list(declared(empty).names) == plain
    assert isinstance(declared(empty)["usage_events_28d"], Feature)


def test_what_was_answered_is_told_apart_from_whether_it_was_answered():
    definitions = (*SURVEYS, *instrument_features("nps"), touchpoint_feature("chat", "chat"))
    features = [one for one in definitions if isinstance(one, Feature)]
    ratio = Combination(name="twice", how="ratio", inputs=("nps_last", "days_since_nps"), unit="", description="x", lever=None)
    names = {one.name for one in features} | {"twice"}
    found = set(tells_answers(Catalogue(FeatureSettings(), (*features, ratio))))
    assert {"nps_last", "nps_detractor_share_365d", "csat_at_chat_365d", "disagreement_365d", "twice"} <= found
    silent = {"days_since_nps", "days_since_last_answer", "surveys_unanswered_in_a_row", "survey_respondents_365d"}
    assert silent <= names - found
