"""`staypower backtest` on real files: what it prints, the run it leaves behind, and that a fold is what training makes."""

import json

import mlflow
import pytest
from command_line import run

import staypower
from staypower.models.bundle import read_bundle

# fewer cutoffs, features and trees where the model itself is not looked at
QUICK = ("cutoffs.every=60", "features.windows=[90]", "model.max_trees=20")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A tracking store and an output folder of our own: other tests count the runs of the company's."""
    return tmp_path_factory.mktemp("backtested")


@pytest.fixture(scope="module")
def call(company, place):
    def command(name, *options):
        own = (f"tracking.folder={place}/mlruns", f"output.folder={place}/out", "evaluation.bootstrap=30")
        return run(name, "-c", str(company.config), "--quiet", *(word for each in own for word in ("--set", each)), *options)

    return command


@pytest.fixture(scope="module")
def tested(call):
    code, out, err = call("backtest", "--folds", "3", "--health-score", "payments.amont", "--json")
    assert code == 2
    assert "no such column" in err
    code, out, err = call("backtest", "--folds", "3", "--health-score", "payments.amount", "--json")
    assert code == 0, err
    return json.loads(out)


def test_a_fold_is_the_model_that_training_made_for_the_same_cutoff(company, tested):
    """The demo was trained for the test cutoffs from 2025-01-02 on, as is the first of the three folds."""
    trained = company.result.trained
    fold = tested["folds"][0]
    plan = trained.dataset.plan.to_dict()
    assert fold["cutoff"] == plan["test"][0] == "2025-01-02"
    assert fold["learned_until"] == max(*plan["training"], *plan["calibration"])
    learned = trained.dataset.rows("training", "calibration")
    assert fold["learned_rows"] == learned.sum()
    first = next(group for group in trained.evaluation.groups if group.name == "2025-01-02")
    assert fold["evaluation"]["scorers"]["model"]["auroc"]["value"] == first.auroc.value
    assert fold["evaluation"]["scorers"]["model"]["log_loss"]["value"] == pytest.approx(
        first.measures["log_loss"].value, abs=1e-12
    )
    # and the same model, tested later, is the model of that age
    last = next(group for group in trained.evaluation.groups if group.name == "2025-03-03")
    assert tested["ages"][2]["auroc"] == last.auroc.value


def test_a_health_score_in_use_is_shown_beside_the_model(tested):
    caught = tested["health_score"]
    assert [row["cutoff"] for row in caught] == [fold["cutoff"] for fold in tested["folds"]]
    for row, fold in zip(caught, tested["folds"], strict=True):
        assert row["churned"] == fold["evaluation"]["churned"]
        assert row["by_model"] <= row["churned"] >= row["by_score"]
        assert row["churned_mrr"] >= max(row["mrr_by_model"], row["mrr_by_score"]) >= 0
        assert "health score" in fold["evaluation"]["scorers"]
    assert sum(row["by_model"] for row in caught) > 0


def test_everything_is_in_the_json(tested):
    assert [fold["cutoff"] for fold in tested["folds"]] == ["2025-01-02", "2025-02-01", "2025-03-03"]
    assert tested["pooled"]["split"].startswith("rolling origin, 3 folds")
    assert [point["days"] for point in tested["ages"]] == [0, 30, 60]
    assert {row["cutoff"] for row in tested["calibration"]} == {fold["cutoff"] for fold in tested["folds"]}
    names = set(tested["pooled"]["scorers"])
    baselines = {"base rate", "recency rule", "tenure rule", "last survey answer", "logistic regression", "LightGBM defaults"}
    assert names == {"model", "health score"} | baselines
    assert tested["pooled"]["worst_slice"] is None or tested["pooled"]["worst_slice"]["of"] > 1
    assert tested["pooled"]["contact_plans"][0]["rule"] == "highest point of the profit curve"


