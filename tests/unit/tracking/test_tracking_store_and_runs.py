from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from small_bundle import small_bundle

from staypower.errors import UsageError
from staypower.models.bundle import write_bundle
from staypower.tracking.runs import _is_dead, _this_process, finite_metrics
from staypower.tracking.settings import TrackingSettings
from staypower.tracking.store import use_store
from staypower.tracking.tracker import Tracker

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Tracker:
    # a folder with what users have in theirs: a space, a letter beyond ASCII, a percent sign
    root = tmp_path_factory.mktemp("my projekt ü 100%")
    tracker = Tracker(TrackingSettings(), root, name="acme")
    assert tracker.store
    return tracker


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    bundle = small_bundle()
    folder = tmp_path_factory.mktemp("sealed") / "bundle"
    return SimpleNamespace(bundle=bundle, folder=folder, digest=write_bundle(bundle, folder))


def test_nothing_is_opened_before_it_is_needed(tmp_path: Path) -> None:
    Tracker(TrackingSettings(), tmp_path, name="acme")
    assert list(tmp_path.iterdir()) == []


def test_the_embedded_store_lies_under_the_project(shared: Tracker) -> None:
    assert shared.store.uri == f"sqlite:///{shared.root}/mlruns/mlflow.db"
    experiment = shared.store.client.get_experiment_by_name("acme")
    assert experiment.artifact_location == (shared.root / "mlruns" / "artifacts").as_uri()


def test_artifacts_are_found_when_the_folder_of_the_config_is_gone(tmp_path: Path) -> None:
    config = tmp_path / "demo"
    config.mkdir()
    tracker = Tracker(TrackingSettings(folder="../mlruns"), config, name="acme")
    with tracker.run("train") as run:
        run.log_text("found", "words.txt")
    address = tracker.store.client.get_run(run.run_id).info.artifact_uri
    config.rmdir()
    assert ".." not in address
    assert (Path(address.removeprefix("file://")) / "words.txt").read_text() == "found"


def test_nothing_is_written_into_the_current_folder_or_taken_from_it(
    shared: Tracker, sealed: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "uv.lock").write_text("the user's own")
    (tmp_path / "pyproject.toml").write_text("[project]")
    monkeypatch.chdir(tmp_path)
    with shared.run("train") as run:
        model_id = run.log_model(sealed.bundle, sealed.folder, sealed.digest)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pyproject.toml", "uv.lock"]
    logged = shared.root / "mlruns" / "artifacts" / "models" / model_id / "artifacts"
    assert not list(logged.rglob("uv.lock"))
    assert "MLFLOW_UV_AUTO_DETECT" not in os.environ


def test_a_run_shows_what_a_user_of_mlflow_expects(shared: Tracker, sealed: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "roc.png").write_bytes(b"png")
    (tmp_path / "report.md").write_text("# report")
    many = {f"key {number}": number for number in range(150)}
    settings = {"label": {"horizon": 90, "kind": "contractual"}, "windows": [7, 28], "long": "x" * 7000, "none": None, **many}
    with shared.run("train", "2025-07-01", tags={"split": "temporal"}) as run:
        run.log_settings(settings)
        run.log_metrics({"auroc": 0.75, "lift": {"5%": np.float64(3.5)}, "bad": float("nan"), "words": "x", "flag": True})
        run.log_metrics({"loss": 0.5}, step=1)
        run.log_metrics({"loss": 0.4}, step=2)
        run.log_artifacts([tmp_path / "report.md", tmp_path / "plots"], "evaluation")
        model_id = run.log_model(sealed.bundle, sealed.folder, sealed.digest)
    client = shared.store.client
    seen = client.get_run(run.run_id)
    assert seen.info.status == "FINISHED"
    assert seen.info.run_name == "train 2025-07-01"
    assert seen.data.tags["kind"] == "train"
    assert seen.data.tags["split"] == "temporal"
    assert seen.data.params["label.horizon"] == "90"
    assert seen.data.params["windows"] == "[7, 28]"
    assert seen.data.params["none"] == "null"
    assert len(seen.data.params["long"]) == 6000
    assert len([name for name in seen.data.params if name.startswith("key ")]) == 150
    assert seen.data.metrics == {"auroc": 0.75, "lift.5_": 3.5, "loss": 0.4}
    assert [point.step for point in client.get_metric_history(run.run_id, "loss")] == [1, 2]
    listed = {item.path for item in client.list_artifacts(run.run_id, "evaluation")}
    assert listed == {"evaluation/report.md", "evaluation/roc.png"}
    assert json.loads(Path(client.download_artifacts(run.run_id, "settings.json")).read_text())["label"]["horizon"] == 90
    logged = client.get_logged_model(model_id)
    assert logged.source_run_id == run.run_id
    assert logged.status == "READY"
    assert os.environ.get("MLFLOW_TRACKING_URI") is None


