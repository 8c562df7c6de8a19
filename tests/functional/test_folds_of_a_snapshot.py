"""A flat table with a flag: every path scores an account by the trees that never saw its outcome, with the same bits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from staypower.config.loading import load_config
from staypower.errors import UsageError
from staypower.hashing import folds_of
from staypower.models.bundle import read_bundle
from staypower.models.champion import find_bundle
from staypower.models.fitting import fit_classifier
from staypower.pipelines.arguments import read_tables
from staypower.pipelines.explain import explain
from staypower.pipelines.preparing import prepare_scorer
from staypower.pipelines.score import score
from staypower.pipelines.train import train
from staypower.scoring.predictions import FeatureRowScorer
from staypower.scoring.scorer import ShippedScorer
from staypower.tracking.runs import ServedModel, signature_of

_CONFIG = """
name: flat
observed_until: 2024-12-31
tables:
  accounts: {source: accounts.csv, account_id: id, static: all}
label: {kind: given, flag: gone, positive: "yes", at: 2024-12-31}
model: {threads: 1, max_trees: 60}
evaluation: {bootstrap: 0}
"""


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Return the settings and results of a trained and scored flat table of 500 accounts."""
    root = tmp_path_factory.mktemp("flat")
    rng = np.random.default_rng(4)
    use, plan = rng.normal(10, 4, 500), rng.choice(["a", "b"], 500)
    gone = rng.random(500) < 1 / (1 + np.exp(0.5 * (use - 9) + (plan == "a")))
    ids = [f"{number:05d}" for number in range(500)]
    accounts = pd.DataFrame({"id": ids, "use": use, "plan": plan, "age": rng.integers(18, 80, 500)})
    accounts["gone"] = np.where(gone, "yes", "no")
    accounts.to_csv(root / "accounts.csv", index=False)
    (root / "staypower.yaml").write_text(_CONFIG)
    settings = load_config(root / "staypower.yaml")
    trained = train(settings)
    return SimpleNamespace(root=root, settings=settings, trained=trained, scored=score(settings, model="1").scores)


@pytest.fixture(scope="module")
def expected(flat: SimpleNamespace) -> pd.DataFrame:
    """The scores of the accounts that have one, worked out from the sealed folds."""
    explanation, bundle = flat.scored.explanation, flat.trained.bundle
    assert len(bundle.folds) == 5
    number = folds_of([str(account) for account in explanation.accounts], 5)
    raw = np.array([bundle.folds[fold].raw_score(explanation.features.iloc[[at]])[0] for at, fold in enumerate(number)])
    found = pd.DataFrame({"account_id": explanation.accounts, "churn_probability": bundle.calibration.apply(raw)})
    return found.sort_values("account_id", ignore_index=True)


def _same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    there = found.dropna(subset=["churn_probability"]).sort_values("account_id", ignore_index=True)
    assert there["account_id"].astype(str).tolist() == expected["account_id"].astype(str).tolist()
    assert there["churn_probability"].tolist() == expected["churn_probability"].tolist()


def test_the_list_is_scored_by_the_folds(flat, expected):
    _same(flat.scored.table, expected)
    assert "scored by the trees that never saw it" in flat.trained.how


def test_reasons_are_those_of_the_same_trees(flat):
    explanation = flat.scored.explanation
    assert len(np.unique(explanation.bases)) == 5
    account = str(explanation.accounts[7])
    story = explain(flat.settings, accounts=account, model="1").story(account)
    assert story.base + sum(story.levers.values()) == pytest.approx(story.raw_score)
    assert story.base == explanation.bases[7]
    assert story.raw_score == explanation.raw_scores[7]


def test_rows_of_features_get_the_same_bits_and_need_their_account(flat, expected):
    explanation, bundle = flat.scored.explanation, flat.trained.bundle
    rows = explanation.features.assign(account_id=explanation.accounts)
    scorer = FeatureRowScorer(bundle)
    _same(scorer.score(rows), expected)
    served = ServedModel()
    served._scorer, served._kinds = scorer, scorer.columns
    _same(served.predict(None, rows), expected)
    assert "account_id" not in [column.name for column in signature_of(scorer).outputs]
    for broken in (rows.drop(columns="account_id"), rows.assign(account_id=None)):
        with pytest.raises(UsageError, match="rows without an account"):
            scorer.score(broken)


def test_buckets_and_workers_get_the_same_bits(flat, expected):
    settings = flat.settings
    place = find_bundle(settings.models_path, settings.name, "1")
    bundle, tables = read_bundle(place.folder, digest=place.digest), read_tables(settings, None)
    scorer = prepare_scorer(settings, bundle, place, tables, cutoff=None)
    shipped = ShippedScorer.of(scorer, SimpleNamespace(value=bundle.files()))
    _same(shipped(tables).to_pandas(), expected)
    _same(replace(scorer, accounts=tuple(expected["account_id"][:40]))(tables).to_pandas(), expected.head(40))
    parts = scorer.in_parts(tables, Path(flat.root) / "parts", 1)
    _same(parts.frame(), expected)
    assert parts.beyond == flat.scored.beyond != ()


def test_the_map_is_that_of_what_is_served(flat):
    rows = flat.trained.dataset.for_scoring().part("training")
    served = flat.trained.bundle.predict(rows.X, rows.accounts)
    assert served.mean() == pytest.approx(rows.y.mean(), abs=0.01)


def test_the_evaluation_is_of_folds_that_never_saw_the_account(flat):
    test = flat.trained.dataset.part("test")
    twin = fit_classifier(flat.trained.dataset, flat.settings.model)
    p = twin.predict_proba(test.X, test.accounts)[:, 1]
    loss = -np.where(test.y == 1, np.log(p), np.log(1 - p)).mean()
    assert flat.trained.evaluation.metrics()["log_loss"] == pytest.approx(loss)
    assert (p != twin.predict_proba(test.X)[:, 1]).any()
