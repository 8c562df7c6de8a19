"""How much the product is used, by how many people, how steadily, and what is no longer used."""

from __future__ import annotations

from staypower.features.definition import Definition, Filter, Template
from staypower.features.families.rows import TableFeatures

__all__ = ["USAGE", "event_features", "named_event_features"]

# By what the team would do: `engagement` brings people back to use it at all, or as often as before; `adoption` spreads what is
# used over more features, seats and people. Uses of one product feature and falling numbers of people go with use itself.
usage = TableFeatures("usage", lever="engagement", direction=-1)
adoption = TableFeatures("usage", lever="adoption", direction=-1)

USAGE = (
    usage.every_window("usage_events", "count", says="usage events", unit="events"),
    usage.every_window("usage_quantity", "sum", "quantity", says="units used", unit="units"),
    usage.every_window(
        "units_per_event",
        "mean",
        "quantity",
        shortest=28,
        longest=90,
        says="units used per usage event",
        unit="units",
        direction=None,
    ),
    usage.every_window("active_days", "active_days", says="days with any usage", unit="days"),
    adoption.every_window("active_users", "distinct", "user_id", says="active users", unit="users"),
    adoption.every_window("features_used", "distinct", "event", says="different product features used", unit="features"),
    adoption.every_window("products_used", "distinct", "product", shortest=28, says="different products used", unit="products"),
    usage.every_window(
        "weekend_share",
        "mean",
        "weekend",
        shortest=28,
        says="share of usage on weekends",
        unit="share",
        lever=None,
        direction=None,
    ),
    usage.feature("days_since_last_use", "days_since_last", says="days since the last use", unit="days", direction=1),
    usage.feature(
        "days_since_first_use", "days_since_first", says="days since the first use", unit="days", lever=None, direction=None
    ),
    usage.feature(
        "longest_silence_90d",
        "longest_silence",
        window=90,
        says="longest period without usage",
        unit="days",
        direction=1,
    ),
    usage.feature(
        "silence_against_own_rhythm_365d",
        "gap_quantile",
        window=365,
        says="share of the account's earlier gaps in usage that were shorter than the current one",
        unit="share",
        direction=1,
    ),
    usage.feature(
        "days_between_use_90d",
        "gap_mean",
        window=90,
        says="average days between days with usage",
        unit="days",
        direction=1,
    ),
    usage.feature(
        "irregularity_of_use_90d",
        "gap_spread",
        window=90,
        says="spread of the days between days with usage",
        unit="days",
        direction=1,
    ),
    usage.feature("usage_slope_90d", "rate_slope", window=90, says="trend of daily usage, per 30 days", unit="events per day"),
    usage.ratio(
        "pause_in_use_over_usual_90d",
        "days_since_last_use",
        "days_between_use_90d",
        says="current gap in usage compared with the account's own average gap",
        unit="times",
        direction=1,
    ),
    usage.feature("usage_before_28d", "count", window=28, offset=28, says="usage events", unit="events", direction=None),
    usage.feature("usage_before_90d", "count", window=90, offset=90, says="usage events", unit="events", direction=None),
    usage.feature(
        "active_days_before_28d", "active_days", window=28, offset=28, says="days with any usage", unit="days", direction=None
    ),
    usage.feature(
        "active_users_before_28d",
        "distinct",
        "user_id",
        window=28,
        offset=28,
        says="active users",
        unit="users",
        direction=None,
    ),
    adoption.feature(
        "features_used_ever", "distinct", "event", says="different product features used", unit="features", direction=None
    ),
    usage.change(
        "usage_trend_28d", "usage_events_28d", "usage_before_28d", says="change in usage compared with the 28 days before"
    ),
    usage.change(
        "usage_trend_90d", "usage_events_90d", "usage_before_90d", says="change in usage compared with the 90 days before"
    ),
    usage.ratio(
        "usage_recent_share_28d",
        "usage_events_28d",
        "usage_events_90d",
        says="share of the last 90 days' usage that fell in the last 28 days",
        unit="share",
    ),
    usage.ratio(
        "usage_recent_share_7d",
        "usage_events_7d",
        "usage_events_28d",
        says="share of the last 28 days' usage that fell in the last 7 days",
        unit="share",
    ),
    usage.ratio(
        "usage_recent_share_of_year",
        "usage_events_28d",
        "usage_events_365d",
        says="share of the last year's usage that fell in the last 28 days",
        unit="share",
    ),
    usage.change(
        "active_days_trend_28d",
        "active_days_28d",
        "active_days_before_28d",
        says="change in days with usage compared with the 28 days before",
    ),
    usage.change(
        "active_users_trend_28d",
        "active_users_28d",
        "active_users_before_28d",
        says="change in active users compared with the 28 days before",
    ),
    adoption.difference(
        "features_no_longer_used",
        "features_used_ever",
        "features_used_90d",
        says="product features once used but not in the last 90 days",
        unit="features",
        direction=1,
    ),
    usage.ratio(
        "events_per_active_user_28d",
        "usage_events_28d",
        "active_users_28d",
        says="usage events per active user in the last 28 days",
        unit="events",
    ),
    Template(
        adoption.ratio(
            "share_of_seats_active",
            "active_users",
            "seats_now!",
            says="share of paid seats active",
            unit="share",
            direction=-1,
        ),
        longest=90,
    ),
    Template(
        usage.ratio(
            "usage_per_seat",
            "usage_events",
            "seats_now!",
            says="usage events per paid seat",
            unit="events",
            direction=-1,
        ),
        longest=90,
    ),
)


def event_features(event: str, slug: str) -> tuple[Definition | Template, ...]:
    """Declare the counts of one common product feature (an event found in the data)."""
    one = TableFeatures("usage", lever="engagement", where=Filter("event", (event,)))
    return (
        one.every_window(f"event_{slug}", "count", shortest=28, longest=90, says=f"uses of {event}", unit="events"),
        one.ratio(
            f"event_{slug}_per_seat_28d",
            f"event_{slug}_28d",
            "seats_now",
            says=f"uses of {event} per paid seat",
            unit="events",
        ),
        one.feature(f"days_since_event_{slug}", "days_since_last", says=f"days since the last use of {event}", unit="days"),
    )


def named_event_features(key_events: tuple[str, ...], self_service: tuple[str, ...]) -> tuple[Definition | Template, ...]:
    """Declare onboarding and self-service for the events that the settings name."""
    made: list[Definition | Template] = []
    if key_events:
        key = TableFeatures("usage", lever="onboarding", where=Filter("event", key_events))
        made += [
            key.feature("days_since_first_value", "days_since_first", says="days since the first key event", unit="days"),
            key.feature(
                "days_to_first_value",
                "minimum",
                "days_since_signup",
                says="days from sign-up to the first key event",
                unit="days",
                direction=1,
            ),
        ]
        for days in (14, 30):
            early = Filter("days_since_signup", below=float(days))
            made.append(
                key.feature(
                    f"key_events_in_first_{days}_days",
                    "distinct",
                    "event",
                    where=early,
                    says=f"different key events reached within {days} days of sign-up",
                    unit="events",
                    direction=-1,
                )
            )
    if self_service:
        forum = TableFeatures("usage", lever="support", where=Filter("event", self_service))
        made.append(
            forum.every_window("self_service", "count", shortest=28, says="uses of self-service and the forum", unit="events")
        )
    return tuple(made)
