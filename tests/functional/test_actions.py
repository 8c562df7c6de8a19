"""`staypower actions` on files: the list, its summary, the past it learns from, and bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import run

import staypower
from staypower.actions.choosing import choose_for
from staypower.actions.playbook import FEATURE_MEASURES
from staypower.actions.ranking import held_back
from staypower.config.playbooks import load_action_options, load_playbook
from staypower.cutoffs import DAY, instant_of
from staypower.engines.opening import open_tables
from staypower.features.declaring import declare
from staypower.features.settings import FeatureSettings
from staypower.models.bundle import read_bundle
from staypower.models.champion import find_bundle
from staypower.portfolio.customer_value import account_values
from staypower.progress import Progress
from staypower.sources.disk_tables import DiskTables

COLUMNS = [
    "account_id", "name", "cutoff", "rank", "action", "step", "owner", "holdout", "expected_value", "probability_saved",
    "effect", "effect_source", "cost", "lever", "reason", "churn_probability", "value_at_risk", "clv", "mrr", "quadrant",
    "tier", "model_name", "model_version", "run_id",
]  # fmt: skip


@pytest.fixture(scope="module")
def tables(company):
    return staypower.read_tables(company.settings)


@pytest.fixture(scope="module")
def chosen(company, tables):
    return staypower.actions(company.settings, tables, scores=company.result.scored).actions


def test_the_demo_writes_its_list_and_says_whom_first(company, chosen) -> None:
    written = pd.read_parquet(company.root / "demo" / "out" / "actions.parquet")
    assert list(written.columns) == COLUMNS
    assert written["account_id"].is_unique
    pd.testing.assert_frame_equal(written, chosen.table, check_dtype=False)
    said = company.result.text()
    assert "First on the list" in said
    assert chosen.to_do["account_id"].iloc[0] in said
    used = chosen.places.set_index("owner")
    assert (used["used"] <= used["capacity"].fillna(10**9)).all()
    assert 0 < used.loc["customer success", "used"] <= 20


def test_the_money_is_that_of_the_scores(company, chosen) -> None:
    scores = company.result.scored.scores.table.set_index("account_id")
    place = find_bundle(company.settings.models_path, "demo", None)
    base_rate = read_bundle(place.folder, digest=place.digest).metadata["base_rate"]
    listed = chosen.table
    mine = scores.loc[listed["account_id"]]
    values = account_values(
        mine["mrr"].to_numpy(), mine["churn_probability"].to_numpy(), base_rate=base_rate, horizon_days=90, average=6000.0
    )
    assert listed["value_at_risk"].to_numpy() == pytest.approx(values.value_at_risk)
    playbook = load_playbook(company.settings)
    for row in listed.to_dict("records"):
        action = playbook.actions[row["action"]]
        gain = action.value if action.effect is None else row["value_at_risk"] * action.effect
        assert row["expected_value"] == pytest.approx(gain - action.cost)
        assert not action.quadrant or row["quadrant"] in action.quadrant
    assert listed["holdout"].tolist() == held_back(listed["account_id"], share=0.1, seed=0).tolist()


@pytest.fixture
def owners_playbook(tmp_path: Path) -> Path:
    path = tmp_path / "owners.yaml"
    path.write_text(
        "actions:\n"
        "  new_contact: {lever: any, quadrant: any, step: Call., owner: account owner, cost: 1, effect: 0.1,\n"
        "                conditions: {tenure_days: {at_least: 60}}}\n"
    )
    return path


def test_every_feature_that_a_condition_may_ask_for_can_be_built(tables) -> None:
    names = set(declare(tables, FeatureSettings(), cutoff=tables.observed_until).names)
    assert FEATURE_MEASURES - names == {"orders_90d", "pause_over_usual"}  # a company with contracts has no orders


def test_the_command_writes_a_harmless_csv_and_json(company, tmp_path: Path) -> None:
    playbook = tmp_path / "mine.yaml"
    playbook.write_text(
        "actions:\n  call: {lever: any, quadrant: any, step: '=HYPERLINK(1)', owner: '@team', cost: 0, effect: 0.1}\n"
    )
    path = tmp_path / "list.csv"
    code, out, err = run(
        "actions", "-c", str(company.config), "-o", str(path), "--json", "--quiet",
        "--set", f"playbook={playbook}", "--set", "actions.capacity={'@team': 7}", "--set", "actions.holdout=0",
    )  # fmt: skip
    assert code == 0, err
    made = json.loads(out)
    assert made["path"] == str(path)
    assert made["places"] == [{"owner": "@team", "owners": "@team", "capacity": 7, "used": 7, "left": 0}]
    assert made["accounts"] == 7
    assert made["left_out"]["no capacity left"] > 0
    rows = pd.read_csv(path, dtype=str)
    assert len(rows) == 7
    assert set(rows["step"]) == {"'=HYPERLINK(1)"}
    assert set(rows["owner"]) == {"'@team"}
    values = rows["expected_value"].astype(float)
    assert values.is_monotonic_decreasing
    assert made["expected_value"] == pytest.approx(values.sum())


def test_the_summary_says_what_was_left_out_and_that_the_figures_are_assumed(company) -> None:
    code, out, _ = run("actions", "-c", str(company.config), "-o", str(company.root / "list.parquet"), "--quiet")
    assert code == 0
    for words in (
        "scored accounts at 2025-07-01, expected to bring", "Held back at random, not to be acted on:", "Capacity",
        "Without an action",
        "not scored: not_active", "Every effect is assumed", "are assumptions; copy it and write your own", "list: ",
    ):  # fmt: skip
        assert words in " ".join(out.split()), out


def test_past_outreach_cools_down_and_its_planted_effect_is_measured(company, chosen, tmp_path: Path) -> None:
    """Plant a trial in the company's own contracts: acting undoes half of the ends, and is done again and again."""
    data = company.root / "demo" / "data"
    subscriptions = pd.read_parquet(data / "subscriptions.parquet")
    rng = np.random.default_rng(1)
    ids = sorted(subscriptions["account_id"].unique())
    held = dict(zip(ids, held_back(ids, share=0.5, seed=9).tolist(), strict=True))
    start = pd.Timestamp("2025-01-02", tz="UTC")
    ends = subscriptions["ended_at"]
    horizon = (ends >= start) & (ends < start + pd.Timedelta(days=90))
    undone = set(rng.permutation(sorted(subscriptions.loc[horizon, "account_id"].unique()))[::2])
    kept = horizon & subscriptions["account_id"].map(lambda name: name in undone and not held[name])
    subscriptions.loc[kept, "ended_at"] = pd.NaT
    subscriptions.loc[kept, "end_reason"] = None
    subscriptions.to_parquet(tmp_path / "subscriptions.parquet")
    first = chosen.to_do["account_id"].iloc[0]
    trial = pd.DataFrame({"account_id": ids, "at": start, "action": "Plan review", "holdout": [held[name] for name in ids]})
    recent = pd.DataFrame({"account_id": [first], "at": pd.Timestamp("2025-06-29", tz="UTC"), "action": "x", "holdout": False})
    pd.concat([trial, recent]).to_parquet(tmp_path / "outreach.parquet")
    code, out, err = run(
        "actions", "-c", str(company.config), "-o", str(tmp_path / "list.parquet"), "--json", "--quiet",
        "--set", f"tables.outreach.source={tmp_path / 'outreach.parquet'}",
        "--set", f"tables.subscriptions.source={tmp_path / 'subscriptions.parquet'}",
    )  # fmt: skip
    assert code == 0, err
    made = json.loads(out)
    effect = {row["action"]: row for row in made["effects"]["actions"]}["plan_review"]
    assert effect["low"] < 0.5 < effect["high"]
    assert effect["treated"] > 30
    assert effect["source"] == "measured"
    assert effect["used"] != effect["assumed"]
    assert made["left_out"]["cooling down after an earlier action"] >= 1
    assert first not in set(pd.read_parquet(tmp_path / "list.parquet")["account_id"])


