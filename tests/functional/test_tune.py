"""`staypower tune` on the demo company."""

from __future__ import annotations

import json

import pytest
import yaml
from command_line import run


@pytest.fixture(scope="module")
def tuned(company, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned")
    common = (
        "-c",
        str(company.config),
        "--quiet",
        "--set",
        f"output.folder={folder}",
        "--set",
        f"tracking.folder={folder / 'runs'}",
    )
    code, out, err = run("tune", *common, "--trials", "3", "--json")
    assert code == 0, err
    return common, json.loads(out), folder


def test_the_defaults_are_tried_first_and_the_best_is_written(tuned):
    _, said, folder = tuned
    assert [trial["number"] for trial in said["trials"]] == [0, 1, 2]
    assert said["trials"][0]["settings"] == {}
    written = yaml.safe_load((folder / "tuned.yaml").read_text(encoding="utf-8"))
    assert (written or {}).get("model", {}) == said["best"]
    assert said["best_loss"] <= said["default_loss"]


def test_the_search_sees_nothing_of_the_test(tuned):
    _, said, _ = tuned
    assert max(said["folds"]) < min(said["test"])


def test_it_goes_on_where_it_stopped(tuned):
    common, said, _ = tuned
    code, out, err = run("tune", *common, "--trials", "4", "--resume", "--json")
    assert code == 0, err
    assert json.loads(out)["trials"][:3] == said["trials"]
    assert len(json.loads(out)["trials"]) == 4


def test_every_trial_is_a_child_run(tuned):
    mlflow = pytest.importorskip("mlflow")
    _, said, folder = tuned
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'runs' / 'mlflow.db'}")
    experiments = [each.experiment_id for each in client.search_experiments()]
    children = client.search_runs(experiments, f"tags.`mlflow.parentRunId` = '{said['run_id']}'")
    assert len(children) == 3


def test_a_budget_of_nothing_is_refused(tuned):
    code, _, err = run("tune", *tuned[0], "--trials", "0")
    assert code == 2
    assert "`trials` cannot be used: 0. Fix: give a whole number of at least 2" in err
