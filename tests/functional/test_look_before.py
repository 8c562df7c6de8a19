"""What could not be written is found before the long work: places, the tracking server, and the room on the disk."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest
from command_line import run
from servers import free_port
from tiny_company import tiny_company

import staypower


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    config = tiny_company(tmp_path_factory.mktemp("trained"))
    staypower.train(config)
    return config


@pytest.fixture
def no_work(monkeypatch):
    """Let nothing be read or fitted."""

    def never(*_: object, **__: object) -> None:
        pytest.fail("the long work began")

    for place in ("fitting.build_dataset", "evaluate.build_dataset", "tune.build_dataset", "audit.build_dataset"):
        monkeypatch.setattr(f"staypower.pipelines.{place}", never)
    monkeypatch.setattr("staypower.pipelines.backtest._plans", never)
    monkeypatch.setattr("staypower.scoring.scorer.Scorer.score", never)
    monkeypatch.setattr("staypower.pipelines.features._build", never)


BLOCKED = {
    "train": ["models_folder={blocked}/models", "output.folder={blocked}/out"],
    "score": ["output.folder={blocked}/out"],
    "features --build": ["output.folder={blocked}/out"],
    "report": ["output.folder={blocked}/out"],
    "monitor": ["output.folder={blocked}/out"],
    "actions": ["output.folder={blocked}/out"],
    "evaluate": ["output.folder={blocked}/out", "tracking.folder={blocked}/runs"],
    "tune --trials 2": ["output.folder={blocked}/out", "tracking.folder={blocked}/runs"],
    "audit": ["tracking.folder={blocked}/runs"],
    "backtest": ["tracking.folder={blocked}/runs"],
}


@pytest.mark.parametrize("command", BLOCKED)
def test_a_place_that_cannot_be_written_is_told_before_the_work(trained, no_work, tmp_path, command):
    (tmp_path / "blocked").write_text("a file where a folder is needed")
    for setting in BLOCKED[command]:
        code, _, err = run(*command.split(), "-c", str(trained), "--set", setting.format(blocked=tmp_path / "blocked"), "-q")
        assert code == 2, (setting, err)
        assert f"{tmp_path / 'blocked'}" in err
        assert "Fix:" in err
    assert [path.name for path in tmp_path.iterdir()] == ["blocked"]


@pytest.mark.parametrize("command", ["evaluate", "tune --trials 2", "audit", "backtest"])
def test_a_server_that_is_gone_is_told_before_the_work(trained, no_work, command, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    code, _, err = run(*command.split(), "-c", str(trained), "--set", f"tracking.uri=http://127.0.0.1:{free_port()}", "-q")
    assert code == 2
    assert "the tracking store cannot be used: http://127.0.0.1" in err


def test_training_says_early_that_its_run_will_wait(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    config = tiny_company(tmp_path)
    code, out, err = run("train", "-c", str(config), "--set", f"tracking.uri=http://127.0.0.1:{free_port()}")
    assert code == 0, err
    assert err.index("the run will wait to be logged: the tracking store cannot be used") < err.index("fitting")
    assert "waits for the tracking store" in out


@pytest.mark.parametrize(
    ("command", "settings"),
    [
        ("score", ["engine.buckets=3"]),
        ("report", ["engine.buckets=3"]),
        ("features --build", []),
        ("features --build", ["engine.buckets=3"]),
        ("train", []),
    ],
)
def test_a_disk_without_room_is_told_before_the_work(tmp_path, monkeypatch, trained, command, settings):
    shutil.copytree(trained.parent, tmp_path / "full")
    shutil.rmtree(tmp_path / "full" / "out")
    usage = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=1000) if usage(place) else None)
    before = sorted(path for path in (tmp_path / "full").rglob("*"))
    words = [word for setting in settings for word in ("--set", setting)]
    code, _, err = run(*command.split(), "-c", str(tmp_path / "full" / "staypower.yaml"), "-q", *words)
    assert code == 2, err
    assert "not enough space on the disk: " in err
    assert "0.0GB are free. Fix: free some space there, or set `output.folder` to another disk" in err
    assert sorted(path for path in (tmp_path / "full").rglob("*")) == before
