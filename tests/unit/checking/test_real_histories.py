"""Real data sets: their problems are found and named. Skipped where the data are not present."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from staypower.checking.checks import check_tables
from staypower.cutoffs import text_of
from staypower.sources.reading import read_tables
from staypower.sources.settings import TableSource

DATA = Path(os.environ.get("STAYPOWER_DATA", Path(__file__).parents[4] / "shared" / "data"))


def needs(name):
    reason = f"the data set {name} is not at {DATA}; set STAYPOWER_DATA"
    return pytest.mark.skipif(not (DATA / name).is_dir(), reason=reason)


def read(tables, **options):
    sources = {name: [TableSource.model_validate(given)] for name, given in tables.items()}
    return read_tables(sources, folder=DATA, **options)


RAVEN = "ravenstack/ravenstack_"
RAVENSTACK = {
    "accounts": {"source": f"{RAVEN}accounts.csv", "signed_up_at": "signup_date", "static": ["industry", "country"]},
    "subscriptions": {
        "source": f"{RAVEN}subscriptions.csv",
        "started_at": "start_date",
        "ended_at": "end_date",
        "mrr": "mrr_amount",
        "plan": "plan_tier",
    },
    "usage": {
        "source": f"{RAVEN}feature_usage.csv",
        "key_via": "subscriptions",
        "at": "usage_date",
        "event": "feature_name",
        "quantity": "usage_count",
    },
    "tickets": {
        "source": f"{RAVEN}support_tickets.csv",
        "opened_at": "submitted_at",
        "first_response_at": "submitted_at + to_minutes(first_response_time_minutes)",
        "resolved_at": "closed_at",
    },
    "surveys": {
        "source": f"{RAVEN}support_tickets.csv",
        "sent_at": "closed_at",
        "answered_at": "case when satisfaction_score is not null then closed_at end",
        "value": "satisfaction_score",
        "instrument": "csat",
        "scale": "1-5",
    },
    "churn_events": {"source": f"{RAVEN}churn_events.csv", "at": "churn_date", "reason": "reason_code"},
}


@needs("ravenstack")
def test_ravenstack_problems_are_named():
    tables, findings = read(RAVENSTACK)
    report = check_tables(tables, findings)
    rows = {(found.place, found.problem.split(",")[0]): found.rows for found in report.findings}
    assert rows["usage.at", "rows before the start of the subscription that they belong to"] == 19_142
    assert rows["usage.at", "rows before the account signed up"] == 13_190
    assert rows["tickets.opened_at", "rows before the account signed up"] == 1_077
    assert rows["usage.usage_id", "rows whose id was there before"] == 21
    assert rows["surveys.value", "blank in 41.2% of the rows"] == 825
    assert {"usage.at", "usage.usage_id", "tickets.opened_at"} <= {found.place for found in report.warnings}
    assert not report.errors
    assert len(tables["usage"]) == 25_000 - 21
    assert tables["tickets"].date_only == {"opened_at"}


@needs("ravenstack")
def test_ravenstack_is_no_warning_about_leaks_by_name_unless_there_is_one():
    given = {**RAVENSTACK, "accounts": {**RAVENSTACK["accounts"], "static": "all", "leave_out": []}}
    tables, findings = read(given)
    suspects = {found.column for found in check_tables(tables, findings).warnings if found.table == "accounts"}
    assert suspects == {"churn_flag"}


@needs("online_retail")
def test_online_retail_is_read():
    tables, findings = read(
        {
            "accounts": {"derive_from": "orders"},
            "orders": {
                "source": "online_retail/online_retail.parquet",
                "account_id": "CustomerID",
                "at": "InvoiceDate",
                "order_id": "InvoiceNo",
                "amount": "Quantity * UnitPrice",
                "quantity": "Quantity",
                "product": "StockCode",
                "cancelled": "starts_with(InvoiceNo, 'C')",
            },
        }
    )
    assert len(tables["accounts"]) == 4_372
    assert tables.account_ids[0] == "12346"
    assert len(tables["orders"]) == 541_909 - 135_080
    assert text_of(tables.observed_until - 1) == "2011-12-09T12:50:00+00:00"
    assert next(found.rows for found in findings if found.problem == "blank ids") == 135_080
    cancelled = tables["orders"].data.column("cancelled").to_pandas()
    assert int(cancelled.sum()) == 8_905


@needs("telco_v11")
def test_telco_leaks_are_named_and_nothing_else():
    path = DATA / "telco_v11" / "telco_v11.csv"
    tables, findings = read(
        {
            "accounts": {
                "source": "telco_v11/telco_v11.csv",
                "account_id": "Customer ID",
                "static": "all",
                "leave_out": ["Churn Label"],
            }
        },
        observed_until="2024-12-31",
    )
    given = pd.read_csv(path, dtype=str)
    target = dict(zip(given["Customer ID"], (given["Churn Label"] == "Yes").astype(int), strict=True))
    report = check_tables(tables, findings, target=target)
    suspects = {found.column for found in report.warnings if "looks like a leak" in found.problem}
    assert suspects == {
        "Satisfaction Score",
        "Churn Score",
        "Churn Reason",
        "Churn Category",
        "Churn Value",
        "CLTV",
        "Customer Status",
        "Churn Label",
    }
    separating = {found.column for found in report.warnings if "AUROC" in found.problem}
    assert {"Satisfaction Score", "Churn Value", "Customer Status", "Churn Reason", "Churn Category"} <= separating
    assert tables["accounts"].data.column("Tenure in Months").type == "double"
    assert "Churn Label" not in tables["accounts"].fixed
