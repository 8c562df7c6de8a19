"""One bucket is scored as the whole: nothing that an account gets depends on who else is there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from simulated_company import company

from staypower.engines.local import keep_part, map_to_parts
from staypower.errors import UsageError
from staypower.explanation.learned import find_typical_values
from staypower.features.declaring import declare
from staypower.features.settings import FeatureSettings, OwnFeature
from staypower.labels.tier import find_survey_state
from staypower.labels.tier_settings import TierSettings
from staypower.models.churn import ChurnClassifier
from staypower.scoring.scorer import Scorer, ScoringOptions
from staypower.scoring.scores import ScoredParts, Scores, typed_rows
from staypower.tables import Tables


@pytest.fixture(scope="module")
def scorer() -> tuple[Scorer, Tables]:
    made = company(300, 3)
    dataset = made.dataset
    learned = dataset.rows("training")
    model = ChurnClassifier(max_trees=20).fit(dataset.X[learned], dataset.y[learned], cutoffs=dataset.matrix.cutoffs[learned])
    usual = find_typical_values(dataset.X[learned], dataset.matrix.cutoffs[learned], dataset.matrix.categories)
    bundle = model.to_bundle(
        metadata={"name": "small", "base_rate": 0.1},
        learned={"catalogue": dataset.catalogue.to_dict(), "usual": usual.to_dict()},
    )
    cutoff = int(dataset.plan.test[-1])
    return Scorer.of(bundle, made.tables, made.label, cutoff=cutoff, options=ScoringOptions()), made.tables


def test_parts_say_what_the_whole_says(scorer, tmp_path):
    score, tables = scorer
    whole = score.everyone(tables)
    parts = map_to_parts(tables, score, tmp_path, buckets=11)
    told = ScoredParts.of(parts, score.cutoff)
    assert len(told) == len(whole)
    assert told.counts() == whole.counts()
    assert told.has_tiers == whole.has_tiers
    pd.testing.assert_frame_equal(told.quadrants(), whole.quadrants())
    assert told.watch_list(7)["account_id"].tolist() == whole.watch_list(7)["account_id"].tolist()
    assert told.watch_list(7)["reason_1"].tolist() == whole.watch_list(7)["reason_1"].tolist()
    probability = told.frame(["account_id", "churn_probability"])
    np.testing.assert_array_equal(probability["churn_probability"], whole.table["churn_probability"])
    assert told.frame().shape == whole.table.shape
    assert told.frame(["churn_probability"]).equals(probability[["churn_probability"]])


def test_who_was_asked_for_and_is_nowhere_has_a_row(scorer):
    score, tables = scorer
    known = tables.account_ids[:3]
    asked = replace(score, accounts=("Zoë", *known))
    assert asked(tables).column("account_id").to_pylist() == known
    empty = replace(tables, tables={name: replace(table, data=table.data.slice(0, 0)) for name, table in tables.items()})
    rows = asked.strangers(empty, known)
    assert rows.select(["account_id", "status", "churn_probability"]).to_pylist() == [
        {"account_id": "Zoë", "status": "no_history", "churn_probability": None}
    ]
    assert rows.schema == asked(tables).schema


def test_a_column_without_values_has_its_type(tmp_path):
    nobody = pd.DataFrame({"account_id": ["a"], "tier": [None], "churn_probability": [None], "never_invited": [None]})
    someone = pd.DataFrame({"account_id": ["b"], "tier": ["passive"], "churn_probability": [0.5], "never_invited": [True]})
    assert typed_rows(nobody).schema == typed_rows(someone).schema
    rows = nobody.assign(status="too_new", quadrant=None), someone.assign(status="scored", quadrant="content")
    parts = [keep_part(typed_rows(each), tmp_path / f"{number}") for number, each in enumerate(rows)]
    told = ScoredParts.of(parts, 0)
    assert told.watch_list()["account_id"].tolist() == ["b", "a"]
    assert told.has_tiers
    assert not Scores(nobody, None, 0).has_tiers
    assert told.counts() == {"scored": 1, "too_new": 1}


def test_among_a_few_accounts_perhaps_nobody_answered():
    made = company(300, 3).tables
    surveys = made["surveys"]
    unanswered = pa.compute.is_null(surveys.data.column("answered_at"))
    some = replace(made, tables={**made.tables, "surveys": replace(surveys, data=surveys.data.filter(unanswered).slice(0, 9))})
    state = find_survey_state(some, TierSettings(), made.account_ids, np.array([made.observed_until]), need_answers=False)
    invited = {account for account, ever in zip(state.accounts, state.ever_invited[:, 0], strict=True) if ever}
    assert invited == {row["account_id"] for row in some["surveys"].data.to_pylist() if row["instrument"] == "nps"} != set()


def unnamed(tables: Tables) -> Tables:
    accounts = tables["accounts"]
    return replace(tables, tables={**tables, "accounts": replace(accounts, data=accounts.data.drop_columns(["name"]))})


def named(tables: Tables) -> Tables:
    accounts = unnamed(tables)["accounts"]
    names = pa.array([f"Company {account}" if account[-1] != "7" else None for account in accounts.texts("account_id")])
    return replace(tables, tables={**tables, "accounts": replace(accounts, data=accounts.data.append_column("name", names))})


def test_a_name_is_shown_and_changes_nothing_else(scorer, tmp_path):
    score, tables = scorer
    plain, called = score.everyone(unnamed(tables)), score.everyone(named(tables))
    assert list(called.table.columns[:2]) == ["account_id", "name"]
    shown = called.table["name"].fillna("")
    known = called.table["status"] == "scored"
    expected = [f"Company {account}" if account[-1] != "7" else "" for account in called.table["account_id"][known]]
    assert shown[known].tolist() == expected
    pd.testing.assert_frame_equal(called.table.drop(columns="name"), plain.table)
    told = ScoredParts.of(map_to_parts(named(tables), score, tmp_path, buckets=3), score.cutoff)
    assert told.frame(["name"])["name"].fillna("").tolist() == shown.tolist()
    first = called.watch_list(1)["account_id"].iloc[0]
    assert f"{first} (Company {first}): " in called.text()


def test_no_feature_reads_a_name(scorer):
    _, tables = scorer
    accounts = named(tables)["accounts"]
    once = replace(accounts, data=accounts.data.drop_columns(["valid_from"]), fixed=accounts.fixed | {"name"})
    for table in (accounts, once):
        both = replace(tables, tables={**tables, "accounts": table})
        declared = declare(both, FeatureSettings(), cutoff=tables.observed_until)
        assert not [name for name in declared.names if "name" in name]
        own = OwnFeature(name="named", table="accounts", aggregation="last_code", column="name", unit="", description="name")
        with pytest.raises(UsageError, match="unknown column"):
            declare(both, FeatureSettings(own=(own,)), cutoff=tables.observed_until)
