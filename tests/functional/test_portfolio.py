"""`staypower portfolio` on files, as a user runs it, and against one-liners in pandas."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest
from command_line import run

import staypower

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("STAYPOWER_DATA", ROOT.parent / "shared" / "data"))


def needs(file: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not (DATA / file).exists(), reason=f"no {file} under STAYPOWER_DATA ({DATA})")


def measured(config: Path, folder: Path, *more: str) -> tuple[dict, pd.DataFrame]:
    code, out, err = run("portfolio", "-c", str(config), "--json", "--quiet", "--set", f"output.folder={folder}", *more)
    assert code == 0, err
    said = json.loads(out)
    return said, pd.read_parquet(said["rows"])


def everybody(frame: pd.DataFrame, metric: str, start: str) -> pd.Series:
    chosen = (frame["metric"] == metric) & (frame["segment"] == "all") & frame["age"].isna()
    (row,) = frame[chosen & (frame["period_start"] == pd.Timestamp(start, tz="UTC"))].index
    return frame.loc[row]


def test_the_simulated_company(company, tmp_path):
    said, frame = measured(company.config, tmp_path, "--set", "portfolio.margin=0.8")
    assert len(said["figures"]) == len(frame)
    assert said["left_out"] == {}
    assert {Path(path).name for path in said["pictures"]} == {
        "attitude.png", "customers.png", "revenue.png", "support.png", "cohorts.png",
    }  # fmt: skip
    assert all(Path(path).stat().st_size > 5_000 for path in said["pictures"])
    data = company.root / "demo" / "data"
    start, end = (pd.Timestamp(day, tz="UTC") for day in ("2025-03-01", "2025-04-01"))
    surveys = pd.read_parquet(data / "surveys.parquet")
    answers = surveys[surveys["answered_at"].between(start, end, inclusive="left")]
    nps = answers[answers["instrument"] == "nps"]
    score = 100 * ((nps["value"] >= 9).mean() - (nps["value"] <= 6).mean())
    assert everybody(frame, "nps", "2025-03-01")["value"] == pytest.approx(score)
    csat = answers[answers["instrument"] == "csat"]
    assert everybody(frame, "csat", "2025-03-01")["value"] == pytest.approx(100 * (csat["value"] >= 4).mean())
    tickets = pd.read_parquet(data / "tickets.parquet").query("@start <= opened_at < @end")
    hours = (tickets["first_response_at"] - tickets["opened_at"]).dt.total_seconds() / 3600
    assert everybody(frame, "first_response_hours_mean", "2025-03-01")["value"] == pytest.approx(hours.mean())
    parts = [everybody(frame, f"mrr_{name}", "2025-03-01")["value"] for name in
             ("at_start", "new", "reactivated", "expansion", "contraction", "churned", "at_end")]  # fmt: skip
    assert sum(parts[:4]) - parts[4] - parts[5] == pytest.approx(parts[6], abs=1e-6)
    kinds = sum(
        everybody(frame, f"{kind}_churn_rate", "2025-03-01")["value"] for kind in ("voluntary", "involuntary", "unknown")
    )
    assert kinds == pytest.approx(everybody(frame, "customer_churn_rate", "2025-03-01")["value"])


def test_the_same_from_a_notebook_and_again(company):
    tables = staypower.read_tables(company.settings)
    first, again = (staypower.portfolio(company.settings, tables) for _ in range(2))
    pd.testing.assert_frame_equal(first.frame(), again.frame())
    segments = first.frame().query("segment == 'segment' and metric == 'customers_at_start'")["segment_value"].unique()
    assert sorted(segments) == ["large", "mid", "small"]


def test_bad_input_ends_with_problem_value_and_fix(company, tmp_path):
    code, out, err = run(
        "portfolio", "-c", str(company.config), "--quiet", "--set", f"output.folder={tmp_path / 'out'}",
        "--set", "portfolio.segments=[regoin]",
    )  # fmt: skip
    assert code == 2
    assert "write `region`" in err
    assert "Traceback" not in err + out
    assert not (tmp_path / "out").exists()
    code, _, err = run("portfolio", "-c", str(company.config), "--quiet", "--set", "portfolio.perod=month")
    assert code == 2
    assert "write `period`" in err


@needs("online_retail/online_retail.parquet")
def test_online_retail(tmp_path, monkeypatch):
    monkeypatch.setenv("STAYPOWER_DATA", str(DATA))
    said, frame = measured(ROOT / "configs" / "online_retail.yaml", tmp_path)
    lines = pd.read_parquet(DATA / "online_retail" / "online_retail.parquet").dropna(subset="CustomerID")
    bought = lines[~lines["InvoiceNo"].astype(str).str.startswith("C") & (lines["Quantity"] >= 0)]
    november = lines[lines["InvoiceDate"].between("2011-11-01", "2011-12-01", inclusive="left")]
    total = (november["Quantity"] * november["UnitPrice"]).sum()
    assert everybody(frame, "order_revenue", "2011-11-01")["value"] == pytest.approx(total, abs=0.005)

    def active(day: str) -> set[float]:
        at = pd.Timestamp(day)
        return set(bought[bought["InvoiceDate"].between(at - pd.Timedelta(days=180), at, inclusive="left")]["CustomerID"])

    first, last = active("2011-11-01"), active("2011-12-01")
    churn = everybody(frame, "customer_churn_rate", "2011-11-01")
    assert (churn["n"], churn["value"]) == (len(first), len(first - last) / len(first))
    assert not everybody(frame, "customer_churn_rate", "2011-12-01")["complete"]
    assert "margin_per_active_account" in said["left_out"]["lifetime value"]


@needs("ravenstack/ravenstack_subscriptions.csv")
def test_ravenstack(tmp_path, monkeypatch):
    monkeypatch.setenv("STAYPOWER_DATA", str(DATA))
    _, frame = measured(ROOT / "configs" / "ravenstack.yaml", tmp_path, "--set", "portfolio.segments=[industry]")
    tickets = pd.read_csv(DATA / "ravenstack" / "ravenstack_support_tickets.csv", parse_dates=["closed_at"])
    october = tickets[tickets["closed_at"].between("2024-10-01", "2024-11-01", inclusive="left")]
    scores = october["satisfaction_score"].dropna()
    row = everybody(frame, "csat", "2024-10-01")
    assert (row["n"], row["value"]) == (len(scores), pytest.approx(100 * (scores >= 4).mean()))
    assert set(frame["segment_value"]) == {"all", "Cybersecurity", "DevTools", "EdTech", "FinTech", "HealthTech"}
    small = frame[frame["note"].str.startswith("too small")]
    assert len(small)
    assert small[["value", "low", "high", "n"]].isna().all().all()
