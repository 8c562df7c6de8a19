"""Topics: features that measure the same thing over several windows and in several ways give one reason, not several.

Usage in the last 7, 28 and 90 days, counted in events, units and days, is one topic; its trend is another, the length of the
current pause a third. A feature that no topic names, such as one of the user's own, forms a topic with its other windows.
A topic has one lever: features of one topic with different levers form several topics.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from staypower.features.catalogue import Catalogue
from staypower.features.definition import LEVERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NOTHING", "TOPICS", "TOTALS", "Topic", "TopicPattern", "sum_topics", "topics_of"]

TOTALS = tuple(f"total_{lever}" for lever in LEVERS)  # columns of scores that hold the total of each lever
NOTHING = -1  # an account has no further reason
_WINDOW = re.compile(r"_\d+d\Z")
_CHUNK = 4096
_FEW = 16  # so many rows are added up one by one: what a column costs is more than what a row does


@dataclass(frozen=True)
class TopicPattern:
    """Names the features of a topic.

    >>> TopicPattern("export_{}", "use of {}", ("event_*", "days_since_event_*")).matched("days_since_event_login")
    'login'
    """

    name: str  # `{}` takes what the `*` of the matching pattern stands for
    title: str  # for pictures and tables
    features: tuple[str, ...]  # names without their windows; a `*` matches anything

    def matched(self, stem: str) -> str | None:
        """Return what the `*` stands for, empty where there is none; None when the feature is not of this topic."""
        for pattern in self.features:
            head, star, tail = pattern.partition("*")
            if star and stem.startswith(head) and stem.removeprefix(head).endswith(tail):
                return stem.removeprefix(head).removesuffix(tail)
            if pattern == stem:
                return ""
        return None


# the first that matches applies
TOPICS: tuple[TopicPattern, ...] = (
    TopicPattern(
        "trend_of_use",
        "usage trend",
        ("usage_trend", "usage_slope", "usage_recent_share*", "active_days_trend", "silence_tickets_and_use_fall"),
    ),
    TopicPattern(
        "pause_in_use",
        "current pause in usage",
        ("days_since_last_use", "longest_silence", "silence_against_own_rhythm", "pause_in_use_over_usual"),
    ),
    TopicPattern(
        "amount_of_use",
        "amount of usage",
        (
            *(
                "usage_events",
                "usage_per_seat",
                "usage_quantity",
                "usage_before",
                "active_days",
                "active_days_before",
                "days_between_use",
            ),
            *("days_between_use", "irregularity_of_use", "events_per_active_user", "units_per_event"),
        ),
    ),
    TopicPattern(
        "use_a_year_ago",
        "use against a year ago",
        ("usage_events_against_year_ago", "usage_quantity_against_year_ago", "usage_ahead_year_ago"),
    ),
    TopicPattern("busiest_person", "the busiest person", ("busiest_user*",)),
    TopicPattern("people_lost", "people lost and won", ("active_users_lost*", "active_users_won*")),
    TopicPattern("people_using", "active users", ("active_users*", "share_of_seats_active")),
    TopicPattern(
        "breadth_of_use",
        "features in use",
        ("features_used", "features_used_ever", "features_no_longer_used", "products_used"),
    ),
    TopicPattern("use_of_{}", "use of {}", ("event_*_per_seat", "event_*", "days_since_event_*")),
    TopicPattern("weekend_use", "weekend usage", ("weekend_share",)),
    TopicPattern("first_value", "time to first value", ("days_since_first_value", "days_to_first_value", "key_events_*")),
    TopicPattern("setup", "setup", ("days_since_setup_completed", "days_to_setup")),
    TopicPattern("self_service", "self-service and forum", ("self_service",)),
    TopicPattern(
        "waiting_for_answers",
        "response times",
        (
            *("first_response_hours*", "within_sla_share", "tickets_waiting_now", "waiting_so_far_days"),
            "csat_after_slow_ticket",
        ),
    ),
    TopicPattern(
        "solving_of_tickets",
        "resolution times",
        ("resolution_hours*", "tickets_open_now", "oldest_open_ticket_days", "tickets_reopened*"),
    ),
    TopicPattern(
        "hands_in_support",
        "handovers and repeat contacts",
        ("ticket_channels", "ticket_agents", "ticket_categories", "agents_per_ticket", "hand_overs", "repeat_contacts"),
    ),
    TopicPattern("people_asking", "people who open tickets", ("requesters*", "busiest_requester*")),
    TopicPattern(
        "number_of_tickets",
        "number of tickets",
        (
            "tickets",
            "tickets_before",
            "tickets_trend",
            "tickets_against_year_ago",
            "tickets_per_active_user",
            "tickets_per_seat",
            "high_priority*",
            "days_since_last_ticket",
        ),
    ),
    TopicPattern(
        "answering_of_surveys",
        "survey participation",
        (
            *("survey_*", "surveys_*", "days_since_last_answer", "disagreement"),
            *("nps_answers", "csat_answers", "ces1_answers", "ces2_answers"),
            *("days_since_nps", "days_since_csat", "days_since_ces1", "days_since_ces2"),
        ),
    ),
    TopicPattern("ease", "customer effort (CES)", ("ces1_*", "ces2_*")),
    TopicPattern("satisfaction_answers", "satisfaction (CSAT)", ("csat_*",)),
    TopicPattern("nps_answers", "NPS", ("nps_*",)),
    TopicPattern("price_changes", "price changes", ("mrr_change*", "mrr_raises", "mrr_cuts")),
    TopicPattern("discount", "discount", ("discount_*",)),
    TopicPattern(
        "price_of_use",
        "price of what is used",
        ("mrr_per_event*", "mrr_per_unit*", "mrr_per_seat_change*", "paid_per_*", "price_per_item*"),
    ),
    TopicPattern("bill_and_fee", "bill against the fee", ("paid_over_fee*",)),
    TopicPattern("size_of_contract", "contract size", ("mrr_*", "seats_now", "seats_90_days_ago")),
    TopicPattern("seats_changes", "seat changes", ("seats_*", "days_since_seats_cut")),
    TopicPattern("subscriptions", "subscriptions", ("subscriptions_*", "products_now")),
    TopicPattern(
        "contract_terms",
        "contract terms and dates",
        (
            *("days_to_renewal", "days_to_renewal_by_mrr", "days_since_renewal", "share_of_term_elapsed"),
            *("renewals_within_horizon", "mrr_renewing_within_horizon", "share_of_mrr_renewing_within_horizon"),
            *("term_months_now", "billing_period_now"),
        ),
    ),
    TopicPattern("automatic_renewal", "automatic renewal", ("auto_renew_off_now",)),
    TopicPattern(
        "failed_payments",
        "failed payments",
        ("payments_*", "days_since_failed_payment"),
    ),
    TopicPattern("payment_method", "payment method", ("days_to_method_expiry", "method_expires_before_renewal")),
    TopicPattern(
        "amounts_paid", "payments made", ("amount_paid", "amount_paid_trend", "refunds", "payments", "days_since_last_payment")
    ),
    TopicPattern("owner", "account owner", ("owner_changes*", "days_since_owner_change")),
    TopicPattern("advocacy", "advocacy", ("advocacy*", "referrals_ever", "reviews_ever", "days_since_advocacy")),
    TopicPattern("goals", "agreed goals", ("goals_*", "days_since_goal_met")),
    TopicPattern(
        "orders_a_year_ago",
        "orders against a year ago",
        ("orders_against_year_ago", "order_amount_against_year_ago", "orders_ahead_year_ago"),
    ),
    TopicPattern("trend_of_orders", "order trend", ("orders_trend", "order_amount_trend", "days_between_orders_trend")),
    TopicPattern(
        "pause_in_orders",
        "current pause in orders",
        ("days_since_last_order", "pause_against_own_rhythm", "pause_over_usual"),
    ),
    TopicPattern("products_ordered", "products ordered", ("order_products",)),
    TopicPattern("returns", "returns", ("returns", "return_amount", "days_since_last_return")),
    TopicPattern(
        "amount_ordered",
        "order value",
        (
            *("order_amount*", "order_quantity", "amount_per_day", "order_basket*", "order_lines_mean"),
            *("last_order_amount", "basket_spread"),
        ),
    ),
    TopicPattern(
        "number_of_orders",
        "order frequency",
        ("orders", "orders_ever", "order_days", "orders_before", "orders_per_day", "days_between_orders*"),
    ),
    TopicPattern("outreach", "outreach by the team", ("outreach", "days_since_outreach")),
    TopicPattern(
        "time_as_customer",
        "time as a customer",
        ("tenure_days", "days_since_first_use", "days_since_first_order", "days_since_subscription_change"),
    ),
)


@dataclass(frozen=True)
class Topic:
    """What one reason can be about."""

    name: str  # no two topics of a model have the same
    title: str  # in a few words
    lever: str | None
    columns: tuple[int, ...]  # positions of its features among the columns; ascending


def topics_of(catalogue: Catalogue, names: Sequence[str]) -> tuple[Topic, ...]:
    """Divide features into topics.

    >>> from staypower.features import Feature
    >>> from staypower.features.settings import FeatureSettings
    >>> weeks = [Feature(name=f"tickets_{w}d", table="tickets", aggregation="count", window=w, unit="tickets",
    ...                  description="support tickets opened", lever="support") for w in (7, 28)]
    >>> [(topic.title, topic.lever, topic.columns) for topic in topics_of(Catalogue(FeatureSettings(), tuple(weeks)),
    ...  ["tickets_7d", "tickets_28d"])]
    [('number of tickets', 'support', (0, 1))]
    """
    definitions = {definition.name: definition for definition in catalogue.definitions}
    return _divide(tuple((name, definitions[name].description, definitions[name].lever) for name in names))


@lru_cache(maxsize=8)
def _divide(features: tuple[tuple[str, str, str | None], ...]) -> tuple[Topic, ...]:
    """Divide features, given by name, description and lever; kept, since every score of a model asks for the same."""
    found: dict[tuple[str, str | None], tuple[str, list[int]]] = {}
    for column, (feature, description, lever) in enumerate(features):
        topic, title = _topic_of(_WINDOW.sub("", feature), description)
        found.setdefault((topic, lever), (title, []))[1].append(column)
    first = dict(reversed(found))
    return tuple(
        Topic(name if lever == first[name] else f"{name}_{lever or 'else'}", title, lever, tuple(columns))
        for (name, lever), (title, columns) in found.items()
    )


def _topic_of(stem: str, description: str) -> tuple[str, str]:
    for pattern in TOPICS:
        rest = pattern.matched(stem)
        if rest is not None:
            return pattern.name.format(rest), pattern.title.format(rest.replace("_", " "))
    return stem, description


def sum_topics(contributions: NDArray[np.float64], topics: Sequence[Topic]) -> NDArray[np.float64]:
    """Add up the contributions of each topic's features, in their order."""
    sums = np.zeros((len(contributions), len(topics)))
    if len(contributions) <= _FEW:
        columns = [column for topic in topics for column in topic.columns]
        place = np.array([number for number, topic in enumerate(topics) for _ in topic.columns], dtype=np.int64)
        for row, found in zip(contributions, sums, strict=True):
            found[:] = np.bincount(place, row[columns], len(topics))
        return sums
    for start in range(0, len(contributions), _CHUNK):
        # a chunk stays in the processor's cache while its columns are added one after the other
        chunk = np.asfortranarray(contributions[start : start + _CHUNK])
        for number, topic in enumerate(topics):
            target = sums[start : start + _CHUNK, number]
            for column in topic.columns:
                target += chunk[:, column]
    return sums
