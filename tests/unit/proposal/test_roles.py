"""Departures are few rows of an account, whatever else stands in them."""

from __future__ import annotations

import numpy as np
import pandas as pd

import staypower


def test_accounts_may_leave_more_than_once(tmp_path):
    rng = np.random.default_rng(0)
    ids = [f"a{n}" for n in range(80)]
    pd.DataFrame({"account_id": ids, "signup_date": "2023-01-05"}).to_csv(tmp_path / "accounts.csv", index=False)

    def days(rows):
        return (pd.Timestamp("2023-02-01") + pd.to_timedelta(rng.integers(0, 500, rows), unit="D")).strftime("%Y-%m-%d")

    used = {"account_id": rng.choice(ids, 2000), "usage_date": days(2000), "feature": rng.choice(["x", "y"], 2000)}
    pd.DataFrame(used).to_csv(tmp_path / "usage.csv", index=False)
    left = {"churn_event_id": [f"e{n}" for n in range(130)], "account_id": rng.choice(ids, 130), "churn_date": days(130)}
    left |= {"reason_code": rng.choice(["price", "support"], 130), "refund_amount_usd": rng.gamma(2, 9, 130).round(2)}
    pd.DataFrame(left).to_csv(tmp_path / "churn_events.csv", index=False)
    settings = staypower.propose(tmp_path).settings()
    assert settings["label"] == {"kind": "given", "dates": "churn"}
    assert settings["tables"]["churn"]["churned_at"] == "churn_date"
    # a day in many rows of an account is none of leaving
    assert settings["tables"]["usage"]["at"] == "usage_date"
