from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from staypower.cutoffs import DAY
from staypower.engines.local import keep_part
from staypower.monitoring.drift import find_drift, stretches_before
from staypower.monitoring.sight import TWIN_PROBABILITY, FeatureFiles
from staypower.monitoring.stability import MOVED, adjusted, population_stability


def test_the_index_by_hand():
    then = np.array([0.0] * 50 + [1.0] * 50)
    now = np.array([0.0] * 20 + [1.0] * 80)
    q, p = np.array([50.5, 50.5]) / 101, np.array([20.5, 80.5]) / 101
    psi = population_stability(then, now).psi
    assert psi == pytest.approx(((p - q) * np.log(p / q)).sum())


def test_a_source_that_stops_arriving_moves():
    rng = np.random.default_rng(0)
    then, now = rng.random(1000), rng.random(1000)
    now[:400] = math.nan
    assert population_stability(then, now).psi > 0.25


@pytest.mark.parametrize("accounts", [60, 2000])
def test_chance_alone_is_seldom_called_moved(accounts):
    rng = np.random.default_rng(1)
    exceeded = 0
    for _ in range(200):
        found = population_stability(rng.random(accounts), rng.random(accounts))
        exceeded += found.psi > found.by_chance
    assert exceeded <= 8


def test_codes_are_compared_as_codes():
    then = np.repeat(np.arange(30.0), 20)
    moved = np.where(then == 7.0, 8.0, then)
    by_code = population_stability(then, moved, category=True).psi
    by_tenth = population_stability(then, moved).psi
    assert by_code > by_tenth


def test_verdicts_and_order_in_memory_and_in_files(tmp_path):
    rng = np.random.default_rng(2)
    then = pd.DataFrame({"still": rng.random(5000), "gone": rng.random(5000), "slow": rng.random(5000)})
    now = pd.DataFrame({"still": rng.random(5000), "gone": rng.random(5000) + 1, "slow": rng.random(5000) ** 1.5})
    drift = find_drift(then, now, then["still"].to_numpy(), now["still"].to_numpy(), then_words="May", now_words="June")
    verdicts = dict(zip(drift.features["feature"], drift.features["verdict"], strict=True))
    assert verdicts == {"gone": "moved", "slow": "shifting", "still": "steady"}
    assert list(drift.features["feature"]) == ["gone", "slow", "still"]
    assert drift.headline == "1 of 3 features moved (gone); the score: steady"
    before, after = (
        [
            keep_part(pa.Table.from_pandas(half, preserve_index=False), tmp_path / f"{name}{len(half)}")
            for half in (rows[:9], rows[9:])
        ]
        for name, rows in (("then", then), ("now", now))
    )
    files = FeatureFiles(before), FeatureFiles(after)
    again = find_drift(*files, files[0]["still"], files[1]["still"], then_words="May", now_words="June")
    assert again.to_dict() == drift.to_dict()
    assert (again.accounts_then, again.accounts_now) == (5000, 5000)
    assert max(map(len, drift.text(width=100).splitlines())) <= 100
    assert [row["feature"] for row in json.loads(json.dumps(drift.to_dict()))["rows"]] == ["score", "gone", "slow", "still"]


def test_no_rows_have_no_index():
    assert math.isnan(population_stability(np.zeros(0), np.ones(3)).psi)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_p_values_are_adjusted_as_in_scipy(p):
    assert adjusted(np.array(p)) == pytest.approx(false_discovery_control(p), abs=1e-12)


def test_of_hundreds_of_features_chance_moves_none():
    rng = np.random.default_rng(4)
    alarms = 0
    for _ in range(20):
        then, now = (pd.DataFrame(rng.random((60, 300)), columns=[f"f{n}" for n in range(300)]) for _ in range(2))
        drift = find_drift(then, now, np.asarray(then["f0"]), np.asarray(now["f0"]))
        assert (drift.features["psi"] > MOVED).any()
        alarms += len(drift.moved) > 0
    assert alarms <= 3


def test_what_grows_with_the_calendar_is_as_usual():
    rng = np.random.default_rng(5)
    first = pd.DataFrame({"tenure": rng.uniform(0, 300, 2000), "use": rng.random(2000)})
    then, now = first.assign(tenure=first["tenure"] + 200), first.assign(tenure=first["tenure"] + 400)
    said = {TWIN_PROBABILITY: rng.random(2000)}
    seen = [frame.assign(**said) for frame in (first, then, now)]
    score = seen[0][TWIN_PROBABILITY].to_numpy()
    drift = find_drift(seen[1], seen[2], score, score, earlier=[(seen[0], seen[1], 1.0)])
    verdicts = dict(zip(drift.features["feature"], drift.features["verdict"], strict=True))
    assert verdicts == {"tenure": "as usual", "use": "steady"}
    assert drift.headline.startswith("nothing moved")
    alone = find_drift(seen[1], seen[2], score, score)
    assert list(alone.moved["feature"]) == ["tenure"]


def test_nothing_later_than_training_shows_what_is_usual():
    for then, now in ((700, 730), (700, 1100), (300, 400), (200, 220)):
        for one in stretches_before(then * DAY, now * DAY, 0):
            assert 180 * DAY <= one.first < one.last <= then * DAY
            assert (one.last - one.first) * one.times == pytest.approx((now - then) * DAY)
    assert stretches_before(190 * DAY, 250 * DAY, 0) == []
