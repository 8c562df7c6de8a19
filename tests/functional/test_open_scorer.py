"""A process that keeps a model and tables gives the rows that `score` writes, whoever is asked for."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pandas as pd
import pytest

import staypower
from staypower.errors import UsageError
from staypower.pipelines import open_scorer as module

FEW = 40


@pytest.fixture(scope="module")
def scorer(company: SimpleNamespace) -> module.OpenScorer:
    return staypower.open_scorer(company.config)


def rows_of(config, **asked) -> pd.DataFrame:
    return staypower.score(config, write=False, **asked).frame().drop(columns="scored_at")


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    found = found.drop(columns="scored_at")
    pd.testing.assert_frame_equal(found, expected.reset_index(drop=True), check_exact=True, check_dtype=False)


def test_rows_are_those_that_score_writes(company, scorer):
    written = pd.read_parquet(company.root / "demo" / "out" / "scores.parquet")
    own = [name for name in written if name not in ("scored_at", "action", "holdout")]
    assert scorer.account_ids == written["account_id"].tolist()
    statuses = written.groupby("status").head(3)["account_id"].tolist()
    assert len(set(written["status"])) > 1
    for account in {*written["account_id"].head(FEW), *statuses}:
        same(scorer.score(account), written.loc[written["account_id"] == account, own])
    # several at once, more than are looked at one by one
    same(scorer.score(written["account_id"].tolist()[::-1]), written[own])


def test_without_reasons_the_other_columns_are_the_same(scorer):
    account = scorer.account_ids[1]
    short, whole = scorer.score(account, reasons=False), scorer.score(account)
    left_out = [name for name in whole if name.startswith(("reason_", "lever_", "contribution_", "total_"))]
    assert left_out
    same(short, whole.drop(columns=[*left_out, "scored_at"]))


def test_another_instant_is_scored_by_what_was_known_then(company, scorer):
    accounts = scorer.account_ids[:FEW]
    same(scorer.score(accounts, at="2025-03-01"), rows_of(company.config, cutoff="2025-03-01", accounts=accounts))


def test_threads_may_ask_at_once(scorer):
    accounts = scorer.account_ids[:FEW]
    alone = [scorer.score(account) for account in accounts]
    with ThreadPoolExecutor(4) as pool:
        for one, other in zip(alone, pool.map(scorer.score, accounts), strict=True):
            same(one, other.drop(columns="scored_at"))


def test_new_data_come_with_refresh(company, tmp_path):
    folder = tmp_path / "demo"
    shutil.copytree(company.root / "demo", folder)
    shutil.copytree(company.root / "models", tmp_path / "models")
    config = folder / "staypower.yaml"
    scorer = staypower.open_scorer(config)
    account = next(one for one in scorer.account_ids if scorer.score(one)["status"].item() == "scored")
    before = scorer.score(account)
    usage = pd.read_parquet(folder / "data" / "usage.parquet")
    usage[usage["account_id"] != account].to_parquet(folder / "data" / "usage.parquet")
    same(scorer.score(account), before.drop(columns="scored_at"))
    scorer.refresh()
    after = scorer.score(account)
    assert after["churn_probability"].item() != before["churn_probability"].item()
    same(after, rows_of(config, accounts=account))
    (folder / "data" / "usage.parquet").unlink()
    with pytest.raises(UsageError, match="file not found"):
        scorer.refresh()
    same(scorer.score(account), after.drop(columns="scored_at"))


def test_tables_in_memory_are_given_anew(company):
    tables = staypower.read_tables(company.config)
    scorer = staypower.open_scorer(company.config, tables)
    with pytest.raises(UsageError, match="opened with tables in memory"):
        scorer.refresh()
    scorer.refresh(tables)
    assert scorer.model_version == "1"


def test_what_cannot_be_asked_is_refused(scorer):
    near = scorer.account_ids[0]
    with pytest.raises(UsageError, match=f"write `{near}`"):
        scorer.score(near.lower())
    with pytest.raises(UsageError, match="no account is asked for"):
        scorer.score([])
    with pytest.raises(UsageError, match="cutoff outside the data"):
        scorer.score(near, at="2031-01-01")
