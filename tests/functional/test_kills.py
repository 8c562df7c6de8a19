"""A process is killed at random moments: nothing is half there, no command denies what another lists, and a rerun completes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import numpy as np
import pytest
from command_line import run
from depth import tries
from failing import Company, Runner
from tiny_company import tiny_company

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
KILLS = int(os.environ.get("STAYPOWER_KILLS", str(tries(3, 20))))
SEED = int(os.environ.get("STAYPOWER_SEED", "20"))


@pytest.fixture(scope="module")
def runner(tmp_path_factory) -> Iterator[Runner]:
    started = Runner.started(tmp_path_factory.mktemp("runner"), failing=False)
    yield started
    started.close()


def test_a_new_company_survives_kills_at_any_moment(runner, tmp_path):
    """One company from nothing on: the store is made under kills, too; each round trains or scores and is killed."""
    rng = np.random.default_rng(SEED)
    company, ended = Company(tiny_company(tmp_path / "tiny")), 0
    call, known = ("-c", str(company.config), "-q"), 0
    for number in range(KILLS):
        command = (
            "score" if company.versions.folder.exists() and company.champion(killed=True) and rng.random() < 0.3 else "train"
        )
        after, sent = float(rng.uniform(0, 8 if command == "train" else 2)), SIGNALS[number % len(SIGNALS)]
        done = runner.run(command, *call, root=company.folder, kill=(after, sent))
        ended += done.get("code") == 0
        assert done.get("code", -sent) in (0, 130, -sent), (number, command, after, done)
        if company.versions.folder.exists():
            company.champion(killed=True)
            count = len(company.versions.records())
            assert known <= count <= known + 1, "versions never go back"
            known = count
    for command in ("train", "score", "report"):
        done = runner.run(command, *call, root=company.folder)
        assert done["code"] == 0, done
    assert company.champion(killed=True)
    assert not company.strays()
    assert len(company.versions.records()) == known + 1
    assert len({record.digest for record in company.versions.records().values()}) == 1
    code, out, _ = run("models", "log", *call, "--json")
    assert code == 0
    assert json.loads(out)["logged"] == [], "the next run logs what a killed one left"
    assert_no_run_goes_on(company)
    assert not list((company.folder / "out" / "cache").glob("*-run-*"))


def assert_no_run_goes_on(company: Company) -> None:
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{company.folder / 'mlruns' / 'mlflow.db'}")
    (experiment,) = client.search_experiments(filter_string="name = 'tiny'")
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    assert {one.info.status for one in runs} <= {"FINISHED", "KILLED", "FAILED"}
    models = client.search_logged_models([experiment.experiment_id], max_results=50)
    assert {str(one.status) for one in models} <= {"READY", "FAILED"}
