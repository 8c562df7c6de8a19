from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from staypower.errors import UsageError
from staypower.models.bundle import read_bundle, write_bundle
from staypower.models.champion import find_bundle, read_champion, read_versions
from staypower.models.churn import ChurnClassifier
from staypower.tracking import ModelVersion, Tracker, TrackingSettings

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


@pytest.fixture
def tracker(root: Path, request: pytest.FixtureRequest) -> Tracker:
    """One store for all tests, since making one takes seconds; a model name for each."""
    return Tracker(TrackingSettings(experiment="all"), root, name=request.node.name.replace("[", "-").replace("]", ""))


@functools.cache
def fitted(seed: int) -> tuple[ChurnClassifier, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(200, 2)), columns=["usage_28d", "csat"])
    return ChurnClassifier(max_trees=5).fit(X, (X["usage_28d"] > 0).to_numpy().astype(int)), X


def trained(tracker: Tracker, folder: Path, seed: int, split: str = "temporal") -> tuple[ModelVersion, str]:
    model, X = fitted(seed)
    bundle = model.to_bundle(metadata={"name": tracker.name, "seed": seed})
    path = folder / f"bundle-{seed}"
    digest = write_bundle(bundle, path)
    with tracker.run("train") as run:
        run.log_model(bundle.booster, X.head(5), bundle=path)
    metrics = {"auroc": 0.5 + seed / 100, "lift": {"5%": 2.0}, "missing": float("nan")}
    return tracker.register(path, digest, run.run_id, metrics, split=split), digest


def test_the_first_version_becomes_champion_and_a_later_one_does_not(tracker: Tracker, tmp_path: Path) -> None:
    first, digest = trained(tracker, tmp_path, 1)
    second, _ = trained(tracker, tmp_path, 2)
    assert (first.version, first.champion, first.note) == ("1", True, "")
    assert (second.version, second.champion) == ("2", False)
    assert "staypower models promote 2`" in second.note
    lock = read_champion(tracker.models_folder, tracker.name)
    assert (lock.version, lock.digest, lock.previous) == ("1", digest, None)
    place = find_bundle(tracker.models_folder, tracker.name)
    assert place.folder == tracker.models_folder / tracker.name / "1"
    assert read_bundle(place.folder, digest=place.digest).metadata["seed"] == 1


def test_mlflow_shows_version_alias_tags_signature_and_run(tracker: Tracker, tmp_path: Path) -> None:
    import mlflow

    version, digest = trained(tracker, tmp_path, 1)
    client = tracker.store.client
    seen = client.get_model_version_by_alias(tracker.name, "champion")
    assert str(seen.version) == version.version
    assert seen.tags["digest"] == digest
    assert seen.tags["split"] == "temporal"
    assert seen.tags["metric.auroc"] == "0.51"
    assert seen.tags["promoted_because"] == "the first version"
    assert client.get_run(seen.run_id).data.tags["kind"] == "train"
    assert {item.path for item in client.list_artifacts(seen.run_id, "bundle")} >= {"bundle/model.txt", "bundle/manifest.json"}
    assert seen.source.startswith("models:/m-")
    logged = client.get_logged_model(seen.source.removeprefix("models:/"))
    assert logged.source_run_id == seen.run_id
    assert json.loads(logged.tags["mlflow.modelVersions"]) == [{"name": tracker.name, "version": int(version.version)}]
    signature = mlflow.models.Model.load(logged.artifact_location.removeprefix("file://")).signature
    assert signature.inputs.input_names() == ["usage_28d", "csat"]


