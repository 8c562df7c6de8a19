"""What is one thing to say: features that measure the same, over several windows and in several ways, are one topic.

Use in the last 7, 28 and 90 days, counted in events, units and days, is one topic; that it falls against before is another,
and how long the present pause has lasted a third. A feature that no topic names, such as one of the user's own, forms a topic
with its other windows. A topic pulls one lever: features of one topic with different levers are told apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from staypower.features.catalogue import Catalogue

__all__ = ["TOPICS", "Topic", "TopicPattern", "topics_of"]

_WINDOW = re.compile(r"_\d+d\Z")


@dataclass(frozen=True)
class TopicPattern:
    """Names the features of a topic.

    >>> TopicPattern("export_{}", "use of {}", ("event_*", "days_since_event_*")).matched("days_since_event_login")
    'login'
    """

    name: str  # A `{}` takes what the first pattern's `*` stands for
    title: str  # what the topic is, in a few words, for pictures and tables
    features: tuple[str, ...]  # names without their windows; a `*` at the end stands for anything

    def matched(self, stem: str) -> str | None:
        """Return what the `*` stands for, empty where there is none; None when the feature is not of this topic."""
        for pattern in self.features:
            if pattern.endswith("*") and stem.startswith(pattern[:-1]):
                return stem[len(pattern) - 1 :]
            if pattern == stem:
                return ""
        return None


# the first that matches counts
TOPICS: tuple[TopicPattern, ...] = (
    TopicPattern(
        "trend_of_use",
        "whether use holds up",
        ("usage_trend", "usage_slope", "usage_recent_share*", "active_days_trend", "silence_tickets_and_use_fall"),
    ),
    TopicPattern(
        "pause_in_use",
        "the present pause in use",
        ("days_since_last_use", "longest_silence", "silence_against_own_rhythm", "pause_in_use_over_usual"),
    ),
    TopicPattern(
        "amount_of_use",
        "how much it is used",
        (
            *("usage_events", "usage_quantity", "usage_before", "active_days", "active_days_before", "days_between_use"),
            *("irregularity_of_use", "events_per_active_user", "units_per_event"),
        ),
    ),
    TopicPattern("people_using", "how many people use it", ("active_users*", "share_of_seats_active")),
    TopicPattern(
        "breadth_of_use",
        "how many of its features are used",
        ("features_used", "features_used_ever", "features_no_longer_used", "products_used"),
    ),
    TopicPattern("use_of_{}", "use of {}", ("event_*", "days_since_event_*")),
    TopicPattern("weekend_use", "use on weekends", ("weekend_share",)),
    TopicPattern("first_value", "how soon first value came", ("days_since_first_value", "days_to_first_value", "key_events_*")),
    TopicPattern("setup", "how set-up went", ("days_since_setup_completed", "days_to_setup")),
    TopicPattern("self_service", "self-service and forum", ("self_service",)),
    TopicPattern(
        "waiting_for_answers",
        "how long answers take",
        (
            *("first_response_hours*", "within_sla_share", "tickets_waiting_now", "waiting_so_far_days"),
            "csat_after_slow_ticket",
        ),
    ),
    TopicPattern(
        "solving_of_tickets",
        "how long solutions take",
        ("resolution_hours*", "tickets_open_now", "oldest_open_ticket_days", "tickets_reopened*"),
    ),
    TopicPattern(
        "hands_in_support",
        "how often a ticket changes hands or comes again",
        ("ticket_channels", "ticket_agents", "ticket_categories", "agents_per_ticket", "hand_overs", "repeat_contacts"),
    ),
    TopicPattern(
        "number_of_tickets",
        "how often help is needed",
        ("tickets", "tickets_before", "tickets_trend", "tickets_per_active_user", "high_priority*", "days_since_last_ticket"),
    ),
    TopicPattern(
        "answering_of_surveys",
        "whether surveys are answered",
        (
            *("survey_*", "surveys_*", "days_since_last_answer", "disagreement"),
            *("nps_answers", "csat_answers", "ces1_answers", "ces2_answers"),
            *("days_since_nps", "days_since_csat", "days_since_ces1", "days_since_ces2"),
        ),
    ),
    TopicPattern("ease", "how easy it is said to be", ("ces1_*", "ces2_*")),
    TopicPattern("satisfaction_answers", "satisfaction (CSAT)", ("csat_*",)),
    TopicPattern("nps_answers", "NPS", ("nps_*",)),
    TopicPattern("price_changes", "changes of the price paid", ("mrr_change*", "mrr_raises", "mrr_cuts")),
    TopicPattern("discount", "discount", ("discount_*",)),
    TopicPattern("size_of_contract", "what is paid", ("mrr_*", "seats_now", "seats_90_days_ago")),
    TopicPattern("seats_changes", "changes of the seats paid for", ("seats_*", "days_since_seats_cut")),
    TopicPattern("subscriptions", "subscriptions held", ("subscriptions_*", "products_now")),
    TopicPattern(
        "contract_terms", "terms and dates of the contract", ("days_to_renewal", "term_months_now", "billing_period_now")
    ),
    TopicPattern("automatic_renewal", "automatic renewal", ("auto_renew_off_now",)),
    TopicPattern(
        "failed_payments",
        "payments that fail",
        ("payments_*", "days_since_failed_payment"),
    ),
    TopicPattern("payment_method", "the payment method", ("days_to_method_expiry", "method_expires_before_renewal")),
    TopicPattern("amounts_paid", "payments made", ("amount_paid", "refunds", "payments", "days_since_last_payment")),
    TopicPattern("owner", "who looks after the account", ("owner_changes*", "days_since_owner_change")),
    TopicPattern("advocacy", "whether they recommend", ("advocacy*", "referrals_ever", "reviews_ever", "days_since_advocacy")),
    TopicPattern("goals", "goals agreed", ("goals_*", "days_since_goal_met")),
    TopicPattern(
        "trend_of_orders", "whether orders hold up", ("orders_trend", "order_amount_trend", "days_between_orders_trend")
    ),
    TopicPattern(
        "pause_in_orders",
        "the present pause in orders",
        ("days_since_last_order", "pause_against_own_rhythm", "pause_over_usual"),
    ),
    TopicPattern("products_ordered", "how many products are ordered", ("order_products",)),
    TopicPattern("returns", "what is sent back", ("returns", "return_amount", "days_since_last_return")),
    TopicPattern(
        "amount_ordered",
        "how much is ordered",
        (
            *("order_amount*", "order_quantity", "amount_per_day", "order_basket*", "order_lines_mean"),
            *("last_order_amount", "basket_spread"),
        ),
    ),
    TopicPattern(
        "number_of_orders",
        "how often they order",
        ("orders", "orders_ever", "order_days", "orders_before", "orders_per_day", "days_between_orders*"),
    ),
    TopicPattern("outreach", "the team's own actions", ("outreach", "days_since_outreach")),
    TopicPattern(
        "time_as_customer",
        "time as a customer",
        ("tenure_days", "days_since_first_use", "days_since_first_order", "days_since_subscription_change"),
    ),
)


@dataclass(frozen=True)
class Topic:
    """One thing to say about an account."""

    name: str  # no two topics of a model have the same
    title: str  # in a few words
    lever: str | None  # who could pull on it
    columns: tuple[int, ...]  # positions of its features among the columns; ascending


def topics_of(catalogue: Catalogue, names: Sequence[str]) -> tuple[Topic, ...]:
    """Divide features into topics.

    >>> from staypower.features import Feature
    >>> from staypower.features.settings import FeatureSettings
    >>> weeks = [Feature(name=f"tickets_{w}d", table="tickets", aggregation="count", window=w, unit="tickets",
    ...                  description="support tickets opened", lever="support") for w in (7, 28)]
    >>> [(topic.title, topic.lever, topic.columns) for topic in topics_of(Catalogue(FeatureSettings(), tuple(weeks)),
    ...  ["tickets_7d", "tickets_28d"])]
    [('how often help is needed', 'support', (0, 1))]
    """
    definitions = {definition.name: definition for definition in catalogue.definitions}
    found: dict[tuple[str, str | None], tuple[str, list[int]]] = {}
    for column, name in enumerate(names):
        definition = definitions[name]
        topic, title = _topic_of(_WINDOW.sub("", name), definition.description)
        found.setdefault((topic, definition.lever), (title, []))[1].append(column)
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
