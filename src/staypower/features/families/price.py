"""What the account pays for what it gets: the price of a unit of use now and before, and what is paid beyond the fee."""

from __future__ import annotations

from staypower.features.definition import Combination, Definition, Filter
from staypower.features.families.rows import TableFeatures

__all__ = ["PRICE"]

usage = TableFeatures("usage", lever=None)
paid = TableFeatures("payments", lever="value", where=Filter("status", ("paid", "refunded")))
fee = TableFeatures("subscriptions", lever="value", direction=1)
orders = TableFeatures("orders", lever="value")


def _price(name: str, now: tuple[str, str], before: tuple[str, str], *, says: str, unit: str) -> tuple[Definition, ...]:
    """Declare a price, an amount divided by what it buys, and its change against the 90 days before."""
    earlier = Combination(
        name=f"{name}_before_90d", how="ratio", inputs=before, unit=unit, description=says, lever="value", part=True
    )
    compared = f"change in the {says} compared with the 90 days before"
    return (
        fee.ratio(f"{name}_90d", *now, says=says, unit=unit),
        earlier,
        fee.change(f"{name}_change_90d", f"{name}_90d", earlier.name, says=compared),
    )


PRICE: tuple[Definition, ...] = (
    usage.feature(
        "usage_quantity_before_90d", "sum", "quantity", window=90, offset=90, says="units used", unit="units", part=True
    ),
    paid.feature("amount_paid_before_90d", "sum", "amount", window=90, offset=90, says="amount paid", unit="amount", part=True),
    orders.feature("order_quantity_before_90d", "sum", "quantity", window=90, offset=90, says="items", unit="items", part=True),
    *_price(
        "mrr_per_event",
        ("mrr_now", "usage_events_90d"),
        ("mrr_90_days_ago", "usage_before_90d"),
        says="monthly recurring revenue per usage event",
        unit="per event",
    ),
    *_price(
        "mrr_per_unit",
        ("mrr_now", "usage_quantity_90d"),
        ("mrr_90_days_ago", "usage_quantity_before_90d"),
        says="monthly recurring revenue per unit used",
        unit="per unit",
    ),
    fee.ratio(
        "mrr_per_seat_90_days_ago",
        "mrr_90_days_ago",
        "seats_90_days_ago",
        says="monthly recurring revenue per seat",
        unit="per month",
        part=True,
    ),
    fee.change(
        "mrr_per_seat_change_90_days",
        "mrr_per_seat",
        "mrr_per_seat_90_days_ago",
        says="change in monthly recurring revenue per seat compared with 90 days ago",
    ),
    *_price(
        "paid_per_event",
        ("amount_paid_90d", "usage_events_90d"),
        ("amount_paid_before_90d", "usage_before_90d"),
        says="amount paid per usage event",
        unit="per event",
    ),
    *_price(
        "paid_per_unit",
        ("amount_paid_90d", "usage_quantity_90d"),
        ("amount_paid_before_90d", "usage_quantity_before_90d"),
        says="amount paid per unit used",
        unit="per unit",
    ),
    *_price(
        "price_per_item",
        ("order_amount_90d", "order_quantity_90d"),
        ("order_amount_before_90d", "order_quantity_before_90d"),
        says="amount ordered per item",
        unit="per item",
    ),
    paid.change(
        "amount_paid_trend_90d",
        "amount_paid_90d",
        "amount_paid_before_90d",
        says="change in the amount paid compared with the 90 days before",
        direction=None,
    ),
    # months of the fee: about 3 where nothing but the fee is paid, and more where use beyond it is charged
    paid.ratio(
        "paid_over_fee_90d",
        "amount_paid_90d",
        "mrr_now",
        says="amount paid against the monthly fee",
        unit="months",
        direction=None,
    ),
    paid.ratio(
        "paid_over_fee_before_90d",
        "amount_paid_before_90d",
        "mrr_90_days_ago",
        says="amount paid against the monthly fee",
        unit="months",
        part=True,
    ),
    paid.change(
        "paid_over_fee_change_90d",
        "paid_over_fee_90d",
        "paid_over_fee_before_90d",
        says="change in the amount paid against the monthly fee compared with the 90 days before",
        direction=None,
    ),
)
