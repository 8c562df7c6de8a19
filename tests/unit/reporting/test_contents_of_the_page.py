"""The page's parts, without a browser."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from report_contents import CUTOFF, HOSTILE, made_report, watch_list
from small_bundle import small_bundle

from staypower.cutoffs import instant_of
from staypower.reporting.charts import draw_waterfall
from staypower.reporting.contents import model_words
from staypower.reporting.drawings import Line, Point, draw_lines, scale_over
from staypower.reporting.rendering import render_report
from staypower.reporting.watch_list import FIRST_ROWS, PageLinks, lay_out, ranked_accounts


def embedded(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found
    return json.loads(found.group(1))


def test_the_data_hold_every_account_in_order():
    report = made_report(120)
    data = embedded(render_report(report))
    assert [row[0] for row in data["rows"]] == list(report.watch["account_id"])
    keys = [column["key"] for column in data["columns"]]
    band = keys.index("churn_risk_band")
    words = [data["columns"][band]["words"][row[band]] for row in data["rows"]]
    assert words == list(report.watch["churn_risk_band"])
    assert (data["pages"], data["folder"]) == (len(report.accounts), "")


def test_missing_values_are_null_and_blank():
    laid = lay_out(watch_list(20), PageLinks(0))
    mrr = [column["key"] for column in laid.described].index("mrr")
    assert laid.rows[0][mrr] is None
    assert laid.first[0][[column.key for column in laid.columns].index("mrr")].text == ""


def test_some_columns_are_only_filters_and_saved():
    laid = lay_out(watch_list(20), PageLinks(0))
    aside = [column["key"] for column in laid.described if column["aside"]]
    assert aside == ["churn_risk_band", "tier", "quadrant"]
    assert not {column.key for column in laid.columns} & set(aside)
    assert set(aside) <= {name for name, _, _ in laid.filters}
    assert all(len(row) == len(laid.columns) for row in laid.first)


def test_the_age_and_the_test_of_the_model_are_said_once():
    bundle = small_bundle()
    plan = {"split": "temporal", "training": ["2024-01-01"], "calibration": ["2024-03-01"], "test": ["2024-06-01"]}
    facts = {**bundle.metadata, "cutoffs": plan, "trained_until": "2024-06-01", "horizon_days": 90}
    quality = {"split": "temporal", "rows": 1200, "accounts": 300}
    said = model_words(replace(bundle, metadata={**facts, "quality": quality}), "acme", "3", cutoff=instant_of("2024-09-29"))
    assert said == (
        "Model acme, version 3, trained on data up to 2024-06-01; newest outcome known: 2024-08-30, 30 days before the cutoff. "
        "Tested on 1,200 rows of 300 accounts of later data (evaluated on a twin trained on data up to 2024-03-01). "
        "Typical values are of 1970-01-01."
    )
    assert "Tested" not in model_words(replace(bundle, metadata=facts), "acme", "", cutoff=instant_of("2024-09-29"))


def test_columns_that_nobody_has_are_left_out():
    watch = watch_list(30).assign(mrr=np.nan)
    assert "mrr" not in [column.key for column in lay_out(watch, PageLinks(0)).columns]


def test_the_list_has_names_and_renewals():
    scores = watch_list(3).drop(columns=["to_do", "owner", "expected_value", "action"])
    scores = scores.assign(status="scored", name=["Harbour", None, HOSTILE], days_to_renewal=[12.0, np.nan, -3.4])
    listed = pd.DataFrame({"account_id": ["A00000"], "owner": "ben", "rank": 1, "expected_value": 9.0, "action": "a_call"})
    chosen = SimpleNamespace(
        frame=lambda: listed.assign(holdout=False), passed_over=pd.Series({"A00002": "cooling down"}), cutoff=CUTOFF
    )
    made = ranked_accounts(scores, chosen)
    assert made["name"].tolist()[0] == "Harbour"
    renewal = made.set_index("account_id")["renewal"].fillna("").to_dict()
    assert renewal == {"A00000": "2025-07-13", HOSTILE: "", "A00002": "2025-06-27"}
    laid = lay_out(made, PageLinks(0))
    assert [column["label"] for column in laid.described][:2] == ["Account", "Name"]
    assert {"account_id", "name"} <= {column["key"] for column in laid.described if column["search"]}


def test_only_the_first_rows_are_written_out():
    page = render_report(made_report(200))
    assert page.count('<th scope="row" data-label="Account">') == FIRST_ROWS


def test_why_nothing_is_to_be_done_is_said():
    report = made_report(10)
    quiet = replace(report.accounts[0], action="", no_action=f"no capacity left {HOSTILE}")
    page = render_report(replace(report, accounts=(quiet,)))
    assert "<strong>No action:</strong> no capacity left &lt;script&gt;" in page
    assert "<strong>Next:</strong>" not in page


def test_an_empty_company_still_has_a_page():
    report = replace(
        made_report(10), watch=pd.DataFrame({"account_id": []}), accounts=(), portfolio=None, quality=None, drift=None
    )
    page = render_report(report)
    assert "Train it again to get them" in page
    assert 'id="watch-table"' not in page


def test_the_policy_allows_only_the_pages_own_script():
    page = render_report(made_report(5))
    assert "default-src 'none'" in html.unescape(page)
    assert " style=" not in page
    assert not re.search(r"\son[a-z]+=", re.sub(r"<script.*?</script>", "", page, flags=re.S).replace("&lt;", ""))
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page)


def test_a_gap_breaks_the_line():
    drawn = str(draw_lines("t", ["a", "b", "c"], [Line("l", [Point(1.0), Point(float("nan")), Point(2.0)])]))
    path = re.search(r'<path class="line c0" d="([^"]*)"', drawn)
    assert path
    assert path.group(1).count("M") == 2
    assert "L" not in path.group(1)


def test_the_waterfall_ends_where_the_parts_lead():
    drawn = str(draw_waterfall([("a", 1.0), ("b", -0.5)], base=-2.0, raw=-1.5))
    falls = [
        tuple(map(float, pair)) for pair in re.findall(r'class="fall \w+" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawn)
    ]
    (start, _), (a, wide_a), (b, wide_b), (end, _) = falls
    assert a == pytest.approx(start, abs=0.2)
    assert b + wide_b == pytest.approx(a + wide_a, abs=0.3)
    assert b == pytest.approx(end, abs=0.2)


def test_a_scale_holds_everything():
    scale = scale_over([3.0, -1.0, float("nan")], 100, 0)
    assert 0 < scale(3.0) < scale(-1.0) < 100
