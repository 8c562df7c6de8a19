"""What a playbook's conditions may ask of an account: declared names, never code."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["FEATURE_MEASURES", "MEASURES"]

_OF_SCORES = {
    "churn_probability": "probability of leaving within the horizon, 0 to 1",
    "involuntary_share": "share of that probability that is a failed or expired payment, 0 to 1",
    "expected_days_to_churn": "expected days until the account leaves",
    "satisfaction": "last CSAT answer, 0 to 1, higher is better",
    "satisfaction_age_days": "days since that answer",
    "asked_unanswered": "survey invitations in a row without an answer",
    "never_invited": "whether the account was never invited to a survey",
    "mrr": "monthly recurring revenue",
    "clv": "lifetime value if the account stays",
    "value_at_risk": "churn probability x lifetime value",
}
_OF_FEATURES = {
    "tenure_days": "days as a customer",
    "days_to_renewal": "days until the contract renews",
    "days_since_last_use": "days since the product was last used",
    "features_no_longer_used": "product features once used and now unused",
    "share_of_seats_active_28d": "share of the seats that were active in the last 28 days",
    "usage_trend_28d": "use in the last 28 days against the 28 before: -1 stopped, 0 the same, 1 begun",
    "tickets_open_now": "open support tickets",
    "tickets_waiting_now": "tickets without a first response",
    "within_sla_share_90d": "share of tickets answered in time in the last 90 days",
    "repeat_contacts_90d": "tickets about the same thing again in the last 90 days",
    "nps_detractor_last": "1 when the last NPS answer was a detractor's, 0 when not",
    "payments_failed_open_now": "failed payments that no later payment made good",
    "method_expires_before_renewal": "1 when the payment method expires before the renewal, 0 when not",
    "auto_renew_off_now": "1 when automatic renewal is switched off, 0 when not",
    "goals_overdue_now": "agreed goals that are overdue",
    "owner_changes_365d": "changes of the account's owner in the last 365 days",
    "orders_90d": "orders in the last 90 days",
    "pause_over_usual": "days since the last order against the usual pause",
}

MEASURES: Mapping[str, str] = MappingProxyType({**_OF_SCORES, **_OF_FEATURES})
"""Every measure and its meaning. A measure that is missing for an account meets no condition."""

FEATURE_MEASURES: frozenset[str] = frozenset(_OF_FEATURES)
"""The measures that are features of the catalogue, to be built at the cutoff; the others stand in the scores."""
