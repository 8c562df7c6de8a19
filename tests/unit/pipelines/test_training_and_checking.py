"""What `train` says first, and that `check` asks for as many churned rows as `train` does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import staypower
from staypower.errors import UsageError
from staypower.evaluation.assessment import evaluate
from staypower.pipelines.fitting import _suspicions
from staypower.sources.findings import Finding

CONFIG = {
    "name": "late",
    "observed_until": "2024-12-31",
    "tables": {
        "accounts": {"source": "accounts", "static": ["segment"]},
        "subscriptions": {"source": "subscriptions"},
        "usage": {"source": "usage"},
    },
    "label": {"kind": "contractual", "horizon": 60, "grace": 10},
}


def evaluated(score):
    y = np.array([0, 1] * 60)
    return evaluate(y, {"model": score(y)}, accounts=range(120), cutoffs=[0] * 120, split="temporal", probability={"model"})


def test_a_ranking_too_good_to_be_true_and_leaks_come_first():
    leak = Finding("warning", "accounts", "exit_code", 0, "looks like a leak", "it fails later", "leave it out")
    perfect, noisy = evaluated(lambda y: 0.2 + 0.6 * y), evaluated(lambda y: np.linspace(0.2, 0.8, len(y)))
    said = _suspicions(perfect, [leak])
    assert said[0].startswith("Suspected leak: accounts.exit_code looks like a leak")
    assert said[1].startswith("AUROC 1.0000 is too good to be true")
    assert _suspicions(noisy, []) == ()


def company(leave_from, pace, leavers=60):
    """Two hundred accounts with monthly usage; `leavers` of them leave one by one from a day on, every so many days."""
    ids = [f"a{n:03d}" for n in range(200)]
    start = pd.Timestamp("2023-01-01")
    ends = [start + pd.Timedelta(days=leave_from + round(pace * n)) if n < leavers else pd.NaT for n in range(200)]
    days = list(range(0, 730, 28))
    used = [
        (account, start + pd.Timedelta(days=day + n % 7))
        for n, (account, end) in enumerate(zip(ids, ends, strict=True))
        for day in days
        if pd.isna(end) or start + pd.Timedelta(days=day) < end
    ]
    segments = [f"s{n % 3}" for n in range(200)]
    return {
        "accounts": pd.DataFrame({"account_id": ids, "signed_up_at": start, "segment": segments}),
        "subscriptions": pd.DataFrame({"account_id": ids, "started_at": start, "ended_at": ends}),
        "usage": pd.DataFrame(used, columns=["account_id", "at"]),
    }


@pytest.mark.parametrize(("leave_from", "pace", "lacking"), [(200, 8, ""), (600, 0.5, "training"), (200, 0.5, "the test")])
def test_check_asks_for_as_many_churned_rows_as_train(leave_from, pace, lacking, tmp_path):
    """All together there are churned rows enough, but where everybody leaves late training has none, or early the test."""
    tables = company(leave_from, pace)
    config = {**CONFIG, "output": {"folder": str(tmp_path)}}
    found = [finding for finding in staypower.check(config, tables).report.errors if "churners" in finding.problem]
    if not lacking:
        assert not found
        return
    assert f"no churners for {lacking}" in found[0].problem
    with pytest.raises(UsageError, match=f"no churners for {lacking}"):
        staypower.train({**config, "tracking": {"folder": str(tmp_path / "runs")}}, tables)