def test_promote_and_rollback(tracker: Tracker, tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        trained(tracker, tmp_path, seed)
    tracker.promote("2", reason="better")
    lock = tracker.promote("3")
    assert lock.history == ("1", "2")
    assert tracker.promote("3").history == ("1", "2"), "promoting the champion again changes nothing"
    versions = tracker.list_versions()
    assert versions["version"].tolist() == ["3", "2", "1"]
    assert versions["champion"].tolist() == [True, False, False]
    assert versions["metric.auroc"].tolist() == [0.53, 0.52, 0.51]
    assert "metric.missing" not in versions.columns
    assert tracker.rollback().version == "2"
    assert tracker.rollback().version == "1"
    assert str(tracker.store.client.get_model_version_by_alias(tracker.name, "champion").version) == "1"
    with pytest.raises(UsageError, match="no champion before this one"):
        tracker.rollback()
    assert tracker.store.client.get_model_version(tracker.name, "2").tags["promoted_because"] == "rollback from version 3"
    written = json.loads((tracker.models_folder / tracker.name / "champion.json").read_text())
    assert set(written) >= {"version", "digest", "run_id", "promoted_at", "previous"}


def test_a_snapshot_model_is_usable_but_needs_force_to_become_champion(tracker: Tracker, tmp_path: Path) -> None:
    version, digest = trained(tracker, tmp_path, 1, split="snapshot")
    assert not version.champion
    assert "`staypower models promote 1 --force`, or `staypower score --model 1`" in version.note
    with pytest.raises(UsageError, match=r"no champion: .*staypower models promote 1 --force.*this once with `--model 1`"):
        find_bundle(tracker.models_folder, tracker.name)
    assert find_bundle(tracker.models_folder, tracker.name, "1").digest == digest
    with pytest.raises(UsageError, match="no temporal test"):
        tracker.promote("1")
    assert tracker.promote("1", force=True, reason="only a snapshot").version == "1"
    assert find_bundle(tracker.models_folder, tracker.name).digest == digest


def test_the_first_version_with_a_temporal_test_becomes_champion_after_snapshots(tracker: Tracker, tmp_path: Path) -> None:
    trained(tracker, tmp_path, 1, split="snapshot")
    assert trained(tracker, tmp_path, 2)[0].champion


def test_faults_of_promote(tracker: Tracker, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="train a model first"):
        tracker.promote("1")
    with pytest.raises(UsageError, match="train a model first"):
        tracker.rollback()
    assert tracker.list_versions().empty
    trained(tracker, tmp_path, 1)
    version, _ = trained(tracker, tmp_path, 2)
    with pytest.raises(UsageError, match="use one of `1`, `2`"):
        tracker.promote("9")
    (version.folder / "learnt.json").write_text('{"planted": 1}')
    with pytest.raises(UsageError, match="altered"):
        tracker.promote("2")
    assert read_champion(tracker.models_folder, tracker.name).version == "1"


def test_a_bundle_that_is_not_the_sealed_one_is_not_registered(tracker: Tracker, tmp_path: Path) -> None:
    version, _ = trained(tracker, tmp_path, 1)
    with tracker.run("train") as run:
        pass
    with pytest.raises(UsageError, match="not the one that was sealed"):
        tracker.register(version.folder, "0" * 64, run.run_id, {})
    assert len(tracker.list_versions()) == 1


def test_a_run_that_logged_no_model_can_be_registered(tracker: Tracker, tmp_path: Path) -> None:
    version, digest = trained(tracker, tmp_path, 1)
    with tracker.run("train") as run:
        pass
    second = tracker.register(version.folder, digest, run.run_id, {})
    assert second.version == "2"
    assert tracker.list_versions()["run_id"].tolist()[0] == run.run_id


def test_a_store_begun_anew_overwrites_no_bundle(tmp_path: Path) -> None:
    tracker = Tracker(TrackingSettings(folder="old"), tmp_path, name="acme")
    for seed in (1, 2):
        _, digest = trained(tracker, tmp_path / "first", seed)
    tracker.promote("2")
    again = Tracker(TrackingSettings(folder="new"), tmp_path, name="acme")
    version, _ = trained(again, tmp_path / "again", 3)
    assert version.version == "1"
    assert not version.champion, "version 2 is still in place and scores"
    place = find_bundle(again.models_folder, "acme")
    assert read_bundle(place.folder, digest=place.digest).metadata["seed"] == 2
    kept = [path.name for path in (again.models_folder / "acme").iterdir() if path.name.startswith("1.before-")]
    assert len(kept) == 1
    assert read_versions(again.models_folder, "acme")["2"].digest == digest
