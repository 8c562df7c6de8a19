"""What jobs are called with from Python is read as strictly as YAML and the command line."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import staypower
from staypower.config.settings import Settings
from staypower.cutoffs import instant_of
from staypower.errors import UsageError
from staypower.pipelines.arguments import (
    accounts_from,
    instant_from,
    model_from,
    previous_from,
    prior_from,
    settings_from,
)

USAGE = {"source": "rows", "account_id": "customer", "at": "day"}
CONFIG = {"name": "acme", "tables": {"usage": USAGE}, "label": {"kind": "non_contractual", "table": "usage"}}
ROWS = pd.DataFrame({"customer": ["7", "8", "7"], "day": ["2025-01-01", "2025-01-03", "2025-02-01"]})


def test_settings_may_be_settings_a_path_or_a_mapping(tmp_path: Path) -> None:
    text = "name: acme\ntables: {usage: {source: rows, account_id: customer, at: day}}\n"
    path = tmp_path / "acme.yaml"
    path.write_text(text + "label: {kind: non_contractual, table: usage}\n")
    for given in (path, str(path), CONFIG, staypower.load_config(CONFIG)):
        assert isinstance(settings_from(given), Settings)


@pytest.mark.parametrize("frame", [ROWS, pl.from_pandas(ROWS)])
def test_tables_may_be_frames_by_name(frame: object) -> None:
    tables = staypower.read_tables(CONFIG, {"rows": frame})
    assert tables.account_ids == ["7", "8"]
    assert staypower.read_tables(CONFIG, tables) is tables


def test_a_text_is_one_account() -> None:
    assert accounts_from("A71") == ("A71",)
    assert accounts_from(["A71", "B", "A71"]) == accounts_from(np.array(["A71", "B"], dtype=object)) == ("A71", "B")
    assert accounts_from(pd.Series(["A71"])) == ("A71",)
    assert accounts_from(None) == accounts_from([]) == ()


def test_a_moment_may_be_text_or_date() -> None:
    for given in ("2025-07-01", date(2025, 7, 1), datetime(2025, 7, 1, tzinfo=UTC), pd.Timestamp("2025-07-01")):
        assert instant_from("cutoff", given) == instant_of("2025-07-01")
    assert instant_from("as_of", date(2025, 7, 1), end=True) == instant_of("2025-07-02")


def test_a_model_may_be_a_number() -> None:
    assert (model_from(3), model_from("3"), model_from(Path("models/a"))) == ("3", "3", "models/a")


def test_previous_scores_may_be_a_file_or_a_table(tmp_path: Path) -> None:
    table = pd.DataFrame({"account_id": ["a"], "tier": ["passive"], "reason_1": ["more tickets"]})
    table.to_parquet(tmp_path / "scores.parquet")
    for given in (table, pl.from_pandas(table), tmp_path / "scores.parquet", str(tmp_path / "scores.parquet")):
        found = previous_from(given)
        assert found is not None
        assert found.table.to_dict("list") == {"account_id": ["a"], "tier": ["passive"]}


def test_a_prior_is_a_share() -> None:
    assert (prior_from(None), prior_from(0.16), prior_from("0.16"), prior_from("estimate")) == (None, 0.16, 0.16, "estimate")


TABLES = staypower.read_tables(CONFIG, {"rows": ROWS})
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("train", {"settings": 3}, "`settings` cannot be used: 3. Fix: give what `load_config` returns, the path"),
    ("check", {"tables": ROWS}, "`tables` cannot be used: a DataFrame. Fix: give what `read_tables` returns, or a mapping"),
    ("train", {"as_of": 20250701}, "`as_of` cannot be used: 20250701. Fix: write it as 2025-07-01"),
    ("train", {"as_of": "yesterday"}, "not a date or time: 'yesterday'"),
    ("train", {"progress": True}, "`progress` cannot be used: True"),
    ("backtest", {"folds": 0}, "`folds` cannot be used: 0. Fix: give a whole number of at least 1"),
    ("backtest", {"folds": 2.0}, "`folds` cannot be used: 2.0"),
    ("backtest", {"folds": True}, "`folds` cannot be used: True"),
    ("report", {"pages": -1}, "`pages` cannot be used: -1. Fix: give a whole number from 0 to 1000"),
    ("report", {"audit": "yes"}, "`audit` cannot be used: 'yes'. Fix: give `True` or `False`"),
    ("report", {"output": 3}, "`output` cannot be used: 3. Fix: give a path"),
    ("score", {"accounts": 7}, "`accounts` cannot be used: 7. Fix: give one id as text, or a list of them"),
    ("score", {"accounts": [7]}, "`accounts` cannot be used: a list"),
    ("score", {"model": 3.5}, "`model` cannot be used: 3.5. Fix: give a version such as `3`"),
    ("score", {"prior": 1.5}, "not a base rate"),
    ("score", {"previous": 3}, "`previous` cannot be used: 3. Fix: give what `score` returned"),
    ("score", {"previous": "nowhere.parquet"}, "file not found: nowhere.parquet"),
    ("explain", {"cutoff": 3}, "`cutoff` cannot be used: 3"),
    ("actions", {"scores": ROWS}, "`scores` cannot be used: a DataFrame. Fix: give what `score` returned"),
    ("tune", {"trials": "3"}, "`trials` cannot be used: '3'"),
    ("tune", {"minutes": "soon"}, "`minutes` cannot be used: 'soon'"),
    ("promote", {"version": 1, "reason": None}, "`reason` cannot be used: a NoneType. Fix: give a text"),
    ("list_features", {"build": 1}, "`build` cannot be used: 1"),
    ("build_features", {"cutoffs": [3]}, "`cutoffs` cannot be used: 3"),
]


@pytest.mark.parametrize(("job", "given", "expected"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_argument_is_named_with_its_fix(job: str, given: dict[str, Any], expected: str) -> None:
    arguments = {"settings": CONFIG, "tables": TABLES, **given}
    with pytest.raises(UsageError) as caught:
        getattr(staypower, job)(arguments.pop("settings"), arguments.pop("tables"), **arguments)
    assert expected in str(caught.value)
