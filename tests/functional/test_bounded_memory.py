"""Scoring and building bucket by bucket: the same bytes, and nothing lost or left behind when a run is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bucketed_tables import assert_same_tables, whole_and_buckets
from command_line import run

from staypower.config.settings import Settings
from staypower.errors import UsageError
from staypower.explanation.changes import RiskChanges
from staypower.pipelines.arguments import opened
from staypower.pipelines.explain import explain
from staypower.pipelines.report import report
from staypower.progress import Progress
from staypower.scoring.scorer import Scorer
from staypower.scoring.settings import ScoringSettings

BUCKETS = 40


def listed(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def rows_of(path: Path) -> pa.Table:
    return pq.read_table(path).drop_columns(["scored_at"])


def score(company, path: Path, buckets: int, *more: str) -> dict:
    words = ("--set", f"engine.buckets={buckets}", "--output", str(path), "--json", "--quiet", *more)
    code, out, err = run("score", "-c", str(company.config), *words)
    assert code == 0, err
    return json.loads(out)


@pytest.fixture
def cache(company) -> Path:
    folder = company.root / "demo" / "out" / "cache"
    for left in folder.glob("*-run-*"):
        shutil.rmtree(left)
    return folder


def test_the_demo_company_in_buckets_is_the_company(company, tmp_path):
    tables = {
        name: [source.model_copy(update={"source": str(company.settings.root / str(source.source))}) for source in sources]
        for name, sources in company.settings.tables.items()
    }
    for until in (None, "2025-02-03T04:05"):
        whole, stored = whole_and_buckets(tables, tmp_path, buckets=7, observed_until=until)
        assert_same_tables(whole, stored)


def test_check_finds_the_same_whatever_the_number_of_buckets(company, cache):
    told = []
    for buckets in (1, 6):
        code, out, err = run("check", "-c", str(company.config), "--set", f"engine.buckets={buckets}", "--json", "--quiet")
        assert code == 0, err
        told.append(json.loads(out))
        for found in told[-1]["findings"]:
            found.pop("examples")
        told[-1]["findings"].sort(key=str)
    assert told[0] == told[1]
    assert not list(cache.glob("*-run-*"))


def test_one_account_is_explained_by_the_rows_of_its_bucket(company, cache):
    told = []
    for buckets in (1, 6):
        words = ("--account", "A0000007", "--set", f"engine.buckets={buckets}", "--set", "playbook=null", "--json", "--quiet")
        code, out, err = run("explain", "-c", str(company.config), *words)
        assert code == 0, err
        told.append(json.loads(out))
    assert told[0] == told[1]
    assert not list(cache.glob("*-run-*"))


def test_the_portfolio_is_the_same_whatever_the_number_of_buckets(company, cache):
    told = []
    for buckets in (1, 6):
        code, out, err = run("portfolio", "-c", str(company.config), "--set", f"engine.buckets={buckets}", "--json", "--quiet")
        assert code == 0, err
        told.append(out)
    assert json.loads(told[0])["figures"]
    assert told[0] == told[1]
    assert not list(cache.glob("*-run-*"))


def test_actions_are_the_same_whatever_the_number_of_buckets(company, cache, tmp_path):
    for buckets in (1, 6):
        words = ("--set", f"engine.buckets={buckets}", "--output", str(tmp_path / f"{buckets}.csv"), "--quiet")
        code, _, err = run("actions", "-c", str(company.config), *words)
        assert code == 0, err
    assert (tmp_path / "6.csv").read_bytes() == (tmp_path / "1.csv").read_bytes()


@pytest.fixture
def within(company, monkeypatch) -> Iterator[Callable[..., Settings]]:
    """Give the settings of the company with some memory; the least one is too small for it."""
    monkeypatch.setattr("staypower.engines.opening._BYTES_PER_ACCOUNT", 600_000)
    parts: list[int] = []
    together = RiskChanges.together
    monkeypatch.setattr(RiskChanges, "together", lambda given: (parts.append(len(given)), together(given))[1])

    def settings(memory: str, **more: object) -> Settings:
        engine = company.settings.engine.model_copy(update={"memory": memory})
        return company.settings.model_copy(update={"engine": engine, **more})

    yield settings
    assert len(parts) == 1  # the run with the least memory, and no other
    assert parts[0] >= 3


@pytest.mark.parametrize("more", [{}, {"playbook": None, "scoring": ScoringSettings(prior="estimate")}])
def test_all_accounts_are_explained_within_the_memory(within, cache, more):
    whole, parts = (explain(within(memory, **more)) for memory in ("4GB", "1GB"))
    assert whole.to_dict()["portfolio"]["accounts"] > 100
    assert json.dumps(parts.to_dict()) == json.dumps(whole.to_dict())
    assert parts.text() == whole.text()
    assert parts._repr_html_() == whole._repr_html_()
    assert len(parts) == len(whole) == len(whole.values)
    with pytest.raises(UsageError, match="contributions not in memory"):
        parts.frame()
    assert not list(cache.glob("*-run-*"))


def test_the_report_is_the_same_page_within_the_memory(within, cache, tmp_path):
    path, told = tmp_path / "report.html", []
    for memory in ("4GB", "1GB"):
        made = report(within(memory), pages=40, output=path)
        told.append((json.dumps(made.to_dict()), path.read_bytes()))
    assert json.loads(told[0][0])["drift"]["rows"]
    assert told[0] == told[1]
    assert not list(cache.glob("*-run-*"))


def test_an_account_and_its_action_are_explained_within_the_memory(company, cache, tmp_path):
    before = tmp_path / "before.csv"
    score(company, before, 1, "--cutoff", "2025-05-01")
    rows = pd.read_csv(before, dtype={"account_id": str})
    rows["churn_probability"] /= 2
    rows.to_csv(before, index=False)
    told = []
    for buckets in (1, 5):
        words = ("--account", "A0000007", "--account", "A0000003", "--previous", str(before), "--json", "--quiet")
        code, out, err = run("explain", "-c", str(company.config), "--set", f"engine.buckets={buckets}", *words)
        assert code == 0, err
        told.append(json.loads(out))
    assert "not matched" in told[0]["notes"][0]
    assert told[0] == told[1]


def test_work_that_a_killed_run_left_is_not_taken_for_that_of_another_model(company):
    settings = company.settings.model_copy(update={"engine": company.settings.engine.model_copy(update={"buckets": 3})})
    progress = Progress(quiet=True)
    with suppress(KeyboardInterrupt), opened(settings, None, name="actions", progress=progress) as killed:
        (killed.folder / "parts").mkdir()
        raise KeyboardInterrupt
    assert (killed.folder / "parts").exists()
    with opened(settings, None, name="actions", progress=progress) as found:
        assert found.tables.folder == killed.tables.folder
        assert not (found.folder / "parts").exists()
    assert not killed.folder.exists()


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_scores_are_the_same_bytes_for_any_number_of_buckets_and_threads(company, cache, tmp_path, monkeypatch, ending):
    of = Scorer.of
    monkeypatch.setattr(Scorer, "of", lambda *a, **k: replace(of(*a, **k), scored_at="now"))
    said = []
    kept = ("--set", f"engine.keep={tmp_path / 'kept'}")
    for buckets, threads, more in ((1, 2, ()), (7, 1, kept), (7, 8, kept)):
        path = tmp_path / f"{buckets}.{ending}"
        said.append(score(company, path, buckets, "--set", f"engine.threads={threads}", *more))
        assert path.read_bytes() == (tmp_path / f"1.{ending}").read_bytes()
    for told in said:
        told.pop("path")
    assert said[0] == said[1] == said[2]
    assert len(list((tmp_path / "kept").glob("*.rows"))) == len(company.settings.tables)
    assert not list(cache.glob("*-run-*"))


def test_scores_are_the_same_for_any_order_of_rows(company, tmp_path):
    words, random = [], np.random.default_rng(1)
    for name, (source,) in company.settings.tables.items():
        rows = pq.read_table(company.settings.root / str(source.source))
        pq.write_table(rows.take(random.permutation(rows.num_rows)), tmp_path / f"turned_{name}.parquet")
        words += ["--set", f"tables.{name}.source={tmp_path / f'turned_{name}.parquet'}"]
    score(company, tmp_path / "as_given.parquet", 1)
    score(company, tmp_path / "turned.parquet", 4, *words)
    assert rows_of(tmp_path / "turned.parquet").equals(rows_of(tmp_path / "as_given.parquet"))


def test_a_few_accounts_and_previous_scores_in_buckets(company, cache, tmp_path):
    before = tmp_path / "before.csv"
    score(company, before, 3, "--cutoff", "2025-05-01")
    ids = pd.read_csv(before, dtype={"account_id": str})["account_id"].tolist()
    few = [word for account in ids[5:9] for word in ("--account", account)]
    told = [score(company, tmp_path / f"{b}.parquet", b, "--previous", str(before), *few) for b in (1, 5)]
    assert rows_of(tmp_path / "1.parquet").equals(rows_of(tmp_path / "5.parquet"))
    assert told[0]["movement"] == told[1]["movement"]
    assert rows_of(tmp_path / "5.parquet").column("account_id").to_pylist() == sorted(ids[5:9])
    whole = [score(company, tmp_path / f"all{b}.parquet", b, "--previous", str(before)) for b in (1, 6)]
    assert rows_of(tmp_path / "all1.parquet").equals(rows_of(tmp_path / "all6.parquet"))
    assert whole[0]["movement"] == whole[1]["movement"]
    assert whole[0]["quadrants"] == whole[1]["quadrants"]


def test_the_training_matrix_is_the_same_bytes_for_any_number_of_buckets(company, cache, tmp_path):
    for buckets in (1, 5):
        path = tmp_path / f"{buckets}.parquet"
        words = ("--set", f"engine.buckets={buckets}", "--output", str(path), "--quiet")
        code, out, err = run("features", "--build", "-c", str(company.config), *words)
        assert code == 0, err
        assert f"{pq.read_metadata(path).num_rows:,} rows" in out
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "5.parquet").read_bytes()
    dataset = company.result.trained.dataset
    written = pd.read_parquet(tmp_path / "5.parquet")
    # the model that scores is trained on the cutoffs between training and test, too
    rows = dataset.part("training", "calibration", "test")
    assert written["account_id"].tolist() == rows.accounts.tolist()
    assert written["churned"].tolist() == rows.y.tolist()
    pd.testing.assert_frame_equal(written[list(rows.X.columns)], rows.X.reset_index(drop=True), check_exact=True)
    lists = [run("features", "-c", str(company.config), "--set", f"engine.buckets={b}", "--quiet")[1] for b in (1, 5)]
    assert lists[0] == lists[1]


def test_a_killed_run_leaves_nothing_outside_the_cache_and_the_next_one_goes_on(company, cache, tmp_path, monkeypatch):
    path = tmp_path / "killed.parquet"
    path.write_text("the list of last night")
    before = listed(company.root) | listed(tmp_path)
    words = ["score", "-c", str(company.config), "--output", str(path), "--quiet", "--set", f"engine.buckets={BUCKETS}"]
    words += ["--set", "engine.threads=1"]
    process = subprocess.Popen([sys.executable, "-m", "staypower.cli", *words], cwd=company.root)
    try:
        while process.poll() is None and len(list(cache.glob("score-run-*/parts/*.parquet"))) < 3:
            time.sleep(0.005)
        assert process.poll() is None, "it ended before it could be killed"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    finished = {part: part.stat().st_mtime_ns for part in cache.glob("score-run-*/parts/*.parquet")}
    assert path.read_text() == "the list of last night"
    strays = (listed(company.root) | listed(tmp_path)) - before
    assert strays
    assert all(name.startswith("demo/out/cache/") for name in strays)
    for part in finished:
        assert pq.read_metadata(part).num_rows >= 0
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "2000000000")  # the same run, continued years later

    calls: list[int] = []
    call = Scorer.__call__
    monkeypatch.setattr(Scorer, "__call__", lambda self, bucket: (calls.append(1), call(self, bucket))[1])
    monkeypatch.setattr("staypower.sources.disk_writing.learn_facts", lambda *_: pytest.fail("the tables were read again"))
    assert run(*words)[0] == 0
    assert 0 < len(calls) <= BUCKETS - len(finished)
    monkeypatch.undo()
    moments = set(pq.read_table(path, columns=["scored_at"]).column(0).to_pylist())
    assert len(moments) == 1
    assert moments.pop() < "2033", "a resumed run is as old as its beginning"
    score(company, tmp_path / "whole.parquet", 1)
    assert rows_of(path).equals(rows_of(tmp_path / "whole.parquet"))
    assert not list(cache.glob("*-run-*"))


def test_other_data_are_not_taken_for_those_of_a_killed_run(company, cache, tmp_path):
    left = cache / "score-run-0123"
    (left / "parts").mkdir(parents=True)
    (left / "parts" / "part-00000.parquet").write_bytes(b"of another night")
    score(company, tmp_path / "scores.parquet", 4)
    assert not left.exists()


def test_what_is_refused_in_buckets_leaves_nothing(company, cache, tmp_path):
    before = listed(company.root)
    words = ("--set", "engine.buckets=5", "--output", str(tmp_path / "s.parquet"), "--quiet", "--cutoff", "2031-01-01")
    code, out, err = run("score", "-c", str(company.config), *words)
    assert (code, out) == (2, "")
    assert "outside the data" in err
    assert listed(company.root) == before
    assert not list(tmp_path.iterdir())
