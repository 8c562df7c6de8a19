"""Scoring refuses data that are not like those of training, says why, and scores them when told to."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pandas as pd
import pytest
import typer
from command_line import run

import staypower
from staypower.cli.commands import app
from staypower.errors import RefusedData
from staypower.gate.facts import GATE
from staypower.models.bundle import read_bundle, write_bundle


@pytest.fixture(scope="module")
def late(company, tmp_path_factory):
    """A copy of the company whose usage ends 60 days before everything else."""
    root = tmp_path_factory.mktemp("late") / "company"
    for name in ("demo", "models"):
        shutil.copytree(company.root / name, root / name)
    folder = root / "demo"
    path = next((folder / "data").glob("usage.*"))
    usage = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    at = pd.to_datetime(usage["at"], utc=True)
    kept = usage[at < at.max() - pd.Timedelta(days=60)]
    kept.to_parquet(path) if path.suffix == ".parquet" else kept.to_csv(path, index=False)
    shutil.rmtree(folder / "out", ignore_errors=True)
    return folder


def breaches_of(folder, name="scores"):
    found = sorted(folder.rglob(f"{name}-breaches.json"))
    assert len(found) == 1
    return json.loads(found[0].read_text())


def written(folder):
    return sorted(path.name for path in (folder / "out").rglob("*") if path.is_file())


def test_healthy_data_are_scored_and_nothing_is_said(company):
    code, out, _ = run("score", "--config", str(company.config), "--quiet")
    assert code == 0
    assert "limit" not in out
    found = breaches_of(company.root / "demo")
    assert (found["known"], found["breaches"], found["notes"], found["scored"]) == (True, [], [], True)


@pytest.mark.parametrize("buckets", [1, 3])
def test_data_gone_bad_are_refused_with_every_breach_named(late, buckets, tmp_path):
    path = tmp_path / "scores.parquet"
    config = ["--config", str(late / "staypower.yaml"), "--set", f"engine.buckets={buckets}"]
    words = ["score", *config, "-o", str(path), "--quiet"]
    code, _, err = run(*words)
    assert code == 1
    assert not path.exists()
    assert "error: usage: ends 60 days before the cutoff" in err
    assert "limit 7 days" in err
    assert "gate.silence" in err
    assert "--accept-data" in err
    found = breaches_of(tmp_path)
    assert not found["scored"]
    assert [(one["table"], one["setting"]) for one in found["breaches"]] == [("usage", "gate.silence")]
    code, out, _ = run(*words, "--accept-data")
    assert code == 0
    assert "usage: ends 60 days before the cutoff" in out
    assert len(pd.read_parquet(path)) > 0
    assert breaches_of(tmp_path)["scored"]
    # what a higher limit lets pass is caught by what it breaks
    code, _, err = run(*words, "--set", "gate.silence=100")
    assert code == 1
    assert "usage: fewer rows than in training" in err


def test_python_refuses_too(late):
    with pytest.raises(RefusedData, match="ends 60 days before the cutoff"):
        staypower.score(late / "staypower.yaml", write=False)
    accepted = staypower.score(late / "staypower.yaml", write=False, accept_data=True)
    assert {*accepted.gate.frame()["setting"]} == {"gate.silence", "gate.missing"}
    assert len(accepted.frame()) == len(accepted) > 0


def test_check_says_where_the_table_ends(late):
    checked = staypower.check(late / "staypower.yaml")
    warned = checked.frame().query("table == 'usage' and severity == 'warning'")
    assert warned["problem"].str.contains("ends 60 days before the end of the observed data").any()
    history = (
        checked.frame().query("table == 'usage'")["problem"].str.extract(r"history of .* to (\d{4}-\d\d-\d\d)")[0].dropna()
    )
    assert len(history) == 1
    assert pd.Timestamp(history.iloc[0]) < pd.Timestamp("2025-06-01")


def scoring_commands(app, before=""):
    """Name every command that says at a cutoff what a model makes of the data."""
    for name, one in app.commands.items():
        if hasattr(one, "commands"):
            yield from scoring_commands(one, f"{name} ")
        elif "cutoff" in {parameter.name for parameter in one.params}:
            yield before + name


# monitoring looks for such data and shows them; a comparison measures models, and names nobody to call
GOING_ON = {"monitor", "models compare"}
GATED = sorted({*scoring_commands(typer.main.get_command(app))} - GOING_ON)
LISTS = {"score": ["scores-breaches.json"], "actions": ["actions-breaches.json"], "explain": [], "report": []}


def test_these_commands_apply_a_model_to_data():
    assert sorted(LISTS) == GATED


@pytest.mark.parametrize("name", GATED)
def test_every_command_that_applies_a_model_stops_at_the_gate(late, name):
    shutil.rmtree(late / "out", ignore_errors=True)
    words = [name, "--config", str(late / "staypower.yaml"), "--quiet"]
    code, out, err = run(*words, "--json")
    assert code == 1
    assert "error: usage: ends 60 days before the cutoff" in err
    (problem,) = json.loads(out)["problems"]
    assert problem["problem"] == "usage: ends 60 days before the cutoff"
    assert "`gate.silence`" in problem["fix"]
    assert "`--accept-data`" in problem["fix"]
    assert written(late) == LISTS[name]
    code, out, _ = run(*words, "--accept-data")
    assert code == 0
    shown = " ".join(out.split())
    assert "usage: ends 60 days before the cutoff" in shown
    assert "features are missing" in shown
    for kept in LISTS[name]:
        assert breaches_of(late / "out", kept.removesuffix("-breaches.json"))["scored"]


@pytest.mark.parametrize("name", GATED)
def test_every_command_looks_at_features_in_buckets_too(late, name):
    """The limits of tables are wide: only the features that follow from them tell."""
    shutil.rmtree(late / "out", ignore_errors=True)
    wide = [word for limit in ("silence", "rate") for word in ("--set", f"gate.{limit}=1000")]
    code, _, err = run(name, "-c", str(late / "staypower.yaml"), "--set", "engine.buckets=3", *wide, "-q")
    assert code == 1
    assert "features are missing" in err
    assert "error: usage: ends" not in err
    assert written(late) == LISTS[name]


def test_scores_that_are_given_pass_the_gate_again(late):
    scored = staypower.score(late / "staypower.yaml", write=False, accept_data=True)
    with pytest.raises(RefusedData, match="ends 60 days before the cutoff"):
        staypower.actions(late / "staypower.yaml", scores=scored)


def test_the_report_shows_the_breaches(late):
    made = staypower.report(late / "staypower.yaml", pages=0, accept_data=True)
    assert any("usage: ends 60 days before the cutoff" in note for note in made.report.notes)
    assert "ends 60 days before the cutoff" in made.path.read_text(encoding="utf-8")


def test_a_model_from_before_the_gate_scores_and_says_so(company, tmp_path):
    bundle = read_bundle(company.result.trained.registered.folder)
    assert GATE in bundle.learned
    old = replace(bundle, learned={name: value for name, value in bundle.learned.items() if name != GATE})
    write_bundle(old, tmp_path / "old")
    code, out, _ = run("score", "-c", str(company.config), "--model", str(tmp_path / "old"), "-o", str(tmp_path / "s.parquet"))
    assert code == 0
    assert "sealed without what the gate needs" in " ".join(out.split())