def test_the_run_is_tracked_with_folds_as_steps(place, tested):
    client = mlflow.MlflowClient(f"sqlite:///{place}/mlruns/mlflow.db")
    tracked = client.get_run(tested["run_id"])
    assert tracked.data.tags["kind"] == "backtest"
    assert tracked.data.metrics["backtest.auroc"] == tested["metrics"]["auroc"]
    steps = client.get_metric_history(tested["run_id"], "fold.auroc")
    assert [step.value for step in steps] == [
        fold["evaluation"]["scorers"]["model"]["auroc"]["value"] for fold in tested["folds"]
    ]
    assert [step.step for step in client.get_metric_history(tested["run_id"], "age.log_loss")] == [0, 1, 2]
    names = {file.path for file in client.list_artifacts(tested["run_id"], "backtest")}
    assert {"backtest/backtest.json", "backtest/backtest.txt", "backtest/folds.csv", "backtest/folds.png"} <= names


def test_files_are_written(place, tested):
    folder = place / "out" / "backtest"
    assert sorted(path.name for path in folder.iterdir()) == ["ageing.png", "backtest.json", "folds.png"]
    assert json.loads((folder / "backtest.json").read_text())["headline"] == tested["headline"]


def test_the_text_fits_a_terminal_and_shows_known_and_unseen_accounts(call):
    code, out, err = call("backtest", "--folds", "1", *(word for each in QUICK for word in ("--set", each)))
    assert code == 0, err
    tables = out.split("\nrun: ")[0]
    assert max(map(len, tables.splitlines())) <= 100
    assert "Known and unseen accounts" in out
    assert "By account" in out


def test_from_python(company, place):
    own = (f"tracking.folder={place}/mlruns", f"output.folder={place}/python")
    settings = staypower.load_config(company.config, (*own, *QUICK, "evaluation.bootstrap=0"))
    found = staypower.backtest(settings, folds=1).backtest
    assert len(found.folds) == 1
    assert found.frame("scorers")["scorer"].iloc[0] == "model"


def test_a_flag_allows_no_backtest(call):
    flag = "label={kind: given, flag: segment, churned: small}"
    code, _, err = call("backtest", "--set", flag)
    assert code == 2, err


def test_a_history_too_short_is_refused(call):
    code, _, err = call("backtest", "--set", "cutoffs.min_history=700")
    assert code == 2
    assert "history too short for a backtest" in err or "history too short for one cutoff" in err


def test_too_few_churners_leave_no_fold(call):
    code, _, err = call("backtest", "--set", "model.min_churners=100000")
    assert code == 2
    assert "no fold can be evaluated: fold tested at 2025-03-03 left out" in err


def test_money_and_the_base_rate_are_sealed_with_the_model(company):
    bundle = read_bundle(company.result.trained.registered.folder)
    plans = bundle.metadata["contact_plans"]
    assert plans[0]["contacts_per_cutoff"] == bundle.metadata["metrics"]["contacts_per_cutoff"]
    assert plans[0]["threshold"] == bundle.metadata["metrics"]["profit_threshold"]
    # what the probabilities add up to at the latest labelled cutoff, found by trees that did not see the account
    dataset = company.result.trained.dataset.for_scoring()
    last = dataset.where(dataset.matrix.cutoffs == dataset.plan.all[-1])
    said = bundle.predict(last.X[list(bundle.feature_names)], last.accounts).mean()
    assert bundle.metadata["calibrated_base_rate"] == pytest.approx(said, rel=0.25)


@pytest.fixture(scope="module")
def evaluated(call):
    code, out, err = call("evaluate", "--json", "--prior", "0.2")
    assert code == 0, err
    return json.loads(out)["evaluation"]


def test_evaluate_measures_a_corrected_prior_too(evaluated):
    scorers = evaluated["scorers"]
    assert scorers["prior corrected"]["auroc"]["value"] == scorers["model"]["auroc"]["value"]
    assert scorers["prior corrected"]["mean_score"]["value"] > scorers["model"]["mean_score"]["value"]


@pytest.mark.parametrize("prior", ["2", "0", "nan", "often"])
def test_what_is_no_base_rate_is_refused(call, prior):
    code, _, err = call("evaluate", "--prior", prior)
    assert code == 2
    assert f"not a base rate: --prior {prior}" in err


def test_evaluate_says_which_accounts_the_sealed_model_knew(company, evaluated):
    groups = [group for group in evaluated["groups"] if group["partition"] == "account"]
    trained = [group for group in company.result.trained.evaluation.groups if group.partition == "account"]
    assert [(group["name"], group["rows"]) for group in groups] == [(group.name, group.rows) for group in trained]
