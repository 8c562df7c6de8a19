"""`staypower train` with `sampling.grow_on: all`: killed between two buckets, it goes on with the first that is missing."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from command_line import run

from staypower.config.loading import load_config
from staypower.dataset import all_rows
from staypower.dataset.building import build_dataset
from staypower.engines.opening import load_tables
from staypower.errors import UsageError
from staypower.evaluation.resampling import Estimate
from staypower.models.agreement import training_accounts
from staypower.models.bundle import read_bundle
from staypower.pipelines.fitting import _all_rows, _better_sampled, _labelled_in_training
from staypower.progress import Progress

SAMPLE = ("sampling.accounts=0.6", "sampling.negatives=0.5", "sampling.grow_on=all", "engine.buckets=4", "engine.threads=1")
# a shape that is given is the only one that is tried
FAST = ("model.max_trees=30", "model.num_leaves=6", "model.learning_rate=0.1", "model.threads=1", "evaluation.bootstrap=20")
LESS = ("horizons.days=[]", "cutoffs.count=14")
QUIET = Progress(quiet=True)


class Killed(BaseException):
    """What no code of ours catches."""


@pytest.fixture
def words(tmp_path):
    own = (f"tracking.folder={tmp_path}/mlruns", f"output.folder={tmp_path}/out", f"models_folder={tmp_path}/models")
    return [word for each in (*own, *FAST, *LESS, *SAMPLE) for word in ("--set", each)]


def parts_in(place: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (place / "out" / "cache").glob("train-all-run-*/parts/*/part-*")}


def test_a_killed_training_goes_on_with_the_first_bucket_that_is_missing(company, words, tmp_path, monkeypatch):
    built, build = [], all_rows.MatrixRows.__call__

    def counted(self, tables):
        if len(built) == 2:
            raise Killed
        built.append(len(tables["accounts"]))
        return build(self, tables)

    monkeypatch.setattr(all_rows.MatrixRows, "__call__", counted)
    call = ("train", "-c", str(company.config), "--quiet", "--json", *words)
    with pytest.raises(Killed):
        run(*call)
    finished = parts_in(tmp_path)
    assert sorted(finished) == ["part-00000.parquet", "part-00001.parquet"]
    built[:] = [0, 0, 0]
    put_in_order, seen = all_rows.put_in_order, []

    def put(*given, **named):
        seen.append(parts_in(tmp_path))
        put_in_order(*given, **named)

    monkeypatch.setattr(all_rows, "put_in_order", put)
    code, out, err = run(*call)
    assert code == 0, err
    assert len(built) == 5, "two buckets were missing"
    assert len(seen[0]) == 4
    assert seen[0].items() > finished.items(), "the others stayed as they were"
    assert not list((tmp_path / "out" / "cache").glob("*-run-*")), "nothing unfinished is left"

    told, settings = json.loads(out), load_config(company.config, words[1::2])
    tables = load_tables(settings.sources, progress=QUIET)[0]
    whole = build_dataset(tables, label=settings.label, features=settings.features, cutoffs=settings.cutoffs, between=True)
    every = whole.for_scoring().part("training", "calibration")
    assert told["grown_on"] == f"{len(every):,} rows of {every.distinct_accounts:,} accounts"
    # trees of the sample are shown beside those of all rows, which know every account that had a label in training
    evaluation = told["evaluation"]
    assert "trees of the sample" in evaluation["scorers"]
    assert "trees of the sample" not in evaluation["headline"]
    bundle = read_bundle(Path(told["bundle"]), digest=told["digest"])
    assert bundle.metadata["grown_on"] == told["grown_on"]
    assert training_accounts(bundle, bundle, tables, settings.label) == set(every.accounts)
    # the level of the probabilities is that of all rows, half of whose stayers the calibration never saw
    found = bundle.predict(every.X.reindex(columns=list(bundle.feature_names)), every.accounts)
    assert found.mean() == pytest.approx(every.y.mean(), rel=0.15)


@pytest.mark.parametrize(("low", "said"), [(0.002, True), (-0.001, False), (float("nan"), False)])
def test_it_is_said_where_trees_of_the_sample_are_clearly_better(low, said):
    loss = {"model": Estimate(0.056), "trees of the sample": Estimate(0.048)}
    scorers = {name: {"log_loss": each} for name, each in loss.items()}
    differences = {"trees of the sample": {"log_loss": Estimate(0.008, low, 0.012)}}
    shown = SimpleNamespace(variants={*loss} - {"model"}, model="model", scorers=scorers, differences=differences)
    found = _better_sampled(shown)
    assert bool(found) == said
    assert all("log loss 0.0480 against 0.0560" in each and "leave `sampling.grow_on` out" in each for each in found)


def test_whoever_had_a_label_in_training_is_known_whether_its_rows_were_drawn_or_not():
    plan = SimpleNamespace(all=np.array([1, 2, 3, 4]), training=np.array([1]), calibration=np.array([2]))
    churned = np.array([[0, -1, -1, 0], [-1, 1, -1, -1], [-1, -1, 0, 1]])
    labels = SimpleNamespace(churned=churned, population=SimpleNamespace(accounts=["a", "b", "c"]))
    assert _labelled_in_training(SimpleNamespace(plan=plan, labels=labels)) == ["a", "b"]


def test_what_cannot_grow_on_all_rows_is_refused_with_a_fix():
    for refit, split, said in (("none", "temporal", "model.refit: none"), ("all", "snapshot", "a snapshot")):
        settings = SimpleNamespace(model=SimpleNamespace(refit=refit))
        dataset = SimpleNamespace(plan=SimpleNamespace(split=split))
        with pytest.raises(UsageError, match=said) as refused:
            _all_rows(None, dataset, settings, QUIET)
        assert "leave `sampling.grow_on` out" in refused.value.problems[0].fix
