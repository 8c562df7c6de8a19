"""From tables to a tracked model and a scored list, on files, as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from command_line import run

import staypower
from staypower.cutoffs import DAY, instant_of
from staypower.models.champion import read_champion
from staypower.pipelines.demo import demo_config
from staypower.sources.reading import read_tables

ROOT = Path(__file__).parents[2]


def test_every_account_has_one_row_and_a_status(company):
    scores = pd.read_parquet(company.root / "demo" / "out" / "scores.parquet")
    accounts = pd.read_parquet(company.root / "demo" / "data" / "accounts.parquet")["account_id"].unique()
    assert sorted(scores["account_id"]) == sorted(accounts)
    assert set(scores["status"]) <= {"scored", "not_active", "notice_given", "too_new", "no_history", "invalid"}
    scored = scores["status"] == "scored"
    assert scored.sum() > 50
    assert scores.loc[scored, "churn_probability"].between(0, 1, inclusive="neither").all()
    assert scores.loc[~scored, "churn_probability"].isna().all()
    assert scores.loc[scored, "reason_1"].notna().all()
    assert (scores["model_version"] == "1").all()


def test_reasons_add_up_to_the_raw_score(company):
    explanation = company.result.scored.scores.explanation
    bundle = company.result.trained.bundle
    raw = bundle.raw_score(explanation.features)
    np.testing.assert_allclose(explanation.base + explanation.contributions.sum(axis=1), raw, atol=1e-6)
    first = explanation.reasons(0, count=5)
    # first the levers of the largest totals, then what else has a lever, then what has none, each by strength
    leading = [lever for lever in explanation.first_levers()[0].tolist() if lever is not None]
    assert [reason.lever for reason in first][: len(leading)] == leading
    rest = [(reason.lever is None, -abs(reason.contribution)) for reason in first[len(leading) :]]
    assert rest == sorted(rest)
    stems = [reason.feature.rsplit("_", 1)[0] if reason.feature.endswith("d") else reason.feature for reason in first]
    assert len(set(stems)) == len(stems)


def test_the_split_is_temporal_with_its_embargo(company):
    plan = company.result.trained.dataset.plan
    assert plan.split == "temporal"
    assert plan.calibration[0] - plan.early[-1] >= 120 * DAY
    assert plan.test[0] - plan.calibration[-1] >= 120 * DAY
    assert plan.test[-1] + 120 * DAY <= company.settings.observed_until


def test_a_full_company_has_at_least_120_features(company):
    assert len(company.result.trained.dataset.catalogue.names) >= 120


def test_the_model_is_better_than_the_rules_and_no_better_than_the_truth(company):
    metrics = company.result.trained.evaluation.metrics()
    rules = company.result.trained.evaluation.scorers
    assert metrics["auroc"] > rules["recency rule"]["auroc"].value
    assert metrics["auroc"] < company.result.ceiling + 0.03


def test_runs_and_versions_are_as_an_mlflow_user_expects(company):
    store = f"sqlite:///{company.root / 'mlruns' / 'mlflow.db'}"
    client = mlflow.MlflowClient(tracking_uri=store, registry_uri=store)
    experiment = client.get_experiment_by_name("demo")
    runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
    # the demo evaluates once, within its training; later runs are those of other tests
    train = runs[0]
    assert [run.data.tags["kind"] for run in runs].count("train") == 1
    assert train.data.tags["kind"] == "train"
    assert train.info.status == "FINISHED"
    assert train.data.metrics["auroc"] == pytest.approx(company.result.trained.evaluation.metrics()["auroc"])
    assert train.info.run_name == "train 2025-03-03"
    assert train.data.params["label.horizon"] == "90"
    assert len(train.data.params) < 40, "what somebody chose, not every default"
    card = company.result.trained.bundle.card
    assert card.startswith(train.data.tags["mlflow.note.content"].removesuffix("..."))
    assert len(train.data.tags["mlflow.note.content"]) > 5000
    assert train.data.tags["mlflow.source.name"] == "staypower train"
    inputs = {each.dataset.name: each for each in train.inputs.dataset_inputs}
    assert list(inputs) == ["demo training", "demo calibration", "demo test"]
    assert inputs["demo test"].tags[0].value == "test"
    assert json.loads(inputs["demo test"].dataset.profile)["rows"] == company.result.trained.evaluation.rows
    assert len({each.dataset.digest for each in inputs.values()}) == 3
    steps = client.get_metric_history(train.info.run_id, "by_cutoff.auroc")
    assert [each.step for each in steps] == list(range(len(company.result.trained.evaluation.cutoffs)))
    table = json.loads(Path(client.download_artifacts(train.info.run_id, "evaluation/baselines.json")).read_text())
    assert table["columns"][:2] == ["scorer", "scored"]
    assert [row[0] for row in table["data"]][:2] == ["model", "base rate"]
    assert len(train.data.tags["data_fingerprint"]) == 64
    pictures = {file.path for file in client.list_artifacts(train.info.run_id, "evaluation")}
    assert {"evaluation/roc.png", "evaluation/reliability.png", "evaluation/importance.png"} <= pictures
    assert {file.path for file in client.list_artifacts(train.info.run_id, "data")} >= {"data/features.csv"}
    version = client.get_model_version_by_alias("demo", "champion")
    assert version.run_id == train.info.run_id
    assert str(version.version) == read_champion(company.root / "models", "demo").version
    assert version.tags["twin"] == TWIN_WORDS
    assert card.startswith(version.description.removesuffix("..."))
    (model,) = client.search_logged_models([experiment.experiment_id])
    of_model = {each.key: each.value for each in model.metrics}
    assert of_model["auroc"] == train.data.metrics["auroc"], "a model's metrics are numbers, not texts"


TWIN_WORDS = "evaluated on a twin trained on data up to 2024-09-04; this model is trained on data up to 2025-03-03"


def test_every_output_says_what_was_evaluated_and_how_old_the_model_is(company):
    age = "newest outcome known: 2025-06-01, 30 days before the cutoff"
    assert TWIN_WORDS in " ".join(company.result.trained.text(width=1000).split())
    assert TWIN_WORDS in company.result.trained.bundle.card
    for command in (["score"], ["explain"], ["actions"]):
        code, out, _ = run(*command, "-c", str(company.config))
        said = " ".join(out.split())
        assert code == 0
        assert f"Model: {TWIN_WORDS}; {age}" in said
    page = company.result.reported.path.read_text(encoding="utf-8")
    assert "evaluated on a twin trained on data up to" in page
    assert "2025-06-01, 30 days before the cutoff" in page
    code, out, _ = run("models", "list", "-c", str(company.config))
    assert code == 0
    assert TWIN_WORDS in " ".join(out.split())


def test_evaluate_shows_the_twin_on_cutoffs_that_the_model_was_trained_on(company):
    code, out, _ = run("evaluate", "-c", str(company.config), "--json")
    assert code == 0
    found = json.loads(out)
    assert found["evaluated"] == f"These are the figures of the twin: {TWIN_WORDS}."
    trained = company.result.trained.evaluation.metrics()["auroc"]
    assert found["evaluation"]["scorers"]["model"]["auroc"]["value"] == pytest.approx(trained, abs=1e-12)
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{company.root / 'mlruns' / 'mlflow.db'}")
    evaluated = client.get_run(found["run_id"])
    above = client.get_run(evaluated.data.tags["mlflow.parentRunId"])
    assert above.data.tags["kind"] == "train"
    assert evaluated.info.run_name == f"evaluate {found['evaluation']['cutoffs'][-1]}"


def test_score_loads_nothing_that_it_does_not_use(company):
    program = (
        "import sys; from staypower.pipelines.score import score;"
        f"score({str(company.config)!r}, write=False);"
        "heavy = {'mlflow', 'shap', 'matplotlib', 'lightgbm', 'sklearn', 'sqlglot'};"
        "heavy |= {'scipy.special', 'scipy.optimize', 'scipy.linalg'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=company.root)
    assert done.stdout.strip() == "[]"


def test_scores_do_not_depend_on_who_else_is_asked_for(company, tmp_path):
    whole = pd.read_parquet(company.root / "demo" / "out" / "scores.parquet").set_index("account_id")
    some = [account for account in whole.index if whole.loc[account, "status"] == "scored"][:3]
    away = whole.index[whole["status"] != "scored"][0]
    asked = [word for account in [*some, away] for word in ("--account", account)]
    path = tmp_path / "few.parquet"
    code, out, _ = run("score", "-c", str(company.config), "--json", "--output", str(path), *asked)
    assert code == 0
    assert json.loads(out)["accounts"] == 4
    few = pd.read_parquet(path).set_index("account_id")
    columns = [name for name in few.columns if name != "scored_at"]
    pd.testing.assert_frame_equal(few.loc[[*some, away], columns], whole.loc[[*some, away], columns])


def test_an_unknown_account_is_refused_with_the_nearest_ids(company):
    for more in ((), ("--set", "engine.buckets=3")):
        code, out, err = run("score", "-c", str(company.config), "--account", "a0000012", *more)
        assert (code, out) == (2, "")
        assert "error: unknown account: a0000012. Fix: write `A0000012`" in err


def test_python_scores_one_account_given_as_text_and_writes_nothing_when_told_so(company):
    path = company.root / "demo" / "out" / "scores-selected.parquet"
    account = company.result.scored.watch_list(1)["account_id"].iloc[0]
    scored = staypower.score(str(company.config), accounts=account, write=False)
    assert scored.frame()["account_id"].tolist() == [account]
    assert scored.path is None
    assert not path.exists()
    previous = staypower.score(company.config, accounts=[account], cutoff=date(2025, 5, 1), write=False)
    again = staypower.score(company.config, accounts=(account,), previous=previous, write=False)
    assert again.scores.movement is not None


def test_scoring_at_an_earlier_cutoff_sees_nothing_later(company, tmp_path):
    """The scores of a past cutoff are those of tables that end there."""
    cutoff = "2025-03-03"
    before = instant_of(cutoff)
    data = tmp_path / "demo" / "data"
    data.mkdir(parents=True)
    late = {
        "tickets": ["first_response_at", "resolved_at", "reopened_at"],
        "surveys": ["answered_at"],
        "subscriptions": ["ended_at", "cancel_requested_at"],
        "payments": ["refunded_at"],
        "goals": ["met_at"],
        "accounts": ["setup_completed_at"],
    }
    own = {"accounts": "valid_from", "usage": "at", "tickets": "opened_at", "surveys": "sent_at", "subscriptions": "valid_from"}
    own |= {"payments": "at", "advocacy": "at", "goals": "set_at"}
    for source in (company.root / "demo" / "data").glob("*.parquet"):
        if source.stem not in own:
            continue
        frame = pd.read_parquet(source)
        moment = pd.Timestamp(before, unit="us", tz="UTC")
        frame = frame[frame[own[source.stem]] < moment]
        for column in late.get(source.stem, []):
            hidden = frame[column] >= moment
            frame.loc[hidden, column] = pd.NaT
            if column == "answered_at":
                frame.loc[hidden, "value"] = np.nan
            if column == "ended_at":
                frame.loc[hidden, "end_reason"] = None
        frame.to_parquet(data / source.name)
    config = tmp_path / "demo" / "staypower.yaml"
    config.write_text(demo_config("data", "out", str(company.root / "mlruns"), str(company.root / "models")))
    lists = []
    for place, path in ((company.config, "whole"), (config, "past")):
        output = tmp_path / f"{path}.parquet"
        code, _, shown = run("score", "-c", str(place), "--cutoff", cutoff, "--output", str(output))
        assert code == 0, shown
        lists.append(pd.read_parquet(output).set_index("account_id").drop(columns="scored_at"))
    whole, past = lists
    pd.testing.assert_frame_equal(whole.loc[past.index], past)
    assert set(whole.loc[~whole.index.isin(past.index), "status"]) == {"no_history"}


def test_the_committed_config_is_the_demos_own():
    written = (ROOT / "configs" / "demo.yaml").read_text()
    assert written == demo_config("../demo/data", "../demo/out", "../mlruns", "../models")


def test_the_data_can_be_objects_in_memory(company):
    frames = {path.stem: pd.read_parquet(path) for path in (company.root / "demo" / "data").glob("*.parquet")}
    sources = {
        name: [source.model_copy(update={"source": name}) for source in listed]
        for name, listed in company.settings.tables.items()
    }
    tables, _ = read_tables(sources, folder=company.root, observed_until=company.settings.observed_until, objects=frames)
    from_files, _ = read_tables(
        company.settings.tables, folder=company.settings.root, observed_until=company.settings.observed_until
    )
    assert {name: len(table) for name, table in tables.items()} == {name: len(table) for name, table in from_files.items()}


def scored_rows(company):
    scores = pd.read_parquet(company.root / "demo" / "out" / "scores.parquet")
    return scores[scores["status"] == "scored"]


def test_kinds_add_up_and_horizons_never_fall(company):
    scores = scored_rows(company)
    assert (scores["p_voluntary"] + scores["p_involuntary"] == scores["churn_probability"]).all()
    assert (scores["churn_probability_30d"] <= scores["churn_probability"]).all()
    assert (scores["churn_probability_90d"] == scores["churn_probability"]).all()
    assert (scores["churn_probability"] <= scores["churn_probability_180d"]).all()
    assert scores["expected_days_to_churn"].between(0, 180).all()


def test_every_account_has_a_tier_and_a_quadrant_the_silent_too(company):
    scores = scored_rows(company)
    assert set(scores["tier"]) <= {"detractor", "passive", "promoter", "unknown"}
    np.testing.assert_allclose(scores[["p_detractor", "p_passive", "p_promoter"]].sum(axis=1), 1.0, atol=1e-9)
    silent = scores["asked_unanswered"] >= 3
    assert silent.any()
    assert scores.loc[silent, "p_detractor"].notna().all()
    assert scores["quadrant"].notna().all()
    assert (scores.loc[scores["tier"] == "unknown", "quadrant"] == "tier_unknown").all()
    assert company.result.trained.tier.metrics()["tier_ranked_probability_score"] < 0.2


def test_previous_scores_keep_tiers_steady_and_say_who_moved(company, tmp_path):
    before = tmp_path / "before.csv"
    assert run("score", "-c", str(company.config), "--cutoff", "2025-05-01", "--output", str(before))[0] == 0
    code, out, err = run(
        "score", "-c", str(company.config), "--previous", str(before), "--output", str(tmp_path / "now.parquet"), "--json"
    )
    assert code == 0, err
    moved = {(row["before"], row["now"]): row["accounts"] for row in json.loads(out)["movement"]}
    then, now = pd.read_csv(before, dtype={"account_id": str}), pd.read_parquet(tmp_path / "now.parquet")
    gone = then["quadrant"].notna() & ~then["account_id"].isin(now.loc[now["quadrant"].notna(), "account_id"])
    assert sum(count for (_, place), count in moved.items() if place == "gone") == gone.sum()
    free = scored_rows(company).set_index("account_id")["tier"]
    held = now[now["status"] == "scored"].set_index("account_id")["tier"]
    last = then.set_index("account_id")["tier"].reindex(held.index)
    changed, would = (held != last) & last.notna(), (free != last) & last.notna()
    assert changed.sum() <= would.sum()
    later, out, err = run("score", "-c", str(company.config), "--cutoff", "2025-03-01", "--previous", str(before))
    assert later == 2
    assert "not the earlier" in err


def test_what_is_written_is_logged_when_asked_for(company):
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{company.root / 'mlruns' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("demo").experiment_id

    def logged() -> dict[str, str]:
        found = (run for run in client.search_runs([experiment]) if run.data.tags["kind"] in ("score", "report"))
        return {run.info.run_name: run.info.run_id for run in found}

    assert logged() == {}, "not unless asked"
    for command in ("score", "report"):
        assert run(command, "-c", str(company.config), "--set", "tracking.outputs=true", "-q")[0] == 0
    runs = logged()
    assert set(runs) == {"score 2025-07-01", "report 2025-07-01"}
    assert [file.path for file in client.list_artifacts(runs["score 2025-07-01"], "score")] == ["score/scores.parquet"]
    assert [file.path for file in client.list_artifacts(runs["report 2025-07-01"], "report")] == ["report/report.html"]
