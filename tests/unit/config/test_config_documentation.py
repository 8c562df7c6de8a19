"""The page about the config says what the config does: its reference is current and its examples read real files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from documentation.settings import document_settings

from staypower.config.loading import load_config
from staypower.config.settings import Settings
from staypower.sources.reading import read_tables

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"
EXAMPLES = re.findall(r"```yaml\n(name: (\w+)\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)

FILES = {
    "data/lines.csv": (
        "CustomerID,InvoiceDate,InvoiceNo,StockCode,Quantity,UnitPrice\n007,2025-01-02,1,A,2,3.5\n8,2025-02-02,2,B,-1,2\n"
    ),
    "data/customers.csv": (
        "customer,since,segment,Customer ID,Churned,Churn Reason,Total\n"
        "a,2025-01-01,smb,a,Yes,price,7\nb,2025-02-01,ent,b,No,,9\n"
    ),
    "data/desk.csv": (
        "acct,created,reply_min,solved,rating\na,2025-03-01T10:00,30,2025-03-02T10:00,4\nb,2025-03-01T10:00,,,\n"
    ),
    "data/nps.csv": "acct,sent,answered,answer\na,2025-03-01,2025-03-02,9\nb,2025-03-01,,\n",
    "data/contracts.csv": "acct,von,bis,monthly,reason\na,2025-01-01,2025-06-01,10,payment failed\nb,2025-02-01,,20,\n",
    "data/passes.csv": "member,start,stop,pass\na,2025-01-01,,p1\nb,2025-02-01,2025-05-01,p2\n",
    "data/visits.csv": "pass_no,entered,n_seats\np1,2025-03-01T20:00,2\np2,2025-03-02T20:00,1\n",
    "data/events/one.csv": "acct,when,feature,person\na,2025-03-01T08:00,login,u1\n",
}


def test_every_top_level_key_and_every_kind_of_label_is_in_the_reference() -> None:
    reference = document_settings()
    for key in Settings.model_fields:
        assert f"| `{key}` |" in reference
    for kind in ("contractual", "non_contractual", "given"):
        assert f"### `label` with `kind: {kind}`" in reference


def test_every_setting_in_the_reference_has_a_meaning() -> None:
    rows = [line for line in document_settings().splitlines() if line.startswith("| `") and line.count(" | ") >= 3]
    assert [row for row in rows if row.endswith("|  |")] == []


@pytest.mark.parametrize(("text", "name"), EXAMPLES, ids=[name for _, name in EXAMPLES])
def test_the_examples_read_real_files(tmp_path: Path, text: str, name: str) -> None:
    for file, content in FILES.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(content)
    path = tmp_path / "staypower.yaml"
    path.write_text(text.replace("data/events/*.parquet", "data/events/*.csv"))
    settings = load_config(path)
    tables, findings = read_tables(settings.tables, folder=settings.root, observed_until=settings.observed_until)
    assert not [finding for finding in findings if finding.severity == "error"]
    expected = {
        "shop": {"accounts": 2, "orders": 2},
        "acme": {"accounts": 2, "usage": 1, "tickets": 2, "surveys": 3, "subscriptions": 2},
        "snapshot": {"accounts": 2},
        "cinema": {"accounts": 2, "subscriptions": 2, "visits": 2},
    }
    assert {table: len(tables[table]) for table in expected[name]} == expected[name]
    assert len(EXAMPLES) == len(expected)
