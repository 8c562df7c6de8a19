"""Measured effects: a planted one is found, a useless action measures nothing, and nothing later than the cutoff counts."""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from planted_outreach import START, outreach_table, playbook_of, scores_of, times, tried_company

from staypower.actions.account_facts import Outcomes, find_outcomes, read_outreach
from staypower.actions.choosing import choose_actions
from staypower.actions.effects import LEAST_ACCOUNTS, measure_effects, relative_cut
from staypower.cutoffs import DAY, instant_of
from staypower.labels.settings import ContractualLabel, GivenLabel, NonContractualLabel
from staypower.schemas import SCHEMAS
from staypower.tables import Table, Tables

LABEL = ContractualLabel(horizon=90, grace=30)
PLANTED = {"helps": 0.4, "useless": 0.0, "harms": -0.3}


def measured(tables, playbook, *, cutoff=None, label=LABEL):
    accounts = tables.account_ids
    past = read_outreach(tables, accounts, cutoff=tables.observed_until if cutoff is None else cutoff)
    return measure_effects(playbook, find_outcomes(tables, label, past, accounts)).effects


def counts(treated, held, treated_churned, held_churned):
    """Return outcomes of one action with these counts."""
    held_rows = np.arange(treated + held) >= treated
    place = np.where(held_rows, np.arange(treated + held) - treated, np.arange(treated + held))
    churned = place < np.where(held_rows, held_churned, treated_churned)
    return Outcomes(np.array(["call"] * len(place), dtype=object), held_rows, churned)


@pytest.fixture(scope="module")
def company():
    return tried_company(PLANTED, accounts=30_000, share=0.3, base=0.25, seed=5)


@pytest.fixture(scope="module")
def playbook():
    return playbook_of(helps={"effect": 0.1}, useless={"effect": 0.1}, harms={"effect": 0.1})


@pytest.fixture(scope="module")
def effects(company, playbook):
    return measured(company, playbook)


def test_a_planted_effect_is_recovered(effects) -> None:
    for name, planted in PLANTED.items():
        found = effects[name]
        assert found.low < planted < found.high, found
        assert found.high - found.low < 0.25
        assert found.treated + found.held == 10_000
    assert effects["helps"].measured == pytest.approx(0.4, abs=0.05)
    assert effects["useless"].measured == pytest.approx(0.0, abs=0.08)
    assert effects["harms"].high < 0


def test_the_measured_effect_replaces_the_assumed_one_in_the_list(company, playbook) -> None:
    accounts = company.account_ids
    past = read_outreach(company, accounts, cutoff=company.observed_until)
    found = measure_effects(playbook, find_outcomes(company, LABEL, past, accounts))
    chosen = choose_actions(scores_of([{"account_id": "new"}]), playbook, cutoff=0, effects=found)
    row = chosen.table.iloc[0]
    # three actions were assumed to do the same: what was measured tells them apart
    assert (row["action"], row["effect_source"]) == ("helps", "measured")
    assert row["expected_value"] == pytest.approx(100.0 * found.used["helps"])
    assert found.used["harms"] < 0.0 < found.used["helps"]
    assert "helps" in chosen.text(200)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    inside, runs = 0, 2000
    for _ in range(runs):
        treated, held = rng.binomial(900, 0.2 * 0.8), rng.binomial(100, 0.2)
        _, low, high, _ = relative_cut(int(treated), 900, int(held), 100)
        inside += low <= 0.2 <= high
    assert 0.94 <= inside / runs <= 0.97


def test_the_estimate_by_hand() -> None:
    measured_cut, low, high, error = relative_cut(80, 1000, 10, 100)
    ratio = math.log(80.5 / 1000.5) - math.log(10.5 / 100.5)
    spread = math.sqrt(1 / 80.5 - 1 / 1000.5 + 1 / 10.5 - 1 / 100.5)
    assert error == pytest.approx(spread)
    assert measured_cut == pytest.approx(1 - math.exp(ratio))
    assert (low, high) == pytest.approx((1 - math.exp(ratio + 1.96 * spread), 1 - math.exp(ratio - 1.96 * spread)), abs=1e-4)
    assert all(math.isfinite(value) for value in relative_cut(0, 50, 0, 50))


@pytest.mark.parametrize(
    ("treated", "held", "treated_churned", "held_churned", "used"),
    [
        (300, LEAST_ACCOUNTS - 1, 30, 9, False),
        (300, LEAST_ACCOUNTS, 30, 9, True),
        (300, 300, 2, 2, False),
        (300, 300, 2, 3, True),
    ],
)
def test_few_accounts_or_few_churners_change_nothing(treated, held, treated_churned, held_churned, used) -> None:
    playbook = playbook_of(call={"effect": 0.2})
    found = measure_effects(playbook, counts(treated, held, treated_churned, held_churned)).effects["call"]
    assert not math.isnan(found.measured)
    assert (found.used != 0.2, found.source == "measured") == (used, used)


