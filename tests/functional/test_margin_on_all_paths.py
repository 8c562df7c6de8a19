"""A model whose trees start from a linear margin: every path gives the bits of the list, and reasons add up."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from staypower.config.loading import load_config
from staypower.models import training
from staypower.models.bundle import read_bundle
from staypower.models.champion import find_bundle
from staypower.models.margin_choice import MarginChoice
from staypower.pipelines.arguments import read_tables
from staypower.pipelines.explain import explain
from staypower.pipelines.preparing import prepare_scorer
from staypower.pipelines.score import score
from staypower.pipelines.train import train
from staypower.scoring.predictions import FeatureRowScorer
from staypower.scoring.scorer import ShippedScorer

_CONFIG = """
name: log
tables:
  accounts: {derive_from: orders}
  orders: {source: orders.csv, account_id: id, at: at, amount: amount}
label: {kind: non_contractual, table: orders, horizon: 60, activity_window: 360}
model: {threads: 1, max_trees: 40}
evaluation: {bootstrap: 0}
"""


def _orders(accounts: int = 300, days: int = 420) -> pd.DataFrame:
    """Return the orders of customers who buy at their own pace, some of whom stop."""
    rng = np.random.default_rng(8)
    rows = []
    for number in range(accounts):
        at, end, pace = rng.uniform(0, days - 60), rng.exponential(260), rng.uniform(8, 50)
        end += at
        while at < min(days, end):
            rows.append((f"C{number:03d}", at, round(float(rng.lognormal(3, 0.5)), 2)))
            at += rng.exponential(pace)
    found = pd.DataFrame(rows, columns=["id", "at", "amount"])
    found["at"] = pd.Timestamp("2024-01-01T00:00:00Z") + pd.to_timedelta((found["at"] * 86_400).astype(int), unit="s")
    return found


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    root = tmp_path_factory.mktemp("log")
    _orders().to_csv(root / "orders.csv", index=False)
    (root / "staypower.yaml").write_text(_CONFIG)
    settings = load_config(root / "staypower.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "choose_margin", lambda *_: MarginChoice(30.0, "trees start from a linear margin"))
        trained = train(settings)
    return SimpleNamespace(root=root, settings=settings, trained=trained, scored=score(settings, model="1").scores)


def test_the_bundle_on_disk_holds_the_margin(log):
    folder = Path(log.trained.registered.folder)
    assert (folder / "margin.json").is_file()
    assert read_bundle(folder).margin == log.trained.bundle.margin is not None
    assert "trees start from a linear margin" in log.trained.warnings


def test_every_path_gives_the_same_bits(log):
    explanation, settings = log.scored.explanation, log.settings
    expected = log.scored.table.dropna(subset=["churn_probability"]).sort_values("account_id")
    place = find_bundle(settings.models_path, settings.name, "1")
    bundle, tables = read_bundle(place.folder, digest=place.digest), read_tables(settings, None)
    scorer = prepare_scorer(settings, bundle, place, tables, cutoff=None)
    shipped = ShippedScorer.of(scorer, SimpleNamespace(value=bundle.files()))(tables).to_pandas()
    parts = scorer.in_parts(tables, log.root / "parts", 1).frame()
    rows = FeatureRowScorer(bundle).score(explanation.features.assign(account_id=explanation.accounts))
    for found in (shipped, parts, rows):
        there = found.dropna(subset=["churn_probability"]).sort_values("account_id")
        for column in ("churn_probability", "contribution_1", "reason_1"):
            assert there[column].tolist() == expected[column].tolist()
    assert bundle.predict(explanation.features).tolist() == log.trained.bundle.predict(explanation.features).tolist()


def test_reasons_add_up_to_the_score_and_hold_the_linear_part(log):
    explanation, bundle = log.scored.explanation, log.trained.bundle
    raw = bundle.raw_score(explanation.features)
    np.testing.assert_allclose(explanation.raw_scores, raw, rtol=0, atol=1e-9)
    linear = bundle.margin.contributions(bundle.matrix(explanation.features))
    assert np.abs(linear).max() > 0.1
    account = str(explanation.accounts[0])
    story = explain(log.settings, accounts=account, model="1").story(account)
    assert story.base + sum(story.levers.values()) == pytest.approx(raw[0])


def test_what_lies_beyond_the_training_range_is_said(log):
    said = [str(block) for block in log.scored.blocks()]
    assert any("of the rows lie beyond the training range (max" in line for line in said)
    assert log.scored.to_dict()["beyond_training"]
