"""Companies that are hard on a model: five hundred accounts and few who leave; a year in which twice as many leave."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from command_line import run

from staypower import simulate
from staypower.models.bundle import read_bundle
from staypower.models.champion import read_champion, read_versions

pytestmark = pytest.mark.filterwarnings("ignore")

FAR = pd.Timestamp("2100-01-01", tz="UTC")
TABLES = ("accounts", "usage", "subscriptions")
CONFIG = """
name: small
observed_until: 2025-06-30
tables:
  accounts: {source: accounts.parquet, static: [segment]}
  usage: {source: usage.parquet}
  subscriptions: {source: subscriptions.parquet}
label: {kind: contractual}
features: {windows: [28, 90]}
horizons: {days: []}
"""


@pytest.fixture(scope="module")
def simulated() -> SimpleNamespace:
    """A thousand accounts of thirty months: who never left, and who left once and for ever, and when."""
    made = simulate(1000, months=30, seed=11)
    tables = {name: made.tables[name].to_pandas() for name in TABLES}
    first = {account: first_end(rows) for account, rows in tables["subscriptions"].groupby("account_id")}
    left = pd.Series({account: end for account, (end, _) in first.items()}).sort_values()
    once = [account for account, (_, returned) in first.items() if not returned]
    return SimpleNamespace(
        tables=tables, left=left, stayed=list(left.index[left.isna()]), once=left[left.index.isin(once)].dropna()
    )


def first_end(contracts: pd.DataFrame) -> tuple[pd.Timestamp, bool]:
    """Return when an account was first without a contract for thirty days, and whether it came back."""
    rows = contracts.sort_values("started_at")
    until = rows["ended_at"].fillna(FAR).cummax()
    after = rows["started_at"].shift(-1).fillna(FAR)
    holes = until[after - until > pd.Timedelta(days=30)]
    return (holes.iloc[0], bool(after[holes.index[0]] < FAR)) if len(holes) else (pd.NaT, False)


def leaving(simulated: SimpleNamespace, first: str, last: str, count: int) -> list[str]:
    """Name accounts that left for ever within a period."""
    return list(simulated.once.index[(simulated.once > first) & (simulated.once < last)][:count])


def write(folder: Path, simulated: SimpleNamespace, accounts: list[str]) -> Path:
    """Write the company that has only these accounts, and its config."""
    folder.mkdir()
    for name, table in simulated.tables.items():
        table[table["account_id"].isin(accounts)].to_parquet(folder / f"{name}.parquet")
    (folder / "staypower.yaml").write_text(CONFIG, encoding="utf-8")
    return folder / "staypower.yaml"


def trained(folder: Path, simulated: SimpleNamespace, accounts: list[str]) -> SimpleNamespace:
    config = write(folder, simulated, accounts)
    code, out, err = run("train", "-c", str(config), "-q", "--json")
    assert code == 0, err
    told = json.loads(out)
    return SimpleNamespace(config=config, told=told, folder=folder, bundle=read_bundle(told["bundle"]))


@pytest.fixture(scope="module")
def thirty(simulated, tmp_path_factory):
    gone = [*leaving(simulated, "2023-09-01", "2024-11-01", 30), *leaving(simulated, "2025-01-10", "2025-05-20", 15)]
    accounts = [*simulated.stayed[:455], *gone]
    assert len(set(accounts)) == 500
    return trained(tmp_path_factory.mktemp("few") / "thirty", simulated, accounts)


@pytest.fixture(scope="module")
def twelve(simulated, tmp_path_factory):
    gone = [*leaving(simulated, "2023-09-01", "2024-11-01", 12), *leaving(simulated, "2025-01-10", "2025-05-20", 15)]
    accounts = [*simulated.stayed[:473], *gone]
    assert len(set(accounts)) == 500
    return trained(tmp_path_factory.mktemp("fewer") / "twelve", simulated, accounts)


def leaves(bundle) -> set[int]:
    return {int(count) for count in re.findall(r"^num_leaves=(\d+)$", bundle.model_text, re.MULTILINE)}


def test_thirty_churners_get_small_trees_of_all_cutoffs_and_folds_by_account(thirty):
    told = " ".join(thirty.told["warnings"])
    said = r"only (\d+) accounts have the rarer label \(under 100\): trees are limited to 4 leaves and depth 2; expect wide"
    found = re.search(said, told)
    # who had given notice before every cutoff teaches nothing
    assert found is not None
    assert 27 <= int(found.group(1)) <= 30
    assert max(leaves(thirty.bundle)) <= 4
    fit = thirty.bundle.metadata["fit"]
    assert fit.startswith("grouped: tree count and calibration from 5-fold cross-fitting, no account on both sides of a fold")
    cutoffs = thirty.told["split"]
    assert len(cutoffs["training"]) + len(cutoffs["calibration"]) > 12  # pooled, not the last one alone
    assert "expect wide intervals" in thirty.bundle.card


def test_its_intervals_are_wide(thirty):
    """Fifteen leavers in the test cannot place an AUROC within a tenth."""
    model = thirty.told["evaluation"]["scorers"]["model"]
    assert model["auroc"]["high"] - model["auroc"]["low"] > 0.1
    assert model["average_precision"]["high"] > 2 * model["average_precision"]["low"]


def test_its_probabilities_stay_near_what_thirty_leavers_can_tell(thirty):
    reliability = [each for each in thirty.told["evaluation"]["reliability"] if each["scorer"] == "model"]
    predicted = [each["predicted"] for each in reliability]
    assert 0 < min(predicted) <= max(predicted) < 0.5
    assert thirty.told["evaluation"]["scorers"]["model"]["mean_score"]["value"] < 0.1


def test_twelve_churners_are_learned_from_but_nobody_scores_with_them(twelve):
    said = "cannot be promoted automatically: only 12 accounts have the rarer label in training, 20 are needed"
    assert twelve.told["champion"] is False
    assert read_versions(twelve.folder / "models", "small")["1"].unfit == said
    code, out, _ = run("models", "promote", "1", "-c", str(twelve.config), "-q")
    assert code == 1
    assert f"Not promoted: version 1 {said}" in " ".join(out.split())
    code, _, err = run("score", "-c", str(twelve.config), "-q")
    assert code == 2
    assert "champion" in err
    code, out, _ = run("models", "promote", "1", "-c", str(twelve.config), "-q", "--force", "--reason", "we know")
    assert code == 0
    assert read_champion(twelve.folder / "models", "small").forced == "yes"


def test_too_few_churned_rows_do_not_train_at_all(simulated, tmp_path):
    gone = [*leaving(simulated, "2023-09-01", "2024-11-01", 2), *leaving(simulated, "2025-01-10", "2025-05-20", 5)]
    config = write(tmp_path / "none", simulated, [*simulated.stayed[:100], *gone])
    code, _, err = run("train", "-c", str(config), "-q")
    assert code == 2
    assert "churn" in err
    assert not (tmp_path / "none" / "models").exists()


@pytest.fixture(scope="module")
def doubled(simulated, tmp_path_factory):
    """Two of three accounts that left before the outcomes of the test were never customers: training's base rate halves."""
    left = simulated.left
    early = list(left.index[left < "2025-01-02"])
    kept = [*simulated.stayed, *early[::3], *left.index[left >= "2025-01-02"]]
    return trained(tmp_path_factory.mktemp("shift") / "doubled", simulated, kept)