def test_the_larger_the_trial_the_less_the_assumption_counts() -> None:
    playbook = playbook_of(call={"effect": 0.3})
    found = [
        measure_effects(playbook, counts(900 * size, 100 * size, 180 * size, 20 * size)).effects["call"]
        for size in (1, 10, 100)
    ]
    assert [effect.used for effect in found] == sorted((effect.used for effect in found), reverse=True)
    assert [effect.weight for effect in found] == sorted(effect.weight for effect in found)
    assert found[0].used > 0.05
    assert found[2].used == pytest.approx(0.0, abs=0.01)
    # by hand: the logarithm of the ratio, averaged with log(1 - 0.3) by inverse variances
    _, _, _, error = relative_cut(180, 900, 20, 100)
    prior = math.log(0.7)
    weight = prior**2 / (prior**2 + error**2)
    assert found[0].weight == pytest.approx(weight)
    assert math.log(1 - found[0].used) == pytest.approx(weight * math.log(1 - found[0].measured) + (1 - weight) * prior)


def test_an_action_that_is_not_about_risk_keeps_its_declared_value(company) -> None:
    found = measured(company, playbook_of(helps={"value": 5}))
    assert found["helps"].used is None
    assert found["helps"].measured == pytest.approx(0.4, abs=0.05)
    assert found["useless"].used is None  # tried, but in no playbook


def small(*rows, ended=(), observed="2025-12-31", **columns):
    """Return a company of accounts named a, b, ..., with outreach rows (account, day, action, holdout)."""
    names = sorted({row[0] for row in rows} | {name for name, _ in ended})
    ends = dict(ended)
    subscriptions = pa.table(
        {
            "account_id": names,
            "started_at": times([instant_of("2024-01-01")] * len(names)),
            "ended_at": times([ends.get(name) for name in names]),
        }
    )
    return Tables(
        {
            "accounts": Table(SCHEMAS["accounts"], pa.table({"account_id": names})),
            "subscriptions": Table(SCHEMAS["subscriptions"], subscriptions),
            "outreach": outreach_table(
                [row[0] for row in rows],
                [row[1] for row in rows],
                action=[row[2] for row in rows],
                holdout=pa.array([row[3] for row in rows], pa.bool_()),
                **columns,
            ),
        },
        instant_of(observed),
    )


def test_only_complete_outcomes_count_and_the_others_wait() -> None:
    cutoff = START + 120 * DAY
    tables = small(
        ("a", START, "call", False),
        ("b", START + 1, "call", True),
        ("c", START + DAY, "call", True),  # its 90 days and the grace of 30 end a day after the cutoff
        ended=[("b", START + 10 * DAY)],
    )
    found = measured(tables, playbook_of(call={}), cutoff=cutoff)["call"]
    assert (found.treated, found.held, found.held_churned, found.waiting) == (1, 1, 1, 1)
    assert measured(tables, playbook_of(call={}), cutoff=cutoff + DAY)["call"].waiting == 0


