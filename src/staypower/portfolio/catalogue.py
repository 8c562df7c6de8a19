"""Every metric by name: what it is called, its unit, and where it belongs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

__all__ = ["METRICS", "Metric", "Unit"]

Unit = Literal["points", "of 100", "share", "scale", "accounts", "money", "hours", "ratio"]


@dataclass(frozen=True)
class Metric:
    """What a metric is.

    >>> METRICS["nps"].unit
    'points'
    """

    name: str
    label: str
    unit: Unit
    family: str  # heading under which it is shown


_CUSTOMERS, _REVENUE, _ATTITUDE, _SUPPORT = "Customers", "Recurring revenue", "Attitude", "Support"
_COHORTS, _WORTH, _ORDERS = "Cohorts", "Worth", "Orders"

_ALL = (
    Metric("customers_at_start", "customers at the start", "accounts", _CUSTOMERS),
    Metric("customers_at_end", "customers at the end", "accounts", _CUSTOMERS),
    Metric("customer_churn_rate", "customer churn rate", "share", _CUSTOMERS),
    Metric("customer_retention", "customer retention", "share", _CUSTOMERS),
    Metric("voluntary_churn_rate", "... voluntary", "share", _CUSTOMERS),
    Metric("involuntary_churn_rate", "... involuntary", "share", _CUSTOMERS),
    Metric("unknown_churn_rate", "... reason unknown", "share", _CUSTOMERS),
    Metric("referral_rate", "customers who referred", "share", _CUSTOMERS),
    Metric("mrr_at_start", "MRR at the start", "money", _REVENUE),
    Metric("mrr_new", "+ new", "money", _REVENUE),
    Metric("mrr_reactivated", "+ reactivated", "money", _REVENUE),
    Metric("mrr_expansion", "+ expansion", "money", _REVENUE),
    Metric("mrr_contraction", "- contraction", "money", _REVENUE),
    Metric("mrr_churned", "- churned", "money", _REVENUE),
    Metric("mrr_at_end", "= MRR at the end", "money", _REVENUE),
    Metric("gross_revenue_retention", "gross revenue retention", "share", _REVENUE),
    Metric("net_revenue_retention", "net revenue retention", "share", _REVENUE),
    Metric("nps", "NPS, over answers", "points", _ATTITUDE),
    Metric("nps_by_account", "NPS, over accounts", "points", _ATTITUDE),
    Metric("nps_promoter_accounts", "promoter accounts", "accounts", _ATTITUDE),
    Metric("nps_passive_accounts", "passive accounts", "accounts", _ATTITUDE),
    Metric("nps_detractor_accounts", "detractor accounts", "accounts", _ATTITUDE),
    Metric("csat", "CSAT", "of 100", _ATTITUDE),
    Metric("ces1_mean", "CES 1, mean (low is good)", "scale", _ATTITUDE),
    Metric("ces1_low_effort_share", "CES 1, low effort", "share", _ATTITUDE),
    Metric("ces2_mean", "CES 2, mean (high is good)", "scale", _ATTITUDE),
    Metric("ces2_low_effort_share", "CES 2, low effort", "share", _ATTITUDE),
    Metric("nps_response_rate", "response rate, NPS", "share", _ATTITUDE),
    Metric("csat_response_rate", "response rate, CSAT", "share", _ATTITUDE),
    Metric("ces1_response_rate", "response rate, CES 1", "share", _ATTITUDE),
    Metric("ces2_response_rate", "response rate, CES 2", "share", _ATTITUDE),
    Metric("first_response_hours_mean", "first response, mean", "hours", _SUPPORT),
    Metric("first_response_hours_median", "first response, median", "hours", _SUPPORT),
    Metric("sla_attainment", "promises kept (SLA)", "share", _SUPPORT),
    Metric("active_accounts", "accounts that ordered", "accounts", _ORDERS),
    Metric("order_revenue", "order revenue, net", "money", _ORDERS),
    Metric("margin_per_active_account", "margin per active account", "money", _ORDERS),
    Metric("cac", "acquisition cost, of those won", "money", _WORTH),
    Metric("monthly_retention", "monthly retention", "share", _WORTH),
    Metric("clv", "lifetime value (CLV)", "money", _WORTH),
    Metric("cac_of_months", "acquisition cost (CAC)", "money", _WORTH),
    Metric("clv_to_cac", "CLV / CAC", "ratio", _WORTH),
    Metric("cohort_retention", "accounts still customers", "share", _COHORTS),
    Metric("cohort_mrr", "MRR", "money", _COHORTS),
    Metric("cohort_gross_revenue_retention", "gross revenue retention", "share", _COHORTS),
    Metric("cohort_net_revenue_retention", "net revenue retention", "share", _COHORTS),
)

METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _ALL})
