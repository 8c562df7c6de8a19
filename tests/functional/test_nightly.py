"""The files of `configs/nightly`: what runs each night, on an installation that holds what scoring needs and no more."""

from __future__ import annotations

import configparser
import fnmatch
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

import pandas as pd
import pytest
from command_line import run
from tiny_company import tiny_company

ROOT = Path(__file__).parents[2]
NIGHTLY = ROOT / "configs" / "nightly"
SCRIPT = NIGHTLY / "nightly.sh"

# refuses what `requirements/score.txt` does not list, as if it were not installed
ALONE = """
import importlib.metadata, os, re
from importlib.machinery import PathFinder
from pathlib import Path

def named(name):
    return re.sub(r"[-_.]+", "-", name).lower()

listed = set(re.findall(r"^([a-z0-9.-]+)==", Path(os.environ["LISTED"]).read_text(), re.M)) | {"staypower", "setuptools"}
owners = importlib.metadata.packages_distributions()

find = PathFinder.find_spec

def find_listed(name, path=None, target=None):
    top = name.partition(".")[0]
    known = top not in owners or any(named(owner) in listed for owner in owners[top])
    return find(name, path, target) if known else None

PathFinder.find_spec = find_listed
"""


def pinned(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / "requirements" / name).read_text(encoding="utf-8"), re.MULTILINE))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables for a process that finds nothing but what scoring needs, and `staypower` on its path."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "sitecustomize.py").write_text(ALONE)
    (folder / "staypower").write_text(f'#!/bin/sh\nexec "{sys.executable}" -W ignore -m staypower "$@"\n')
    (folder / "staypower").chmod(0o755)
    paths = (str(folder), os.environ.get("PYTHONPATH", ""))
    return {
        **os.environ,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "LISTED": str(ROOT / "requirements" / "score.txt"),
    }


def test_a_night_needs_what_scoring_needs_alone_and_training_says_what_it_lacks(alone, tmp_path):
    config = tiny_company(tmp_path / "tiny")
    assert run("train", "-c", str(config), "-q")[0] == 0
    done = subprocess.run(["sh", str(SCRIPT), str(config)], env=alone, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    out = config.parent / "out"
    assert len(pd.read_parquet(out / "scores.parquet"))
    assert (out / "report.html").stat().st_size > 10_000
    refused = subprocess.run(
        ["staypower", "train", "-c", str(config), "-q"], env=alone, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2, refused.stderr
    assert "lacks a package that the command needs" in refused.stderr


@pytest.mark.parametrize(
    ("ends", "ran", "code"),
    [
        ({}, "check score monitor report", 0),
        ({"check": 1}, "check score monitor report", 1),
        ({"check": 2}, "check", 2),
        ({"score": 1}, "check score", 1),
        ({"monitor": 1}, "check score monitor report", 1),
        ({"monitor": 2}, "check score monitor", 2),
        ({"monitor": 1, "report": 3}, "check score monitor report", 3),
    ],
)
def test_what_the_night_does_at_each_exit_code(tmp_path, ends, ran, code):
    cases = "\n".join(f"  {name}) exit {number};;" for name, number in ends.items())
    stub = tmp_path / "staypower"
    stub.write_text(f'#!/bin/sh\necho "$1" >> "{tmp_path}/ran"\ncase "$1" in\n{cases}\n  *) exit 0;;\nesac\n')
    stub.chmod(0o755)
    done = subprocess.run(["sh", str(SCRIPT), "acme.yaml"], env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=False)
    assert done.returncode == code
    assert (tmp_path / "ran").read_text().split() == ran.split()


def test_what_scoring_needs_is_locked_as_everything_is():
    everything, scoring = pinned("lock.txt"), pinned("score.txt")
    assert scoring.items() <= everything.items()
    asked = [line for line in (ROOT / "requirements" / "score.in").read_text().splitlines() if not line.startswith("#")]
    assert set(asked) <= scoring.keys()
    locked = (ROOT / "requirements" / "score.txt").read_text(encoding="utf-8")
    elsewhere = set(re.findall(r"^([a-z0-9.-]+)==.*sys_platform", locked, re.MULTILINE))
    page = (ROOT / "docs" / "how-to" / "every-night.md").read_text(encoding="utf-8")
    assert f"\n{len(scoring.keys() - elsewhere)} packages, where training needs" in page


def test_schedules_start_the_script():
    for name in ("crontab", "staypower.service", "airflow_dag.py"):
        assert "/srv/churn/nightly.sh /srv/churn/acme.yaml" in (NIGHTLY / name).read_text(encoding="utf-8"), name
    line = (NIGHTLY / "crontab").read_text(encoding="utf-8").splitlines()[-1].split(maxsplit=5)
    assert all(re.fullmatch(r"\*|\d+", part) for part in line[:5])
    units = {name: configparser.ConfigParser(strict=False) for name in ("service", "timer")}
    for name, unit in units.items():
        unit.optionxform = str
        unit.read(NIGHTLY / f"staypower.{name}")
    assert units["service"]["Service"]["Type"] == "oneshot"
    assert units["service"]["Service"]["User"] != "root"
    assert units["timer"]["Timer"]["Persistent"] == "true"


def test_the_airflow_task_skips_at_1(monkeypatch):
    task = MagicMock()
    modules = {"airflow.sdk": {"DAG": MagicMock()}, "airflow.providers.standard.operators.bash": {"BashOperator": task}}
    for name, parts in {**modules, "pendulum": {"datetime": MagicMock()}}.items():
        module = ModuleType(name)
        vars(module).update(parts)
        monkeypatch.setitem(sys.modules, name, module)
    exec(compile((NIGHTLY / "airflow_dag.py").read_text(encoding="utf-8"), "airflow_dag.py", "exec"), {})
    assert task.call_args.kwargs["skip_on_exit_code"] == 1


def test_the_container_copies_what_is_there_and_is_not_root():
    text = (NIGHTLY / "Containerfile").read_text(encoding="utf-8")
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")]
    for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert any(fnmatch.fnmatch(source, pattern) for pattern in kept), f"{source} does not reach the build"
    user = re.findall(r"^USER (\S+)$", text, re.MULTILINE)
    assert user
    assert user[-1] not in ("root", "0")
