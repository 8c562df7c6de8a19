"""What is paid, what changed, what failed, and when the contract is up for renewal.

Where a feature is declared more than once, the first that the tables allow is built: what is mapped comes before what follows
from other columns.
"""

from __future__ import annotations

from staypower.features.definition import Definition, Filter, Template
from staypower.features.families.rows import TableFeatures

__all__ = ["BILLING", "PAYMENTS", "renewal_features"]

# What an active subscription shows now. Size, length and renewal date of a contract have no lever: they say how much is at
# stake and when it is decided, not why.
now = TableFeatures("subscriptions", lever=None, until="until_at")
held = TableFeatures("subscriptions", lever="relationship", until="until_at")
terms = TableFeatures("subscriptions", lever="billing", until="until_at")
subscriptions = TableFeatures("subscriptions", lever="relationship")
started = TableFeatures("subscriptions", lever="relationship", where=Filter("first_state", at_least=1.0))
raises = TableFeatures("subscriptions", lever="billing", where=Filter("mrr_change", at_least=0.005))
cuts = TableFeatures("subscriptions", lever="billing", where=Filter("mrr_change", below=-0.005), direction=1)
seats_added = TableFeatures("subscriptions", lever="relationship", where=Filter("seats_change", at_least=1.0), direction=-1)
seats_cut = TableFeatures("subscriptions", lever="relationship", where=Filter("seats_change", below=0.0), direction=1)
contracts = TableFeatures("contracts", lever=None, until="until_at")
accounts = TableFeatures("accounts", lever=None, time="seen_at")
accounts_add = TableFeatures(
    "accounts", lever="relationship", time="seen_at", where=Filter("seats_change", at_least=1.0), direction=-1
)
accounts_cut = TableFeatures(
    "accounts", lever="relationship", time="seen_at", where=Filter("seats_change", below=0.0), direction=1
)
paid_per_month = TableFeatures("payments", lever=None)
ends = TableFeatures("subscription_ends", lever="relationship", time="ended_at", direction=1)

BILLING: tuple[Definition | Template, ...] = (
    now.feature("mrr_now", "sum", "mrr", says="monthly recurring revenue", unit="per month"),
    now.feature("mrr_28_days_ago", "sum", "mrr", offset=28, says="monthly recurring revenue", unit="per month"),
    now.feature("mrr_90_days_ago", "sum", "mrr", offset=90, says="monthly recurring revenue", unit="per month"),
    now.feature("mrr_365_days_ago", "sum", "mrr", offset=365, says="monthly recurring revenue", unit="per month"),
    terms.change(
        "mrr_change_28_days", "mrr_now", "mrr_28_days_ago", says="change in monthly recurring revenue compared with 28 days ago"
    ),
    terms.change(
        "mrr_change_90_days", "mrr_now", "mrr_90_days_ago", says="change in monthly recurring revenue compared with 90 days ago"
    ),
    terms.change(
        "mrr_change_365_days",
        "mrr_now",
        "mrr_365_days_ago",
        says="change in monthly recurring revenue compared with a year ago",
    ),
    now.feature("seats_now", "sum", "seats", says="paid seats", unit="seats"),
    now.feature("seats_90_days_ago", "sum", "seats", offset=90, says="paid seats", unit="seats"),
    held.change(
        "seats_change_90_days",
        "seats_now",
        "seats_90_days_ago",
        says="change in paid seats compared with 90 days ago",
        direction=-1,
    ),
    now.ratio("mrr_per_seat", "mrr_now", "seats_now", says="monthly recurring revenue per seat", unit="per month"),
    terms.feature("discount_now", "maximum", "discount", says="discount"),
    terms.feature("discount_90_days_ago", "maximum", "discount", offset=90, says="discount"),
    terms.difference(
        "discount_change_90_days",
        "discount_now",
        "discount_90_days_ago",
        says="change in the discount compared with 90 days ago",
        direction=-1,
    ),
    now.feature("term_months_now", "maximum", "term_months", says="contract length", unit="months", direction=-1),
    contracts.feature("term_months_now", "maximum", "renewal_months", says="contract length", unit="months", direction=-1),
    contracts.feature(
        "days_to_renewal", "days_to_renewal", "renewal", says="days to the next renewal", unit="days", direction=-1
    ),
    contracts.feature(
        "days_to_renewal_by_mrr",
        "days_to_renewal_weighted",
        "renewal",
        weight="mrr",
        says="average days to the next renewal of each contract, weighted by recurring revenue",
        unit="days",
        direction=-1,
    ),
    contracts.feature("days_since_renewal", "days_since_renewal", "renewal", says="days since the last renewal", unit="days"),
    contracts.feature(
        "share_of_term_elapsed",
        "share_of_term",
        "renewal",
        says="elapsed share of the term of the contract that renews first",
        unit="share",
        direction=1,
    ),
    terms.feature(
        "auto_renew_off_now",
        "count",
        where=Filter("auto_renew", below=0.5),
        says="contracts with auto-renewal turned off",
        unit="contracts",
        direction=1,
    ),
    # of several contracts; an account that cancels all of them has given notice and is not predicted
    held.feature(
        "subscriptions_cancelled_now",
        "count",
        time="cancel_requested_at",
        says="active subscriptions that have been cancelled",
        unit="subscriptions",
        direction=1,
    ),
    held.feature("subscriptions_now", "count", says="active subscriptions", unit="subscriptions", direction=-1),
    held.feature("products_now", "distinct", "product", says="subscribed products", unit="products", direction=-1),
    now.feature("plan_now", "last_code", "plan", category=True, says="plan"),
    now.feature("billing_period_now", "last_code", "billing_period", category=True, says="billing period"),
    contracts.feature("billing_period_now", "last_code", "billing_period", category=True, says="billing period"),
    subscriptions.feature(
        "days_since_subscription_change",
        "days_since_last",
        says="days since a subscription started or changed",
        unit="days",
        lever=None,
    ),
    started.every_window("subscriptions_started", "count", shortest=90, says="subscriptions started", unit="subscriptions"),
    ends.every_window("subscriptions_ended", "count", shortest=90, says="subscriptions ended", unit="subscriptions"),
    ends.feature("subscriptions_ended_ever", "count", says="subscriptions ended", unit="subscriptions"),
    raises.every_window("mrr_raises", "count", shortest=90, says="increases in monthly recurring revenue", unit="changes"),
    cuts.every_window("mrr_cuts", "count", shortest=90, says="decreases in monthly recurring revenue", unit="changes"),
    seats_added.every_window("seats_raises", "count", shortest=90, says="seat additions", unit="changes"),
    seats_cut.every_window("seats_cuts", "count", shortest=90, says="seat reductions", unit="changes"),
    seats_cut.feature(
        "days_since_seats_cut", "days_since_last", says="days since the last seat reduction", unit="days", direction=-1
    ),
    # seats of the account where subscriptions have none
    accounts.feature("seats_now", "last", "seats", says="paid seats", unit="seats"),
    accounts.feature("seats_90_days_ago", "last", "seats", offset=90, time="valid_from", says="paid seats", unit="seats"),
    accounts_add.every_window("seats_raises", "count", shortest=90, says="seat additions", unit="changes"),
    accounts_cut.every_window("seats_cuts", "count", shortest=90, says="seat reductions", unit="changes"),
    accounts_cut.feature(
        "days_since_seats_cut", "days_since_last", says="days since the last seat reduction", unit="days", direction=-1
    ),
    # recurring revenue as the last payment per month of what it pays for, where subscriptions have none
    *(
        paid_per_month.feature(
            f"mrr_{when}", "last", "monthly_amount", offset=days, says="monthly recurring revenue", unit="per month"
        )
        for when, days in (("now", 0), ("28_days_ago", 28), ("90_days_ago", 90), ("365_days_ago", 365))
    ),
)


