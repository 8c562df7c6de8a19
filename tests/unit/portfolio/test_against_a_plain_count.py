"""Customers and revenue from arrays against the same definitions written as plain loops, on random tables."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction

import numpy as np
import pytest

from staypower.labels.settings import ContractualLabel

GRACE = 20
FIRST = dt.datetime(2024, 11, 1, tzinfo=dt.UTC)


def random_rows(seed):
    """Draw subscriptions with versions: (account, id, start, end, reason, [(valid_from, mrr)])."""
    generator = np.random.default_rng(seed)
    rows = []
    for account in "abcdefgh":
        at = FIRST + dt.timedelta(days=int(generator.integers(0, 60)))
        for number in range(int(generator.integers(1, 5))):
            end = at + dt.timedelta(days=int(generator.integers(1, 90)))
            closed = None if generator.random() < 0.3 else end
            since = [at, *(at + dt.timedelta(days=int(d)) for d in sorted(set(generator.integers(1, 60, 2).tolist())))]
            versions = [(moment, float(generator.integers(1, 20)) / 10) for moment in since]
            reason = ["price", "card failed", ""][int(generator.integers(0, 3))]
            rows.append((account, f"{account}{number}", at, closed, reason, versions))
            at = at + dt.timedelta(days=int(generator.integers(0, 120)))
    return rows


def spells_of(rows, account):
    """Join subscriptions by hand."""
    own = sorted((r[2], r[3] or dt.datetime.max.replace(tzinfo=dt.UTC)) for r in rows if r[0] == account)
    joined = []
    for start, end in own:
        if joined and start <= min(joined[-1][1], dt.datetime(9000, 1, 1, tzinfo=dt.UTC)) + dt.timedelta(days=GRACE):
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return joined


def is_customer(rows, account, at):
    return any(start < at <= end for start, end in spells_of(rows, account))


def mrr_of(rows, account, at):
    """Sum what subscriptions say just before an instant; in a closed hole what they said when it began."""
    covering = [r for r in rows if r[0] == account and r[2] < at and (r[3] is None or r[3] >= at)]
    if not covering:
        if not is_customer(rows, account, at):
            return Fraction(0)
        at = max(r[3] for r in rows if r[0] == account and r[3] is not None and r[3] < at)
        covering = [r for r in rows if r[0] == account and r[2] < at and r[3] == at]
    return sum((Fraction(str([mrr for since, mrr in r[5] if since < at][-1])) for r in covering), Fraction(0))


@pytest.mark.parametrize("seed", range(12))
def test_random_histories(measure, pick, seed):
    rows = random_rows(seed)
    text = "account_id,subscription_id,started_at,ended_at,end_reason,mrr,valid_from\n" + "".join(
        f"{account},{name},{start.isoformat()},{end.isoformat() if end else ''},{reason},{mrr},{since.isoformat()}\n"
        for account, name, start, end, reason, versions in rows
        for since, mrr in versions
    )
    found = measure(
        {"subscriptions": text}, until="2026-06-30", label=ContractualLabel(grace=GRACE, involuntary=("card",)), bootstrap=0
    )
    for month in ("2024-12", "2025-01", "2025-02", "2025-03", "2025-04"):
        start = dt.datetime.fromisoformat(f"{month}-01T00:00:00+00:00")
        end = (start + dt.timedelta(days=32)).replace(day=1)
        at_start = [account for account in "abcdefgh" if is_customer(rows, account, start)]
        gone = [account for account in at_start if not is_customer(rows, account, end)]
        row = pick(found, "customer_churn_rate", f"{month}-01")
        assert row["n"] == len(at_start)
        if not at_start:
            continue
        assert row["value"] == len(gone) / len(at_start)
        before = {account: mrr_of(rows, account, start) for account in at_start}
        after = {account: mrr_of(rows, account, end) for account in at_start}
        total = sum(before.values())
        kept = sum(min(before[account], after[account]) for account in at_start)
        assert pick(found, "mrr_at_start", f"{month}-01")["value"] == float(total)
        assert pick(found, "gross_revenue_retention", f"{month}-01")["value"] == pytest.approx(float(kept / total), abs=1e-15)
        net = float(sum(after.values()) / total)
        assert pick(found, "net_revenue_retention", f"{month}-01")["value"] == pytest.approx(net, abs=1e-15)
        parts = [pick(found, f"mrr_{name}", f"{month}-01")["value"] for name in
                 ("at_start", "new", "reactivated", "expansion", "contraction", "churned", "at_end")]  # fmt: skip
        assert parts[0] + parts[1] + parts[2] + parts[3] - parts[4] - parts[5] == pytest.approx(parts[6], abs=1e-9)
