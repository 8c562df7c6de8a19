"""How often, how much, and whether the pauses lengthen."""

from __future__ import annotations

from staypower.features.families.rows import TableFeatures

__all__ = ["ORDERS"]

orders = TableFeatures("orders", lever="engagement", direction=-1)
amounts = TableFeatures("orders", lever="value", direction=-1)
lines = TableFeatures("order_lines", lever="adoption", direction=-1)
returns = TableFeatures("returns", lever="satisfaction")

ORDERS = (
    orders.every_window("orders", "count", says="orders", unit="orders"),
    amounts.every_window("order_amount", "sum", "amount", says="amount ordered", unit="amount"),
    orders.every_window("order_days", "active_days", shortest=28, says="days with an order", unit="days"),
    amounts.every_window("order_quantity", "sum", "quantity", shortest=28, says="items ordered", unit="items"),
    amounts.every_window(
        "order_basket", "mean", "amount", shortest=28, says="average order amount", unit="amount", direction=None
    ),
    amounts.every_window(
        "order_lines_mean", "mean", "lines", shortest=90, says="average lines per order", unit="lines", direction=None
    ),
    lines.every_window(
        "order_products", "distinct", "product", shortest=28, says="different products ordered", unit="products"
    ),
    returns.every_window("returns", "count", shortest=90, says="order lines returned", unit="returns"),
    returns.every_window("return_amount", "sum", "amount", shortest=90, says="amount returned", unit="amount"),
    orders.feature("days_since_last_order", "days_since_last", says="days since the last order", unit="days", direction=1),
    orders.feature(
        "days_since_first_order", "days_since_first", says="days since the first order", unit="days", lever=None, direction=None
    ),
    returns.feature("days_since_last_return", "days_since_last", says="days since the last return", unit="days"),
    orders.feature("orders_ever", "count", says="orders", unit="orders"),
    amounts.feature("order_amount_ever", "sum", "amount", says="amount ordered", unit="amount"),
    amounts.feature("order_basket_largest", "maximum", "amount", says="largest order amount", unit="amount"),
    amounts.feature("last_order_amount", "last", "amount", says="amount of the last order", unit="amount", direction=None),
    amounts.feature("basket_spread", "spread", "amount", says="spread of order amounts", unit="amount", direction=None),
    orders.feature("days_between_orders", "gap_mean", says="average days between orders", unit="days", direction=1),
    orders.feature(
        "days_between_orders_spread", "gap_spread", says="spread of the days between orders", unit="days", direction=1
    ),
    orders.feature(
        "days_between_orders_trend",
        "gap_trend",
        says="average change from one gap between orders to the next",
        unit="days",
        direction=1,
    ),
    orders.feature(
        "pause_against_own_rhythm",
        "gap_quantile",
        says="share of the account's earlier gaps between orders that were shorter than the current one",
        unit="share",
        direction=1,
    ),
    orders.feature("orders_before_90d", "count", window=90, offset=90, says="orders", unit="orders", direction=None),
    amounts.feature(
        "order_amount_before_90d", "sum", "amount", window=90, offset=90, says="amount ordered", unit="amount", direction=None
    ),
    orders.change(
        "orders_trend_90d", "orders_90d", "orders_before_90d", says="change in orders compared with the 90 days before"
    ),
    amounts.change(
        "order_amount_trend_90d",
        "order_amount_90d",
        "order_amount_before_90d",
        says="change in the amount ordered compared with the 90 days before",
    ),
    orders.ratio(
        "pause_over_usual",
        "days_since_last_order",
        "days_between_orders",
        says="current gap between orders compared with the account's own average gap",
        unit="times",
        direction=1,
    ),
    orders.ratio(
        "orders_per_day", "orders_ever", "days_since_first_order", says="orders per day since the first order", unit="per day"
    ),
    amounts.ratio(
        "amount_per_day",
        "order_amount_ever",
        "days_since_first_order",
        says="amount ordered per day since the first order",
        unit="per day",
    ),
)
