"""A report of a made-up company whose names try to break the page."""

from __future__ import annotations

import numpy as np
import pandas as pd

from staypower.cutoffs import DAY, instant_of
from staypower.evaluation.assessment import evaluate
from staypower.evaluation.result import quality_of
from staypower.monitoring.drift import find_drift
from staypower.portfolio.figures import Figure
from staypower.portfolio.periods import Periods
from staypower.portfolio.quadrants import sizes_of
from staypower.portfolio.result import Portfolio
from staypower.reporting.contents import AccountPage, AccountTimeline, Lane, Mark, Report, Sentence, Stake

HOSTILE = "<script>window.broken=1</script>&\"'</script><!--"
CUTOFF = instant_of("2025-07-01")


def watch_list(count: int) -> pd.DataFrame:
    names = [f"A{number:05d}" for number in range(count)]
    names[1] = HOSTILE
    quadrants = ["leaving", "loyal_but_leaving", "captive", "loyal", "content"]
    return pd.DataFrame(
        {
            "account_id": names,
            "to_do": ["act" if number < count / 6 else "no action" for number in range(count)],
            "owner": [None if number >= count / 6 else "ben" if number % 2 else "=SUM(A1)" for number in range(count)],
            "churn_probability": np.linspace(0.9, 0.01, count),
            "value_at_risk": np.linspace(120_000.0, 10.0, count),
            "expected_value": np.linspace(2_400.0, -10.0, count),
            "churn_risk_band": ["high" if number < count / 5 else "low" for number in range(count)],
            "tier": ["detractor" if number % 3 == 0 else "promoter" for number in range(count)],
            "quadrant": [quadrants[number * 5 // count] for number in range(count)],
            "mrr": [float(100 + number * 7 % 400) if number % 10 else np.nan for number in range(count)],
            "action": [
                "adoption tips" if number % 2 else "(costs more than it brings, however long that takes)"
                for number in range(count)
            ],
            "reason_1": [f"No export in {number} days; accounts of this plan usually export weekly" for number in range(count)],
        }
    )


def account_page(account: str) -> AccountPage:
    lanes = [
        Lane("usage", counts=[5, 4, 4, 0, 1, 0]),
        Lane("surveys", marks=[Mark(CUTOFF - 10 * DAY, f"NPS 2 {HOSTILE}", "risk")]),
    ]
    return AccountPage(
        account=account,
        facts=[("risk within 90 days", "90.0 %"), ("plan", HOSTILE)],
        reasons=[Sentence(f"No export in 41 days {HOSTILE}", 0.8, "adoption"), Sentence("Pays on time", -0.2, "billing")],
        changes=[Sentence("Tickets: 1, now 4", 0.3, "support")],
        waterfall=[("adoption", 0.8), ("billing", -0.2)],
        base=-2.0,
        raw=-1.4,
        timeline=AccountTimeline(CUTOFF - 42 * DAY, CUTOFF, lanes),
        action=f"Call {HOSTILE}",
        change_words="The risk rose from 70 % to 90 %.",
    )


def made_report(count: int = 300) -> Report:
    watch = watch_list(count)
    starts = tuple(instant_of(f"2025-{month:02d}-01") for month in range(1, 7))
    ends = (*starts[1:], CUTOFF)
    figures = tuple(
        Figure("nps", start, end, end < CUTOFF, "all", "all", 10.0 + number, 5.0 + number, 15.0 + number, n=90)
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    )
    rng = np.random.default_rng(0)
    risk = rng.random(400)
    found = evaluate(
        (rng.random(400) < risk).astype(int),
        {"model": risk, "tenure rule": rng.random(400)},
        accounts=range(400),
        cutoffs=[0] * 400,
        split="temporal",
        probability={"model"},
        bootstrap=20,
    )
    X = pd.DataFrame({"events_28d": rng.random(300), HOSTILE: rng.random(300)})
    later = X.assign(events_28d=X["events_28d"] + 1)
    return Report(
        name=f"acme {HOSTILE}",
        cutoff="2025-07-01",
        facts=[("model", HOSTILE), ("horizon", "90 days")],
        statuses={"scored": count},
        watch=watch,
        quadrants=sizes_of(watch),
        portfolio=Portfolio(figures, Periods(starts, ends, CUTOFF), {}),
        week=[Stake("To act on", "50 accounts", ["Expected to bring 1,200 after costs.", f"By: {HOSTILE} 50."])],
        levers=[Sentence("Usage fell", 0.1, "engagement")],
        lever_words="The mean score rose.",
        quality=quality_of(found),
        drift=find_drift(X, later, risk[:300], risk[100:], then_words="2025-04-01", now_words="2025-07-01"),
        accounts=[account_page(name) for name in watch["account_id"].head(3)],
        notes=["A note."],
    )
