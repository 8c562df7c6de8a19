"""`staypower monitor` on real files: whether to train again, its history, what is logged and what the report draws."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest
from command_line import run

import staypower
from staypower.cutoffs import instant_of
from staypower.errors import UsageError
from staypower.monitoring.history import read_history
from staypower.tracking.store import MlflowClient


@pytest.fixture(scope="module")
def copied(company, tmp_path_factory):
    """A copy of the company, so that its history is this module's own."""
    root = tmp_path_factory.mktemp("monitored") / "company"
    for name in ("demo", "models", "mlruns"):
        shutil.copytree(company.root / name, root / name)
    return root / "demo"


@pytest.fixture(scope="module")
def monitored(copied):
    """The model at the end of the data."""
    return staypower.monitor(copied / "staypower.yaml")


def test_it_says_whether_to_train_again_and_why(monitored):
    text = monitored.text()
    assert text.startswith("Retrain: yes, because" if monitored.retrain else "Retrain: no, because")
    assert int(monitored.exit_code) == (1 if monitored.retrain else 0)
    assert "Expected of the scores" in text
    frame = monitored.frame()
    assert set(frame["figure"]) == {"auroc", "log_loss", "churn_rate", "calibration_error"}
    everyone = frame[(frame["slice"] == "all") & (frame["figure"] == "auroc")]
    assert ((everyone["low"] < everyone["expected"]) & (everyone["expected"] < everyone["high"])).all()
    assert len(set(frame["slice"])) > 1
    assert set(monitored.pictures()) == {"performance", "drift"}


def test_outcomes_that_the_model_knows_are_no_test_of_it(monitored):
    age = monitored.monitoring.age
    assert all(month.cutoff >= age.newest_outcome for month in monitored.monitoring.mature)


def test_history_is_kept_once_per_cutoff_and_drawn(copied, monitored):
    config = copied / "staypower.yaml"
    earlier = staypower.monitor(config, cutoff="2025-05-31")
    again = staypower.monitor(config, cutoff="2025-05-31")
    months = json.loads(again.path.read_text())["months"]
    assert [entry["cutoff"] for entry in months] == ["2025-05-31", "2025-07-01"]
    assert earlier.monitoring.cutoff == instant_of("2025-05-31")
    assert all({"expected", "moved", "retrain", "reasons"} <= set(entry) for entry in months)
    page = staypower.report(config, pages=0).path.read_text(encoding="utf-8")
    assert "Month by month" in page
    assert "with the 95% interval of what will be observed" in page


def test_it_is_logged_where_a_store_is(copied, monitored):
    assert all("moved from" in said for said in monitored.tracking)
    client = MlflowClient(f"sqlite:///{copied.parent / 'mlruns' / 'mlflow.db'}")
    experiments = [one.experiment_id for one in client.search_experiments()]
    runs = client.search_runs(experiments, "tags.kind = 'monitor'") or [
        one for one in client.search_runs(experiments) if "expected_auroc" in one.data.metrics
    ]
    assert runs
    value = monitored.monitoring.now.all.figures["auroc"].value
    assert any(one.data.metrics["expected_auroc"] == pytest.approx(value) for one in runs)


def test_buckets_find_what_memory_finds(copied, monitored):
    words = ["monitor", "-c", str(copied / "staypower.yaml"), "--set", "engine.buckets=3", "--json", "--quiet"]
    code, out, _ = run(*words)
    assert code == int(monitored.exit_code)
    found = json.loads(out)
    assert found["now"]["all"]["expected"]["auroc"]["value"] == pytest.approx(
        monitored.monitoring.now.all.figures["auroc"].value, abs=1e-12
    )
    before = {row["feature"]: row for row in monitored.monitoring.drift.to_dict()["rows"]}
    for row in found["drift"]["rows"]:
        assert row["psi"] == pytest.approx(before[row["feature"]]["psi"], abs=1e-9)


def test_without_a_store_nothing_is_made(copied, tmp_path):
    root = tmp_path / "company"
    for name in ("demo", "models"):
        shutil.copytree(copied.parent / name, root / name)
    staypower.monitor(root / "demo" / "staypower.yaml")
    assert not (root / "mlruns").exists()


def test_data_gone_bad_are_to_be_repaired_first(copied, tmp_path):
    usage = pd.read_parquet(copied / "data" / "usage.parquet")
    at = pd.to_datetime(usage["at"], utc=True)
    usage[at < at.max() - pd.Timedelta(days=60)].to_parquet(tmp_path / "usage.parquet")
    root = tmp_path / "company"
    for name in ("demo", "models"):
        shutil.copytree(copied.parent / name, root / name)
    shutil.copy(tmp_path / "usage.parquet", root / "demo" / "data" / "usage.parquet")
    code, out, _ = run("monitor", "-c", str(root / "demo" / "staypower.yaml"), "--quiet")
    assert code == 1
    assert "Retrain: no, because the data must be repaired first" in " ".join(out.split())
    assert "usage: ends 60 days before the cutoff" in " ".join(out.split())


def test_a_broken_history_is_told_with_its_place(tmp_path):
    path = tmp_path / "monitoring.json"
    path.write_text("{")
    with pytest.raises(UsageError, match="not a history of monitoring"):
        read_history(path)
    assert read_history(tmp_path / "none.json") == []
