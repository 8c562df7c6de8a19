"""How much the product is used, by how many, how steadily, and what has fallen silent."""

from __future__ import annotations

from staypower.features.definition import Combination, Feature, Filter, Template

USAGE = (
    Template(
        Feature(
            name="usage_events",
            table="usage",
            aggregation="count",
            unit="events",
            description="usage events",
            lever="engagement",
        )
    ),
    Template(
        Feature(
            name="usage_quantity",
            table="usage",
            aggregation="sum",
            column="quantity",
            unit="units",
            description="units used",
            lever="engagement",
        )
    ),
    Template(
        Feature(
            name="units_per_event",
            table="usage",
            aggregation="mean",
            column="quantity",
            unit="units",
            description="units used per usage event",
            lever="engagement",
        ),
        shortest=28,
        longest=90,
    ),
    Template(
        Feature(
            name="active_days",
            table="usage",
            aggregation="active_days",
            unit="days",
            description="days with any use",
            lever="engagement",
        )
    ),
    Template(
        Feature(
            name="active_users",
            table="usage",
            aggregation="distinct",
            column="user_id",
            unit="users",
            description="people who used the product",
            lever="adoption",
        )
    ),
    Template(
        Feature(
            name="features_used",
            table="usage",
            aggregation="distinct",
            column="event",
            unit="features",
            description="different product features used",
            lever="adoption",
        )
    ),
    Template(
        Feature(
            name="products_used",
            table="usage",
            aggregation="distinct",
            column="product",
            unit="products",
            description="different products used",
            lever="adoption",
        ),
        shortest=28,
    ),
    Template(
        Feature(
            name="weekend_share",
            table="usage",
            aggregation="mean",
            column="weekend",
            unit="share",
            description="share of use on weekends",
            lever=None,
        ),
        shortest=28,
    ),
    Feature(
        name="days_since_last_use",
        table="usage",
        aggregation="days_since_last",
        unit="days",
        description="days since the last use",
        lever="engagement",
    ),
    Feature(
        name="days_since_first_use",
        table="usage",
        aggregation="days_since_first",
        unit="days",
        description="days since the first use",
        lever=None,
    ),
    Feature(
        name="longest_silence_90d",
        table="usage",
        aggregation="longest_silence",
        window=90,
        unit="days",
        description="longest stretch without use",
        lever="engagement",
    ),
    Feature(
        name="silence_against_own_rhythm_365d",
        table="usage",
        aggregation="gap_quantile",
        window=365,
        unit="share",
        description="share of the account's own past pauses in use that were shorter than the present one",
        lever="engagement",
    ),
    Feature(
        name="days_between_use_90d",
        table="usage",
        aggregation="gap_mean",
        window=90,
        unit="days",
        description="mean days between days of use",
        lever="engagement",
    ),
    Feature(
        name="irregularity_of_use_90d",
        table="usage",
        aggregation="gap_spread",
        window=90,
        unit="days",
        description="spread of the days between days of use",
        lever="engagement",
    ),
    Feature(
        name="usage_slope_90d",
        table="usage",
        aggregation="rate_slope",
        window=90,
        unit="events per day",
        description="change of the daily use per 30 days",
        lever="engagement",
    ),
    Combination(
        name="pause_in_use_over_usual_90d",
        how="ratio",
        inputs=("days_since_last_use", "days_between_use_90d"),
        unit="times",
        description="present pause in use against the account's own mean pause",
        lever="engagement",
    ),
    Feature(
        name="usage_before_28d",
        table="usage",
        aggregation="count",
        window=28,
        offset=28,
        unit="events",
        description="usage events",
        lever="engagement",
    ),
    Feature(
        name="usage_before_90d",
        table="usage",
        aggregation="count",
        window=90,
        offset=90,
        unit="events",
        description="usage events",
        lever="engagement",
    ),
    Feature(
        name="active_days_before_28d",
        table="usage",
        aggregation="active_days",
        window=28,
        offset=28,
        unit="days",
        description="days with any use",
        lever="engagement",
    ),
    Feature(
        name="active_users_before_28d",
        table="usage",
        aggregation="distinct",
        column="user_id",
        window=28,
        offset=28,
        unit="users",
        description="people who used the product",
        lever="adoption",
    ),
    Feature(
        name="features_used_ever",
        table="usage",
        aggregation="distinct",
        column="event",
        unit="features",
        description="different product features used",
        lever="adoption",
    ),
    Combination(
        name="usage_trend_28d",
        how="change",
        inputs=("usage_events_28d", "usage_before_28d"),
        unit="",
        description="change of use against the 28 days before",
        lever="engagement",
    ),
    Combination(
        name="usage_trend_90d",
        how="change",
        inputs=("usage_events_90d", "usage_before_90d"),
        unit="",
        description="change of use against the 90 days before",
        lever="engagement",
    ),
    Combination(
        name="usage_recent_share_28d",
        how="ratio",
        inputs=("usage_events_28d", "usage_events_90d"),
        unit="share",
        description="share of the last 90 days' use that fell into the last 28 days",
        lever="engagement",
    ),
    Combination(
        name="usage_recent_share_7d",
        how="ratio",
        inputs=("usage_events_7d", "usage_events_28d"),
        unit="share",
        description="share of the last 28 days' use that fell into the last 7 days",
        lever="engagement",
    ),
    Combination(
        name="usage_recent_share_of_year",
        how="ratio",
        inputs=("usage_events_28d", "usage_events_365d"),
        unit="share",
        description="share of the last year's use that fell into the last 28 days",
        lever="engagement",
    ),
    Combination(
        name="active_days_trend_28d",
        how="change",
        inputs=("active_days_28d", "active_days_before_28d"),
        unit="",
        description="change of days with use against the 28 days before",
        lever="engagement",
    ),
    Combination(
        name="active_users_trend_28d",
        how="change",
        inputs=("active_users_28d", "active_users_before_28d"),
        unit="",
        description="change of active people against the 28 days before",
        lever="adoption",
    ),
    Combination(
        name="features_no_longer_used",
        how="difference",
        inputs=("features_used_ever", "features_used_90d"),
        unit="features",
        description="product features once used and not in the last 90 days",
        lever="adoption",
    ),
    Combination(
        name="events_per_active_user_28d",
        how="ratio",
        inputs=("usage_events_28d", "active_users_28d"),
        unit="events",
        description="usage events per active person in the last 28 days",
        lever="engagement",
    ),
    Combination(
        name="share_of_seats_active_28d",
        how="ratio",
        inputs=("active_users_28d", "seats_now"),
        unit="share",
        description="share of paid seats that were active in the last 28 days",
        lever="adoption",
    ),
)