def test_an_earlier_cutoff_sees_nothing_later(company, tables, tmp_path: Path) -> None:
    at = "2025-03-03"
    rows = pd.DataFrame(
        {
            "account_id": tables.account_ids,
            "at": pd.Timestamp("2025-03-03T08:00", tz="UTC"),
            "action": "check_in_call",
            "holdout": False,
        }
    )
    rows.to_parquet(tmp_path / "outreach.parquet")
    arguments = ["actions", "-c", str(company.config), "--cutoff", at, "--json", "--quiet", "-o"]
    without = run(*arguments, str(tmp_path / "a.parquet"))
    later = run(*arguments, str(tmp_path / "b.parquet"), "--set", f"tables.outreach.source={tmp_path / 'outreach.parquet'}")
    assert without[0] == later[0] == 0, later[2]
    one, two = (pd.read_parquet(tmp_path / name) for name in ("a.parquet", "b.parquet"))
    pd.testing.assert_frame_equal(one, two)
    assert (instant_of(at) - instant_of("2025-03-03")) == 0 * DAY


def test_accounts_in_buckets_on_disk_get_the_same_list(company, tables, chosen, owners_playbook: Path, tmp_path: Path) -> None:
    outreach = pd.DataFrame(
        {
            "account_id": tables.account_ids,
            "at": pd.Timestamp("2025-01-10", tz="UTC"),
            "action": "new_contact",
            "holdout": held_back(tables.account_ids, share=0.5, seed=1),
        }
    )
    outreach.to_parquet(tmp_path / "outreach.parquet")
    settings = staypower.load_config(
        company.config,
        {"tables.outreach": {"source": str(tmp_path / "outreach.parquet")}, "playbook": str(owners_playbook), "actions": {}},
    )
    bundle = company.result.trained.bundle
    stored = open_tables(
        settings.sources, settings.engine, progress=Progress(quiet=True), buckets=3, folder=tmp_path / "buckets"
    )
    assert isinstance(stored, DiskTables)
    options = load_action_options(settings)
    rows = company.result.scored.scores.table
    whole = choose_for(rows, staypower.read_tables(settings), options, cutoff=chosen.cutoff, bundle=bundle)
    parts = choose_for(rows, stored, options, cutoff=chosen.cutoff, bundle=bundle)
    pd.testing.assert_frame_equal(parts.table, whole.table)
    assert parts.effects == whole.effects
    assert whole.effects.effects["new_contact"].treated > 50
    assert parts.left_out == whole.left_out
    assert whole.table["owner"].nunique() > 3


