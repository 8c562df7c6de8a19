"""What a scored list tells beside the risk: value, actions, another base rate."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from command_line import run


def scored(company, folder, *more):
    path = folder / "scores.parquet"
    code, out, err = run("score", "-c", str(company.config), "--quiet", "--json", "--output", str(path), *more)
    assert code == 0, err
    return json.loads(out), pd.read_parquet(path).set_index("account_id")


@pytest.fixture(scope="module")
def plain(company, tmp_path_factory):
    return scored(company, tmp_path_factory.mktemp("plain"))


def test_value_at_risk_is_probability_times_value(plain):
    _, table = plain
    known = table[table["status"] == "scored"]
    assert known["clv"].gt(0).any()
    np.testing.assert_allclose(known["value_at_risk"], known["churn_probability"] * known["clv"], rtol=1e-12)
    assert table.loc[table["status"] != "scored", "value_at_risk"].isna().all()


def test_a_playbook_puts_actions_beside_the_scores(company, tmp_path, plain):
    _, table = scored(company, tmp_path, "--set", "playbook=default")
    assert table["action"].notna().any()
    assert table["holdout"].dropna().isin([True, False]).all()
    pd.testing.assert_series_equal(table["churn_probability"], plain[1]["churn_probability"])
    code, _, _ = run(
        "actions",
        "-c",
        str(company.config),
        "--quiet",
        "--json",
        "--set",
        "playbook=default",
        "--output",
        str(tmp_path / "a.parquet"),
    )
    assert code == 0
    listed = pd.read_parquet(tmp_path / "a.parquet").set_index("account_id")["action"]
    assert table["action"].dropna().to_dict() == listed.to_dict()


def test_a_given_base_rate_shifts_every_log_odds_alike(company, tmp_path, plain):
    said, moved = scored(company, tmp_path, "--prior", "0.3")
    then, now = (table["churn_probability"].dropna() for table in (plain[1], moved))
    shift = np.log(now / (1 - now)) - np.log(then / (1 - then))
    assert said["prior"]["target"] == 0.3
    assert shift.std() < 1e-9
    assert shift.mean() > 0
    told = moved.dropna(subset=["churn_probability"])
    np.testing.assert_allclose(told["p_voluntary"] + told["p_involuntary"], told["churn_probability"], rtol=1e-9)
    pd.testing.assert_series_equal(moved["reason_1"], plain[1]["reason_1"])


def test_an_estimate_does_not_depend_on_who_is_asked_for(company, tmp_path):
    said, everybody = scored(company, tmp_path, "--prior", "estimate")
    one = everybody["churn_probability"].idxmax()
    asked, alone = scored(company, tmp_path, "--prior", "estimate", "--account", one)
    assert said["prior"] == asked["prior"]
    assert alone.loc[one, "churn_probability"] == everybody.loc[one, "churn_probability"]


def test_a_base_rate_that_is_none_is_refused(company):
    code, _, err = run("score", "-c", str(company.config), "--quiet", "--prior", "16")
    assert code == 2
    assert "0.16" in err
