"""Damage that exports come with is named on companies of two mechanisms, and healthy months break no limit."""

from __future__ import annotations

import json
from functools import cache

import damaged_data as damage
import numpy as np
import pandas as pd
import pytest

from staypower import read_tables
from staypower.cutoffs import DAY, instant_of, midnight_after, text_of
from staypower.gate.comparing import FeatureCounts, compare_data, compare_features
from staypower.gate.facts import DataFacts, find_facts, find_missing
from staypower.gate.settings import GateSettings

ACCOUNTS, SEED = 200, 3


@cache
def trained(kind, accounts, seed, before):
    """Return what a bundle keeps of the data until some days before their end, as it is read again."""
    _, _, end = damage.company(kind, accounts, seed)
    start = end - pd.Timedelta(days=before)
    tables, settings = damage.tables_at(kind, accounts, seed, start)
    facts = find_facts(tables, settings.label, {}).to_dict()
    return start, DataFacts.of(json.loads(json.dumps({"gate": facts})))


def compared(kind, frames, end, facts, **limits):
    settings = damage.settings_at(damage.company(kind, ACCOUNTS, SEED)[1], end)
    tables = read_tables(settings, dict(frames))
    cutoff = midnight_after(tables.observed_until)
    return compare_data(tables, facts, settings.label, GateSettings(**limits), cutoff=cutoff)


@pytest.mark.parametrize("kind", damage.KINDS)
@pytest.mark.parametrize(
    ("broken", "setting", "places"),
    [
        (damage.usage_ends_early, "silence", {"usage"}),
        (damage.categories_unseen, "unseen", {"usage.event", "accounts.segment"}),
        (damage.loaded_twice, "repeated", {"usage", "tickets", "surveys", "subscriptions", "accounts"}),
        (damage.answers_on_another_scale, "shift", {"surveys.value of nps"}),
        (damage.ends_before_starts, "impossible", {"subscriptions.ended_at"}),
    ],
)
def test_damage_is_named_with_its_limit_and_its_setting(kind, broken, setting, places):
    accounts = 400 if setting == "shift" and kind == "contracts" else ACCOUNTS
    start, facts = trained(kind, accounts, SEED, 150)
    end = start + pd.Timedelta(days=60)
    healthy = damage.known_at(damage.company(kind, accounts, SEED)[0], end)
    assert not compared(kind, healthy, end, facts).breaches
    found = compared(kind, broken(healthy, end), end, facts)
    named = {breach.place for breach in found.breaches if breach.setting == setting}
    assert places <= named, found.lines
    for breach in found.breaches:
        assert all([breach.value, breach.limit, breach.fix])
        assert f"gate.{breach.setting}" in breach.as_problem.fix
    assert "--accept-data" in str(found.breaches[0].as_problem)


@pytest.mark.parametrize("kind", damage.KINDS)
def test_one_row_of_2099_never_becomes_the_cutoff(kind):
    frames, config, _ = damage.company(kind, ACCOUNTS, SEED)
    start, facts = trained(kind, ACCOUNTS, SEED, 150)
    end = start + pd.Timedelta(days=60)
    settings = damage.settings_at(config, None)
    tables = read_tables(settings, damage.one_row_far_away(damage.known_at(frames, end), end))
    cutoff = midnight_after(tables.observed_until)
    assert text_of(cutoff) == str(end.date())
    found = compare_data(tables, facts, settings.label, settings.gate, cutoff=cutoff)
    assert not found.breaches
    assert found.notes == (
        f"1 row of usage dated after {(end - pd.Timedelta(days=1)).date()}, the end of the observed data: set aside",
    )


@pytest.mark.parametrize(("kind", "accounts"), [("simulated", 200), ("simulated", 100), ("contracts", 200), ("contracts", 100)])
def test_twelve_healthy_months_break_no_limit(kind, accounts):
    start, facts = trained(kind, accounts, 1, 370)
    for month in range(1, 13):
        end = start + pd.Timedelta(days=30 * month)
        tables, settings = damage.tables_at(kind, accounts, 1, end)
        found = compare_data(tables, facts, settings.label, settings.gate, cutoff=instant_of(str(end.date())))
        assert not found.breaches, found.lines


def test_a_young_company_breaks_no_limit():
    frames, _, _ = damage.company("simulated", ACCOUNTS, SEED)
    start = frames["usage"]["at"].min().normalize() + pd.Timedelta(days=150)
    tables, settings = damage.tables_at("simulated", ACCOUNTS, SEED, start)
    facts = find_facts(tables, settings.label, {})
    for month in range(1, 13, 3):
        end = start + pd.Timedelta(days=30 * month)
        tables, _ = damage.tables_at("simulated", ACCOUNTS, SEED, end)
        found = compare_data(tables, facts, settings.label, settings.gate, cutoff=instant_of(str(end.date())))
        assert not found.breaches, found.lines


