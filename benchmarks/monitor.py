"""What `staypower monitor` says of companies that do not drift and of companies that do, and how right its expectations are.

    python benchmarks/monitor.py --kind simulated --accounts 1000 --seeds 1 2 3          # a month a line, then the tables
    python benchmarks/monitor.py --kind contracts --accounts 1000 --seeds 1 --months 3 --no-power
    python benchmarks/monitor.py --accounts 1000 --seeds 1 2 3 --keep monitor.jsonl      # continues where it was stopped

Each company is trained with default settings on what was known a year before its end, and monitored every 30 days until then,
on the rows that an export of that day would hold.

- `alarms`: the share of months without drift in which the model is told to be trained again (the exit code is 1).
- `within 0.02`: of the months whose outcomes are complete by the end, the share in which the AUROC that was expected when the
  accounts were scored lies within 0.02 of the one that came true; `possible`: the share that a forecast without any error would
  reach, since outcomes are drawn by chance (from the width of the interval); `covered`: within the 95% interval.
- `power`: the share of companies in which a planted drift is found two months after it begins.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from months import KINDS, Frames, company, known_at

from staypower import load_config, monitor, train

DAYS, NEAR = 370, 0.02
_WIDTH = 2 * 1.96  # of a 95% interval, in standard deviations


@dataclass(frozen=True)
class Row:
    """What was said of one company in one month, healthy or with a planted drift."""

    company: str
    month: int
    drift: str
    retrain: bool
    reasons: list[str] = field(default_factory=list)
    expected: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    observed: float = float("nan")  # of the same accounts, once it was known
    churned: int = 0


def _of_usage(change: Callable[[pd.DataFrame, pd.Series, np.random.Generator], pd.DataFrame]) -> Callable[..., Frames]:
    def planted(frames: Frames, since: pd.Timestamp, rng: np.random.Generator) -> Frames:
        usage = frames["usage"]
        return {**frames, "usage": change(usage, usage["at"] >= since, rng)}

    return planted


def _less_use(share: float) -> Callable[..., Frames]:
    return _of_usage(lambda usage, late, rng: usage[~late | (rng.random(len(usage)) > share)])


def _silent_segment(frames: Frames, since: pd.Timestamp, rng: np.random.Generator) -> Frames:
    """Of one segment only a quarter of the use is left."""
    accounts = frames["accounts"]
    word = accounts["segment"].value_counts().index[0]
    ids = set(accounts.loc[accounts["segment"] == word, "account_id"])
    usage = frames["usage"]
    gone = (usage["at"] >= since) & usage["account_id"].isin(ids) & (rng.random(len(usage)) < 0.75)
    return {**frames, "usage": usage[~gone]}


def _more_tickets(frames: Frames, since: pd.Timestamp, rng: np.random.Generator) -> Frames:
    """Three times as many tickets."""
    tickets = frames["tickets"]
    late = tickets[tickets["opened_at"] >= since]
    more = [late.assign(ticket_id=late["ticket_id"].astype(str) + f"-{n}") for n in range(2)]
    return {**frames, "tickets": pd.concat([tickets, *more], ignore_index=True)}


def _slow_support(frames: Frames, since: pd.Timestamp, rng: np.random.Generator) -> Frames:
    """Tickets wait four times as long for their first response."""
    tickets = frames["tickets"].copy()
    late = tickets["opened_at"] >= since
    waited = tickets["first_response_at"] - tickets["opened_at"]
    tickets.loc[late, "first_response_at"] = tickets["opened_at"] + 4 * waited
    for later in ("resolved_at", "reopened_at"):
        if later in tickets:
            tickets.loc[late, later] = tickets.loc[late, later] + 3 * waited
    return {**frames, "tickets": tickets}


DRIFTS: Mapping[str, Callable[[Frames, pd.Timestamp, np.random.Generator], Frames]] = {
    "20% less use": _less_use(0.2),
    "40% less use": _less_use(0.4),
    "60% less use": _less_use(0.6),
    "75% less use in one segment": _silent_segment,
    "three times the tickets": _more_tickets,
    "responses take four times as long": _slow_support,
}


def look(kind: str, accounts: int, seed: int, months: int, *, power: bool, most_days: int = DAYS) -> Iterator[Row]:
    """Train a company a year before its end and monitor it month by month."""
    frames, config, end = company(kind, accounts, seed)
    start, name = end - pd.Timedelta(days=most_days), f"{kind} {accounts} {seed}"
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "staypower.yaml"

        def at(day: pd.Timestamp) -> object:
            place.write_text(config.format(end=(day - pd.Timedelta(days=1)).date()))
            return load_config(place, ["evaluation.bootstrap=200", "gate.silence=1000", "gate.rate=1000"])

        train(at(start), known_at(frames, start))
        expected: dict[str, Row] = {}
        for month in range(1, months + 1):
            day = start + pd.Timedelta(days=30 * month)
            found = monitor(at(day), known_at(frames, day)).monitoring
            figure = found.now.all.figures["auroc"]
            reasons = [*found.reasons, *found.data_reasons]
            expected[str(day.date())] = Row(name, month, "", bool(reasons), reasons, figure.value, figure.low, figure.high)
            if power and month == 4:
                yield from _planted(frames, at, day, name)
        # what came true: looked up at the end, of every month
        for entry in monitor(at(end), known_at(frames, end)).monitoring.history:
            row = expected.get(str(entry["cutoff"]))
            if row is not None and entry.get("observed"):
                value = entry["observed"]["auroc"]
                expected[str(entry["cutoff"])] = Row(**{**asdict(row), "observed": np.nan if value is None else value})
        yield from expected.values()


def _planted(frames: Frames, at: Callable[[pd.Timestamp], object], day: pd.Timestamp, name: str) -> Iterator[Row]:
    for drift, plant in DRIFTS.items():
        rng = np.random.default_rng(len(drift))
        changed = plant(frames, day - pd.Timedelta(days=60), rng)
        found = monitor(at(day), known_at(changed, day)).monitoring
        reasons = [*found.reasons, *found.data_reasons]
        yield Row(name, 4, drift, bool(reasons), reasons)


def tables(rows: Sequence[Row]) -> str:
    """Write the tables of the docs."""
    healthy = [row for row in rows if not row.drift]
    groups = list(dict.fromkeys(row.company.rpartition(" ")[0] for row in rows))
    lines = ["| company | months | alarms | outcomes | within 0.02 | possible | covered |", "|---|---|---|---|---|---|---|"]
    for group in [*groups, ""]:
        mine = [row for row in healthy if row.company.startswith(group)]
        known = [row for row in mine if np.isfinite(row.observed)]
        near = sum(abs(row.expected - row.observed) <= NEAR for row in known)
        covered = sum(row.low <= row.observed <= row.high for row in known)
        alarms = sum(row.retrain for row in mine)
        possible = sum(math.erf(NEAR / ((row.high - row.low) / _WIDTH) / math.sqrt(2)) for row in known)
        shares = [f"{100 * part / max(len(known), 1):.0f} %" for part in (near, possible, covered)]
        lines.append(
            f"| {group or 'all'} | {len(mine)} | {alarms} ({100 * alarms / max(len(mine), 1):.1f} %) | {len(known)} | "
            f"{' | '.join(shares)} |"
        )
    lines += ["", f"| planted drift | {' | '.join(groups)} |", "|---" * (len(groups) + 1) + "|"]
    for drift in DRIFTS:
        cells = []
        for group in groups:
            mine = [row for row in rows if row.drift == drift and row.company.startswith(group)]
            cells.append(f"{sum(row.retrain for row in mine)} of {len(mine)}")
        lines.append(f"| {drift} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=KINDS, default="simulated")
    parser.add_argument("--accounts", type=int, nargs="+", default=[1000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--months", type=int, default=12)
    parser.add_argument("--no-power", action="store_true", help="plant no drift")
    parser.add_argument("--keep", type=Path, help="a file of rows: companies that stand there are not measured again")
    parser.add_argument("--show", action="store_true", help="print the tables of the kept rows only")
    chosen = parser.parse_args()
    kept = [json.loads(line) for line in chosen.keep.read_text().splitlines()] if chosen.keep and chosen.keep.exists() else []
    rows = [Row(**entry) for entry in kept]
    for accounts in [] if chosen.show else chosen.accounts:
        for seed in chosen.seeds:
            name = f"{chosen.kind} {accounts} {seed}"
            if any(row.company == name for row in rows):
                continue
            made = list(look(chosen.kind, accounts, seed, chosen.months, power=not chosen.no_power))
            rows += made
            for row in made:
                sys.stderr.write(
                    f"{row.company} {row.month} {row.drift or 'healthy'}: {row.retrain} {'; '.join(row.reasons)[:160]}\n"
                )
            if chosen.keep:
                with chosen.keep.open("a") as file:
                    file.writelines(json.dumps(asdict(row)) + "\n" for row in made)
    sys.stdout.write(tables(rows) + "\n")


if __name__ == "__main__":
    main()
