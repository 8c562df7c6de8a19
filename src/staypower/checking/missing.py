"""What is not in the tables, what cannot be said without it, and what of that matters most for the model."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

from staypower.schemas import SCHEMAS
from staypower.sources.findings import Finding
from staypower.tables import Table, Tables

__all__ = ["NO_GAP", "absent", "most_important"]

# What is not built without a table.
_TABLES: Mapping[str, str] = MappingProxyType(
    {
        "usage": "features of usage and onboarding: events, active days, trends, silence, seats active",
        "tickets": "features of support: tickets, response and resolution times, reopened and repeated contacts",
        "surveys": "features of satisfaction (NPS, CSAT, CES), the loyalty tier from answers, and quadrants",
        "subscriptions": "features of contracts (MRR, plan, renewal, term) and churn by contract",
        "payments": "features of payments: failed, recovered, refunded, method expiring",
        "orders": "features of orders (count, amount, gaps, returns) and churn by absence of orders",
        "advocacy": "features of referrals, reviews and community",
        "goals": "features of goals met and overdue",
        "outreach": "metrics with and without treated accounts",
    }
)
# What is not built without a column; other columns only sharpen what is built.
_COLUMNS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "accounts": {"signed_up_at": "tenure and onboarding"},
        "usage": {
            "event": "counts per product feature, breadth and onboarding",
            "quantity": "quantities",
            "user_id": "active users and the share of seats active",
        },
        "tickets": {
            "first_response_at": "response times and the share within the SLA",
            "resolved_at": "open tickets and resolution times",
            "priority": "the share of urgent tickets",
            "category": "repeat contacts",
        },
        "surveys": {
            "value": "every feature of answers",
            "answered_at": "every feature of answers",
            "sent_at": "response rates and unanswered invitations",
        },
        "subscriptions": {
            "ended_at": "churn by contract and past spells",
            "mrr": "MRR and its change",
            "end_reason": "voluntary and involuntary churn apart",
            "renews_at": "days to renewal",
            "seats": "usage, people, tickets and MRR per seat; they also follow from `seats` of `accounts`",
        },
        "payments": {"status": "failed payments", "amount": "amounts"},
        "orders": {"amount": "amounts", "order_id": "lines collapsed into orders: each line counts as an order"},
    }
)
# the most important first: what is missing, what cannot be said then, and how to have it
_GAPS: tuple[tuple[str, str, str], ...] = (
    (
        "no use and no orders",
        "nothing can be said of what accounts do: activity, silence, adoption",
        "give `usage`, `orders` or a table of your own a source",
    ),
    (
        "no renewal date and no term",
        "nothing can be said of renewals",
        "map `renews_at`, `term_months` or `billing_period` of `subscriptions`, or give `payments` a source",
    ),
    (
        "no money",
        "nothing can be said of what is at stake, and accounts are ranked by risk alone",
        "map `mrr` of `subscriptions`, or `amount` of `orders` or `payments`",
    ),
    (
        "money that may change while its contract lives",
        "left out of the model: nobody knows since when it holds",
        "write `fixed: [mrr]` under `subscriptions` if it never changes, or give rows with `valid_from`",
    ),
    (
        "no persons",
        "nothing can be said of how many people use it, or that the busiest one is gone",
        "map `user_id` of `usage`",
    ),
    (
        "no reasons of ends",
        "voluntary and involuntary churn are one",
        "map `end_reason` of `subscriptions`, and list the involuntary ones under `label.involuntary`",
    ),
    ("no tickets", "nothing can be said of support", "give `tickets` a source if you have it"),
    ("no surveys", "no loyalty tier and no quadrants", "give `surveys` a source if you have it"),
)
NO_GAP = len(_GAPS)
_RANKS = {problem: rank for rank, (problem, _, _) in enumerate(_GAPS)}
# notes that a gap says already
_COVERED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "no renewal date and no term": ("subscriptions", "renews_at"),
        "no persons": ("usage", "user_id"),
        "no reasons of ends": ("subscriptions", "end_reason"),
        "no tickets": ("tickets", ""),
        "no surveys": ("surveys", ""),
    }
)


def most_important(found: Finding) -> int:
    """Give the place of a note among what is missing: 0 matters most, `NO_GAP` is no gap."""
    return _RANKS.get(found.problem, NO_GAP) if found.severity == "note" else NO_GAP


def absent(empty: Tables, derived: Collection[tuple[str, str]]) -> Iterator[Finding]:
    """Name what is missing, and tables and columns that are not given; `derived` are columns that follow from others."""
    gaps = list(_gaps(empty, derived))
    covered = set()
    for problem, meaning, fix in (gap for gap in _GAPS if gap[0] in gaps):
        table, column = _COVERED.get(problem, ("(model)", ""))
        covered.add((table, column))
        yield Finding("note", table, column, 0, problem, meaning, fix)
    for name, features in _TABLES.items():
        if name not in empty and (name, "") not in covered:
            yield Finding("note", name, "", 0, "not given", f"not built: {features}", f"give `{name}` a source if you have it")
    for name, columns in _COLUMNS.items():
        for column, features in columns.items():
            there = name not in empty or empty[name].has(column) or (name, column) in derived
            if not there and (name, column) not in covered:
                yield Finding("note", name, column, 0, "not mapped", f"not built: {features}", f"map `{column}` if you have it")


def _gaps(empty: Tables, derived: Collection[tuple[str, str]]) -> Iterator[str]:
    if set(empty) == {"accounts"}:
        return  # one flat table: everything else is missing, and nothing of it is meant to be there
    contracts, own = empty.get("subscriptions"), [name for name in empty if name not in SCHEMAS and name != "churn"]
    if not ({"usage", "orders"} & set(empty) or own):
        yield "no use and no orders"
    if contracts is not None and not (_usable(contracts, "renews_at") or ("subscriptions", "renews_at") in derived):
        yield "no renewal date and no term"
    mrr = contracts is not None and (contracts.has("mrr") or ("subscriptions", "mrr") in derived)
    if not (mrr or empty.has("orders", "amount") or empty.has("payments", "amount")):
        yield "no money"
    if contracts is not None and contracts.has("mrr") and not _usable(contracts, "mrr"):
        yield "money that may change while its contract lives"
    if "usage" in empty and not empty.has("usage", "user_id"):
        yield "no persons"
    if contracts is not None and not contracts.has("end_reason"):
        yield "no reasons of ends"
    yield from (f"no {name}" for name in ("tickets", "surveys") if name not in empty)


def _usable(table: Table, column: str) -> bool:
    return table.has(column) and (table.has("valid_from") or column in table.fixed)
