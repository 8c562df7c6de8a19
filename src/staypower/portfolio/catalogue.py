"""Every portfolio metric by name: its label, unit and formula, which direction is better, and where it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

from staypower.results.numbers import count, decimal, money, percent

__all__ = ["METRICS", "PICTURES", "PortfolioMetric", "PortfolioPicture", "Unit", "charts"]

Unit = Literal["points", "of 100", "share", "scale", "accounts", "money", "hours", "ratio"]

_DIGITS = {"ratio": 2, "scale": 2}
# what shows a metric: a line over the periods, the tables by segment as well, the table of values, or the cohorts
Place = Literal["periods", "segments", "value", "cohorts"]


class PortfolioPicture(NamedTuple):
    """A picture over time."""

    title: str
    charts: tuple[str, ...]  # the titles of the charts whose lines it draws
    axis: str


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
    formula: str
    better: Literal["higher", "lower", ""] = ""  # empty where neither is better by itself
    chart: str = ""  # title of the chart that draws it over time, in the report and in pictures
    place: Place = "periods"

    def write(self, value: float) -> str:
        """Write a value with as many digits as its unit deserves."""
        if self.unit == "share":
            return percent(value)
        if self.unit == "accounts":
            return count(value)
        return money(value, 2) if self.unit == "money" else decimal(value, _DIGITS.get(self.unit, 1))


def charts() -> Mapping[str, tuple[PortfolioMetric, ...]]:
    """Return the charts over time: each title with its metrics, in the order of the catalogue.

    >>> [metric.name for metric in charts()["Revenue retention"]]
    ['gross_revenue_retention', 'net_revenue_retention']
    """
    titles = dict.fromkeys(metric.chart for metric in METRICS.values() if metric.chart)
    return {title: tuple(metric for metric in METRICS.values() if metric.chart == title) for title in titles}


_INVITED = "invitations of the period answered within 30 days / invitations"
_BAND = "accounts whose last answer of the period is in this band"

_ALL = (
    PortfolioMetric("customers_at_start", "customers at the start", "accounts", "customers just before the period begins"),
    PortfolioMetric("customers_at_end", "customers at the end", "accounts", "customers just before the period ends"),
    PortfolioMetric(
        "customer_churn_rate",
        "customer churn rate",
        "share",
        "customers at the start and gone at the end / customers at the start",
        "lower",
        "Churned customers",
        "segments",
    ),
    PortfolioMetric(
        "customer_retention", "customer retention", "share", "1 - customer churn rate", "higher", "Retained customers"
    ),
    PortfolioMetric(
        "voluntary_churn_rate", "voluntary churn rate", "share", "of customers who cancelled", "lower", "Churned customers"
    ),
    PortfolioMetric(
        "involuntary_churn_rate",
        "involuntary churn rate",
        "share",
        "of customers lost for a reason named in `label.involuntary`",
        "lower",
        "Churned customers",
    ),
    PortfolioMetric(
        "unknown_churn_rate", "churn rate, no reason recorded", "share", "of customers whose end reason is blank", "lower"
    ),
    PortfolioMetric(
        "referral_rate",
        "customers who referred",
        "share",
        "customers at the start with a `referral` / customers at the start",
        "higher",
    ),
    PortfolioMetric("mrr_at_start", "MRR at the start", "money", "sum of `mrr` at the start"),
    PortfolioMetric("mrr_new", "new MRR", "money", "MRR at the end of customers who began"),
    PortfolioMetric("mrr_reactivated", "reactivated MRR", "money", "MRR at the end of customers who came back"),
    PortfolioMetric("mrr_expansion", "expansion MRR", "money", "increases of customers at both ends"),
    PortfolioMetric("mrr_contraction", "contraction MRR", "money", "decreases of customers at both ends"),
    PortfolioMetric("mrr_churned", "churned MRR", "money", "MRR at the start of customers who are gone at the end"),
    PortfolioMetric("mrr_at_end", "MRR at the end", "money", "start + new + reactivated + expansion - contraction - churned"),
    PortfolioMetric(
        "gross_revenue_retention",
        "gross revenue retention",
        "share",
        "sum of min(start, end) / sum at the start",
        "higher",
        "Revenue retention",
    ),
    PortfolioMetric(
        "net_revenue_retention",
        "net revenue retention",
        "share",
        "sum at the end / sum at the start, of customers at the start",
        "higher",
        "Revenue retention",
        "segments",
    ),
    PortfolioMetric("nps", "NPS by answer", "points", "100 (promoters - detractors) / answers", "higher", "NPS", "segments"),
    PortfolioMetric("nps_by_account", "NPS by account", "points", "the same, each account by its last answer", "higher", "NPS"),
    PortfolioMetric("nps_promoter_accounts", "promoter accounts", "accounts", _BAND),
    PortfolioMetric("nps_passive_accounts", "passive accounts", "accounts", _BAND),
    PortfolioMetric("nps_detractor_accounts", "detractor accounts", "accounts", _BAND),
    PortfolioMetric(
        "csat", "CSAT (of 100)", "of 100", "100 satisfied / answers, by `portfolio.satisfied`", "higher", "CSAT", "segments"
    ),
    PortfolioMetric(
        "ces1_mean",
        "CES 1, mean (low is good)",
        "scale",
        "mean of the answers as given, 1-5",
        "lower",
        "Effort (CES 1, low is good)",
    ),
    PortfolioMetric("ces1_low_effort_share", "CES 1, low effort", "share", "answers of at most 2 / answers", "higher"),
    PortfolioMetric(
        "ces2_mean",
        "CES 2, mean (high is good)",
        "scale",
        "mean of the answers as given, 1-7",
        "higher",
        "Effort (CES 2, high is good)",
    ),
    PortfolioMetric("ces2_low_effort_share", "CES 2, low effort", "share", "answers of at least 5 / answers", "higher"),
    PortfolioMetric("nps_response_rate", "NPS response rate", "share", _INVITED, "higher"),
    PortfolioMetric("csat_response_rate", "CSAT response rate", "share", _INVITED, "higher"),
    PortfolioMetric("ces1_response_rate", "CES 1 response rate", "share", _INVITED, "higher"),
    PortfolioMetric("ces2_response_rate", "CES 2 response rate", "share", _INVITED, "higher"),
    PortfolioMetric(
        "first_response_hours_mean",
        "first response, mean hours",
        "hours",
        "open tickets count with their hours so far",
        "lower",
    ),
    PortfolioMetric(
        "first_response_hours_median",
        "first response, median hours",
        "hours",
        "time after which at most half still wait (Kaplan-Meier)",
        "lower",
    ),
    PortfolioMetric(
        "sla_attainment",
        "first responses within the SLA",
        "share",
        "answered within `features.sla_hours` / tickets decided by now",
        "higher",
        "First responses within the SLA",
        "segments",
    ),
    PortfolioMetric(
        "active_accounts",
        "accounts that ordered",
        "accounts",
        "accounts with a purchase in the period",
        "higher",
        "Accounts that ordered",
    ),
    PortfolioMetric("order_revenue", "order revenue, net", "money", "order amounts less returns and cancellations", "higher"),
    PortfolioMetric(
        "margin_per_active_account",
        "margin per active account",
        "money",
        "`portfolio.margin` x order revenue / active accounts",
        "higher",
        "Margin per active account",
        "segments",
    ),
    PortfolioMetric(
        "cac", "CAC of new accounts", "money", "mean `acquisition_cost` of accounts that began in the period", "lower"
    ),
    PortfolioMetric(
        "monthly_retention",
        "monthly retention",
        "share",
        "customer months followed by another / customer months",
        "higher",
        place="value",
    ),
    PortfolioMetric(
        "clv",
        "lifetime value (CLV)",
        "money",
        "m (1 + d) / (1 + d - r): margin, discount and retention per month",
        "higher",
        place="value",
    ),
    PortfolioMetric(
        "cac_of_months",
        "acquisition cost (CAC)",
        "money",
        "the same over the months of the lifetime value",
        "lower",
        place="value",
    ),
    PortfolioMetric(
        "clv_to_cac", "CLV / CAC", "ratio", "lifetime value / acquisition cost; an alert below 1", "higher", place="value"
    ),
    PortfolioMetric(
        "cohort_retention",
        "accounts still customers",
        "share",
        "accounts still in their first stay / accounts of the cohort",
        "higher",
        place="cohorts",
    ),
    PortfolioMetric(
        "cohort_mrr", "cohort MRR", "money", "MRR of the accounts still in their first stay", "higher", place="cohorts"
    ),
    PortfolioMetric(
        "cohort_gross_revenue_retention",
        "cohort gross revenue retention",
        "share",
        "sum of min(age 0, age a) / sum at age 0, over the cohort",
        "higher",
        place="cohorts",
    ),
    PortfolioMetric(
        "cohort_net_revenue_retention",
        "cohort net revenue retention",
        "share",
        "sum at age a / sum at age 0, over the cohort",
        "higher",
        place="cohorts",
    ),
)

METRICS: Mapping[str, PortfolioMetric] = MappingProxyType({metric.name: metric for metric in _ALL})