def event_features(event: str, slug: str) -> tuple[Feature | Template, ...]:
    """Declare the counts of one common product feature (an event learnt from the data).

    Parameters
    ----------
    event : str
        The event as the data write it.
    slug : str
        The same as part of a feature's name.

    Returns
    -------
    tuple of Feature or Template

    Examples
    --------
    >>> [entry.name for entry in event_features("Export", "export") if isinstance(entry, Feature)]
    ['days_since_event_export']
    """
    only = (Filter("event", (event,)),)
    return (
        Template(
            Feature(
                name=f"event_{slug}",
                table="usage",
                aggregation="count",
                where=only,
                unit="events",
                description=f"uses of {event}",
                lever="adoption",
            ),
            shortest=28,
            longest=90,
        ),
        Feature(
            name=f"days_since_event_{slug}",
            table="usage",
            aggregation="days_since_last",
            where=only,
            unit="days",
            description=f"days since the last use of {event}",
            lever="adoption",
        ),
    )


def named_event_features(key_events: tuple[str, ...], self_service: tuple[str, ...]) -> tuple[Feature | Template, ...]:
    """Declare onboarding and self-service for the events that the settings name.

    Examples
    --------
    >>> named_event_features((), ())
    ()
    """
    made: list[Feature | Template] = []
    if key_events:
        key = Filter("event", key_events)
        made += [
            Feature(
                name="days_since_first_value",
                table="usage",
                aggregation="days_since_first",
                where=(key,),
                unit="days",
                description="days since the first key event",
                lever="onboarding",
            ),
            Feature(
                name="days_to_first_value",
                table="usage",
                aggregation="minimum",
                column="days_since_signup",
                where=(key,),
                unit="days",
                description="days from sign-up to the first key event",
                lever="onboarding",
            ),
            *(
                Feature(
                    name=f"key_events_in_first_{days}_days",
                    table="usage",
                    aggregation="distinct",
                    column="event",
                    where=(key, Filter("days_since_signup", below=float(days))),
                    unit="events",
                    description=f"different key events reached within {days} days of sign-up",
                    lever="onboarding",
                )
                for days in (14, 30)
            ),
        ]
    if self_service:
        made.append(
            Template(
                Feature(
                    name="self_service",
                    table="usage",
                    aggregation="count",
                    where=(Filter("event", self_service),),
                    unit="events",
                    description="uses of self-service and forum",
                    lever="support",
                ),
                shortest=28,
            )
        )
    return tuple(made)
