"""What must not change a result does not change a byte of it, and what must change it changes it exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_company import CONFIG, tiny_company, tiny_orders

import staypower
from staypower import build_features, load_config, simulate
from staypower.models.bundle import Bundle

CUTOFFS = ["2024-06-01", "2024-09-15"]
# after 28 years the days of the week and the leap years are the same
YEARS = 28
TABLES = ("accounts", "usage", "tickets", "surveys", "subscriptions", "payments", "advocacy", "goals")
SETTINGS = """
name: simulated
observed_until: {until}
tables:
  accounts: {{source: accounts, static: [segment]}}
  usage: {{source: usage}}
  tickets: {{source: tickets, fixed: [priority, category]}}
  surveys: {{source: surveys}}
  subscriptions: {{source: subscriptions}}
  payments: {{source: payments}}
  advocacy: {{source: advocacy}}
  goals: {{source: goals}}
label: {{kind: contractual}}
"""


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    simulated = simulate(40, months=26, seed=5).tables
    return {name: simulated[name].to_pandas() for name in TABLES}


def features(tables: dict[str, pd.DataFrame], tmp_path: Path, *, years: int = 0) -> pd.DataFrame:
    """Build every feature of every account, sorted by account and cutoff."""
    config = tmp_path / "c.yaml"
    config.write_text(SETTINGS.format(until=f"{2025 + years}-02-28"))
    cutoffs = [f"{int(cutoff[:4]) + years}{cutoff[4:]}" for cutoff in CUTOFFS]
    found = build_features(load_config(config), tables, cutoffs=cutoffs).frame()
    return found.assign(cutoff=np.tile(np.arange(len(CUTOFFS)), len(found) // len(CUTOFFS)))


def assert_same_bytes(one: pd.DataFrame, other: pd.DataFrame) -> None:
    assert list(one) == list(other)
    numbers = [name for name in one if one[name].dtype.kind == "f"]
    differing = [name for name in numbers if one[name].to_numpy().tobytes() != other[name].to_numpy().tobytes()]
    assert not differing
    assert len(numbers) > 100


def times_of(frame: pd.DataFrame) -> list[str]:
    return [name for name in frame if isinstance(frame[name].dtype, pd.DatetimeTZDtype) or frame[name].dtype.kind == "M"]


def test_all_times_shifted(tables, tmp_path):
    moved = {
        name: frame.assign(**{column: frame[column] + pd.DateOffset(years=YEARS) for column in times_of(frame)})
        for name, frame in tables.items()
    }
    assert times_of(tables["usage"])
    assert_same_bytes(features(tables, tmp_path), features(moved, tmp_path, years=YEARS))


def test_ids_renamed(tables, tmp_path):
    renamed = {
        name: frame.assign(**{column: "x-" + frame[column].astype(str) for column in ("account_id",)})
        for name, frame in tables.items()
    }
    one, other = features(tables, tmp_path), features(renamed, tmp_path)
    assert ("x-" + one["account_id"]).tolist() == other["account_id"].tolist()
    assert_same_bytes(one, other)


def test_accounts_doubled(tables, tmp_path):
    """Every account has a twin of the same history: both have the features that one had, and medians of the company stay."""
    ids = {name: [column for column in frame if column.endswith("_id")] for name, frame in tables.items()}
    twins = {
        name: pd.concat([frame, frame.assign(**{column: "~" + frame[column].astype(str) for column in ids[name]})])
        for name, frame in tables.items()
    }
    # codes of an attribute go to words that enough accounts have: those of the owners change with the number of accounts
    one, other = (features(each, tmp_path).drop(columns="account_owner") for each in (tables, twins))
    copies = other["account_id"].str.startswith("~").to_numpy()
    assert_same_bytes(one, other[~copies].reset_index(drop=True))
    assert_same_bytes(one, other[copies].reset_index(drop=True))


def test_money_scaled(tables, tmp_path):
    """Twice the money: amounts double to the bit, shares and counts stay."""
    money = {"subscriptions": ["mrr"], "payments": ["amount"]}
    scaled = {
        name: frame.assign(**{column: frame[column] * 2 for column in money.get(name, []) if column in frame})
        for name, frame in tables.items()
    }
    one, other = features(tables, tmp_path), features(scaled, tmp_path)
    doubled = []
    for name in (name for name in one if one[name].dtype.kind == "f"):
        before, after = one[name].to_numpy(), other[name].to_numpy()
        if before.tobytes() != after.tobytes():
            np.testing.assert_array_equal(np.maximum(before * 2, before / 2), np.maximum(after, after))
            doubled.append(name)
    assert any(name.startswith("mrr") for name in doubled)
    assert not any("share" in name or name.startswith(("usage_events", "tickets", "days_")) for name in doubled)


def trained(folder: Path, orders: pd.DataFrame, config: str = CONFIG) -> Bundle:
    path = tiny_company(folder, orders)
    path.write_text(config)
    return staypower.train(path).bundle


def test_rows_permuted_and_files_split_give_the_same_model_and_scores(tmp_path):
    orders = tiny_orders()
    turned = orders.iloc[np.random.default_rng(0).permutation(len(orders))]
    first = trained(tmp_path / "one", orders)
    parts = tmp_path / "two" / "parts"
    parts.mkdir(parents=True)
    for number in range(3):
        turned.iloc[number::3].to_csv(parts / f"part-{number}.csv", index=False)
    second = trained(tmp_path / "two", orders.iloc[:1], CONFIG.replace("source: orders.csv", "source: parts/*.csv"))
    assert first.files() == second.files()
    lists = [staypower.score(tmp_path / name / "staypower.yaml", write=False).frame() for name in ("one", "two")]
    one, two = (found.drop(columns=["scored_at", "run_id"]) for found in lists)
    pd.testing.assert_frame_equal(one, two, check_exact=True)