def test_the_outcome_begins_at_the_midnight_before_and_ends_with_the_horizon() -> None:
    noon = START + DAY // 2
    ends = {"b": START + DAY // 4, "c": START + 90 * DAY - 1, "d": START + 90 * DAY, "e": START - 1}
    tables = small(*((name, noon, "call", False) for name in "abcde"), ("f", noon, "call", True), ended=list(ends.items()))
    found = measured(tables, playbook_of(call={}))["call"]
    # b left that morning, c on the last day; d later; e was no customer any more
    assert (found.treated, found.treated_churned) == (4, 2)


def test_the_first_outreach_of_an_account_with_an_action_counts() -> None:
    tables = small(
        ("a", START, "Call ", False),
        ("a", START + 40 * DAY, "call", True),
        ("b", START, "mail", False),
        ("b", START + 90 * DAY, "CALL", True),
        ended=[("a", START + 50 * DAY)],
    )
    found = measured(tables, playbook_of(call={}))
    assert (found["call"].treated, found["call"].treated_churned, found["call"].held) == (1, 1, 1)
    assert found["mail"].treated == 1


def test_a_useless_action_is_not_credited_with_what_another_one_did() -> None:
    """Rows with another action within the horizon, before or after, on either side, are not compared."""
    rows = [
        ("a", START, "mail", False), ("a", START + 89 * DAY, "call", False),
        ("b", START, "mail", True), ("b", START + 89 * DAY, "call", True),
        ("c", START, "mail", False), ("c", START + 90 * DAY, "call", False),
        ("d", START, "mail", False), ("d", START + 10 * DAY, "mail", False),
        ("e", START, "mail", False), ("e", START, None, None),
        ("f", START, "mail", True),
    ]  # fmt: skip
    found = measured(small(*rows), playbook_of(mail={}, call={}))
    assert (found["mail"].treated, found["mail"].held, found["mail"].mixed) == (2, 1, 3)  # c and d, f; a, b and e
    assert (found["call"].treated, found["call"].held, found["call"].mixed) == (1, 0, 2)
    assert "3 left out because another action overlapped" in found["mail"].note


def test_rows_that_do_not_tell_action_or_holdout_are_not_compared() -> None:
    tables = small(("a", START, "call", None), ("b", START, None, False), ("c", START, "call", False))
    assert measured(tables, playbook_of(call={}))["call"].treated == 1
    bare = replace(tables, tables={**tables.tables, "outreach": outreach_table(["a"], [START], action=["call"])})
    past = read_outreach(bare, bare.account_ids, cutoff=bare.observed_until)
    assert "has both" in str(find_outcomes(bare, LABEL, past, bare.account_ids).problem)


def test_nothing_after_the_cutoff_is_seen() -> None:
    """Rows, arrivals and ends after the cutoff change neither who cools down nor what is measured."""
    cutoff = START + 150 * DAY
    rows = [("a", START, "call", False), ("b", START, "call", True)]
    known = {"known_at": times([START, START])}
    before = small(*rows, ended=[("a", START + 5 * DAY), ("b", START + 6 * DAY)], **known)
    later = small(
        *rows,
        ("c", cutoff, "call", False),
        ("d", START, "call", True),
        ended=[("a", START + 5 * DAY), ("b", START + 6 * DAY), ("c", cutoff + DAY), ("d", START + 3 * DAY)],
        known_at=times([START, START, START, cutoff]),
    )
    playbook = playbook_of(call={})
    assert measured(later, playbook, cutoff=cutoff) == measured(before, playbook, cutoff=cutoff)
    past = read_outreach(later, later.account_ids, cutoff=cutoff)
    assert past.recent(4, 3650).tolist() == [True, True, False, False]
    # the planted problem: read a day later, both are there
    assert len(read_outreach(later, later.account_ids, cutoff=cutoff + DAY)) == 4


def test_a_date_without_a_clock_is_known_at_the_end_of_its_day() -> None:
    tables = small(("a", instant_of("2025-03-01"), "call", False))
    dates = replace(tables["outreach"], date_only=frozenset({"at"}))
    tables = replace(tables, tables={**tables.tables, "outreach": dates})
    assert len(read_outreach(tables, ["a"], cutoff=instant_of("2025-03-01T12:00"))) == 0
    past = read_outreach(tables, ["a"], cutoff=instant_of("2025-03-31"))
    assert (past.recent(1, 30)[0], past.recent(1, 29)[0]) == (True, False)


def test_other_labels_measure_too_and_a_flag_says_why_it_cannot() -> None:
    orders = pa.table({"account_id": ["a", "b", "b"], "at": times([START - DAY, START - DAY, START + 30 * DAY])})
    tables = Tables(
        {
            "accounts": Table(SCHEMAS["accounts"], pa.table({"account_id": ["a", "b"], "left": ["yes", "no"]})),
            "orders": Table(SCHEMAS["orders"], orders),
            "outreach": outreach_table(["a", "b"], [START, START], action=["call"] * 2, holdout=[False, True]),
        },
        instant_of("2025-12-31"),
    )
    found = measured(tables, playbook_of(call={}), label=NonContractualLabel(table="orders", too_new=0))["call"]
    assert (found.treated, found.treated_churned, found.held, found.held_churned) == (1, 1, 1, 0)
    past = read_outreach(tables, ["a", "b"], cutoff=tables.observed_until)
    assert "flag" in str(find_outcomes(tables, GivenLabel(flag="left"), past, ["a", "b"]).problem)


def test_many_days_are_looked_at_some_at_a_time(company, playbook, monkeypatch, effects) -> None:
    some = replace(
        company,
        tables={
            name: replace(table, data=table.data.filter(pc.less(table.data["account_id"], "a003000")))
            for name, table in company.tables.items()
        },
    )
    whole = measured(some, playbook)
    monkeypatch.setattr(sys.modules["staypower.actions.account_facts"], "_DAYS_AT_ONCE", 5)
    assert measured(some, playbook) == whole


def test_the_result_shows_itself(company, playbook) -> None:
    accounts = company.account_ids
    past = read_outreach(company, accounts, cutoff=company.observed_until)
    found = measure_effects(playbook, find_outcomes(company, LABEL, past, accounts))
    frame = found.frame().set_index("action")
    assert frame.loc["helps", "treated_churned"] == found.effects["helps"].treated_churned
    assert "measured" in found.text()
    assert found.to_dict()["actions"][0]["action"] == "helps"
    assert len(found.plot().axes[0].get_yticklabels()) == 3
    assert "<table" in found._repr_html_()
