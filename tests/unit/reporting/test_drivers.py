"""What drives risk: the strongest topics, the risk over a feature's values, and survival by segment."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from report_contents import made_report
from small_bundle import feature_rows, small_bundle

from staypower.cutoffs import DAY
from staypower.explanation.reasons import Explanation
from staypower.portfolio.figures import Figure
from staypower.portfolio.periods import Periods
from staypower.portfolio.result import Portfolio
from staypower.reporting.driver_charts import dependence_charts, survival_charts, swarm_chart
from staypower.reporting.drivers import SAMPLE, Drivers, find_drivers, sample_of
from staypower.reporting.rendering import render_report
from staypower.scoring.predictions import Predictor

ROWS = 120


def explained() -> Explanation:
    accounts = np.array([f"A{number}" for number in range(ROWS)], dtype=object)
    return Predictor.of(small_bundle(0)).churn(feature_rows(9, ROWS), accounts, threads=1)[1]


@pytest.fixture(scope="module")
def drivers() -> Drivers:
    found = find_drivers(explained(), small_bundle(0).calibration.apply)
    assert found is not None
    return found


def test_the_strongest_topic_comes_first_with_every_account(drivers: Drivers) -> None:
    explanation = explained()
    sizes = [driver.size for driver in drivers.drivers]
    assert sizes == sorted(sizes, reverse=True)
    assert drivers.drivers[0].lever == "engagement"
    column = list(explanation.features.columns).index("usage_events_28d")
    np.testing.assert_array_equal(drivers.drivers[0].contributions, explanation.contributions[:, column])
    # fewer uses, more risk: low values lie where contributions are high
    known = np.isfinite(drivers.drivers[0].places)
    assert np.corrcoef(drivers.drivers[0].places[known], drivers.drivers[0].contributions[known])[0, 1] < -0.5


def test_risk_falls_with_use_as_the_model_has_it(drivers: Drivers) -> None:
    first = drivers.dependences[0]
    values, risks = zip(*first.points, strict=True)
    assert list(values) == sorted(values)
    assert risks[0] > 2 * risks[-1]
    assert all(0 < risk < 1 for risk in risks)


def test_every_account_is_a_dot_and_the_charts_share_one_scale(drivers: Drivers) -> None:
    drawn = str(swarm_chart(drivers).drawing)
    assert drawn.count("h0") == ROWS * len(drivers.drivers)
    places = [float(x) for x in re.findall(r"M([\d.]+) [\d.-]+h0", drawn)]
    assert 190 <= min(places) < max(places) <= 700
    scales = {
        tuple(re.findall(r'class="tick end" x="[\d.]+" y="[\d.]+">([^<]*)<', str(c.drawing)))
        for c in dependence_charts(drivers)
    }
    assert len(scales) == 1


def test_a_sample_does_not_depend_on_risk_or_order() -> None:
    accounts = [f"A{number:05d}" for number in range(3000)]
    chosen = sample_of(accounts)
    assert len(chosen) == SAMPLE
    assert set(sample_of(accounts[::-1])) == set(chosen)
    assert 0.35 < np.mean([account < "A01500" for account in chosen]) < 0.65
    assert find_drivers(explained().take(slice(0, 0)), small_bundle(0).calibration.apply) is None


def churned(value: str, month: int, rate: float, complete: bool = True) -> Figure:
    start = month * 30 * DAY
    return Figure("customer_churn_rate", start, start + 30 * DAY, complete, "plan", value, rate, n=50)


def test_survival_is_the_product_of_what_stayed() -> None:
    figures = [
        churned("pro", 0, np.nan),
        churned("pro", 1, 0.1),
        churned("pro", 2, 0.5),
        churned("pro", 3, 0.9, complete=False),
    ]
    figures += [churned("free", month, 0.2) for month in range(3)] + [churned("tiny", 1, np.nan)]
    starts = tuple(month * 30 * DAY for month in range(4))
    portfolio = Portfolio(tuple(figures), Periods(starts, (*starts[1:], 120 * DAY), 120 * DAY), {})
    (chart,) = survival_charts(portfolio)
    assert chart.title == "Survival by plan"
    assert chart.keys == ("free", "pro")
    assert chart.rows == (("0", "100.0%", "100.0%"), ("1", "80.0%", "90.0%"), ("2", "64.0%", "45.0%"))
    assert survival_charts(Portfolio(tuple(figures[:4]), portfolio.periods, {})) == []


def test_the_page_shows_them_without_log_odds(drivers: Drivers) -> None:
    report = made_report(20)
    assert 'id="drivers"' not in render_report(report)
    report = type(report)(**{**vars(report), "drivers": drivers})
    part = render_report(report).partition('<section id="drivers"')[2].partition("</section>")[0]
    assert "raises the risk" in part
    assert "log-odds" not in part
    assert part.count("<figure>") == 1 + len(drivers.dependences)
    assert pd.notna(drivers.accounts)
