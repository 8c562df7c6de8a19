"""The portfolio of tables in buckets is the portfolio of the same tables in memory, to the last digit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from bucketed_tables import whole_and_buckets

from staypower.errors import UsageError
from staypower.features.settings import FeatureSettings
from staypower.labels.settings import NonContractualLabel
from staypower.portfolio.building import measure_portfolio
from staypower.portfolio.settings import PortfolioSettings
from staypower.sources.settings import TableSource
from staypower.tables import BucketedTables

ACCOUNTS = [f"A{number:03d}" for number in range(90)]


def days(random: np.random.Generator, count: int) -> pd.Series:
    return pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 500, count), unit="D"))


@pytest.fixture
def sources(tmp_path) -> dict[str, list[TableSource]]:
    random = np.random.default_rng(3)
    tables = {
        "accounts": pd.DataFrame({"account_id": ACCOUNTS, "size": random.choice(["small", "large", ""], 90)}),
        "orders": pd.DataFrame({"account_id": random.choice(ACCOUNTS, 900), "at": days(random, 900)}),
        "surveys": pd.DataFrame({"account_id": random.choice(ACCOUNTS, 600), "answered_at": days(random, 600)}),
        "tickets": pd.DataFrame({"account_id": random.choice(ACCOUNTS, 300), "opened_at": days(random, 300)}),
    }
    tables["orders"]["amount"] = np.where(random.random(900) < 0.02, np.nan, random.random(900).round(4) * 90)
    tables["surveys"] = tables["surveys"].assign(instrument="ces1", scale="1-5", direction="lower")
    tables["surveys"]["value"] = random.integers(1, 6, 600)
    waited = pd.to_timedelta(random.integers(1, 9_000, 300), unit="min")
    tables["tickets"]["first_response_at"] = (tables["tickets"]["opened_at"] + waited).dt.strftime("%Y-%m-%dT%H:%M:%S")
    tables["tickets"]["opened_at"] = tables["tickets"]["opened_at"].dt.strftime("%Y-%m-%dT%H:%M:%S")
    for name, rows in tables.items():
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
    more = {"accounts": {"static": ["size"]}}
    return {name: [TableSource.model_validate({"source": f"{name}.csv", **more.get(name, {})})] for name in tables}


def measured(tables: BucketedTables, **settings: object) -> pd.DataFrame:
    label = NonContractualLabel(table="orders")
    chosen = PortfolioSettings.model_validate({"periods": 24, "segments": ["size"], "minimum": 5, **settings})
    found = measure_portfolio(tables, chosen, label=label, features=FeatureSettings())
    assert found.left_out["part of the order revenue"].endswith("without an amount")
    return found.frame()


def test_orders_answers_tickets_and_segments(sources, tmp_path):
    whole, stored = whole_and_buckets(sources, tmp_path, buckets=7)
    one, many = measured(whole), measured(stored)
    assert {"order_revenue", "ces1_mean", "first_response_hours_mean", "customer_churn_rate"} <= set(one["metric"])
    assert set(one["segment_value"]) == {"all", "small", "large", "(blank)"}
    pd.testing.assert_frame_equal(one, many, check_exact=True)


def test_a_mixture_of_which_each_bucket_sees_one_side(sources, tmp_path):
    rows = pd.read_csv(tmp_path / "surveys.csv")
    rows.loc[rows["account_id"] == "A007", ["scale", "value"]] = "1-7", 6
    rows.to_csv(tmp_path / "surveys.csv", index=False)
    problems = []
    for tables in whole_and_buckets(sources, tmp_path, buckets=90):
        with pytest.raises(UsageError) as error:
            measured(tables)
        problems.append(error.value.problems[0])
    assert problems[0].problem == problems[1].problem == "a mixed scale under one name"
    assert problems[0].value.split(";")[0] == problems[1].value.split(";")[0]


def test_segments_with_too_many_values_are_counted_over_all_buckets(sources, tmp_path):
    pd.DataFrame({"account_id": ACCOUNTS, "size": ACCOUNTS}).to_csv(tmp_path / "accounts.csv", index=False)
    more = pd.DataFrame({"account_id": [f"B{number}" for number in range(40)], "size": range(40)})
    more.to_csv(tmp_path / "accounts.csv", mode="a", index=False, header=False)
    said = []
    for tables in whole_and_buckets(sources, tmp_path, buckets=5):
        with pytest.raises(UsageError) as error:
            measured(tables)
        said.append(str(error.value))
    assert "131 values are too many" in said[0]
    assert said[0] == said[1]
