"""A portfolio measured from small CSV tables, and the one figure a test asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from staypower.features.settings import FeatureSettings
from staypower.labels.settings import ContractualLabel
from staypower.portfolio.building import measure_portfolio
from staypower.portfolio.result import Portfolio
from staypower.portfolio.settings import PortfolioSettings
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource

ACCOUNTS = "account_id,signed_up_at\n" + "".join(f"{name},2024-01-01\n" for name in "abcdefgh")


@pytest.fixture
def measure(tmp_path) -> Callable[..., Portfolio]:
    """Return a function that measures tables given as name -> CSV text, or (CSV text, mapping)."""

    def run(files: dict[str, Any], *, until: str = "2025-06-30", label: Any = None, **settings: Any) -> Portfolio:
        given = files if "accounts" in files else {"accounts": ACCOUNTS, **files}
        sources = {}
        for name, entry in given.items():
            text, mapping = entry if isinstance(entry, tuple) else (entry, {})
            (tmp_path / f"{name}.csv").write_text(text)
            sources[name] = [TableSource.model_validate({"source": f"{name}.csv", **mapping})]
        tables, _ = read_tables(sources, folder=tmp_path, observed_until=until)
        chosen = PortfolioSettings.model_validate({"periods": 36, **settings})
        return measure_portfolio(tables, chosen, label=label or ContractualLabel(), features=FeatureSettings())

    return run


@pytest.fixture
def pick() -> Callable[..., pd.Series]:
    """Return a function that finds the one figure of a metric, period and segment."""

    def find(portfolio: Portfolio, metric: str, start: str, *, of: str = "all", age: int | None = None) -> pd.Series:
        frame = portfolio.frame()
        chosen = (frame["metric"] == metric) & (frame["segment_value"] == of)
        chosen &= frame["period_start"] == pd.Timestamp(start, tz="UTC")
        chosen &= frame["age"].isna() if age is None else (frame["age"] == age).fillna(False)
        assert chosen.sum() == 1, frame[["metric", "period_start", "segment_value", "age"]][frame["metric"] == metric]
        return frame[chosen].iloc[0]

    return find
