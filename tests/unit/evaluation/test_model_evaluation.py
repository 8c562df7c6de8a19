"""What a model is evaluated with besides its scores, read from the tables as it was known before each cutoff."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from documentation.metrics import document_baselines

from staypower import load_config, read_tables, simulate
from staypower.cutoffs import DAY, instant_of
from staypower.dataset.building import build_dataset
from staypower.errors import UsageError
from staypower.evaluation.assessment import evaluate_model
from staypower.evaluation.baselines import BASELINES, Baseline
from staypower.evaluation.folds import compare_known_accounts, half_of, predict_by_halves
from staypower.evaluation.row_facts import find_row_facts
from staypower.metrics.ranking import auroc
from staypower.models.fitting import calibrated_base_rate, fit_classifier
from staypower.pipelines.backtest import _predict_fold

CONFIG = """
name: acme
observed_until: 2024-12-31
tables:
  accounts: {source: accounts, static: [segment, region, clv, sex, size]}
  usage: {source: usage}
  subscriptions: {source: subscriptions}
  surveys: {source: surveys}
  health: {source: health, time: at, columns: {score: number, colour: text}, account_id: account_id, at: at, score: score,
    colour: colour}
label: {kind: contractual, horizon: 60, grace: 30}
features: {windows: [28, 90], top_events: 2, sensitive: [sex]}
model: {max_trees: 40, min_churners: 5, threads: 1}
evaluation: {health_score: health.score, bootstrap: 30}
costs: {clv: 900, incentive: 40, contact: 5}
capacity: 20
"""


def settings_of(*overrides):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.yaml").write_text(CONFIG)
        return load_config(Path(folder) / "config.yaml", overrides)


@pytest.fixture(scope="module")
def tables():
    made = simulate(260, months=24, seed=5, cutoffs=())
    objects = {name: made.tables[name] for name in ("usage", "subscriptions", "surveys")}
    accounts = made.tables["accounts"].to_pandas().drop_duplicates("account_id").drop(columns="valid_from")
    accounts = accounts.sort_values("account_id", ignore_index=True)
    number = np.arange(len(accounts))
    accounts["clv"], accounts["sex"] = 1000.0 + number, np.array(["f", "m"], dtype=object)[number % 2]
    accounts["size"], accounts["since_changed"] = number % 3, "now"
    rows = [
        {
            "account_id": account,
            "at": pd.Timestamp("2024-01-01", tz="UTC") + pd.Timedelta(days=30 * month),
            "score": month + at / 1000,
        }
        for at, account in enumerate(accounts["account_id"])
        for month in range(12)
    ]
    health = pd.DataFrame(rows).assign(colour="green")
    return read_tables(settings_of(), {"accounts": accounts, "health": health, **objects})


@pytest.fixture(scope="module")
def dataset(tables):
    chosen = settings_of()
    return build_dataset(tables, label=chosen.label, features=chosen.features, cutoffs=chosen.cutoffs)


def facts(dataset, tables, *overrides):
    return find_row_facts(dataset.part("test"), tables, **sections(settings_of(*overrides)))


def sections(chosen):
    names = ("label", "features", "evaluation", "costs", "portfolio")
    return {name: getattr(chosen, name) for name in names}


def evaluated(dataset, tables, chosen, probability, **more):
    base_rate = calibrated_base_rate(dataset)
    given = {"costs": chosen.costs, "capacity": chosen.capacity, "bootstrap": chosen.evaluation.bootstrap, **more}
    known = find_row_facts(dataset.part("test"), tables, **sections(chosen))
    return evaluate_model(dataset, probability, known, calibrated_base_rate=base_rate, **given)


def halves_of(dataset, chosen, rows):
    def fit(half):
        return fit_classifier(dataset, chosen.model, half)

    return predict_by_halves(dataset, rows, fit, fewest_churners=chosen.model.min_churners)


def known_accounts(dataset, chosen):
    test = dataset.part("test")
    known, unseen = halves_of(dataset, chosen, dataset.rows("test"))
    return compare_known_accounts(test.y, known, unseen, test.accounts, replicates=chosen.evaluation.bootstrap)


def test_a_health_score_is_the_last_one_known_before_the_cutoff(dataset, tables):
    test = dataset.rows("test")
    found = facts(dataset, tables).health_score
    order = {account: at for at, account in enumerate(sorted(tables.account_ids))}
    months = (dataset.matrix.cutoffs[test] - instant_of("2024-01-01") - 1) // (30 * DAY)
    expected = [
        min(month, 11) + order[account] / 1000 for month, account in zip(months, dataset.matrix.accounts[test], strict=True)
    ]
    # high is healthy: as a score of risk it is turned round
    assert found.tolist() == pytest.approx([-value for value in expected])
    turned = facts(dataset, tables, "evaluation.health_score={column: health.score, high_is: risky}").health_score
    assert turned.tolist() == pytest.approx(expected)


def test_slices_are_the_category_features_and_sensitive_attributes_beside_them(dataset, tables):
    found = facts(dataset, tables)
    assert {"segment", "region", "sex"} <= set(found.slices)
    assert found.sensitive == ("sex",)
    assert "account_sex" not in dataset.X
    accounts = pd.DataFrame(tables["accounts"].data.to_pandas()).set_index("account_id")
    tested = dataset.matrix.accounts[dataset.rows("test")]
    assert found.slices["sex"].tolist() == accounts.loc[tested, "sex"].tolist()
    assert found.slices["region"].tolist() == accounts.loc[tested, "region"].tolist()


def test_slices_can_be_named_numbers_too(dataset, tables):
    found = facts(dataset, tables, "evaluation.slices=[size, segment]")
    assert set(found.slices) == {"size", "segment", "sex"}
    assert set(found.slices["size"]) == {"0", "1", "2"}


def test_values_come_from_a_column_from_revenue_or_not_at_all(dataset, tables):
    column = facts(dataset, tables, "costs.account_value=clv")
    tested = dataset.matrix.accounts[dataset.rows("test")]
    order = {account: at for at, account in enumerate(sorted(tables.account_ids))}
    assert column.account_values.tolist() == [1000.0 + order[account] for account in tested]
    revenue = facts(dataset, tables)
    assert revenue.account_values.min() > 0
    assert "lifetime value of its monthly revenue" in revenue.remarks[-1]
    assert facts(dataset, tables, "costs.account_value=off").account_values is None
    assert facts(dataset, tables, "costs={}").account_values is None


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("evaluation.slices=[regoin]", "evaluation.slices: regoin.*write `region`"),
        ("evaluation.health_score=health.scor", "evaluation.health_score: health.scor.*write `score`"),
        ("evaluation.health_score=healht.score", "no such table: .*write `health`"),
        ("evaluation.health_score=health.colour", "not a number: evaluation.health_score: health.colour"),
        ("costs.account_value=segment", "not a number: costs.account_value: segment"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_fix(dataset, tables, override, said):
    with pytest.raises(UsageError, match=said):
        facts(dataset, tables, override)


def test_todays_value_of_an_attribute_is_no_slice_and_no_score(dataset, tables):
    table = tables["accounts"]
    loose = replace(table, data=table.data.append_column("mood", pa.array(np.arange(len(table), dtype=float))))
    changed = replace(tables, tables={**tables.tables, "accounts": loose})
    with pytest.raises(UsageError, match=r"the attribute may have changed since: evaluation\.slices: mood"):
        facts(dataset, changed, "evaluation.slices=[mood]")
    with pytest.raises(UsageError, match="today's value would reveal the outcome"):
        facts(dataset, changed, "evaluation.health_score=accounts.mood")


def test_problems_of_all_columns_come_at_once(dataset, tables):
    with pytest.raises(UsageError) as caught:
        facts(dataset, tables, "evaluation.slices=[nothing]", "evaluation.health_score=health.none", "costs.account_value=none")
    assert len(caught.value.problems) == 3


def test_a_model_that_reads_a_sensitive_attribute_is_said_to(tables):
    allowed = settings_of("features.sensitive_as_features=true")
    open_ = build_dataset(tables, label=allowed.label, features=allowed.features, cutoffs=allowed.cutoffs)
    assert "account_sex" in open_.X
    assert "as the settings allow" in facts(open_, tables, "features.sensitive_as_features=true").remarks[0]
    assert "trained before they were declared sensitive" in facts(open_, tables).remarks[0]


def test_the_table_holds_model_baselines_health_score_groups_and_fairness(dataset, tables):
    chosen = settings_of()
    test = dataset.rows("test")
    model = fit_classifier(dataset, chosen.model)
    found = evaluated(dataset, tables, chosen, model.predict_proba(dataset.X[test])[:, 1], prior=0.2)
    expected = [
        "model",
        "base rate",
        "recency rule",
        "tenure rule",
        "last survey answer",
        "health score",
        "logistic regression",
        "LightGBM defaults",
    ]
    assert list(found.scorers) == [*expected, "prior corrected"]
    assert "prior corrected" not in found.baselines
    assert {gap.column for gap in found.fairness} == {"sex"}
    assert {"account", "tenure", "segment", "region", "sex"} <= {group.partition for group in found.groups}
    assert [plan.rule for plan in found.contact_plans][-1] == "expected gain above 0 at the value of each account"
    assert any("Prior correction: from" in note and "to 20.0% (given)" in note for note in found.notes)
    known = set(dataset.matrix.accounts[dataset.rows("training", "calibration")])
    seen = next(group for group in found.groups if group.name == "known, later")
    assert seen.rows == sum(account in known for account in dataset.matrix.accounts[test])
    estimated = evaluated(dataset, tables, chosen, model.predict_proba(dataset.X[test])[:, 1], prior="estimate")
    assert any("estimated without labels" in note for note in estimated.notes)


def test_halves_hold_whole_accounts_about_half_of_them_each():
    names = np.array([f"a{number}" for number in range(2000)], dtype=object)
    half = half_of(np.repeat(names, 3))
    assert (half.reshape(-1, 3) == half.reshape(-1, 3)[:, :1]).all()
    assert 0.45 < half.mean() < 0.55
    assert half_of(names[:5]).tolist() == half_of(names)[:5].tolist()


def test_each_row_is_predicted_with_and_without_its_half(dataset):
    chosen, test = settings_of(), dataset.rows("test")
    known, unseen = halves_of(dataset, chosen, test)
    half = half_of(dataset.matrix.accounts)
    first = fit_classifier(dataset, chosen.model, half == 0).predict_proba(dataset.X[test])[:, 1]
    own = half[test] == 0
    assert known[own].tolist() == first[own].tolist()
    assert unseen[~own].tolist() == first[~own].tolist()


def test_an_identity_that_trees_can_learn_is_found_out(dataset):
    """Planted: a column that names the account, and accounts that always or never churn: known accounts become easy."""
    rng = np.random.default_rng(0)
    names, number = np.unique(dataset.matrix.accounts.astype(str), return_inverse=True)
    leaves = rng.random(len(names)) < 0.3
    noise = pd.DataFrame({"noise": rng.random(len(number))})
    plain = replace(dataset, y=leaves[number].astype(np.int8), matrix=replace(dataset.matrix, features=noise, categories=()))
    named = replace(plain, matrix=replace(plain.matrix, features=noise.assign(name=rng.permutation(len(names))[number])))
    chosen = settings_of(
        "model={max_trees: 300, num_leaves: 63, max_depth: 10, min_child_samples: 1, learning_rate: 0.3, threads: 1}"
    )
    remembered, honest = known_accounts(named, chosen), known_accounts(plain, chosen)
    assert remembered.easier
    assert remembered.known["auroc"].value > remembered.unseen["auroc"].value + 0.05
    assert not honest.easier
    test = named.rows("test")
    full = fit_classifier(named, chosen.model).predict_proba(named.X[test])[:, 1]
    assert auroc(named.y[test], full) > remembered.unseen["auroc"].value + 0.05, (
        "the plain test figure alone would have looked good"
    )


def test_too_few_churners_are_said_instead(dataset):
    found = halves_of(dataset, settings_of("model.min_churners=1000"), dataset.rows("test"))
    assert "are not compared: half of the accounts hold" in found


def test_the_calibrated_base_rate_is_that_of_the_rows_that_calibrate(dataset):
    rows = dataset.rows("calibration") if dataset.rows("calibration").any() else dataset.rows("training")
    assert calibrated_base_rate(dataset) == dataset.y[rows].mean()


def test_a_baseline_declared_once_is_in_evaluations_folds_and_docs(dataset, tables, monkeypatch):
    def by_id(rows, facts):
        return np.argsort(rows.accounts.astype(str)).astype(float)

    planted = Baseline("order of the ids", "later in the alphabet, higher", "median", by_id)
    monkeypatch.setitem(BASELINES, planted.name, planted)
    chosen = settings_of("evaluation.bootstrap=0")
    found = evaluated(dataset, tables, chosen, np.full(len(dataset.part("test")), 0.1))
    assert planted.name in found.baselines
    assert planted.name in found.text()
    assert planted.name in _predict_fold(dataset, tables, chosen).scores
    assert "| order of the ids | later in the alphabet, higher | median |" in document_baselines()
