"""Settings, calendar periods, and the forms of the result."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from staypower.cutoffs import instant_of, text_of
from staypower.portfolio.catalogue import METRICS
from staypower.portfolio.figures import Resampler, wilson_interval
from staypower.portfolio.periods import make_periods
from staypower.portfolio.settings import PortfolioSettings

SUBSCRIPTIONS = ("account_id,subscription_id,started_at,ended_at,mrr\na,1,2025-01-10,,10\n", {"fixed": ["mrr"]})


def test_periods_are_calendar_months_and_the_running_one_comes_on_top():
    periods = make_periods(instant_of("2025-03-15"), first=0, period="month", count=2)
    assert [text_of(start) for start in periods.starts] == ["2025-01-01", "2025-02-01", "2025-03-01"]
    assert periods.running.tolist() == [False, False, True]
    assert [text_of(bound) for bound in periods.bounds] == ["2025-01-01", "2025-02-01", "2025-03-01", "2025-03-15"]
    instants = np.array([instant_of(day) for day in ("2024-12-31", "2025-01-01", "2025-03-14", "2025-03-15")])
    assert periods.number(instants).tolist() == [-1, 0, 2, -1]


def test_quarters_and_no_period_before_the_data():
    periods = make_periods(instant_of("2025-07-01"), first=instant_of("2025-03-31"), period="quarter", count=9)
    assert [text_of(start) for start in periods.starts] == ["2025-01-01", "2025-04-01"]
    assert not periods.running.any()


def test_the_frame_is_tidy_and_the_json_has_no_nan(measure):
    found = measure({"subscriptions": SUBSCRIPTIONS})
    frame = found.frame()
    assert list(frame.columns) == [
        "metric", "period_start", "period_end", "complete", "segment", "segment_value", "age",
        "value", "low", "high", "n", "unit", "note",
    ]  # fmt: skip
    assert set(frame["metric"]) <= set(METRICS)
    assert frame["complete"].dtype == bool
    assert not frame.duplicated(["metric", "period_start", "segment", "segment_value", "age"]).any()
    said = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert len(said["figures"]) == len(frame)
    assert max(map(len, found.text().splitlines())) <= 100
    assert "<table" in found._repr_html_()


def test_text_in_a_notebook_is_escaped(measure):
    accounts = "account_id,signed_up_at,<b>x\na,2025-01-10,1\n"
    found = measure({"accounts": accounts, "subscriptions": SUBSCRIPTIONS}, acquisition_cost="<b>x")
    assert "<b>x" not in found._repr_html_()


@pytest.mark.parametrize("given", [{"satisfied": {"1-5": 6}}, {"satisfied": {"good": 4}}, {"minimum": 0}, {"margin": 0}])
def test_settings_that_make_no_sense(given):
    with pytest.raises(ValidationError):
        PortfolioSettings.model_validate(given)


def test_wilson_against_published_values():
    # Newcombe 1998, table I: 81 of 263 and 15 of 148, 95 %
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 20)[0] == 0.0
    assert wilson_interval(29, 29)[1] == pytest.approx(1.0)


def test_the_bootstrap_of_patterns_is_the_bootstrap_of_accounts():
    generator = np.random.default_rng(3)
    few = np.column_stack([generator.integers(0, 2, 3000), np.ones(3000, dtype=np.int64)])
    many = few + np.column_stack([np.zeros(3000), np.linspace(0, 1e-9, 3000)])
    ratio = lambda sums: sums[:, 0] / sums[:, 1]  # noqa: E731
    by_pattern, by_account = (Resampler(2000, 1).interval(each, ratio, name="x") for each in (few, many))
    assert by_pattern == pytest.approx(by_account, abs=0.002)
    assert Resampler(0, 1).interval(few, ratio, name="x") == pytest.approx((np.nan, np.nan), nan_ok=True)


def test_random_groups_spread_as_accounts_do():
    generator = np.random.default_rng(5)
    accounts = np.column_stack([generator.exponential(1, 40_000), np.ones(40_000)])
    low, high = Resampler(2000, 1).interval(accounts, lambda sums: sums[:, 0] / sums[:, 1], name="x")
    # a mean of 40,000 exponentials: standard error 1 / 200
    assert (high - low) / 2 == pytest.approx(1.96 / 200, rel=0.1)
    assert (high + low) / 2 == pytest.approx(accounts[:, 0].mean(), abs=0.001)


def test_a_figure_does_not_change_when_earlier_periods_are_left_out(measure):
    long, short = (measure({"subscriptions": SUBSCRIPTIONS}, periods=count).frame() for count in (12, 2))
    key = ["metric", "period_start", "segment_value"]
    alike = short[short["age"].isna()].merge(long[long["age"].isna()], on=key)
    pd.testing.assert_series_equal(alike["value_x"], alike["value_y"], check_names=False)
