"""Who gets which action: by expected value, under capacity, one each, and what is said of the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from planted_outreach import playbook_of, scores_of

from staypower.actions.account_facts import Outreach
from staypower.actions.choosing import choose_actions
from staypower.actions.playbook import ActionSettings
from staypower.actions.ranking import held_back
from staypower.cutoffs import DAY
from staypower.errors import UsageError

NOBODY_HELD = ActionSettings(holdout=0)


def pairs_of(chosen):
    return list(zip(chosen.table["account_id"], chosen.table["action"], strict=True))


def test_expected_value_is_value_at_risk_times_effect_less_cost() -> None:
    playbook = playbook_of(call={"cost": 30, "effect": 0.25})
    chosen = choose_actions(scores_of([{"account_id": "a", "value_at_risk": 400.0}]), playbook, NOBODY_HELD, cutoff=DAY)
    row = chosen.table.iloc[0]
    assert (row["expected_value"], row["probability_saved"], row["cost"], row["effect"]) == (70.0, 0.125, 30.0, 0.25)
    assert (row["cutoff"], row["rank"], row["effect_source"], row["owner"]) == ("1970-01-02", 1, "assumed", "sales")
    assert chosen.expected_value == 70.0


def test_the_highest_risk_is_not_the_best_target() -> None:
    rows = [
        {"account_id": "lost", "churn_probability": 0.95, "value_at_risk": 95.0},
        {"account_id": "large", "churn_probability": 0.2, "value_at_risk": 2000.0},
    ]
    chosen = choose_actions(
        scores_of(rows), playbook_of(call={"cost": 5}), ActionSettings(holdout=0, capacity={"sales": 1}), cutoff=0
    )
    assert pairs_of(chosen) == [("large", "call")]
    assert (chosen.expected_value, chosen.by_risk) == (195.0, 4.5)
    assert chosen.left_out == {"no capacity left": 1}
    assert dict(chosen.passed_over) == {"lost": "no capacity left"}


def test_each_account_gets_its_best_action_and_the_next_best_when_that_owner_is_full() -> None:
    playbook = playbook_of(visit={"effect": 0.5, "cost": 20}, mail={"effect": 0.1, "owner": "marketing"})
    rows = [{"account_id": "a", "value_at_risk": 300.0}, {"account_id": "b", "value_at_risk": 200.0}]
    free = choose_actions(scores_of(rows), playbook, NOBODY_HELD, cutoff=0)
    assert pairs_of(free) == [("a", "visit"), ("b", "visit")]
    full = choose_actions(scores_of(rows), playbook, ActionSettings(holdout=0, capacity={"sales": 1}), cutoff=0)
    assert pairs_of(full) == [("a", "visit"), ("b", "mail")]
    assert full.places.set_index("owner")["left"].isna().to_dict() == {"sales": False, "marketing": True}
    assert full.places["used"].tolist() == [1, 1]


def test_owners_without_a_number_share_the_team_s_and_a_machine_has_none() -> None:
    playbook = playbook_of(
        visit={"effect": 0.5}, train={"effect": 0.4, "owner": "trainers"}, mail={"effect": 0.1, "owner": "automatic"}
    )
    rows = [
        {"account_id": name, "value_at_risk": worth} for name, worth in zip("abcd", (400.0, 300.0, 200.0, 100.0), strict=True)
    ]
    shared = choose_actions(scores_of(rows), playbook, NOBODY_HELD, cutoff=0, team=2)
    assert pairs_of(shared) == [("a", "visit"), ("b", "visit"), ("c", "mail"), ("d", "mail")]
    assert shared.places["owners"].tolist() == ["sales, trainers", "automatic"]
    own = choose_actions(
        scores_of(rows), playbook, ActionSettings(holdout=0, capacity={"trainers": 1, "automatic": 0}), cutoff=0, team=2
    )
    assert pairs_of(own) == [("a", "visit"), ("b", "visit"), ("c", "train")]


def test_an_owner_called_team_shares_the_team_s_number_like_any_other() -> None:
    rows = [{"account_id": name} for name in "abc"]
    playbook = playbook_of(call={"owner": "team"})
    assert len(choose_actions(scores_of(rows), playbook, NOBODY_HELD, cutoff=0, team=2)) == 2
    own = ActionSettings(holdout=0, capacity={"team": 1})
    assert len(choose_actions(scores_of(rows), playbook, own, cutoff=0, team=2)) == 1


def test_a_capacity_of_the_account_s_owner_is_each_person_s() -> None:
    playbook = playbook_of(call={"owner": "account owner", "effect": 0.5})
    rows = [
        {"account_id": name, "owner": owner, "value_at_risk": worth}
        for name, owner, worth in (
            ("a", "ann", 50.0),
            ("b", "ann", 40.0),
            ("c", "bob", 30.0),
            ("d", None, 20.0),
            ("e", None, 10.0),
        )
    ]
    chosen = choose_actions(scores_of(rows), playbook, ActionSettings(holdout=0, capacity={"account owner": 1}), cutoff=0)
    assert list(zip(chosen.table["account_id"], chosen.table["owner"], strict=True)) == [
        ("a", "ann"), ("c", "bob"), ("d", "account owner")
    ]  # fmt: skip
    named = ActionSettings(holdout=0, capacity={"account owner": 1, "ann": 2})
    assert len(choose_actions(scores_of(rows), playbook, named, cutoff=0)) == 4


def test_who_costs_more_than_acting_brings_is_left_out() -> None:
    rows = [{"account_id": "a", "value_at_risk": 50.0}, {"account_id": "b", "value_at_risk": 51.0}]
    chosen = choose_actions(scores_of(rows), playbook_of(call={"cost": 5}), NOBODY_HELD, cutoff=0)
    assert pairs_of(chosen) == [("b", "call")]
    assert chosen.left_out == {"acting would cost more than it is expected to bring": 1}


def test_why_the_others_are_left_out_is_said_by_how_near_they_came() -> None:
    playbook = playbook_of(
        fix={"quadrant": "leaving", "conditions": {"satisfaction": {"below": 0.5}}, "cost": 5}, ask={"quadrant": "captive"}
    )
    rows = [
        {"account_id": "none", "quadrant": "loyal", "satisfaction": 0.1},
        {"account_id": "unmet", "satisfaction": 0.9},
        {"account_id": "unknown", "satisfaction": np.nan},
        {"account_id": "poor", "satisfaction": 0.1, "value_at_risk": 1.0},
        {"account_id": "listed", "satisfaction": 0.1},
        {"account_id": "away", "status": "not_active", "churn_probability": np.nan, "quadrant": None},
        {"account_id": "going", "status": "notice_given", "churn_probability": np.nan, "quadrant": None},
    ]
    chosen = choose_actions(scores_of(rows), playbook, NOBODY_HELD, cutoff=0)
    assert pairs_of(chosen) == [("listed", "fix")]
    assert chosen.left_out == {
        "no action for their levers and quadrant": 1,
        "conditions not met": 2,
        "acting would cost more than it is expected to bring": 1,
        "not scored: not_active": 1,
        "not scored: notice_given": 1,
    }
    assert sum(chosen.left_out.values()) + len(chosen) == len(rows)
    assert dict(chosen.passed_over) == {
        "none": "no fitting action",
        "unmet": "conditions not met",
        "unknown": "conditions not met",
        "poor": "costs more than it brings",
    }


def test_a_declared_value_stands_for_actions_that_are_not_about_risk() -> None:
    playbook = playbook_of(expand={"quadrant": "loyal", "value": 80, "cost": 20})
    rows = [{"account_id": "a", "quadrant": "loyal", "value_at_risk": 1.0}, {"account_id": "b"}]
    row = choose_actions(scores_of(rows), playbook, NOBODY_HELD, cutoff=0).table.iloc[0]
    assert (row["account_id"], row["expected_value"]) == ("a", 60.0)
    assert np.isnan(row["probability_saved"])
    assert np.isnan(row["effect"])
    assert pd.isna(row["effect_source"])


def test_without_any_value_the_probability_saved_ranks_and_it_is_said() -> None:
    playbook = playbook_of(call={"effect": 0.2, "cost": 999}, ask={"quadrant": "loyal", "value": 10})
    rows = [
        {"account_id": "low", "churn_probability": 0.2, "value_at_risk": np.nan},
        {"account_id": "high", "churn_probability": 0.6, "value_at_risk": np.nan},
        {"account_id": "safe", "quadrant": "loyal", "churn_probability": 0.0, "value_at_risk": np.nan},
    ]
    chosen = choose_actions(scores_of(rows), playbook, NOBODY_HELD, cutoff=0)
    assert pairs_of(chosen) == [("high", "call"), ("low", "call"), ("safe", "ask")]
    assert chosen.table["expected_value"].isna().tolist() == [True, True, False]
    assert chosen.without_value == 3
    assert "No account has a monetary value: accounts are ranked by the reduction in churn probability" in chosen.text(200)


def test_accounts_without_a_value_come_after_those_with_one() -> None:
    rows = [
        {"account_id": "unknown", "churn_probability": 0.9, "value_at_risk": np.nan},
        {"account_id": "known", "churn_probability": 0.1, "value_at_risk": 5.0},
    ]
    chosen = choose_actions(scores_of(rows), playbook_of(call={}), NOBODY_HELD, cutoff=0)
    assert [account for account, _ in pairs_of(chosen)] == ["known", "unknown"]
    assert "1 account has no monetary value" in chosen.text(200)


def test_held_back_accounts_are_listed_and_take_no_place() -> None:
    names = [f"a{number}" for number in range(40)]
    held = held_back(names, share=0.5, seed=2)
    rows = [{"account_id": name, "value_at_risk": 1000.0 - number} for number, name in enumerate(names)]
    settings = ActionSettings(holdout=0.5, seed=2, capacity={"sales": 10})
    chosen = choose_actions(scores_of(rows), playbook_of(call={}), settings, cutoff=0)
    acted = [name for name, back in zip(names, held, strict=True) if not back][:10]
    assert chosen.to_do["account_id"].tolist() == acted
    # listed as long as there was room: those who rank before the last one acted on
    before = [name for name in names[: names.index(acted[-1])] if name not in acted]
    assert chosen.table.loc[chosen.table["holdout"], "account_id"].tolist() == before
    assert chosen.places["used"].tolist() == [10]
    assert chosen.expected_value == pytest.approx(sum(0.1 * (1000.0 - names.index(name)) for name in acted))


def test_columns_stand_beside_any_accounts_asked_for() -> None:
    chosen = choose_actions(
        scores_of([{"account_id": "a"}, {"account_id": "b", "value_at_risk": 0.0}]),
        playbook_of(call={"cost": 1}),
        NOBODY_HELD,
        cutoff=0,
    )
    beside = chosen.columns(["x", "b", "a"])
    assert beside["action"].isna().tolist() == [True, True, False]
    assert beside.iloc[2].to_dict() == {"action": "call", "action_owner": "sales", "action_value": 9.0, "holdout": False}
    assert beside["holdout"].dtype == "boolean"


def test_the_lever_and_its_reason_are_named() -> None:
    playbook = playbook_of(fix={"lever": ["support", "value"]}, ask={"quadrant": "loyal"})
    row = {
        "lever_1": "billing", "contribution_1": 0.9, "reason_1": "a card expires",
        "lever_2": "value", "contribution_2": -0.8, "reason_2": "goals are met",
        "lever_3": "support", "contribution_3": 0.5, "reason_3": "tickets wait",
        "lever_4": "support", "contribution_4": 0.2, "reason_4": "tickets repeat",
    }  # fmt: skip
    rows = [{"account_id": "a", **row}, {"account_id": "b", **row, "quadrant": "loyal", "lever_3": "billing", "lever_4": None}]
    table = choose_actions(scores_of(rows), playbook, NOBODY_HELD, cutoff=0).table.set_index("account_id")
    assert (table.loc["a", "lever"], table.loc["a", "reason"]) == ("support", "tickets wait")
    assert pd.isna(table.loc["b", "lever"])
    assert table.loc["b", "reason"] == "a card expires"


def test_cooldown_is_of_the_action_and_the_pause_of_all() -> None:
    playbook = playbook_of(call={"effect": 0.5, "cooldown": 30}, mail={"effect": 0.1}).model_copy(update={"pause": 7})
    days = {"a": 31, "b": 30, "c": 8, "d": 7}
    past = Outreach(
        np.arange(4),
        np.array([100 - days[name] for name in "abcd"]) * DAY,
        np.array(["call"] * 4, dtype=object),
        np.array([0, 0, 1, 1], dtype=np.int8),
        100 * DAY,
    )
    rows = [{"account_id": name} for name in "abcd"]
    chosen = choose_actions(scores_of(rows), playbook, NOBODY_HELD, cutoff=100 * DAY, past=past)
    assert sorted(pairs_of(chosen)) == [("a", "call"), ("b", "mail"), ("c", "mail")]
    assert chosen.left_out == {"cooling down after an earlier action": 1}
    # the same when the scores come in another order: positions of the past are rows of the scores
    turned = Outreach(3 - past.account, past.instant, past.action, past.holdout, past.cutoff)
    again = choose_actions(scores_of(rows[::-1]), playbook, NOBODY_HELD, cutoff=100 * DAY, past=turned)
    pd.testing.assert_frame_equal(again.table, chosen.table)


def test_an_account_that_stands_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="duplicate account in the scores: a"):
        choose_actions(scores_of([{"account_id": "a"}] * 2), playbook_of(call={}), cutoff=0)


def test_nobody_to_act_on_is_said_and_drawn() -> None:
    chosen = choose_actions(
        scores_of([{"account_id": "a", "status": "not_active", "quadrant": None}]), playbook_of(call={}), cutoff=0
    )
    assert "0 actions for 0 scored accounts" in chosen.text(200)
    assert chosen.to_dict()["left_out"] == {"not scored: not_active": 1}
    assert chosen.columns(["a"])["action"].isna().all()
    chosen.plot()
    chosen._repr_html_()


def test_a_notebook_shows_no_markup_from_the_data() -> None:
    bad = "<script>alert(1)</script>"
    rows = [{"account_id": bad, "reason_1": bad}]
    chosen = choose_actions(scores_of(rows), playbook_of(call={"owner": bad}), NOBODY_HELD, cutoff=0)
    html = chosen._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "<script>" not in chosen.effects._repr_html_()


def test_names_and_notes_are_harmless_in_a_notebook() -> None:
    evil = "<script>alert(1)</script>"
    rows = [{"account_id": evil, "reason_1": f"{evil}: 3", "owner": evil, "value_at_risk": 1000.4}]
    chosen = choose_actions(scores_of(rows), playbook_of(call={"cost": 5}), NOBODY_HELD, cutoff=0)
    shown = replace(chosen, notes=(evil,))._repr_html_()
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") >= 2
    assert len(repr(chosen)) < 100