def test_training_says_that_the_base_rate_has_moved(doubled):
    found = doubled.told["evaluation"]
    happened, learned = found["base_rate"]["value"], found["train_base_rate"]
    assert happened / learned == pytest.approx(2.0, abs=0.5)
    said = f"The base rate has shifted: {100 * happened:.1f}% here, {100 * learned:.1f}% in training."
    assert any(note.startswith(said) for note in found["notes"])
    assert said in " ".join(doubled.bundle.card.split())


def test_evaluating_says_it_too_and_a_given_rate_fixes_the_probabilities(doubled):
    happened = doubled.told["evaluation"]["base_rate"]["value"]
    code, out, _ = run("evaluate", "-c", str(doubled.config), "-q", "--prior", f"{happened:.4f}", "--json")
    assert code == 0
    found = json.loads(out)
    notes = found.get("evaluation", found)["notes"]
    assert any(note.startswith("The base rate has shifted:") for note in notes)
    own, moved = (found.get("evaluation", found)["scorers"][name] for name in ("model", "prior corrected"))
    assert own["mean_score"]["value"] < 0.8 * happened
    assert abs(moved["mean_score"]["value"] - happened) < abs(own["mean_score"]["value"] - happened) / 2
    assert moved["log_loss"]["value"] < own["log_loss"]["value"]
    assert moved["auroc"]["value"] == pytest.approx(own["auroc"]["value"])
