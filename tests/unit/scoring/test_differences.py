"""Two models on the same accounts: parts add up, buckets make the whole, and flips are counted."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_bundle import feature_rows, small_bundle

from staypower.errors import UsageError
from staypower.features.definition import LEVERS
from staypower.scoring.differences import PARTS, ScoreDifferences, find_differences
from staypower.scoring.predictions import Predictor
from staypower.scoring.scores import Scores

NAMES = ("version 1", "version 2")


def scores(seed: int, rows: slice = slice(None), cutoff: int = 0) -> Scores:
    features = feature_rows(9).iloc[rows].reset_index(drop=True)
    accounts = np.array([f"A{number:03d}" for number in range(240)], dtype=object)[rows]
    predictor = Predictor.of(small_bundle(seed))
    probability, explanation = predictor.churn(features, accounts, threads=1)
    table = pd.DataFrame({"account_id": accounts, "churn_probability": probability})
    table["churn_risk_band"] = predictor.bands().of(probability)
    return Scores(table.merge(explanation.frame(3), on="account_id"), explanation, cutoff)


@pytest.fixture(scope="module")
def found() -> ScoreDifferences:
    return find_differences(scores(0), scores(1), NAMES)


def log_odds(probability: pd.Series) -> np.ndarray:
    return np.log(probability / (1 - probability)).to_numpy()


def test_the_parts_add_up_to_the_change_of_every_probability(found: ScoreDifferences) -> None:
    frame = found.frame()
    change = log_odds(frame["probability_after"]) - log_odds(frame["probability_before"])
    assert np.abs(change).max() > 0.1
    np.testing.assert_allclose(frame[[f"by_{part}" for part in PARTS]].sum(axis=1), change, atol=1e-9)
    np.testing.assert_allclose(found.levers()["mean_change"].sum(), change.mean(), atol=1e-9)


def test_a_lever_is_what_its_features_contribute_in_each_model(found: ScoreDifferences) -> None:
    mine, theirs = scores(1).explanation, scores(0).explanation
    column = list(mine.features.columns).index("usage_events_28d")
    engagement = found.levers().set_index("lever").loc["engagement"]
    assert engagement["before"] == pytest.approx(np.abs(theirs.contributions[:, column]).mean())
    assert engagement["after"] == pytest.approx(np.abs(mine.contributions[:, column]).mean())
    expected = mine.contributions[:, column] - theirs.contributions[:, column]
    np.testing.assert_allclose(found.frame()["by_engagement"], expected, atol=1e-12)
    assert set(found.levers()["lever"]) <= {*LEVERS, "none", "base", "calibration"}


def test_flips_are_those_of_the_scores(found: ScoreDifferences) -> None:
    before, after = scores(0).table, scores(1).table
    bands = before["churn_risk_band"] != after["churn_risk_band"]
    assert 0 < found.band_flips["accounts"].sum() == bands.sum()
    flipped = found.examples_of("band")
    assert set(flipped["account_id"]) <= set(before.loc[bands, "account_id"])
    risk = (after["churn_probability"] - before["churn_probability"]).abs()
    assert flipped["account_id"].iloc[0] == before.loc[risk.where(bands).idxmax(), "account_id"]
    # reasons that are said with another number are the same reason
    stated = before["lever_1"].fillna("") != after["lever_1"].fillna("")
    assert found.reason_flips["accounts"].sum() == stated.sum() > 0


def test_buckets_make_the_whole(found: ScoreDifferences) -> None:
    rows = [slice(120, 240), slice(0, 50), slice(50, 120)]
    parts = [find_differences(scores(0, one), scores(1, one), NAMES) for one in rows]
    made = ScoreDifferences.together(parts)
    pd.testing.assert_frame_equal(made.frame(), found.frame())
    pd.testing.assert_frame_equal(made.levers(), found.levers(), check_exact=True)
    assert made.to_dict() == found.to_dict()
    assert made.examples_of("band").to_dict("records") == found.examples_of("band").to_dict("records")
    assert made.text() == found.text()


def test_a_model_differs_from_itself_in_nothing() -> None:
    same = find_differences(scores(0), scores(0), NAMES)
    assert not same.frame()["change"].any()
    assert "0 accounts (0.0%) with another risk band." in same.text()
    assert same.to_dict()["bands"] == same.to_dict()["first_reason_examples"] == []


def test_words_picture_and_json(found: ScoreDifferences) -> None:
    text = " ".join(found.text().split())
    assert "240 accounts scored by both at 1970-01-01. Under version 2 instead of version 1, the risk is higher for" in text
    assert "engagement" in text
    assert "with another first reason." in text
    assert len(found.plot("levers").axes) == 2
    assert json.loads(json.dumps(found.to_dict()))["accounts"] == 240


def test_nobody_scored_is_said_and_other_accounts_are_refused() -> None:
    none = find_differences(scores(0, slice(0, 0)), scores(1, slice(0, 0)), NAMES)
    assert none.text() == "No account is scored by both."
    assert none.to_dict()["accounts"] == 0
    with pytest.raises(UsageError, match="not the same accounts"):
        find_differences(scores(0), replace(scores(1), cutoff=1), NAMES)