def test_the_columns_added_to_the_scores_are_those_of_the_list(company, tables, chosen, tmp_path: Path) -> None:
    written = pd.read_parquet(company.result.scored.path)
    listed = written[written["action"].notna()].set_index("account_id")[["action", "holdout"]]
    expected = chosen.table.set_index("account_id")[["action", "holdout"]].sort_index()
    pd.testing.assert_frame_equal(listed, expected, check_dtype=False, check_index_type=False)
    silent = staypower.load_config(company.config, {"playbook": None})
    without = staypower.score(silent, tables, output=tmp_path / "scores.parquet").frame()
    assert not {"action", "holdout"} & set(without.columns)


def test_choosing_loads_nothing_that_scoring_must_not() -> None:
    script = """
import sys
import staypower.actions.choosing
print(*[name for name in ("mlflow", "shap", "matplotlib") if name in sys.modules])
"""
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == ""


def test_orders_and_no_money_at_all(company) -> None:
    """Without subscriptions' revenue the average stands in; without that the probability saved ranks."""
    scores = company.result.scored.scores
    bare = type(scores)(scores.table.drop(columns=["mrr", "clv", "value_at_risk"]), scores.explanation, scores.cutoff)
    tables = staypower.read_tables(company.settings)
    averaged = staypower.actions(company.settings, tables, scores=bare).actions
    assert averaged.without_value == 0
    assert set(averaged.table["clv"]) == {6000.0}
    assert "the average value `costs.clv` is used" in averaged.text(200)
    poor = staypower.load_config(company.config, {"costs": {}})
    ranked = staypower.actions(poor, tables, scores=bare).actions
    assert ranked.without_value == ranked.scored
    about_risk = ranked.table["probability_saved"].dropna()
    assert about_risk.is_monotonic_decreasing
    assert "No account has a monetary value" in ranked.text(200)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("playbook=nowhere.yaml", "playbook not found"),
        ("actions.capacity={'suport': 3}", "write `support`"),
        ("actions.holdot=0.1", "write `holdout`"),
    ],
)
def test_bad_input_exits_with_2(company, override: str, said: str) -> None:
    code, out, err = run("actions", "-c", str(company.config), "--set", override)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_a_strange_ending_is_refused_before_the_work(company) -> None:
    code, _, err = run("actions", "-c", str(company.config), "-o", "list.txt")
    assert code == 2
    assert "let the name end in `.csv`, `.xlsx` or `.parquet`" in err