@pytest.mark.parametrize(("error", "status"), [(RuntimeError, "FAILED"), (KeyboardInterrupt, "KILLED"), (SystemExit, "FAILED")])
def test_a_run_ends_as_its_block_does_and_so_does_a_model_half_logged(
    shared: Tracker, error: type[BaseException], status: str
) -> None:
    seen = model = ""

    def fail() -> None:
        nonlocal seen, model
        with shared.run("train") as run:
            seen, model = run.run_id, begin_a_model(shared, run.run_id)
            raise error

    with pytest.raises(error):
        fail()
    assert shared.store.client.get_run(seen).info.status == status
    assert shared.store.client.get_logged_model(model).status == "FAILED"


def begin_a_model(tracker: Tracker, run_id: str) -> str:
    return tracker.store.client.create_logged_model(tracker.store.experiment_id, "model", source_run_id=run_id).model_id


def test_a_model_left_by_a_run_that_ended_fails_at_the_next_start_and_one_of_a_living_run_does_not(shared: Tracker) -> None:
    """A process may be killed after its run was closed and before its model was."""
    client = shared.store.client
    with shared.run("train") as run:
        pass
    left = begin_a_model(shared, run.run_id)
    with shared.run("train") as living:
        assert client.get_logged_model(left).status == "FAILED"
        going = begin_a_model(shared, living.run_id)
        with shared.run("evaluate"):
            pass
        assert client.get_logged_model(going).status == "PENDING"
        client.finalize_logged_model(going, "READY")


STALLED = """
import sys, time
from pathlib import Path
from staypower.tracking.settings import TrackingSettings
from staypower.tracking.tracker import Tracker
with Tracker(TrackingSettings(), Path(sys.argv[1]), name="acme").run("train") as run:
    print(run.run_id, flush=True)
    time.sleep(120)
"""


def test_a_killed_run_is_closed_at_the_next_start_and_a_living_one_is_not(shared: Tracker) -> None:
    with shared.run("train") as living:
        other = subprocess.Popen([sys.executable, "-W", "ignore", "-c", STALLED, str(shared.root)], stdout=subprocess.PIPE)
        try:
            assert other.stdout is not None
            killed = other.stdout.readline().decode().strip()
            assert killed
            with shared.run("evaluate"):
                pass
            assert shared.store.client.get_run(killed).info.status == "RUNNING"
        finally:
            other.send_signal(signal.SIGKILL)
            other.wait()
            other.stdout.close()  # type: ignore[union-attr]
        with shared.run("evaluate"):
            pass
        assert shared.store.client.get_run(killed).info.status == "KILLED"
        assert shared.store.client.get_run(living.run_id).info.status == "RUNNING"


def test_whose_process_is_dead() -> None:
    own = _this_process()
    host, pid, started = own.rsplit(":", 2)
    assert not _is_dead(own)
    assert not _is_dead(f"elsewhere:{pid}:{started}")
    assert not _is_dead("")
    assert not _is_dead("words")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert _is_dead(f"{host}:{ended.pid}:1")
    if started:
        assert _is_dead(f"{host}:{pid}:1{started}"), "the number was given to another process"


def test_a_process_that_ended_but_was_not_waited_for_is_dead() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    host = _this_process().rsplit(":", 2)[0]
    try:
        deadline = time.monotonic() + 20
        while not _is_dead(f"{host}:{ended.pid}:1") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _is_dead(f"{host}:{ended.pid}:1")
    finally:
        ended.wait()


COLD = """
import sys
from pathlib import Path
from staypower.tracking.settings import TrackingSettings
from staypower.tracking.tracker import Tracker
with Tracker(TrackingSettings(), Path(sys.argv[1]), name="acme").run("train", sys.argv[2]) as run:
    run.log_metrics({"auroc": 0.5})
"""


def test_three_processes_may_start_together_on_a_new_store(tmp_path: Path) -> None:
    started = [
        subprocess.Popen([sys.executable, "-W", "ignore", "-c", COLD, str(tmp_path), str(number)], stderr=subprocess.PIPE)
        for number in range(3)
    ]
    errors = [process.communicate(timeout=180)[1].decode() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], errors
    store = Tracker(TrackingSettings(), tmp_path, name="acme").store
    runs = store.client.search_runs([store.experiment_id])
    assert sorted(run.info.run_name for run in runs) == ["train 0", "train 1", "train 2"]
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_the_environment_names_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/elsewhere.db")
    tracker = Tracker(TrackingSettings(uri="http://localhost:1"), tmp_path / "project", name="acme")
    assert tracker.store.uri.endswith("elsewhere.db")
    assert not (tmp_path / "project").exists()


@pytest.mark.parametrize("uri", ["mlruns", "./mlruns", "file:///tmp/mlruns", "ftp://host"])
def test_an_address_that_mlflow_cannot_use_is_refused(tmp_path: Path, uri: str) -> None:
    with pytest.raises(UsageError, match="not the address of a tracking store"):
        assert Tracker(TrackingSettings(uri=uri), tmp_path, name="acme").store


