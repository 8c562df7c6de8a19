"""Champion and challenger on the command line: who wins, who is refused, and what is written down."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import mlflow
import pytest
from command_line import run

from staypower.config.loading import load_config
from staypower.evaluation.comparison import compare_models
from staypower.models.bundle import read_bundle
from staypower.models.champion import read_champion, read_versions
from staypower.pipelines.arguments import read_tables

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def contest(company, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A first version that knows next to nothing, made champion by force, and a second one that knows everything."""
    root = tmp_path_factory.mktemp("contest")
    common = [
        "-c",
        str(company.config),
        "--set",
        f"tracking.folder={root / 'mlruns'}",
        "--set",
        f"models_folder={root / 'models'}",
    ]
    quick = [word for each in ("model.max_trees=20", "horizons.days=[]") for word in ("--set", each)]
    stunted = run("train", *common, "--json", "-q", "--set", "features.families=[profile]", *quick)
    refused = run("models", "promote", "1", *common)
    forced = run("models", "promote", "1", *common, "--force", "--reason", "a start", "--json")
    grown = run("train", *common, "-q")
    return SimpleNamespace(root=root, common=common, stunted=stunted, refused=refused, forced=forced, grown=grown)


def champion(contest: SimpleNamespace) -> str:
    return read_champion(contest.root / "models", "demo").version


def client(contest: SimpleNamespace) -> mlflow.MlflowClient:
    store = f"sqlite:///{contest.root / 'mlruns' / 'mlflow.db'}"
    return mlflow.MlflowClient(tracking_uri=store, registry_uri=store)


def promotions(contest: SimpleNamespace) -> list[mlflow.entities.Run]:
    mlruns = client(contest)
    experiment = mlruns.get_experiment_by_name("demo")
    found = mlruns.search_runs([experiment.experiment_id], filter_string="tags.kind = 'promote'")
    return sorted(found, key=lambda each: each.info.start_time)


def test_a_first_model_that_is_no_better_than_chance_is_no_champion(contest: SimpleNamespace) -> None:
    code, out, _ = contest.stunted
    assert code == 0
    assert json.loads(out)["champion"] is False
    assert json.loads(out)["comparison"] is None
    code, out, _ = contest.refused
    assert code == 1
    assert "Not promoted: version 1 cannot be promoted automatically: not significantly better than chance" in " ".join(
        out.split()
    )
    assert "Champion of demo: none" in out
    code, out, _ = contest.forced
    assert code == 0
    assert (json.loads(out)["champion"], json.loads(out)["forced"]) == ("1", True)


def test_training_says_what_promoting_would_do(contest: SimpleNamespace) -> None:
    code, out, _ = contest.grown
    assert code == 0
    assert "version 2 is better than the champion, version 1: log loss -0." in out
    assert "`staypower models promote 2` would make it the champion" in out
    record = read_versions(contest.root / "models", "demo")["2"]
    assert record.facts["tested_at"] == "2025-01-02 to 2025-03-03"
    assert record.unfit == ""


def test_training_again_gives_the_same_bytes(company, contest: SimpleNamespace) -> None:
    """The second version was trained as the demo was, on the command line."""
    again, first = read_bundle(contest.root / "models" / "demo" / "2"), company.result.trained.bundle
    assert again.model_text == first.model_text
    assert again.calibration == first.calibration
    assert again.learned == first.learned


