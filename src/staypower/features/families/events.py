"""Features of single product features: the commonest events, and those that the settings name."""

from __future__ import annotations

from staypower.features.definition import Feature, Filter, Template

__all__ = ["event_features", "named_event_features"]


def event_features(event: str, slug: str) -> tuple[Feature | Template, ...]:
    """Declare the counts of one common product feature (an event learned from the data).

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