def test_a_folder_that_would_cut_the_address_short_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="in the folder of the tracking store"):
        assert Tracker(TrackingSettings(folder="a?b"), tmp_path, name="acme").store


def test_a_deleted_experiment_comes_back(tmp_path: Path, shared: Tracker) -> None:
    settings = TrackingSettings(experiment="gone")
    first = Tracker(settings, shared.root, name="acme").store
    first.client.delete_experiment(first.experiment_id)
    again = Tracker(settings, shared.root, name="acme").store
    assert again.experiment_id == first.experiment_id
    assert again.client.get_experiment(again.experiment_id).lifecycle_stage == "active"


def test_only_finite_numbers_are_metrics() -> None:
    given = {"a": 1, "b": {"c": 2.5, "d": float("inf")}, "e": None, "f": True, "g": "1", "h": [1, 2], "i": [{"x": 3}]}
    assert finite_metrics(given) == {"a": 1.0, "b.c": 2.5, "i.0.x": 3.0}


def store_in(root: Path, name: str = "acme") -> Tracker:
    tracker = Tracker(TrackingSettings(), root, name=name)
    assert tracker.store
    return tracker


@pytest.mark.parametrize("left", ["nothing", "half", "no tables of models", "older"])
def test_an_unfinished_store_is_set_aside_and_made_anew(tmp_path: Path, left: str) -> None:
    path = tmp_path / "mlruns" / "mlflow.db"
    path.parent.mkdir()
    (path.parent / ".mlflow.db.abc").write_text("of a process that died")
    with sqlite3.connect(path) as store:
        if left != "nothing":
            store.execute("CREATE TABLE experiments (experiment_id INTEGER, artifact_location TEXT)")
            store.execute("CREATE TABLE runs (run_uuid TEXT)")
        if left == "older":
            store.execute("CREATE TABLE alembic_version (version_num TEXT)")
            store.execute("INSERT INTO alembic_version VALUES ('0000')")
    store.close()
    tracker = store_in(tmp_path)
    assert len(tracker.store.notes) == 1
    assert "was set aside as" in tracker.store.notes[0]
    with tracker.run("train"):
        pass
    assert sorted(entry.name.partition("-")[0] for entry in path.parent.iterdir() if entry.is_file()) == [
        ".lock", "mlflow.db", "mlflow.db.unfinished",
    ]  # fmt: skip
    assert store_in(tmp_path).store.notes == ()


def test_a_store_with_runs_is_never_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "mlruns" / "mlflow.db"
    path.parent.mkdir()
    with sqlite3.connect(path) as store:
        store.execute("CREATE TABLE runs (run_uuid TEXT)")
        store.execute("INSERT INTO runs VALUES ('a')")
    store.close()
    with pytest.raises(UsageError, match="the tracking store cannot be used"):
        store_in(tmp_path)
    assert not list(path.parent.glob("*.unfinished*"))


MAKING = """
import sys
from pathlib import Path
from staypower.tracking.settings import TrackingSettings
from staypower.tracking.tracker import Tracker
print("ready", flush=True)
Tracker(TrackingSettings(), Path(sys.argv[1]), name="acme").store
"""


def test_kills_while_a_store_is_made_leave_one_that_can_be_used(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", MAKING, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    deadline = time.monotonic() + 60
    while not list(tmp_path.rglob(".mlflow.db.*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.3)
    process.kill()
    process.wait()
    process.stdout.close()
    assert not (tmp_path / "mlruns" / "mlflow.db").exists()
    tracker = store_in(tmp_path)
    assert tracker.store.notes == ()
    assert not list(tmp_path.rglob(".mlflow.db.*"))


def test_a_copied_project_writes_nothing_into_the_old_folder(sealed: SimpleNamespace, tmp_path: Path) -> None:
    import mlflow

    before = store_in(tmp_path / "old % place")
    before.versions.add(sealed.folder, sealed.digest, {})
    assert before.mirror() == ()
    shutil.copytree(tmp_path / "old % place", tmp_path / "new")
    (tmp_path / "old % place").rename(tmp_path / "away")
    (tmp_path / "old % place").write_text("a file is in the way")
    moved = store_in(tmp_path / "new")
    old = tmp_path / "old % place" / "mlruns"
    assert moved.store.notes == (
        f"the tracking store was moved from {old}: runs and models are now found, and kept, in {tmp_path / 'new' / 'mlruns'}",
    )
    moved.versions.add(sealed.folder, sealed.digest, {})
    moved.mirror()
    with use_store(moved.store):
        for number in (1, 2):
            assert mlflow.pyfunc.load_model(f"models:/acme/{number}").metadata
    assert "MLFLOW_REGISTRY_URI" not in os.environ
    assert store_in(tmp_path / "new").store.notes == (), "said once"
    first = moved.versions.records()["1"].run_id
    assert (tmp_path / "new" / "mlruns" / "artifacts").as_uri() in moved.store.client.get_run(first).info.artifact_uri
