"""What the commands print fits a terminal and says what its numbers are for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from staypower.cutoffs import instant_of
from staypower.dataset.cutoff_plan import choose_plan
from staypower.dataset.settings import CutoffSettings
from staypower.features.declaring import declare
from staypower.features.settings import FeatureSettings
from staypower.labels.churn import find_labels
from staypower.labels.settings import NonContractualLabel
from staypower.pipelines.check import population_blocks
from staypower.pipelines.features import FeatureResult
from staypower.pipelines.score import ScoreResult
from staypower.results.result import as_text
from staypower.scoring.scores import Scores
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource
from staypower.tracking.listing import ModelList


def shop():
    days = pd.date_range("2024-01-01", "2024-12-31", freq="9D")
    rows = [(f"a{n}", day) for n in range(30) for day in days[: 10 + n]]
    frame = pd.DataFrame(rows, columns=["account_id", "at"])
    tables, _ = read_tables(
        {"orders": [TableSource(source="rows")]},
        folder=Path(),
        objects={"rows": frame},
        observed_until=instant_of("2025-01-01"),
    )
    return tables


def test_the_list_of_features_fits_a_terminal():
    text = FeatureResult(declare(shop(), FeatureSettings(), cutoff=instant_of("2024-12-01"))).text()
    assert max(map(len, text.splitlines())) <= 100
    (line,) = [line for line in text.splitlines() if line.startswith("orders_28d ")]
    assert line.split()[-2:] == ["engagement", "0"]
    assert "no table `tickets`" in text


def test_every_cutoff_says_what_it_is_used_for():
    tables, label = shop(), NonContractualLabel(horizon=30, activity_window=60)
    plan = choose_plan(tables, label, CutoffSettings(min_history=30))
    labels = find_labels(tables, label, plan.all)
    table, embargo = as_text(population_blocks(labels, plan), 100).split("\n\n")
    lines = table.splitlines()
    assert lines[0].split() == ["cutoff", "accounts", "active", "labelled", "churned", "churn", "rate", "used", "for"]
    uses = [line.split()[-1] for line in lines[1:]]
    assert uses.count("test") == len(plan.test)
    assert uses.count("training") == len(plan.training)
    assert f"An embargo of {plan.embargo} days" in embargo
    assert labels.frame()["accounts"].dtype.kind == "i"


def scores(statuses, probabilities):
    table = pd.DataFrame({"account_id": [f"a{n}" for n in range(len(statuses))], "status": statuses, "horizon_days": 90})
    table["churn_probability"] = np.array(probabilities, dtype=float)
    table["churn_risk_band"] = "high"
    return ScoreResult(Scores(table, None, instant_of("2025-01-01")), Path("x.parquet")).text()


def test_no_probability_is_called_certain():
    text = scores(["scored", "scored", "scored"], [0.9985, 0.5, 0.001])
    assert "a0: >99% within 90 days" in text
    assert "a1: 50% within 90 days" in text
    assert "a2: <1% within 90 days" in text


def test_nobody_to_score_is_said():
    text = scores(["not_active", "no_history"], [np.nan, np.nan])
    assert "Highest risk" not in text
    assert "none was an active customer at the cutoff" in text


def test_versions_fit_a_terminal():
    row = {"version": "1", "champion": True, "split": "temporal", "created_at": "2025-01-01T00:00:00+00:00"}
    table = pd.DataFrame([{**row, "run_id": "r" * 32, "digest": "d" * 64, "metric.auroc": 0.7}])
    text = ModelList("acme", table).text()
    assert "d" * 12 in text
    assert "d" * 13 not in text
    assert ModelList("acme", table).to_dict()["versions"][0]["digest"] == "d" * 64
