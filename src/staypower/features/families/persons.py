"""How much hangs on single persons: the busiest, whether they are still there, and who came and went."""

from __future__ import annotations

from staypower.features.definition import Definition, Direction
from staypower.features.families.rows import TableFeatures

__all__ = ["PERSONS"]

usage = TableFeatures("usage", lever="adoption")
tickets = TableFeatures("tickets", lever="support")


def _persons(of: TableFeatures, one: str, several: str, *, of_what: str, raises: Direction) -> tuple[Definition, ...]:
    """Declare the features of a table whose rows name a person; `raises` is 1 where losing persons is a bad sign."""
    lowers: Direction = None if raises is None else -1
    return (
        of.feature(
            f"busiest_{one}_share_90d",
            "top_share",
            "user_id",
            window=90,
            says=f"share of {of_what} by the busiest {one}",
            unit="share",
            direction=raises,
        ),
        of.feature(
            f"busiest_{one}_still_seen_90d",
            "top_seen_since",
            "user_id",
            window=90,
            offset=28,
            says=f"seen since: the busiest {one} (1) or not (0)",
            lever="relationship",
            direction=lowers,
        ),
        of.feature(f"{several}_before_90d", "distinct", "user_id", window=90, offset=90, says=several, unit=several, part=True),
        of.feature(f"{several}_180d", "distinct", "user_id", window=180, says=several, unit=several, part=True),
        of.difference(
            f"{several}_lost_90d",
            f"{several}_180d",
            f"{several}_90d",
            says=f"{several.replace('_', ' ')} of the 90 days before who were not seen in the last 90",
            unit=several,
            direction=raises,
        ),
        of.difference(
            f"{several}_won_90d",
            f"{several}_180d",
            f"{several}_before_90d",
            says=f"{several.replace('_', ' ')} of the last 90 days who were not seen in the 90 before",
            unit=several,
            direction=lowers,
        ),
        of.ratio(
            f"{several}_lost_share_90d",
            f"{several}_lost_90d",
            f"{several}_before_90d",
            says=f"share of the {several.replace('_', ' ')} of the 90 days before who were not seen in the last 90",
            unit="share",
            direction=raises,
        ),
    )


PERSONS: tuple[Definition, ...] = (
    *_persons(usage, "user", "active_users", of_what="usage", raises=1),
    tickets.feature("requesters_90d", "distinct", "user_id", window=90, says="people who opened tickets", unit="people"),
    *_persons(tickets, "requester", "requesters", of_what="tickets", raises=None),
)
