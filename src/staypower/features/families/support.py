"""How often help was needed, how fast it came, and what is still open."""

from __future__ import annotations

from staypower.features.definition import Combination, Feature, Filter, Template

SUPPORT = (
    Template(
        Feature(
            name="tickets",
            table="tickets",
            aggregation="count",
            unit="tickets",
            description="support tickets opened",
            lever="support",
        )
    ),
    Template(
        Feature(
            name="ticket_channels",
            table="tickets",
            aggregation="distinct",
            column="channel",
            unit="channels",
            description="different channels through which help was sought",
            lever="support",
        ),
        shortest=90,
    ),
    Template(
        Feature(
            name="ticket_agents",
            table="tickets",
            aggregation="distinct",
            column="agent",
            unit="agents",
            description="different people who answered",
            lever="support",
        ),
        shortest=90,
    ),
    Template(
        Feature(
            name="ticket_categories",
            table="tickets",
            aggregation="distinct",
            column="category",
            unit="categories",
            description="different categories of tickets",
            lever="support",
        ),
        shortest=90,
    ),
    Template(
        Feature(
            name="repeat_contacts",
            table="tickets",
            aggregation="sum",
            column="repeat",
            unit="tickets",
            description="repeat tickets (same category within 30 days)",
            lever="support",
        ),
        shortest=28,
    ),
    Template(
        Feature(
            name="tickets_reopened",
            table="tickets",
            aggregation="count",
            time="reopened_at",
            unit="tickets",
            description="tickets reopened",
            lever="support",
        ),
        shortest=28,
    ),
    Template(
        Feature(
            name="first_response_hours_mean",
            table="tickets",
            aggregation="mean",
            column="first_response_hours",
            time="first_response_at",
            unit="hours",
            description="mean hours to the first response",
            lever="support",
        ),
        shortest=28,
    ),
    Template(
        Feature(
            name="first_response_hours_total",
            table="tickets",
            aggregation="sum",
            column="first_response_hours",
            time="first_response_at",
            unit="hours",
            description="total hours waited for first responses",
            lever="support",
        ),
        shortest=28,
    ),
    Template(
        Feature(
            name="first_response_hours_worst",
            table="tickets",
            aggregation="maximum",
            column="first_response_hours",
            time="first_response_at",
            unit="hours",
            description="longest wait for a first response",
            lever="support",
        ),
        shortest=28,
    ),
    Feature(
        name="first_response_hours_spread_365d",
        table="tickets",
        aggregation="spread",
        column="first_response_hours",
        time="first_response_at",
        window=365,
        unit="hours",
        description="spread of the hours to the first response",
        lever="support",
    ),
    Template(
        Feature(
            name="within_sla_share",
            table="tickets",
            aggregation="mean",
            column="within_sla",
            time="sla_decided_at",
            unit="share",
            description="share of tickets answered within the promised time",
            lever="support",
        ),
        shortest=28,
    ),
    Template(
        Feature(
            name="resolution_hours_mean",
            table="tickets",
            aggregation="mean",
            column="resolution_hours",
            time="resolved_at",
            unit="hours",
            description="mean hours to the resolution",
            lever="support",
        ),
        shortest=28,
    ),
    Template(
        Feature(
            name="resolution_hours_total",
            table="tickets",
            aggregation="sum",
            column="resolution_hours",
            time="resolved_at",
            unit="hours",
            description="total hours until tickets were resolved",
            lever="support",
        ),
        shortest=28,
    ),
    Template(
        Feature(
            name="resolution_hours_worst",
            table="tickets",
            aggregation="maximum",
            column="resolution_hours",
            time="resolved_at",
            unit="hours",
            description="longest time to a resolution",
            lever="support",
        ),
        shortest=90,
    ),
    Feature(
        name="tickets_open_now",
        table="tickets",
        aggregation="count",
        until="resolved_at",
        unit="tickets",
        description="tickets open",
        lever="support",
    ),
    Feature(
        name="oldest_open_ticket_days",
        table="tickets",
        aggregation="days_since_first",
        until="resolved_at",
        unit="days",
        description="age of the oldest open ticket",
        lever="support",
    ),
    Feature(
        name="tickets_waiting_now",
        table="tickets",
        aggregation="count",
        until="waiting_until",
        unit="tickets",
        description="unanswered tickets",
        lever="support",
    ),
    Feature(
        name="waiting_so_far_days",
        table="tickets",
        aggregation="days_since_first",
        until="waiting_until",
        unit="days",
        description="longest wait so far of an unanswered ticket",
        lever="support",
    ),
    Feature(
        name="days_since_last_ticket",
        table="tickets",
        aggregation="days_since_last",
        unit="days",
        description="days since the last ticket",
        lever=None,
    ),
    Feature(
        name="tickets_before_90d",
        table="tickets",
        aggregation="count",
        window=90,
        offset=90,
        unit="tickets",
        description="support tickets opened",
        lever="support",
    ),
    Combination(
        name="agents_per_ticket_365d",
        how="ratio",
        inputs=("ticket_agents_365d", "tickets_365d"),
        unit="agents",
        description="different people who answered, per ticket, in the last 365 days",
        lever="support",
    ),
    Template(
        Feature(
            name="hand_overs",
            table="tickets",
            aggregation="sum",
            column="handed_over",
            unit="tickets",
            description="hand-overs (tickets answered by another person than the one before)",
            lever="support",
        ),
        shortest=90,
    ),
    Combination(
        name="tickets_trend_90d",
        how="change",
        inputs=("tickets_90d", "tickets_before_90d"),
        unit="",
        description="change of tickets against the 90 days before",
        lever="support",
    ),
    Combination(
        name="tickets_reopened_share_90d",
        how="ratio",
        inputs=("tickets_reopened_90d", "tickets_90d"),
        unit="share",
        description="tickets reopened against tickets opened in the last 90 days",
        lever="support",
    ),
    Combination(
        name="tickets_per_active_user_28d",
        how="ratio",
        inputs=("tickets_28d", "active_users_28d"),
        unit="tickets",
        description="tickets per active person in the last 28 days",
        lever="support",
    ),
    Combination(
        name="silence_tickets_and_use_fall_90d",
        how="both_fall",
        inputs=("tickets_trend_90d", "usage_trend_90d"),
        unit="",
        description="tickets and use falling together",
        lever="engagement",
    ),
)


def priority_features(high: tuple[str, ...]) -> tuple[Template | Combination, ...]:
    """Declare the tickets of high priority.

    Parameters
    ----------
    high : tuple of str
        Priorities that count as high.

    Examples
    --------
    >>> len(priority_features(("high",)))
    2
    """
    return (
        Template(
            Feature(
                name="high_priority_tickets",
                table="tickets",
                aggregation="count",
                where=(Filter("priority", high),),
                unit="tickets",
                description="tickets of high priority",
                lever="support",
            ),
            shortest=28,
        ),
        Combination(
            name="high_priority_share_365d",
            how="ratio",
            inputs=("high_priority_tickets_365d", "tickets_365d"),
            unit="share",
            description="share of tickets of high priority in the last 365 days",
            lever="support",
        ),
    )
