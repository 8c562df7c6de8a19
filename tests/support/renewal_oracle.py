"""When contracts renew, once more: one contract, one cutoff, one calendar month at a time; slow, plain, only for the tests."""

from __future__ import annotations

import calendar
import math
from datetime import UTC, datetime, timedelta

DAY = timedelta(days=1)
WORDS = {"monthly": 1, "Quarterly": 3, "semi-annual": 6, "annual": 12, "2 years": 24, "weekly": 0, None: 0}
LENGTHS = {range(24, 39): 1, range(54, 69): 2, range(82, 101): 3, range(170, 197): 6, range(350, 382): 12, range(715, 748): 24}


def moved(moment: datetime, months: int, day: int) -> datetime:
    """Move by calendar months to a day of the month, or to the last one of a shorter month."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    return moment.replace(year=year, month=month + 1, day=min(day, calendar.monthrange(year, month + 1)[1]))


def rhythm_of(payments: list[dict], cutoff: datetime) -> int:
    """Say how many months lie between the payments that had arrived, taken one after the other."""
    known = [p for p in payments if max(p["at"], p["known_at"]) < cutoff and p["status"] != "failed" and p["amount"] > 0]
    last, before, rhythm = None, 0, 0
    for payment in sorted(known, key=lambda p: (max(p["at"], p["known_at"]), p["at"])):
        if last is None:
            last = payment["at"]
            continue
        days = (payment["at"] - last) // DAY
        if days > 20:
            months = next((n for length, n in LENGTHS.items() if days in length), 0)
            if months and (not rhythm or months == before):
                rhythm = months
            last, before = payment["at"], months
    return rhythm


def renewals_of(contract: dict, rhythm: int, cutoff: datetime) -> tuple[datetime | None, datetime | None, datetime | None]:
    """Return the next renewal, when its term began, and the last renewal."""
    start, given = contract["started_at"], contract["renews_at"]
    term = contract["term_months"]
    months = int(term) if term and term >= 1 and term == int(term) else WORDS[contract["billing_period"]] or rhythm
    if given == start:
        given = None
    if not months:
        return given, None, given if given and given < cutoff else None
    base = given or start
    cut = base.day == calendar.monthrange(base.year, base.month)[1]
    day = start.day if cut and start.day > base.day else base.day
    step = 0 if given else 1
    while (following := base if step == 0 else moved(base, step * months, day)) < cutoff:
        step += 1
    began = max(base if step == 1 else moved(base, (step - 1) * months, day), start)
    return following, began, began if start < began < cutoff else None


def expected(contracts: list[dict], payments: list[dict], cutoff: datetime, ahead: int) -> dict[str, float]:
    """Return every feature of renewals of one account."""
    rhythm = rhythm_of(payments, cutoff)
    live = [c for c in contracts if c["started_at"] < cutoff and not (c["ended_at"] and c["ended_at"] < cutoff)]
    found = [(*renewals_of(contract, rhythm, cutoff), contract["mrr"]) for contract in live]
    to_come = sorted((f for f in found if f[0] and f[0] >= cutoff), key=lambda f: f[0])
    passed = [f[0] for f in found if f[0] and f[0] < cutoff]
    renewed = [f[2] for f in found if f[2]]
    nearest = to_come[0][0] if to_come else min(passed, default=None)
    begun = [f[1] for f in to_come if f[0] == nearest and f[1]]
    due = [f for f in to_come if f[0] < cutoff + ahead * DAY]
    largest = max((f[3] for f in to_come), default=0.0)
    weights = [math.floor(f[3] / largest * 2**20) if largest else 0 for f in to_come]
    waits = [math.floor((f[0] - cutoff) / timedelta(seconds=1)) for f in to_come]
    elapsed = max((cutoff - min(begun)) / DAY, 0.0) / ((nearest - min(begun)) / DAY) if begun else math.nan
    weighted = sum(w * s for w, s in zip(weights, waits, strict=True)) / sum(weights) / 86400 if largest else math.nan
    amount = sum(f[3] for f in due)
    mrr = sum(contract["mrr"] for contract in live)
    return {
        "days_to_renewal": (nearest - cutoff) / DAY if nearest else math.nan,
        "days_since_renewal": (cutoff - max(renewed)) / DAY if renewed else math.nan,
        "share_of_term_elapsed": elapsed,
        "days_to_renewal_by_mrr": weighted,
        "renewals_within_horizon": float(len(due)),
        "mrr_renewing_within_horizon": amount,
        "share_of_mrr_renewing_within_horizon": amount / mrr if mrr else math.nan,
    }


def at(day: int, second: int = 0) -> datetime:
    """Return a moment so many days after the start of 2023."""
    return datetime(2023, 1, 1, tzinfo=UTC) + timedelta(days=day, seconds=second)
