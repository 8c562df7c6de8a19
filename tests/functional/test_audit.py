"""`staypower audit` on real files: what it prints, how it exits, and the run it leaves behind."""

import json
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from typer.testing import CliRunner

import staypower
from staypower.cli.commands import app
from staypower.simulation.company import simulate_to

CONFIG = """\
name: acme
observed_until: 2024-06-30
tables:
  accounts: {source: data/accounts.parquet}
  usage: {source: data/usage.parquet}
  tickets: {source: data/tickets.parquet, fixed: [priority]}
  subscriptions: {source: data/subscriptions.parquet}
  payments: {source: data/payments.parquet}
label: {kind: contractual, horizon: 60, grace: 30}
cutoffs: {min_history: 60}
features: {windows: [28, 90], top_events: 2}
"""
INTERVIEWS = (
    "  exit_interviews: {source: data/interviews.csv, time: at, columns: {mood: number}, account_id: id, at: on, mood: mood}\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("audited")
    simulate_to(place / "data", accounts=220, months=18, seed=3, cutoffs=())
    (place / "staypower.yaml").write_text(CONFIG)
    subscriptions = pd.read_parquet(place / "data" / "subscriptions.parquet")
    ended = subscriptions.groupby("account_id")["ended_at"].max()
    renewed = subscriptions[subscriptions["ended_at"].isna()].groupby("account_id")["started_at"].max()
    gone = sorted(set(ended.dropna().index) - set(renewed.index))
    pd.DataFrame({"id": gone, "on": "2023-01-02", "mood": 1}).to_csv(place / "data" / "interviews.csv", index=False)
    (place / "leaky.yaml").write_text(CONFIG.replace("label:", INTERVIEWS + "label:"))
    return place


def run(folder: Path, config: str, *options: str):
    return CliRunner().invoke(app, ["audit", "-c", str(folder / config), "--quiet", *options])


def test_a_clean_company_is_passed_and_the_run_is_tracked(folder):
    result = run(folder, "staypower.yaml")
    assert result.exit_code == 0, result.output
    assert "Audit of acme: nothing failed (5 passed, 1 unproven, 1 not applicable)" in result.stdout
    run_id = result.stdout.split("run: ")[1].strip()
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")
    tracked = client.get_run(run_id)
    assert tracked.data.tags["kind"] == "audit"
    assert tracked.data.tags["time travel"] == "passed"
    assert tracked.data.metrics["audit.failed"] == 0.0
    names = {file.path for file in client.list_artifacts(run_id, "audit")}
    assert names == {"audit/audit.txt", "audit/audit.json", "audit/audit.csv"}


def test_a_table_exported_after_the_fact_fails_the_audit_in_json_too(folder):
    result = run(folder, "leaky.yaml", "--json")
    assert result.exit_code == 1, result.output
    said = json.loads(result.stdout)
    assert "presence" in said["failed"]
    presence = next(check for check in said["checks"] if check["check"] == "presence")
    assert "`exit_interviews`" in presence["evidence"][0]
    assert next(check for check in said["checks"] if check["check"] == "time travel")["status"] == "passed"


def test_unusable_input_is_refused_without_a_run(folder):
    result = run(folder, "staypower.yaml", "--set", "label.horizon=4000")
    assert result.exit_code == 2
    assert "history too short" in result.output


def test_the_same_from_python(folder):
    settings = staypower.load_config(folder / "staypower.yaml", ("features.families=[usage]",))
    report = staypower.audit(settings, staypower.read_tables(settings), every_cutoff=True).report
    assert report.failed == ()
    assert report.frame()["check"].tolist()[0] == "time travel"
    assert report["time travel"].details["trips"][-1]["cutoff"] == "2024-04-02"
    assert len(report["time travel"].details["trips"]) > 6