def test_a_survey_once_a_year_is_silent_between():
    frames, config, end = damage.company("simulated", ACCOUNTS, SEED)
    yearly = frames["surveys"]["sent_at"].dt.month == 3
    frames = {**frames, "surveys": frames["surveys"][yearly]}
    start = end - pd.Timedelta(days=330)
    settings = damage.settings_at(config, start)
    facts = find_facts(read_tables(settings, damage.known_at(frames, start)), settings.label, {})
    for month in range(1, 11):
        at = start + pd.Timedelta(days=30 * month)
        tables = read_tables(damage.settings_at(config, at), damage.known_at(frames, at))
        found = compare_data(tables, facts, settings.label, settings.gate, cutoff=instant_of(str(at.date())))
        assert not found.breaches, found.lines


def test_half_of_the_rows_or_a_bot_break_the_rate():
    start, facts = trained("simulated", ACCOUNTS, SEED, 150)
    end = start + pd.Timedelta(days=60)
    healthy = damage.known_at(damage.company("simulated", ACCOUNTS, SEED)[0], end)
    fewer = {**healthy, "usage": healthy["usage"][::4]}
    more = pd.concat([healthy["usage"].assign(at=healthy["usage"]["at"] + pd.Timedelta(seconds=n)) for n in range(4)])
    for usage, word in ((fewer["usage"], "fewer"), (more[more["at"] < end], "more")):
        found = compared("simulated", {**healthy, "usage": usage}, end, facts)
        assert [(one.table, one.setting) for one in found.breaches] == [("usage", "rate")]
        assert found.breaches[0].problem.startswith(word)
        assert not compared("simulated", {**healthy, "usage": usage}, end, facts, rate=10).breaches


def test_a_column_that_is_no_longer_filled_is_named():
    start, facts = trained("simulated", ACCOUNTS, SEED, 150)
    end = start + pd.Timedelta(days=60)
    healthy = damage.known_at(damage.company("simulated", ACCOUNTS, SEED)[0], end)
    usage = healthy["usage"].copy()
    usage.loc[usage["at"] >= end - pd.Timedelta(days=30), "user_id"] = None
    found = compared("simulated", {**healthy, "usage": usage}, end, facts)
    assert [(one.place, one.setting) for one in found.breaches] == [("usage.user_id", "missing")]
    assert not compared("simulated", {**healthy, "usage": usage}, end, facts, missing=1).breaches


def test_features_that_lack_values_are_named_by_table():
    X = pd.DataFrame({"a_mean": [1.0, np.nan, 1.0, 1.0], "b_mean": [1.0, 1.0, 1.0, np.nan]})
    shares = find_missing(X, [0, 0, DAY, DAY])
    assert shares == {"a_mean": 0.5, "b_mean": 0.5}
    facts = DataFacts(0, 10, {}, shares)
    start = compare_data(_no_tables(), facts, damage.settings_at(damage.company("simulated", 60, 1)[1], None).label,
                         GateSettings(), cutoff=DAY)  # fmt: skip
    both = FeatureCounts(100, {"a_mean": 80, "b_mean": 10}) + FeatureCounts(100, {"a_mean": 100, "b_mean": 10})
    found = compare_features(start, facts, both, {"a_mean": "usage", "b_mean": "tickets"}, GateSettings())
    assert [(one.table, one.setting, one.limit) for one in found.breaches] == [("usage", "missing", "70.0%")]
    assert "a_mean: 90.0% of the accounts, 50.0% in training" in found.lines[0]
    assert not compare_features(start, facts, FeatureCounts(5, {"a_mean": 5}), {}, GateSettings()).breaches


def _no_tables():
    tables, _ = damage.tables_at("simulated", 60, 1, damage.company("simulated", 60, 1)[2])
    return tables


def test_what_the_gate_does_not_know_is_said():
    start, facts = trained("simulated", ACCOUNTS, SEED, 150)
    tables, settings = damage.tables_at("simulated", ACCOUNTS, SEED, start)
    old = compare_data(tables, DataFacts.of({}), settings.label, settings.gate, cutoff=instant_of(str(start.date())))
    assert not old.known
    assert "not compared" in old.headline
    assert old.blocks() == [old.headline]
    early = compare_data(tables, facts, settings.label, settings.gate, cutoff=instant_of(str(start.date())) - 90 * DAY)
    assert not early.breaches
    assert "not compared" in early.notes[0]