def test_two_versions_are_compared_on_rows_that_neither_has_seen(contest: SimpleNamespace) -> None:
    code, out, _ = run("models", "compare", "1", "2", *contest.common, "--json", "-q")
    assert code == 0
    told = json.loads(out)
    schema = json.loads((Path(__file__).parents[2] / "docs" / "json" / "models-compare.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(told)
    assert (told["first"], told["second"], told["test"]["seen_by"]) == ("1", "2", None)
    assert told["test"]["cutoffs"] == ["2025-01-02", "2025-02-01", "2025-03-03"]
    assert told["test"]["verdict"].startswith("version 2 is better than the champion, version 1")
    sealed = read_bundle(contest.root / "models" / "demo" / "2")
    assert told["test"]["metrics"]["auroc"]["second"] == pytest.approx(sealed.metadata["metrics"]["auroc"])
    levers = {row["lever"]: row for row in told["scores"]["levers"]}
    # the first version reads nothing that has a lever but what the profile says
    assert levers["engagement"]["before"] == 0.0 < levers["engagement"]["after"]
    total = sum(row["mean_change"] for row in told["scores"]["levers"])
    assert total == pytest.approx(told["scores"]["mean_change"])
    assert sum(row["accounts"] for row in told["scores"]["bands"]) > 0
    code, out, err = run("models", "compare", "1", "best", *contest.common, "-q")
    assert (code, out) == (2, "")
    assert "not a version of a model: second: 'best'" in err


def test_what_one_version_has_seen_is_said(contest: SimpleNamespace) -> None:
    settings = load_config(contest.common[1], contest.common[3::2])
    bundles = [read_bundle(contest.root / "models" / "demo" / version) for version in ("1", "2")]
    plan = bundles[1].metadata["cutoffs"]
    seen = replace(bundles[1], metadata={**bundles[1].metadata, "cutoffs": {**plan, "calibration": plan["test"]}})
    tables, asked = read_tables(settings), {"label": settings.label, "cutoffs": settings.cutoffs}
    refused = compare_models(tables, challenger=("2", seen), champion=("1", bundles[0]), **asked)
    assert "no cutoff with a complete outcome is later than their training" in refused.obstacle
    found = compare_models(tables, challenger=("2", seen), champion=("1", bundles[0]), **asked, seen=True)
    assert (found.seen_by, found.wins, len(found.cutoffs)) == ("2", False, 3)


# the tests below follow one another, as promotions do
def test_the_winner_is_promoted_and_everything_is_written_down(contest: SimpleNamespace) -> None:
    code, out, _ = run("models", "promote", "2", *contest.common, "--json", "-q")
    assert code == 0
    told = json.loads(out)
    assert (told["promoted"], told["champion"], told["previous"], told["forced"]) == (True, "2", "1", False)
    loss = told["comparison"]["metrics"]["log_loss"]["difference"]
    assert loss["high"] < 0
    # both on the rows of the test that the second was trained beside: later than anything that either learned from
    assert told["comparison"]["cutoffs"] == ["2025-01-02", "2025-02-01", "2025-03-03"]
    sealed = read_bundle(contest.root / "models" / "demo" / "2")
    assert told["comparison"]["metrics"]["auroc"]["challenger"] == pytest.approx(sealed.metadata["metrics"]["auroc"])
    assert told["comparison"]["metrics"]["log_loss"]["challenger"] == pytest.approx(sealed.metadata["metrics"]["log_loss"])
    lock = read_champion(contest.root / "models", "demo")
    assert lock.comparison["metrics"] == told["comparison"]["metrics"]
    assert (lock.version, lock.history, lock.forced) == ("2", ("1",), "")
    assert lock.reason.startswith("version 2 is better than the champion")
    tags = client(contest).get_model_version_by_alias("demo", "champion").tags
    assert tags["promoted_by_force"] == "no"
    assert tags["promoted_because"] == lock.reason
    logged = promotions(contest)[-1]
    assert logged.data.tags["decision"] == "promoted"
    assert logged.data.metrics["difference_log_loss"] == pytest.approx(loss["value"])


def test_the_loser_is_refused_with_exit_code_1(contest: SimpleNamespace) -> None:
    code, out, _ = run("models", "promote", "1", *contest.common, "-q")
    assert code == 1
    assert "version 1 is worse than the champion, version 2" in out
    assert "Not promoted; `staypower models promote 1 --force --reason TEXT`" in out
    assert champion(contest) == "2"
    assert promotions(contest)[-1].data.tags["decision"] == "refused"


def test_force_needs_a_reason_and_leaves_a_trace(contest: SimpleNamespace) -> None:
    code, _, err = run("models", "promote", "1", *contest.common, "-q", "--force")
    assert code == 2
    assert "force without a reason" in err
    code, out, _ = run("models", "promote", "1", *contest.common, "-q", "--force", "--reason", "an experiment")
    assert code == 0
    assert "Champion of demo: version 1, promoted by force (before: version 2)" in out
    lock = read_champion(contest.root / "models", "demo")
    assert (lock.version, lock.forced, lock.history) == ("1", "yes", ("1", "2"))
    assert lock.reason.startswith("an experiment; version 1 is worse than")
    assert promotions(contest)[-1].data.tags["decision"] == "forced"
    code, out, _ = run("models", "list", *contest.common)
    listed = " ".join(out.split())
    assert ", by force: an experiment; version 1 is worse" in listed
    assert "Version 2: trained on" in listed


def test_rollback_is_one_command(contest: SimpleNamespace) -> None:
    code, out, _ = run("models", "rollback", *contest.common)
    assert code == 0
    assert "Champion of demo: version 2 (before: version 1)" in out
    code, out, _ = run("models", "list", *contest.common, "--json")
    rows = {row["version"]: row for row in json.loads(out)["versions"]}
    assert [rows["2"]["champion"], rows["1"]["champion"]] == [True, False]
    assert rows["2"]["promoted_because"] == "rollback from version 1"
    assert rows["2"]["metric.auroc"] > 0.5


def test_without_later_cutoffs_it_says_how_long_to_wait(contest: SimpleNamespace) -> None:
    early = ["--set", "observed_until=2025-04-29"]
    code, out, _ = run("models", "promote", "1", *contest.common, *early, "-q")
    assert code == 1
    assert "the first, 2025-01-02, is complete once the data reach 2025-05-02: wait for 2 more days of data" in " ".join(
        out.split()
    )
    assert champion(contest) == "2"


def test_another_label_is_no_comparison(contest: SimpleNamespace) -> None:
    code, out, _ = run("models", "promote", "1", *contest.common, "--set", "label.horizon=60", "-q")
    assert code == 1
    verdict = "was not compared with the champion, version 2: the model was trained for another label: label.horizon"
    assert verdict in " ".join(out.split())


def test_force_works_where_the_tables_are_gone(contest: SimpleNamespace, tmp_path: Path) -> None:
    gone = ["--set", f"tables.usage.source={tmp_path / 'gone.parquet'}"]
    assert run("models", "promote", "1", *contest.common, *gone, "-q")[0] == 2
    code, out, _ = run("models", "promote", "1", *contest.common, *gone, "-q", "--force", "--reason", "the disk is broken")
    assert code == 0
    assert "version 1 was not compared with the champion, version 2:" in out
    assert champion(contest) == "1"


def test_a_champion_that_was_altered_is_not_compared_with(contest: SimpleNamespace) -> None:
    trees = contest.root / "models" / "demo" / "1" / "model.txt"
    before = trees.read_bytes()
    trees.write_bytes(before.replace(b"leaf_value=", b"leaf_value=1", 1))
    try:
        code, out, _ = run("models", "promote", "2", *contest.common, "-q")
    finally:
        trees.write_bytes(before)
    assert code == 1
    assert "a file of the bundle was altered" in " ".join(out.split())
    assert champion(contest) == "1"


@pytest.mark.parametrize("version", ["9", "latest"])
def test_a_version_that_is_not_there(contest: SimpleNamespace, version: str) -> None:
    code, _, err = run("models", "promote", version, *contest.common)
    assert code == 2
    assert "no such version" in err
