"""Tiers of accounts that never answered, against the simulator's truth; and the page's examples."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from staypower import LoyaltyTierClassifier, build_dataset, load_config, read_tables, simulate
from staypower.cutoffs import DAY, instant_of
from staypower.labels.tier import find_tiers
from staypower.labels.tier_settings import TIERS, TierSettings
from staypower.metrics.ordinal import accuracy, ranked_probability_score

PAGE = Path(__file__).parents[3] / "docs" / "tiers.md"
TABLES = ("accounts", "usage", "tickets", "surveys", "subscriptions", "payments")


@pytest.fixture(scope="module")
def company():
    settings = load_config(
        {
            "name": "tiers",
            "observed_until": "2024-06-30",
            "tables": {name: {"source": name} for name in TABLES},
            "label": {"kind": "contractual", "horizon": 90, "grace": 30},
            "cutoffs": {"count": 12, "test_count": 1},
        }
    )
    last = settings.label.outcome.last_mature(instant_of("2024-06-30", end=True))
    made = simulate(
        450, months=18, seed=11, silence="attitude", horizon=1, siblings=(), copies=2,
        cutoffs=[last - number * 30 * DAY for number in range(12)],
    )  # fmt: skip
    tables = read_tables(settings, {name: made.tables[name] for name in TABLES})
    dataset = build_dataset(settings, tables)
    tier, last_tier = find_tiers(tables, TierSettings(), dataset.plan.all).rows(dataset.matrix.accounts, dataset.matrix.cutoffs)
    truth = made.truth.assign(cutoff=made.truth["cutoff"].dt.as_unit("us").astype("int64"))
    keys = pd.DataFrame({"account_id": dataset.matrix.accounts, "cutoff": dataset.matrix.cutoffs})
    joined = keys.merge(truth.astype({"account_id": object}), how="left", on=["account_id", "cutoff"])
    return dataset, tier, last_tier, joined["tier"].map(TIERS.index).to_numpy()


def test_answers_are_noisy_but_true_and_the_silent_are_less_loyal(company):
    _, tier, _, true = company
    answered = tier >= 0

    assert (tier == true)[answered].mean() > 0.6
    assert true[answered].mean() > true[~answered].mean() + 0.2


def test_the_silent_get_a_better_tier_than_their_last_answer_or_the_frequencies(company):
    dataset, tier, last_tier, true = company
    test = dataset.rows("test")
    taught, silent = ~test & (tier >= 0), test & (tier < 0)
    model = LoyaltyTierClassifier(range(3), max_trees=120, n_jobs=1)
    model.fit(dataset.X[taught], tier[taught], accounts=dataset.matrix.accounts[taught])

    likely = model.predict_proba(dataset.X[silent])
    shares = np.bincount(tier[taught]) / taught.sum()
    last = np.where(last_tier[silent] >= 0, last_tier[silent], shares.argmax())
    told = accuracy(true[silent], likely.argmax(axis=1), classes=3)
    assert told > 0.55
    assert told > accuracy(true[silent], last, classes=3) + 0.03
    baseline = np.tile(shares, (silent.sum(), 1))
    assert ranked_probability_score(true[silent], likely) < 0.7 * ranked_probability_score(true[silent], baseline)


def test_examples_of_the_page_run():
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert blocks
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), {})
