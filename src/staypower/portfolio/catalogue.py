"""Every portfolio metric by name: its label, unit and formula, which direction is better, and where it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

from staypower.results.numbers import count, decimal, money, percent

__all__ = ["BY_SEGMENT", "CHARTS", "FAMILIES", "METRICS", "PICTURES", "POOLED", "PortfolioMetric", "PortfolioPicture", "Unit"]

Unit = Literal["points", "of 100", "share", "scale", "accounts", "money", "hours", "ratio"]

_DIGITS = {"ratio": 2, "scale": 2}


class PortfolioPicture(NamedTuple):
    """A picture over time."""

    title: str
    charts: tuple[str, ...]  # the titles of the charts whose lines it draws
    axis: str


CHARTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Churned customers": ("customer_churn_rate", "voluntary_churn_rate", "involuntary_churn_rate"),
        "Retained customers": ("customer_retention",),
        "Revenue retention": ("gross_revenue_retention", "net_revenue_retention"),
        "NPS": ("nps", "nps_by_account"),
        "CSAT": ("csat",),
        "Effort (CES 1, low is good)": ("ces1_mean",),
        "Effort (CES 2, high is good)": ("ces2_mean",),
        "First responses within the SLA": ("sla_attainment",),
        "Accounts that ordered": ("active_accounts",),
        "Margin per active account": ("margin_per_active_account",),
    }
)
"""The charts over time: each title with its metrics."""

PICTURES: Mapping[str, PortfolioPicture] = MappingProxyType(
    {
        "customers": PortfolioPicture("Churned customers", ("Churned customers",), "share"),
        "revenue": PortfolioPicture("Revenue retention", ("Revenue retention",), "share"),
        "attitude": PortfolioPicture("NPS and CSAT", ("NPS", "CSAT"), "points, or of 100"),
        "support": PortfolioPicture("First responses within the SLA", ("First responses within the SLA",), "share"),
        "orders": PortfolioPicture("Margin per active account", ("Margin per active account",), "money"),
    }
)


@dataclass(frozen=True)
class PortfolioMetric:
    """What a metric is.

    >>> METRICS["nps"].unit, METRICS["nps"].write(-3.25)
    ('points', '-3.2')
    """

    name: str
    label: str
    unit: Unit
    formula: str  # for the docs
    better: Literal["higher", "lower", ""] = ""  # empty where neither is better by itself
    source: str = ""  # convention and reference, for the docs

    def write(self, value: float) -> str:
        """Write a value with as many digits as its unit deserves."""
        if self.unit == "share":
            return percent(value)
        if self.unit == "accounts":
            return count(value)
        return money(value, 2) if self.unit == "money" else decimal(value, _DIGITS.get(self.unit, 1))


_KINDS = "by the end of the stay that held the start; the three add up to the churn rate"
_BANDS = "counts: one account has a band, not an NPS"
_INVITED = "invitations of the period answered within 30 days / invitations"
_SENT = "by `sent_at`; a fixed number of days, so that older months are no better for being older"

_CUSTOMERS = (
    PortfolioMetric("customers_at_start", "customers at the start", "accounts", "customers just before the period begins"),
    PortfolioMetric("customers_at_end", "customers at the end", "accounts", "customers just before the period ends"),
    PortfolioMetric(
        "customer_churn_rate",
        "customer churn rate",
        "share",
        "customers at the start and gone at the end / customers at the start",
        "lower",
        "accounts that came and left within the period are in neither",
    ),
    PortfolioMetric("customer_retention", "customer retention", "share", "1 - churn rate", "higher"),
    PortfolioMetric(
        "voluntary_churn_rate", "voluntary churn rate", "share", "the same, of customers who cancelled", "lower", _KINDS
    ),
    PortfolioMetric(
        "involuntary_churn_rate",
        "involuntary churn rate",
        "share",
        "the same, of customers lost for a reason named in `label.involuntary`",
        "lower",
        _KINDS,
    ),
    PortfolioMetric(
        "unknown_churn_rate",
        "churn rate, no reason recorded",
        "share",
        "the same, of customers whose end reason is blank",
        "lower",
        _KINDS,
    ),
    PortfolioMetric(
        "referral_rate",
        "customers who referred",
        "share",
        "customers at the start with a `referral` in the period / customers at the start",
        "higher",
        "an account counts once",
    ),
)
_REVENUE = (
    PortfolioMetric("mrr_at_start", "MRR at the start", "money", "sum over the customers at the start"),
    PortfolioMetric("mrr_new", "new MRR", "money", "at the end, of customers whose first stay began in the period"),
    PortfolioMetric(
        "mrr_reactivated",
        "reactivated MRR",
        "money",
        "at the end, of customers who were none at the start and had been customers before",
    ),
    PortfolioMetric("mrr_expansion", "expansion MRR", "money", "what customers at both ends pay more"),
    PortfolioMetric("mrr_contraction", "contraction MRR", "money", "what customers at both ends pay less"),
    PortfolioMetric("mrr_churned", "churned MRR", "money", "at the start, of customers who are gone at the end"),
    PortfolioMetric("mrr_at_end", "MRR at the end", "money", "sum over the customers at the end"),
    PortfolioMetric(
        "gross_revenue_retention",
        "gross revenue retention",
        "share",
        "sum of min(start, end) / sum of start, over the customers at the start",
        "higher",
        "at most 1",
    ),
    PortfolioMetric(
        "net_revenue_retention",
        "net revenue retention",
        "share",
        "sum of end / sum of start, over the customers at the start",
        "higher",
        "expansion counts, new and returning accounts do not",
    ),
)
_SATISFACTION = (
    PortfolioMetric(
        "nps",
        "NPS by answer",
        "points",
        "100 (promoters - detractors) / answers",
        "higher",
        "0-6, 7-8, 9-10 (on 1-10: 1-6, 7-8, 9-10). Reichheld 2003, Harvard Business Review 81(12)",
    ),
    PortfolioMetric(
        "nps_by_account",
        "NPS by account",
        "points",
        "the same, each account once, by its last answer of the period",
        "higher",
        "several at the same instant (or on the same day, where no time is given): their median, then the band",
    ),
    *(
        PortfolioMetric(f"nps_{band}_accounts", f"{band} accounts", "accounts", "accounts in each band", source=_BANDS)
        for band in ("promoter", "passive", "detractor")
    ),
    PortfolioMetric(
        "csat",
        "CSAT (of 100)",
        "of 100",
        "100 satisfied / answers",
        "higher",
        "satisfied: from `portfolio.satisfied` of the answer's scale up (1-5: 4 and 5; 1-4: 3 and 4); where lower is "
        "better, from the other end",
    ),
    PortfolioMetric(
        "ces1_mean",
        "CES 1, mean (low is good)",
        "scale",
        "mean of the answers as given",
        "lower",
        "on the scale 1-5, low is good (Dixon, Freeman and Toman 2010); never pooled with `ces2`",
    ),
    PortfolioMetric(
        "ces1_low_effort_share",
        "CES 1, low effort",
        "share",
        "answers of at most 2 / answers",
        "higher",
        "on the scale 1-5; on another scale there is no share",
    ),
    PortfolioMetric(
        "ces2_mean",
        "CES 2, mean (high is good)",
        "scale",
        "mean of the answers as given",
        "higher",
        "on the scale 1-7, high is good; never pooled with `ces1`",
    ),
    PortfolioMetric(
        "ces2_low_effort_share",
        "CES 2, low effort",
        "share",
        "answers of at least 5 / answers",
        "higher",
        "on the scale 1-7; on another scale there is no share",
    ),
    *(
        PortfolioMetric(f"{instrument}_response_rate", f"{words} response rate", "share", _INVITED, "higher", _SENT)
        for instrument, words in (("nps", "NPS"), ("csat", "CSAT"), ("ces1", "CES 1"), ("ces2", "CES 2"))
    ),
)
_SUPPORT = (
    PortfolioMetric(
        "first_response_hours_mean",
        "first response, mean hours",
        "hours",
        "mean hours to the first response",
        "lower",
        "a ticket resolved without a recorded response was answered then",
    ),
    PortfolioMetric(
        "first_response_hours_median",
        "first response, median hours",
        "hours",
        "shortest time after which at most half of the tickets still wait",
        "lower",
        "Kaplan and Meier 1958",
    ),
    PortfolioMetric(
        "sla_attainment",
        "first responses within the SLA",
        "share",
        "answered within `features.sla_hours` / tickets for which that is decided",
        "higher",
    ),
)
_ORDERS = (
    PortfolioMetric("active_accounts", "accounts that ordered", "accounts", "accounts with a purchase in the period", "higher"),
    PortfolioMetric(
        "order_revenue",
        "order revenue, net",
        "money",
        "sum of order amounts less returns",
        "higher",
        "a cancelled line, or one that came back, brings nothing",
    ),
    PortfolioMetric(
        "margin_per_active_account",
        "margin per active account",
        "money",
        "`portfolio.margin` x order revenue / active accounts",
        "higher",
    ),
)
_VALUE = (
    PortfolioMetric(
        "cac", "CAC of new accounts", "money", "mean `acquisition_cost` of accounts that began in the period", "lower"
    ),
    PortfolioMetric(
        "monthly_retention",
        "monthly retention",
        "share",
        "r: customer months that were followed by another / customer months",
        "higher",
    ),
    PortfolioMetric(
        "clv",
        "lifetime value (CLV)",
        "money",
        "m (1 + d) / (1 + d - r)",
        "higher",
        "m = `portfolio.margin` x mean `mrr` of a customer month, d = `portfolio.discount_rate`",
    ),
    PortfolioMetric(
        "cac_of_months", "acquisition cost (CAC)", "money", "as `cac`, over the months of the lifetime value", "lower"
    ),
    PortfolioMetric("clv_to_cac", "CLV / CAC", "ratio", "clv / cac_of_months", "higher", "**an alert where it is below 1**"),
)
_COHORTS = (
    PortfolioMetric(
        "cohort_retention",
        "accounts still customers",
        "share",
        "accounts still in their first stay / accounts of the cohort",
        "higher",
        "interval: Wilson",
    ),
    PortfolioMetric("cohort_mrr", "cohort MRR", "money", "revenue of accounts still in their first stay", "higher"),
    PortfolioMetric(
        "cohort_gross_revenue_retention",
        "cohort gross revenue retention",
        "share",
        "sum of min(age 0, age a) / sum at age 0, over the cohort",
        "higher",
        "interval: bootstrap over accounts",
    ),
    PortfolioMetric(
        "cohort_net_revenue_retention",
        "cohort net revenue retention",
        "share",
        "sum at age a / sum at age 0, over the cohort",
        "higher",
        "interval: bootstrap over accounts",
    ),
)

FAMILIES: Mapping[str, tuple[PortfolioMetric, ...]] = MappingProxyType(
    {
        "customers": _CUSTOMERS,
        "revenue": _REVENUE,
        "satisfaction": _SATISFACTION,
        "support": _SUPPORT,
        "orders": _ORDERS,
        "value": _VALUE,
        "cohorts": _COHORTS,
    }
)
"""The metrics by the section of the documentation that defines them."""

METRICS: Mapping[str, PortfolioMetric] = MappingProxyType(
    {metric.name: metric for family in FAMILIES.values() for metric in family}
)

BY_SEGMENT = ("customer_churn_rate", "net_revenue_retention", "nps", "csat", "sla_attainment", "margin_per_active_account")
"""The metrics of the tables by segment."""

POOLED = ("monthly_retention", "clv", "cac_of_months", "clv_to_cac")
"""The metrics of the table of values, over several months together."""
