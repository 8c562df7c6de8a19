"""`staypower tune` on the demo company."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from command_line import run

FLAT = """
name: flat
observed_until: 2024-12-31
tables:
  accounts: {source: accounts.csv, account_id: id, static: all}
label: {kind: given, flag: left, positive: "yes", at: 2024-12-31}
model: {max_trees: 60, threads: 1}
"""
# what is searched is what every company searches; fewer cutoffs, features and trees make a trial quick
QUICK = ("cutoffs.every=60", "features.windows=[90]", "model.max_trees=60", "evaluation.bootstrap=20")


@pytest.fixture(scope="module")
def tuned(company, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned")
    own = (f"output.folder={folder}", f"tracking.folder={folder / 'runs'}", *QUICK)
    common = ("-c", str(company.config), "--quiet", *(word for each in own for word in ("--set", each)))
    code, out, err = run("tune", *common, "--trials", "2", "--json")
    assert code == 0, err
    return common, json.loads(out), folder


def test_the_defaults_are_tried_first_and_the_best_is_written(tuned):
    _, said, folder = tuned
    assert [trial["number"] for trial in said["trials"]] == [0, 1]
    assert said["trials"][0]["settings"] == {}
    written = yaml.safe_load((folder / "tuned.yaml").read_text(encoding="utf-8"))
    assert (written or {}).get("model", {}) == said["best"]
    assert said["best_loss"] <= said["default_loss"]


def test_the_search_sees_nothing_of_the_test(tuned):
    _, said, _ = tuned
    assert max(said["folds"]) < min(said["test"])


def test_it_goes_on_where_it_stopped(tuned):
    common, said, _ = tuned
    code, out, err = run("tune", *common, "--trials", "3", "--resume", "--json")
    assert code == 0, err
    assert json.loads(out)["trials"][:2] == said["trials"]
    assert len(json.loads(out)["trials"]) == 3


def test_every_trial_is_a_child_run(tuned):
    mlflow = pytest.importorskip("mlflow")
    _, said, folder = tuned
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'runs' / 'mlflow.db'}")
    experiments = [each.experiment_id for each in client.search_experiments()]
    children = client.search_runs(experiments, f"tags.`mlflow.parentRunId` = '{said['run_id']}'")
    assert len(children) == 2


def test_a_budget_of_nothing_is_refused(tuned):
    code, _, err = run("tune", *tuned[0], "--trials", "0")
    assert code == 2
    assert "`trials` cannot be used: 0. Fix: give a whole number of at least 2" in err


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """Search the settings of a flat table with a flag."""
    root = tmp_path_factory.mktemp("flat")
    rng = np.random.default_rng(0)
    use = rng.normal(size=600)
    left = np.where(rng.random(600) < 1 / (1 + np.exp(1.5 - 2 * use)), "yes", "no")
    frame = pd.DataFrame({"id": [f"a{n}" for n in range(600)], "use": use, "age": rng.integers(18, 80, 600), "left": left})
    frame.to_csv(root / "accounts.csv", index=False)
    (root / "staypower.yaml").write_text(FLAT)
    code, out, err = run("tune", "-c", str(root / "staypower.yaml"), "--quiet", "--trials", "2", "--json")
    assert code == 0, err
    code, text, _ = run("tune", "-c", str(root / "staypower.yaml"), "--quiet", "--trials", "2")
    assert code == 0
    return json.loads(out), " ".join(text.split())


def test_a_snapshot_is_tuned_on_parts_of_its_training_accounts(flat):
    said, text = flat
    assert said["folds"] == [f"part {n} of 3 of the training accounts" for n in (1, 2, 3)]
    assert said["trials"][0]["state"] == "complete"
    assert 0 < said["best_loss"] <= said["default_loss"] < 0.69
    assert "Folds tested on part 1 of 3 of the training accounts" in text
    assert "later cutoffs" not in text
