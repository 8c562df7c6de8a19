"""`staypower explain` on the simulated company: what is told adds up, and it is told of the right account."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from command_line import run

import staypower
from staypower.pipelines.score import score


@pytest.fixture(scope="module")
def riskiest(company):
    return company.result.scored.scores.watch_list(1).iloc[0]


@pytest.fixture(scope="module")
def told(company, riskiest):
    found = run("explain", "-c", str(company.config), "--account", riskiest["account_id"], "--json", "--quiet")
    assert found[0] == 0, found[2]
    return json.loads(found[1])


def test_the_account_is_told_as_it_was_scored(told, riskiest):
    (account,) = told["accounts"]
    assert account["account_id"] == riskiest["account_id"]
    assert account["churn_probability"] == riskiest["churn_probability"]
    assert (account["churn_risk_band"], account["tier"], account["quadrant"]) == (
        *(riskiest["churn_risk_band"], riskiest["tier"], riskiest["quadrant"]),
    )
    listed = [riskiest[f"reason_{n}"] for n in range(1, 6)]
    assert [reason["sentence"] for reason in account["reasons"]] == [words for words in listed if isinstance(words, str)]
    assert told["portfolio"] is None


def test_levers_and_changes_add_up(company, told):
    (account,) = told["accounts"]
    assert account["base"] + sum(account["levers"].values()) == pytest.approx(account["raw_score"], abs=1e-6)
    assert told["previous_cutoff"] == "2025-06-01"
    then = score(company.settings, cutoff="2025-06-01", write=False).scores
    before = dict(zip(then.explanation.accounts, then.explanation.raw_scores, strict=True)).get(account["account_id"])
    if before is None:
        assert account["change"] is None
    else:
        assert before + account["change"] == pytest.approx(account["raw_score"], abs=1e-6)
        assert account["before"]["status"] == "scored"


def test_an_action_is_told_where_a_playbook_gives_one(company, told):
    actions = company.result.acted.actions.table.set_index("account_id")
    (account,) = told["accounts"]
    expected = actions.loc[account["account_id"], "action"] if account["account_id"] in actions.index else None
    assert (account["action"] or {}).get("action") == expected


def test_it_is_readable_in_a_terminal(company, riskiest):
    code, out, err = run("explain", "-c", str(company.config), "--account", riskiest["account_id"], "--quiet")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "1 account with a score at 2025-07-01, compared with 2025-06-01."
    called, risk = f"{riskiest['account_id']} ({riskiest['name']})", 100 * riskiest["churn_probability"]
    head = f"{called}: {risk:.0f}% within 90 days (high risk"
    assert any(line.startswith(head) for line in lines[2:12]), out
    assert re.search(rf"- \+\d\.\d\d {re.escape(riskiest['reason_1'])}", " ".join(out.split()))


def test_without_an_account_the_portfolio_is_told(company):
    code, out, _ = run("explain", "-c", str(company.config), "--json", "--quiet")
    told = json.loads(out)
    levers = told["portfolio"]["levers"]
    assert code == 0
    assert sum(lever["mean_change"] for lever in levers) == pytest.approx(told["portfolio"]["mean_change"], abs=1e-9)
    assert told["portfolio"]["accounts"] > 100
    assert len(told["accounts"]) == 5


def test_an_unknown_account_is_named_with_its_nearest(company):
    known = company.result.scored.scores.table["account_id"].iloc[7]
    code, out, err = run("explain", "-c", str(company.config), "--account", f" {known.lower()}", "--account", "zzz", "--quiet")
    assert (code, out) == (2, "")
    assert f"unknown account:  {known.lower()}. Fix: write `{known}`" in err
    assert "unknown account: zzz" in err
    assert "Traceback" not in err


def test_a_file_of_earlier_scores_gives_the_cutoff_to_compare_with(company, tmp_path):
    earlier = tmp_path / "may.csv"
    assert run("score", "-c", str(company.config), "--cutoff", "2025-05-02", "-o", str(earlier), "--quiet")[0] == 0
    scored = pd.read_csv(earlier).dropna(subset=["churn_probability"])["account_id"]
    now = company.result.scored.frame()
    both = next(account for account in scored if account in set(now.loc[now["status"] == "scored", "account_id"]))
    asked = ("explain", "-c", str(company.config), "--account", both, "--quiet", "--previous")
    code, out, _ = run(*asked, str(earlier), "--json")
    told = json.loads(out)
    assert (code, told["previous_cutoff"], told["notes"]) == (0, "2025-05-02", [])
    frame = pd.read_csv(earlier)
    frame["churn_probability"] = frame["churn_probability"] / 2
    frame.to_csv(tmp_path / "other.csv", index=False)
    assert "not matched by this model" in " ".join(run(*asked, str(tmp_path / "other.csv"))[1].split())
    late = tmp_path / "late.csv"
    frame.assign(cutoff="2025-07-01").to_csv(late, index=False)
    code, _, err = run(*asked, str(late))
    assert code == 2
    assert "give scores of an earlier cutoff" in err
    pd.concat([frame, frame.assign(cutoff="2025-04-01")]).to_csv(late, index=False)
    assert "2 cutoffs" in run(*asked, str(late))[2]


def test_nothing_to_compare_with_is_said_not_refused(company, riskiest):
    cut = "cutoffs.every=3000"
    code, out, _ = run("explain", "-c", str(company.config), "--account", riskiest["account_id"], "--set", cut, "--quiet")
    assert code == 0
    assert "no comparison with" in out
    assert "What changed (" not in out


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # shap 0.51 on matplotlib 3.11
def test_python_gives_what_shap_draws(company, riskiest):
    explained = staypower.explain(company.settings, accounts=(riskiest["account_id"],))
    as_shap = explained.to_shap()
    assert as_shap.shape == (1, len(explained.feature_names)) == as_shap.data.shape
    assert explained.base_values[0] + explained.explanation.contributions.sum() == pytest.approx(
        explained.explanation.raw_scores[0], abs=1e-6
    )
    assert as_shap.base_values.tolist() == explained.base_values.tolist()
    import shap

    shap.plots.waterfall(as_shap[0], show=False)
    labels = " ".join(text.get_text() for axes in plt.gcf().axes for text in axes.get_yticklabels())
    strongest = explained.feature_names[int(np.abs(explained.explanation.contributions[0]).argmax())]
    plt.close("all")
    assert strongest in labels
    shown = explained._repr_html_()
    assert riskiest["account_id"] in shown
    assert explained.reasons(0)[0].sentence.split(";")[0][:20] in shown
    assert explained.frame(2).columns.tolist()[:4] == ["account_id", "reason_1", "lever_1", "contribution_1"]


def test_explaining_does_not_load_shap():
    code = "import sys, staypower.pipelines.explain as e; sys.exit(any(n in sys.modules for n in ('shap', 'matplotlib')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_model_carries_what_leavers_said(company):
    learned = company.result.trained.bundle.learned["reasons"]
    assert any(
        "churned accounts gave a reason found in `explanation.leavers_said`" in n for n in company.result.trained.warnings
    )
    assert learned["leavers"] is None or math.isclose(sum(learned["leavers"]["share"]), 1.0)
