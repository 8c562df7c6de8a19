from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from small_bundle import FEATURES, small_bundle

from staypower.errors import UsageError
from staypower.models.bundle import read_bundle, write_bundle
from staypower.models.champion import ChampionLock, find_bundle, read_champion
from staypower.models.versions import ModelVersion, user_name
from staypower.tracking.listing import list_versions
from staypower.tracking.settings import TrackingSettings
from staypower.tracking.tracker import Tracker
from staypower.tracking.waiting import WrittenRun

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


@pytest.fixture
def tracker(root: Path, request: pytest.FixtureRequest) -> Tracker:
    """One store for all tests, since making one takes seconds; a model name for each."""
    return Tracker(TrackingSettings(experiment="all"), root, name=request.node.name.replace("[", "-").replace("]", ""))


FACTS = {
    "learned_from": "2024-01-01 to 2024-03-01",
    "learned_rows": "9 rows",
    "tested_at": "2024-06-01",
    "tested_rows": "3 rows",
}


def trained(tracker: Tracker, folder: Path, seed: int, split: str = "temporal", unfit: str = "") -> tuple[ModelVersion, str]:
    bundle = small_bundle(seed)
    path = folder / f"bundle-{seed}"
    digest = write_bundle(bundle, path)
    metrics = {"auroc": 0.5 + seed / 100, "lift.5_": 2.0}
    version = tracker.versions.add(path, digest, metrics, split=split, facts=FACTS, unfit=unfit)
    run = WrittenRun(folder / f"run-{seed}")
    run.log_text("of the training", "note.txt")
    tracker.keep(version.version, run)
    assert tracker.mirror() == ()
    return version, digest


def champion_digest(tracker: Tracker) -> str:
    return read_champion(tracker.versions.models_folder, tracker.name).digest


def promoted(tracker: Tracker, version: str, reason: str = "won") -> ChampionLock:
    """Promote as after a comparison with the champion of now."""
    lock = tracker.versions.promote(version, reason=reason, against=champion_digest(tracker))
    assert tracker.mirror() == ()
    return lock


def test_the_first_version_becomes_champion_and_a_later_one_does_not(tracker: Tracker, tmp_path: Path) -> None:
    first, digest = trained(tracker, tmp_path, 1)
    second, _ = trained(tracker, tmp_path, 2)
    assert (first.version, first.champion, first.note) == ("1", True, "")
    assert (second.version, second.champion) == ("2", False)
    assert "staypower models promote 2`" in second.note
    lock = read_champion(tracker.versions.models_folder, tracker.name)
    assert (lock.version, lock.digest, lock.previous) == ("1", digest, None)
    place = find_bundle(tracker.versions.models_folder, tracker.name)
    assert place.folder == tracker.versions.models_folder / tracker.name / "1"
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
    assert seen.tags["tested_rows"] == "3 rows"
    assert seen.tags["promoted_by"] == user_name()
    assert seen.tags["promoted_by_force"] == "no"
    assert seen.source.startswith("models:/m-")
    logged = client.get_logged_model(seen.source.removeprefix("models:/"))
    assert logged.source_run_id == seen.run_id
    assert json.loads(logged.tags["mlflow.modelVersions"]) == [{"name": tracker.name, "version": int(version.version)}]
    folder = Path(logged.artifact_location.removeprefix("file://"))
    assert mlflow.models.Model.load(str(folder)).signature.inputs.input_names() == ["account_id", *FEATURES]
    sealed = next(folder.rglob("manifest.json")).parent
    assert read_bundle(sealed, digest=digest) == small_bundle(1), "the logged model is the sealed bundle itself"


