"""How often help was needed, how fast it came, and what is still open."""

from __future__ import annotations

from staypower.features.definition import Combination, Filter, Template
from staypower.features.families.rows import TableFeatures

__all__ = ["SUPPORT", "priority_features"]

tickets = TableFeatures("tickets", lever="support")
resolutions = TableFeatures("tickets", lever="support", time="resolved_at", direction=1)
responses = TableFeatures("tickets", lever="support", time="first_response_at", direction=1)

SUPPORT = (
    tickets.every_window("tickets", "count", says="support tickets opened", unit="tickets"),
    tickets.every_window(
        "ticket_channels", "distinct", "channel", shortest=90, says="different support channels used", unit="channels"
    ),
    tickets.every_window(
        "ticket_agents", "distinct", "agent", shortest=90, says="different agents who answered", unit="agents"
    ),
    tickets.every_window(
        "ticket_categories", "distinct", "category", shortest=90, says="different ticket categories", unit="categories"
    ),
    tickets.every_window(
        "repeat_contacts",
        "sum",
        "repeat",
        shortest=28,
        says="repeat tickets (same category within 30 days)",
        unit="tickets",
        direction=1,
    ),
    tickets.every_window(
        "tickets_reopened",
        "count",
        shortest=28,
        time="reopened_at",
        says="tickets reopened",
        unit="tickets",
        direction=1,
    ),
    responses.every_window(
        "first_response_hours_mean",
        "mean",
        "first_response_hours",
        shortest=28,
        says="average hours to first response",
        unit="hours",
    ),
    responses.every_window(
        "first_response_hours_total",
        "sum",
        "first_response_hours",
        shortest=28,
        says="total hours waited for first responses",
        unit="hours",
    ),
    responses.every_window(
        "first_response_hours_worst",
        "maximum",
        "first_response_hours",
        shortest=28,
        says="longest wait for a first response",
        unit="hours",
    ),
    responses.feature(
        "first_response_hours_spread_365d",
        "spread",
        "first_response_hours",
        window=365,
        says="spread of the hours to first response",
        unit="hours",
        direction=None,
    ),
    tickets.every_window(
        "within_sla_share",
        "mean",
        "within_sla",
        shortest=28,
        time="sla_decided_at",
        says="share of tickets answered within the SLA",
        unit="share",
        direction=-1,
    ),
    resolutions.every_window(
        "resolution_hours_mean", "mean", "resolution_hours", shortest=28, says="average hours to resolution", unit="hours"
    ),
    resolutions.every_window(
        "resolution_hours_total",
        "sum",
        "resolution_hours",
        shortest=28,
        says="total hours until tickets were resolved",
        unit="hours",
    ),
    resolutions.every_window(
        "resolution_hours_worst", "maximum", "resolution_hours", shortest=90, says="longest time to resolution", unit="hours"
    ),
    tickets.feature("tickets_open_now", "count", until="resolved_at", says="open tickets", unit="tickets", direction=1),
    tickets.feature(
        "oldest_open_ticket_days",
        "days_since_first",
        until="resolved_at",
        says="age of the oldest open ticket",
        unit="days",
        direction=1,
    ),
    tickets.feature(
        "tickets_waiting_now", "count", until="waiting_until", says="unanswered tickets", unit="tickets", direction=1
    ),
    tickets.feature(
        "waiting_so_far_days",
        "days_since_first",
        until="waiting_until",
        says="longest wait of an unanswered ticket",
        unit="days",
        direction=1,
    ),
    tickets.feature("days_since_last_ticket", "days_since_last", says="days since the last ticket", unit="days", lever=None),
    tickets.feature("tickets_before_90d", "count", window=90, offset=90, says="support tickets opened", unit="tickets"),
    tickets.ratio(
        "agents_per_ticket_365d",
        "ticket_agents_365d",
        "tickets_365d",
        says="different agents per ticket in the last 365 days",
        unit="agents",
        direction=1,
    ),
    tickets.every_window(
        "hand_overs",
        "sum",
        "handed_over",
        shortest=90,
        says="handovers (tickets answered by a different agent than the one before)",
        unit="tickets",
        direction=1,
    ),
    tickets.change(
        "tickets_trend_90d", "tickets_90d", "tickets_before_90d", says="change in tickets compared with the 90 days before"
    ),
    tickets.ratio(
        "tickets_reopened_share_90d",
        "tickets_reopened_90d",
        "tickets_90d",
        says="tickets reopened as a share of tickets opened in the last 90 days",
        unit="share",
        direction=1,
    ),
    tickets.ratio(
        "tickets_per_active_user_28d",
        "tickets_28d",
        "active_users_28d",
        says="tickets per active user in the last 28 days",
        unit="tickets",
        direction=1,
    ),
    Template(
        tickets.ratio(
            "tickets_per_seat",
            "tickets",
            "seats_now!",
            says="support tickets per paid seat",
            unit="tickets",
            direction=1,
        ),
        shortest=28,
        longest=90,
    ),
    tickets.both_fall(
        "silence_tickets_and_use_fall_90d",
        "tickets_trend_90d",
        "usage_trend_90d",
        says="fall in both tickets and usage",
        lever="engagement",
        direction=1,
    ),
)


def priority_features(high: tuple[str, ...]) -> tuple[Template | Combination, ...]:
    """Declare the tickets of high priority."""
    return (
        tickets.every_window(
            "high_priority_tickets",
            "count",
            shortest=28,
            where=Filter("priority", high),
            says="high-priority tickets",
            unit="tickets",
            direction=1,
        ),
        tickets.ratio(
            "high_priority_share_365d",
            "high_priority_tickets_365d",
            "tickets_365d",
            says="share of tickets with high priority in the last 365 days",
            unit="share",
            direction=1,
        ),
    )