def renewal_features(days: int) -> tuple[Definition | Template, ...]:
    """Declare what renews within some days after the cutoff."""
    return (
        contracts.feature(
            "renewals_within_horizon",
            "renewals_due",
            "renewal",
            ahead=days,
            says="contracts up for renewal",
            unit="contracts",
            direction=1,
        ),
        contracts.feature(
            "mrr_renewing_within_horizon",
            "amount_due",
            "renewal",
            weight="mrr",
            ahead=days,
            says="monthly recurring revenue up for renewal",
            unit="per month",
            direction=1,
        ),
        now.ratio(
            "share_of_mrr_renewing_within_horizon",
            "mrr_renewing_within_horizon",
            "mrr_now",
            says=f"share of recurring revenue up for renewal in the next {days} days",
            unit="share",
            direction=1,
        ),
    )


payments = TableFeatures("payments", lever="billing")
received = TableFeatures("payments", lever="billing", where=Filter("status", ("paid", "refunded")))
failed = TableFeatures("payments", lever="billing", where=Filter("status", ("failed",)), direction=1)

PAYMENTS = (
    failed.every_window("payments_failed", "count", shortest=28, says="failed payments", unit="payments"),
    payments.feature("payments_365d", "count", window=365, says="payment attempts", unit="payments", lever=None),
    payments.ratio(
        "payments_failed_share_365d",
        "payments_failed_365d",
        "payments_365d",
        says="share of payment attempts that failed",
        unit="share",
        direction=1,
    ),
    failed.every_window(
        "payments_recovered",
        "count",
        shortest=90,
        time="recovered_at",
        says="failed payments later recovered",
        unit="payments",
        direction=None,
    ),
    received.every_window("amount_paid", "sum", "amount", shortest=28, says="amount paid", unit="amount"),
    # without a status every payment went through
    payments.every_window("amount_paid", "sum", "amount", shortest=28, says="amount paid", unit="amount"),
    failed.feature(
        "payments_failed_open_now", "count", until="recovered_at", says="failed payments not yet recovered", unit="payments"
    ),
    failed.feature(
        "days_since_failed_payment",
        "days_since_last",
        says="days since the last failed payment",
        unit="days",
        direction=-1,
    ),
    payments.feature("days_since_last_payment", "days_since_last", says="days since the last payment attempt", unit="days"),
    payments.every_window("refunds", "count", shortest=90, time="refunded_at", says="refunds", unit="refunds", direction=1),
    payments.feature(
        "days_to_method_expiry",
        "days_until_last",
        "method_expires_at",
        says="days until the payment method expires",
        unit="days",
        direction=-1,
    ),
    payments.is_before(
        "method_expires_before_renewal",
        "days_to_method_expiry",
        "days_to_renewal",
        says="the payment method expires before the renewal (1) or not (0)",
        direction=1,
    ),
)