def test_promote_and_rollback(tracker: Tracker, tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        trained(tracker, tmp_path, seed)
    promoted(tracker, "2", "better")
    assert tracker.store.client.get_model_version(tracker.name, "2").tags["promoted_because"] == "better"
    lock = tracker.versions.promote("3", reason="a trial", forced=True, comparison={"wins": False})
    assert (lock.history, lock.forced, lock.promoted_by, lock.comparison) == (("1", "2"), "yes", user_name(), {"wins": False})
    assert read_champion(tracker.versions.models_folder, tracker.name) == lock
    tracker.mirror()
    assert tracker.store.client.get_model_version(tracker.name, "3").tags["promoted_by_force"] == "yes"
    assert tracker.versions.promote("3") == lock, "promoting the champion again changes nothing"
    versions = list_versions(tracker.versions.models_folder, tracker.name).frame()
    assert versions["version"].tolist() == ["3", "2", "1"]
    assert versions["champion"].tolist() == [True, False, False]
    assert versions["metric.auroc"].tolist() == [0.53, 0.52, 0.51]
    assert "metric.missing" not in versions.columns
    assert versions["learned_from"].tolist() == ["2024-01-01 to 2024-03-01"] * 3
    assert versions["promoted_because"].tolist() == ["a trial", "better", "the first version"]
    assert tracker.versions.rollback().version == "2"
    tracker.mirror()
    assert tracker.versions.rollback().version == "1"
    tracker.mirror()
    assert str(tracker.store.client.get_model_version_by_alias(tracker.name, "champion").version) == "1"
    with pytest.raises(UsageError, match="no champion before this one"):
        tracker.versions.rollback()
    assert tracker.store.client.get_model_version(tracker.name, "2").tags["promoted_because"] == "rollback from version 3"
    written = json.loads((tracker.versions.models_folder / tracker.name / "champion.json").read_text())
    assert set(written) >= {"version", "digest", "run_id", "promoted_at", "previous"}


def test_a_snapshot_model_is_usable_but_needs_force_to_become_champion(tracker: Tracker, tmp_path: Path) -> None:
    version, digest = trained(tracker, tmp_path, 1, split="snapshot")
    assert not version.champion
    assert "`staypower models promote 1 --force --reason TEXT`, or `staypower score --model 1`" in version.note
    with pytest.raises(UsageError, match=r"no champion: .*staypower models promote 1 --force.*this once with `--model 1`"):
        find_bundle(tracker.versions.models_folder, tracker.name)
    assert find_bundle(tracker.versions.models_folder, tracker.name, "1").digest == digest
    with pytest.raises(UsageError, match="no temporal test"):
        tracker.versions.promote("1")
    with pytest.raises(UsageError, match="force without a reason"):
        tracker.versions.promote("1", forced=True, reason=" ")
    assert tracker.versions.promote("1", forced=True, reason="only a snapshot").version == "1"
    assert find_bundle(tracker.versions.models_folder, tracker.name).digest == digest


def test_the_first_version_with_a_temporal_test_becomes_champion_after_snapshots(tracker: Tracker, tmp_path: Path) -> None:
    trained(tracker, tmp_path, 1, split="snapshot")
    assert trained(tracker, tmp_path, 2)[0].champion


def test_a_first_version_that_is_not_fit_waits_for_force(tracker: Tracker, tmp_path: Path) -> None:
    version, _ = trained(tracker, tmp_path, 1, unfit="is not fit to be champion by itself: too little")
    assert not version.champion
    assert "version 1 is not fit to be champion by itself: too little: `staypower models promote 1 --force" in version.note
    with pytest.raises(
        UsageError, match=r"this version is not fit to be champion by itself: too little.*--force --reason TEXT"
    ):
        tracker.versions.promote("1")
    assert list_versions(tracker.versions.models_folder, tracker.name).frame()["unfit"].tolist() == [
        "is not fit to be champion by itself: too little"
    ]
    assert trained(tracker, tmp_path, 2)[0].champion, "the first one that is fit"


def test_a_champion_that_changed_meanwhile_is_not_overthrown(tracker: Tracker, tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        trained(tracker, tmp_path, seed)
    compared_with = champion_digest(tracker)
    promoted(tracker, "2")
    with pytest.raises(UsageError, match=r"not compared with the champion that scores now: .* 2\. Fix: .*promote 3`"):
        tracker.versions.promote("3", against=compared_with)
    with pytest.raises(UsageError, match="not compared with the champion"):
        tracker.versions.promote("3")
    assert read_champion(tracker.versions.models_folder, tracker.name).version == "2"


def test_two_promotions_at_once_leave_one_champion_and_whole_locks(tracker: Tracker, tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        trained(tracker, tmp_path, seed)
    against = champion_digest(tracker)

    def promote(version: str) -> str:
        try:
            return tracker.versions.promote(version, against=against).version
        except UsageError as error:
            return error.problems[0].problem

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(promote, ("2", "3")))
    lock = read_champion(tracker.versions.models_folder, tracker.name)
    assert outcomes == [lock.version, "not compared with the champion that scores now"]
    assert lock.history == ("1",)


def test_problems_of_promote(tracker: Tracker, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="train a model first"):
        tracker.versions.promote("1")
    with pytest.raises(UsageError, match="train a model first"):
        tracker.versions.rollback()
    assert list_versions(tracker.versions.models_folder, tracker.name).frame().empty
    trained(tracker, tmp_path, 1)
    version, _ = trained(tracker, tmp_path, 2)
    with pytest.raises(UsageError, match="use one of `1`, `2`"):
        tracker.versions.promote("9")
    (version.folder / "learned.json").write_text('{"planted": 1}')
    with pytest.raises(UsageError, match="altered"):
        tracker.versions.promote("2")
    assert read_champion(tracker.versions.models_folder, tracker.name).version == "1"


def test_a_bundle_that_is_not_the_sealed_one_is_not_added(tracker: Tracker, tmp_path: Path) -> None:
    version, _ = trained(tracker, tmp_path, 1)
    with pytest.raises(UsageError, match="not the one that was sealed"):
        tracker.versions.add(version.folder, "0" * 64, {})
    assert len(list_versions(tracker.versions.models_folder, tracker.name).frame()) == 1


def added(tracker: Tracker, folder: Path, seed: int) -> ModelVersion:
    digest = write_bundle(small_bundle(seed), folder / f"bundle-{seed}")
    return tracker.versions.add(folder / f"bundle-{seed}", digest, {"auroc": 0.5 + seed / 100}, facts=FACTS)


def test_a_store_begun_anew_takes_no_number_back_and_no_champion_away(tmp_path: Path) -> None:
    tracker = Tracker(TrackingSettings(folder="old"), tmp_path, name="acme")
    for seed in (1, 2):
        trained(tracker, tmp_path / "first", seed)
    promoted(tracker, "2")
    before = {path.name: path.read_bytes() for path in (tracker.versions.folder / "1").iterdir()}
    lock = read_champion(tracker.versions.models_folder, "acme")
    again = Tracker(TrackingSettings(folder="new"), tmp_path, name="acme")
    version = added(again, tmp_path, 3)
    assert (version.version, version.champion) == ("3", False)
    assert again.mirrored() == tuple(
        f"this tracking store did not know version {number}: it is logged there now" for number in (1, 2)
    )
    assert again.mirrored() == ()
    assert read_champion(again.versions.models_folder, "acme") == lock
    assert {path.name: path.read_bytes() for path in (again.versions.folder / "1").iterdir()} == before
    seen = again.store.client.search_model_versions("name='acme'")
    assert sorted((str(one.version), one.tags["digest"]) for one in seen) == [
        (record.version, record.digest) for record in again.versions.records().values()
    ]
    assert str(again.store.client.get_model_version_by_alias("acme", "champion").version) == "2"
    assert again.versions.rollback().version == "1"


def test_what_could_not_be_logged_waits_and_is_logged_later(tracker: Tracker, tmp_path: Path) -> None:
    away = Tracker(TrackingSettings(uri="http://ann:s3cret@127.0.0.1:9"), tracker.root, name=tracker.name)
    run = WrittenRun(tmp_path / "run")
    run.log_settings({"label": {"horizon": 90}})
    run.log_text("of the training", "notes/note.txt")
    run.log_metrics({"loss": 0.5}, step=2)
    version = added(away, tmp_path, 1)
    away.keep(version.version, run)
    (said,) = away.mirrored()
    assert said.startswith("not logged yet (the tracking store cannot be used: http://ann:***@127.0.0.1:9 (")
    assert "s3cret" not in said
    assert version.champion
    assert list_versions(away.versions.models_folder, tracker.name).frame()["run_id"].tolist() == [""]
    with tracker.run("evaluate"):
        pass
    record = tracker.versions.records()["1"]
    client = tracker.store.client
    seen = client.get_run(record.run_id)
    assert (seen.data.params["label.horizon"], seen.data.metrics["loss"]) == ("90", 0.5)
    assert Path(client.download_artifacts(record.run_id, "notes/note.txt")).read_text() == "of the training"
    assert str(client.get_model_version_by_alias(tracker.name, "champion").version) == "1"
    assert not (tracker.versions.folder / "waiting" / "1").exists()
    assert tracker.mirrored() == ()


def test_a_kill_between_sealing_and_logging_leaves_a_version_that_is_logged_with_what_is_known(
    tracker: Tracker, tmp_path: Path
) -> None:
    added(tracker, tmp_path, 1)
    assert tracker.mirror() == ()
    assert tracker.store.client.get_run(tracker.versions.records()["1"].run_id).data.metrics == {"auroc": 0.51}


def test_a_kill_after_registering_logs_nothing_twice(tracker: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    added(tracker, tmp_path, 1)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("staypower.models.versions.ModelVersions.logged", die)
        with pytest.raises(KeyboardInterrupt):
            tracker.mirror()
    assert tracker.mirror() == ()
    (seen,) = tracker.store.client.search_model_versions(f"name='{tracker.name}'")
    assert tracker.versions.records()["1"].run_id == seen.run_id


def test_numbers_and_unfinished_work_of_killed_processes(tracker: Tracker, tmp_path: Path) -> None:
    added(tracker, tmp_path, 1)
    # killed while sealing, while writing the records, and between the two
    (tracker.versions.folder / ".2.abc.building").mkdir()
    (tracker.versions.folder / ".versions.json.abc.tmp").write_text("half")
    write_bundle(small_bundle(2), tracker.versions.folder / "2")
    assert added(tracker, tmp_path, 3).version == "3"
    assert tracker.mirror() == ()
    names = {path.name for path in tracker.versions.folder.iterdir()}
    assert not {name for name in names if name.startswith(".") and name != ".lock"}
    found = tracker.store.client.search_model_versions(f"name='{tracker.name}'")
    assert sorted(str(one.version) for one in found) == ["1", "3"]


def test_an_alias_that_was_moved_in_mlflow_follows_the_champion_again(tracker: Tracker, tmp_path: Path) -> None:
    for seed in (1, 2):
        trained(tracker, tmp_path, seed)
    tracker.store.client.set_registered_model_alias(tracker.name, "champion", "2")
    assert tracker.mirror() == ("MLflow's alias `champion` stood at version 2: it follows version 1 again",)
    assert str(tracker.store.client.get_model_version_by_alias(tracker.name, "champion").version) == "1"


def test_a_champion_file_that_cannot_be_read_is_no_vacancy(tracker: Tracker, tmp_path: Path) -> None:
    added(tracker, tmp_path, 1)
    (tracker.versions.folder / "champion.json").write_text("{")
    with pytest.raises(UsageError):
        added(tracker, tmp_path, 2)
    assert (tracker.versions.folder / "champion.json").read_text() == "{"
