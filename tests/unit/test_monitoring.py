from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from staypower.engines.local import keep_part
from staypower.monitoring import FeatureFiles, find_drift, population_stability


def test_the_index_by_hand():
    then = np.array([0.0] * 50 + [1.0] * 50)
    now = np.array([0.0] * 20 + [1.0] * 80)
    q, p = np.array([50.5, 50.5]) / 101, np.array([20.5, 80.5]) / 101
    psi, _ = population_stability(then, now)
    assert psi == pytest.approx(((p - q) * np.log(p / q)).sum())


def test_a_source_that_stops_arriving_moves():
    rng = np.random.default_rng(0)
    then, now = rng.random(1000), rng.random(1000)
    now[:400] = math.nan
    assert population_stability(then, now)[0] > 0.25


@pytest.mark.parametrize("accounts", [60, 2000])
def test_chance_alone_is_seldom_called_moved(accounts):
    rng = np.random.default_rng(1)
    exceeded = 0
    for _ in range(200):
        psi, by_chance = population_stability(rng.random(accounts), rng.random(accounts))
        exceeded += psi > by_chance
    assert exceeded <= 8


def test_codes_are_compared_as_codes():
    then = np.repeat(np.arange(30.0), 20)
    moved = np.where(then == 7.0, 8.0, then)
    by_code, _ = population_stability(then, moved, category=True)
    by_tenth, _ = population_stability(then, moved)
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
    assert math.isnan(population_stability(np.zeros(0), np.ones(3))[0])
